"""Frames: the rows for which columns are computed, and how a column of one frame is read in another.

The frame of no entity has one row a snapshot. The frame of `position` has one row for each position of each snapshot;
the frame of `position, position` one for each pair of them. Events have rows too: those in the window of a snapshot.
Every column knows its *round*: columns of one frame and round are computed by one statement, after all statements of
earlier rounds. Within a statement it knows its *level*: level 0 is read from tables, level n is computed from lower
levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evaluators.duckdb.fragments import Fragment, compose
from evaluators.identifiers import literal, quote
from policy_dsl.nodes import Expression

Entities = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """A column of the recording: of `snapshot`, or of the frame's one entity. `template` converts it."""

    column: str
    template: str = "{}"


@dataclass(frozen=True, slots=True)
class Carried:
    """A column of another frame, read from the row of it that belongs to the row at hand.

    `mapping` says which of the entities at hand each entity of the other frame is.
    """

    column: Column
    mapping: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A field of the row of `entity` in the same snapshot whose key is `key`: NULL if there is none.

    `column` is a column of the recording, or of the entity's frame.
    """

    entity: str
    key: Fragment
    column: Raw | Column


@dataclass(frozen=True, slots=True)
class RolledUp:
    """An aggregate over the rows of a frame with one entity more, grouped by the row at hand; NULL over no row."""

    aggregate: Fragment
    frame: Frame
    round: int


@dataclass(frozen=True, slots=True)
class Windowed:
    """A window function over all rows of the frame; those of one round are computed together, step by step."""

    expression: Fragment
    step: int

    @property
    def reads(self) -> tuple[Column, ...]:
        """The columns of the frame that it reads."""
        return self.expression.columns


@dataclass(frozen=True, slots=True)
class InForce:
    """The best value of the rows up to the one at hand whose `end` lies after its `time`; NULL if there is none.

    `same` are the columns that such rows share, `best` is the template of the aggregate, `stricter` the sign between a
    value and one that is no better.
    """

    same: tuple[Column, ...]
    time: Column
    value: Column
    end: Column
    best: str
    stricter: str
    step: int

    @property
    def reads(self) -> tuple[Column, ...]:
        """The columns of the frame that it reads."""
        return tuple(dict.fromkeys((*self.same, self.time, self.value, self.end)))


@dataclass(frozen=True, slots=True)
class RowId:
    """The number that names a row of the frame."""


Origin = Raw | Carried | LookedUp | RolledUp | Windowed | InForce | RowId


@dataclass(frozen=True, slots=True)
class EventRows:
    """Which rows an entity of events has: the events of the table `event` in the window of `duration` ms.

    `time` is the field with an event's own time, if there is one. An event for which one of `conditions` is definitely
    false may be left out; `kept` are those of them that a statement can test, over columns of the recording. `match` is
    a field that must be the key of the one row around, where every fold over these rows asks for that.
    """

    event: str
    duration: int
    time: str | None
    conditions: tuple[Expression, ...]
    match: str | None = None
    kept: list[Fragment] = field(default_factory=list, compare=False)

    @property
    def tested(self) -> list[Column]:
        """The columns that `kept` reads."""
        return sorted({column for test in self.kept for column in test.columns}, key=lambda c: c.name)


@dataclass(eq=False, slots=True)
class Column:
    """A column of a frame: read from a table (`origin`), or computed (`definition`)."""

    name: str
    frame: Frame
    round: int
    level: int
    nullable: bool = True
    origin: Origin | None = None
    definition: Fragment | None = None

    @property
    def is_row_id(self) -> bool:
        """Whether it is the number that names a row of its frame."""
        return isinstance(self.origin, RowId)

    @property
    def step(self) -> int:
        """The step of its round's windows that computes it; 0 for a column that no window computes."""
        return self.origin.step if isinstance(self.origin, Windowed | InForce) else 0

    @property
    def read(self) -> Fragment:
        """The expression that reads this column, in its frame."""
        return Fragment(quote(self.name), (self,), 1, self.nullable)


