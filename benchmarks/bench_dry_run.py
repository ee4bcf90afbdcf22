"""Whole recordings through DuckDB: the compiled program against hand-written SQL for the same 24 rules.

Prints, for 10^5 and 10^6 snapshots (10^7 with `--large`), how long each took relative to the best hand-written SQL that
gives the same answer (outputs, rules that fired, and whether for certain). The compiled program writes the masks of the
rules and computes most outputs where they are read; one row shows what it takes to write them all out, too. Only ratios
of one run mean anything.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.workloads import FACTS, RANGES, program
from evaluators.duckdb import DuckdbEvaluator, needs_of
from evaluators.identifiers import literal, quote
from policy_dsl.types import Flag, Levels, Type

ROUNDS = 5

# --- the rules, by hand ----------------------------------------------------------------------------------------------

CONDITIONS = {
    "r01": ('"operator.stop_requested"', 'NOT "operator.stop_requested"'),
    "r02": ('"account.drawdown" > 50000000', '"account.drawdown" <= 50000000'),
    "r03": ('"account.losing_streak" > 5', '"account.losing_streak" <= 5'),
    "r04": ('"system.errors_per_minute" > 14400000000', '"system.errors_per_minute" <= 14400000000'),
    "r05": ('"market.data_age" > 300000', '"market.data_age" <= 300000'),
    "r06": ('"account.reconciliation_gap" > 10000000', '"account.reconciliation_gap" <= 10000000'),
    "r08": (
        """"market.volatility" = 'EXTREME' AND "account.drawdown" > 20000000""",
        """"market.volatility" <> 'EXTREME' OR "account.drawdown" <= 20000000""",
    ),
    "r09": (
        '"market.turbulence" > 990000000 AND "market.breadth" < 100000000',
        '"market.turbulence" <= 990000000 OR "market.breadth" >= 100000000',
    ),
    "r10": ('"account.drawdown" > 30000000', '"account.drawdown" <= 30000000'),
    "r11": ("""("market.volatility" IN ('HIGH', 'EXTREME'))""", """"market.volatility" NOT IN ('HIGH', 'EXTREME')"""),
    "r12": (
        """("market.regime" <> 'TRENDING' OR "market.volatility" <> 'LOW' OR "account.drawdown" >= 10000000)""",
        """"market.regime" = 'TRENDING' AND "market.volatility" = 'LOW' AND "account.drawdown" < 10000000""",
    ),
    "r13": ('"account.daily_loss" > 30000000', '"account.daily_loss" <= 30000000'),
    "r14": ('"account.open_loss" > 40000000', '"account.open_loss" <= 40000000'),
    "r15": ('"account.losing_streak" >= 3', '"account.losing_streak" < 3'),
    "r16": ('"account.open_positions" >= 8', '"account.open_positions" < 8'),
    "r17": ('"account.gross_exposure" > 800000000', '"account.gross_exposure" <= 800000000'),
    "r18": ('"account.margin_usage" > 600000000', '"account.margin_usage" <= 600000000'),
    "r19": (
        '"account.correlated_exposure" > 400000000 AND "account.open_positions" > 3',
        '"account.correlated_exposure" <= 400000000 OR "account.open_positions" <= 3',
    ),
    "r20": ('"system.error_rate" > 50000000', '"system.error_rate" <= 50000000'),
    "r21": ('"account.risk" > 60000000', '"account.risk" <= 60000000'),
}
"""Conditions on facts, and their contraries."""

BIT = {f"r{n:02}": 1 << (n - 1) for n in range(1, 25)}
OUTPUTS = (
    "book, ts, halted, cancel, flatten, risk_mode, trades, confidence, exposure, leverage, positions, risk, "
    "amplification, entry_mode, tier"
)
MODES = "ENUM('SAFE', 'DEFENSIVE', 'CAUTIOUS', 'NORMAL', 'AGGRESSIVE')"
ENTRIES = "ENUM('NONE', 'DEFENSIVE', 'NORMAL')"


def values(fired: Mapping[str, str], certain: Mapping[str, str]) -> str:
    """The outputs as CASE columns over tests that say whether rules fired; `source` stands for what they read."""

    def of(*rules: str) -> str:
        return " OR ".join(fired[rule] for rule in rules)

    halting = of("r01", "r02", "r03", "r04", "r05", "r06")
    cancelling = " OR ".join(certain[rule] for rule in ("r01", "r02", "r03", "r04"))
    first = f"""SELECT *, ({halting}) AS halted, ({cancelling}) AS cancel,
        ({certain["r01"]} OR {certain["r02"]}) AS flatten FROM source"""
    second = f"""SELECT *, CASE WHEN halted OR {of("r08", "r09")} THEN 1 WHEN {fired["r10"]} THEN 2
        WHEN {fired["r11"]} THEN 3 WHEN {fired["r12"]} THEN 4 ELSE 5 END AS mode FROM ({first})"""
    return f"""SELECT *,
      CASE mode WHEN 1 THEN 'SAFE'::{MODES} WHEN 2 THEN 'DEFENSIVE'::{MODES} WHEN 3 THEN 'CAUTIOUS'::{MODES}
        WHEN 4 THEN 'NORMAL'::{MODES} ELSE 'AGGRESSIVE'::{MODES} END AS risk_mode,
      NOT (halted OR {of("r13", "r21")}) AS trades,
      CASE WHEN mode = 1 THEN 700000000::BIGINT WHEN {fired["r15"]} THEN 650000000
        WHEN mode <= 3 THEN 600000000 ELSE 550000000 END AS confidence,
      CASE WHEN mode = 1 THEN 500000000::BIGINT WHEN mode <= 2 THEN 650000000 ELSE 800000000 END AS exposure,
      CASE WHEN {fired["r18"]} THEN 5000000000::BIGINT WHEN mode <= 2 THEN 10000000000 ELSE 30000000000 END AS leverage,
      CASE WHEN {fired["r19"]} THEN 4::BIGINT WHEN mode <= 2 THEN 5 ELSE 8 END AS positions,
      CASE WHEN {of("r14", "r15")} THEN 5000000::BIGINT ELSE 10000000 END AS risk,
      mode > 3 AS amplification,
      CASE WHEN {of("r16", "r17")} THEN 'NONE'::{ENTRIES} WHEN {fired["r20"]} THEN 'DEFENSIVE'::{ENTRIES}
        ELSE 'NORMAL'::{ENTRIES} END AS entry_mode,
      CASE WHEN mode = 1 THEN 'CORE'::ENUM('EXPANSION', 'CORE') ELSE 'EXPANSION' END AS tier
      FROM ({second})"""


def columns_only(snapshot: str) -> str:
    """CASE columns straight over the facts; nobody learns which rules fired."""
    fired = {rule: f"(({c}) IS NOT FALSE)" for rule, (c, _) in CONDITIONS.items()}
    certain = {rule: f"coalesce({c}, FALSE)" for rule, (c, _) in CONDITIONS.items()}
    return f"SELECT {OUTPUTS} FROM ({values(fired, certain).replace('source', snapshot)})"


def tests(mask: str) -> dict[str, str]:
    """Bit tests for all rules on facts."""
    return {rule: f"({mask} & {BIT[rule]}) <> 0" for rule in CONDITIONS}


def sums(negated: bool) -> tuple[str, str]:
    """The masks of fired and of certain rules, as sums of CASE."""
    fired = [
        f"CASE WHEN {no} THEN 0 ELSE {BIT[rule]} END"
        if negated
        else f"CASE WHEN ({yes}) IS NOT FALSE THEN {BIT[rule]} ELSE 0 END"
        for rule, (yes, no) in CONDITIONS.items()
    ]
    certain = [f"CASE WHEN {yes} THEN {BIT[rule]} ELSE 0 END" for rule, (yes, _) in CONDITIONS.items()]
    return " + ".join(fired), " + ".join(certain)


LATE = (
    f"CASE WHEN halted THEN {BIT['r07']} ELSE 0 END + CASE WHEN mode <= 3 THEN {BIT['r22']} ELSE 0 END"
    f" + CASE WHEN mode <= 2 THEN {BIT['r23']} ELSE 0 END + CASE WHEN mode = 1 THEN {BIT['r24']} ELSE 0 END"
)


def two_masks(snapshot: str, *, negated: bool, enums: bool = False, small: bool = False) -> str:
    """Masks of what fired and of what fired for certain; outputs from their bits."""
    fired, certain = sums(negated)
    kind = "INTEGER" if small else "BIGINT"
    if enums:
        casts = [
            """TRY_CAST("market.volatility" AS ENUM('LOW', 'NORMAL', 'HIGH', 'EXTREME')) AS "market.volatility\"""",
            """TRY_CAST("market.regime" AS ENUM('RANGING', 'NORMAL', 'TRENDING')) AS "market.regime\"""",
        ]
        snapshot = f"(SELECT * REPLACE ({', '.join(casts)}) FROM {snapshot})"
    masks = f"(SELECT book, ts, ({fired})::{kind} AS f, ({certain})::{kind} AS d FROM {snapshot})"
    query = values(tests("f"), tests("d")).replace("source", masks)
    return f"SELECT {OUTPUTS}, f + late AS fired, d + late AS definite FROM (SELECT *, {LATE} AS late FROM ({query}))"


