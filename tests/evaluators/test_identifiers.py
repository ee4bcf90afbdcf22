"""No name and no text escapes from the place in a statement where it was put."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.identifiers import literal, quote

EVIL = st.sampled_from(
    ('"', "'", "''", '""', "\\", "\\'", "--", "/*", "*/", ";", "$$", "\n", "select", "{x}", "?", "$1", "%s")
)
TEXTS = st.lists(EVIL | st.text(max_size=5), min_size=1, max_size=6).map("".join)
SQL_TEXTS = TEXTS.filter(lambda t: "\0" not in t and not any("\ud800" <= c <= "\udfff" for c in t))


@given(SQL_TEXTS)
def test_a_literal_is_the_text(text: str) -> None:
    with duckdb.connect() as connection:
        statements = duckdb.extract_statements(f"SELECT {literal(text)} AS a, 1 AS b")
        assert len(statements) == 1
        assert connection.execute(statements[0]).fetchall() == [(text, 1)]


@given(SQL_TEXTS)
def test_an_identifier_is_the_name(name: str) -> None:
    if not name:
        return
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE {quote(name)} ({quote(name)} INTEGER, last INTEGER)")
        found = connection.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall()
        assert found == [(name, name), (name, "last")]


@pytest.mark.parametrize("make", [quote, literal])
@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800", "a\udfffb"])
def test_what_sql_cannot_hold_is_refused(make: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match="cannot be an SQL"):
        make(text)


def test_an_empty_name_is_refused_and_empty_text_is_not() -> None:
    with pytest.raises(ValueError, match="cannot be an SQL identifier"):
        quote("")
    assert literal("") == "''"
