"""What lasts: expressions that only events, and the key of the row at hand, tell apart.

They stay as they are until an event comes or leaves that concerns them, so generated code works them out once and looks
them up from then on (see `evaluators.event_window.Findings`).
"""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.event_window import Dependence
from evaluators.python.guards import Guard, Item, items, settled_reads
from evaluators.python.nodes import Condition, Unexcused, below
from evaluators.python.plan import Figure, OutputPlan
from evaluators.python.schedule import Step
from policy_dsl.events import matched_key, reads_only, reads_something
from policy_dsl.nodes import Aggregate, Lookback, RowKey
from policy_dsl.standing import is_hidden


def lasts(node: Condition, variable: str | None) -> frozenset[Dependence] | None:
    """Which events an expression depends on, whose row at hand is that of `variable`; None if not on events alone."""
    match node:
        case Unexcused():
            return None
        case Lookback():
            return lasts(node.value, variable)
        case Aggregate():
            return fold_lasts(node, variable)
        case RowKey():
            return frozenset() if node.variable == variable else None
        case _ if reads_something(node):
            return None
    found = [lasts(part, variable) for part in below(node)]
    return None if None in found else frozenset().union(*(part for part in found if part is not None))


def fold_lasts(node: Aggregate, variable: str | None) -> frozenset[Dependence] | None:
    """The same for a fold."""
    field, keyed = matched_key(node.where, node.variable) or (None, None)
    if not is_hidden(node.entity) or (keyed is not None and keyed != variable):
        return None
    reads = (reads_only(part, node.variable, keyed) for part in (node.where, node.value))
    return frozenset(((node.entity, field),)) if all(reads) else None


def lasting_steps(steps: Iterable[Step]) -> dict[Step, frozenset[Dependence]]:
    """The steps on a row that last, in order, each with what it depends on itself; `steps` are in an order that works.

    A figure or an output lasts where all does that says whether its rules act, and with which figures.
    """
    found: dict[Step, frozenset[Dependence]] = {}
    items_: set[Item] = set()
    figures: set[Figure] = set()
    outputs: set[str] = set()

    def stands(guard: Guard) -> bool:
        return items_.issuperset(items(guard)) and settled_reads(guard) <= outputs

    def given(figure: Figure) -> bool:
        reads = figure.reads
        return figure in figures or (figure.settled and not reads.snapshot and not reads.far and reads.near <= outputs)

    for step in steps:
        match step.subject:
            case Item() as item:
                depends = lasts(item.expression, item.variable)
                if depends is not None:
                    items_.add(item)
                    found[step] = depends
            case Figure() as figure if step.rule is not None:
                depends = lasts(figure.expression, step.rule.variable)
                if depends is not None and stands(step.rule.guard):
                    figures.add(figure)
                    found[step] = depends
            case OutputPlan() as plan:
                acts = [act for act in plan.acts if act.gathers or not all(map(stands, act.guards))]
                if plan.acts and not acts and all(given(figure) for act in plan.acts for figure in act.figures):
                    outputs.add(plan.output.id)
                    found[step] = frozenset()
    return found if any(found.values()) else {}


def written(dependences: Iterable[Dependence]) -> tuple[Dependence, ...]:
    """Dependences in one order."""
    return tuple(sorted(dependences, key=lambda pair: (pair[0], pair[1] or "")))
