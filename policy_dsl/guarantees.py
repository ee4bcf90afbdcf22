"""The checks that make the guarantees hold: rules only tighten, and missing data never loosens."""

from __future__ import annotations

from collections.abc import Iterable

from policy_dsl import nodes
from policy_dsl import program as p
from policy_dsl.diagnostics import Findings
from policy_dsl.names import Names
from policy_dsl.operators import Comparator
from policy_dsl.polarity import (
    Move,
    falls_when_missing,
    move,
    moves_when_missing,
    output_read,
    overflowing,
    rises_when_missing,
)
from policy_dsl.types import Levels, Type
from policy_dsl.walking import walk
from policy_dsl.writing import write_expression

_TIGHTER = (Move.STILL, Move.RISES)
_LOOSER = (Move.STILL, Move.FALLS)


def check_rule(rule: p.Rule, names: Names, findings: Findings) -> None:
    """Report what in a rule could loosen an output."""
    binding = [e for e in rule.effects if not isinstance(e, p.Alert)]
    permits = [e for e in binding if isinstance(e, p.Permit)]
    tightening = [e for e in binding if not isinstance(e, p.Permit)]
    guard = move(rule.guard, names.outputs.__getitem__)
    if tightening and guard not in _TIGHTER:
        message = f"`{rule.id}` may fire less as another output tightens"
        hint = _monotone_form(rule, names) or "a tightening rule must fire more as outputs tighten"
        findings.error("RF401", message, rule.span, hint)
    if permits and guard not in _LOOSER:
        message = f"`{rule.id}` may permit more as another output tightens"
        hint = _overflow(rule.guard, names) or "a permit must be granted less as outputs tighten"
        findings.error("RF401", message, rule.span, hint)
    _check_excuse(rule, bool(tightening), bool(permits), names, findings)
    for effect in binding:
        _check_effect(effect, rule, names, findings)
    _check_missing(rule, bool(tightening), bool(permits), findings)


def check_latch(output: p.Output, names: Names, findings: Findings) -> None:
    """Report a latch that could be released because something tightened, or because data is missing."""
    if output.latches_until is None:
        return
    if move(output.latches_until, names.outputs.__getitem__) not in _LOOSER:
        message = f"the latch of `{output.id}` may be released because another output tightens"
        hint = _overflow(output.latches_until, names) or "release it on facts, such as a person's reset"
        findings.error("RF401", message, output.span, hint)
    if rises_when_missing(output.latches_until):
        message = f"the latch of `{output.id}` is released because data is missing"
        findings.error("RF406", message, output.span, "a latch is released where its condition is definitely true")


def check_arguments(rules: Iterable[p.Rule], names: Names, findings: Findings) -> None:
    """Report permits of one item that differ in their arguments, or whose arguments differ from row to row.

    The smallest of several arguments counts, so a permit that is no longer granted (a fact went missing) would set a
    larger one free: several permits of an item must say the same.
    """
    first: dict[tuple[str, str], tuple[str, p.Permit]] = {}
    for rule in rules:
        for effect in rule.effects:
            if not isinstance(effect, p.Permit):
                continue
            other, wanted = first.setdefault((effect.output, effect.item), (rule.id, effect))
            if effect is not wanted and not _same_arguments(effect, wanted):
                message = f"`{rule.id}` permits `{effect.item}` with other arguments than `{other}` does"
                hint = "several permits of an item give the same fixed arguments: a param, say"
                findings.error("RF410", message, rule.span, hint)
            elif rule.scope is not None and names.outputs[effect.output].entity is None and not _fixed(effect):
                message = f"`{rule.id}` permits `{effect.item}` for the whole fund with arguments of a row"
                findings.error("RF410", message, rule.span, "give a fixed argument: a param, say")


def _fixed(permit: p.Permit) -> bool:
    return all(isinstance(a, nodes.Constant) for a in permit.arguments)


def _same_arguments(one: p.Permit, other: p.Permit) -> bool:
    def plain(permit: p.Permit) -> list[tuple[object, Type]]:
        return [(a.value if isinstance(a, nodes.Constant) else None, a.type) for a in permit.arguments]

    return _fixed(one) and _fixed(other) and plain(one) == plain(other)


