"""The text of one statement: a chain of sub-queries from the tables it reads to the columns it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evaluators.duckdb.event_rows import beside, visible
from evaluators.duckdb.fragments import Fragment
from evaluators.duckdb.frames import Carried, Column, EventRows, LookedUp, Raw, RolledUp, RowId
from evaluators.duckdb.stages import REQUEST, Link, Stage, Stages, View
from evaluators.duckdb.windows import Windows
from evaluators.identifiers import quote

TableName = Callable[[Stage], str]


def rows(stages: Stages, stage: Stage, table: TableName, rollup: TableName, columns: Mapping[str, Fragment]) -> str:
    """A query for `columns` of the stage's rows, by the names they shall have."""
    text, last = _Select(stages, stage, table, rollup).chain()
    listed = ",\n  ".join(named(fragment.text, name) for name, fragment in columns.items())
    return f"{text}SELECT\n  {listed}\nFROM {last}"


def aggregates(stages: Stages, stage: Stage, table: TableName, rollup: TableName, source: str | None) -> str:
    """A query for the aggregates over the stage's rows; `source` is their table, if there is one."""
    text, last = ("", source) if source is not None else _Select(stages, stage, table, rollup).chain()
    ids = stages.outer_ids(stage.frame)
    listed = [quote(c.name) for c in ids]
    grouped = ", ".join(listed)
    listed += [named(aggregate.text, column.name) for column, aggregate in stage.rollups.items()]
    return f"{text}SELECT\n  {(',' + chr(10) + '  ').join(listed)}\nFROM {last}\nGROUP BY {grouped}"


def view(stage: Stage, shown: View, table: str) -> str:
    """A query for a relation over the table of its stage."""
    chain, last = "", quote(table)
    levels: dict[tuple[int, int], list[Column]] = {}
    for column in shown.derived:
        if column not in stage.written:
            levels.setdefault((column.round, column.level), []).append(column)
    if levels:
        # All parts of a mask are read from the whole one: each is asked for its own bits only.
        parts = [named(quote(w.name), p.name) for p, w in shown.masks.items() if p not in stage.written]
        chain, last = f"WITH base AS NOT MATERIALIZED (\n  SELECT {lines(['*', *parts])}\n  FROM {last}\n)", "base"
    for number, level in enumerate(sorted(levels), start=1):
        listed = [f"{_text_of(c)} AS {quote(c.name)}" for c in levels[level]]
        chain += f",\nlevel_{number} AS NOT MATERIALIZED (\n  SELECT *,\n    {lines(listed)}\n  FROM {last}\n)"
        last = f"level_{number}"
    listed = [f"{f.text} AS {quote(name)}" for name, f in shown.relation.columns.items()]
    return f"{chain}\nSELECT\n    {lines(listed)}\nFROM {last}".lstrip()


def named(text: str, name: str) -> str:
    """`text` as a column called `name`."""
    return text if text == quote(name) else f"{text} AS {quote(name)}"


