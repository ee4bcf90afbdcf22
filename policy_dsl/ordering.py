"""The order in which outputs can be computed: each after the ones its rules read. A cycle is an error that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from policy_dsl.diagnostics import Findings, Span
from policy_dsl.nodes import Expression, OutputRead
from policy_dsl.program import Alert, Effect, Output, Permit, Rule, Tighten
from policy_dsl.walking import walk


def reads(node: Expression | None) -> set[str]:
    """The ids of the outputs that an expression reads."""
    return set() if node is None else {n.output for n in walk(node) if isinstance(n, OutputRead)}


def effect_reads(effect: Effect) -> set[str]:
    """The outputs that the value, arguments or row filter of an effect read."""
    if isinstance(effect, Alert):
        return set()
    found = reads(effect.where)
    if isinstance(effect, Tighten):
        found |= reads(effect.value) | reads(effect.until)
    elif isinstance(effect, Permit):
        for argument in effect.arguments:
            found |= reads(argument)
    return found


def dependencies(outputs: Iterable[Output], rules: Iterable[Rule]) -> dict[str, dict[str, Rule | None]]:
    """For each output the outputs it needs first, each with a rule that makes it so."""
    needs: dict[str, dict[str, Rule | None]] = {o.id: {} for o in outputs}
    for output in outputs:
        for read in sorted(reads(output.latches_until)):
            needs[output.id].setdefault(read, None)
    for rule in rules:
        of_rule = reads(rule.guard) | reads(rule.excuse)
        for effect in rule.effects:
            if not isinstance(effect, Alert):
                for read in sorted(of_rule | effect_reads(effect)):
                    needs[effect.output].setdefault(read, rule)
    return needs


def ordered(outputs: Mapping[str, Output], rules: Iterable[Rule], findings: Findings) -> tuple[Output, ...] | None:
    """The outputs in an order that can be computed, the same for every order of files; None after a finding."""
    listed = [outputs[i] for i in sorted(outputs)]
    needs = dependencies(listed, rules)
    sorter: TopologicalSorter[str] = TopologicalSorter({i: sorted(needs[i]) for i in sorted(needs)})
    try:
        sorter.prepare()
    except CycleError as error:
        _report(error.args[1], needs, outputs, findings)
        return None
    order: list[Output] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += [outputs[i] for i in ready]
        sorter.done(*ready)
    return tuple(order)


def _report(
    cycle: list[str],
    needs: Mapping[str, Mapping[str, Rule | None]],
    outputs: Mapping[str, Output],
    findings: Findings,
) -> None:
    # CycleError lists each node before the one that needs it.
    steps = list(zip(cycle[1:], cycle, strict=False))
    if cycle[0] == cycle[1]:
        steps = steps[:1]
    rules = [needs[later][earlier] for later, earlier in steps if earlier in needs.get(later, {})]
    named = [r for r in rules if r is not None]
    span: Span | None = named[0].span if named else outputs[cycle[0]].span
    shown = " -> ".join(cycle)
    hint = "a latch waits for facts, such as a person's reset"
    if named:
        hint = f"cut one of: {', '.join(sorted({r.id for r in named}))}"
    if cycle[0] == cycle[1] and named:
        hint += "; what an output was is kept by `relaxes after`, `latches until` or `tighten ... for`"
    findings.error("RF402", f"outputs depend on each other: {shown}", span, hint)
