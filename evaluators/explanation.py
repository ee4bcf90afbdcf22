"""Why a decision is what it is: the rules that bind, what they saw, and how far each comparison was from turning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from evaluators.binding import Case, bindings_of
from evaluators.decision import Decision, Firing
from evaluators.expressions import compared, truth_at, value_at
from evaluators.identity_key import One
from evaluators.scene import Bindings, Scene
from evaluators.snapshot import Snapshot
from policy_dsl.diagnostics import Source, Span
from policy_dsl.nodes import Compare, Expression, FactRead, Lookback, OneOf, OutputRead, RowRead
from policy_dsl.program import Alert, AlertLevel, Hole, Permit, Program, Rule, Tighten
from policy_dsl.recall import variables_read
from policy_dsl.types import ItemSet, Quantity, Truth
from policy_dsl.walking import walk
from policy_dsl.writing import write_briefly, write_expression, write_value


@dataclass(frozen=True, slots=True)
class Seen:
    """A fact or output that a rule read, and its value as text (`unknown` if missing)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Margin:
    """One comparison of a guard, how it came out, and how far the left side was from turning it.

    `distance` is `left - right` in quanta of `left`'s unit (None if unknown or not a number); `text` is that distance
    as a person reads it. A condition over time has no sides: both are empty.
    """

    comparison: str
    truth: bool | None
    left: str
    right: str
    distance: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that binds an output or raises an alert, with everything it went by."""

    rule: str
    key: str
    definite: bool
    because: str
    binds: tuple[str, ...]
    alerts: tuple[AlertLevel, ...]
    seen: tuple[Seen, ...]
    margins: tuple[Margin, ...]
    span: Span | None

    def place(self, sources: Mapping[str, Source]) -> str | None:
        """File and line of the rule: `rules/ess.rules:14`."""
        if self.span is None or self.span.path not in sources:
            return None
        return f"{self.span.path}:{sources[self.span.path].place(self.span.start).line}"


def reasons(program: Program, snapshot: Snapshot, decision: Decision) -> tuple[Reason, ...]:
    """The reasons of a decision, by rule and row: enforced rules that fired and bind something, or alert."""
    case = Case(program, snapshot, decision)
    return tuple(_reason(rule, firing, bound, snapshot, decision) for rule, firing, bound in case.tells())


def observed(program: Program, snapshot: Snapshot, decision: Decision) -> tuple[Reason, ...]:
    """The reasons of what the observing rules would have done, judged by the outputs as they would be."""
    whole = Decision(decision.book, decision.ts, {**decision.outputs, **decision.would_be}, decision.observed)
    case = Case(program, snapshot, whole)
    fired = ((case.index.rules[firing.rule], firing) for firing in decision.observed)
    return tuple(_reason(rule, firing, case.bound(rule, firing), snapshot, whole) for rule, firing in fired)


def _reason(rule: Rule, firing: Firing, bound: tuple[str, ...], snapshot: Snapshot, decision: Decision) -> Reason:
    scene, plan = Scene(snapshot, bindings_of(rule, firing.key, snapshot), decision.outputs), _plan(One(rule))
    return Reason(
        rule=rule.id,
        key=firing.key,
        definite=firing.definite,
        because=because(rule, scene),
        binds=bound,
        alerts=alerts_of(rule),
        seen=tuple(_seen(plan, scene)),
        margins=tuple(_margins(plan, scene)),
        span=rule.span,
    )


def alerts_of(rule: Rule) -> tuple[AlertLevel, ...]:
    """The levels of the alerts that a rule raises when it fires."""
    return tuple(effect.level for effect in rule.effects if isinstance(effect, Alert))


def because(rule: Rule, scene: Scene) -> str:
    """The reason of a rule with its braces filled in; what is missing reads `unknown`.

    Numbers are rounded to what a sentence needs, unless two different ones would then read the same ("5% is over 5%").
    """
    holes = [part.expression for part in rule.because if isinstance(part, Hole)]
    values = [(value_at(hole, scene), hole.type) for hole in holes]
    brief = [write_briefly(value, kind) for value, kind in values]
    exact = [write_value(value, kind) for value, kind in values]
    texts = iter(exact if len(set(brief)) < len(set(exact)) else brief)
    return "".join(next(texts) if isinstance(part, Hole) else part for part in rule.because)


# --- what was seen ---------------------------------------------------------------------------------------------------


def _read(rule: Rule) -> Iterator[Expression]:
    for part in [rule.guard, *([] if rule.excuse is None else [rule.excuse])]:
        yield from walk(part)
    for effect in rule.effects:
        if isinstance(effect, Tighten):
            yield from walk(effect.value)
        elif isinstance(effect, Permit):
            for argument in effect.arguments:
                yield from walk(argument)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a rule as it is written, with the row variables that it reads."""

    node: Expression
    text: str
    variables: frozenset[str]

    def is_bound(self, bindings: Bindings) -> bool:
        """Whether every row variable the part reads is the rule's own, not one that an aggregate runs over."""
        return self.variables <= bindings.keys()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a rule reads and what it compares: the same at every firing."""

    reads: tuple[_Part, ...]
    compares: tuple[_Part, ...]


@lru_cache(maxsize=4096)
def _plan(one: One[Rule]) -> _Plan:
    reads = (
        n
        for n in _read(one.value)
        if isinstance(n, FactRead | RowRead | OutputRead) and not isinstance(n.type, ItemSet)
    )
    compares = (
        n for n in walk(one.value.guard)
        if isinstance(n, Compare | OneOf) or (isinstance(n, Lookback) and isinstance(n.type, Truth))
    )  # fmt: skip
    return _Plan(tuple(map(_part, reads)), tuple(map(_part, compares)))


def _part(node: Expression) -> _Part:
    return _Part(node, write_expression(node), frozenset(variables_read(node)))


def _seen(plan: _Plan, scene: Scene) -> Iterator[Seen]:
    shown: set[str] = set()
    for part in plan.reads:
        if part.text not in shown and part.is_bound(scene.bindings):
            shown.add(part.text)
            yield Seen(part.text, write_value(value_at(part.node, scene), part.node.type))


def _margins(plan: _Plan, scene: Scene) -> Iterator[Margin]:
    for part in plan.compares:
        node = part.node
        if not part.is_bound(scene.bindings):
            continue
        if isinstance(node, Compare):
            left, right, kind = value_at(node.left, scene), value_at(node.right, scene), node.left.type
            distance = None
            if isinstance(kind, Quantity) and left is not None and right is not None:
                distance = int(left) - int(right)
            yield Margin(
                part.text,
                compared(node.comparator, left, right),
                write_value(left, kind),
                write_value(right, node.right.type),
                distance,
                write_value(distance, kind) if isinstance(kind, Quantity) else "",
            )
        elif isinstance(node, OneOf):
            value = value_at(node.operand, scene)
            among = ", ".join(write_value(v, node.operand.type) for v in node.values)
            yield Margin(part.text, truth_at(node, scene), write_value(value, node.operand.type), among, None, "")
        else:
            yield Margin(part.text, truth_at(node, scene), "", "", None, "")