@dataclass(slots=True)
class _Select:
    """One statement in the making."""

    stages: Stages
    stage: Stage
    table: TableName
    rollup: TableName
    parts: list[tuple[str, str]] = field(default_factory=list)

    def chain(self) -> tuple[str, str]:
        """The `WITH` clause, and the name of the last of its parts."""
        self.parts.append(("base", self._base()))
        self._join()
        self.parts += layers(self.stage, self.parts[-1][0])
        listed = ",\n".join(f"{name} AS NOT MATERIALIZED (\n  {text}\n)" for name, text in self.parts)
        return f"WITH {listed}\n", self.parts[-1][0]

    # --- the rows ----------------------------------------------------------------------------------------------------

    def _base(self) -> str:
        """The rows, with the columns that come with them."""
        previous = self.stage.previous
        if previous is not None:
            return self._continued(previous)
        if not self.stage.frame.entities:
            listed = [named(raw_text(c, ""), c.name) for c in self._raws()]
            return f"SELECT {lines(listed)}\n  FROM snapshot"
        if len(self.stage.frame.entities) > 1:
            return self._pairs()
        events = self.stages.frames.event_rows(self.stage.frame)
        return self._entity_rows() if events is None else self._event_rows(events)

    def _continued(self, previous: Stage) -> str:
        """The rows of the stage before, beside the windows over them."""
        listed = [self._from(previous, "b", c) for c in self.stage.used if c.round < self.stage.round]
        if not self.stage.windows:
            return f"SELECT {lines(listed)}\n  FROM {self._table(previous)} b"
        windows = Windows.of(self.stage)
        self.parts += windows.parts(self._table(previous))
        listed += [f"w.{quote(c.name)}" for c in self.stage.own if c in self.stage.windows]
        join = f"JOIN {self.parts[-1][0]} w ON b.rowid = w.{quote(windows.row)}"
        return f"SELECT {lines(listed)}\n  FROM {self._table(previous)} b\n  {join}"

    def _event_rows(self, events: EventRows) -> str:
        """The events in the window of each snapshot, beside it."""
        snapshots = self._table(self.stages.numbered)
        raws = [named(raw_text(c, ""), c.name) for c in self._raws()]
        self.parts += visible(events, self.stages.frames, snapshots, raws)
        shared = [named(self._text(self.stages.numbered, "s", origin_of(c)), c.name) for c in self._carried()]
        own = [f"e.{quote(c.name)}" for c in self._raws()]
        return f"SELECT {lines(shared + own)}\n  FROM {self.parts[-1][0]} e {beside(self.stages.frames, snapshots)}"

    def _raws(self) -> list[Column]:
        return [c for c in self.stage.own if isinstance(c.origin, Raw)]

    def _carried(self) -> list[Column]:
        """The columns of other frames that come with the rows."""
        return [c for c in self.stage.own if self.stages.comes_with_rows(c)]

    def _entity_rows(self) -> str:
        """The rows of an entity, beside their snapshot; a stand-in where the snapshot does not know the collection."""
        entity, frames = self.stage.frame.entities[0], self.stages.frames
        fund = self.stages.made[frames.fund, 0]
        shared = [named(self._text(fund, "s", origin_of(c)), c.name) for c in self._carried()]
        own = [named(raw_text(c, "e."), c.name) for c in self._raws()]
        known = None if entity == REQUEST else f"s.{quote(frames.known(entity).name)}"
        text = f"SELECT {lines(shared + own)}\n  FROM {quote(entity)} e"
        if not self.stages.stands_alone(self.stage):
            text += f"\n  JOIN {self._table(fund)} s ON e.book = s.book AND e.ts = s.ts"
            text += f"\n  WHERE {known}" if known is not None else ""
        if self.stage.frame.stand_ins:
            nothing = [_absent(c) for c in self._raws()]
            text += f"\n  UNION ALL\n  SELECT {lines(shared + nothing)}\n  FROM {self._table(fund)} s"
            text += f"\n  WHERE NOT {known}"
        return text

    def _pairs(self) -> str:
        """Every row of the smaller frame beside every row of the last entity, in the same snapshot."""
        frames, entities = self.stages.frames, self.stage.frame.entities
        rest, lone = frames.of(*entities[:-1]), frames.of(entities[-1])
        left, right = self.stages.made[rest, rest.first_round], self.stages.made[lone, 1]
        listed = []
        for column in self._carried():
            last = isinstance(column.origin, Carried) and column.origin.mapping == (len(entities) - 1,)
            stage, alias = (right, "r") if last else (left, "l")
            listed.append(named(self._text(stage, alias, origin_of(column)), column.name))
        same = [self._text(left, "l", frames.snapshot_id(rest)), self._text(right, "r", frames.snapshot_id(lone))]
        return (
            f"SELECT {lines(listed)}\n  FROM {self._table(left)} l"
            f"\n  JOIN {self._table(right)} r ON {same[0]} = {same[1]}"
        )

    # --- columns from other tables -----------------------------------------------------------------------------------

    def _join(self) -> None:
        """One more part, if there are columns to be read from other tables than those of the rows."""
        aliases: dict[object, str] = {}
        joins: list[str] = []
        places: dict[Column, str] = {}
        for column in self.stage.own:
            link = self.stages.link(column)
            if link is None:
                continue
            name = (link.table, link.pairs)
            if name not in aliases:
                aliases[name] = f"j{len(aliases) + 1}"
                joins.append(self._joined(link, aliases[name], column, places))
            places[column] = self._place(link, aliases[name], column)
        if joins:
            listed = ["b.*", *(named(text, c.name) for c, text in places.items())]
            self.parts.append(("joined", f"SELECT {lines(listed)}\n  FROM base b\n  " + "\n  ".join(joins)))

    def _joined(self, link: Link, alias: str, column: Column, places: Mapping[Column, str]) -> str:
        pairs = []
        for here, there in link.pairs:
            left = here.text
            for part in here.columns:
                left = places.get(part, f"b.{quote(part.name)}")
            pairs.append(f"{left} = {self._there(link, alias, there)}")
        kind = "JOIN" if isinstance(column.origin, Carried) else "LEFT JOIN"
        return f"{kind} {self._target(link)} {alias} ON {' AND '.join(pairs)}"

    def _target(self, link: Link) -> str:
        if isinstance(link.table, str):
            return quote(link.table)
        return self._table(link.table) if isinstance(link.table, Stage) else quote(self.rollup(link.table[0]))

    def _there(self, link: Link, alias: str, there: Column | str) -> str:
        if isinstance(there, Column) and isinstance(link.table, Stage):
            return self._text(link.table, alias, there)
        return f"{alias}.{quote(there if isinstance(there, str) else there.name)}"

    def _place(self, link: Link, alias: str, column: Column) -> str:
        """Where a column is, in the table it is read from."""
        match column.origin:
            case LookedUp(column=Raw() as raw):
                return raw.template.format(f"{alias}.{quote(raw.column)}")
            case Carried(column=other) | LookedUp(column=Column() as other):
                return self._there(link, alias, other)
            case RolledUp():
                return f"{alias}.{quote(column.name)}"
        raise TypeError(f"`{column.name}` is not read from another table")

    def _table(self, stage: Stage) -> str:
        return quote(self.table(stage))

    def _text(self, stage: Stage, alias: str, column: Column) -> str:
        """A column in the table of `stage`; the first table of a frame names its rows itself."""
        if isinstance(column.origin, RowId) and column.round == stage.round:
            return f"{alias}.rowid"
        return f"{alias}.{quote(column.name)}"

    def _from(self, stage: Stage, alias: str, column: Column) -> str:
        return named(self._text(stage, alias, column), column.name)


