"""The snapshots of a test: calm facts, with what the test gives on top, as its time goes by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluators.snapshot import Fields, Snapshot
from policy_dsl.case_times import START, Clock, snapshots
from policy_dsl.cases import Assignment, Case, Expectation, Moment, Timeline
from policy_dsl.catalogue import Catalogue, Entity, Rows
from policy_dsl.quantities import MS_PER_DAY
from policy_dsl.types import Reference, Value

BOOK = "test"
"""The book of a calm snapshot, and how the books of tests begin."""

_MS_PER_HOUR = 3_600_000
_DAYS_PER_WEEK = 7
_WEEKDAY_OF_1970 = 3

Row = dict[str, Value | None]


@dataclass(frozen=True, slots=True)
class Staged:
    """A snapshot that a variant of a test takes `at` (ms after the start), and what is expected of it."""

    variant: int
    at: int
    snapshot: Snapshot
    expected: tuple[Expectation, ...]


def calm_snapshot(catalogue: Catalogue) -> Snapshot:
    """Every fact calm, every collection known and empty, at the time when tests start."""
    return _Stage(catalogue, ()).snapshot(BOOK, START, Moment(0), 0)


def states(case: Case, catalogue: Catalogue) -> list[Snapshot]:
    """The snapshots at which a test expects something."""
    variants = range(len(case.variants))
    return [s.snapshot for v in variants for s in staged(case, v, f"{BOOK}-{v}", catalogue) if s.expected]


def staged(case: Case, variant: int, book: str, catalogue: Catalogue) -> Iterator[Staged]:
    """The snapshots of a variant of a test, in order of time."""
    stage, clock = _Stage(catalogue, case.timelines), Clock()
    for moment in snapshots(case.variants[variant], case.cadence):
        clock = clock.after(moment)
        snapshot = stage.snapshot(book, clock.time(moment.at), moment, moment.at // case.cadence)
        yield Staged(variant, moment.at, snapshot, moment.expected)


class _Stage:
    """What is so in a test at the moment: all that was given stays, but for events."""

    def __init__(self, catalogue: Catalogue, series: Sequence[Timeline]) -> None:
        self.catalogue, self.series = catalogue, series
        self.facts: Row = {f.path: f.calm for e in catalogue.of_kind(Rows.ONE) for f in e.facts.values()}
        self.given_times: set[str] = set()
        self.rows: dict[str, dict[str, Row]] = {e.name: {} for e in catalogue.of_kind(Rows.KEYED)}
        self.missing: set[str] = set()
        self.gone: set[tuple[str, str]] = set()
        self.told_of: set[tuple[str, str]] = set()
        self.shown: Mapping[str, Mapping[str, Fields] | None] | None = None
        for one in series:
            if one.target.key is not None:
                self.rows[one.target.entity].setdefault(one.target.key, self._calm(one.target.entity))

    def snapshot(self, book: str, ts: int, moment: Moment, number: int) -> Snapshot:
        """The snapshot of a moment, number `number` of the cadence or the first after it."""
        happened: dict[str, dict[str, Row]] = {}
        for given in moment.given:
            if given.entity in self.rows:
                self._give_row(given)
            elif self.catalogue.entities[given.entity].rows is Rows.EVENT:
                self._tell(given, ts, happened)
            else:
                self._give_fact(given)
        for one in self.series:
            self._go_on(one, number)
        facts = self.facts | {path: value for path, value in self._clock(ts).items() if path not in self.given_times}
        events = {event: tuple(found.values()) for event, found in happened.items()}
        for event, fields in ((event, fields) for event, found in events.items() for fields in found):
            self._add_told_of(self.catalogue.entities[event], fields)
        return Snapshot(book, ts, facts, self._collections(), events)

    # --- what is given -----------------------------------------------------------------------------------------------

    def _give_fact(self, given: Assignment) -> None:
        path = f"{given.entity}.{given.field}"
        if given.entity == "clock":  # which goes on by itself, unless the test says otherwise
            (self.given_times.discard if given.sets_clock else self.given_times.add)(path)
        self.facts[path] = given.value

    def _give_row(self, given: Assignment) -> None:
        """A fact of a row, which there is from then on; or that the row is gone, or that nobody knows the rows."""
        self.shown = None
        if given.key is None:
            self.missing.add(given.entity)
            return
        rows, place = self.rows[given.entity], (given.entity, given.key)
        self.missing.discard(given.entity)
        if given.field is None:
            rows.pop(given.key, None)
            self.gone.add(place)
        else:
            # A new row, not a changed one: earlier snapshots hold the old.
            rows[given.key] = rows.get(given.key, self._calm(given.entity)) | {given.field: given.value}
            self.gone.discard(place)

    def _go_on(self, series: Timeline, number: int) -> None:
        """The value of a series at a snapshot. A row that is gone has none."""
        target, value = series.target, series.value(number)
        if target.key is None:
            self._give_fact(Assignment(target.entity, None, target.field, value))
            return
        rows = self.rows[target.entity]
        row = rows.get(target.key)
        if row is not None and target.field is not None and row[target.field] != value:
            rows[target.key] = row | {target.field: value}
            self.shown = None

    def _tell(self, given: Assignment, ts: int, happened: dict[str, dict[str, Row]]) -> None:
        """A fact of an event, which happened when it is told of unless it says its time."""
        entity = self.catalogue.entities[given.entity]
        assert given.key is not None
        assert given.field is not None
        found = happened.setdefault(entity.name, {})
        if given.key not in found:
            found[given.key] = self._calm(entity.name) | ({} if entity.time is None else {entity.time: ts})
        found[given.key][given.field] = given.value

    # --- what there is -----------------------------------------------------------------------------------------------

    def _calm(self, entity: str) -> Row:
        return {f.name: f.calm for f in self.catalogue.entities[entity].facts.values()}

    def _clock(self, ts: int) -> Row:
        days = ts // MS_PER_DAY
        found: Row = {
            "clock.now": ts,
            "clock.hour": ts % MS_PER_DAY // _MS_PER_HOUR,
            "clock.weekday": (days + _WEEKDAY_OF_1970) % _DAYS_PER_WEEK,
        }
        return {path: value for path, value in found.items() if path in self.facts}

    def _add_told_of(self, event: Entity, fields: Fields) -> None:
        """The rows that an event refers to stay, for the event is looked back at."""
        found = set(_references(event, fields)) - self.told_of
        if found:
            self.told_of |= found
            self.shown = None

    def _collections(self) -> Mapping[str, Mapping[str, Fields] | None]:
        """The rows that there are; those that nobody gives, but others refer to, are calm."""
        if self.shown is None:
            rows = {entity: dict(found) for entity, found in self.rows.items()}
            entities = self.catalogue.entities
            wanted = [r for e, found in rows.items() for row in found.values() for r in _references(entities[e], row)]
            wanted += sorted(self.told_of)
            while wanted:
                entity, key = wanted.pop()
                if key not in rows[entity] and (entity, key) not in self.gone:
                    rows[entity][key] = self._calm(entity)
                    wanted += _references(entities[entity], rows[entity][key])
            self.shown = {entity: None if entity in self.missing else found for entity, found in rows.items()}
        return self.shown


def _references(entity: Entity, fields: Fields) -> Iterator[tuple[str, str]]:
    """The rows that a row or an event names."""
    for fact in entity.facts.values():
        key = fields.get(fact.name)
        if isinstance(fact.type, Reference) and isinstance(key, str):
            yield fact.type.entity, key
