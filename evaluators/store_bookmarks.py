"""Bookmarks in the store: the newest one of each book and bundle."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from evaluators.bookmarks import Bookmark
from evaluators.queries import first_row


def save_bookmarks(connection: duckdb.DuckDBPyConnection, bookmarks: Iterable[Bookmark]) -> None:
    """Keep bookmarks in place of those before, in the transaction of the caller."""
    for made in bookmarks:
        connection.execute("DELETE FROM log.bookmark WHERE book = ? AND bundle = ?", [made.book, made.bundle])
        connection.execute(
            "INSERT INTO log.bookmark VALUES (?, ?, make_timestamp_ms(?), ?, ?, ?)",
            [made.book, made.bundle, made.ts, made.maker, made.leaves, made.digest],
        )


def read_bookmark(connection: duckdb.DuckDBPyConnection, book: str, bundle: str) -> Bookmark | None:
    """The bookmark of a book and a bundle; None if there is none, or it is damaged."""
    found = first_row(
        connection,
        "SELECT book, bundle, epoch_ms(ts), maker, leaves, digest FROM log.bookmark WHERE book = ? AND bundle = ?",
        [book, bundle],
    )
    if found is None:
        return None
    *fields, digest = found
    made = Bookmark(*fields)
    return made if made.digest == digest else None
