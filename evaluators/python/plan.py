"""The plan of a program: what of it must be computed for each snapshot, and what follows from masks.

An output is *settled* where all that rules ask of it are figures known from masks alone: constants and settled
outputs. It, and each firing, need no computing for a mask that was seen before. An output is *demanded* where its value
is needed at every snapshot all the same: it is not settled, or a fact is compared with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from evaluators.python.guards import Bits, Guard, Item, Splitter, items, settled_reads
from evaluators.python.nodes import guards
from evaluators.python.operands import Operand
from evaluators.python.reads import Reads, ReadsOf
from policy_dsl.nodes import Expression
from policy_dsl.program import Alert, Effect, Forbid, Output, Permit, Program, Rule, Tighten
from policy_dsl.recall import Track


@dataclass(eq=False, slots=True)
class Figure:
    """A value or argument of an effect.

    Of one that is not settled, `operand` holds it once its lines are written, and `doubt` is the bit that is set
    where it is unknown while its rule may act.
    """

    expression: Expression
    reads: Reads
    settled: bool
    operand: Operand | None = None
    doubt: Bits = field(default_factory=Bits)


@dataclass(eq=False, slots=True)
class Act:
    """An effect on an output.

    A *gathering* one comes from each row to a fund-wide output: `seen` is the bit for it acting from some row, or,
    where its figures are not settled, `gathered` the local list of them, one entry for each row from which it acts.
    """

    effect: Tighten | Forbid | Permit
    output: Output
    rule: RulePlan
    where: Guard | None
    figures: tuple[Figure, ...]
    seen: Bits = field(default_factory=Bits)
    gathered: str = ""

    @property
    def gathers(self) -> bool:
        """Whether it comes from rows to the fund."""
        return self.output.entity is None and self.rule.place is not None

    @property
    def settled(self) -> bool:
        """Whether all its figures are."""
        return all(figure.settled for figure in self.figures)

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The guards that must hold for it to act."""
        return (self.rule.guard,) if self.where is None else (self.rule.guard, self.where)


@dataclass(eq=False, slots=True)
class RulePlan:
    """A rule, its place (the entity on whose rows it is judged), and its rank among all rules by id."""

    rule: Rule
    rank: int
    guard: Guard
    acts: list[Act] = field(default_factory=list)

    @property
    def place(self) -> str | None:
        """The entity on whose rows the rule is judged, None for the fund."""
        return None if self.rule.scope is None else self.rule.scope.entity

    @property
    def variable(self) -> str | None:
        """What the rule calls the row at hand."""
        return None if self.rule.scope is None else self.rule.scope.variable

    @property
    def figures(self) -> Iterator[Figure]:
        """The figures of all its effects."""
        return (figure for act in self.acts for figure in act.figures)