def formulations(snapshot: str) -> dict[str, str]:
    """Every hand-written query, by name."""
    return {
        "by hand, outputs only": columns_only(snapshot),
        "by hand, masks, `IS NOT FALSE`": two_masks(snapshot, negated=False),
        "by hand, masks, contraries": two_masks(snapshot, negated=True),
        "by hand, masks, contraries, 32 bits": two_masks(snapshot, negated=True, small=True),
        "by hand, masks, contraries, enums": two_masks(snapshot, negated=True, enums=True),
    }


# --- recordings ------------------------------------------------------------------------------------------------------


def make_table(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    """A table `snapshot`: figures wander, one hour in eight is a bad one, one value in 500 is missing."""
    kinds = needs_of(program()).facts
    listed = ",\n".join(f"{_fact(i, path, kinds[path])} AS {quote(path)}" for i, path in enumerate(FACTS))
    connection.execute(
        f"""CREATE OR REPLACE TABLE snapshot AS
        SELECT 'main' AS book, make_timestamp_ms(1735689600000 + i * 60000) AS ts, {listed}
        FROM (SELECT i, i // 60 % 8 = 7 AS bad FROM range({count}) AS t(i))"""
    )
    # The verdict is an output of every bundle, so the compiled program asks for the requests; there are none.
    connection.execute("CREATE OR REPLACE TABLE request (book VARCHAR, ts TIMESTAMP, key VARCHAR)")


def _fact(i: int, path: str, kind: Type) -> str:
    if isinstance(kind, Flag):
        value = f"bad AND hash(i, {i}) % 50 = 0"
    elif isinstance(kind, Levels):
        names = ", ".join(map(literal, kind.members))
        value = f"[{names}][least({len(kind.members)}, 1 + (hash(i // 30, {i}) % 3)::INTEGER + bad::INTEGER)]"
    else:
        around = f"CASE WHEN bad THEN {RANGES[path].bad} ELSE {RANGES[path].calm} END"
        value = f"({around} * (0.6e0 + 0.8e0 * (hash(i, {i}) % 1000) / 1000e0))::BIGINT"
    return f"CASE WHEN hash(i, {i + 100}) % 500 > 0 THEN {value} END"


# --- measuring -------------------------------------------------------------------------------------------------------

COMPILED = "compiled"
READ_OUT = "compiled, every output written out"


@dataclass(frozen=True)
class Time:
    """Seconds that passed, and seconds of all processors together (which say more on a busy machine)."""

    elapsed: float
    busy: float


def measure(connection: duckdb.DuckDBPyConnection, rounds: int = ROUNDS) -> dict[str, Time]:
    """The best times of each way; the ways take turns."""
    evaluator = DuckdbEvaluator(program())
    connection.execute("SET preserve_insertion_order = false")

    def run_and_write_out() -> None:
        evaluator.run(connection)
        connection.execute("CREATE OR REPLACE TEMP TABLE written AS FROM decision")

    ways: dict[str, Callable[[], object]] = {
        COMPILED: lambda: evaluator.run(connection),
        READ_OUT: run_and_write_out,
    }
    for name, query in formulations("snapshot").items():
        statement = f"CREATE OR REPLACE TEMP TABLE by_hand AS {query}"
        ways[name] = lambda statement=statement: connection.execute(statement)  # type: ignore[misc]  # because a default argument only binds the loop's value
    times: dict[str, list[Time]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start, busy = time.perf_counter(), time.process_time()
            way()
            times[name].append(Time(time.perf_counter() - start, time.process_time() - busy))
    return {name: Time(min(t.elapsed for t in f), min(t.busy for t in f)) for name, f in times.items()}


def agree(connection: duckdb.DuckDBPyConnection) -> None:
    """The compiled program and every hand-written query say the same."""
    DuckdbEvaluator(program()).run(connection)
    ours = """SELECT book, ts, "desk.state" = 'HALTED', "desk.actions.CANCEL_ORDERS", "desk.actions.FLATTEN",
      "desk.risk_mode"::VARCHAR, "desk.allow_trades", "desk.min_confidence", "desk.max_exposure", "desk.max_leverage",
      "desk.max_positions", "desk.max_risk", "desk.amplification" = 'ON', "desk.entry_mode"::VARCHAR,
      "desk.min_tier"::VARCHAR"""
    theirs = OUTPUTS.replace("risk_mode", "risk_mode::VARCHAR").replace("entry_mode", "entry_mode::VARCHAR")
    theirs = theirs.replace("tier", "tier::VARCHAR")
    for name, query in formulations("snapshot").items():
        masks = "" if "only" in name else ", fired_0, definite_0"
        other = "" if "only" in name else ", fired::BIGINT, definite::BIGINT"
        found = connection.execute(
            f"SELECT count(*) FROM ({ours}{masks} FROM decision EXCEPT ALL SELECT {theirs}{other} FROM ({query}))"
        ).fetchone()
        assert found == (0,), f"{name} disagrees on {found} snapshots"


def report(title: str, times: Mapping[str, Time], count: int) -> None:
    """One table of ratios; the baseline is the best hand-written query with masks."""
    by_hand = [t for name, t in times.items() if "masks" in name]
    elapsed, busy = min(t.elapsed for t in by_hand), min(t.busy for t in by_hand)
    print(f"\n{title}: {count:,} snapshots{'elapsed':>27}{'processor':>11}")
    for name, found in times.items():
        speed = f"{count / found.elapsed / 1e6:6.2f} M decisions/s"
        print(f"  {name:42} x{found.elapsed / elapsed:6.2f}   x{found.busy / busy:6.2f}   {speed}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="10^7 snapshots too")
    sizes = [10**5, 10**6, *([10**7] if parser.parse_args().large else [])]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        make_table(connection, 20_000)
        agree(connection)
        for count in sizes:
            make_table(connection, count)
            rounds = ROUNDS if count < 10**7 else 2
            report("table in memory", measure(connection, rounds), count)
            file = Path(folder) / "snapshot.parquet"
            connection.execute(
                f"COPY (SELECT * EXCLUDE book FROM snapshot ORDER BY ts) TO {literal(str(file))}"
                " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 25000)"
            )
            connection.execute("DROP TABLE snapshot")
            connection.execute(f"CREATE VIEW snapshot AS SELECT 'main' AS book, * FROM {literal(str(file))}")
            report("recording in Parquet", measure(connection, rounds), count)
            connection.execute("DROP VIEW snapshot")


if __name__ == "__main__":
    main()
