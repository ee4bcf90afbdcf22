"""What of the fund the settled values of an entity's rows depend on, directly or by way of settled outputs."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.python.guards import Bits, items, settled_reads
from evaluators.python.plan import OutputPlan, Plan, needs


@dataclass(frozen=True, slots=True)
class Context:
    """For the rows of an entity: settled fund-wide outputs to compute first, in order, and all bits to know."""

    outputs: tuple[OutputPlan, ...]
    bits: tuple[Bits, ...]


def context(plan: Plan, place: str) -> Context:
    """The context of the rows of `place`."""
    rules = [rule for rule in plan.rules if rule.place == place]
    own = [output for output in plan.outputs.values() if output.settled and output.output.entity == place]
    acts = [act for output in own for act in output.acts]
    wanted = [id for act in acts for id in needs(act)]
    for rule in rules:
        wanted += settled_reads(rule.guard)
        wanted += [id for figure in rule.figures if figure.settled for id in figure.reads.near]
    found: dict[str, OutputPlan] = {}
    while wanted:
        output = plan.outputs[wanted.pop()]
        if output.output.id not in found and output.output.entity is None:
            found[output.output.id] = output
            wanted += [id for act in output.acts for id in needs(act)]
    through = [act for output in found.values() for act in output.acts]
    bits = [act.seen for act in through if act.gathers]
    guards = [guard for act in [*acts, *through] if not act.gathers for guard in act.guards]
    guards += [rule.guard for rule in rules]
    bits += [item.bits for guard in guards for item in items(guard) if item.place is None]
    return Context(tuple(sorted(found.values(), key=lambda o: o.number)), tuple(dict.fromkeys(bits)))