@dataclass(eq=False, slots=True)
class OutputPlan:
    """An output, its number in the program, and the acts that reach it by rule id, then as written."""

    output: Output
    number: int
    acts: list[Act] = field(default_factory=list)
    settled: bool = True
    demanded: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All rules by id, all outputs in the order of computation, and the entities whose rows must be looked at.

    `idle` are the outputs of other entities' rows: no rule reaches them and nothing reads them. `tracks` are what is to
    be told of each snapshot for the sake of later ones.
    """

    rules: tuple[RulePlan, ...]
    outputs: dict[str, OutputPlan]
    places: tuple[str, ...]
    idle: tuple[OutputPlan, ...]
    tracks: tuple[Track, ...]


def plan_of(program: Program, tracks: tuple[Track, ...] = ()) -> Plan:
    """The plan of a program."""
    outputs = {output.id: OutputPlan(output, number) for number, output in enumerate(program.outputs)}
    rules = sorted(program.rules, key=lambda rule: rule.id)
    reads = ReadsOf()
    settled = _settled(rules, outputs, reads)
    splitter = Splitter(reads, settled)
    plans = tuple(_rule(rule, rank, splitter, outputs) for rank, rule in enumerate(rules))
    told = [expression for track in tracks for expression in (track.operand, track.also) if expression is not None]
    _demand(plans, outputs, {id for expression in told for id in reads(expression, None).outputs})
    used = {rule.place for rule in plans}
    used |= {plan.output.entity for plan in outputs.values() if plan.acts or plan.demanded}
    idle = tuple(plan for plan in outputs.values() if plan.output.entity is not None and plan.output.entity not in used)
    return Plan(plans, outputs, tuple(sorted(place for place in used if place is not None)), idle, tracks)


def figures_of(effect: Effect) -> tuple[Expression, ...]:
    """The value of a tightening, the arguments of a permit."""
    match effect:
        case Tighten():
            return (effect.value,)
        case Permit():
            return effect.arguments
        case Forbid() | Alert():
            return ()


def _settled(rules: list[Rule], outputs: dict[str, OutputPlan], reads: ReadsOf) -> frozenset[str]:
    """The outputs that follow from masks; an output reads only outputs before it."""
    reaching: dict[str, list[tuple[Rule, Effect]]] = {id: [] for id in outputs}
    for rule in rules:
        for effect in rule.effects:
            if not isinstance(effect, Alert):
                reaching[effect.output].append((rule, effect))
    settled: set[str] = set()
    for id, plan in outputs.items():
        plan.settled = all(
            _is_settled(figure, rule, plan.output, settled, outputs, reads)
            for rule, effect in reaching[id]
            for figure in figures_of(effect)
        )
        if plan.settled:
            settled.add(id)
    return frozenset(settled)


def _is_settled(
    figure: Expression,
    rule: Rule,
    target: Output,
    settled: frozenset[str] | set[str],
    outputs: dict[str, OutputPlan],
    reads: ReadsOf,
) -> bool:
    """Whether a figure follows from masks; one that differs from row to row and goes to the fund does not."""
    found = reads(figure, None if rule.scope is None else rule.scope.variable)
    gathers = rule.scope is not None and target.entity is None
    usable = {id for id in found.near if outputs[id].output.entity is None} if gathers else found.near
    return found.settled(settled) and usable == found.near


def _rule(rule: Rule, rank: int, splitter: Splitter, outputs: dict[str, OutputPlan]) -> RulePlan:
    place, variable = (None, None) if rule.scope is None else (rule.scope.entity, rule.scope.variable)
    made = RulePlan(rule, rank, splitter.all_of(guards(rule), place, variable))
    for effect in rule.effects:
        if isinstance(effect, Alert):
            continue
        target = outputs[effect.output]
        figures = tuple(
            Figure(
                expression,
                splitter.reads(expression, variable),
                _is_settled(expression, rule, target.output, splitter.settled, outputs, splitter.reads),
            )
            for expression in figures_of(effect)
        )
        act = Act(effect, target.output, made, _where(effect, place, variable, target.output, splitter), figures)
        made.acts.append(act)
        target.acts.append(act)
    return made


def _where(
    effect: Tighten | Forbid | Permit, place: str | None, variable: str | None, target: Output, splitter: Splitter
) -> Guard | None:
    """A narrowing is judged on the row of the output where a fund-wide rule reaches one, else where the rule is."""
    if effect.where is None:
        return None
    if place is None and target.entity is not None:
        return splitter.split(effect.where, target.entity, target.entity)
    return splitter.split(effect.where, place, variable)


def _demand(rules: tuple[RulePlan, ...], outputs: dict[str, OutputPlan], told: set[str]) -> None:
    """Mark the outputs whose values are needed at every snapshot, and all that these need in turn."""
    wanted = [*told, *(id for id, plan in outputs.items() if not plan.settled)]
    for rule in rules:
        for guard in (guard for act in rule.acts for guard in act.guards):
            wanted += [id for item in items(guard) for id in item.reads.outputs]
        wanted += [id for item in items(rule.guard) for id in item.reads.outputs]
        for act in rule.acts:
            if act.gathers or not act.settled:
                wanted += needs(act)
    while wanted:
        plan = outputs[wanted.pop()]
        if not plan.demanded:
            plan.demanded = True
            wanted += [id for act in plan.acts for id in needs(act)]


def needs(act: Act) -> set[str]:
    """The outputs whose values it takes to say whether an effect acts, and with which figures."""
    found = {id for guard in act.guards for id in settled_reads(guard)}
    return found.union(*(figure.reads.outputs for figure in act.figures))


def items_of(rule: RulePlan) -> list[Item]:
    """All that a rule asks of each snapshot."""
    wheres = [act.where for act in rule.acts if act.where is not None]
    return [item for guard in (rule.guard, *wheres) for item in items(guard)]
