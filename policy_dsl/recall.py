"""Expressions that look back, as what earlier snapshots leave to the one at hand joined with the snapshot itself.

`highest(x over 24h)` is the higher of what was highest before and of `x` now. So a program over time becomes a program
over one snapshot and what is recalled: one value a *track*, of which whoever follows a book keeps account. Folds over
events become folds over rows: the events in the window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from policy_dsl.events import counted_if
from policy_dsl.nodes import (
    NODES,
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Compare,
    EventFold,
    Expression,
    Lookback,
    Mean,
    Not,
    Now,
    OutputRead,
    Pick,
    Previous,
    Recall,
    Row,
    RowKey,
    RowRead,
    Since,
    Strictest,
    Throughout,
    Until,
    Window,
    Within,
)
from policy_dsl.operators import Comparator, Extreme, Fold, Operator, WindowFold
from policy_dsl.program import Alert, Effect, Hole, Output, Permit, Program, Rule, Tighten
from policy_dsl.standing import HIDDEN, certainly, joined, spelt_out
from policy_dsl.types import TIME, TRUTH, Reference, Type
from policy_dsl.walking import children, walk

Temporal = Throughout | Within | Window | Previous | Strictest | Since | Until
"""The nodes that have a track."""

Variables = tuple[tuple[str, str], ...]
"""Row variables by name, each with its entity."""


@dataclass(frozen=True, slots=True)
class Track:
    """What is kept of each snapshot, of each row bound to `variables`: the value of `operand`, and of `also`.

    `also` is the condition of release of `Since`, the end of `Until`. `output` is the output that is read, for a track
    of what outputs keep.
    """

    number: int
    source: Temporal
    operand: Expression
    variables: Variables
    also: Expression | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class EventTrack:
    """Which events are kept, as rows of `entity` of the snapshots in whose windows they are.

    `time` is the field that says when an event happened, None where it is when it came.
    """

    entity: str
    event: str
    duration: int
    time: str | None


@dataclass(frozen=True, slots=True)
class Recalled:
    """A program over one snapshot and its recall.

    `program` decides. `told` has the outputs, rules and effects of the author, to explain what was decided. Without
    tracks, both are the program that it was.
    """

    program: Program
    told: Program
    tracks: tuple[Track, ...]
    events: tuple[EventTrack, ...]

    @property
    def looks_back(self) -> bool:
        """Whether anything depends on more than the snapshot."""
        return bool(self.tracks or self.events)


def recalled(program: Program, *, after: Recalled | None = None) -> Recalled:
    """The program over one snapshot and its recall. All rules bind, those that only observe too.

    `after` is the same program without the rules that only observe: tracks that these rules cannot change are taken
    from it, the others are numbered after its own.
    """
    spelt = spelt_out(program)
    work = _Recalling({o.id: o for o in spelt.outputs}, after, _changed(spelt))
    told = replace(program, rules=tuple(work.rule(rule) for rule in program.rules))
    rules = tuple(work.rule(rule) for rule in spelt.rules)
    if spelt is program and all(map(_is, rules, program.rules)):
        return Recalled(program, program, (), ())
    return Recalled(replace(spelt, rules=rules), told, tuple(work.tracks), tuple(work.events))


def variables_read(node: Expression | None) -> dict[str, str]:
    """The variables that `node` reads and does not bind itself, each with its entity."""
    if node is None:
        return {}
    if isinstance(node, Lookback):
        return variables_read(node.source)
    found: dict[str, str] = {}
    for part in children(node):
        found |= variables_read(part)
    match node:
        case RowKey(type=Reference(entity=entity)):
            found[node.variable] = entity
        case RowRead(row=Row(entity=entity, variable=str() as variable)):
            found[variable] = entity
        case OutputRead(row=Row(entity=entity, variable=str() as variable)):
            found[variable] = entity
        case Aggregate() | EventFold():
            found.pop(node.variable, None)
    return found


@dataclass(slots=True)
class _Recalling:
    """The tracks found so far; equal expressions share one."""

    outputs: dict[str, Output]
    after: Recalled | None
    changed: frozenset[str]
    """The outputs that rules which only observe may change."""
    tracks: list[Track] = field(default_factory=list)
    events: list[EventTrack] = field(default_factory=list)
    seen: dict[Expression, Expression] = field(default_factory=dict)

    # --- rules -------------------------------------------------------------------------------------------------------

    def rule(self, rule: Rule) -> Rule:
        """The rule with recalls in place of what looks back; itself if nothing does."""
        guard = self.expression(rule.guard)
        excuse = None if rule.excuse is None else self.expression(rule.excuse)
        effects = tuple(made for effect in rule.effects for made in self._effects(effect))
        because = tuple(self._part(part) for part in rule.because)
        same = guard is rule.guard and excuse is rule.excuse
        same = same and all(a is b for a, b in zip(effects, rule.effects, strict=False))
        if same and len(effects) == len(rule.effects) and all(map(_is, because, rule.because)):
            return rule
        return replace(rule, guard=guard, excuse=excuse, effects=effects, because=because)

    def _part(self, part: str | Hole) -> str | Hole:
        if isinstance(part, str):
            return part
        made = self.expression(part.expression)
        return part if made is part.expression else replace(part, expression=made)

    def _effects(self, effect: Effect) -> Iterator[Effect]:
        if isinstance(effect, Tighten) and isinstance(effect.value, Strictest | Since | Until):
            yield from self._kept(effect, effect.value)
            return
        changed: dict[str, Any] = {}
        for name in ("value", "where", "until"):
            value = getattr(effect, name, None)
            if value is not None and (made := self.expression(value)) is not value:
                changed[name] = made
        if isinstance(effect, Permit):
            arguments = tuple(self.expression(a) for a in effect.arguments)
            if not all(map(_is, arguments, effect.arguments)):
                changed["arguments"] = arguments
        yield replace(effect, **changed) if changed else effect

    def _kept(self, effect: Tighten, node: Strictest | Since | Until) -> Iterator[Effect]:
        """A bound that an output keeps: what it is now, and what was."""
        output = self.outputs[node.operand.output]
        if isinstance(node, Since):
            release = self.expression(node.release)
            recall = self._track(node, node.operand, release, output)
            yield replace(effect, value=recall, where=joined(effect.where, Not(certainly(release))))
            return
        lies_ahead = None
        if isinstance(node, Until):
            lies_ahead = Compare(Comparator.GREATER, node.end, Now())
            recall = self._track(node, node.operand, node.end, output)
        else:
            recall = self._track(node, node.operand, None, output)
        yield replace(effect, value=node.operand, where=joined(effect.where, lies_ahead))
        yield replace(effect, value=recall)

    # --- expressions -------------------------------------------------------------------------------------------------

    def expression(self, node: Expression) -> Expression:
        """The expression with recalls in place of what looks back; itself if nothing does."""
        made = self._rebuilt(node)
        if not isinstance(node, Throughout | Within | Window | Previous | EventFold):
            return made
        if node not in self.seen:
            value = self._events(node, made) if isinstance(made, EventFold) else self._lookback(node, made)
            self.seen[node] = Lookback(node, value, node.type)
        return self.seen[node]

    def _rebuilt(self, node: Expression) -> Expression:
        """The node over rebuilt parts; itself if none changed."""
        changed: dict[str, Any] = {}
        for part in fields(node):
            value = getattr(node, part.name)
            made = self._rebuilt_part(value)
            if made is not value:
                changed[part.name] = made
        return replace(node, **changed) if changed else node

    def _rebuilt_part(self, value: Any) -> Any:
        if type(value) in NODES:
            return self.expression(value)
        if isinstance(value, Row) and value.key is not None:
            key = self.expression(value.key)
            return value if key is value.key else replace(value, key=key)
        if isinstance(value, tuple) and value and type(value[0]) in NODES:
            parts = tuple(self.expression(v) for v in value)
            return value if all(map(_is, parts, value)) else parts
        return value

    def _lookback(self, source: Expression, node: Expression) -> Expression:
        """What is recalled of `source` joined with now; `node` is `source` over rebuilt parts."""
        assert isinstance(source, Throughout | Within | Window | Previous)
        assert isinstance(node, Throughout | Within | Window | Previous)
        recall = self._track(source, node.operand)
        match node:
            case Throughout():
                return All((recall, node.operand))
            case Within():
                return AnyOf((recall, node.operand))
            case Previous():
                return recall
            case Window(fold=WindowFold.CHANGE):
                return Arithmetic(Operator.SUBTRACT, node.operand, recall, node.type)
            case Window(fold=WindowFold.AVERAGE):
                return Mean(recall, node.operand, node.type)
            case Window():
                extreme = Extreme.HIGHEST if node.fold is WindowFold.HIGHEST else Extreme.LOWEST
                return Pick(extreme, (recall, node.operand), node.type)

    def _track(
        self, source: Temporal, operand: Expression, also: Expression | None = None, output: Output | None = None
    ) -> Recall:
        variables = tuple(sorted(variables_read(source).items()))
        shared = () if self.after is None else self.after.tracks
        track = Track(len(shared) + len(self.tracks), source, operand, variables, also, output)
        if not any(self.changed & outputs_read(part) for part in (operand, also) if part is not None):
            track = next((t for t in shared if replace(t, number=track.number) == track), track)
        if track.number >= len(shared):
            self.tracks.append(track)
        return Recall(track.number, tuple(name for name, _ in variables), _recall_type(source), output is not None)

    def _events(self, source: Expression, node: EventFold) -> Expression:
        fold = Fold.HIGHEST if node.fold is Fold.LATEST else node.fold
        return Aggregate(fold, self._window(node), node.variable, counted_if(node), node.value, source.type)

    def _window(self, node: EventFold) -> str:
        """The entity of the events that a fold looks at; folds that look as far back share it."""
        shared = () if self.after is None else self.after.events
        for track in (*shared, *self.events):
            if (track.event, track.duration, track.time) == (node.event, node.duration, node.time):
                return track.entity
        entity = f"{HIDDEN}{node.event}.{len(shared) + len(self.events)}"
        self.events.append(EventTrack(entity, node.event, node.duration, node.time))
        return entity


def outputs_read(node: Expression) -> frozenset[str]:
    """The outputs that an expression reads."""
    return frozenset(part.output for part in walk(node) if isinstance(part, OutputRead))


def _changed(program: Program) -> frozenset[str]:
    """The outputs whose values may depend on rules that only observe."""
    reads = {rule.id: frozenset().union(*map(outputs_read, _expressions(rule))) for rule in program.rules}
    reaches = {rule.id: {e.output for e in rule.effects if not isinstance(e, Alert)} for rule in program.rules}
    changed: set[str] = set()
    grown = {id for rule in program.rules if rule.observing for id in reaches[rule.id]}
    while grown:
        changed |= grown
        grown = {id for rule, read in reads.items() if read & changed for id in reaches[rule]} - changed
    return frozenset(changed)


def _expressions(rule: Rule) -> Iterator[Expression]:
    """All expressions that say whether a rule acts, and what it asks for."""
    yield rule.guard
    if rule.excuse is not None:
        yield rule.excuse
    for effect in rule.effects:
        if isinstance(effect, Permit):
            yield from effect.arguments
        for name in ("value", "where", "until"):
            part = getattr(effect, name, None)
            if part is not None:
                yield part


def _is(a: object, b: object) -> bool:
    return a is b


def _recall_type(source: Temporal) -> Type:
    if isinstance(source, Throughout | Within):
        return TRUTH
    return TIME if isinstance(source, Window) and source.operand.type == TIME else source.type
