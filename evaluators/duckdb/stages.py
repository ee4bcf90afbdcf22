"""What each statement of a design must compute, and which tables it reads.

Each round of a frame is one stage. Only columns that somebody reads are computed, and only those that another stage
reads are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evaluators.duckdb.compiler import Design, Relation
from evaluators.duckdb.fragments import Fragment
from evaluators.duckdb.frames import Carried, Column, Frame, Frames, InForce, LookedUp, Raw, RolledUp, RowId, Windowed
from evaluators.duckdb.reads import key_of

REQUEST = "request"

_MOST_STEPS = 2
"""How many computations an output may be away from what is written, and still be computed where it is read."""
_LONGEST = 20_000
"""Characters of SQL that a view may take to compute outputs: it is planned anew by every query."""


@dataclass(eq=False, slots=True)
class Stage:
    """The columns of a frame that one round computes (`own`) or reads on (`used`), and those that it must write.

    `previous` is the frame's stage before; the first one makes the rows. `rollups` are aggregates over its rows,
    `windows` those over the rows of the stage before that are needed for columns of this one. The aggregates of one
    that is `steady` need not its rows, only their changes.
    """

    frame: Frame
    round: int
    previous: Stage | None
    used: dict[Column, None] = field(default_factory=dict)
    written: dict[Column, None] = field(default_factory=dict)
    rollups: dict[Column, Fragment] = field(default_factory=dict)
    windows: dict[Column, None] = field(default_factory=dict)
    view: View | None = None
    steady: bool = False

    @property
    def own(self) -> list[Column]:
        """The used columns that this stage makes."""
        return [c for c in self.used if c.round == self.round]

    @property
    def is_table(self) -> bool:
        """Whether its rows are written: something reads them, other than its own aggregates."""
        return bool(self.written)


@dataclass(frozen=True, slots=True)
class View:
    """A relation over the table of a stage.

    Most outputs follow from the masks alone; these are computed where they are read (`derived`, each after what it is
    made of), which halves the time and the memory of a run. `masks` are parts of masks that they read.
    """

    relation: Relation
    derived: tuple[Column, ...]
    masks: Mapping[Column, Column]


@dataclass(frozen=True, slots=True)
class Link:
    """How a column is found in another table: pairs of an expression here and a column there, which must be equal.

    `table` is a stage's, an entity's of the recording, or that of the aggregates of a stage.
    """

    table: Stage | str | tuple[Stage]
    pairs: tuple[tuple[Fragment, Column | str], ...]


@dataclass(slots=True)
class Stages:
    """Every stage of a design, by frame and round."""

    frames: Frames
    made: dict[tuple[Frame, int], Stage] = field(default_factory=dict)

    @classmethod
    def of(cls, design: Design) -> Stages:
        """The stages of `design`, filled from its relations backwards."""
        stages = cls(design.frames)
        roots = dict.fromkeys(c for relation in design.relations for f in relation.columns.values() for c in f.columns)
        reached = stages._reached(roots)
        steps = {(c.frame, c.round) for c in reached} | {(c.frame, c.frame.first_round) for c in reached}
        last: dict[Frame, Stage] = {}
        for frame, round_ in sorted(steps, key=lambda step: (step[1], step[0].entities)):
            last[frame] = stages.made[frame, round_] = Stage(frame, round_, last.get(frame))
        for relation in design.relations:
            round_ = max(c.round for f in relation.columns.values() for c in f.columns)
            stages._finish(relation, stages.made[relation.frame, round_], design.whole)
        # Rows of pairs need ids of the rows of one entity, and those may need their snapshots.
        for stage in reversed(stages.in_order):
            stages._use_rows(stage)
        return stages

    @property
    def in_order(self) -> list[Stage]:
        """The stages, each after all that it reads."""
        return list(self.made.values())

    def _finish(self, relation: Relation, stage: Stage, whole: Mapping[Column, Column]) -> None:
        """Write what the relation shows, or what it can be computed from on the way out."""
        shown = dict.fromkeys(c for f in relation.columns.values() for c in f.columns)
        at_hand = {c for c in shown if c.level == 0 or c in whole.values()} | set(stage.written) | set(whole)
        derived: dict[Column, None] = {}
        for column in shown:
            derived |= dict.fromkeys(_derived(column, at_hand, _MOST_STEPS) or ())
        if sum(len(c.definition.text) for c in derived if c.definition is not None) > _LONGEST:
            derived = {}
        read = dict.fromkeys(p for c in derived if c.definition is not None for p in c.definition.columns)
        for column in [*shown, *read]:
            if column not in derived:
                self.write(stage, whole.get(column, column))
        stage.view = View(relation, tuple(derived), {c: whole[c] for c in read if c in whole and whole[c] is not c})

    def _reached(self, roots: Iterable[Column]) -> dict[Column, None]:
        """Every column that `roots` rest on, in any frame."""
        found: dict[Column, None] = {}
        ahead = list(roots)
        while ahead:
            column = ahead.pop()
            if column not in found:
                found[column] = None
                ahead += self._sources(column)
        return found

    def _sources(self, column: Column) -> list[Column]:
        """What a column is made of, and what its row and the row it is read from are found by."""
        frame = column.frame
        found = list(column.definition.columns) if column.definition is not None else []
        match column.origin:
            case Carried(column=other, mapping=mapping):
                found += [other, *self.ids(frame, mapping), *self.ids(other.frame)]
            case LookedUp(key=key, column=Column() as other):
                found += [other, *key.columns, self.frames.snapshot_id(frame), *self._address(other.frame)]
            case LookedUp(key=key):
                found += [*key.columns, *self.frames.moment(frame)]
            case RolledUp(aggregate=aggregate, frame=inner):
                found += [*aggregate.columns, *self.ids(frame), *self.outer_ids(inner)]
            case Windowed() | InForce() as window:
                found += window.reads
            case Raw() | RowId() | None:
                pass
        return found + self._rows(frame)

    def _rows(self, frame: Frame) -> list[Column]:
        """What the rows of a frame are made from."""
        if not frame.entities:
            return []
        if len(frame.entities) > 1:
            lone, rest = self.frames.of(frame.entities[-1]), self.frames.of(*frame.entities[:-1])
            return [self.frames.snapshot_id(rest), self.frames.snapshot_id(lone)]
        fund = self.frames.fund
        if self.frames.event_rows(frame) is not None:
            return [*self.frames.moment(fund), fund.row_id(), self.frames.time(fund), self.frames.number()]
        known = [] if frame.entities[0] == REQUEST else [self.frames.known(frame.entities[0])]
        return [*self.frames.moment(fund), *known]

    # --- columns that name rows --------------------------------------------------------------------------------------

    def ids(self, frame: Frame, mapping: tuple[int, ...] | None = None) -> list[Column]:
        """The columns of `frame` that name the row of its entities at `mapping` (all of them by default)."""
        size = len(frame.entities)
        mapping = tuple(range(size)) if mapping is None else mapping
        if not mapping:
            return [self.frames.snapshot_id(frame)]
        if size == 1:
            return [frame.row_id()]
        return [self.frames.carry(self.frames.of(frame.entities[i]).row_id(), frame, (i,)) for i in mapping]

    def outer_ids(self, frame: Frame) -> list[Column]:
        """The columns of `frame` that name the row it belongs to in the frame without the last entity."""
        return self.ids(frame, tuple(range(len(frame.entities) - 1)))

    def _address(self, frame: Frame) -> list[Column]:
        """The snapshot and the key of a row of one entity."""
        return [self.frames.snapshot_id(frame), key_of(frame)]

    # --- what each stage needs ---------------------------------------------------------------------------------------

    def use(self, stage: Stage, column: Column) -> None:
        """See to it that `column` of the stage's frame can be read within the stage."""
        if column in stage.used:
            return
        if column.round < stage.round and stage.previous is not None:
            self.write(stage.previous, column)
        else:
            for part in column.definition.columns if column.definition is not None else ():
                self.use(stage, part)
            self._use_origin(stage, column)
        # Whatever it is made of stands before it.
        stage.used[column] = None

    def _use_origin(self, stage: Stage, column: Column) -> None:
        link = self.link(column)
        if link is not None:
            for here, there in link.pairs:
                for part in here.columns:
                    self.use(stage, part)
                if isinstance(link.table, Stage) and isinstance(there, Column):
                    self.write(link.table, there)
        match column.origin:
            case Carried(column=other) | LookedUp(column=Column() as other):
                source = self.made[other.frame, other.round] if link is not None else self._beside(stage, other)
                self.write(source, other)
            case RolledUp(aggregate=aggregate, frame=inner, round=round_):
                source = self.made[inner, round_]
                source.rollups[column] = aggregate
                for part in [*aggregate.columns, *self.outer_ids(inner)]:
                    self.use(source, part)
            case Windowed() | InForce():
                self._use_window(stage, column)

    def _use_window(self, stage: Stage, column: Column) -> None:
        """Let a window be computed: after those that it reads, over what the stage before has written."""
        if column in stage.windows or stage.previous is None or not isinstance(column.origin, Windowed | InForce):
            return
        for part in sorted(column.origin.reads, key=lambda c: c.name):
            if part.round == stage.round:
                self._use_window(stage, part)
            else:
                self.write(stage.previous, part)
        stage.windows[column] = None

    def _beside(self, stage: Stage, column: Column) -> Stage:
        """The stage that has a column of another frame, with which the rows of `stage` come."""
        late = column.frame is self.frames.fund and self.frames.event_rows(stage.frame) is not None
        return self.numbered if late else self.made[column.frame, column.frame.first_round]

    @property
    def numbered(self) -> Stage:
        """The stage that numbers the snapshots; events find those in whose windows they are by number."""
        return self.made[self.frames.fund, self.frames.number().round]

    def _use_rows(self, stage: Stage) -> None:
        """See to what the rows of a frame are made from, for the stage that makes them."""
        if stage.previous is None and not (self.stands_alone(stage) and not stage.frame.stand_ins):
            for column in self._rows(stage.frame):
                self.write(self._beside(stage, column), column)
            rows = self.frames.event_rows(stage.frame)
            for column in rows.tested if rows is not None else ():
                self.use(stage, column)

    def write(self, stage: Stage, column: Column) -> None:
        """See to it that `column` can be read in the stage's table."""
        self.use(stage, column)
        stage.written[column] = None

    def sources(self, stage: Stage) -> list[Stage]:
        """The stages whose tables the rows of `stage` are made from."""
        if stage.previous is not None:
            return [stage.previous]
        frames, entities = self.frames, stage.frame.entities
        if stage.steady:
            outer = frames.of(*entities[:-1])
            return [self.numbered, *([] if outer is frames.fund else [self.made[outer, outer.first_round]])]
        if not entities or (self.stands_alone(stage) and not stage.frame.stand_ins):
            return []
        if frames.event_rows(stage.frame) is not None:
            return [self.numbered]
        rest = frames.of(*entities[:-1])
        parts = [rest] if rest is frames.fund else [rest, frames.of(entities[-1])]
        return [self.made[frame, frame.first_round] for frame in parts]

    def link(self, column: Column) -> Link | None:
        """How a column read from another table is found there; None for one that comes with the rows."""
        frame = column.frame
        match column.origin:
            case Carried(column=other, mapping=mapping):
                if self.comes_with_rows(column):
                    return None
                here = [c.read for c in self.ids(frame, mapping)]
                return Link(self.made[other.frame, other.round], tuple(zip(here, self.ids(other.frame), strict=True)))
            case LookedUp(key=key, column=Column() as other):
                here = [self.frames.snapshot_id(frame).read, key]
                there = self._address(other.frame)
                return Link(self.made[other.frame, other.round], tuple(zip(here, there, strict=True)))
            case LookedUp(entity=entity, key=key):
                moment = [(c.read, name) for c, name in zip(self.frames.moment(frame), ("book", "ts"), strict=True)]
                return Link(entity, (*moment, (key, "key")))
            case RolledUp(frame=inner, round=round_):
                here = [c.read for c in self.ids(frame)]
                there = self.outer_ids(inner)
                return Link((self.made[inner, round_],), tuple(zip(here, there, strict=True)))
        return None

    def stands_alone(self, stage: Stage) -> bool:
        """Whether the rows of an entity need nothing of their snapshots."""
        if len(stage.frame.entities) != 1 or self.frames.event_rows(stage.frame) is not None:
            return False
        return not any(self.comes_with_rows(c) for c in stage.own)

    def comes_with_rows(self, column: Column) -> bool:
        """Whether a column is read from one of the tables that the rows of its frame are made from."""
        if not isinstance(column.origin, Carried) or column.round != column.frame.first_round:
            return False
        entities, other, mapping = column.frame.entities, column.origin.column, column.origin.mapping
        if other.round != other.frame.first_round:
            return False
        if len(entities) == 1:
            return not mapping
        return mapping in (tuple(range(len(entities) - 1)), (len(entities) - 1,))


def _derived(column: Column, at_hand: set[Column], steps: int) -> list[Column] | None:
    """The columns to compute for `column`, itself last, in at most `steps` from those at hand; None if there are more.

    Only columns of the round at hand or before are made of columns at hand, so the order is that of their levels.
    """
    if column in at_hand:
        return []
    if column.definition is None or steps == 0:
        return None
    found: list[Column] = []
    for part in column.definition.columns:
        below = _derived(part, at_hand, steps - 1)
        if below is None:
            return None
        found += below
    return [*found, column]
