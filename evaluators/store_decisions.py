"""Decisions in the store: their values as JSON, in quanta and ranks, so that a replay compares exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from evaluators.decision import Decision, Firing, OutputValue, PerRow
from evaluators.recording_reader import between

_COLUMNS = "id, bundle, book, epoch_ms(ts), outputs, firings, would_be, observed"
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as it was saved: its number in the store, and the hash of the bundle that decided."""

    id: int
    bundle: str
    decision: Decision


def insert_decisions(connection: duckdb.DuckDBPyConnection, decisions: Iterable[StoredDecision]) -> None:
    """Append decisions, in the transaction of the caller."""
    for stored in decisions:
        decision = stored.decision
        connection.execute(
            "INSERT INTO log.decision VALUES (?, ?, ?, make_timestamp_ms(?), ?, ?, ?, ?)",
            [
                stored.id,
                stored.bundle,
                decision.book,
                decision.ts,
                _written(decision.outputs),
                _text([[f.rule, f.key, f.definite] for f in decision.firings]),
                _written(decision.would_be),
                _text([[f.rule, f.key, f.definite] for f in decision.observed]),
            ],
        )


def read_decisions(
    connection: duckdb.DuckDBPyConnection,
    *,
    book: str | None = None,
    bundle: str | None = None,
    id: int | None = None,
    since: int | None = None,
    until: int | None = None,
) -> Iterator[StoredDecision]:
    """The decisions with `since <= ts < until` (ms) that match, in the order in which they were saved."""
    wanted = {"book": book, "bundle": bundle, "id": id}
    named = {name: value for name, value in wanted.items() if value is not None}
    conditions = [*(f"{name} = ?" for name in named), *between(since, until)]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT {_COLUMNS} FROM log.decision {where} ORDER BY id", list(named.values()))
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from map(_stored, rows)
    finally:
        cursor.close()


def _stored(row: tuple[Any, ...]) -> StoredDecision:
    number, bundle, book, ts, outputs, firings, would_be, observed = row
    decision = Decision(book, ts, _read(outputs), _firings(firings), _read(would_be), _firings(observed))
    return StoredDecision(number, bundle, decision)


def _written(outputs: Mapping[str, OutputValue | PerRow]) -> str:
    return _text({id: _plain(value) for id, value in outputs.items()})


def _plain(value: OutputValue | PerRow) -> Any:
    """Scalars as they are, grants as `{"grants": [[item, [args]]]}`, values of each row as `{"rows": {key: value}}`."""
    if isinstance(value, Mapping):
        return {"rows": {key: _plain(inner) for key, inner in value.items()}}
    return {"grants": value} if isinstance(value, tuple) else value


def _read(text: str) -> dict[str, OutputValue | PerRow]:
    return {id: _value(value) for id, value in json.loads(text).items()}


def _value(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    if "rows" in plain:
        return {key: _value(inner) for key, inner in plain["rows"].items()}
    return tuple((item, tuple(arguments)) for item, arguments in plain["grants"])


def _firings(text: str) -> tuple[Firing, ...]:
    return tuple(Firing(*parts) for parts in json.loads(text))


def _text(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":"))
