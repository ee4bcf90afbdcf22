"""Runs the tests of rule files, in every evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from evaluators.back_ends import BACK_ENDS
from evaluators.decision import Decision
from evaluators.expressions import evaluate
from evaluators.snapshot import Fields, Snapshot
from policy_dsl.bundle import Bundle
from policy_dsl.cases import Assignment, Case, Expectation, Moment
from policy_dsl.catalogue import Catalogue, Entity, Rows
from policy_dsl.diagnostics import Span
from policy_dsl.program import Expression, OutputRead, Program, RowRead, walk
from policy_dsl.quantities import MS_PER_DAY
from policy_dsl.types import ItemSet, Reference, Value
from policy_dsl.writing import write_expression, write_value

START = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""When every test starts (ms), unless it gives `clock.now`."""

BOOK = "test"

Judge = Callable[[Program], Callable[[list[Snapshot]], list[Decision]]]
"""Prepares an evaluator for a program; the result decides snapshots in their order."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not hold. `found` lists what it reads, with the values there were."""

    evaluator: str
    variant: int
    at: int
    span: Span
    found: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one test; it passed if there are no failures."""

    case: Case
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation held in every evaluator."""
        return not self.failures


def judges(names: Sequence[str] = ("interpreter", "python", "duckdb")) -> dict[str, Judge]:
    """The evaluators by name. KeyError for a name that is none."""
    return {name: BACK_ENDS[name] for name in names}


def promoted(program: Program) -> Program:
    """The program with its observing rules binding: a test says what a rule means, bound or not."""
    return replace(program, rules=tuple(replace(r, observing=False) for r in program.rules))


def run_cases(
    bundle: Bundle, catalogue: Catalogue, evaluators: Mapping[str, Judge] | None = None, match: str | None = None
) -> Iterator[CaseResult]:
    """Run the tests of a bundle, those whose `policy: name` holds `match` if it is given, in the files' order."""
    program = promoted(bundle.written)
    cases = [c for c in bundle.cases if match is None or match in f"{c.policy}: {c.name}"]
    scenes = {id(c): list(_scenes(c, catalogue)) for c in cases}
    everything = [s for c in cases for s in scenes[id(c)]]
    decided = {
        name: iter(judge(program)([s.snapshot for s in everything])) for name, judge in (evaluators or judges()).items()
    }
    for case in cases:
        failures: list[Failure] = []
        for scene in scenes[id(case)]:
            for name, decisions in decided.items():
                failures += _failures(name, scene, next(decisions))
        yield CaseResult(case, tuple(failures))


@dataclass(frozen=True, slots=True)
class _Scene:
    """One snapshot of a test and what is expected of it."""

    variant: int
    at: int
    snapshot: Snapshot
    expected: tuple[Expectation, ...]


def calm_snapshot(catalogue: Catalogue) -> Snapshot:
    """Every fact calm, every collection known and empty, at the time when tests start."""
    return _snapshot([], 0, catalogue)


def states(case: Case, catalogue: Catalogue) -> list[Snapshot]:
    """The snapshots at which a test expects something."""
    return [scene.snapshot for scene in _scenes(case, catalogue)]


def _scenes(case: Case, catalogue: Catalogue) -> Iterator[_Scene]:
    for variant, moments in enumerate(case.variants):
        given: list[Assignment] = []
        for moment in moments:
            given += moment.given
            if moment.expected:
                snapshot = _snapshot([*given, *_series(case, moment)], moment.at, catalogue)
                yield _Scene(variant, moment.at, snapshot, moment.expected)


def _series(case: Case, moment: Moment) -> Iterator[Assignment]:
    for timeline in case.timelines:
        index = min(moment.at // case.cadence, len(timeline.values) - 1)
        yield replace(timeline.target, value=timeline.values[index])


def _snapshot(given: Iterable[Assignment], at: int, catalogue: Catalogue) -> Snapshot:
    """Calm facts, with what is given on top; referenced rows that nobody gives are calm too."""
    assigned = list(given)
    now = next((a.value for a in reversed(assigned) if (a.entity, a.field) == ("clock", "now")), None)
    ts = START + at if now is None else int(now)
    facts: dict[str, Value | None] = {
        f.path: f.calm for e in catalogue.of_kind(Rows.ONE) for f in e.facts.values()
    } | _clock(ts, catalogue)
    rows: dict[str, dict[str, dict[str, Value | None]]] = {e.name: {} for e in catalogue.of_kind(Rows.KEYED)}
    missing: set[str] = set()
    for a in assigned:
        if a.key is None and a.field is None:
            missing.add(a.entity)
        elif a.key is None:
            facts[f"{a.entity}.{a.field}"] = a.value
        elif a.field is not None:
            row = rows[a.entity].setdefault(a.key, _calm(catalogue.entities[a.entity]))
            row[a.field] = a.value
    _add_referenced(rows, catalogue)
    known: dict[str, Mapping[str, Fields] | None] = {n: None if n in missing else r for n, r in rows.items()}
    return Snapshot(BOOK, ts, facts, known)


def _calm(entity: Entity) -> dict[str, Value | None]:
    return {f.name: f.calm for f in entity.facts.values()}


def _clock(ts: int, catalogue: Catalogue) -> dict[str, Value | None]:
    moment = datetime.fromtimestamp(ts // 1000, UTC)
    found = {"clock.now": ts, "clock.hour": ts % MS_PER_DAY // 3_600_000, "clock.weekday": moment.weekday()}
    return {path: value for path, value in found.items() if catalogue.fact(path) is not None}


def _add_referenced(rows: dict[str, dict[str, dict[str, Value | None]]], catalogue: Catalogue) -> None:
    for name in list(rows):
        for fact in catalogue.entities[name].facts.values():
            if isinstance(fact.type, Reference):
                target = fact.type.entity
                for row in list(rows[name].values()):
                    key = row[fact.name]
                    if isinstance(key, str):
                        rows[target].setdefault(key, _calm(catalogue.entities[target]))


def _failures(evaluator: str, scene: _Scene, decision: Decision) -> Iterator[Failure]:
    for expectation in scene.expected:
        truth = evaluate(expectation.condition, scene.snapshot, {}, decision.outputs)
        if truth is not True:
            found = tuple(_found(expectation.condition, scene.snapshot, decision))
            yield Failure(evaluator, scene.variant, scene.at, expectation.span, found)


def _found(condition: Expression, snapshot: Snapshot, decision: Decision) -> Iterator[tuple[str, str]]:
    """What the condition reads, and the value each had."""
    for node in walk(condition):
        if isinstance(node, OutputRead) and isinstance(node.type, ItemSet):
            value = decision.outputs[node.output]
            yield write_expression(node), ", ".join(_items(value, node, snapshot)) or "nothing"
        elif isinstance(node, OutputRead | RowRead):
            yield write_expression(node), write_value(evaluate(node, snapshot, {}, decision.outputs), node.type)


def _items(value: object, node: OutputRead, snapshot: Snapshot) -> list[str]:
    if node.row is not None and node.row.key is not None and isinstance(value, Mapping):
        value = value.get(evaluate(node.row.key, snapshot, {}, {}), ())
    return [item for item, _ in value] if isinstance(value, tuple) else []
