"""What a dry run asks of a result, against a count by hand over the same decisions."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import duckdb
import pytest

from evaluators.decision import Decision, OutputValue
from evaluators.duckdb import (
    DuckdbEvaluator,
    Result,
    changed,
    compare,
    counts,
    decisions,
    denials,
    distribution,
    episodes,
    load_snapshots,
    timeline,
    transitions,
    unknown_rates,
)
from policy_dsl.nodes import Constant
from policy_dsl.program import Tighten
from policy_dsl.types import RATIO
from tests.evaluators.duckdb_desk import day, program

STATES = [*day(120), *day(40, seed=5, book="other")]


@pytest.fixture(scope="module")
def result() -> Iterator[Result]:
    with duckdb.connect() as connection:
        load_snapshots(connection, program(), STATES)
        yield DuckdbEvaluator(program()).run(connection)


@pytest.fixture(scope="module")
def decided(result: Result) -> list[Decision]:
    return decisions(result)


Course = dict[tuple[str, str], list[tuple[int, OutputValue]]]


def course(decided: list[Decision], output: str) -> Course:
    """The values of an output by book and key, in order of time."""
    found: Course = {}
    for decision in decided:
        value = decision.outputs[output]
        for key, own in value.items() if isinstance(value, dict) else [("", cast(OutputValue, value))]:
            found.setdefault((decision.book, key), []).append((decision.ts, own))
    return dict(sorted(found.items()))


OUTPUTS = ("desk.mode", "desk.max_loss", "desk.actions", "desk.cap", "verdict")


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_timeline_has_every_change(result: Result, decided: list[Decision], output: str) -> None:
    expected = []
    for (book, key), values in course(decided, output).items():
        before = None
        for ts, value in values:
            if value != before:
                expected.append((book, key, ts, value))
            before = value
    assert [(c.book, c.key, c.ts, c.value) for c in timeline(result, output)] == expected


@pytest.mark.parametrize("output", OUTPUTS)
def test_transitions_and_distribution_count_every_row(result: Result, decided: list[Decision], output: str) -> None:
    values = [[value for _, value in found] for found in course(decided, output).values()]
    steps = Counter(pair for found in values for pair in itertools.pairwise(found))
    assert {(t.before, t.after): t.count for t in transitions(result, output)} == steps
    assert dict(distribution(result, output)) == Counter(value for found in values for value in found)


def test_counts_of_firings(result: Result, decided: list[Decision]) -> None:
    fired = Counter(f.rule for d in decided for f in d.firings)
    certain = Counter(f.rule for d in decided for f in d.firings if f.definite)
    found = counts(result)
    assert [c.rule for c in found] == [r.id for r in program().enforced().rules]
    assert {c.rule: (c.fired, c.definite) for c in found} == {c.rule: (fired[c.rule], certain[c.rule]) for c in found}
    assert any(c.because_missing for c in found)


def test_counts_of_what_would_fire(result: Result, decided: list[Decision]) -> None:
    assert result.whole is not None
    [late] = [c for c in counts(result, result.whole) if c.rule == "desk.late"]
    assert late.fired == sum(f.rule == "desk.late" for d in decided for f in d.observed) > 0


def test_episodes_cover_the_firings(result: Result, decided: list[Decision]) -> None:
    found = episodes(result)
    assert sum(e.snapshots for e in found) == sum(len(d.firings) for d in decided)
    times = {(f.rule, d.book, f.key, d.ts) for d in decided for f in d.firings}
    rows = {(d.book, d.ts) for d in decided}
    for e in found:
        inside = [(book, ts) for book, ts in rows if book == e.book and e.start <= ts <= e.end]
        assert {(e.rule, e.book, e.key, e.start), (e.rule, e.book, e.key, e.end)} <= times
        assert len(inside) == e.snapshots
        assert all((e.rule, e.book, e.key, ts) in times for _, ts in inside)
    # None begins right where another of the same rule, book and key ends.
    ends = {(e.rule, e.book, e.key, e.end + 60_000) for e in found}
    assert not any((e.rule, e.book, e.key, e.start) in ends for e in found)


def test_denials(result: Result, decided: list[Decision]) -> None:
    [duplicate] = denials(result)
    fired = [f for d in decided for f in d.firings if f.rule == "desk.duplicate"]
    assert (duplicate.rule, duplicate.fired, duplicate.alone) == ("desk.duplicate", len(fired), len(fired))
    assert duplicate.definite == sum(f.definite for f in fired)


def test_two_runs_compared(result: Result, decided: list[Decision]) -> None:
    rules = list(program().rules)
    place = next(i for i, rule in enumerate(rules) if rule.id == "desk.volatile")
    mode, loss = rules[place].effects
    assert isinstance(loss, Tighten)
    rules[place] = replace(rules[place], effects=(mode, replace(loss, value=Constant(20_000_000, RATIO))))
    other = DuckdbEvaluator(replace(program(), rules=tuple(rules)), name="candidate").run(result.connection)
    found = {d.output: (d.changed, d.compared) for d in compare(result, result.enforced, other.enforced)}
    pairs = list(zip(decided, decisions(other), strict=True))
    differ = [(a, b) for a, b in pairs if a.outputs["desk.max_loss"] != b.outputs["desk.max_loss"]]
    assert found.pop("desk.max_loss") == (len(differ), len(pairs))
    assert differ
    assert all(changed == 0 and compared > 0 for changed, compared in found.values())
    rows = changed(result, result.enforced, other.enforced, "desk.max_loss", limit=5)
    assert rows == tuple(
        (a.book, a.ts, "", a.outputs["desk.max_loss"], b.outputs["desk.max_loss"]) for a, b in differ[:5]
    )


def test_rates_of_missing_facts(result: Result) -> None:
    found = {m.fact: m for m in unknown_rates(result.connection, program())}
    drawdown = sum(s.facts["account.drawdown"] is None for s in STATES)
    assert (found["account.drawdown"].missing, found["account.drawdown"].rows) == (drawdown, len(STATES))
    assert found["known.position"].missing == sum(s.rows["position"] is None for s in STATES)
    sides = [f["side"] for s in STATES for f in (s.rows["position"] or {}).values()]
    assert found["position.side"].rate == sides.count(None) / len(sides)
    assert "known.request" not in found
