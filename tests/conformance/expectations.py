"""Whether a decision is what the lines of an `expect` block say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import cast

from evaluators.decision import Decision, Firing, Grants, OutputValue, PerRow
from policy_dsl.program import Output, Permit, Program
from policy_dsl.quantities import QUANTA_PER_ONE
from policy_dsl.types import Flag, ItemSet, Levels, Quantity

_PLACE = re.compile(r'^(?P<id>[a-z_0-9.]+)(?:\["(?P<key>[^"]*)"\])?$')
_FIRING = re.compile(r'^(?P<rule>[a-z_0-9.]+)(?:\["(?P<key>[^"]*)"\])?(?P<doubt>\?)?$')
_GRANT = re.compile(r"(?P<item>[A-Z][A-Z0-9_]*)(?:\((?P<arguments>[^)]*)\))?")

Values = Mapping[str, OutputValue | PerRow]


def mismatches(lines: tuple[str, ...], decision: Decision, program: Program) -> list[str]:
    """What the decision does otherwise than the lines say; empty where it agrees.

    A value `no rows` says that the output has no row, `no row` that it does not have that one. Without a `would` or
    `observes` line nothing may be observed; firings count only where `fires` lists them.
    """
    out: list[str] = []
    observed: tuple[Firing, ...] = ()
    would: set[str] = set()
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "fires":
            out += _difference(line, firings(rest), decision.firings)
        elif word == "observes":
            observed = firings(rest)
        elif word == "would":
            place = rest.partition("=")[0].strip()
            would.add(_place(place)["id"])
            out += _compare(rest, decision.would_be, program)
        else:
            out += _compare(line, decision.outputs, program)
    if set(decision.would_be) != would:
        out.append(f"would-be values of {sorted(would)} expected, {dict(decision.would_be)} found")
    return out + _difference("observes", observed, decision.observed)


def firings(text: str) -> tuple[Firing, ...]:
    """The firings of a list `t.rule, t.rule?, t.rule["key"]`; `nothing` is none."""
    if text.strip() == "nothing":
        return ()
    out = []
    for part in text.split(","):
        match = _FIRING.match(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is not a firing")
        out.append(Firing(match["rule"], match["key"] or "", match["doubt"] is None))
    return tuple(sorted(out))


def _difference(what: str, expected: tuple[Firing, ...], actual: tuple[Firing, ...]) -> list[str]:
    return [] if expected == actual else [f"{what}: found {', '.join(_shown(f) for f in actual) or 'nothing'}"]


def _shown(firing: Firing) -> str:
    return firing.rule + (f'["{firing.key}"]' if firing.key else "") + ("" if firing.definite else "?")


def _place(text: str) -> re.Match[str]:
    match = _PLACE.match(text)
    if match is None:
        raise ValueError(f"{text!r} names no output")
    return match


def _compare(line: str, values: Values, program: Program) -> list[str]:
    place, equals, text = (part.strip() for part in line.partition("="))
    if equals != "=":
        raise ValueError(f"{line!r} says nothing")
    match = _place(place)
    output = program.output(match["id"])
    if output.id not in values:
        return [f"{line}: no value"]
    found = values[output.id]
    if text == "no rows":
        return [] if found == {} else [f"{line}: found {found}"]
    if match["key"] is not None:
        rows = cast(PerRow, found)
        if (match["key"] in rows) is (text == "no row"):
            return [f"{line}: found rows {sorted(rows)}"]
        if text == "no row":
            return []
        found = rows[match["key"]]
    expected = expected_value(output, text, program)
    return [] if found == expected and type(found) is type(expected) else [f"{line}: found {found}, not {expected}"]


def expected_value(output: Output, text: str, program: Program) -> OutputValue:
    """The value of an output that `text` stands for."""
    kind = output.type
    if isinstance(kind, ItemSet):
        return _grants(output, text, program)
    if isinstance(kind, Levels):
        return kind.rank(text)
    if isinstance(kind, Flag):
        return {"yes": True, "no": False}[text]
    if not isinstance(kind, Quantity):
        raise TypeError(f"an output holds no {kind}")
    return quanta(text, kind)


def quanta(text: str, kind: Quantity) -> int:
    """A figure in document units, as quanta."""
    return round(Fraction(text.strip()) * QUANTA_PER_ONE[kind.unit])


def _grants(output: Output, text: str, program: Program) -> Grants:
    if text == "nothing":
        return ()
    out = []
    for match in _GRANT.finditer(text):
        kinds = _argument_types(output, match["item"], program)
        figures = (match["arguments"] or "").split(",") if match["arguments"] else []
        out.append((match["item"], tuple(quanta(f, k) for f, k in zip(figures, kinds, strict=True))))
    return tuple(out)


def _argument_types(output: Output, item: str, program: Program) -> tuple[Quantity, ...]:
    permits = [e for rule in program.rules for e in rule.effects if isinstance(e, Permit)]
    kinds = [tuple(a.type for a in e.arguments) for e in permits if (e.output, e.item) == (output.id, item)]
    return cast("tuple[Quantity, ...]", kinds[0])
