"""Random expressions that look back: every window, fold over events and earlier value, nested and over rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from policy_dsl.nodes import (
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Compare,
    Constant,
    EventFold,
    Expression,
    FactRead,
    IsTrue,
    Known,
    Not,
    OneOf,
    Previous,
    Row,
    RowKey,
    RowRead,
    Throughout,
    Window,
    Within,
)
from policy_dsl.operators import Comparator, Fold, Operator, WindowFold
from policy_dsl.quantities import Unit
from policy_dsl.types import COUNT, DURATION, FLAG, RATIO, TEXT, TIME, TRUTH, Quantity, Reference, Type
from tests.catalogue_for_tests import SIDE, TIER, VOLATILITY
from tests.strategies import vocabulary
from tests.strategies.expressions import COMPARED_UNITS, EQUALITIES, ORDERINGS, Writer
from tests.strategies.vocabulary import AROUND, CATALOGUE, DURATIONS, EVENTS, KEYS, MINUTE

Made = Callable[[], Expression]

PAIRED = ("position", "request")
"""The entities of which two rows are compared, by their symbols."""


@dataclass(frozen=True)
class TimeWriter(Writer):
    """An author who looks back, about every second time there is room to."""

    def duration(self) -> int:
        """The length of a window or of a hold (ms)."""
        return self.pick(DURATIONS)

    def looking_back(self) -> Self:
        """The author of what is looked back at: an event has no history, so that none can be read."""
        # The names stay taken: a variable bound further in must not hide one that is bound further out.
        kept = {v: "" if of in EVENTS else of for v, of in self.variables.items()}
        return replace(self, variables=kept)

    def number(self, unit: Unit, depth: int) -> Expression:
        """A number of that unit."""
        if depth > 0 and self.chance(3):
            return self.number_over_time(unit, depth)
        return super().number(unit, depth)

    def condition(self, sense: int, depth: int) -> Expression:
        """A condition that depends on outputs as `sense` says."""
        if depth > 0 and self.chance(2):
            return self.condition_over_time(sense, depth)
        return super().condition(sense, depth)

    # --- numbers -----------------------------------------------------------------------------------------------------

    def number_over_time(self, unit: Unit, depth: int) -> Expression:
        """A number that looks back."""
        forms: list[Made] = [
            lambda: self.window(WindowFold.HIGHEST, unit, depth),
            lambda: self.window(WindowFold.LOWEST, unit, depth),
            lambda: Previous(self.looking_back().number(unit, depth - 1), Quantity(unit)),
        ]
        if unit is not Unit.TIME:
            forms += [lambda: self.window(WindowFold.AVERAGE, unit, depth), lambda: self.change(unit, depth)]
        if any(vocabulary.facts_of(event, Quantity(unit)) for event in EVENTS):
            forms += [lambda: self.folded_events(unit, depth)] * 3
        if unit is Unit.COUNT:
            forms += [lambda: self.counted_events(0, depth)] * 2
        return self.pick(forms)()

    def window(self, fold: WindowFold, unit: Unit, depth: int) -> Expression:
        """`highest(x over D)` and its like."""
        operand = self.looking_back().number(unit, depth - 1)
        return Window(fold, operand, self.duration(), Quantity(unit))

    def change(self, unit: Unit, depth: int) -> Expression:
        """`change(x over D)`; between two times it is a duration."""
        of = self.pick((Unit.DURATION, Unit.TIME)) if unit is Unit.DURATION else unit
        operand = self.looking_back().number(of, depth - 1)
        return Window(WindowFold.CHANGE, operand, self.duration(), Quantity(unit))

    def folded_events(self, unit: Unit, depth: int) -> Expression:
        """A number folded over the events of a window."""
        fact = self.pick([f for event in EVENTS for f in vocabulary.facts_of(event, Quantity(unit))])
        folds = [Fold.HIGHEST, Fold.LATEST, Fold.LOWEST]
        if unit is not Unit.TIME:
            folds += [Fold.SUM, Fold.AVERAGE] * 2
        variable, inside = self.event(fact.entity)
        where = inside.of_event(variable, 0, depth - 1) if self.chance(2) else None
        value: Expression = RowRead(Row(fact.entity, variable), fact.name, fact.type)
        if self.chance(3):
            step = inside.number(Unit.DURATION if unit is Unit.TIME else unit, depth - 1)
            value = Arithmetic(self.pick((Operator.ADD, Operator.SUBTRACT)), value, step, fact.type)
        return self.event_fold(self.pick(folds), fact.entity, variable, where, value)

    def counted_events(self, sense: int, depth: int) -> Expression:
        """`count(EVENT where C over D)`."""
        event = self.pick(EVENTS)
        variable, inside = self.event(event)
        where = inside.of_event(variable, sense, depth - 1) if not self.chance(4) else None
        return self.event_fold(Fold.COUNT, event, variable, where, None)

    def event(self, event: str) -> tuple[str, Self]:
        """A variable for the events of a fold, and the author of what is said of each."""
        variable = f"{event[0]}{len(self.variables)}"
        return variable, replace(self, variables={**self.variables, variable: event})

    def of_event(self, variable: str, sense: int, depth: int) -> Expression:
        """What is asked of each event of a fold: often, that it is one of the row at hand."""
        rows = [v for v, of in self.variables.items() if of in ("symbol", "position", "request")]
        if not rows or self.chance(2):
            return self.condition(sense, depth)
        kind, row = Reference("symbol"), self.pick(rows)
        of = self.variables[row]
        symbol = RowKey(row, kind) if of == "symbol" else RowRead(Row(of, row), "symbol", kind)
        left = RowRead(Row(self.variables[variable], variable), "symbol", kind)
        same = Compare(self.pick(EQUALITIES), left, symbol)
        return All((same, self.condition(sense, depth))) if depth > 0 and self.chance(2) else same

    def event_fold(
        self, fold: Fold, event: str, variable: str, where: Expression | None, value: Expression | None
    ) -> Expression:
        """A fold over the events of a window."""
        counts: Type = COUNT if fold is Fold.COUNT else TRUTH
        kind = counts if value is None else value.type
        return EventFold(fold, event, variable, where, value, self.duration(), kind, CATALOGUE.entities[event].time)

    def moment(self, depth: int) -> Expression:
        """A time until which to hold: ahead, past or unknown."""
        step = Constant(self.duration(), DURATION)
        forms: list[Made] = [
            lambda: Arithmetic(Operator.ADD, FactRead("clock", "now", TIME), step, TIME),
            lambda: Constant(AROUND + self.pick((2, 0, -2, 5)) * MINUTE, TIME),
            lambda: Arithmetic(Operator.ADD, self.folded_events(Unit.TIME, depth), step, TIME),
            lambda: self.number(Unit.TIME, depth),
        ]
        return self.pick(forms)()

    # --- conditions --------------------------------------------------------------------------------------------------

    def rarely(self) -> Expression:
        """A condition that seldom holds."""
        return Compare(Comparator.EQUAL, FactRead("account", "losing_streak", COUNT), Constant(3, COUNT))

    def alarm(self, entity: str | None) -> Expression:
        """A plain condition that begins and ends as one fact changes, of the row of that entity if there is one."""
        if entity is None:
            drawdown, limit = FactRead("account", "drawdown", RATIO), Constant(30_000_000, RATIO)
            deep: Expression = Compare(Comparator.GREATER, drawdown, limit)
            return self.pick((deep, OneOf(FactRead("market", "volatility", VOLATILITY), (2, 3))))
        row = Row(entity, next(v for v, of in self.variables.items() if of == entity))
        if entity == "request":
            return IsTrue(RowRead(row, "duplicate", FLAG))
        if entity == "symbol":
            return OneOf(RowRead(row, "tier", TIER), (0, 1))
        return OneOf(RowRead(row, "side", SIDE), (1,))

    def condition_over_time(self, sense: int, depth: int) -> Expression:
        """A condition that looks back."""
        forms: list[Made] = [
            lambda: Throughout(self.looking_back().condition(sense, depth - 1), self.duration()),
            lambda: Within(self.looking_back().condition(sense, depth - 1), self.duration()),
            lambda: Previous(self.looking_back().condition(sense, depth - 1), TRUTH),
            lambda: self.compared_over_time(depth),
            lambda: self.compared_over_time(depth),
            lambda: self.happened(sense, depth),
            lambda: self.compared_event_count(sense, depth),
            lambda: self.compared_event_fold(depth),
            lambda: self.compared_event_fold(depth),
            self.was,
        ]
        if any(of in PAIRED for of in self.variables.values()):
            forms.append(lambda: self.of_two_rows(depth))
        if self.asks_known:
            forms.append(lambda: Known(self.number_over_time(self.pick(COMPARED_UNITS), depth), self.chance(2)))
        if sense and self.readable:
            forms += [lambda: self.of_earlier_output(sense)] * 2
        return self.pick(forms)()

    def compared_over_time(self, depth: int) -> Expression:
        """A number that looks back, compared with a figure."""
        unit = self.pick(COMPARED_UNITS)
        return Compare(self.pick(ORDERINGS + EQUALITIES), self.number_over_time(unit, depth), self.literal(unit))

    def compared_event_fold(self, depth: int) -> Expression:
        """A number folded over events, compared with a figure."""
        unit = self.pick((Unit.R, Unit.COUNT, Unit.TIME))
        return Compare(self.pick(ORDERINGS), self.folded_events(unit, depth), self.literal(unit))

    def happened(self, sense: int, depth: int) -> Expression:
        """`any(EVENT where C over D)`."""
        event = self.pick(EVENTS)
        variable, inside = self.event(event)
        where = inside.of_event(variable, sense, depth - 1) if not self.chance(4) else None
        return self.event_fold(Fold.ANY, event, variable, where, None)

    def compared_event_count(self, sense: int, depth: int) -> Expression:
        """The number of events compared with a count; more of them may only push the comparison the right way."""
        if sense and self.chance(2):
            return Compare(self.pick(ORDERINGS[:2]), self.counted_events(-sense, depth), self.literal(Unit.COUNT))
        return Compare(self.pick(ORDERINGS[2:]), self.counted_events(sense, depth), self.literal(Unit.COUNT))

    def was(self) -> Expression:
        """What a level, a flag, a text or a reference was at the snapshot before."""
        back = self.looking_back()
        kind = self.pick(("levels", "flag", "text", "reference"))
        if kind == "levels":
            read, of = back.levels_fact()
            return Compare(self.pick(EQUALITIES), Previous(read, of), Constant(self.pick(range(len(of.members))), of))
        if kind == "flag":
            found = back.read(FLAG)
            return self.compared_text() if found is None else IsTrue(Previous(found, FLAG))
        if kind == "text":
            word = Constant(self.pick(vocabulary.TEXTS), TEXT)
            return Compare(self.pick(EQUALITIES), Previous(back.read(TEXT) or word, TEXT), word)
        symbol = Reference("symbol")
        read = RowRead(back.row("position"), "symbol", symbol)
        return Compare(self.pick(EQUALITIES), Previous(read, symbol), Constant(self.pick(KEYS["symbol"]), symbol))

    def of_two_rows(self, depth: int) -> Expression:
        """What was so of the row at hand and of some other row, or of all."""
        one = self.pick([v for v, of in self.variables.items() if of in PAIRED])
        entity = self.pick(PAIRED)
        other = f"{entity[0]}{len(self.variables)}"
        variables = {one: self.variables[one], other: entity}
        a, b = (RowRead(Row(of, v), "symbol", Reference("symbol")) for v, of in variables.items())
        paired = replace(self.looking_back(), variables={**self.looking_back().variables, other: entity})
        condition: Expression = Compare(self.pick(EQUALITIES), a, b)
        if depth > 0 and self.chance(2):
            condition = AnyOf((condition, paired.condition(0, depth - 1)))
        made: tuple[Expression, ...] = (
            Previous(condition, TRUTH),
            Throughout(condition, self.duration()),
            Within(condition, self.duration()),
        )
        fold = self.pick((Fold.ANY, Fold.ALL))
        return Aggregate(fold, entity, other, None, self.pick(made), TRUTH)

    # --- outputs -----------------------------------------------------------------------------------------------------

    def of_earlier_output(self, sense: int) -> Expression:
        """A condition on what an output was, that becomes more true (+1) or less (-1) as the output tightens."""
        made = self.looking_back().of_output(sense)
        match made:
            case IsTrue():
                return IsTrue(Previous(made.operand, made.operand.type))
            case Not(operand=IsTrue(operand=read)):
                return Not(IsTrue(Previous(read, read.type)))
            case Compare() if made.comparator in ORDERINGS:
                return replace(made, left=self.earlier(made.left))
        return Throughout(made, self.duration()) if self.chance(2) else Within(made, self.duration())

    def earlier(self, read: Expression) -> Expression:
        """The value of an output before, or over a window where it is a number."""
        folds = (WindowFold.HIGHEST, WindowFold.LOWEST, WindowFold.AVERAGE)
        if not isinstance(read.type, Quantity) or self.chance(3):
            return Previous(read, read.type)
        return Window(self.pick(folds), read, self.duration(), read.type)