def layers(stage: Stage, source: str) -> list[tuple[str, str]]:
    """A part for each level of the stage's computed columns, which adds them to the part before, `source` at first."""
    levels: dict[int, list[Column]] = {}
    for column in stage.own:
        if column.definition is not None:
            levels.setdefault(column.level, []).append(column)
    parts: list[tuple[str, str]] = []
    for level in sorted(levels):
        computed = [f"{_text_of(c)} AS {quote(c.name)}" for c in levels[level]]
        parts.append((f"level_{level}", f"SELECT *,\n  {lines(computed)}\n  FROM {source}"))
        source = f"level_{level}"
    return parts


def origin_of(column: Column) -> Column:
    """The column of another frame that `column` is carried from."""
    if not isinstance(column.origin, Carried):
        raise TypeError(f"`{column.name}` is not carried")
    return column.origin.column


def raw_text(column: Column, prefix: str) -> str:
    """How a column of the recording is read."""
    if not isinstance(column.origin, Raw):
        raise TypeError(f"`{column.name}` is no column of the recording")
    return column.origin.template.format(f"{prefix}{quote(column.origin.column)}")


def _absent(column: Column) -> str:
    """What a stand-in has instead of a column of the recording: its snapshot's book and time, or NULL."""
    shared = isinstance(column.origin, Raw) and column.origin.column in ("book", "ts")
    return f"s.{quote(column.name)}" if shared else f"NULL AS {quote(column.name)}"


def _text_of(column: Column) -> str:
    return "NULL" if column.definition is None else column.definition.text


def lines(parts: list[str]) -> str:
    """One part a line."""
    return ",\n    ".join(parts)
