"""Why a decision is what it is: the rules that bind, what they saw, and how far each comparison was from turning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from evaluators.binding import Case, bindings_of
from evaluators.decision import Decision, Firing
from evaluators.expressions import evaluate
from evaluators.identity_key import One
from evaluators.scene import Bindings, Outputs
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
    bindings, plan = bindings_of(rule, firing.key, snapshot), _plan(One(rule))
    return Reason(
        rule=rule.id,
        key=firing.key,
        definite=firing.definite,
        because=because(rule, snapshot, bindings, decision.outputs),
        binds=bound,
        alerts=alerts_of(rule),
        seen=tuple(_seen(plan, snapshot, bindings, decision.outputs)),
        margins=tuple(_margins(plan, snapshot, bindings, decision.outputs)),
        span=rule.span,
    )


def alerts_of(rule: Rule) -> tuple[AlertLevel, ...]:
    """The levels of the alerts that a rule raises when it fires."""
    return tuple(effect.level for effect in rule.effects if isinstance(effect, Alert))


def because(rule: Rule, snapshot: Snapshot, bindings: Bindings, outputs: Outputs) -> str:
    """The reason of a rule with its braces filled in; what is missing reads `unknown`.

    Numbers are rounded to what a sentence needs, unless two different ones would then read the same ("5% is over 5%").
    """
    holes = {
        part: evaluate(part.expression, snapshot, bindings, outputs) for part in rule.because if isinstance(part, Hole)
    }
    brief = {hole: write_briefly(value, hole.expression.type) for hole, value in holes.items()}
    exact_texts = {hole: write_value(value, hole.expression.type) for hole, value in holes.items()}
    ambiguous = len(set(brief.values())) < len(set(exact_texts.values()))
    texts = exact_texts if ambiguous else brief
    return "".join(texts[part] if isinstance(part, Hole) else part for part in rule.because)


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


def _seen(plan: _Plan, snapshot: Snapshot, bindings: Bindings, outputs: Outputs) -> Iterator[Seen]:
    shown: set[str] = set()
    for part in plan.reads:
        if part.text not in shown and part.is_bound(bindings):
            shown.add(part.text)
            yield Seen(part.text, write_value(evaluate(part.node, snapshot, bindings, outputs), part.node.type))


def _margins(plan: _Plan, snapshot: Snapshot, bindings: Bindings, outputs: Outputs) -> Iterator[Margin]:
    for part in plan.compares:
        node = part.node
        if not part.is_bound(bindings):
            continue
        if isinstance(node, Compare):
            left = evaluate(node.left, snapshot, bindings, outputs)
            right = evaluate(node.right, snapshot, bindings, outputs)
            truth = cast("bool | None", evaluate(node, snapshot, bindings, outputs))
            kind = node.left.type
            distance = None
            if isinstance(kind, Quantity) and left is not None and right is not None:
                distance = int(left) - int(right)
            yield Margin(
                part.text,
                truth,
                write_value(left, kind),
                write_value(right, node.right.type),
                distance,
                write_value(distance, kind) if isinstance(kind, Quantity) else "",
            )
        elif isinstance(node, OneOf):
            value = evaluate(node.operand, snapshot, bindings, outputs)
            truth = cast("bool | None", evaluate(node, snapshot, bindings, outputs))
            among = ", ".join(write_value(v, node.operand.type) for v in node.values)
            yield Margin(part.text, truth, write_value(value, node.operand.type), among, None, "")
        else:
            truth = cast("bool | None", evaluate(node, snapshot, bindings, outputs))
            yield Margin(part.text, truth, "", "", None, "")
