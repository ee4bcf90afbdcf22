"""Values that outputs keep though no rule asks for them now: which rule did, when, and until when they stand."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from evaluators.decision import Decision, OutputValue, PerRow
from evaluators.program_index import index_of
from evaluators.recollection import Origin
from policy_dsl.nodes import Constant
from policy_dsl.program import Output, Program, Rule, Tighten
from policy_dsl.standing import HELD, SURE, author_name
from policy_dsl.types import Value


class Kind(enum.Enum):
    """How an output keeps a value."""

    RELAXING = "relaxing"
    """It relaxes only after a while (`relaxes after`)."""
    LATCHED = "latched"
    """It stays until its latch is released (`latches until`)."""
    HELD = "held"
    """An effect holds it for a while, or until a time."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An output (on a row, if `key` is not None) that stands at `value` for what was asked at `since` (ms).

    `rules` are those that asked for it then; `until` (ms) is when it lets go if nothing asks again, None for a latch.
    """

    output: str
    key: str | None
    value: Value
    kind: Kind
    rules: tuple[str, ...]
    since: int
    until: int | None


def kept(program: Program, decision: Decision, origins: Iterable[Origin]) -> tuple[Kept, ...]:
    """What explains the values of a decision that rules do not ask for at its snapshot, by output and key."""
    found: dict[tuple[str, str | None], Kept] = {}
    for origin in origins:
        for made in _kept(program, decision, origin):
            place = made.output, made.key
            if place not in found or _longer(made, found[place]):
                found[place] = made
    return tuple(found[place] for place in sorted(found, key=lambda p: (p[0], p[1] or "")))


def _longer(a: Kept, b: Kept) -> bool:
    """Whether `a` stands longer than `b`; a latch stands longest."""
    return b.until is not None and (a.until is None or a.until > b.until)


def _kept(program: Program, decision: Decision, origin: Origin) -> Iterator[Kept]:
    """The values of a decision that are as an origin has it, though it is older."""
    if origin.at >= decision.ts or origin.track.output is None:
        return
    hidden = origin.track.output.id
    rules: tuple[str, ...]
    if hidden.startswith(HELD):
        rule, number = author_name(hidden).rsplit(".", 1)
        effect = cast(Tighten, index_of(program).rules[rule].effects[int(number)])
        output, rules, kind = program.output(effect.output), (rule,), Kind.HELD
    else:
        output = program.output(author_name(hidden))
        rules = tuple(_asking(program, output, origin))
        kind = Kind.LATCHED if hidden.startswith(SURE) else Kind.RELAXING
    for key, value in _values(output, decision, origin):
        if value == origin.value:
            yield Kept(output.id, key, origin.value, kind, rules, origin.at, origin.until)


def _values(output: Output, decision: Decision, origin: Origin) -> Iterator[tuple[str | None, OutputValue]]:
    """The values of the output that the origin may explain, by key."""
    final = decision.outputs[output.id]
    if output.entity is None:
        yield None, cast(OutputValue, final)
        return
    rows = cast(PerRow, final)
    keys = sorted(rows) if origin.key is None else [cast(str, origin.key)]
    yield from ((key, rows[key]) for key in keys if key in rows)


def _asking(program: Program, output: Output, origin: Origin) -> Iterator[str]:
    """The rules that fired then and ask for that value, as far as their figures tell."""
    rules = index_of(program).rules
    for id in dict.fromkeys(f.rule for f in origin.firings if f.key in ("", origin.key or f.key)):
        if any(_asks(effect, output, origin.value) for effect in _tightening(rules[id])):
            yield id


def _tightening(rule: Rule) -> Iterator[Tighten]:
    return (effect for effect in rule.effects if isinstance(effect, Tighten))


def _asks(effect: Tighten, output: Output, value: Value) -> bool:
    fixed = effect.value.value if isinstance(effect.value, Constant) else value
    return effect.output == output.id and fixed == value
