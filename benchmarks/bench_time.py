"""Whole recordings over time: the default bundle, and its fund-wide rules against hand-written SQL of the same windows.

Prints, for 10^5 and 10^6 snapshots (10^7 with `--large`, in a file, under a memory limit):

- the fund-wide rules of `ess`, `hfos`, `orchestrator`, `pal` and `locks`, compiled, relative to hand-written SQL that
  gives the same outputs, and the same rules that fired, and for certain (checked before anything is timed). The
  compiled program writes the masks of the rules and computes most outputs where they are read; one row shows what it
  takes to write them all out, too;
- how the time a snapshot grows with the number of snapshots, for these rules and for the whole default bundle: 1.00 is
  linear.

Of all processors together, too, which says more on a busy machine. Only ratios of one run mean anything.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import duckdb

from benchmarks.bench_dry_run import Time
from benchmarks.by_hand_sql import BIT, OUTPUTS, RULES, decided
from benchmarks.recordings import Shape, make_recording
from evaluators.duckdb import DuckdbEvaluator
from evaluators.identifiers import literal, quote
from modules.facts import default_catalogue
from policy_dsl import bundle
from policy_dsl.program import Output, Program
from policy_dsl.types import Levels

MEMORY = "4GB"
"""DuckDB's limit for 10^7 snapshots."""

COMPILED = "compiled"
READ_OUT = "compiled, every output written out"
BY_HAND = "by hand"


def default_bundle() -> Program:
    """The default bundle, as it stands in `rules/`."""
    return bundle.load(Path(__file__).parent.parent / "rules", default_catalogue()).program


def fund_wide(program: Program) -> Program:
    """The rules of `program` that are written by hand too, and the outputs that they act on."""
    rules = tuple(rule for rule in program.rules if rule.id in RULES)
    named = {"verdict", *(name.removesuffix(".CANCEL_ORDERS").removesuffix(".FLATTEN") for name in OUTPUTS)}
    return replace(program, rules=rules, outputs=tuple(o for o in program.outputs if o.id in named))


# --- the same answer -------------------------------------------------------------------------------------------------


def assert_same(connection: duckdb.DuckDBPyConnection, program: Program) -> None:
    """The compiled program and the hand-written SQL say the same of every snapshot."""
    result = DuckdbEvaluator(program).run(connection)
    kinds = {output.id: output for output in program.outputs}
    pairs = {name: (_shown(name, kinds), quote(name)) for name in OUTPUTS}
    assert set(result.enforced.rules) == set(RULES), set(result.enforced.rules) ^ set(RULES)
    for rule, place in result.enforced.rules.items():
        for mask, column in (("fired", place.fired), ("definite", place.definite)):
            pairs[f"{rule} {mask}"] = f"({quote(column)} & {place.bit}) <> 0", f"({mask} & {BIT[rule]}) <> 0"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE by_hand AS {decided()}")
    for name, (mine, other) in pairs.items():
        found = connection.execute(
            f"""SELECT count(*), count(*) FILTER (a.x IS DISTINCT FROM b.x)
            FROM (SELECT book, ts, {mine} AS x FROM decision) a
            FULL JOIN (SELECT book, ts, {other} AS x FROM by_hand) b USING (book, ts)"""
        ).fetchone()
        assert found is not None
        assert found[0] > 0
        assert found[1] == 0, f"`{name}` differs on {found[1]} of {found[0]} snapshots"


def _shown(name: str, kinds: dict[str, Output]) -> str:
    text = name in kinds and isinstance(kinds[name].type, Levels)
    return f"{quote(name)}::VARCHAR" if text else quote(name)


# --- measuring -------------------------------------------------------------------------------------------------------


def best(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, Time]:
    """The best times of each way; the ways take turns."""
    times: dict[str, list[Time]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start, busy = time.perf_counter(), time.process_time()
            way()
            times[name].append(Time(time.perf_counter() - start, time.process_time() - busy))
    return {name: Time(min(t.elapsed for t in found), min(t.busy for t in found)) for name, found in times.items()}


def compiled_way(connection: duckdb.DuckDBPyConnection, program: Program) -> dict[str, Callable[[], object]]:
    """The compiled program alone."""
    evaluator = DuckdbEvaluator(program)
    return {COMPILED: lambda: evaluator.run(connection)}


def fund_wide_ways(connection: duckdb.DuckDBPyConnection, program: Program) -> dict[str, Callable[[], object]]:
    """What is compared: the compiled program, what it takes to read every output of it, the hand-written SQL."""
    evaluator = DuckdbEvaluator(program)

    def run_and_write_out() -> None:
        evaluator.run(connection)
        connection.execute("CREATE OR REPLACE TEMP TABLE written AS FROM decision")

    by_hand = f"CREATE OR REPLACE TEMP TABLE by_hand AS {decided()}"
    return {
        COMPILED: lambda: evaluator.run(connection),
        READ_OUT: run_and_write_out,
        BY_HAND: lambda: connection.execute(by_hand),
    }


def report(title: str, count: int, times: dict[str, Time], base: tuple[int, dict[str, Time]]) -> None:
    """One table: relative to what is written by hand, and a snapshot relative to one of the smallest recording."""
    smallest, first = base
    by_hand = times.get(BY_HAND)
    print(f"\n{title}: {count:,} snapshots", flush=True)
    print(f"  {'':36}{'elapsed':>9}{'processor':>11}{'a snapshot: elapsed':>24}{'processor':>11}")
    for name, found in times.items():
        grown = [
            now / count / (then / smallest) for now, then in zip(astuple(found), astuple(first[name]), strict=True)
        ]
        against = ["", ""]
        if by_hand is not None:
            against = [f"x{a / b:.2f}" for a, b in zip(astuple(found), astuple(by_hand), strict=True)]
        columns = f"{against[0]:>9}{against[1]:>11}{f'x{grown[0]:.2f}':>24}{f'x{grown[1]:.2f}':>11}"
        print(f"  {name:36}{columns}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="10^7 snapshots too")
    sizes = [10**5, 10**6, *([10**7] if parser.parse_args().large else [])]
    whole = default_bundle()
    parts = fund_wide(whole)
    with duckdb.connect() as connection:
        make_recording(connection, whole, 50_000, Shape())
        assert_same(connection, parts)
    base: dict[str, tuple[int, dict[str, Time]]] = {}
    for count in sizes:
        with tempfile.TemporaryDirectory() as folder:
            small = count <= 10**6
            with duckdb.connect(":memory:" if small else str(Path(folder) / "recording.duckdb")) as connection:
                connection.execute("SET preserve_insertion_order = false")
                if not small:
                    connection.execute(f"SET memory_limit = {literal(MEMORY)}")
                    connection.execute(f"SET temp_directory = {literal(str(Path(folder) / 'spilt'))}")
                make_recording(connection, whole, count, Shape())
                rounds = {10**5: 3, 10**6: 2}.get(count, 1)
                title = f"fund-wide rules ({len(parts.rules)})"
                times = best(fund_wide_ways(connection, parts), rounds)
                report(title, count, times, base.setdefault(title, (count, times)))
                title = f"whole default bundle ({len(whole.rules)} rules)"
                times = best(compiled_way(connection, whole), rounds // 2 or 1)
                report(title, count, times, base.setdefault(title, (count, times)))


if __name__ == "__main__":
    main()
