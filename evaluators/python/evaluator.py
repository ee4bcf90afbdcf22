"""Decides one snapshot with Python generated from the program."""

from __future__ import annotations

import hashlib
import linecache
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluators.decision import Decision
from evaluators.python.runtime import NOTHING, Answer, Outputs, decision, namespace
from evaluators.python.source import source_of
from evaluators.snapshot import Fields, Snapshot
from evaluators.support import require_stateless
from policy_dsl.parser import without_gc
from policy_dsl.program import Program

Judge = Callable[[Fields, Mapping[str, Mapping[str, Fields] | None], int], Answer]
"""Facts by path, rows by entity and key, and the time in ms; gives the outputs (read-only) and the sorted firings."""

MEMO_CELLS = 2_000_000
"""Rules and outputs that one memo may hold results of, over all its entries."""

SMALLEST_MEMO, LARGEST_MEMO = 64, 16_384


@dataclass(frozen=True)
class Compiled:
    """Generated source, the name it has in tracebacks, and the function `judge` in it."""

    source: str
    filename: str
    judge: Judge


class PythonEvaluator:
    """Decides one snapshot at a time, bit for bit as the reference interpreter does, as fast as Python can.

    The program becomes a Python function that turns facts into bit masks of what holds, and remembers what followed
    from each mask (a bounded memo); only what no mask tells is computed again. A decision's `outputs` are read-only.

    Raises PolicyError (RF505) for a program that needs history.
    """

    def __init__(self, program: Program) -> None:
        require_stateless(program)
        self.program = program
        self.enforced = compiled(program.enforced())
        self.whole = compiled(program) if program.observes else None
        self._observing = frozenset(rule.id for rule in program.rules if rule.observing)

    @property
    def source(self) -> str:
        """The generated Python: of the rules that bind, then, where some only observe, of all rules."""
        return self.enforced.source + ("" if self.whole is None else "\n\n" + self.whole.source)

    def decide(self, snapshot: Snapshot) -> Decision:
        """What the rules decide of `snapshot`: effective values, firings, and what observing rules would change."""
        outputs, firings = self.enforced.judge(snapshot.facts, snapshot.rows, snapshot.ts)
        if self.whole is None:
            return decision(snapshot.book, snapshot.ts, outputs, firings)
        all_outputs, all_firings = self.whole.judge(snapshot.facts, snapshot.rows, snapshot.ts)
        would_be: Outputs = NOTHING
        if all_outputs != outputs:
            would_be = {id: value for id, value in all_outputs.items() if value != outputs[id]}
        observed = tuple(firing for firing in all_firings if firing.rule in self._observing)
        return decision(snapshot.book, snapshot.ts, outputs, firings, would_be, observed)


def compiled(program: Program) -> Compiled:
    """The program as a function, its source where tracebacks and debuggers look for it."""
    with without_gc():
        source, places = source_of(program)
    size = len(program.rules) + len(program.outputs) + 1
    names = namespace(program, places, max(SMALLEST_MEMO, min(MEMO_CELLS // size, LARGEST_MEMO)))
    filename = f"<ringfence {hashlib.sha256(source.encode()).hexdigest()[:12]}>"
    exec(compile(source, filename, "exec"), names)  # noqa: S102 -- the source holds generated names and quoted literals only
    made = Compiled(source, filename, names["judge"])
    _show_in_tracebacks(made)
    return made


def _show_in_tracebacks(made: Compiled) -> None:
    """Register the source with `linecache`, for as long as it is in use."""
    entry = (len(made.source), None, made.source.splitlines(keepends=True), made.filename)
    linecache.cache[made.filename] = entry
    weakref.finalize(made, _forget, made.filename, entry)


def _forget(filename: str, entry: tuple[Any, ...]) -> None:
    """Drop an entry, unless another program of the same source has replaced it."""
    if linecache.cache.get(filename) is entry:
        del linecache.cache[filename]
