"""Random typed programs: every output type and direction, every effect, strata of outputs, observing rules, excuses.

They are what the checker lets through: types and units agree, reads of outputs have legal polarity, exits are exempt,
an output that something unknown may reach has a strict end, no output of a request keeps anything. Asked for it, they
look back: expressions over time, outputs that relax and latch, bounds that are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from evaluators.exact import FACTOR_ONE, limits
from evaluators.support import expressions_of
from policy_dsl.nodes import TRUE, Aggregate, All, Constant, Expression, FactRead, OneOf, Pick, Row, RowRead, Window
from policy_dsl.operators import Extreme, WindowFold
from policy_dsl.program import (
    Alert,
    AlertLevel,
    Direction,
    Effect,
    Forbid,
    Hole,
    How,
    Output,
    Param,
    Permit,
    Program,
    Rule,
    Scope,
    Tighten,
)
from policy_dsl.quantities import Unit
from policy_dsl.types import FLAG, RATIO, Flag, ItemSet, Levels, Quantity, Value
from policy_dsl.walking import walk
from tests.catalogue_for_tests import EFFECT
from tests.strategies.choices import chance, choose
from tests.strategies.expressions import Writer
from tests.strategies.lookbacks import TimeWriter
from tests.strategies.vocabulary import AROUND, ENTITIES, EXITS, FIGURES, MINUTE

VERDICT = Output("verdict", "fund", "request", Levels("verdict", ("DENY", "ALLOW")), 1, Direction.DOWN)
POLICIES = ("alpha", "beta")
"""Outputs and params are all declared by the first."""

MODES = ("SAFE", "DEFENSIVE", "CAUTIOUS", "NORMAL")
ITEMS = ("HOLD", "ADD", "EXIT")
"""Items of a set output; the place in this list is the number of arguments of a grant."""

OUTPUT_UNITS = (Unit.RATIO, Unit.MONEY, Unit.R, Unit.LEVERAGE, Unit.COUNT, Unit.DURATION, Unit.RATE, Unit.NUMBER)
NEVER_NEGATIVE = (Unit.COUNT, Unit.DURATION, Unit.RATE)
EXCUSE_UNTIL = AROUND
"""The end of every generated exception: snapshots lie before, at and after it."""


@st.composite
def programs(
    draw: st.DrawFn,
    *,
    observing: bool = True,
    asks_known: bool = True,
    permits: bool = True,
    free_arguments: bool = False,
    temporal: bool = False,
) -> Program:
    """A checked program; the flags leave out a form where a law does not cover it.

    `free_arguments` lets several permits of an item differ in their arguments, which evaluators can do though the
    checker refuses it. `temporal` lets it look back; without, it decides each snapshot by itself.
    """
    params = tuple(draw(param(f"alpha.limit{i}")) for i in range(choose(draw, range(3))))
    outputs = [draw(output(f"alpha.out{i}")) for i in range(choose(draw, range(1, 5)))]
    outputs.insert(choose(draw, range(len(outputs) + 1)), VERDICT)
    writer = (TimeWriter if temporal else Writer)(draw, {}, (), params, asks_known)
    if isinstance(writer, TimeWriter):
        outputs = [keeping(o, replace(writer, readable=tuple(outputs[:i]))) for i, o in enumerate(outputs)]
    author = Author(writer, tuple(outputs), observing, permits, free_arguments)
    rules = tuple(author.rule(f"{POLICIES[i % 2]}.rule{i}") for i in range(choose(draw, range(1, 7))))
    return Program("generated", params, tuple(outputs), tuple(sorted(rules, key=lambda r: r.id)))


def keeping(output: Output, author: TimeWriter) -> Output:
    """The output, which may relax and latch unless it belongs to a request: that is asked once."""
    if output.entity == "request" or isinstance(output.type, ItemSet):
        return output
    variables = {} if output.entity is None else {output.entity: output.entity}
    # The entity's name means the row at hand, so that no other can be named by key.
    writer = replace(author, variables=variables, running=frozenset(variables), asks_known=False)
    relaxes = writer.duration() if writer.chance(3) else None
    latches = None
    if writer.chance(3):
        latches = writer.rarely() if writer.chance(2) else writer.condition(-1, writer.pick(range(3)))
    return replace(output, relaxes_after=relaxes, latches_until=latches)


@st.composite
def tightening_rules(draw: st.DrawFn, program: Program, *, temporal: bool = False) -> Rule:
    """A rule that permits nothing, to be added to `program`; with `temporal` it may look back."""
    writer = (TimeWriter if temporal else Writer)(draw, {}, (), program.params, asks_known=False)
    author = Author(writer, program.outputs, observing=False, permits=False)
    return author.rule(choose(draw, ("alpha.added", "beta.added")))


@st.composite
def param(draw: st.DrawFn, id: str) -> Param:
    """A named figure."""
    unit = choose(draw, OUTPUT_UNITS)
    value = choose(draw, FIGURES[unit])
    return Param(id, Quantity(unit), value, value, None, None)


@st.composite
def output(draw: st.DrawFn, id: str) -> Output:
    """An output of any type, fund-wide or per row."""
    entity = choose(draw, (None, None, *ENTITIES))
    kind = choose(draw, ("levels", "number", "flag", "set"))
    if kind == "set":
        return Output(id, "alpha", entity, ItemSet(id, ITEMS[: choose(draw, range(1, len(ITEMS) + 1))]), None, None)
    direction = choose(draw, tuple(Direction))
    if kind == "flag":
        return Output(id, "alpha", entity, FLAG, direction is Direction.DOWN, direction)
    if kind == "levels":
        members = MODES[: choose(draw, range(2, len(MODES) + 1))]
        loosest = len(members) - 1 if direction is Direction.DOWN else 0
        strict = 0 if direction is Direction.DOWN else len(members) - 1
        starts = loosest if not chance(draw, 4) else choose(draw, [r for r in range(len(members)) if r != strict])
        return Output(id, "alpha", entity, Levels(f"grades{len(members)}", members), starts, direction)
    return draw(number_output(id, entity, direction))


@st.composite
def number_output(draw: st.DrawFn, id: str, entity: str | None, direction: Direction) -> Output:
    """A numeric output, its range closed or open; the start lies inside."""
    unit = choose(draw, OUTPUT_UNITS)
    figures = FIGURES[unit]
    first = choose(draw, range(len(figures) - 1))
    low: int | None = figures[first]
    high: int | None = choose(draw, figures[first + 1 :])
    if unit not in NEVER_NEGATIVE and chance(draw, 3):
        low = -figures[-1]
    starts = high if direction is Direction.DOWN else low
    if chance(draw, 4):
        low, high = None, None
    return Output(id, "alpha", entity, Quantity(unit), starts, direction, low, high)


class Author:
    """Writes rules over a fixed list of outputs."""

    def __init__(
        self, writer: Writer, outputs: tuple[Output, ...], observing: bool, permits: bool, free_arguments: bool = False
    ) -> None:
        self.writer, self.outputs, self.observing, self.permits = writer, outputs, observing, permits
        self.free_arguments = free_arguments

    def rule(self, id: str) -> Rule:
        """A rule with that id."""
        scope = self.scope()
        variables = {} if scope is None else {scope.variable: scope.entity}
        writer = replace(self.writer, variables=variables)
        effects = self.effects(replace(writer, asks_known=False), scope)
        guard = self.guard(writer, effects)
        if scope is not None and scope.entity == "request" and not scope.including_exits:
            guard = All((no_exit(scope.variable), guard))
        permitting = any(isinstance(effect, Permit) for effect in effects)
        excuse = replace(writer, asks_known=False).condition(0, 1) if writer.chance(5) and not permitting else None
        return Rule(
            id,
            id.partition(".")[0],
            scope,
            guard,
            effects,
            self.because(),
            observing=self.observing and writer.chance(5),
            excuse=excuse,
            excuse_until=None if excuse is None else EXCUSE_UNTIL,
            ticket=None if excuse is None else "RISK-1",
        )

    def scope(self) -> Scope | None:
        """Fund-wide, or each row of an entity under its own name or another."""
        entity = self.writer.pick((None, *ENTITIES))
        if entity is None:
            return None
        variable = entity if not self.writer.chance(3) else "it"
        return Scope(entity, variable, entity == "request" and self.writer.chance(3))

    def because(self) -> tuple[str | Hole, ...]:
        """A reason, with and without a hole."""
        if not self.writer.chance(3):
            return ()
        drawdown = FactRead("account", "drawdown", RATIO)
        if isinstance(self.writer, TimeWriter) and self.writer.chance(3):
            change = Window(WindowFold.CHANGE, drawdown, 5 * MINUTE, RATIO)
            return ("drawdown ", Hole(change, "change(account.drawdown over 5m)"))
        return ("drawdown ", Hole(drawdown, "account.drawdown"))

    def guard(self, writer: Writer, effects: tuple[Effect, ...]) -> Expression:
        """A condition that reads only outputs before all that the rule acts on, with the polarity of its verbs."""
        verbs = {-1 if isinstance(effect, Permit) else 1 for effect in effects if not isinstance(effect, Alert)}
        if writer.chance(3 if verbs == {-1} else 8):
            return TRUE
        if isinstance(writer, TimeWriter) and writer.chance(4):
            return writer.alarm(next(iter(writer.variables.values()), None))
        sense = 0 if len(verbs) > 1 else next(iter(verbs), 1)
        first = min((self.place(e.output) for e in effects if not isinstance(e, Alert)), default=len(self.outputs))
        # The checker lets no permit rest on what is unknown.
        asks = writer.asks_known and -1 not in verbs
        return replace(writer, readable=self.outputs[:first], asks_known=asks).condition(sense, writer.pick(range(4)))

    def place(self, output: str) -> int:
        """Where in the order of computation the output stands."""
        return next(i for i, o in enumerate(self.outputs) if o.id == output)

    # --- effects -----------------------------------------------------------------------------------------------------

    def effects(self, writer: Writer, scope: Scope | None) -> tuple[Effect, ...]:
        """One to three effects, on outputs that the scope reaches."""
        reachable = [o for o in self.outputs if scope is None or o.entity in (None, scope.entity)]
        count = writer.pick((1, 1, 1, 2, 3))
        return tuple(self.effect(writer, scope, reachable) for _ in range(count))

    def effect(self, writer: Writer, scope: Scope | None, reachable: list[Output]) -> Effect:
        """One effect."""
        if not reachable or writer.chance(10):
            return Alert(writer.pick(tuple(AlertLevel)))
        target = writer.pick(reachable)
        crosses = scope is None and target.entity == "request"
        where = no_exit("request") if crosses else None
        if isinstance(target.type, ItemSet):
            return self.item_effect(writer, target, target.type, where)
        if isinstance(target.type, Quantity):
            effect = self.number_effect(writer, target, where)
        else:
            effect = Tighten(target.id, How.TO, self.bound(writer, target), where)
        asked_once = scope is not None and scope.entity == target.entity == "request"
        return effect if asked_once or effect.how is not How.TO else held(effect, writer)

    def bound(self, writer: Writer, target: Output) -> Expression:
        """A level or flag to tighten to: as written, a flag fact, or an earlier output of the same kind."""
        if isinstance(target.type, Flag) and writer.chance(3):
            return writer.read(FLAG) or self.stricter_value(writer, target)
        same = [o for o in self.earlier(target) if o.type == target.type and o.direction is target.direction]
        if same and writer.chance(3):
            return writer.output_read(writer.pick(same))
        return self.stricter_value(writer, target)

    def stricter_value(self, writer: Writer, target: Output) -> Constant:
        """A value inside the target's range that tightens it, or a param that may do neither."""
        start = target.starts
        if start is None:
            raise AssertionError(f"{target.id} is a set")
        if isinstance(target.type, Quantity):
            params = [Constant(p.value, p.type, p.id) for p in writer.params if p.type == target.type]
            if params and writer.chance(3):
                return writer.pick(params)
            low, high = limits(target)
            values: Sequence[Value] = [v for v in FIGURES[target.type.unit] if low <= v <= high]
        else:
            values = range(len(target.type.members)) if isinstance(target.type, Levels) else (False, True)
        tighter = [v for v in values if v != start and target.stricter(v, start) == v]
        return Constant(writer.pick(tighter), target.type)

    def earlier(self, target: Output) -> tuple[Output, ...]:
        """The outputs computed before the target."""
        return self.outputs[: self.place(target.id)]

    def item_effect(self, writer: Writer, target: Output, kind: ItemSet, where: Expression | None) -> Effect:
        """A permit or a forbid."""
        item = writer.pick(kind.items)
        if not self.permits or writer.chance(3):
            return Forbid(target.id, item, where)
        count = ITEMS.index(item)
        if self.free_arguments:
            arguments = tuple(writer.number(Unit.RATIO, 1) for _ in range(count))
        else:
            arguments = tuple(Constant(250_000_000 * (i + 1), Quantity(Unit.RATIO)) for i in range(count))
        return Permit(target.id, item, arguments, where)

    def number_effect(self, writer: Writer, target: Output, where: Expression | None) -> Tighten:
        """A bound, shift or factor; a plain figure where the range is open at its strict end."""
        how = writer.pick((How.TO, How.BY, How.SCALE))
        if how is How.SCALE and (target.low is None or target.low < 0):
            how = How.TO
        if target.strictest is None or not writer.chance(2):
            return Tighten(target.id, how, self.figure(writer, target, how), where)
        same = [o for o in self.earlier(target) if o.type == target.type and o.direction is target.direction]
        if how is How.TO and same and writer.chance(3):
            return Tighten(target.id, how, writer.output_read(writer.pick(same)), where)
        unit = target.type.unit if isinstance(target.type, Quantity) and how is not How.SCALE else Unit.RATIO
        return Tighten(target.id, how, computed(writer, unit), where)

    def figure(self, writer: Writer, target: Output, how: How) -> Constant:
        """A plain figure that tightens: a bound, a shift above nothing, a factor on the right side of one."""
        if how is How.TO:
            return self.stricter_value(writer, target)
        if how is How.BY and isinstance(target.type, Quantity):
            return Constant(writer.pick([f for f in FIGURES[target.type.unit] if f > 0]), target.type)
        down = target.direction is Direction.DOWN
        return Constant(
            writer.pick([f for f in FIGURES[Unit.RATIO] if (f < FACTOR_ONE) is down and f != FACTOR_ONE]), RATIO
        )


