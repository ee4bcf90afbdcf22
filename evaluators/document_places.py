"""Where in its text a document says something: JSON paths to spans, worked out when the first problem is reported."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import JSONDecoder

from evaluators.document_json import below
from policy_dsl.diagnostics import Span

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = JSONDecoder(parse_int=float)


@dataclass(slots=True)
class Places:
    """The places of one document, which is valid JSON at `span` of `text`; without a span nothing has a place."""

    text: str = ""
    span: Span | None = None
    _values: dict[str, Span] = field(default_factory=dict)
    _keys: dict[str, Span] = field(default_factory=dict)

    def value(self, path: str) -> Span | None:
        """The span of the value at a JSON path (of an object or list, its bracket), else of the whole document."""
        self._locate()
        return self._values.get(path, self.span)

    def key(self, path: str) -> Span | None:
        """The span of the key that a JSON path ends in, else of the whole document."""
        self._locate()
        return self._keys.get(path, self.span)

    def _locate(self) -> None:
        if self.span is not None and not self._values:
            self._scan(self._skip(self.span.start), "$", self.span.path)

    def _scan(self, at: int, path: str, file: str) -> int:
        """Note the value that starts at `at` and everything in it; the offset after it."""
        if self.text[at] in "{[":
            self._values[path] = Span(file, at, at + 1)
            return self._scan_members(at, path, file)
        end = _DECODER.raw_decode(self.text, at)[1]
        self._values[path] = Span(file, at, end)
        return end

    def _scan_members(self, at: int, path: str, file: str) -> int:
        keyed = self.text[at] == "{"
        at, index = self._skip(at + 1), 0
        while self.text[at] not in "}]":
            inner = below(path, index)
            if keyed:
                key, end = _DECODER.raw_decode(self.text, at)
                inner = below(path, key)
                self._keys[inner] = Span(file, at, end)
                at = self._skip(self._skip(end) + 1)
            at, index = self._skip(self._scan(at, inner, file)), index + 1
            if self.text[at] == ",":
                at = self._skip(at + 1)
        return at + 1

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match is not None else at
