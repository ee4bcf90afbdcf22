"""The smallest change of facts that would decide otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

from evaluators.binding import bindings_of
from evaluators.decision import Decision, OutputValue, PerRow
from evaluators.expressions import evaluate
from evaluators.scene import Outputs
from evaluators.snapshot import Snapshot
from policy_dsl.catalogue import Catalogue, Fact
from policy_dsl.nodes import Compare, Expression, FactRead, IsTrue, OneOf, RowRead
from policy_dsl.ordering import effect_reads, reads
from policy_dsl.program import Alert, Program, Rule, Scope
from policy_dsl.recall import variables_read
from policy_dsl.types import Flag, Levels, Quantity, Value
from policy_dsl.walking import walk
from policy_dsl.writing import write_value

Decide = Callable[[Snapshot], Decision]

_DEPTH = 6
_BEAM = 8
_BUDGET = 3000


@dataclass(frozen=True, slots=True)
class Move:
    """One fact changed; the key is None for an entity with one row.

    `size` is how far it moves, relative to the larger of the two figures; a fact that was missing moves by 1.
    """

    entity: str
    key: str | None
    field: str
    old: Value | None
    new: Value
    size: float

    def text(self, catalogue: Catalogue) -> str:
        """`account.drawdown from 6.1% to 5%`."""
        fact = catalogue.entities[self.entity].facts[self.field]
        name = f'{self.entity}["{self.key}"].{self.field}' if self.key is not None else fact.path
        return f"{name} from {write_value(self.old, fact.type)} to {write_value(self.new, fact.type)}"


@dataclass(frozen=True, slots=True)
class Change:
    """Facts that, changed together, give `output` (on `key`) another value."""

    output: str
    key: str | None
    moves: tuple[Move, ...]
    before: OutputValue
    after: OutputValue


@dataclass(frozen=True, slots=True)
class _State:
    """A state that moves lead to, and what is decided of it."""

    moves: tuple[Move, ...]
    snapshot: Snapshot
    decision: Decision


def would_change(
    program: Program,
    catalogue: Catalogue,
    snapshot: Snapshot,
    decide: Decide,
    output: str,
    key: str | None = None,
) -> Change | None:
    """The smallest change found of facts that gives the output another value: fewest facts, then the smallest moves.

    Looks at the figures that the rules compare with, a step across each; facts of one row or of the row `key`. None
    if nothing within six facts changes it. KeyError for an output or row that is not there.
    """
    search = _Search(program.enforced(), catalogue, decide, output, key)
    first = decide(snapshot)
    before = search.value(first)
    frontier = [_State((), snapshot, first)]
    tried: set[frozenset[tuple[str, str | None, str, Value]]] = set()
    budget = _BUDGET
    for _depth in range(_DEPTH):
        reached: list[_State] = []
        found: list[Change] = []
        for state in frontier:
            for move in search.candidates(state):
                after_moves = (*state.moves, move)
                mark = frozenset((m.entity, m.key, m.field, m.new) for m in after_moves)
                if mark in tried or budget == 0:
                    continue
                tried.add(mark)
                budget -= 1
                changed = _applied(state.snapshot, move)
                reached.append(_State(after_moves, changed, decide(changed)))
                after = search.value(reached[-1].decision)
                if after != before:
                    found.append(Change(output, key, after_moves, before, after))
        if found:
            return min(
                found, key=lambda c: (sum(m.size for m in c.moves), [(m.entity, m.key or "", m.field) for m in c.moves])
            )
        frontier = sorted(reached, key=search.progress)[:_BEAM]
    return None


def _applied(snapshot: Snapshot, move: Move) -> Snapshot:
    """The snapshot with one fact changed."""
    if move.key is None:
        return replace(snapshot, facts={**snapshot.facts, f"{move.entity}.{move.field}": move.new})
    rows = dict(snapshot.rows.get(move.entity) or {})
    rows[move.key] = {**rows[move.key], move.field: move.new}
    return replace(snapshot, rows={**snapshot.rows, move.entity: rows})


@dataclass(frozen=True)
class _Search:
    program: Program
    catalogue: Catalogue
    decide: Decide
    output: str
    key: str | None

    def value(self, decision: Decision) -> OutputValue:
        """The value of the output that is asked about."""
        value = decision.outputs[self.output]
        return cast(OutputValue, value) if self.key is None else cast(PerRow, value)[self.key]

    @cached_property
    def rules(self) -> list[Rule]:
        """The rules that can touch the output, directly or through the outputs that they read."""
        wanted, found = {self.output}, {}
        grown = True
        while grown:
            grown = False
            for rule in self.program.rules:
                touched = {e.output for e in rule.effects if not isinstance(e, Alert)}
                if rule.id not in found and touched & wanted:
                    found[rule.id] = rule
                    needed = reads(rule.guard).union(*(effect_reads(e) for e in rule.effects))
                    grown = True
                    wanted |= needed
        return [found[i] for i in sorted(found)] + [r for id in sorted(wanted) for r in self._releases(id)]

    def _releases(self, id: str) -> Iterator[Rule]:
        """The release of an output's latch, as a rule that does nothing: what would let the output go."""
        output = self.program.output(id)
        if output.latches_until is not None:
            scope = None if output.entity is None else Scope(output.entity, output.entity)
            yield Rule(output.id, output.policy, scope, output.latches_until, (), ())

    def candidates(self, state: _State) -> Iterator[Move]:
        """The changes worth trying next: one fact of one rule moved across a figure it is compared with."""
        snapshot, outputs = state.snapshot, state.decision.outputs
        taken = {(m.entity, m.key, m.field) for m in state.moves}
        seen: set[tuple[str, str | None, str, Value]] = set()
        for rule in self.rules:
            for key in self._keys(rule, snapshot):
                for node in walk(rule.guard):
                    for move in self._moves(node, rule, key, snapshot, outputs):
                        mark = (move.entity, move.key, move.field, move.new)
                        if mark[:3] not in taken and mark not in seen:
                            seen.add(mark)
                            yield move

    def _keys(self, rule: Rule, state: Snapshot) -> list[str]:
        if rule.scope is None:
            return [""]
        rows = state.collection(rule.scope.entity) or {}
        own = self.program.output(self.output).entity == rule.scope.entity and self.key is not None
        return [k for k in sorted(rows) if not own or k == self.key]

    def _moves(self, node: Expression, rule: Rule, key: str, state: Snapshot, outputs: Outputs) -> Iterator[Move]:
        pairs: list[tuple[Expression, Expression | None]] = []
        if isinstance(node, Compare):
            pairs = [(node.left, node.right), (node.right, node.left)]
        elif isinstance(node, OneOf | IsTrue):
            pairs = [(node.operand, None)]
        for read, other in pairs:
            target = self._target(read, rule, key, state)
            if target is not None:
                known = other is not None and not _local(other, rule)
                figure = evaluate(other, state, bindings_of(rule, key, state), outputs) if known and other else None
                yield from self._across(target, figure, state)

    def _target(self, node: Expression, rule: Rule, key: str, state: Snapshot) -> tuple[Fact, str | None] | None:
        """The fact that a read stands for, if it is one that the snapshot holds."""
        if isinstance(node, FactRead):
            return self.catalogue.entities[node.entity].facts[node.field], None
        if not isinstance(node, RowRead):
            return None
        fact = self.catalogue.entities[node.row.entity].facts[node.field]
        rows = state.collection(node.row.entity) or {}
        if node.row.variable is not None:
            own = rule.scope is not None and node.row.variable == rule.scope.variable
            return (fact, key) if own and key in rows else None
        if node.row.key is None or _local(node.row.key, rule):
            return None
        found = evaluate(node.row.key, state, bindings_of(rule, key, state), {})
        return (fact, found) if isinstance(found, str) and found in rows else None

    def _across(self, target: tuple[Fact, str | None], figure: Value | None, state: Snapshot) -> Iterator[Move]:
        fact, key = target
        old = _current(state, fact, key)
        for new in _values(fact, figure):
            if new != old and fact.in_range(new):
                yield Move(fact.entity, key, fact.name, old, new, _size(fact, old, new))

    def progress(self, state: _State) -> tuple[int, float]:
        """How near a state is: fewer of the rules concerned fire, with smaller moves."""
        firing = sum(f.rule in self._concerned for f in state.decision.firings)
        return firing, sum(m.size for m in state.moves)

    @cached_property
    def _concerned(self) -> frozenset[str]:
        return frozenset(rule.id for rule in self.rules)


