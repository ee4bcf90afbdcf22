"""The course of an output over a run: when it changed, from what to what, how often it held which value."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.decision import OutputValue
from evaluators.duckdb.compiler import OutputPlace
from evaluators.duckdb.result import Decided, Result
from evaluators.duckdb.values import columns_of, decode, exists, whole
from evaluators.identifiers import quote


@dataclass(frozen=True, slots=True)
class Change:
    """An output (on the row `key`, "" for a fund-wide one) that holds `value` from `ts` (ms) on."""

    book: str
    key: str
    ts: int
    value: OutputValue


@dataclass(frozen=True, slots=True)
class Transition:
    """How often one value followed another, or itself, from one row of a book (and key) to the next."""

    before: OutputValue
    after: OutputValue
    count: int


def timeline(result: Result, output: str, decided: Decided | None = None) -> tuple[Change, ...]:
    """The first value of an output in each book (and key), and every other that it changed to, in order of time."""
    place = (decided or result.enforced).outputs[output]
    key = _key(place)
    rows = result.connection.execute(
        f"""SELECT book, {key}, epoch_ms(ts), {_listed(place)} FROM (
          SELECT *, {whole(place)} AS "value now", lag({whole(place)}) OVER w AS "value before",
            row_number() OVER w AS "row number"
          FROM {quote(place.relation)} WHERE {exists(place)}
          WINDOW w AS (PARTITION BY book, {key} ORDER BY ts))
        WHERE "row number" = 1 OR "value now" IS DISTINCT FROM "value before"
        ORDER BY 1, 2, 3"""
    ).fetchall()
    return tuple(Change(book, key, ts, decode(place, cells)) for book, key, ts, *cells in rows)


def transitions(result: Result, output: str, decided: Decided | None = None) -> tuple[Transition, ...]:
    """The transition matrix of an output, by values: also how often it stayed what it was."""
    place = (decided or result.enforced).outputs[output]
    columns = [quote(column) for column in columns_of(place)]
    before = [f"lag({c}) OVER w AS b{i}" for i, c in enumerate(columns)]
    after = [f"{c} AS a{i}" for i, c in enumerate(columns)]
    rows = result.connection.execute(
        f"""SELECT * EXCLUDE n, count(*) FROM (
          SELECT {", ".join(before + after)}, row_number() OVER w AS n
          FROM {quote(place.relation)} WHERE {exists(place)}
          WINDOW w AS (PARTITION BY book, {_key(place)} ORDER BY ts))
        WHERE n > 1 GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    size = len(columns)
    return tuple(Transition(decode(place, r[:size]), decode(place, r[size:-1]), r[-1]) for r in rows)


def distribution(result: Result, output: str, decided: Decided | None = None) -> tuple[tuple[OutputValue, int], ...]:
    """On how many rows an output held each of its values."""
    place = (decided or result.enforced).outputs[output]
    rows = result.connection.execute(
        f"SELECT {_listed(place)}, count(*) FROM {quote(place.relation)} WHERE {exists(place)}"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return tuple((decode(place, cells), count) for *cells, count in rows)


@dataclass(frozen=True, slots=True)
class Difference:
    """An output that two runs decided differently: on how many rows, of how many that both have."""

    output: str
    changed: int
    compared: int


def compare(result: Result, before: Decided, after: Decided) -> tuple[Difference, ...]:
    """For each output that both runs (on this connection) have, how often they decided differently."""
    found = []
    for id in before.outputs.keys() & after.outputs.keys():
        source = _both(before.outputs[id], after.outputs[id])
        differs = _differs(before.outputs[id], after.outputs[id])
        row = result.connection.execute(f"SELECT count_if({differs}), count(*) {source}").fetchone()
        changed, compared = row or (0, 0)
        found.append(Difference(id, changed, compared))
    return tuple(sorted(found, key=lambda d: d.output))


def changed(
    result: Result, before: Decided, after: Decided, output: str, *, limit: int = 1000
) -> tuple[tuple[str, int, str, OutputValue, OutputValue], ...]:
    """The first rows that two runs decided differently: book, time (ms), key, both values."""
    a, b = before.outputs[output], after.outputs[output]
    left = [f"a.{quote(c)}" for c in columns_of(a)]
    right = [f"b.{quote(c)}" for c in columns_of(b)]
    key = "a.key" if a.output.entity is not None else "''"
    rows = result.connection.execute(
        f"SELECT a.book, epoch_ms(a.ts), {key}, {', '.join(left + right)} {_both(a, b)} AND {_differs(a, b)}"
        f" ORDER BY 1, 2, 3 LIMIT {int(limit)}"
    ).fetchall()
    size = 3 + len(left)
    return tuple((*r[:3], decode(a, r[3:size]), decode(b, r[size:])) for r in rows)


def _both(a: OutputPlace, b: OutputPlace) -> str:
    keys = "a.book = b.book AND a.ts = b.ts" + (" AND a.key = b.key" if a.output.entity is not None else "")
    there = f"{exists(a, 'a.')} AND {exists(b, 'b.')}"
    return f"FROM {quote(a.relation)} a JOIN {quote(b.relation)} b ON {keys} WHERE {there}"


def _differs(a: OutputPlace, b: OutputPlace) -> str:
    """Whether the values differ; as text, for two programs may declare other levels or items."""
    left, right = _parts(a, "a."), _parts(b, "b.")
    tests = [
        f"{left.get(part, nothing)}::VARCHAR IS DISTINCT FROM {right.get(part, nothing)}::VARCHAR"
        for part in {**left, **right}
        for nothing in ["NULL" if part[1] else "FALSE"]
    ]
    return f"({' OR '.join(tests) or 'false'})"


def _parts(place: OutputPlace, prefix: str) -> dict[tuple[str, int], str]:
    """The columns of a value: the item and 0 for whether it is held, and the number of an argument."""
    if place.column is not None:
        return {("", 0): prefix + quote(place.column)}
    held = {(item, 0): prefix + quote(column) for item, column in place.items.items()}
    given = {
        (item, i): prefix + quote(column)
        for item, columns in place.arguments.items()
        for i, column in enumerate(columns, start=1)
    }
    return held | given


def _listed(place: OutputPlace) -> str:
    return ", ".join(quote(column) for column in columns_of(place))


def _key(place: OutputPlace) -> str:
    return "''" if place.output.entity is None else "key"
