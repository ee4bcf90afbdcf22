"""Where the replay of a book may begin: what its snapshots up to some time leave to the next one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evaluators.tagged_json import text_of, value_of
from policy_dsl.cache import cache_key


@dataclass(frozen=True, slots=True)
class Bookmark:
    """What the snapshots of `book` up to `ts` (ms) leave to the next one that `bundle` decides, as the JSON `leaves`.

    `maker` stands for everything else that this depends on.
    """

    book: str
    bundle: str
    ts: int
    maker: str
    leaves: str

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(repr((self.book, self.bundle, self.ts, self.maker, self.leaves)).encode()).hexdigest()

    @property
    def left(self) -> tuple[Any, ...]:
        """What `PythonBook.left` gave."""
        left: tuple[Any, ...] = value_of(self.leaves)
        return left


def bookmark(book: str, bundle: str, ts: int, maker: str, left: tuple[Any, ...]) -> Bookmark:
    """The bookmark of a book that was left so after its snapshot at `ts` (ms)."""
    return Bookmark(book, bundle, ts, maker, text_of(left))


def maker_of(catalogue: str, max_gap: int) -> str:
    """What a bookmark depends on beside bundle and snapshots: by which catalogue (its hash) they are read, and code."""
    return f"{_code()}.{catalogue}.{max_gap}"


@cache
def _code() -> str:
    """A hash of Python and of every source file that takes part in a replay."""
    here = Path(__file__).resolve().parent
    return cache_key({}, [here, here.parent / "policy_dsl"])
