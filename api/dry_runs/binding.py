"""Which of the rules that fired bind: an output has the value that they ask for.

Exact for effects with a fixed figure, which is nearly all. An effect with a computed figure counts as binding wherever
its rule fired and the output is not at its loosest; a permit where it was granted, a forbid where its rule fired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluators.decision import Firing, OutputValue, PerRow
from policy_dsl.program import Alert, Constant, Effect, Forbid, How, Permit, Program, Rule, Tighten
from policy_dsl.types import Value


@dataclass(frozen=True, slots=True)
class _Ask:
    """What one effect asks of an output: `value`, or just anything but `starts` where the figure is computed."""

    output: str
    starts: Value | None
    value: Value | None
    item: str | None
    granted: bool

    def met(self, final: OutputValue) -> bool:
        """Whether the final value is what was asked for."""
        if isinstance(final, tuple):
            return any(item == self.item for item, _ in final) is self.granted
        return final != self.starts and (self.value is None or final == self.value)


class Binding:
    """Says of firings of one program whether they bind."""

    def __init__(self, program: Program) -> None:
        starts = {output.id: output.starts for output in program.outputs}
        self._asks = {rule.id: tuple(_asks(rule, starts)) for rule in program.rules}

    def binds(self, firing: Firing, outputs: Mapping[str, OutputValue | PerRow]) -> bool:
        """Whether any output (on the row of the firing, or on any row for a fund-wide rule) has the value asked for."""
        return any(
            ask.met(value) for ask in self._asks[firing.rule] for value in _values(outputs[ask.output], firing.key)
        )


def _values(final: OutputValue | PerRow, key: str) -> Iterable[OutputValue]:
    if not isinstance(final, Mapping):
        return (final,)
    if key:
        return (final[key],) if key in final else ()
    return final.values()


def _asks(rule: Rule, starts: Mapping[str, Value | None]) -> Iterable[_Ask]:
    for effect in rule.effects:
        if not isinstance(effect, Alert):
            yield _ask(effect, starts[effect.output])


def _ask(effect: Effect, starts: Value | None) -> _Ask:
    assert not isinstance(effect, Alert)
    if isinstance(effect, Tighten):
        fixed = effect.value.value if effect.how is How.TO and isinstance(effect.value, Constant) else None
        return _Ask(effect.output, starts, fixed, None, granted=False)
    assert isinstance(effect, Permit | Forbid)
    return _Ask(effect.output, None, None, effect.item, granted=isinstance(effect, Permit))
