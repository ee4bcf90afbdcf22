"""The decisions of a run as the objects that every evaluator answers with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from evaluators.decision import Decision, Firing, OutputValue, PerRow
from evaluators.duckdb.compiler import OutputPlace
from evaluators.duckdb.evaluator import DuckdbEvaluator
from evaluators.duckdb.loading import load_snapshots
from evaluators.duckdb.result import Decided, Result
from evaluators.duckdb.values import columns_of, decode
from evaluators.identifiers import quote
from evaluators.recording_reader import between
from evaluators.snapshot import Snapshot
from evaluators.support import looks_back
from evaluators.timelines import DEFAULT_MAX_GAP
from policy_dsl.program import Program

_AT_ONCE = 10_000

Moment = tuple[str, int]
"""A book and a time (ms)."""

Outputs = dict[str, Any]
"""Values by output, or by output and key."""


def decide_all(program: Program, snapshots: Sequence[Snapshot], *, max_gap: int = DEFAULT_MAX_GAP) -> list[Decision]:
    """Decide snapshots held in memory; the decisions are in their order.

    Of a program that looks back, no two snapshots of a book may have the same time. Otherwise any book and time may
    occur more than once.
    """
    evaluator = DuckdbEvaluator(program, max_gap=max_gap)
    books = [s.book if looks_back(program) else f"{i:08d}" for i, s in enumerate(snapshots)]
    with duckdb.connect() as connection:
        load_snapshots(connection, program, snapshots, books)
        found = {(d.book, d.ts): d for d in decisions(evaluator.run(connection))}
    return [replace(found[book, s.ts], book=s.book) for book, s in zip(books, snapshots, strict=True)]


def decisions(result: Result, since: int | None = None, until: int | None = None) -> list[Decision]:
    """The decisions of a run with `since <= ts < until` (ms), by book and time; all of them are held in memory."""
    times = between(since, until)
    enforced = _read(result, result.enforced, times)
    if result.whole is None:
        return [Decision(*moment, outputs, firings) for moment, (outputs, firings) in sorted(enforced.items())]
    whole = _read(result, result.whole, times)
    observing = {rule.id for rule in result.whole.program.rules if rule.observing}
    out = []
    for moment, (outputs, firings) in sorted(enforced.items()):
        promoted, all_firings = whole[moment]
        would_be = {id: value for id, value in promoted.items() if value != outputs[id]}
        observed = tuple(f for f in all_firings if f.rule in observing)
        out.append(Decision(*moment, outputs, firings, would_be, observed))
    return out


def _read(
    result: Result, decided: Decided, times: Sequence[str]
) -> dict[Moment, tuple[dict[str, OutputValue | PerRow], tuple[Firing, ...]]]:
    """Outputs and sorted firings of every snapshot where `times` hold; equal outputs may be one object."""
    found: dict[Moment, tuple[Outputs, list[Firing]]] = {}
    by_row = {id for id, place in decided.outputs.items() if place.output.entity is not None}
    fund = _Reader.of(decided, None)
    for cells in fund.rows(result.connection, times):
        values = fund.values(cells)
        outputs = {id: {} if id in by_row else values[id] for id in decided.outputs} if by_row else values
        found[cells[0], cells[1]] = outputs, fund.firings("", cells)
    for entity in decided.entities:
        reader = _Reader.of(decided, entity)
        for cells in reader.rows(result.connection, times):
            outputs, firings = found[cells[0], cells[1]]
            firings += reader.firings(cells[2], cells)
            for id, value in reader.values(cells).items():
                outputs[id][cells[2]] = value
    return {moment: (outputs, tuple(sorted(firings))) for moment, (outputs, firings) in found.items()}


@dataclass(slots=True)
class _Reader:
    """Reads one relation: which cells of a row hold which output, and which rules its masks name.

    `known` and `seen` remember what masks and cells mean, for few of them differ.
    """

    relation: str
    leading: int
    columns: list[str]
    outputs: dict[str, tuple[OutputPlace, slice]]
    masks: dict[tuple[str, str], list[tuple[str, int]]]
    known: dict[tuple[str, str, int, int], list[tuple[str, bool]]] = field(default_factory=dict)
    seen: dict[tuple[Any, ...], Outputs] = field(default_factory=dict)

    @classmethod
    def of(cls, decided: Decided, entity: str | None) -> _Reader:
        relation = decided.relation(entity)
        columns = ["book", "ts"] if entity is None else ["book", "ts", "key"]
        leading, outputs = len(columns), {}
        for id, place in decided.outputs.items():
            if place.output.entity == entity:
                outputs[id] = place, slice(len(columns), len(columns) + len(columns_of(place)))
                columns += columns_of(place)
        masks: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for rule in decided.rules.values():
            if rule.relation == relation:
                masks.setdefault((rule.fired, rule.definite), []).append((rule.rule, rule.bit))
        columns += [column for pair in masks for column in pair]
        return cls(relation, leading, columns, outputs, masks)

    def rows(self, connection: duckdb.DuckDBPyConnection, times: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """The relation's rows where `times` hold: book, time in ms, the key if there is one, outputs, masks."""
        listed = ["book", "epoch_ms(ts)", *(quote(column) for column in self.columns[2:])]
        where = " AND ".join(times) or "true"
        cursor = connection.execute(f"SELECT {', '.join(listed)} FROM {quote(self.relation)} WHERE {where}")
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows

    def values(self, cells: tuple[Any, ...]) -> Outputs:
        """The outputs of a row, not to be changed; none where it stands in for a missing collection."""
        own = cells[self.leading : len(cells) - 2 * len(self.masks)]
        found = self.seen.get(own)
        if found is None:
            held = {id: (place, cells[where]) for id, (place, where) in self.outputs.items()}
            found = {id: decode(place, c) for id, (place, c) in held.items() if not c or c[0] is not None}
            if len(self.seen) >= _AT_ONCE:
                self.seen.clear()
            self.seen[own] = found
        return found

    def firings(self, key: str, cells: tuple[Any, ...]) -> list[Firing]:
        """The rules that fired on a row."""
        found = []
        at = len(cells) - 2 * len(self.masks)
        for (fired, definite), rules in self.masks.items():
            name = fired, definite, cells[at], cells[at + 1]
            if name not in self.known:
                self.known[name] = [(rule, bool(name[3] & bit)) for rule, bit in rules if name[2] & bit]
            found += [Firing(rule, key, certain) for rule, certain in self.known[name]]
            at += 2
        return found
