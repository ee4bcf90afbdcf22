"""Lines of JSON as documents, and their fields as typed values; numbers keep every digit of their text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from evaluators.timestamps import parse_time
from modules.feeds.faults import Faults
from policy_dsl.files import words_of

Document = Mapping[str, object]

MS_DIGITS = 3
MOST_DIGITS = 30
"""Numbers beyond 10^30, or nearer to zero than 10^-30, are no measurement; exact arithmetic on them takes for ever."""


def read_text(path: Path, faults: Faults) -> str:
    """The text of a file; raises RF801 where it cannot be read, RF802 where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise faults.unreadable(words_of(error)) from error
    except UnicodeDecodeError as error:
        raise faults.unreadable(f"it is not UTF-8 at byte {error.start}") from error
    if not text.strip():
        raise faults.fatal("RF802", f"`{path.name}` is empty", "give a file with at least one row")
    return text


def parse(text: str) -> object:
    """JSON with numbers as `Decimal` and `int`; raises ValueError for text that is none, NaN and Infinity included."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(word: str) -> object:
    raise ValueError(f"`{word}` is not a number of JSON")


def read_lines(path: Path, faults: Faults) -> Iterator[tuple[int, Document]]:
    """The documents of a JSONL file with their index from 0; lines that hold none become faults (RF804)."""
    for index, line in enumerate(read_text(path, faults).splitlines()):
        if not line.strip():
            continue
        try:
            document = parse(line)
        except ValueError as error:
            faults.add_row("RF804", index, f"the line is not JSON: {error}")
            continue
        if isinstance(document, dict):
            yield index, document
        else:
            faults.add_row("RF804", index, "the line is not a JSON object")


class Fields:
    """Reads the fields of one document; what is missing or of another type becomes a fault of its row.

    Paths are names with dots between. Every method returns a value of its type even then, so that reading goes on.
    """

    def __init__(self, document: Document, index: int, faults: Faults) -> None:
        self._document = document
        self._index = index
        self._faults = faults

    def get(self, path: str) -> object:
        """The value at `path`; None where there is none."""
        found: object = self._document
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def text(self, path: str) -> str:
        """Text that is not empty."""
        found = self.get(path)
        if isinstance(found, str) and found:
            return found
        self._fault(path, found, "text")
        return ""

    def one_of(self, path: str, words: Mapping[str, str]) -> str:
        """The meaning of a word out of `words`."""
        found = self.get(path)
        if isinstance(found, str) and found in words:
            return words[found]
        self._fault(path, found, f"one of {', '.join(words)}")
        return next(iter(words.values()))

    def number(self, path: str) -> Decimal:
        """A finite number, exactly as written."""
        found = self.get(path)
        if isinstance(found, Decimal | int) and not isinstance(found, bool):
            exact = Decimal(found)
            if not exact:
                return Decimal(0)
            if abs(exact.adjusted()) <= MOST_DIGITS:
                return exact
        self._fault(path, found, "a number")
        return Decimal(0)

    def whole(self, path: str) -> int:
        """A whole number."""
        found = self.get(path)
        if isinstance(found, int) and not isinstance(found, bool):
            return found
        self._fault(path, found, "a whole number")
        return 0

    def time(self, path: str) -> int:
        """A UTC time in ISO 8601, as milliseconds since 1970 rounded down."""
        found = self.get(path)
        if isinstance(found, str):
            try:
                return _floor_ms(found)
            except ValueError as error:
                self._faults.add_row("RF804", self._index, f"field `{path}`: {error}")
                return 0
        self._fault(path, found, "a time")
        return 0

    def _fault(self, path: str, found: object, wanted: str) -> None:
        if found is None:
            self._faults.add_row("RF803", self._index, f"field `{path}` is missing")
        else:
            shown = json.dumps(found, default=str)[:40]
            self._faults.add_row("RF804", self._index, f"field `{path}` is {shown}, and must be {wanted}")


def _floor_ms(text: str) -> int:
    """Milliseconds of a UTC time; finer digits are cut off, so that a time is never later than it was."""
    fraction = text.partition(".")[2]
    digits = len(fraction) - len(fraction.lstrip("0123456789"))
    return parse_time(text.replace(fraction[:digits], fraction[:MS_DIGITS], 1) if digits > MS_DIGITS else text)
