"""What a program and a timeline are made of, as far as time is concerned: a set of words for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, groupby, pairwise, product

from evaluators.snapshot import Snapshot
from policy_dsl.nodes import EventFold, Expression, OutputRead
from policy_dsl.program import Program, Tighten
from policy_dsl.recall import variables_read
from policy_dsl.walking import walk
from tests.conformance.forms import OVER_TIME, form
from tests.strategies.programs import EXCUSE_UNTIL, nodes_of, paths_read
from tests.strategies.timelines import Timeline, durations_of
from tests.strategies.vocabulary import CATALOGUE, EVENTS, KEYS

HOLDS = frozenset(
    f"held {how} by a rule of {rule} on an output of {output}"
    for how, rule, output in product(("for", "until"), ("the fund", "a row"), ("the fund", "a row"))
)
PROGRAMS = HOLDS | {
    "relaxes, of the fund",
    "relaxes, of a row",
    "latches, of the fund",
    "latches, of a row",
    "relaxes and latches",
    "a history of a row",
    "a history of two rows",
    "what looks back within what looks back",
    "a history of events",
    "a history of an output",
    "events of a row",
    "an excuse",
    "an observing rule",
}
"""What programs have, but for the forms of the language."""

TIMELINES = frozenset(
    {
        "a gap",
        "exactly the longest distance that is no gap",
        "exactly a window apart",
        "more snapshots than one in a window",
        "books that take turns",
        "one snapshot",
        "a fact goes missing",
        "a fact comes back",
        "a row vanishes",
        "a row is new",
        "a row comes back",
        "a collection goes missing",
        "a collection comes back",
        "an event that comes late",
        "an event of exactly the age of a window",
        "an event of the future",
        "an event that does not say when",
        "an event of which something else is missing",
        "the end of an excuse",
    }
)
"""What timelines have."""


def of_program(program: Program) -> Iterator[str]:
    """The forms over time that a program has, and what else of `PROGRAMS`."""
    yield from {trait for node in nodes_of(program) for trait in _of_node(node)}
    for output in program.outputs:
        whose = _whose(output.entity)
        if output.relaxes_after is not None:
            yield f"relaxes, {whose}"
        if output.latches_until is not None:
            yield f"latches, {whose}"
        if output.relaxes_after is not None and output.latches_until is not None:
            yield "relaxes and latches"
    for rule in program.rules:
        if rule.excuse is not None:
            yield "an excuse"
        if rule.observing:
            yield "an observing rule"
        for effect in rule.effects:
            if isinstance(effect, Tighten) and (effect.hold is not None or effect.until is not None):
                how = "for" if effect.until is None else "until"
                by = _whose(None if rule.scope is None else rule.scope.entity)
                yield f"held {how} by a rule {by} on an output {_whose(program.output(effect.output).entity)}"


def _whose(entity: str | None) -> str:
    return "of the fund" if entity is None else "of a row"


def _of_node(node: Expression) -> Iterator[str]:
    if type(node) not in OVER_TIME:
        return
    yield form(node)
    read = variables_read(node)
    below = list(walk(node))[1:]
    if isinstance(node, EventFold):
        if read:
            yield "events of a row"
        return
    yield from {1: ("a history of a row",), 2: ("a history of two rows",)}.get(len(read), ())
    if any(isinstance(part, EventFold) for part in below):
        yield "a history of events"
    if any(isinstance(part, OutputRead) for part in below):
        yield "a history of an output"
    if any(type(part) in OVER_TIME for part in below):
        yield "what looks back within what looks back"


def of_timeline(program: Program, line: Timeline) -> set[str]:
    """What of `TIMELINES` a timeline has, as far as the program reads it."""
    books = [snapshot.book for snapshot in line.snapshots]
    out = {"books that take turns"} if len(list(groupby(books))) > len(set(books)) else set()
    for name in set(books):
        story = [snapshot for snapshot in line.snapshots if snapshot.book == name]
        out |= {*_of_times(program, story, line.max_gap), *_of_facts(program, story), *_of_events(program, story)}
        for entity in KEYS:
            out |= set(_of_rows([snapshot.rows.get(entity) for snapshot in story]))
    return out


def _of_times(program: Program, story: Sequence[Snapshot], max_gap: int) -> Iterator[str]:
    times = [snapshot.ts for snapshot in story]
    steps = [b - a for a, b in pairwise(times)]
    durations = durations_of(program)
    if len(times) == 1:
        yield "one snapshot"
    if max(steps, default=0) > max_gap:
        yield "a gap"
    if max_gap in steps:
        yield "exactly the longest distance that is no gap"
    if any(b - a in durations for a, b in combinations(times, 2)):
        yield "exactly a window apart"
    if any(step < duration for step in steps for duration in durations):
        yield "more snapshots than one in a window"
    if any(rule.excuse is not None for rule in program.rules) and times[0] < EXCUSE_UNTIL <= times[-1]:
        yield "the end of an excuse"


def _of_facts(program: Program, story: Sequence[Snapshot]) -> Iterator[str]:
    for path in paths_read(program):
        known = [snapshot.facts.get(path) is not None for snapshot in story]
        if (True, False) in pairwise(known):
            yield "a fact goes missing"
        if (False, True) in pairwise(known):
            yield "a fact comes back"


def _of_rows(collections: Sequence[object]) -> Iterator[str]:
    """What becomes of the rows of one entity; a collection is None where it is missing."""
    met: set[str] = set()
    for before, after in pairwise(collections):
        if not isinstance(before, dict) or not isinstance(after, dict):
            yield from ("a collection goes missing",) if isinstance(before, dict) else ()
            yield from ("a collection comes back",) if isinstance(after, dict) else ()
            continue
        met |= before.keys()
        if before.keys() - after.keys():
            yield "a row vanishes"
        if after.keys() - met:
            yield "a row is new"
        if after.keys() & met - before.keys():
            yield "a row comes back"


def _of_events(program: Program, story: Sequence[Snapshot]) -> Iterator[str]:
    folds = [node for node in nodes_of(program) if isinstance(node, EventFold)]
    read = paths_read(program)
    for event in EVENTS:
        durations = [fold.duration for fold in folds if fold.event == event]
        time = CATALOGUE.entities[event].time
        fields = {path.partition(".")[2] for path in read if path.startswith(f"{event}.")} - {time}
        for snapshot in story:
            for found in snapshot.events.get(event, ()):
                if any(found.get(name) is None for name in fields):
                    yield "an event of which something else is missing"
                if time is not None:
                    yield from _of_event_time(found.get(time), snapshot.ts, durations)


def _of_event_time(own: object, heard: int, durations: Sequence[int]) -> Iterator[str]:
    if not isinstance(own, int):
        yield "an event that does not say when"
        return
    if own < heard:
        yield "an event that comes late"
    if own > heard:
        yield "an event of the future"
    if heard - own in durations:
        yield "an event of exactly the age of a window"
