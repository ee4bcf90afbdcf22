"""Folds over events that say the same until an event comes, or leaves its window.

A fold that reads nothing but the events, and the key of the row that they are for, need not be worked out anew at every
snapshot. It is at each *step*, the first snapshot with another set of events, and holds until the next one. So a window
costs what happens in it, not how many snapshots it is long.
"""

from __future__ import annotations

from evaluators.duckdb.event_rows import Parts, spans
from evaluators.duckdb.frames import Carried, Column, Frame, Raw
from evaluators.duckdb.reads import key_of
from evaluators.duckdb.selects import TableName, layers, lines, named, origin_of, raw_text
from evaluators.duckdb.stages import Stage, Stages
from evaluators.identifiers import quote


def mark_steady(stages: Stages) -> None:
    """Mark the stages of events whose folds are all steady: nobody needs their rows at every snapshot."""
    for event in stages.frames.events:
        found = [stage for stage in stages.in_order if event in stage.frame.entities]
        if all(_is_steady(stages, stage) for stage in found):
            for stage in found:
                stage.steady = True
                stage.written.clear()


def _is_steady(stages: Stages, stage: Stage) -> bool:
    *around, event = stage.frame.entities
    rows = stages.frames.events.get(event)
    if rows is None or stage.previous is not None or any(entity in stages.frames.events for entity in around):
        return False
    if around and (len(around) > 1 or rows.match is None or stage.written):
        return False
    read = {c for part in [*stage.rollups.values(), *(o.definition for o in stage.own)] if part for c in part.columns}
    return all(c.definition is not None or _is_event_or_key(c) for c in read)


def _is_event_or_key(column: Column) -> bool:
    """Whether a column of the frame of events is a field of the event, or the key of the row around."""
    match column.origin:
        case Raw():
            return True
        case Carried(column=Column(origin=Raw()) as other, mapping=(1,)):
            return other.frame.entities == column.frame.entities[1:]
        case Carried(column=other, mapping=(0,)):
            return len(column.frame.entities) > 1 and other is key_of(other.frame)
    return False


def steady_aggregates(stages: Stages, stage: Stage, table: TableName) -> str:
    """A query for the aggregates over the events of `stage`, at the snapshots (or rows) that have any event at all."""
    parts = _placed(stages, stage, table)
    parts += layers(stage, parts[-1][0])
    events = parts[-1][0]
    parts += _stepped(stage, events)
    # What is read more than once is computed once.
    kept = {"seen", "places", "steps", events}
    text = ",\n".join(f"{n} AS {'' if n in kept else 'NOT '}MATERIALIZED (\n  {query}\n)" for n, query in parts)
    return f"WITH {text}\n{_at_rows(stages, stage, table)}"


def _placed(stages: Stages, stage: Stage, table: TableName) -> Parts:
    """Each event at every place where it may count.

    A `place` is a number for what has events of its own: a book, or a key in a book.
    """
    frames, entity = stages.frames, stage.frame.entities[-1]
    events, lone, outer = frames.events[entity], frames.of(entity), frames.of(*stage.frame.entities[:-1])
    raws = [c for c in stages.made[lone, lone.first_round].own if isinstance(c.origin, Raw)]
    snapshots = quote(table(stages.numbered))
    parts = spans(events, frames, snapshots, [named(raw_text(c, ""), c.name) for c in raws])
    parts.append(("seen", "SELECT * FROM spans WHERE n_from <= n_to"))
    if outer is frames.fund:
        books = f"SELECT DISTINCT {quote(frames.moment(outer)[0].name)} AS book FROM {snapshots}"
        parts.append(("places", f"SELECT *, row_number() OVER () AS place FROM ({books})"))
        parts.append(("base", "SELECT e.* EXCLUDE (book), p.place FROM seen e JOIN places p ON e.book = p.book"))
        return parts
    rows = quote(outer.entities[0])
    keys = f"SELECT DISTINCT book, key AS key_around FROM {rows}"
    if outer.stand_ins:
        keys += " UNION ALL SELECT DISTINCT book, NULL FROM seen"
    parts.append(("places", f"SELECT *, row_number() OVER () AS place FROM ({keys})"))
    (match,) = (quote(c.name) for c in raws if isinstance(c.origin, Raw) and c.origin.column == events.match)
    parts.append(("base", _matched(stage, outer, match)))
    return parts


