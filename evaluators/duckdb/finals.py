"""The final value of an output from all that is asked of it."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.duckdb import numbers
from evaluators.duckdb.demands import NULL, Demands
from evaluators.duckdb.fragments import FALSE, Case, Fragment, added, compose, every, listed
from evaluators.duckdb.frames import Column
from evaluators.duckdb.masks import Trigger, acts
from evaluators.duckdb.reads import bigint, constant, key_of
from evaluators.duckdb.scene import OutputColumns
from evaluators.exact import clamp, limits
from policy_dsl.program import Direction, items_of
from policy_dsl.types import ItemSet, Quantity, Value


def final(demands: Demands) -> OutputColumns:
    """The columns of the output, in the frame of its rows; NULL on the stand-in of a missing collection."""
    if isinstance(demands.output.type, ItemSet):
        return _set(demands)
    value = _number(demands) if isinstance(demands.output.type, Quantity) else _strictest(demands, _start(demands))
    column = demands.frame.compute(_on_rows(demands, value), demands.output.id)
    return OutputColumns(demands.output, column, possible=_possible(demands))


def _possible(demands: Demands) -> tuple[Value, ...] | None:
    """The values that the output can have, the strictest first; None if they are not at hand."""
    if demands.possible is None or demands.shifts or demands.factors:
        return None
    start = _within(demands, _start(demands))
    values = {_within(demands, v) for v in (*demands.possible, *(v for v, _ in demands.bounds))}
    stricter = {v for v in values if v != start and demands.output.stricter(v, start) == v}
    return (*sorted(stricter, reverse=demands.output.direction is Direction.UP), start)


def _on_rows(demands: Demands, value: Fragment) -> Fragment:
    if not demands.frame.stand_ins:
        return value
    missing = compose("{} IS NULL", key_of(demands.frame).read).known()
    return Case().when(missing, NULL).otherwise(value)


def _start(demands: Demands) -> Value:
    starts = demands.output.starts
    if starts is None:
        raise TypeError(f"`{demands.output.id}` has no start")
    return starts


def _strictest(demands: Demands, start: Value) -> Fragment:
    """The strictest of the start and all bounds."""
    return _bounded(demands, _stepped(demands, start))


def _stepped(demands: Demands, start: Value) -> Fragment:
    """The strictest of the start and all figures: one branch for each figure, the strictest first."""
    output = demands.output
    steps: dict[Value, list[Trigger]] = {}
    for value, trigger in demands.bounds:
        usable = _within(demands, value)
        if usable != start and output.stricter(usable, start) == usable:
            steps.setdefault(usable, []).append(trigger)
    case = Case()
    for value in sorted(steps, reverse=output.direction is Direction.UP):
        case.when(acts(steps[value]), constant(value, output.type))
    return case.otherwise(constant(start, output.type))


def _within(demands: Demands, value: Value) -> Value:
    """A figure clamped into the range of a number; any other value as it is."""
    if not isinstance(demands.output.type, Quantity):
        return value
    return clamp(int(value), *limits(demands.output))


def _bounded(demands: Demands, value: Fragment) -> Fragment:
    """The strictest of a value and all bounds that are computed."""
    if not demands.asked:
        return value
    best = "least({})" if demands.output.direction is Direction.DOWN else "greatest({})"
    return compose(best, listed(", ", [value, *demands.asked])).known()


# --- numbers ---------------------------------------------------------------------------------------------------------


def _number(demands: Demands) -> Fragment:
    """The start, shifted, then scaled, then held to every bound, within the range."""
    low, high = limits(demands.output)
    start = clamp(int(_start(demands)), low, high)
    if not demands.shifts and not demands.factors:
        value = _strictest(demands, start)
    else:
        moved = _scaled(demands, _shifted(demands, start))
        loosest = high if demands.output.direction is Direction.DOWN else low
        held = [moved, _stepped(demands, loosest)] if demands.bounds else [moved]
        best = "least({})" if demands.output.direction is Direction.DOWN else "greatest({})"
        value = _bounded(demands, compose(best, listed(", ", held)) if len(held) > 1 else moved)
    return _clamped(demands, value) if demands.asked else value


def _clamped(demands: Demands, value: Fragment) -> Fragment:
    low, high = limits(demands.output)
    return compose(f"greatest({bigint(low)}, least({bigint(high)}, {{}}))", value)


def _shifted(demands: Demands, start: int) -> Fragment:
    """The start moved by all shifts (128 bits), within the range."""
    begin = Fragment(bigint(start))
    if not demands.shifts:
        return begin
    total = added([compose("({})::HUGEINT", shift) for shift in demands.shifts])
    sign = "-" if demands.output.direction is Direction.DOWN else "+"
    low, high = limits(demands.output)
    moved = f"greatest({low}::HUGEINT, least({high}::HUGEINT, {start}::HUGEINT {sign} {{}}))::BIGINT"
    return compose(moved, total).known()


def _scaled(demands: Demands, value: Fragment) -> Fragment:
    """The value times each factor in turn, rounded half-even and clamped into the range each time."""
    low, high = limits(demands.output)
    frame = demands.frame
    shrinks = demands.output.direction is Direction.DOWN and low >= 0
    for factor in demands.factors:
        held, by = frame.hold(value, "before scaling"), frame.hold(factor, "factor")
        scaled = numbers.shrunk(frame, held, by) if shrinks else numbers.scaled(frame, held, by)
        # A product outside BIGINT lies beyond the high end: only factors of at least 1 can make one.
        usable = compose(f"coalesce({{}}, {bigint(high)})", scaled).known() if scaled.nullable else scaled
        value = compose(f"greatest({bigint(low)}, least({bigint(high)}, {{}}))", usable)
    return value


# --- sets ------------------------------------------------------------------------------------------------------------


def _set(demands: Demands) -> OutputColumns:
    items: dict[str, Column] = {}
    arguments: dict[str, tuple[Column, ...]] = {}
    frame, output = demands.frame, demands.output
    for item in items_of(output):
        grants = demands.permits.get(item, [])
        held = _held(acts(g.trigger for g in grants), acts(demands.forbids.get(item, [])))
        name = f"{output.id}.{item}"
        items[item] = frame.compute(_on_rows(demands, held), name)
        columns = zip(*(g.arguments for g in grants), strict=True)
        arguments[item] = tuple(
            frame.compute(_smallest(items[item], given), f"{name}.{i}") for i, given in enumerate(columns, start=1)
        )
    return OutputColumns(output, items=items, arguments=arguments)


def _held(permitted: Fragment, forbidden: Fragment) -> Fragment:
    if forbidden.text == FALSE.text:
        return permitted
    return every([permitted, compose("(NOT {})", forbidden)])


def _smallest(item: Column, given: Sequence[Fragment]) -> Fragment:
    """The smallest argument of all grants, where the item is held."""
    least = given[0] if len(given) == 1 else compose("least({})", listed(", ", given))
    return Case().when(item.read, least).otherwise(NULL)
