"""Characters that a reader of a file does not see, or sees elsewhere than they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable

from policy_dsl.diagnostics import Findings, Source, Span

# What editors show as the end of a line, out of order or not at all: a reader would see other rules than there are.
_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060\u2066-\u2069\ufeff]|\r(?!\n|\Z)")


def report_hidden(source: Source, parts: Iterable[tuple[int, int]], findings: Findings) -> None:
    """Report those in the parts of a file (start and end) that are looked at (RF102)."""
    if _HIDDEN.search(source.text) is None:
        return
    for start, end in parts:
        for match in _HIDDEN.finditer(source.text, start, end):
            message = f"`U+{ord(match[0]):04X}` is not part of the language"
            hint = "a reader does not see it, or sees something else: remove it"
            findings.error("RF102", message, Span(source.path, *match.span()), hint)
