"""The functions that settle what follows from masks; they run once for each mask that is new."""

from __future__ import annotations

from evaluators.python.closure import context
from evaluators.python.expressions import Expressions, Scene
from evaluators.python.finals import write_final
from evaluators.python.judge import MISSING, Judge
from evaluators.python.literals import comment, literal
from evaluators.python.operands import UNKNOWN
from evaluators.python.plan import Figure, OutputPlan, Plan, RulePlan
from evaluators.python.reaching import operand_of, reached, truth_of
from evaluators.python.scribe import INDENT, Module, RowSlot, Scribe
from evaluators.python.truths import ALWAYS, Clause, any_bit, both, either, is_known
from policy_dsl.program import Permit
from policy_dsl.standing import is_hidden


class _Settling:
    """One function that settles the fund, or the rows of a place, being written."""

    def __init__(self, plan: Plan, module: Module, place: str | None) -> None:
        self.plan, self.place = plan, place
        self.scribe = Scribe(module)
        numbered = {id: (output.number, output.output) for id, output in plan.outputs.items()}
        self.expressions = Expressions(self.scribe, numbered)
        self.slot = RowSlot(place or "", "row", UNKNOWN, 0, own=True)

    def scene(self, rule: RulePlan) -> Scene:
        """The rule's row."""
        return {} if rule.variable is None else {rule.variable: self.slot}

    def outputs(self, outputs: list[OutputPlan]) -> None:
        """The values of settled outputs, in order."""
        own = {} if self.place is None else {self.place: self.slot}
        for plan in outputs:
            self.scribe.write(comment("output", plan.output.id))
            effects = [reached(act, self.expressions, self.scene(act.rule), own) for act in plan.acts]
            write_final(self.scribe, plan.output, f"o{plan.number}", effects)

    def firings(self, present: Clause) -> None:
        """The rules that fire; `present` tells a row from the stand-in for a missing collection."""
        self.scribe.write("fired = []")
        for rule in self.plan.rules:
            if rule.place == self.place and rule.rule.effects and not is_hidden(rule.rule.id):
                self._firing(rule, present)

    def _firing(self, rule: RulePlan, present: Clause) -> None:
        guard = truth_of(rule.guard, self.expressions, self.scene(rule))
        known = [both(self._known(figure, rule) for figure in act.figures) for act in rule.acts]
        fires, sure = guard.possible, both([guard.certain, present, *known])
        if all(isinstance(effect, Permit) for effect in rule.rule.effects):
            # What only permits acts on certainty, and only by what it grants.
            fires, sure = both([guard.certain, present, either(known)]), both(known)
        choice = f"SURE[{rule.rank}]"
        if sure not in (ALWAYS, fires):
            choice += f" if {sure.text} else MAYBE[{rule.rank}]"
        self.scribe.write(comment("rule", rule.rule.id))
        with self.scribe.when(fires):
            self.scribe.write(f"fired.append({choice})")

    def _known(self, figure: Figure, rule: RulePlan) -> Clause:
        """Whether a figure is known."""
        if not figure.settled:
            return ALWAYS if figure.doubt.truth is None else figure.doubt.truth.possible.opposite()
        operand = operand_of(figure, self.expressions, self.scene(rule))
        return is_known(operand.text) if operand.nullable else ALWAYS

    def lines(self, header: str) -> list[str]:
        """The function."""
        return [header, *(INDENT + line for line in self.scribe.frames[0].lines)]


def settle_fund(plan: Plan, module: Module, judge: Judge) -> list[str]:
    """`settle(masks)`: the outputs, settled ones with their values and those of rows empty, and the fund's firings."""
    settling = _Settling(plan, module, None)
    fund = [output for output in plan.outputs.values() if output.output.entity is None and output.settled]
    settling.outputs(fund)
    settling.firings(ALWAYS)
    values = {output.output.id: f"o{output.number}" for output in fund}
    values |= {output.output.id: "NOTHING" for output in plan.outputs.values() if output.output.entity is not None}
    settling.scribe.write("outputs = {")
    settling.scribe.write(*(f"    {literal(id)}: {values.get(id)}," for id in plan.outputs if not is_hidden(id)))
    settling.scribe.write("}", "return settled(outputs, fired)")
    return settling.lines(f"def settle({', '.join(judge.fund.names)}):")


def settle_rows(plan: Plan, module: Module, judge: Judge, place: str) -> list[str]:
    """`settle_n(masks)`: the settled values of a row, its firings, and an empty dictionary for these by key."""
    settling = _Settling(plan, module, place)
    scribe, masks = settling.scribe, judge.rows[place].names
    settling.outputs(list(context(plan, place).outputs))
    own = [output for output in plan.outputs.values() if output.output.entity == place and output.settled]
    present = ALWAYS if place == "request" else any_bit(masks[0], MISSING).opposite()
    if own:
        scribe.write(f"{' = '.join(f'o{output.number}' for output in own)} = None")
        with scribe.when(present, lazy=True):
            settling.outputs(own)
    settling.firings(present)
    values = "".join(f"o{output.number}, " for output in judge.settled_at(place))
    scribe.write(f"return ({values.rstrip()}), fired, {{}}  # by key, once named")
    words = [*masks, *(word for word, _ in judge.contexts[place])]
    return settling.lines(f"def settle_{judge.numbers[place]}({', '.join(words)}):")
