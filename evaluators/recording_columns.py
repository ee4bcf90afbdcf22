"""Columns of values on their way into a table: arrays checked, missing values masked, rows inserted at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evaluators.identifiers import quote
from evaluators.recording_tables import Column, Table
from evaluators.refusals import refusal
from evaluators.timestamps import FIRST_TS, LAST_TS
from policy_dsl.diagnostics import did_you_mean
from policy_dsl.quantities import INT64_MAX, QUANTA_PER_ONE, Unit
from policy_dsl.types import Flag, Quantity

Array = NDArray[Any] | Sequence[Any]
"""A column of values: a numpy array, a masked array (masked is missing) or a sequence with None for missing."""

Masked = np.ma.MaskedArray[Any, Any]

_BATCH = "ringfence_batch"


def quanta_of(values: NDArray[np.floating[Any]], unit: Unit) -> Masked:
    """Measured values (document units) as quanta, rounded half-even; NaN, infinity and overflow are masked.

    The array form of `policy_dsl.quantities.to_quanta`: the same integers, shape (n,) in and out.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(np.asarray(values, dtype=np.float64) * QUANTA_PER_ONE[unit])
        usable = np.isfinite(scaled) & (scaled >= -(2.0**63)) & (scaled < 2.0**63)
    return np.ma.masked_array(np.where(usable, scaled, 0.0).astype(np.int64), mask=~usable)


def times_of(values: Array) -> NDArray[np.int64]:
    """Timestamps as milliseconds since 1970 UTC, from integers or datetime64; shape (n,).

    Raises PolicyError (RF743) where one is missing, of another type, or outside the years 1 to 9999.
    """
    array = np.asarray(values if len(values) else np.zeros(0, dtype=np.int64))
    if array.dtype.kind == "M":
        array = array.astype("datetime64[ms]").astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or np.ma.is_masked(values):
        raise refusal("RF743", "`ts` takes milliseconds since 1970 as integers, or datetime64, none of them missing")
    if len(array) and not (int(array.min()) >= FIRST_TS and int(array.max()) <= LAST_TS):
        raise refusal("RF743", "`ts` lies outside the years 1 to 9999", "times are milliseconds since 1970")
    return array.astype(np.int64)


def insert(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    book: str,
    times: NDArray[np.int64],
    columns: Mapping[str, Array],
) -> None:
    """Append rows of one book to `table`; columns left out are missing, values out of range too.

    Raises PolicyError (RF742-RF744) for unknown columns, wrong types or lengths, and names that are no level.
    """
    arrays = {"key": _keys(table, columns)} if table.entity is not None else {}
    for name, values in columns.items():
        column = table.column(name)
        if column is not None:
            arrays[name] = _array(values, table, column)
        elif name not in arrays:
            help = did_you_mean(name, [c.name for c in table.columns])
            raise refusal("RF742", f"`{table.name}` has no column `{name}`", help)
        if len(arrays[name]) != len(times):
            counts = f"{len(arrays[name])} values for {len(times)} times"
            raise refusal("RF744", f"column `{name}` of `{table.name}` has {counts}")
    _insert(connection, table, book, times, {name: a for name, a in arrays.items() if _holds_something(a)})


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    book: str,
    times: NDArray[np.int64],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    batch: dict[str, Any] = {"ts": times} | {f"c{i}": array for i, array in enumerate(arrays.values())}
    into = ", ".join(["book", "ts", *map(quote, arrays)])
    values = ", ".join(["?", "make_timestamp_ms(ts)", *(f"c{i}" for i in range(len(arrays)))])
    connection.register(_BATCH, batch)
    try:
        connection.execute(f"INSERT INTO {quote(table.name)} ({into}) SELECT {values} FROM {_BATCH}", [book])
    finally:
        connection.unregister(_BATCH)


def _holds_something(array: NDArray[Any]) -> bool:
    return bool(array.count()) if isinstance(array, np.ma.MaskedArray) else any(v is not None for v in array)


def _keys(table: Table, columns: Mapping[str, Array]) -> NDArray[np.object_]:
    if "key" not in columns:
        raise refusal("RF744", f"rows of `{table.name}` need the column `key`")
    keys = _texts(columns["key"], f"{table.name}.key", "it takes text")
    if not all(keys.tolist()):
        raise refusal("RF744", f"a row of `{table.name}` has no key", "a key is text that is not empty")
    return keys


