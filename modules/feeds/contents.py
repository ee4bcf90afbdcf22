"""What kind of recorded data a file holds, told by what is in it and not by its name."""

from __future__ import annotations

import enum
from pathlib import Path

import duckdb

from modules.feeds.columns import PARQUET_MAGIC
from modules.feeds.faults import Faults
from modules.feeds.lines import parse, read_text
from policy_dsl.files import words_of


class Content(enum.Enum):
    """Kinds of files. The value is how a message calls them."""

    CANDLES = "candles"
    TRADES = "closed trades"
    SIGNALS = "signals"
    OBSERVATIONS = "policy observations"
    SYMBOL_RECORDS = "symbol records"


_KNOWN = "it reads " + ", ".join(c.value for c in Content)


def content_of(path: Path) -> Content:
    """The kind of content of a file.

    Raises PolicyError: RF801 unreadable, RF802 empty, RF808 nothing that it knows.
    """
    faults = Faults(path)
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise faults.unreadable(words_of(error)) from error
    if not head.strip():
        raise faults.fatal("RF802", f"`{path.name}` is empty", "give a file with at least one row")
    found = _of_json(path, faults) if head.lstrip()[:1] == b"{" else _of_table(path, head, faults)
    if found is None:
        raise faults.fatal("RF808", f"`{path.name}` holds nothing that can be imported", _KNOWN)
    return found


def _of_json(path: Path, faults: Faults) -> Content | None:
    text = read_text(path, faults)
    first = text.lstrip().partition("\n")[0]
    try:
        document = parse(first)
    except ValueError:
        return _of_whole_json(text, faults)
    if not isinstance(document, dict):
        return None
    if "signal" in document:
        return Content.SIGNALS
    return Content.OBSERVATIONS if "inputs" in document else _of_whole_json(text, faults)


def _of_whole_json(text: str, faults: Faults) -> Content | None:
    try:
        document = parse(text)
    except ValueError as error:
        raise faults.unreadable(f"it is neither JSON nor lines of JSON: {error}") from error
    rows = list(document.values()) if isinstance(document, dict) else []
    is_records = rows and all(isinstance(r, dict) and "trade_count" in r for r in rows)
    return Content.SYMBOL_RECORDS if is_records else None


def _of_table(path: Path, head: bytes, faults: Faults) -> Content | None:
    if head.startswith(PARQUET_MAGIC) or path.suffix == ".parquet":
        query = "DESCRIBE SELECT * FROM read_parquet(?)"
    else:
        query = "DESCRIBE SELECT * FROM read_csv(?, header = true, all_varchar = true)"
    try:
        with duckdb.connect() as connection:
            names = {str(row[0]).casefold() for row in connection.execute(query, [[str(path)]]).fetchall()}
    except duckdb.Error as error:
        raise faults.unreadable(str(error).split("\n")[0].partition(": ")[2]) from error
    if {"open", "high", "low"} <= names or {"close", "volume"} <= names:
        return Content.CANDLES
    return Content.TRADES if names & {"close_ts", "exit_reason", "closed_at", "close_date", "profit_abs"} else None
