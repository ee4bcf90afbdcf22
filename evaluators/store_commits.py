"""Group commit: whoever commits takes along everything that others have handed in meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Entry(Generic[Work, Result]):
    work: Work
    result: Result | None = None
    error: Exception | None = None
    done: bool = False


class GroupCommit(Generic[Work, Result]):
    """Runs `commit` on whatever several threads hand in at the same time, once for all of them.

    `commit` takes the works in the order in which they came and returns a result for each, having made them durable; it
    changes nothing where it raises. One that raises for a group is run again for each work alone, so that each
    caller meets its own error only.
    """

    def __init__(self, commit: Callable[[Sequence[Work]], Sequence[Result]]) -> None:
        self._commit = commit
        self._waiting: list[_Entry[Work, Result]] = []
        self._queue = threading.Lock()
        self._committing = threading.Lock()

    def run(self, work: Work) -> Result:
        """Have `work` committed; returns when it is durable, raises what `commit` raised for it."""
        entry: _Entry[Work, Result] = _Entry(work)
        with self._queue:
            self._waiting.append(entry)
        with self._committing:
            if not entry.done:
                with self._queue:
                    group, self._waiting = self._waiting, []
                self._run(group)
        if entry.error is not None:
            raise entry.error
        return entry.result  # type: ignore[return-value]  # because an entry that is done has a result or an error

    def _run(self, group: list[_Entry[Work, Result]]) -> None:
        try:
            results = self._commit([entry.work for entry in group])
        except Exception as error:  # noqa: BLE001 -- it is handed to the thread whose work it was
            if len(group) > 1:
                for entry in group:
                    self._run([entry])
            else:
                group[0].error, group[0].done = error, True
        except BaseException:
            for entry in group:
                entry.error, entry.done = entry.error or RuntimeError("the commit was interrupted"), True
            raise
        else:
            for entry, result in zip(group, results, strict=True):
                entry.result, entry.done = result, True
