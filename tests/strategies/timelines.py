"""Random timelines for a program: books in which facts, rows and collections come and go, with events, early and late.

From one snapshot to the next little changes, so that something lasts; distances are those at which windows, holds and
gaps begin and end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from evaluators.snapshot import Fields, Snapshot
from policy_dsl.catalogue import Entity, Fact, Rows
from policy_dsl.nodes import Aggregate, EventFold, Row, Throughout, Window, Within
from policy_dsl.program import Effect, Program, Tighten
from policy_dsl.types import TIME, Value
from tests.strategies.choices import chance, choose
from tests.strategies.programs import nodes_of, paths_read
from tests.strategies.snapshots import Pools, pools_of, snapshots, value
from tests.strategies.vocabulary import AROUND, CATALOGUE, KEYS, MINUTE

BOOKS = ("main", "test", "b-2")
LENGTHS = (3, 5, 2, 8, 1, 4, 6, 12)
SHORT = (2, 4, 3, 1)
MAX_GAPS = (3 * MINUTE, MINUTE, 1, 10 * MINUTE)
OFFSETS = (0, -MINUTE, 1, MINUTE, -1)
"""How far (ms) a time that somebody tells lies from the time of the snapshot."""

FAR = (-(2**62), 2**62)
"""The like, of a clock that is broken."""


@dataclass(frozen=True)
class Timeline:
    """Snapshots of one book or more, as they come, and the longest distance (ms) of two that is no gap."""

    snapshots: list[Snapshot]
    max_gap: int


@st.composite
def timelines(
    draw: st.DrawFn,
    program: Program,
    *,
    books: int = len(BOOKS),
    longest: int = LENGTHS[-1],
    about: Collection[str] = (),
) -> Timeline:
    """A timeline of up to that many books, and up to that many snapshots each.

    The facts that change most are mostly those of the paths that it is `about`; by default, those that guard what the
    program keeps.
    """
    max_gap = choose(draw, MAX_GAPS)
    pools, durations = pools_of(program), durations_of(program)
    names = BOOKS[: choose(draw, [n for n in (1, 1, 2, 3) if n <= books])]
    lengths = [n for n in (LENGTHS if len(names) == 1 else SHORT) if n <= longest]
    stories = [
        _Story(draw, program, pools, durations, max_gap, about or keeping_paths(program)).of(
            name, choose(draw, lengths)
        )
        for name in names
    ]
    return Timeline(list(_interleaved(draw, stories)), max_gap)


def durations_of(program: Program) -> tuple[int, ...]:
    """The lengths (ms) of every window and hold of a program."""
    nodes = [n for n in nodes_of(program) if isinstance(n, Throughout | Within | Window | EventFold)]
    effects = [e for rule in program.rules for e in rule.effects if isinstance(e, Tighten)]
    found = [n.duration for n in nodes] + [e.hold for e in effects] + [o.relaxes_after for o in program.outputs]
    return tuple(dict.fromkeys(d for d in found if d is not None))


def keeping_paths(program: Program) -> frozenset[str]:
    """The facts that guard what a program keeps: bounds that are held, effects on outputs that relax or latch."""
    keeping = {o.id for o in program.outputs if o.relaxes_after is not None or o.latches_until is not None}

    def kept(effect: Effect) -> bool:
        holds = isinstance(effect, Tighten) and (effect.hold is not None or effect.until is not None)
        return holds or (isinstance(effect, Tighten) and effect.output in keeping)

    rules = tuple(replace(rule, effects=(), excuse=None) for rule in program.rules if any(map(kept, rule.effects)))
    return paths_read(replace(program, outputs=(), rules=rules))


def _interleaved(draw: st.DrawFn, stories: Sequence[list[Snapshot]]) -> list[Snapshot]:
    """The snapshots of all books, those of each in its order."""
    left, out = [list(story) for story in stories], []
    while left:
        story = choose(draw, left)
        out.append(story.pop(0))
        left = [story for story in left if story]
    return out


@dataclass
class _Story:
    """Makes the snapshots of one book."""

    draw: st.DrawFn
    program: Program
    pools: Pools
    durations: tuple[int, ...]
    max_gap: int
    about: Collection[str] = ()

    def of(self, book: str, length: int) -> list[Snapshot]:
        """That many snapshots, oldest first."""
        levers, events = self.levers(), self.events()
        # What goes to and fro: with all that may change, hardly anything would begin and end again.
        facts = [lever for lever in levers if lever.fact is not None]
        near = [lever for lever in facts if lever.fact is not None and lever.fact.path in self.about]
        near = near or levers if not chance(self.draw, 4) else facts or levers
        lively = [choose(self.draw, near) for _ in range(choose(self.draw, (2, 1, 3)))]
        at = AROUND - choose(self.draw, (0, MINUTE, 5 * MINUTE))
        state = _State.of(self.draw(snapshots(self.program)))
        out = []
        for place in range(length):
            if place:
                at += choose(self.draw, self.gaps())
                pulled = [lever for lever in lively if not chance(self.draw, 4)]
                pulled += [choose(self.draw, levers) for _ in range(choose(self.draw, (0, 0, 1, 2)))]
                for lever in pulled:
                    state.pull(self.draw, lever, self.pools)
            news = {event.name: self.news(event) for event in events}
            out.append(state.snapshot(book, at, {name: found for name, found in news.items() if found}))
        return out

    def gaps(self) -> list[int]:
        """Distances (ms) of two snapshots."""
        edges = [self.max_gap, self.max_gap + 1, *(d + step for d in self.durations for step in (0, -1, 1))]
        near = [edge for edge in edges if 0 < edge < 10**9]
        return [MINUTE, MINUTE // 2, 2 * MINUTE, *near, 1, 30 * MINUTE]

    def levers(self) -> list[_Lever]:
        """What may change: facts that are read, and rows and collections."""
        read = paths_read(self.program)
        facts = [f for e in CATALOGUE.of_kind(Rows.ONE) for f in e.facts.values() if f.path in read]
        out = [_Lever(fact) for fact in facts]
        for entity in sorted(self.entities() & KEYS.keys()):
            fields = [f for f in CATALOGUE.entities[entity].facts.values() if f.path in read]
            for key in KEYS[entity][:2]:
                out += [_Lever(fact, entity, key) for fact in fields]
                out += [_Lever(None, entity, key)] * 2
            out.append(_Lever(None, entity))
        return out or [_Lever(None, "position")]

    def entities(self) -> set[str]:
        """The keyed entities that the program speaks of."""
        nodes = nodes_of(self.program)
        named = {n.entity for n in nodes if isinstance(n, Aggregate)}
        rows = {row.entity for n in nodes for row in (getattr(n, "row", None),) if isinstance(row, Row)}
        scopes = {rule.scope.entity for rule in self.program.rules if rule.scope is not None}
        return named | rows | scopes | {o.entity for o in self.program.outputs if o.entity is not None}

    def events(self) -> list[Entity]:
        """The events that the program folds."""
        folded = {n.event for n in nodes_of(self.program) if isinstance(n, EventFold)}
        return [CATALOGUE.entities[name] for name in sorted(folded)]

    def news(self, event: Entity) -> tuple[Fields, ...]:
        """The events that one snapshot brings; their own times are told from its time."""
        read = [f for f in event.facts.values() if f.path in paths_read(self.program) or f.name == event.time]
        return tuple(
            {f.name: self.told(f) for f in read if not chance(self.draw, 12)}
            for _ in range(choose(self.draw, (1, 0, 2, 1, 0)))
        )

    def told(self, fact: Fact) -> Value | None:
        """A value in an event."""
        if fact.type != TIME:
            return value(self.draw, fact, self.pools, 10)
        late = [-d + step for d in self.durations for step in (0, 1, -1)]
        return choose(self.draw, (*OFFSETS, *OFFSETS, *late, None, *FAR))


@dataclass(frozen=True)
class _Lever:
    """One thing that may change: a fact (of a row, if there is a key), a row, or a whole collection."""

    fact: Fact | None
    entity: str = ""
    key: str = ""


@dataclass
class _State:
    """What is so at the moment. Times are held as distances (ms) from the snapshot's."""

    facts: dict[str, Value | None]
    rows: dict[str, dict[str, dict[str, Value | None]]]
    missing: set[str]

    @staticmethod
    def of(snapshot: Snapshot) -> _State:
        """What a snapshot says."""
        rows = {e: {k: dict(f) for k, f in (snapshot.rows.get(e) or {}).items()} for e in KEYS}
        facts = {path: v for path, v in snapshot.facts.items() if path not in _TIMES}
        missing = {entity for entity in KEYS if snapshot.rows.get(entity) is None}
        return _State(facts | dict.fromkeys(_TIMES, 0), rows, missing)

    def pull(self, draw: st.DrawFn, lever: _Lever, pools: Pools) -> None:
        """Change something."""
        fact, rows = lever.fact, self.rows.get(lever.entity, {})
        if fact is not None:
            new = choose(draw, (*OFFSETS, None)) if fact.type == TIME else value(draw, fact, pools, 5)
            if not lever.key:
                self.facts[fact.path] = new
            else:
                rows.setdefault(lever.key, self.row(draw, lever.entity, pools))[fact.name] = new
        elif not lever.key:
            self.missing ^= {lever.entity}
        elif lever.key in rows:
            del rows[lever.key]
        else:
            rows[lever.key] = self.row(draw, lever.entity, pools)

    @staticmethod
    def row(draw: st.DrawFn, entity: str, pools: Pools) -> dict[str, Value | None]:
        """A row that comes."""
        return {f.name: value(draw, f, pools, 5) for f in CATALOGUE.entities[entity].facts.values()}

    def snapshot(self, book: str, ts: int, events: dict[str, tuple[Fields, ...]]) -> Snapshot:
        """The state as a snapshot of that time."""
        facts = {path: _at(ts, v) if path in _TIMES else v for path, v in self.facts.items()}
        rows = {e: {k: dict(f) for k, f in found.items()} for e, found in self.rows.items() if e not in self.missing}
        dated = {name: tuple(_dated(name, fields, ts) for fields in found) for name, found in events.items()}
        return Snapshot(book, ts, facts, rows, dated)


_TIMES = frozenset(f.path for e in CATALOGUE.of_kind(Rows.ONE) for f in e.facts.values() if f.type == TIME)


def _at(ts: int, offset: Value | None) -> int | None:
    return None if offset is None else ts + int(offset)


def _dated(event: str, fields: Fields, ts: int) -> Fields:
    kinds = CATALOGUE.entities[event].facts
    return {name: _at(ts, v) if kinds[name].type == TIME else v for name, v in fields.items()}
