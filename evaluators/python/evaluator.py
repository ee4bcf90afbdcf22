"""Decides one snapshot with Python generated from the program."""

from __future__ import annotations

import hashlib
import linecache
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol
from weakref import WeakValueDictionary

from evaluators.decision import Decision
from evaluators.event_window import Dependence, Results
from evaluators.following import Following
from evaluators.identity_key import One
from evaluators.python.runtime import NOTHING, Outputs, decision, namespace
from evaluators.python.source import source_of
from evaluators.recollection import Origin, Part, Recollection
from evaluators.snapshot import Fields, Past, Snapshot
from evaluators.timelines import DEFAULT_MAX_GAP
from evaluators.windows import Firings
from policy_dsl.parser import without_gc
from policy_dsl.program import Program
from policy_dsl.recall import Recalled, recalled

MEMO_CELLS = 2_000_000
"""Rules and outputs that one memo may hold results of, over all its entries."""

SMALLEST_MEMO, LARGEST_MEMO = 64, 16_384


class Judge(Protocol):
    """The generated function."""

    __globals__: dict[str, Any]

    def __call__(
        self,
        facts: Fields,
        rows: Mapping[str, Mapping[str, Fields] | None],
        ts: int,
        past: Past = (),
        known: Sequence[Results] = (),
    ) -> tuple[Any, ...]:
        """Outputs (read-only), sorted firings, then the value of each track.

        `facts` are by path, `rows` by entity and key, `ts` is in ms, `past` has an entry a track, `known` what was
        found of events, one dictionary for each of the `dependences`.
        """


@dataclass(frozen=True)
class Compiled:
    """Generated source, the name it has in tracebacks, and the function `judge` in it."""

    recalled: Recalled
    source: str
    filename: str
    judge: Judge
    dependences: tuple[tuple[Dependence, ...], ...] = ()

    @property
    def fresh(self) -> tuple[Results, ...]:
        """Nothing found yet."""
        return tuple({} for _ in self.dependences)


@dataclass(frozen=True)
class Both:
    """A program as functions: the rules that bind, and all rules where some only observe."""

    enforced: Compiled
    whole: Compiled | None