def held(effect: Tighten, writer: Writer) -> Tighten:
    """The bound, which an author who looks back may hold for a while or until a time."""
    if not isinstance(writer, TimeWriter):
        return effect
    match writer.pick(("as it fires", "as it fires", "for", "until")):
        case "for":
            return replace(effect, hold=writer.duration())
        case "until":
            return replace(effect, until=writer.moment(2))
    return effect


def computed(writer: Writer, unit: Unit) -> Expression:
    """A number that is no literal."""
    made = writer.number(unit, writer.pick(range(3)))
    reads = any(isinstance(node, FactRead | RowRead | Aggregate) for node in walk(made))
    return made if reads else Pick(Extreme.LOWEST, (made, made), made.type)


def no_exit(variable: str) -> Expression:
    """`request.effect not in {REDUCE, CLOSE}`: the exemption of requests that reduce or close risk."""
    return OneOf(RowRead(Row("request", variable), "effect", EFFECT), EXITS, negated=True)


def literals(program: Program) -> tuple[Constant, ...]:
    """Every figure, level and text that a program writes down."""
    nodes = nodes_of(program)
    plain = [n for n in nodes if isinstance(n, Constant)]
    listed = [Constant(v, n.operand.type) for n in nodes if isinstance(n, OneOf) for v in n.values]
    return tuple(dict.fromkeys(plain + listed))


def paths_read(program: Program) -> frozenset[str]:
    """The facts that a program reads, by path."""
    nodes = nodes_of(program)
    singles = {f"{n.entity}.{n.field}" for n in nodes if isinstance(n, FactRead)}
    return frozenset(singles | {f"{n.row.entity}.{n.field}" for n in nodes if isinstance(n, RowRead)})


def nodes_of(program: Program) -> list[Expression]:
    """Every node of every expression of a program."""
    latches = [o.latches_until for o in program.outputs if o.latches_until is not None]
    roots = [*latches, *(e for rule in program.rules for e in expressions_of(rule))]
    return [node for root in roots for node in walk(root)]