def _array(values: Array, table: Table, column: Column) -> NDArray[Any]:
    where = column.name if table.entity is None else f"{table.name}.{column.name}"
    kind = column.fact.type if column.fact is not None else Flag()
    if isinstance(kind, Quantity):
        help = "it takes integers, its quanta; `quanta_of` makes them of floats"
        return _within(_numbers(values, np.int64, where, help), column.low, column.high)
    if isinstance(kind, Flag):
        return _numbers(values, np.bool_, where, "it takes booleans")
    return _levels(values, column.levels, where) if column.levels else _texts(values, where, "it takes text")


def _within(numbers: Masked, low: int | None, high: int | None) -> Masked:
    """`numbers` with what is out of range masked; the ends are inclusive."""
    outside = np.zeros(len(numbers), dtype=np.bool_)
    if low is not None:
        outside |= numbers.data < low
    if high is not None:
        outside |= numbers.data > high
    return np.ma.masked_array(numbers.data, mask=np.ma.getmaskarray(numbers) | outside)


def _levels(values: Array, levels: tuple[str, ...], where: str) -> NDArray[np.object_]:
    """The names of levels that are given by name or rank; a rank that is none is missing."""
    allowed = f"the levels are {', '.join(levels)}"
    if _holds_integers(values):
        ranks = _within(_numbers(values, np.int64, where, allowed), 0, len(levels) - 1)
        return np.array([*levels, None], dtype=object)[ranks.filled(len(levels))]
    names = _texts(values, where, allowed)
    strange = sorted(set(names.tolist()) - {*levels, None})
    if strange:
        help = did_you_mean(strange[0], levels) or allowed
        raise refusal("RF744", f"`{strange[0]}` is not a level of `{where}`", help)
    return names


def _holds_integers(values: Array) -> bool:
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return values.dtype.kind in "iu"
    return any(isinstance(v, int | np.integer) for v in values)


def _numbers(values: Array, dtype: type[np.int64 | np.bool_], where: str, help: str) -> Masked:
    """`values` as a masked array of `dtype`; anything that is not exactly that, or does not fit, is refused."""
    kinds = "b" if dtype is np.bool_ else "iu"
    if not isinstance(values, np.ndarray) or values.dtype.kind == "O":
        listed = _listed(values)
        classes = {type(v) for v in listed} - {type(None)}
        wanted = (bool, np.bool_) if dtype is np.bool_ else (int, np.integer)
        if not all(issubclass(c, wanted) and (dtype is np.bool_ or c is not bool) for c in classes):
            raise refusal("RF744", f"column `{where}` holds values of another type", help)
        try:
            filled = np.array([0 if v is None else v for v in listed], dtype=dtype)
        except OverflowError as error:
            raise refusal("RF744", f"column `{where}` holds a number outside 64 bits", help) from error
        return np.ma.masked_array(filled, mask=[v is None for v in listed])
    made: Masked = np.ma.masked_array(values)
    if made.dtype.kind not in kinds or made.ndim != 1:
        raise refusal("RF744", f"column `{where}` holds values of another type", help)
    if made.dtype.kind == "u" and made.count() and int(made.max()) > INT64_MAX:
        raise refusal("RF744", f"column `{where}` holds a number outside 64 bits", help)
    return np.ma.masked_array(made.filled(0).astype(dtype), mask=np.ma.getmaskarray(made))


def _texts(values: Array, where: str, help: str) -> NDArray[np.object_]:
    """`values` as an array of `str` and None."""
    listed = _listed(values)
    if not {type(v) for v in listed} <= {str, np.str_, type(None)}:
        raise refusal("RF744", f"column `{where}` holds values of another type", help)
    try:
        "".join(v for v in listed if v is not None).encode()
    except UnicodeEncodeError as error:
        raise refusal("RF744", f"column `{where}` holds a character that is no text") from error
    texts = np.empty(len(listed), dtype=object)
    texts[:] = listed
    return texts


def _listed(values: Array) -> list[Any]:
    """The values as a list, with None for what is masked."""
    return np.ma.masked_array(values).tolist() if isinstance(values, np.ndarray) else list(values)
