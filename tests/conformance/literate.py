"""Conformance cases as Markdown: what the fenced blocks of a page mean.

Each heading starts a section. In it:

- `rules` (or `rules NAME.rules`, where a bundle has several files) holds rule text;
- `state` holds a state document (JSON), which stays in force until the next one;
- `expect` says what the state decides: lines `OUTPUT = VALUE`, `OUTPUT["key"] = VALUE`, `would OUTPUT = VALUE`,
  `fires RULE, RULE?, RULE["key"]` (`?`: only because something is unknown), `observes RULE`, `refused CODE`;
- `cases` is a table of states and what they decide: a column names a fact, an output, `would OUTPUT`, `fires` or
  `observes`; a cell `missing` takes the fact away;
- `timeline` (or `timeline max_gap=5m`) is such a table of the snapshots of one book, oldest first. Its column `at` says
  when each is taken, `book` of which book it is if there are several, `refused` by which code it is refused.

States outside timelines stand for themselves, each the first of its book.

Values are in document units: plain fractions, seconds, events a minute; levels and items by name; `yes` and `no`; a
time in a timeline may be told from its beginning: `at 5m`. A column named after an event holds what happened: an object
of its fields, or a list of them. In the column of a fact of a row, `gone` says that the row is not there, `unsaid` that
nobody knows the rows. Where nothing stands (`-`), nothing is given or expected.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluators.timelines import DEFAULT_MAX_GAP
from evaluators.timestamps import format_time
from policy_dsl.literals import LiteralError, read

BEGINNING = 1_767_225_600_000
"""When every timeline begins: 2026-01-01 (ms)."""

_FENCE = re.compile(r"^```(?P<kind>\w+)?[ ]*(?P<name>\S+)?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FACT = re.compile(r'^(?P<entity>[a-z_0-9]+)(?:\["(?P<key>[^"]*)"\])?\.(?P<field>[a-z_0-9]+)$')

Document = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A state, and the lines that say what it decides; or the code by which it is refused."""

    line: int
    document: Document
    expected: tuple[str, ...]
    max_gap: int = DEFAULT_MAX_GAP
    refused: str = ""


@dataclass
class Section:
    """A bundle and its steps. A section whose only expectation is `refused` has one step and no state."""

    page: str
    title: str
    files: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    timelines: int = 0

    @property
    def in_order(self) -> bool:
        """Whether every snapshot is one that may come next."""
        places = [(step.max_gap, step.document.get("book"), step.document.get("ts")) for step in self.steps]
        return len(set(places)) == len(places) and not any(step.refused for step in self.steps)

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
                name = block["name"] or "t.rules"
                if name in section.files:
                    raise ValueError(f"{section.page}:{line}: `{name}` is given twice: a section has one bundle")
                section.files[name] = body
            case "state":
                state = _json(body, section, line)
            case "expect":
                lines = tuple(filter(None, (s.strip() for s in body.splitlines())))
                section.steps.append(Step(line, _alone(section, state), lines))
            case "cases":
                for step in _table(body, line, state, entities):
                    section.steps.append(replace(step, document=_alone(section, step.document)))
            case "timeline":
                section.timelines += 1
                stated = (block["name"] or "").removeprefix("max_gap=")
                max_gap = _milliseconds(stated) if stated else DEFAULT_MAX_GAP
                for step in _table(body, line, state, entities):
                    document = _in_time(step.document, section.timelines)
                    section.steps.append(replace(step, document=document, max_gap=max_gap))
            case kind:
                raise ValueError(f"{section.page}:{line}: a block of {kind!r} means nothing here")


def _json(body: str, section: Section, line: int) -> Document:
    try:
        document: Document = json.loads(body)
    except json.JSONDecodeError as error:
        raise ValueError(f"{section.page}:{line}: {error}") from error
    return document


def _alone(section: Section, document: Document) -> Document:
    """A state that no other came before, at a time of its own if it tells none."""
    number = len(section.steps)
    return {"book": f"case-{number}", "ts": format_time(BEGINNING + number * 60_000), **document}


def _in_time(document: Document, number: int) -> Document:
    """A state of a timeline; the books of one table are not those of another."""
    at = BEGINNING + _milliseconds(document["at"])
    made = {name: _dated(value) for name, value in document.items() if name != "at"}
    return made | {"book": f"{document.get('book', 'main')}-{number}", "ts": format_time(at)}


def _dated(value: Any) -> Any:
    """A document in which times told from the beginning are written out."""
    if isinstance(value, dict):
        return {name: _dated(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_dated(v) for v in value]
    told = isinstance(value, str) and value.startswith("at ")
    return format_time(BEGINNING + _milliseconds(value[3:])) if told else value


def _milliseconds(text: str) -> int:
    try:
        return int(read(text).value)
    except LiteralError as error:
        raise ValueError(f"`{text}` is not a duration: {error}") from error


def _table(body: str, line: int, state: Document, entities: frozenset[str]) -> Iterator[Step]:
    header, *rows = [_cells(row) for row in body.splitlines() if row.strip()]
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(f"line {line + 2 + number}: {len(row)} cells under {len(header)} headings")
        cells = [(name, cell) for name, cell in zip(header, row, strict=True) if cell != "-"]
        document = copy.deepcopy(state)
        # Last, whatever the columns: rows and collections that are not there have no facts either.
        for name, cell in sorted(cells, key=lambda c: _PRESENCE.get(c[1], 0)):
            if _is_given(name, entities):
                _put(document, name, cell)
        expected = tuple(_line(name, cell) for name, cell in cells if not _is_given(name, entities | {"refused"}))
        yield Step(line + 2 + number, document, expected, refused=dict(cells).get("refused", ""))


_PRESENCE = {"gone": 1, "unsaid": 2}


def _line(name: str, cell: str) -> str:
    return f"{name} {cell}" if name in ("fires", "observes") else f"{name} = {cell}"


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _is_given(name: str, entities: frozenset[str]) -> bool:
    match = _FACT.match(name)
    return name in entities | {"ts", "at", "book"} or (match is not None and match["entity"] in entities)


def _put(document: Document, path: str, cell: str) -> None:
    match = _FACT.match(path)
    if match is None:
        # The time, the book, or events.
        found = _cell(cell)
        document[path] = [found] if isinstance(found, dict) else found
        return
    place = document.setdefault(match["entity"], {})
    if cell == "unsaid":
        del document[match["entity"]]
        return
    if cell == "gone":
        place.pop(match["key"], None)
        return
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
