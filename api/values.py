"""Values of outputs in words (`DEFENSIVE`, `70%`, `ADD_SIZE(25%)`) and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evaluators.decision import Decision, OutputValue
from evaluators.document_values import write_value as as_json
from policy_dsl.program import Output, Permit, Program
from policy_dsl.types import Type
from policy_dsl.writing import write_value


@dataclass(frozen=True, slots=True)
class Shown:
    """One value of an output: on the row `key` where it has one a row."""

    output: str
    key: str | None
    text: str
    loosest: bool

    @property
    def name(self) -> str:
        """`hfos.risk_mode`, `verdict["r1"]`."""
        return self.output if self.key is None else f'{self.output}["{self.key}"]'


class OutputTexts:
    """Writes the values of one program's outputs."""

    def __init__(self, program: Program) -> None:
        self._outputs = {o.id: o for o in program.outputs}
        self._arguments = _argument_types(program)

    def text(self, output: str, value: OutputValue) -> str:
        """The value in the words of rule files; a set as its items, `nothing` if it is empty."""
        if not isinstance(value, tuple):
            return write_value(value, self._outputs[output].type)
        items = [self._grant(output, item, arguments) for item, arguments in value]
        return ", ".join(items) or "nothing"

    def json(self, output: str, value: OutputValue) -> Any:
        """The value as documents hold it: numbers in document units, levels by name, sets by item."""
        if not isinstance(value, tuple):
            return as_json(self._outputs[output].type, value)
        return {
            item: [as_json(kind, a) for kind, a in zip(self._kinds(output, item), arguments, strict=True)]
            for item, arguments in value
        }

    def shown(self, decision: Decision, only: str | None = None) -> Iterator[Shown]:
        """Every value that a decision has, in the program's order, rows by key; of one output if `only` names it."""
        for id, output in self._outputs.items():
            if id not in decision.outputs or only not in (None, id):
                continue
            value = decision.outputs[id]
            if isinstance(value, Mapping):
                yield from (self._shown(output, key, value[key]) for key in sorted(value))
            else:
                yield self._shown(output, None, value)

    def _shown(self, output: Output, key: str | None, value: OutputValue) -> Shown:
        loosest = value in (output.starts, ())
        return Shown(output.id, key, self.text(output.id, value), loosest)

    def _grant(self, output: str, item: str, arguments: tuple[int, ...]) -> str:
        kinds = self._kinds(output, item)
        written = ", ".join(write_value(a, kind) for a, kind in zip(arguments, kinds, strict=True))
        return f"{item}({written})" if written else item

    def _kinds(self, output: str, item: str) -> tuple[Type, ...]:
        return self._arguments.get((output, item), ())


def _argument_types(program: Program) -> dict[tuple[str, str], tuple[Type, ...]]:
    """What the arguments of each item of a set count; every permit of one item has the same."""
    return {
        (effect.output, effect.item): tuple(a.type for a in effect.arguments)
        for rule in program.rules
        for effect in rule.effects
        if isinstance(effect, Permit)
    }


def duration(ms: int) -> str:
    """A stretch of time for a reader: `2h 05m`, `45m`, `30s`, `3d 4h`."""
    seconds, minutes, hours, days = ms // 1000 % 60, ms // 60_000 % 60, ms // 3_600_000 % 24, ms // 86_400_000
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    if minutes:
        return f"{minutes}m" + (f" {seconds}s" if seconds else "")
    return f"{seconds}s" if seconds or not ms else f"{ms}ms"


def percent(part: float, whole: float) -> str:
    """A share to the tenth of a percent: `12.3%`, `100%`; what is not nothing or all never reads so."""
    share = 100 * part / whole if whole else 0.0
    text = f"{share:.1f}".removesuffix(".0")
    if text == "0" and part:
        return "<0.1%"
    return ">99.9%" if text == "100" and part < whole else f"{text}%"
