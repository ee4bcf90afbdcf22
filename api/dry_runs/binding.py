"""Which of the rules that fired bind: an output has the value that they ask for.

Exact for effects with a fixed figure, which is nearly all. An effect with a computed figure counts as binding wherever
its rule fired and the output is not at its loosest. A permit binds where it was granted, a forbid where it took away
what somebody permitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from evaluators.decision import Firing, OutputValue, PerRow
from policy_dsl.nodes import Constant
from policy_dsl.program import Alert, Forbid, How, Permit, Program, Rule, Tighten
from policy_dsl.types import Value

Outputs = Mapping[str, OutputValue | PerRow]


@dataclass(frozen=True, slots=True)
class _Bound:
    """An effect that asks `output` for `value`, or, where the figure is computed, for anything but `starts`."""

    output: str
    starts: Value | None
    value: Value | None

    def met(self, final: OutputValue) -> bool:
        return final != self.starts and (self.value is None or final == self.value)


@dataclass(frozen=True, slots=True)
class _Item:
    """An effect that grants an item of a set, or takes it away."""

    output: str
    item: str
    grants: bool

    def met(self, final: OutputValue) -> bool:
        return isinstance(final, tuple) and any(item == self.item for item, _ in final) is self.grants


class Binding:
    """Says of the firings of one program which of them bind."""

    def __init__(self, program: Program) -> None:
        starts = {output.id: output.starts for output in program.outputs}
        self._asks = {rule.id: tuple(_asks(rule, starts)) for rule in program.rules}

    def binding(self, firings: Iterable[Firing], outputs: Outputs) -> Iterator[Firing]:
        """The firings of one snapshot that bind, given the final values of the outputs."""
        fired = list(firings)
        permitted = {
            (ask.output, ask.item, f.key)
            for f in fired
            if f.definite
            for ask in self._asks[f.rule]
            if isinstance(ask, _Item) and ask.grants
        }
        for firing in fired:
            if any(self._binds(ask, firing.key, outputs[ask.output], permitted) for ask in self._asks[firing.rule]):
                yield firing

    def asked(self, firings: Iterable[Firing], outputs: Outputs) -> frozenset[str]:
        """The fund-wide outputs whose final values some of the firings of one snapshot ask for."""
        asks = [ask for firing in firings for ask in self._asks[firing.rule]]
        values = ((ask, outputs[ask.output]) for ask in asks)
        return frozenset(ask.output for ask, value in values if not isinstance(value, Mapping) and ask.met(value))

    @staticmethod
    def _binds(
        ask: _Bound | _Item, key: str, final: OutputValue | PerRow, permitted: set[tuple[str, str, str]]
    ) -> bool:
        """Whether an effect, on the row of its firing or on any row for a fund-wide rule, got what it asks for."""
        for row, value in _values(final, key):
            if isinstance(ask, _Item) and not ask.grants:
                wanted = {(ask.output, ask.item, row), (ask.output, ask.item, "")}
                if not wanted & permitted:
                    continue
            if ask.met(value):
                return True
        return False


def _values(final: OutputValue | PerRow, key: str) -> Iterable[tuple[str, OutputValue]]:
    if not isinstance(final, Mapping):
        return ((key, final),)
    if key:
        return ((key, final[key]),) if key in final else ()
    return final.items()


def _asks(rule: Rule, starts: Mapping[str, Value | None]) -> Iterator[_Bound | _Item]:
    for effect in rule.effects:
        match effect:
            case Tighten():
                fixed = effect.value.value if effect.how is How.TO and isinstance(effect.value, Constant) else None
                yield _Bound(effect.output, starts[effect.output], fixed)
            case Permit() | Forbid():
                yield _Item(effect.output, effect.item, isinstance(effect, Permit))
            case Alert():
                continue
