"""The DuckDB evaluator over time: timelines worked out by hand, what recordings may hold, and the shape of plans."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb
import pytest

from evaluators.decision import Decision
from evaluators.duckdb import DuckdbEvaluator, decide_all, decisions, load_snapshots
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Fields, Snapshot
from modules.judge import packaged_bundle
from policy_dsl.bundle import load_text
from policy_dsl.program import Program
from tests.catalogue_for_tests import small_catalogue
from tests.evaluators.duckdb_desk import day

MINUTE = 60_000
START = 1_700_000_000_000
PERCENT = 10_000_000
SAFE, DEFENSIVE, NORMAL = range(3)
LOCKED, OPEN = range(2)

HEAD = """\
policy desk version 1.0.0
  "Rules over time."

output mode: SAFE < DEFENSIVE < NORMAL starts NORMAL
output max_loss: ratio in 0% to 10% starts 5% tightens down
output entries for each symbol: LOCKED < OPEN starts OPEN
"""

FORMS = {
    "throughout": "rule r when account.drawdown > 5% throughout 3m tighten mode to SAFE",
    "within": "rule r when account.drawdown > 5% within 3m tighten mode to SAFE",
    "highest": "rule r when highest(account.drawdown over 3m) > 5% tighten mode to SAFE",
    "average": "rule r when average(account.drawdown over 3m) > 5% tighten mode to SAFE",
    "change": "rule r when change(account.drawdown over 3m) > 1% tighten mode to SAFE",
    "previous": "rule r when account.drawdown > previous(account.drawdown) tighten mode to SAFE",
    "row throughout": "rule r for each position when position.r_multiple > 1R throughout 3m tighten mode to SAFE",
    "row within": "rule r for each position when position.r_multiple > 1R within 3m tighten mode to SAFE",
    "row highest": "rule r for each position when highest(position.r_multiple over 3m) > 1R tighten mode to SAFE",
    "row change": "rule r for each position when change(position.r_multiple over 3m) > 1R tighten mode to SAFE",
    "row previous": "rule r for each position when previous(position.r_multiple) > 1R tighten mode to SAFE",
    "events": "rule r when count(trade where trade.r_multiple < 0R over 3m) > 1 tighten mode to SAFE",
    "events of a row": """rule r for each symbol
      when sum(trade.r_multiple where trade.symbol is symbol over 3m) < 0R tighten entries to LOCKED""",
    "events against a fact": """rule r
      when any(trade where trade.r_multiple < 0R and account.drawdown > 5% over 3m) tighten mode to SAFE""",
    "events against rows": """rule r for each position
      when count(trade where trade.symbol is position.symbol over 3m) > 1 tighten mode to SAFE""",
    "events against a key and a fact": """rule r for each symbol
      when any(trade where trade.symbol is symbol and account.drawdown > 5% over 3m) tighten entries to LOCKED""",
    "average of a row's events": """rule r for each symbol
      when average(trade.r_multiple where symbol is trade.symbol over 3m) < 0R tighten entries to LOCKED""",
    "hold": "rule r when account.drawdown > 5% tighten mode to SAFE for 3m",
    "hold of a value": "rule r when account.drawdown > 5% tighten max_loss to account.drawdown - 3% for 3m",
    "until": "rule r when account.drawdown > 5% tighten mode to SAFE until clock.now",
    "until, of a value": "rule r when account.drawdown > 5% tighten max_loss to account.drawdown - 3% until clock.now",
    "until, of a row": """rule r for each symbol when any(trade where trade.symbol is symbol over 1m)
      tighten entries to LOCKED until latest(trade.closed_at where trade.symbol is symbol over 1m) + 3m""",
}
"""A rule for each form of the language over time."""

KEEPS = {
    "relaxes": "output held: SAFE < NORMAL starts NORMAL relaxes after 3m",
    "latches": "output held: SAFE < NORMAL starts NORMAL latches until operator.stop_requested",
    "both": "output held: SAFE < NORMAL starts NORMAL latches until operator.stop_requested relaxes after 3m",
    "relaxes, a number": "output held: ratio in 0% to 10% starts 5% tightens down relaxes after 3m",
    "latches, a number": """output held: ratio in 0% to 10% starts 5% tightens down
      latches until operator.stop_requested""",
}
"""An output for each way to keep a value."""


def keeping(name: str) -> str:
    """The rules for an output that keeps its values."""
    value = "account.drawdown - 3%" if "number" in name else "SAFE"
    return f"{KEEPS[name]}\nrule r when account.drawdown > 5% tighten held to {value}"


def compiled(rules: str) -> Program:
    return load_text({"desk.rules": HEAD + rules + "\n"}, small_catalogue()).program


def at(minute: float, facts: Fields | None = None, book: str = "main", **more: object) -> Snapshot:
    """A snapshot that many minutes after the start; `rows` and `events` as a snapshot has them."""
    rows, events = more.get("rows", {}), more.get("events", {})
    assert isinstance(rows, Mapping)
    assert isinstance(events, Mapping)
    return Snapshot(book, START + round(minute * MINUTE), facts or {}, rows, events)


def drawdowns(*values: int | None) -> list[Snapshot]:
    """One a minute, in percent."""
    return [at(i, {"account.drawdown": None if v is None else v * PERCENT}) for i, v in enumerate(values)]


def decide(rules: str, snapshots: Sequence[Snapshot]) -> list[Decision]:
    """The decisions, which the reference shares."""
    program = compiled(rules)
    found = decide_all(program, snapshots)
    assert found == Interpreter(program).timeline(snapshots)
    return found


def modes(found: Iterable[Decision], output: str = "desk.mode") -> list[object]:
    return [decision.outputs[output] for decision in found]


# --- worked out by hand ----------------------------------------------------------------------------------------------


def test_an_end_that_moves_back_shortens_nothing() -> None:
    fires, ends = [6, 6, 6, 6, 1, 1, 1], [5, 3, 2, None, None, None, None]
    snapshots = [
        at(i, {"account.drawdown": d * PERCENT, "clock.now": None if end is None else START + end * MINUTE})
        for i, (d, end) in enumerate(zip(fires, ends, strict=True))
    ]
    assert modes(decide(FORMS["until"], snapshots)) == [SAFE] * 5 + [NORMAL] * 2


def test_an_end_that_has_come_binds_nothing_and_one_that_nobody_knows_binds_while_the_rule_fires() -> None:
    def when(end: int | None) -> Fields:
        return {"account.drawdown": 6 * PERCENT, "clock.now": None if end is None else START + end * MINUTE}

    snapshots = [at(0, when(0)), at(1, when(None)), at(2, when(1)), at(3, when(4)), at(4, when(4))]
    assert modes(decide(FORMS["until"], snapshots)) == [NORMAL, SAFE, NORMAL, SAFE, NORMAL]


def test_of_several_values_in_force_the_strictest_counts_as_long_as_it_is() -> None:
    # 1 % until minute 3, 2 % until minute 6, 4 % until minute 8.
    asked = {0: (4, 3), 1: (5, 6), 2: (7, 8)}
    facts = [
        {"account.drawdown": asked[i][0] * PERCENT + 3 * PERCENT, "clock.now": START + asked[i][1] * MINUTE}
        if i in asked
        else {"account.drawdown": 0}
        for i in range(10)
    ]
    found = decide(FORMS["until, of a value"], [at(i, f) for i, f in enumerate(facts)])
    assert modes(found, "desk.max_loss") == [v * PERCENT for v in (4, 4, 4, 5, 5, 5, 5, 5, 5, 5)]


def test_a_latch_is_released_and_what_it_held_still_relaxes() -> None:
    pressed = (4, 9)
    facts = [
        {"account.drawdown": (6 if i in (1, 9) else 1) * PERCENT, "operator.stop_requested": i in pressed}
        for i in range(14)
    ]
    found = decide(keeping("both"), [at(i, f) for i, f in enumerate(facts)])
    # Minute 9 fires at its own release, and so latches anew.
    assert modes(found, "desk.held") == [1, *[0] * 5, *[1] * 3, *[0] * 5]


def test_what_fired_for_want_of_a_fact_does_not_latch() -> None:
    snapshots = drawdowns(1, None, 1, 6, 1)
    assert modes(decide(keeping("latches"), snapshots), "desk.held") == [1, 0, 1, 0, 0]


def trade(closed: float | None, r: int = -1, symbol: str | None = "BTC") -> Fields:
    when = None if closed is None else START + round(closed * MINUTE)
    return {"symbol": symbol, "r_multiple": r * 10**9, "closed_at": when}


def test_a_late_event_counts_from_when_it_was_heard_of_until_its_own_window_is_over() -> None:
    events = {1: (trade(1),), 3: (trade(0.5), trade(1.5)), 9: (trade(2),)}
    snapshots = [at(i, events={"trade": events.get(i, ())}) for i in range(11)]
    # In minute 3, the trades of minutes 1 and 1.5 lie in the window, in minute 4 that of 1.5 alone; that of 0.5 for
    # less than half a minute.
    assert modes(decide(FORMS["events"], snapshots)) == [SAFE if i == 3 else NORMAL for i in range(11)]


def test_an_event_that_says_no_time_may_or_may_not_count() -> None:
    events = {1: (trade(None), trade(1)), 5: (trade(None, r=1), trade(5))}
    snapshots = [at(i, events={"trade": events.get(i, ())}) for i in range(9)]
    found = decide(FORMS["events"], snapshots)
    assert modes(found) == [SAFE if 1 <= i <= 3 else NORMAL for i in range(9)]
    assert all(not firing.definite for decision in found for firing in decision.firings)


def test_an_event_from_the_future_happened_when_it_was_heard_of() -> None:
    snapshots = [at(i, events={"trade": (trade(500), trade(500)) if i == 0 else ()}) for i in range(5)]
    assert modes(decide(FORMS["events"], snapshots)) == [SAFE] * 3 + [NORMAL] * 2


def test_events_of_a_row_count_while_the_row_is_away_and_come_back_with_it() -> None:
    there: dict[str, Fields] = {"BTC": {}, "ETH": {}}
    gone: dict[str, Fields] = {"ETH": {}}
    rows = [there, gone, there, None, there, there]
    events = {0: (trade(0),), 4: (trade(4, symbol=None),)}
    snapshots = [at(i, rows={"symbol": found}, events={"trade": events.get(i, ())}) for i, found in enumerate(rows)]
    found = decide(FORMS["events of a row"], snapshots)
    assert modes(found, "desk.entries") == [
        {"BTC": LOCKED, "ETH": OPEN},
        {"ETH": OPEN},
        {"BTC": LOCKED, "ETH": OPEN},
        {},
        # A trade of no known symbol may be one of any.
        {"BTC": LOCKED, "ETH": LOCKED},
        {"BTC": LOCKED, "ETH": LOCKED},
    ]
    # Whose trades they are that were heard of, nobody can say where no symbol is known.
    assert [(f.key, f.definite) for f in found[3].firings] == []
    stood_in = decide(FORMS["events of a row"], [snapshots[0], at(1, rows={"symbol": None})])
    assert [(f.key, f.definite) for f in stood_in[1].firings] == [("", False)]


def positions(*r_multiples: int | None) -> dict[str, dict[str, Fields] | None]:
    """Positions p0, p1, ... at so many R; those of None are not there."""
    return {"position": {f"p{i}": {"r_multiple": r * 10**9} for i, r in enumerate(r_multiples) if r is not None}}


def test_a_row_that_vanished_is_doubtful_as_long_as_the_window_sees_it_before_it_was_gone() -> None:
    rows = [positions(0), positions(0), positions(None), *[positions(0)] * 4]
    found = decide(FORMS["row within"].replace("3m", "4m"), [at(i, rows=r) for i, r in enumerate(rows)])
    assert modes(found) == [NORMAL, NORMAL, NORMAL, SAFE, SAFE, NORMAL, NORMAL]


def test_a_row_that_first_comes_has_no_past_to_doubt() -> None:
    rows = [positions(0), positions(0, 0), positions(0, 2), positions(0, 0)]
    found = decide(FORMS["row within"], [at(i, rows=r) for i, r in enumerate(rows)])
    assert [[f.key for f in d.firings] for d in found] == [[], [], ["p1"], ["p1"]]


def test_a_collection_that_was_missing_makes_every_row_of_the_window_doubtful() -> None:
    rows: list[dict[str, dict[str, Fields] | None]] = [positions(0), {"position": None}, *[positions(0)] * 4]
    found = decide(FORMS["row highest"], [at(i, rows=r) for i, r in enumerate(rows)])
    assert modes(found) == [NORMAL, SAFE, SAFE, SAFE, NORMAL, NORMAL]


# --- books, and what a recording is ----------------------------------------------------------------------------------

PROGRAMS = {**FORMS, **{f"output {name}": keeping(name) for name in KEEPS}}


def lived(seed: int, book: str = "main", count: int = 40) -> list[Snapshot]:
    """A book with all that the forms read; every tenth minute is left out, and once five in a row."""
    chance = random.Random(seed)  # noqa: S311 -- test data, no secret
    out = []
    for i, found in enumerate(day(count, seed, book)):
        if i % 10 == 9 or 21 <= i <= 25:
            continue
        now = chance.choice([None, *(found.ts + m * MINUTE for m in (-1, 0, 2, 5))])
        facts = {**found.facts, "clock.now": now, "operator.stop_requested": chance.choice([None, True, *[False] * 8])}
        trades = tuple(
            {
                "symbol": chance.choice([None, "BTC", "ETH", "XRP"]),
                "r_multiple": chance.choice([None, -(10**9), 10**9]),
                "closed_at": chance.choice([None, found.ts, found.ts - MINUTE, found.ts - 5 * MINUTE]),
            }
            for _ in range(chance.choice([0, 0, 0, 1, 2]))
        )
        rows = {**found.rows, "symbol": None if chance.random() < 0.1 else found.rows["symbol"]}
        out.append(Snapshot(book, found.ts, facts, rows, {"trade": trades}))
    return out


@pytest.mark.parametrize("name", PROGRAMS)
def test_books_of_one_recording_know_nothing_of_each_other(name: str) -> None:
    program = compiled(PROGRAMS[name])
    books = {book: lived(seed, book) for seed, book in enumerate(("main", "other", "third"))}
    together = [snapshot for trio in zip(*books.values(), strict=True) for snapshot in trio]
    assert len({s.ts for s in together}) * 3 == len(together)
    found = decide_all(program, together)
    for book, snapshots in books.items():
        alone = Interpreter(program).timeline(snapshots)
        assert [d for d in found if d.book == book] == alone
    assert any(d.firings for d in found)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_order_of_the_rows_in_a_recording_does_not_matter(name: str) -> None:
    program, snapshots = compiled(PROGRAMS[name]), lived(5)
    shuffled = random.Random(1).sample(snapshots, len(snapshots))  # noqa: S311 -- test data, no secret
    found = decide_all(program, shuffled)
    assert [d.ts for d in found] == [s.ts for s in shuffled]
    assert sorted(found, key=lambda d: d.ts) == decide_all(program, snapshots)


LONG = "9000d"


@pytest.mark.parametrize("name", PROGRAMS)
def test_durations_longer_than_any_history(name: str) -> None:
    program, snapshots = compiled(re.sub(r"\b[13]m\b", LONG, PROGRAMS[name])), lived(7)
    assert decide_all(program, snapshots) == Interpreter(program).timeline(snapshots)


def test_nothing_was_so_throughout_more_than_there_is() -> None:
    rules = FORMS["throughout"].replace("3m", LONG)
    found = decide(rules, drawdowns(6, 6, 6, 1, 6))
    assert [[f.definite for f in d.firings] for d in found] == [[False], [False], [False], [], []]
    assert modes(decide(FORMS["within"].replace("3m", LONG), drawdowns(1, 6, 1, 1, 1))) == [NORMAL, *[SAFE] * 4]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_times_of_decisions_select_what_is_shown_and_change_no_decision(name: str) -> None:
    program, snapshots = compiled(PROGRAMS[name]), lived(9)
    with duckdb.connect() as connection:
        load_snapshots(connection, program, snapshots)
        result = DuckdbEvaluator(program).run(connection)
        whole = decisions(result)
        assert whole == Interpreter(program).timeline(snapshots)
        times = [s.ts for s in snapshots]
        for since, until in ((times[7], None), (None, times[20]), (times[5], times[6]), (times[3] + 1, times[30])):
            kept = [d for d in whole if (since is None or d.ts >= since) and (until is None or d.ts < until)]
            assert decisions(result, since=since, until=until) == kept


# --- plans -----------------------------------------------------------------------------------------------------------

SLOW = {"NESTED_LOOP_JOIN", "BLOCKWISE_NL_JOIN", "CROSS_PRODUCT", "IE_JOIN", "PIECEWISE_MERGE_JOIN", "REC_CTE"}
"""Operators that compare every row with every other, or with every one before, or go round by round."""


def operators(connection: duckdb.DuckDBPyConnection, statement: str) -> list[str]:
    """The operators of a statement's plan."""
    (_, plan), *_ = connection.execute(f"EXPLAIN (FORMAT json) {statement}").fetchall()
    return re.findall(r'"name": "([A-Z_]+)"', plan)