def _local(node: Expression, rule: Rule) -> bool:
    """Whether an expression reads a row that only an aggregate binds."""
    own = set() if rule.scope is None else {rule.scope.variable}
    return not variables_read(node).keys() <= own


def _current(state: Snapshot, fact: Fact, key: str | None) -> Value | None:
    if key is None:
        return state.facts.get(fact.path)
    return (state.collection(fact.entity) or {}).get(key, {}).get(fact.name)


def _values(fact: Fact, figure: Value | None) -> list[Value]:
    """The values worth trying: the figure itself and one quantum to each side, every level, both flags, calm."""
    calm: list[Value] = [] if fact.calm is None else [fact.calm]
    if isinstance(fact.type, Levels):
        return list(range(len(fact.type.members)))
    if isinstance(fact.type, Flag):
        return [False, True]
    if isinstance(fact.type, Quantity) and isinstance(figure, int):
        return [figure, figure - 1, figure + 1, *calm]
    return calm if figure is None else [figure, *calm]


def _size(fact: Fact, old: Value | None, new: Value) -> float:
    """How far a move goes: relative to the larger of the two figures; a missing fact counts as a whole one."""
    if old is None:
        return 1.0
    if isinstance(fact.type, Levels):
        return abs(int(old) - int(new)) / len(fact.type.members)
    if not isinstance(fact.type, Quantity):
        return 0.5
    largest = max(abs(int(old)), abs(int(new)), 1)
    return abs(int(old) - int(new)) / largest
