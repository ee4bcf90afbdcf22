"""Everything that a module may compute facts from, at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluators.decision import Decision
from evaluators.snapshot import Snapshot
from modules.inputs.book import Book
from modules.inputs.machinery import Machinery
from modules.inputs.market import Market
from modules.inputs.models import ModelRecord
from modules.supply import Supply


@dataclass(frozen=True, slots=True)
class Inputs:
    """The raw state of a book at `ts` (ms since 1970 UTC).

    `before` is the stored snapshot before this one: what a module must remember over a restart, it reads there.
    `decided` is the decision that was made of it, None where nobody knows. `known` are the facts of modules that ran
    before it. `told` is when (ms) the module that this is for supplied last, None for the first time.
    """

    book_name: str
    ts: int
    market: Market = field(default_factory=Market)
    book: Book = field(default_factory=Book)
    machinery: Machinery = field(default_factory=Machinery)
    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    before: Snapshot | None = None
    decided: Decision | None = None
    known: Supply = field(default_factory=Supply)
    told: int | None = None