def _check_excuse(rule: p.Rule, tightening: bool, permits: bool, names: Names, findings: Findings) -> None:
    if rule.excuse is None:
        return
    if permits:
        hint = "put the condition into `unless`: an exception lifts what tightens"
        findings.error("RF406", f"`{rule.id}` permits where its exception is not known to hold", rule.span, hint)
    if tightening and move(rule.excuse, names.outputs.__getitem__) not in _LOOSER:
        message = f"the exception of `{rule.id}` may hold more as another output tightens"
        hint = _overflow(rule.excuse, names) or "an exception must hold less as outputs tighten, or read facts alone"
        findings.error("RF401", message, rule.span, hint)
    if rises_when_missing(rule.excuse):
        hint = "an exception holds where its condition is definitely true"
        findings.error("RF406", f"the exception of `{rule.id}` holds because data is missing", rule.span, hint)


def _check_effect(effect: p.Effect, rule: p.Rule, names: Names, findings: Findings) -> None:
    if isinstance(effect, p.Tighten):
        output = names.outputs[effect.output]
        falls = output.direction is p.Direction.DOWN if effect.how is not p.How.BY else False
        wanted = _LOOSER if falls else _TIGHTER
        if move(effect.value, names.outputs.__getitem__) not in wanted:
            message = f"the value that `{rule.id}` gives `{output.id}` may loosen as another output tightens"
            hint = _overflow(effect.value, names) or "as outputs tighten, the value must tighten or stay"
            findings.error("RF401", message, rule.span, hint)
        if effect.until is not None and move(effect.until, names.outputs.__getitem__) not in _TIGHTER:
            message = f"the time until which `{rule.id}` holds may come sooner as another output tightens"
            hint = _overflow(effect.until, names) or "as outputs tighten, the time must come later or stay"
            findings.error("RF401", message, rule.span, hint)
    elif isinstance(effect, p.Permit):
        for argument in effect.arguments:
            if move(argument, names.outputs.__getitem__) not in _LOOSER:
                message = f"an argument of `{rule.id}` may grow as another output tightens"
                hint = _overflow(argument, names) or "as outputs tighten, the argument must shrink or stay"
                findings.error("RF401", message, rule.span, hint)
    if any(moves_when_missing(value) for value in _values(effect)):
        hint = "a value that is missing counts as the strictest; one that counts what is known does not"
        findings.error("RF406", f"a value of `{rule.id}` changes because data is missing", rule.span, hint)


def _values(effect: p.Effect) -> tuple[nodes.Expression, ...]:
    if isinstance(effect, p.Tighten):
        return (effect.value,) if effect.until is None else (effect.value, effect.until)
    return effect.arguments if isinstance(effect, p.Permit) else ()


def _check_missing(rule: p.Rule, tightening: bool, permits: bool, findings: Findings) -> None:
    if permits and rises_when_missing(rule.guard):
        hint = "missing data must never permit: ask for a known fact instead"
        findings.error("RF406", f"`{rule.id}` permits because data is missing", rule.span, hint)
    if tightening and falls_when_missing(rule.guard):
        findings.note("RF501", f"`{rule.id}` does not fire on missing data", rule.span, "it asks for `is known`")


def _overflow(node: nodes.Expression, names: Names) -> str | None:
    """What to do about a number in `node` that is made of outputs and may overflow; None if there is none."""
    over = overflowing(node, names.outputs.__getitem__)
    if over is None:
        return None
    return f"`{write_expression(over)}` may overflow, and is unknown then: narrow the range of the output"


def _monotone_form(rule: p.Rule, names: Names) -> str | None:
    """The nearest condition that only fires more: `risk_mode <= NORMAL` for `risk_mode is NORMAL`, now or before."""
    if (hint := _overflow(rule.guard, names)) is not None:
        return hint
    for node in walk(rule.guard):
        if not isinstance(node, nodes.Compare) or node.comparator is not Comparator.EQUAL:
            continue
        for side, value in ((node.left, node.right), (node.right, node.left)):
            read = output_read(side)
            if read is not None and isinstance(value, nodes.Constant) and isinstance(read.type, Levels):
                output = names.outputs[read.output]
                sign = "<=" if output.direction is p.Direction.DOWN else ">="
                name = write_expression(side).replace(read.output, read.output.removeprefix(f"{rule.policy}."))
                return f"did you mean `{name} {sign} {read.type.members[int(value.value)]}`?"
    return None