def _matched(stage: Stage, outer: Frame, match: str) -> str:
    """The events that match the key of a place, or may: where either is not known, nobody can say."""
    carried = [(c, origin_of(c)) for c in stage.own if isinstance(c.origin, Carried)]
    fields = [
        named("p.key_around" if other is key_of(outer) else f"e.{quote(other.name)}", column.name)
        for column, other in carried
        if isinstance(other.origin, Raw)
    ]
    head = f"SELECT {lines([*fields, 'p.place', 'e.n_from', 'e.n_to'])}"
    text = f"{head}\n  FROM seen e JOIN places p ON e.book = p.book AND e.{match} = p.key_around"
    text += f"\n  UNION ALL\n  {head}\n  FROM seen e JOIN places p ON e.book = p.book\n  WHERE e.{match} IS NULL"
    if outer.stand_ins:
        text += (
            f"\n  UNION ALL\n  {head}\n  FROM seen e JOIN places p ON e.book = p.book"
            f"\n  WHERE e.{match} IS NOT NULL AND p.key_around IS NULL"
        )
    return text


def _stepped(stage: Stage, events: str) -> Parts:
    """The folds at every step, and at every snapshot up to the next one."""
    folds = lines([named(aggregate.text, column.name) for column, aggregate in stage.rollups.items()])
    columns = lines([quote(column.name) for column in stage.rollups])
    changes = f"SELECT place, n_from AS n FROM {events} UNION SELECT place, n_to + 1 FROM {events}"
    over = "OVER (PARTITION BY place ORDER BY n)"
    return [
        ("steps", f"SELECT *, row_number() {over} AS step, lead(n) {over} AS n_next\n  FROM ({changes})"),
        (
            "each",
            f"""SELECT e.*, unnest(range(a.step, b.step)) AS step
  FROM {events} e
  JOIN steps a ON e.place = a.place AND e.n_from = a.n
  JOIN steps b ON e.place = b.place AND e.n_to + 1 = b.n""",
        ),
        ("folded", f"SELECT place, step,\n    {folds}\n  FROM each GROUP BY place, step"),
        (
            "spread",
            f"""SELECT f.place, unnest(range(s.n, s.n_next)) AS n,
    {columns}
  FROM folded f JOIN steps s ON f.place = s.place AND f.step = s.step""",
        ),
    ]


def _at_rows(stages: Stages, stage: Stage, table: TableName) -> str:
    """The folds by what names the snapshot, or the row, as everybody joins them."""
    frames, outer = stages.frames, stages.frames.of(*stage.frame.entities[:-1])
    (name,) = (quote(c.name) for c in stages.outer_ids(stage.frame))
    book, number = quote(frames.moment(frames.fund)[0].name), quote(frames.number().name)
    snapshot = quote(frames.fund.row_id().name)
    columns = [f"f.{quote(column.name)}" for column in stage.rollups]
    joined = f"""FROM spread f
JOIN places p ON f.place = p.place
JOIN {quote(table(stages.numbered))} s ON p.book = s.{book} AND f.n = s.{number}"""
    if outer is frames.fund:
        return f"SELECT {lines([f's.{snapshot} AS {name}', *columns])}\n{joined}"
    rows, own = quote(table(stages.made[outer, outer.first_round])), quote(frames.snapshot_id(outer).name)
    same = "IS NOT DISTINCT FROM" if outer.stand_ins else "="
    joined += f"\nJOIN {rows} l ON l.{own} = s.{snapshot} AND l.{quote(key_of(outer).name)} {same} p.key_around"
    return f"SELECT {lines([f'l.rowid AS {name}', *columns])}\n{joined}"
