"""What one module supplied, read: every value in the language's own, and a reason for each that cannot be believed.

Reading depends on nothing but what was supplied and who may supply what: not on the time, nor on other modules. So what
stays from one snapshot to the next is read once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.facts import CATALOGUE
from modules.supply import Row, Supply
from policy_dsl.catalogue import Fact
from policy_dsl.quantities import QUANTA_PER_ONE, float_to_quanta
from policy_dsl.types import Flag, Levels, Quantity, Value

FLOATS = (float, np.floating)
WHOLE = (int, np.integer)
BOOLEANS = (bool, np.bool_)

LONGEST_SHOWN = 500
"""Letters of a value that is shown to a person."""


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one fact in rows, None where one is missing.

    `reasons` says why one that was supplied is missing, by its place among them.
    """

    fact: Fact
    values: Sequence[Value | None]
    reasons: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Rows of an entity: `rows` by key with all that was read, `columns` the same fact by fact, each in the same order.

    `reasons` are those of all columns and of facts that are not the module's to supply, by path. `least_age` (ms) is
    that of the fact that grows old first, None where none does.
    """

    rows: Mapping[str, Mapping[str, Value | None]]
    columns: tuple[Column, ...]
    reasons: Mapping[str, str]
    not_own: Mapping[str, str]
    least_age: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A supply as it was read: facts of entities with one row by path, and rows by entity. Events are not in it."""

    singles: Mapping[str, Column]
    not_own: Mapping[str, str]
    rows: Mapping[str, ReadRows]


def read(supply: Supply, by: str, owners: Sequence[str]) -> Reading:
    """Everything supplied `by` a module that may supply the facts of `owners`."""
    singles, not_own = {}, {}
    for path, value in supply.single.items():
        fact = own(path, owners)
        if fact is None:
            not_own[path] = whose(by)
        else:
            singles[path] = column(fact, [value], by)
    return Reading(
        singles, not_own, {name: read_rows(name, rows, by, owners) for name, rows in supply.rows.items()}
    )  # fmt: skip


def read_rows(entity: str, rows: Mapping[str, Row], by: str, owners: Sequence[str]) -> ReadRows:
    """The rows of one entity, by key."""
    keys = list(rows)
    columns, not_own = columns_of(entity, list(rows.values()), by, owners)
    whole: dict[str, dict[str, Value | None]] = {key: {} for key in keys}
    reasons = dict(not_own)
    for found in columns:
        name = found.fact.name
        for row, value in zip(whole.values(), found.values, strict=True):
            row[name] = value
        reasons |= {place(entity, keys[i], name): why for i, why in found.reasons.items()}
    ages = [c.fact.max_age for c in columns if c.fact.max_age is not None]
    return ReadRows(whole, columns, reasons, not_own, min(ages, default=None))


def columns_of(
    entity: str, rows: Sequence[Row], by: str, owners: Sequence[str]
) -> tuple[tuple[Column, ...], Mapping[str, str]]:
    """The rows fact by fact, and by path why facts that are not the module's to supply do not count.

    A row that lacks a field that another row has misses it.
    """
    columns, not_own = [], {}
    for name in dict.fromkeys(name for row in rows for name in row):
        fact = own(f"{entity}.{name}", owners)
        if fact is None:
            not_own[f"{entity}.{name}"] = whose(by)
        else:
            columns.append(column(fact, [row.get(name) for row in rows], by))
    return tuple(columns), not_own


def own(path: str, owners: Sequence[str]) -> Fact | None:
    """The fact of that path, if it is one of `owners`'."""
    fact = CATALOGUE.fact(path)
    return fact if fact is not None and fact.owner in owners else None


def whose(by: str) -> str:
    """Why what `by` supplied does not count."""
    return f"{by} supplied it, and it is not its to supply"


def place(entity: str, key: str, name: str) -> str:
    """The path of a fact of one row: `position["p1"].risk`."""
    return f'{entity}["{key}"].{name}'


def column(fact: Fact, values: Iterable[Any], by: str) -> Column:
    """The values of a fact as they may be believed."""
    found: list[Value | None] = []
    reasons: dict[int, str] = {}
    value_of, low, high = _reader(fact), fact.low, fact.high
    for i, value in enumerate(values):
        try:
            made = None if value is None else value_of(value)
        except Exception:  # noqa: BLE001 -- a value that cannot be read is none, and costs no other
            made = None
        if made is None:
            if value is not None:
                reasons[i] = f"{by} supplied {_shown(value)}, which is not a {fact.type} that can be believed"
        elif isinstance(made, int) and ((low is not None and made < low) or (high is not None and made > high)):
            reasons[i] = f"{by} supplied {_shown(value)}, which is out of range"
            made = None
        found.append(made)
    return Column(fact, found, reasons)


def _shown(value: Any) -> str:
    """A value as a person reads it: not all of a large one, and the type alone of one that cannot be shown."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 -- as above; Python itself refuses to write out a very large integer
        return f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _reader(fact: Fact) -> Callable[[Any], Value | None]:
    """Reads values of the fact's type: each in the language's own, None for what is none of the type."""
    kind = fact.type
    if isinstance(kind, Quantity):
        scale = QUANTA_PER_ONE[kind.unit]
        return lambda value: _quanta(value, scale)
    if isinstance(kind, Levels):
        names = kind.members
        return lambda value: names.index(value) if isinstance(value, str) and value in names else None
    if isinstance(kind, Flag):
        return lambda value: bool(value) if isinstance(value, BOOLEANS) else None
    # What holds half of a pair of characters, as broken JSON brings it, can be written nowhere.
    return lambda value: value.encode().decode() if isinstance(value, str) else None


def _quanta(value: Any, scale: int) -> int | None:
    if isinstance(value, FLOATS):
        return float_to_quanta(float(value), scale)
    is_whole = isinstance(value, WHOLE) and not isinstance(value, BOOLEANS)
    # Python's own integers may be too large for any float, which quanta are made from.
    return float_to_quanta(float(value), scale) if is_whole and abs(value) <= sys.float_info.max else None
