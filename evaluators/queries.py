"""Small questions to DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb


def first_row(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()
) -> tuple[Any, ...] | None:
    """The first row of a small result, None if it has none; the result is read to its end, as it must be.

    An open result keeps its connection from being given new data.
    """
    rows = connection.execute(sql, list(parameters)).fetchall()
    return rows[0] if rows else None