@dataclass(eq=False, slots=True)
class Frame:
    """The rows that belong to one choice of a row of each of `entities`, in every snapshot.

    `stand_ins`: where the collection of the one entity is missing, it has one row with every field NULL.
    """

    entities: Entities
    stand_ins: bool = False
    columns: dict[str, Column] = field(default_factory=dict)
    made: dict[object, Column] = field(default_factory=dict)

    @property
    def first_round(self) -> int:
        """The round that makes the frame's rows: it reads the rows of smaller frames."""
        return len(self.entities)

    def place(self, columns: Iterable[Column]) -> tuple[int, int]:
        """The earliest round and level at which something that reads `columns` of this frame can be computed."""
        found = tuple(columns)
        round_ = max((c.round for c in found), default=self.first_round)
        return round_, 1 + max((c.level for c in found if c.round == round_), default=0)

    def compute(self, fragment: Fragment, name: str) -> Column:
        """The column with the value of `fragment`, called `name` if that is free; equal ones are computed once."""
        if len(fragment.columns) == 1:
            (only,) = fragment.columns
            if fragment.text == quote(only.name):
                return only
        found = self.made.get(fragment.text)
        if found is None:
            round_, level = self.place(fragment.columns)
            found = self.add(name, round_, level, fragment.nullable)
            found.definition = fragment
            self.made[fragment.text] = found
        return found

    def hold(self, fragment: Fragment, name: str) -> Fragment:
        """`fragment` as a column, unless it is as short as one."""
        return fragment if fragment.depth == 1 else self.compute(fragment, name).read

    def source(self, origin: Origin, name: str, round_: int, nullable: bool = True) -> Column:
        """The column read from `origin`; equal ones are read once."""
        found = self.made.get(origin)
        if found is None:
            found = self.add(name, round_, 0, nullable)
            found.origin = origin
            self.made[origin] = found
        return found

    def add(self, name: str, round_: int, level: int, nullable: bool) -> Column:
        """A new column, whose origin or definition the caller fills in."""
        # SQL names that differ in case only are one name.
        free, number = name, 2
        while free.casefold() in self.columns:
            free, number = f"{name}~{number}", number + 1
        made = self.columns[free.casefold()] = Column(free, self, round_, level, nullable)
        return made

    def window(self, expression: Fragment, name: str, nullable: bool = True) -> Column:
        """The column of a window function; it reads windows of its own round, and whatever is of earlier ones."""
        round_, step = window_place(expression.columns)
        return self.source(Windowed(expression, step), name, round_, nullable)

    # --- columns of the recording ------------------------------------------------------------------------------------

    def raw(self, column: str, name: str, template: str = "{}", nullable: bool = True) -> Column:
        """A column of the recording's table of this frame (of no or one entity)."""
        return self.source(Raw(column, template), name, self.first_round, nullable)

    def row_id(self) -> Column:
        """The number that names a row (of a frame of no or one entity)."""
        return self.source(RowId(), "row id" if self.entities else "snapshot id", self.first_round, nullable=False)


