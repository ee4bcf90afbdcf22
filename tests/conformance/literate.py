"""Conformance cases as Markdown: what the fenced blocks of a page mean.

Each heading starts a section. In it:

- `rules` (or `rules NAME.rules`, where a bundle has several files) holds rule text;
- `state` holds a state document (JSON), which stays in force until the next one;
- `expect` says what the state decides: lines `OUTPUT = VALUE`, `OUTPUT["key"] = VALUE`, `would OUTPUT = VALUE`,
  `fires RULE, RULE?, RULE["key"]` (`?`: only because something is unknown), `observes RULE`, `refused CODE`;
- `cases` is a table of states and what they decide: a column names a fact, an output, `would OUTPUT`, `fires` or
  `observes`; a cell `missing` takes the fact away.

Values are in document units: plain fractions, seconds, events a minute; levels and items by name; `yes` and `no`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```(?P<kind>\w+)?[ ]*(?P<name>\S+)?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FACT = re.compile(r'^(?P<entity>[a-z_0-9]+)(?:\["(?P<key>[^"]*)"\])?\.(?P<field>[a-z_0-9]+)$')

Document = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A state, and the lines that say what it decides."""

    line: int
    document: Document
    expected: tuple[str, ...]


@dataclass
class Section:
    """A bundle and its steps. A section whose only expectation is `refused` has one step and no state."""

    page: str
    title: str
    files: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def refusal(self) -> str | None:
        """The line that says the rules are refused, if one does."""
        found = [line for step in self.steps for line in step.expected if line.startswith("refused")]
        return found[0] if found else None


def sections(path: Path, entities: frozenset[str]) -> Iterator[Section]:
    """The sections of a page that hold rules; `entities` tells facts from outputs in the header of a table.

    Raises ValueError for a block that cannot be read, naming its line.
    """
    text = path.read_text(encoding="utf-8")
    headings = [(m.start(), m[1]) for m in _HEADING.finditer(_without_fences(text))]
    for index, (start, title) in enumerate(headings):
        end = headings[index + 1][0] if index + 1 < len(headings) else len(text)
        section = Section(path.name, title)
        _read_blocks(section, text, start, end, entities)
        if section.files:
            yield section


def _without_fences(text: str) -> str:
    """The text with the insides of fenced blocks blanked: a `#` in rules is a comment, not a heading."""
    return _FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def _read_blocks(section: Section, text: str, start: int, end: int, entities: frozenset[str]) -> None:
    state: Document = {}
    for block in _FENCE.finditer(text, start, end):
        line = text.count("\n", 0, block.start()) + 1
        body = block["body"]
        match block["kind"]:
            case "rules":
                section.files[block["name"] or "t.rules"] = body
            case "state":
                state = _json(body, section, line)
            case "expect":
                section.steps.append(Step(line, state, tuple(filter(None, (s.strip() for s in body.splitlines())))))
            case "cases":
                section.steps += _table(body, line, state, entities)
            case kind:
                raise ValueError(f"{section.page}:{line}: a block of {kind!r} means nothing here")


def _json(body: str, section: Section, line: int) -> Document:
    try:
        document: Document = json.loads(body)
    except json.JSONDecodeError as error:
        raise ValueError(f"{section.page}:{line}: {error}") from error
    return document


def _table(body: str, line: int, state: Document, entities: frozenset[str]) -> Iterator[Step]:
    header, *rows = [_cells(row) for row in body.splitlines() if row.strip()]
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(f"line {line + 2 + number}: {len(row)} cells under {len(header)} headings")
        document = copy.deepcopy(state)
        expected: list[str] = []
        for name, cell in zip(header, row, strict=True):
            if name == "ts" or _is_fact(name, entities):
                _put(document, name, cell)
            elif cell != "-":
                expected.append(f"{name} {cell}" if name in ("fires", "observes") else f"{name} = {cell}")
        yield Step(line + 2 + number, document, tuple(expected))


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _is_fact(name: str, entities: frozenset[str]) -> bool:
    match = _FACT.match(name)
    return match is not None and match["entity"] in entities


def _put(document: Document, path: str, cell: str) -> None:
    if path == "ts":
        document["ts"] = json.loads(cell)
        return
    match = _FACT.match(path)
    if match is None:
        raise ValueError(f"{path} is not a fact")
    place = document.setdefault(match["entity"], {})
    if match["key"] is not None:
        place = place.setdefault(match["key"], {})
    if cell == "missing":
        place.pop(match["field"], None)
    else:
        place[match["field"]] = _cell(cell)


def _cell(cell: str) -> object:
    words: Mapping[str, object] = {"yes": True, "no": False}
    if cell in words:
        return words[cell]
    try:
        return json.loads(cell)
    except json.JSONDecodeError:
        return cell
