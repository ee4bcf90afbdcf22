"""The decisions of a run as the objects that every evaluator answers with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import duckdb

from evaluators.decision import Decision, Firing, Grants, OutputValue, PerRow
from evaluators.duckdb.compiler import OutputPlace
from evaluators.duckdb.evaluator import DuckdbEvaluator
from evaluators.duckdb.loading import load_snapshots
from evaluators.duckdb.result import Decided, Result
from evaluators.identifiers import quote
from evaluators.snapshot import Snapshot
from policy_dsl.program import Program
from policy_dsl.types import Levels

Moment = tuple[str, int]
"""A book and a time (ms)."""

Record = dict[str, Any]
"""A row of a relation, by column."""


def decide_all(program: Program, snapshots: Sequence[Snapshot]) -> list[Decision]:
    """Decide snapshots held in memory, in their order; any book and time may occur more than once."""
    evaluator = DuckdbEvaluator(program)
    books = [f"{i:08d}" for i in range(len(snapshots))]
    with duckdb.connect() as connection:
        load_snapshots(connection, program, snapshots, books)
        found = {d.book: d for d in decisions(evaluator.run(connection))}
    return [replace(found[book], book=s.book) for book, s in zip(books, snapshots, strict=True)]


def decisions(result: Result) -> list[Decision]:
    """Every decision of a run, by book and time."""
    enforced = _read(result, result.enforced)
    if result.whole is None:
        return [Decision(book, ts, outputs, firings) for (book, ts), (outputs, firings) in sorted(enforced.items())]
    whole = _read(result, result.whole)
    observing = {rule.id for rule in result.whole.program.rules if rule.observing}
    out = []
    for moment, (outputs, firings) in sorted(enforced.items()):
        loose, all_firings = whole[moment]
        would_be = {id: value for id, value in loose.items() if value != outputs[id]}
        observed = tuple(f for f in all_firings if f.rule in observing)
        out.append(Decision(*moment, outputs, firings, would_be, observed))
    return out


def _read(result: Result, decided: Decided) -> dict[Moment, tuple[dict[str, OutputValue | PerRow], tuple[Firing, ...]]]:
    """Outputs and sorted firings of every snapshot."""
    outputs: dict[Moment, dict[str, Any]] = {}
    firings: dict[Moment, list[Firing]] = {}
    for moment, row in _records(result, decided.relation(None)):
        outputs[moment] = {
            id: {} if place.output.entity is not None else _value(place, row) for id, place in decided.outputs.items()
        }
        firings[moment] = list(_fired(decided, decided.relation(None), "", row))
    for entity in decided.entities:
        own = {id: place for id, place in decided.outputs.items() if place.output.entity == entity}
        for moment, row in _records(result, decided.relation(entity)):
            firings[moment] += _fired(decided, decided.relation(entity), row["key"], row)
            for id, place in own.items():
                if _exists(place, row):
                    outputs[moment][id][row["key"]] = _value(place, row)
    return {moment: (outputs[moment], tuple(sorted(firings[moment]))) for moment in outputs}


def _records(result: Result, relation: str) -> Iterator[tuple[Moment, Record]]:
    cursor = result.connection.execute(f"SELECT * REPLACE (epoch_ms(ts) AS ts) FROM {quote(relation)}")
    names = [column[0] for column in cursor.description or ()]
    while rows := cursor.fetchmany(10_000):
        for row in rows:
            record = dict(zip(names, row, strict=True))
            yield (record["book"], record["ts"]), record


def _fired(decided: Decided, relation: str, key: str, row: Record) -> Iterator[Firing]:
    for place in decided.rules.values():
        if place.relation == relation and row[place.fired] & place.bit:
            yield Firing(place.rule, key, bool(row[place.definite] & place.bit))


def _exists(place: OutputPlace, row: Record) -> bool:
    """Whether a row is one of the collection: outputs of a stand-in are NULL."""
    columns = [place.column] if place.column is not None else list(place.items.values())
    return all(row[column] is not None for column in columns)


def _value(place: OutputPlace, row: Record) -> OutputValue:
    if place.column is None:
        return _grants(place, row)
    value = row[place.column]
    kind = place.output.type
    return kind.rank(value) if isinstance(kind, Levels) else value


def _grants(place: OutputPlace, row: Record) -> Grants:
    held = [item for item, column in place.items.items() if row[column]]
    return tuple((item, tuple(row[c] for c in place.arguments[item])) for item in held)
