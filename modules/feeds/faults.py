"""The faults of one file, gathered so that a person sees all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policy_dsl.diagnostics import Diagnostic, PolicyError, Span

SHOWN = 5
"""Rows of one kind of fault that are named one by one; the others are counted."""


class Faults:
    """Collects what is wrong with the file at `path`; rows are counted from 1, the header not among them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: list[Diagnostic] = []

    def add(self, code: str, message: str, help: str | None = None) -> None:
        """Record a fault of the whole file."""
        self._found.append(Diagnostic(code, message, Span(str(self.path), 0, 0), help))

    def add_row(self, code: str, index: int, message: str, help: str | None = None) -> None:
        """Record a fault of the row at `index` (from 0)."""
        self.add(code, f"row {index + 1}: {message}", help or "mend or remove the row")

    def first(self, rows: NDArray[np.int64]) -> Sequence[Any]:
        """The rows to name one by one."""
        listed: list[int] = rows[:SHOWN].tolist()
        return listed

    def count_rest(self, code: str, total: int, what: str) -> None:
        """Record how many more rows have the same fault, if any are not named."""
        if total > SHOWN:
            self.add(code, f"`{self.path.name}`: {total - SHOWN} more {what} like that", "mend the file's source")

    def fatal(self, code: str, message: str, help: str | None = None) -> PolicyError:
        """The error that ends reading at once, with everything found so far."""
        self.add(code, message, help)
        return PolicyError(self._found)

    def unreadable(self, reason: str) -> PolicyError:
        """The error of a file that is gone, damaged or not of its kind (RF801)."""
        return self.fatal("RF801", f"`{self.path}` cannot be read: {reason}", "restore the file, or fetch it again")

    def stop_if_any(self) -> None:
        """Raise everything found so far as one PolicyError, if there is anything."""
        if self._found:
            raise PolicyError(self._found)