class PythonEvaluator:
    """Decides one snapshot at a time, bit for bit as the reference interpreter does, as fast as Python can.

    The program becomes a Python function that turns facts into bit masks of what holds, and remembers what followed
    from each mask (a bounded memo); only what no mask tells is computed again. A decision's `outputs` are read-only.
    `max_gap` is the longest distance (ms) of two snapshots that is no gap.
    """

    def __init__(self, program: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> None:
        self.program, self.max_gap = program, max_gap
        self._both = _both(program)
        self.enforced, self.whole = self._both.enforced, self._both.whole
        self.observing = frozenset(rule.id for rule in program.rules if rule.observing)

    @property
    def looks_back(self) -> bool:
        """Whether a decision may depend on more than the snapshot."""
        return self.enforced.recalled.looks_back or (self.whole is not None and self.whole.recalled.looks_back)

    @property
    def source(self) -> str:
        """The generated Python: of the rules that bind, then, where some only observe, of all rules."""
        return self.enforced.source + ("" if self.whole is None else "\n\n" + self.whole.source)

    @cached_property
    def told(self) -> Program:
        """The program as an author knows it, in expressions that can be worked out on a snapshot with its past."""
        if not self.looks_back:
            return self.program
        told = {rule.id: rule for part in self.parts() for rule in part.recalled.told.rules}
        told |= {rule.id: rule for rule in self.enforced.recalled.told.rules}
        return replace(self.program, rules=tuple(told[rule.id] for rule in self.program.rules))

    def decide(self, snapshot: Snapshot) -> Decision:
        """What the rules decide of `snapshot`: effective values, firings, and what observing rules would change.

        Of one that `PythonBook.recall` gave, in the light of that book; else of the first one of a book.
        """
        if snapshot.past is None and self.looks_back:
            return PythonBook(self).decide(snapshot)
        return self.judged(snapshot, snapshot.rows, snapshot.past or ())[0]

    def following(self) -> Following:
        """Decides the snapshots of books as they come."""
        return Following(lambda _: PythonBook(self), ordered=self.looks_back)

    def judged(
        self,
        snapshot: Snapshot,
        rows: Mapping[str, Mapping[str, Fields] | None],
        past: Past,
        known: Sequence[Sequence[Results]] = (),
    ) -> tuple[Decision, tuple[tuple[Sequence[Any], Firings], ...]]:
        """The decision, and for each part of the program the values of its tracks and the rules that fired."""
        found = known or [part.fresh for part in self.parts()]
        outputs, firings, *values = self.enforced.judge(snapshot.facts, rows, snapshot.ts, past, found[0])
        if self.whole is None:
            return decision(snapshot.book, snapshot.ts, outputs, firings), ((values, firings),)
        all_outputs, all_firings, *all_values = self.whole.judge(snapshot.facts, rows, snapshot.ts, past, found[1])
        would_be: Outputs = NOTHING
        if all_outputs != outputs:
            would_be = {id: value for id, value in all_outputs.items() if value != outputs[id]}
        observed = tuple(firing for firing in all_firings if firing.rule in self.observing)
        made = decision(snapshot.book, snapshot.ts, outputs, firings, would_be, observed)
        return made, ((values, firings), (all_values, all_firings))

    def parts(self) -> Iterator[Compiled]:
        """The rules that bind, and where some only observe, all rules."""
        yield self.enforced
        if self.whole is not None:
            yield self.whole


class PythonBook:
    """One book, followed from its first snapshot on, or from where it was left: its windows are kept up to date."""

    def __init__(self, evaluator: PythonEvaluator, left: tuple[Any, ...] | None = None) -> None:
        """The book before its first snapshot, or as one that the same evaluator followed `left` it."""
        self.evaluator = evaluator
        parts = [Part(part.recalled, part.dependences) for part in evaluator.parts()]
        self._recollection = Recollection(parts, evaluator.max_gap)
        if left is not None:
            self._recollection.take_up(left)

    def left(self) -> tuple[Any, ...]:
        """All that the snapshots so far leave, as plain values that the next snapshot may change."""
        return self._recollection.left()

    def decide(self, snapshot: Snapshot) -> Decision:
        """The decision on the next snapshot of the book."""
        recollection = self._recollection
        past = recollection.recall(snapshot.ts)
        events, known = recollection.events.recall(snapshot)
        made, told = self.evaluator.judged(snapshot, {**snapshot.rows, **events}, past, known)
        recollection.keep(snapshot, told)
        return made

    def recall(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with what the book leaves to it, for an evaluator to decide and explain; nothing is kept."""
        rows = {**snapshot.rows, **self._recollection.events.shown(snapshot)}
        return replace(snapshot, rows=rows, past=self._recollection.recall_all(snapshot))

    def origins(self, ts: int) -> tuple[Origin, ...]:
        """Where the values are from that outputs keep and that are in force at `ts` (ms), of the rules that bind."""
        return tuple(self._recollection.origins(ts))


_in_use: WeakValueDictionary[One[Program], Both] = WeakValueDictionary()
"""Programs are compiled once for all evaluators that there are of them; each has the same memo of what followed."""


def _both(program: Program) -> Both:
    found = _in_use.get(One(program))
    if found is None:
        enforced = compiled(recalled(program.enforced()))
        whole = compiled(recalled(program, after=enforced.recalled)) if program.observes else None
        found = _in_use[One(program)] = Both(enforced, whole)
    return found


def compiled(made: Recalled) -> Compiled:
    """The program as a function, its source where tracebacks and debuggers look for it."""
    program = made.program
    with without_gc():
        source = source_of(program, made.tracks)
    size = len(program.rules) + len(program.outputs) + 1
    names = namespace(program, source.places, max(SMALLEST_MEMO, min(MEMO_CELLS // size, LARGEST_MEMO)))
    filename = f"<ringfence {hashlib.sha256(source.text.encode()).hexdigest()[:12]}>"
    exec(compile(source.text, filename, "exec"), names)  # noqa: S102 -- the source holds generated names and quoted literals only
    whole = Compiled(made, source.text, filename, names["judge"], source.dependences)
    _show_in_tracebacks(whole)
    return whole


def _show_in_tracebacks(made: Compiled) -> None:
    """Register the source with `linecache`, for as long as it is in use."""
    entry = (len(made.source), None, made.source.splitlines(keepends=True), made.filename)
    linecache.cache[made.filename] = entry
    weakref.finalize(made, _forget, made.filename, entry)


def _forget(filename: str, entry: tuple[Any, ...]) -> None:
    """Drop an entry, unless another program of the same source has replaced it."""
    if linecache.cache.get(filename) is entry:
        del linecache.cache[filename]
