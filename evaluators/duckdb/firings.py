"""How often rules fired in a run, and when: one pass over the masks, whatever the number of rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evaluators.duckdb.compiler import RulePlace
from evaluators.duckdb.result import Decided, Result
from evaluators.identifiers import quote
from policy_dsl.program import Tighten


@dataclass(frozen=True, slots=True)
class Count:
    """On how many rows a rule fired, and on how many of them for certain; the others for want of a fact."""

    rule: str
    fired: int
    definite: int

    @property
    def because_missing(self) -> int:
        """Firings that rest on something unknown."""
        return self.fired - self.definite


@dataclass(frozen=True, slots=True)
class Episode:
    """A rule that fired on the row `key` ("" for a fund-wide rule) at every snapshot from `start` to `end` (ms).

    `end` is the time of the last snapshot at which it fired, `snapshots` how many there were.
    """

    rule: str
    book: str
    key: str
    start: int
    end: int
    snapshots: int


def counts(result: Result, decided: Decided | None = None) -> tuple[Count, ...]:
    """How often each rule fired, by id; of `result.enforced` unless another is named."""
    decided = decided or result.enforced
    found: dict[str, Count] = {}
    for (relation, fired, definite), places in _words(decided).items():
        sums = [f"sum(n) FILTER ({mask} & {p.bit} <> 0)" for p in places for mask in ("f", "d")]
        row = result.connection.execute(
            f"SELECT {', '.join(sums)} FROM (SELECT {quote(fired)} AS f, {quote(definite)} AS d, count(*) AS n"
            f" FROM {quote(relation)} GROUP BY ALL)"
        ).fetchone()
        cells = iter(row or ())
        found |= {p.rule: Count(p.rule, int(next(cells) or 0), int(next(cells) or 0)) for p in places}
    return tuple(found[rule] for rule in sorted(found))


def episodes(result: Result, decided: Decided | None = None) -> tuple[Episode, ...]:
    """When each rule fired, by rule, book, key and time; only rows on which a mask changes leave the database."""
    decided = decided or result.enforced
    found: list[Episode] = []
    for (relation, fired, _), places in _words(decided).items():
        found += _unpacked(_changes(result, decided, relation, fired), places)
    return tuple(sorted(found, key=lambda e: (e.rule, e.book, e.key, e.start)))


def _changes(result: Result, decided: Decided, relation: str, fired: str) -> Iterator[tuple[Any, ...]]:
    """Book, key, time, number of the snapshot in its book, mask, and time and number of the row before.

    One row where the mask differs from before, or a snapshot between lacks the row. After the last row of each book
    and key comes one with an empty mask.
    """
    keyed = relation != decided.relation(None)
    key, rows = ("key", f"{quote(relation)} JOIN snapshots USING (book, ts)") if keyed else ("''", "snapshots")
    cursor = result.connection.execute(
        f"""WITH snapshots AS (
          SELECT *, row_number() OVER (PARTITION BY book ORDER BY ts) AS n
          FROM (SELECT book, ts{"" if keyed else f", {quote(fired)}"} FROM {quote(decided.relation(None))})
        ), numbered AS (
          SELECT book, {key} AS key, epoch_ms(ts) AS ms, n, {quote(fired)} AS mask,
            lag(epoch_ms(ts)) OVER w AS ms_before, lag(n) OVER w AS n_before,
            lag({quote(fired)}) OVER w AS mask_before, lead(n) OVER w IS NULL AS is_last
          FROM {rows} WINDOW w AS (PARTITION BY book, {key} ORDER BY n)
        )
        SELECT book, key, ms, n, mask, ms_before, n_before FROM numbered
        WHERE mask IS DISTINCT FROM mask_before OR n IS DISTINCT FROM n_before + 1
        UNION ALL
        SELECT book, key, NULL, n + 1, 0, ms, n FROM numbered WHERE is_last
        ORDER BY 1, 2, 4"""
    )
    while rows_ := cursor.fetchmany(10_000):
        yield from rows_


def _unpacked(changes: Iterator[tuple[Any, ...]], places: list[RulePlace]) -> Iterator[Episode]:
    begun: dict[str, tuple[int, int]] = {}
    for book, key, ms, number, mask, ms_before, number_before in changes:
        gone = number_before is None or number > number_before + 1
        for place in places:
            if place.rule in begun and (gone or not mask & place.bit):
                start, first = begun.pop(place.rule)
                yield Episode(place.rule, book, key, start, ms_before, number_before - first + 1)
            if place.rule not in begun and mask & place.bit:
                begun[place.rule] = (ms, number)


@dataclass(frozen=True, slots=True)
class Denial:
    """On how many requests a rule asked to deny, for certain, and on how many it was the only one to."""

    rule: str
    fired: int
    definite: int
    alone: int


def denials(result: Result, output: str = "verdict", decided: Decided | None = None) -> tuple[Denial, ...]:
    """For each rule for each request that tightens the verdict, how many requests it denied."""
    decided = decided or result.enforced
    entity = decided.outputs[output].output.entity
    relation = decided.relation(entity)
    denying = {
        rule.id
        for rule in decided.program.rules
        if rule.scope is not None and any(isinstance(e, Tighten) and e.output == output for e in rule.effects)
    }
    places = [p for p in decided.rules.values() if p.rule in denying and p.relation == relation]
    alone = _alone(result, relation, places)
    return tuple(Denial(c.rule, c.fired, c.definite, alone[c.rule]) for c in counts(result, decided) if c.rule in alone)


def _alone(result: Result, relation: str, places: list[RulePlace]) -> dict[str, int]:
    """On how many rows each of the rules fired, and no other of them."""
    bits: dict[str, int] = {}
    for place in places:
        bits[place.fired] = bits.get(place.fired, 0) | place.bit
    if not places:
        return {}
    tests = []
    for place in places:
        own = [f"({quote(c)} & {b}) = {place.bit if c == place.fired else 0}" for c, b in bits.items()]
        tests.append(f"count_if({' AND '.join(own)})")
    row = result.connection.execute(f"SELECT {', '.join(tests)} FROM {quote(relation)}").fetchone()
    return {place.rule: int(count) for place, count in zip(places, row or (), strict=True)}


def _words(decided: Decided) -> dict[tuple[str, str, str], list[RulePlace]]:
    """The rules of each pair of masks."""
    found: dict[tuple[str, str, str], list[RulePlace]] = {}
    for place in decided.rules.values():
        found.setdefault((place.relation, place.fired, place.definite), []).append(place)
    return found
