"""Which of two decisions of one program is the looser, output by output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from evaluators.decision import Decision, Grants, OutputValue, PerRow
from policy_dsl.program import Output, Program
from policy_dsl.types import ItemSet, Value


def loosened(program: Program, before: Decision, after: Decision) -> list[str]:
    """The outputs (with the row, where there is one) that `after` holds looser than `before`.

    Rows that only one decision has are not compared: an output of a row that nobody knows has no value.
    """
    return [
        f"{place}: {was} became {now}"
        for output in program.outputs
        for place, was, now in _pairs(output, before, after)
        if is_looser(output, was, now)
    ]


def is_looser(output: Output, was: OutputValue, now: OutputValue) -> bool:
    """Whether `now` allows something that `was` does not: for sets, an item or a larger argument of one."""
    if isinstance(output.type, ItemSet):
        arguments = dict(cast(Grants, was))
        return any(
            a > b for item, given in cast(Grants, now) for a, b in zip(given, arguments.get(item, given), strict=True)
        ) or (not items(now) <= items(was))
    return now != was and output.stricter(cast(Value, was), cast(Value, now)) == was


def items(grants: OutputValue) -> frozenset[str]:
    """The items of a set's value."""
    return frozenset(item for item, _ in cast(Grants, grants))


def _pairs(output: Output, before: Decision, after: Decision) -> Iterator[tuple[str, OutputValue, OutputValue]]:
    was, now = before.outputs[output.id], after.outputs[output.id]
    if output.entity is None:
        yield output.id, cast(OutputValue, was), cast(OutputValue, now)
        return
    rows_was, rows_now = cast(PerRow, was), cast(PerRow, now)
    assert isinstance(rows_was, Mapping)
    for key in sorted(rows_was.keys() & rows_now.keys()):
        yield f'{output.id}["{key}"]', rows_was[key], rows_now[key]