def plans(program: Program, snapshots: Sequence[Snapshot]) -> Iterator[tuple[str, list[str]]]:
    """Every statement that makes a table, and the operators of its plan."""
    with duckdb.connect() as connection:
        # Few rows must be joined as many would be.
        connection.execute("SET asof_loop_join_threshold = 0")
        load_snapshots(connection, program, snapshots)
        for statement in DuckdbEvaluator(program).sql.split(";\n"):
            if statement.strip().startswith("CREATE OR REPLACE TEMP TABLE"):
                yield statement, operators(connection, statement)
            if statement.strip():
                connection.execute(statement)


@pytest.fixture(scope="module")
def default_plans() -> list[tuple[str, list[str]]]:
    """The plans of the rules that come with ringfence."""
    snapshots = [Snapshot("main", START + i * MINUTE, {}) for i in range(3)]
    return list(plans(packaged_bundle().program, snapshots))


def assert_fast(found: Sequence[tuple[str, list[str]]]) -> None:
    assert found
    for statement, names in found:
        assert {"HASH_JOIN", "WINDOW", "PROJECTION", "FILTER", "SEQ_SCAN"} & set(names)
        assert not SLOW & set(names), statement


def test_slow_plans_are_known_by_their_operators() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TEMP TABLE t AS SELECT i, i * 2 AS j FROM range(9) AS r(i)")
        found = [
            operators(connection, f"CREATE TEMP TABLE made AS {query}")
            for query in (
                "SELECT a.i FROM t a JOIN t b ON a.i > b.i",
                "SELECT a.i FROM t a JOIN t b ON a.i > b.i AND a.j < b.j",
                "SELECT a.i FROM t a, t b",
                "SELECT a.i FROM t a JOIN t b ON a.i + b.i = 7",
                "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
            )
        ]
        assert all(SLOW & set(names) for names in found)
        assert not SLOW & set(operators(connection, "CREATE TEMP TABLE made AS SELECT a.i FROM t a JOIN t b USING (i)"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_form_compares_snapshots_with_snapshots(name: str) -> None:
    lives = [s for seed in range(3) for s in lived(seed, f"book {seed}")]
    assert_fast(list(plans(compiled(PROGRAMS[name]), lives)))


def test_the_default_bundle_compares_no_snapshots_with_snapshots(default_plans: list[tuple[str, list[str]]]) -> None:
    assert_fast(default_plans)


def test_the_windows_of_a_statement_share_one_order(default_plans: list[tuple[str, list[str]]]) -> None:
    windowed = [(statement, names) for statement, names in default_plans if "windows_1" in statement]
    assert len(windowed) >= 3
    for statement, names in windowed:
        orders = set(re.findall(r"OVER \((PARTITION BY [^()]*? ORDER BY \"[^\"]*\")", statement))
        assert len(orders) == 1, statement
        steps = set(re.findall(r"^windows_([1-9]\d*) AS", statement, re.MULTILINE))
        assert 1 <= names.count("WINDOW") <= len(steps)