@dataclass(slots=True)
class Frames:
    """Every frame of a program, by its entities. `with_stand_ins` are the entities whose rules need stand-ins.

    `events` are the entities of events, by the names that they have here. `max_gap` (ms) is the longest distance of two
    snapshots that is no gap.
    """

    with_stand_ins: frozenset[str]
    max_gap: int
    made: dict[Entities, Frame] = field(default_factory=dict)
    events: dict[str, EventRows] = field(default_factory=dict)

    def of(self, *entities: str) -> Frame:
        """The frame of these entities, in this order."""
        found = self.made.get(entities)
        if found is None:
            lone = len(entities) == 1 and entities[0] in self.with_stand_ins
            found = self.made[entities] = Frame(entities, stand_ins=lone)
        return found

    @property
    def fund(self) -> Frame:
        """The frame with one row a snapshot."""
        return self.of()

    def event_rows(self, frame: Frame) -> EventRows | None:
        """Which rows the frame has, if they are events."""
        return self.events.get(frame.entities[0]) if len(frame.entities) == 1 else None

    def known(self, entity: str) -> Column:
        """Whether a snapshot knows the collection of `entity`."""
        return self.fund.raw(f"known.{entity}", f"known.{entity}", "({} IS TRUE)", nullable=False)

    def moment(self, frame: Frame) -> list[Column]:
        """The book and the time of a row."""
        if len(frame.entities) > 1:
            return [self.carry(column, frame, (0,)) for column in self.moment(self.of(frame.entities[0]))]
        if self.event_rows(frame) is not None:
            return [self.carry(column, frame, ()) for column in self.moment(self.fund)]
        return [frame.raw(name, name, nullable=False) for name in ("book", "ts")]

    def time(self, frame: Frame) -> Column:
        """The time of a row, in milliseconds since 1970 UTC."""
        return frame.compute(compose("epoch_ms({})", self.moment(frame)[1].read), "time")

    def number(self) -> Column:
        """The number of a snapshot in its book, 1 the first."""
        book = self.moment(self.fund)[0].read
        ordered = compose("row_number() OVER (PARTITION BY {} ORDER BY {})", book, self.time(self.fund).read)
        return self.fund.window(ordered, "number", nullable=False)

    def carry(self, column: Column, frame: Frame, mapping: tuple[int, ...]) -> Column:
        """`column` as a column of `frame`, whose entities at `mapping` are those of the column's frame."""
        size = len(frame.entities)
        if column.frame is frame and mapping == tuple(range(size)):
            return column
        if size > 1 and all(i < size - 1 for i in mapping) and len(mapping) < size - 1:
            # Through the rows of one entity fewer, of which there are fewer.
            column, mapping = self.carry(column, self.of(*frame.entities[:-1]), mapping), tuple(range(size - 1))
        round_ = max(frame.first_round, column.round + 1)
        return frame.source(Carried(column, mapping), column.name, round_, column.nullable)

    def snapshot_id(self, frame: Frame) -> Column:
        """The number of the snapshot that a row of `frame` belongs to."""
        return self.carry(self.fund.row_id(), frame, ())

    def look_up(self, frame: Frame, entity: str, key: Fragment, column: Raw | Column, name: str) -> Column:
        """A field of the row of `entity` whose key is `key` (an expression of `frame`)."""
        round_ = max(frame.place(key.columns)[0], frame.first_round)
        if any(c.level for c in key.columns if c.round == round_):
            # A key that is computed can be looked up only once its own statement is done.
            round_ += 1
        if isinstance(column, Column):
            round_ = max(round_, column.round + 1)
        return frame.source(LookedUp(entity, key, column), name, round_)

    def roll_up(self, frame: Frame, aggregate: Fragment, name: str) -> Column:
        """`aggregate` over the rows of `frame` that share all but the last entity, in the frame without that."""
        outer = self.of(*frame.entities[:-1])
        inner_round = max((c.round for c in aggregate.columns), default=frame.first_round)
        origin = RolledUp(aggregate, frame, max(inner_round, frame.first_round))
        return outer.source(origin, name, origin.round + 1)


def window_place(columns: Iterable[Column]) -> tuple[int, int]:
    """The round, and the step within, at which a window over `columns` can be computed."""
    found = tuple(columns)
    round_ = max(c.round if c.step else c.round + 1 for c in found)
    return round_, 1 + max((c.step for c in found if c.round == round_), default=0)


def position_of(members: Iterable[str]) -> str:
    """The template that turns the name of a level into its place in `members`, 1 the first; NULL for any other text."""
    names = ", ".join(literal(m).replace("{", "{{").replace("}", "}}") for m in members)
    return f"list_position([{names}], {{}})"
