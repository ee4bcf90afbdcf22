"""Columns of a Parquet or CSV file as typed arrays: names matched, values cast, every misfit named by its row."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evaluators.identifiers import literal, quote
from modules.feeds.faults import Faults
from policy_dsl.diagnostics import did_you_mean
from policy_dsl.files import words_of

Columns = Mapping[str, np.ma.MaskedArray[Any, Any]]
"""Arrays of one length, by the reader's own names; masked is absent."""

PARQUET_MAGIC = b"PAR1"
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip
_TIMES = ("TIMESTAMP", "DATE")


class Kind(enum.Enum):
    """What a column is to hold. The value is how a message calls one of it."""

    NUMBER = "a number"
    TIME = "a time"
    TEXT = "text"
    FLAG = "yes or no"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column that a reader asks for, under any of its names, the reader's own first.

    Times are ISO 8601 (UTC where no zone is given), or whole numbers: milliseconds since 1970 from 10^11 on (1973),
    seconds below. They come out as milliseconds.
    """

    name: str
    kind: Kind
    aliases: tuple[str, ...] = ()
    required: bool = True


def read_columns(path: Path, wanted: Sequence[Wanted], faults: Faults) -> Columns:
    """The wanted columns of a file in its order; optional ones that it lacks are left out.

    Adds to `faults` and raises them where the file cannot be used: RF801, RF802, RF803, RF804.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        source = _source(path, faults)
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {source}")  # noqa: S608 -- a quoted file name
            types = {row[0]: row[1] for row in described.fetchall()}
            expressions = _expressions(wanted, types, faults)
            faults.stop_if_any()
            columns = ", ".join(e for pair in expressions.values() for e in pair)
            selected = f"SELECT {columns} FROM {source}"  # noqa: S608 -- all names are quoted
            found: dict[str, Any] = connection.execute(selected).fetchnumpy()
        except duckdb.Error as error:
            raise faults.unreadable(_reason(error)) from error
    if not len(next(iter(found.values()))):
        raise faults.fatal("RF802", f"`{path.name}` has no rows", "give a file with at least one row")
    for want in wanted:
        if want.name in expressions:
            _report_misfits(np.ma.masked_array(found.pop(f"misfit of {want.name}")), want, faults)
    faults.stop_if_any()
    return {name: np.ma.masked_array(values) for name, values in found.items()}


def _source(path: Path, faults: Faults) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise faults.unreadable(words_of(error)) from error
    if not head:
        raise faults.fatal("RF802", f"`{path.name}` is empty", "give a file with at least one row")
    # A path in brackets is a list of one file, and characters of a glob inside brackets stand for themselves.
    name = literal("".join(f"[{c}]" if c in "*?[" else c for c in str(path.absolute())))
    if head == PARQUET_MAGIC or path.suffix == ".parquet":
        return f"read_parquet([{name}])"
    return f"read_csv([{name}], header = true, all_varchar = true)"


def _expressions(wanted: Sequence[Wanted], types: dict[str, str], faults: Faults) -> dict[str, tuple[str, str]]:
    """By name of a column, the SQL of its value and of the text of what could not be one."""
    by_fold = {name.casefold(): name for name in types}
    out: dict[str, tuple[str, str]] = {}
    for want in wanted:
        name = next((by_fold[n.casefold()] for n in (want.name, *want.aliases) if n.casefold() in by_fold), None)
        if name is None:
            if want.required:
                names = ", ".join(w.name for w in wanted if w.required)
                help = did_you_mean(want.name, types) or f"the file needs the columns {names}"
                faults.add("RF803", f"`{faults.path.name}` has no column `{want.name}`", help)
            continue
        value = _value(quote(name), types[name], want.kind)
        if value is None:
            message = f"column `{name}` of `{faults.path.name}` holds {types[name]}, not {want.kind.value}"
            faults.add("RF804", message, "convert the column")
            continue
        misfit = f"CASE WHEN {quote(name)} IS NOT NULL AND {value} IS NULL THEN {quote(name)}::VARCHAR END"
        out[want.name] = (f"{value} AS {quote(want.name)}", f"{misfit} AS {quote(f'misfit of {want.name}')}")
    return out


def _value(name: str, held: str, kind: Kind) -> str | None:
    """SQL for a value of `kind` from a column that holds the SQL type `held`; None where that cannot be."""
    is_list = held.endswith("]")
    is_text, is_number = held == "VARCHAR", held.startswith(_NUMBERS) and not is_list
    is_time = held.startswith(_TIMES) and not is_list
    whole = f"TRY_CAST({name} AS BIGINT)"
    in_ms = f"CASE WHEN abs({whole}) >= 100000000000 THEN {whole} ELSE {whole} * 1000 END"
    match kind:
        case Kind.TEXT:
            return f"{name}::VARCHAR" if is_text or is_number else None
        case Kind.NUMBER:
            return f"TRY_CAST({name} AS DOUBLE)" if is_text or is_number else None
        case Kind.FLAG:
            return f"TRY_CAST({name} AS BOOLEAN)" if is_text or held == "BOOLEAN" else None
        case Kind.TIME:
            if is_time:
                return f"epoch_ms({name}::TIMESTAMPTZ)"
            if is_number:
                return in_ms
            text = f"coalesce(epoch_ms(TRY_CAST({name} AS TIMESTAMPTZ)), {in_ms})"
            return text if is_text else None


def _report_misfits(misfits: np.ma.MaskedArray[Any, Any], want: Wanted, faults: Faults) -> None:
    rows = np.flatnonzero(~np.ma.getmaskarray(misfits))
    texts = [str(misfits[row]) for row in faults.first(rows)]
    for row, text in zip(faults.first(rows), texts, strict=True):
        faults.add_row("RF804", int(row), f"`{text}` in column `{want.name}` is not {want.kind.value}")
    faults.count_rest("RF804", len(rows), f"values of column `{want.name}`")


def numbers(column: np.ma.MaskedArray[Any, Any]) -> NDArray[np.float64]:
    """A column of numbers with NaN for what is absent."""
    return np.ma.masked_array(column, dtype=np.float64).filled(np.nan)


def texts(column: np.ma.MaskedArray[Any, Any]) -> list[str | None]:
    """A column of text with None for what is absent."""
    return [None if absent else str(v) for v, absent in zip(column.data, np.ma.getmaskarray(column), strict=True)]


def _reason(error: duckdb.Error) -> str:
    first = str(error).split("\n")[0].partition(": ")[2] or str(error)
    return first[:1].lower() + first[1:].rstrip(".")
