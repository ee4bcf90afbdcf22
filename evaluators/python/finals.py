"""The final value of an output as statements: the strictest of what every effect asks."""

from __future__ import annotations

from collections import defaultdict

from evaluators import exact
from evaluators.python.grants import write_grants
from evaluators.python.literals import literal
from evaluators.python.operands import Operand
from evaluators.python.reaching import Reached
from evaluators.python.scribe import Scribe
from evaluators.python.truths import Clause, either
from policy_dsl.program import Direction, How, Output, Tighten
from policy_dsl.types import ItemSet, Quantity


def write_final(scribe: Scribe, output: Output, name: str, effects: list[Reached]) -> None:
    """Lines that set `name` to the value of an output that these effects reach, in canonical order.

    Raises ValueError for an ordered output without a start or a strict end, which the checker refuses.
    """
    if isinstance(output.type, ItemSet):
        write_grants(scribe, output, name, effects)
        return
    if output.starts is None or (output.strictest is None and not isinstance(output.type, Quantity)):
        raise ValueError(f"`{output.id}` has no start or no strict end")
    _Strictest(scribe, output, name).write(effects)


def start_of(output: Output) -> str:
    """The literal of the value of an output that nothing reaches."""
    if isinstance(output.type, ItemSet):
        return "()"
    if isinstance(output.type, Quantity) and output.starts is not None:
        return literal(exact.clamp(int(output.starts), *exact.limits(output)))
    return literal(output.starts)


class _Strictest:
    """The final value of one ordered output being written."""

    def __init__(self, scribe: Scribe, output: Output, name: str) -> None:
        self.scribe, self.output, self.name = scribe, output, name
        self.down = output.direction is Direction.DOWN
        self.sign = "<" if self.down else ">"
        number = isinstance(output.type, Quantity)
        self.limits = exact.limits(output) if number else None
        self.end = literal(exact.strict_end(output) if number else output.strictest)

    def write(self, effects: list[Reached]) -> None:
        """Shifts, then factors, then bounds; what is unknown asks for the strict end."""
        acting: dict[How, list[Reached]] = defaultdict(list)
        for effect in effects:
            if isinstance(effect.effect, Tighten):
                acting[effect.effect.how].append(effect)
        moved = [*acting[How.BY], *acting[How.SCALE]]
        doubt = self.scribe.name("u") if moved else ""
        if moved:
            self.scribe.write(f"{doubt} = False")
            self._shift(acting[How.BY], doubt)
            self._scale(acting[How.SCALE], doubt)
        else:
            self.scribe.write(f"{self.name} = {start_of(self.output)}")
        self._bound(acting[How.TO], fixed_start=not moved)
        if moved:
            self.scribe.write(f"if {doubt}:", f"    {self.name} = {self.end}")

    def _shift(self, effects: list[Reached], doubt: str) -> None:
        if not effects or self.limits is None:
            self.scribe.write(f"{self.name} = {start_of(self.output)}")
            return
        total = self.scribe.name("s")
        self.scribe.write(f"{total} = 0")
        for effect in effects:
            with self.scribe.when(effect.possible, lazy=True):
                shift = self._figure(effect, "max")
                # A shift below zero counts as zero.
                added = shift.text if shift.low >= 0 else f"max({shift.text}, 0)"
                self._unless_unknown(shift, f"{doubt} = True", f"{total} += {added}")
        low, high = self.limits
        moved = f"{literal(self.output.starts)} {'-' if self.down else '+'} {total}"
        self.scribe.write(f"{self.name} = clamp({moved}, {low}, {high})")

    def _scale(self, effects: list[Reached], doubt: str) -> None:
        low, high = self.limits or (0, 0)
        by = "scaled_down" if self.down else "scaled_up"
        for effect in effects:
            with self.scribe.when(effect.possible, lazy=True):
                factor = self._figure(effect, self._strictest)
                scaled = f"{self.name} = {by}({self.name}, {factor.text}, {low}, {high})"
                self._unless_unknown(factor, f"{doubt} = True", scaled)

    def _bound(self, effects: list[Reached], fixed_start: bool) -> None:
        """Constants from the loosest on, so that the last that applies stands; then what is computed."""
        fixed: dict[int, list[Clause]] = defaultdict(list)
        computed: list[Reached] = []
        for effect in effects:
            bound = effect.figures[0] if effect.figures else None
            if bound is None or not bound.is_constant:
                computed.append(effect)
            else:
                fixed[self._within(bound.low)].append(effect.possible)
        for value in sorted(fixed, reverse=self.down):
            self._fixed_bound(value, either(fixed[value]), fixed_start)
        for effect in computed:
            self._computed_bound(effect)

    def _fixed_bound(self, value: int, clause: Clause, fixed_start: bool) -> None:
        text = literal(bool(value) if isinstance(self.output.starts, bool) else value)
        if not fixed_start:
            with self.scribe.when(clause):
                self.scribe.write(f"if {text} {self.sign} {self.name}:", f"    {self.name} = {text}")
        elif self.output.stricter(value, int(self._start_value())) != self._start_value():
            with self.scribe.when(clause):
                self.scribe.write(f"{self.name} = {text}")

    def _start_value(self) -> int:
        return self._within(int(self.output.starts or 0))

    def _within(self, value: int) -> int:
        return value if self.limits is None else exact.clamp(value, *self.limits)

    def _computed_bound(self, effect: Reached) -> None:
        with self.scribe.when(effect.possible, lazy=True):
            bound = self._figure(effect, self._strictest)
            beyond = self.limits is not None and (
                bound.low < self.limits[0] if self.down else bound.high > self.limits[1]
            )
            kept = f"{self._loosest}({bound.text}, {self.end})" if beyond else bound.text
            lines = [f"if {bound.text} {self.sign} {self.name}:", f"    {self.name} = {kept}"]
            if bound.nullable:
                lines = [f"if {bound.text} is None:", f"    {self.name} = {self.end}", f"el{lines[0]}", lines[1]]
            self.scribe.write(*lines)

    @property
    def _strictest(self) -> str:
        return "min" if self.down else "max"

    @property
    def _loosest(self) -> str:
        return "max" if self.down else "min"

    def _figure(self, effect: Reached, fold: str) -> Operand:
        """The figure of an effect; of one that comes from rows, the one of them that `fold` picks."""
        if not effect.gathered:
            return effect.figures[0]
        name, rows = self.scribe.name("b"), effect.gathered
        self.scribe.write(f"{name} = None if None in {rows} else {fold}({rows})")
        return Operand(name, nullable=True)

    def _unless_unknown(self, operand: Operand, unknown: str, known: str) -> None:
        if operand.nullable:
            self.scribe.write(f"if {operand.text} is None:", f"    {unknown}", "else:", f"    {known}")
        else:
            self.scribe.write(known)
