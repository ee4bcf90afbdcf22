"""What is wrong, where, and what to do about it: diagnostics as data, and how they are printed."""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple


class Severity(enum.Enum):
    """How much a diagnostic weighs: an error refuses the bundle, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Span(NamedTuple):
    """Half-open range of character offsets `[start, end)` in the file `path`."""

    path: str
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The range from the start of this span to the end of `other`, in the same file."""
        return Span(self.path, self.start, other.end)


class Place(NamedTuple):
    """A 1-based line and column, in characters."""

    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """The text of one file, able to turn an offset into a line and a column."""

    path: str
    text: str

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Offset of the first character of every line."""
        starts = [0]
        at = self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return tuple(starts)

    def place(self, offset: int) -> Place:
        """Line and column of the character at `offset`, which is clamped into the text."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self.line_starts, offset)
        return Place(line, offset - self.line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of line `number` (1-based), without its line end."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] - 1 if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


class Label(NamedTuple):
    """A second span worth pointing at, with a word or two about it."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a stable code, a message, the span it is about, and a way out.

    Messages are lower case without a full stop and quote what the user wrote in backticks.
    """

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    labels: tuple[Label, ...] = ()
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        """Whether this finding refuses the bundle."""
        return self.severity is Severity.ERROR

    def as_json(self, sources: Mapping[str, Source]) -> dict[str, object]:
        """The finding as plain data for `--json`; line and column are 1-based, the end is exclusive."""
        out: dict[str, object] = {"code": self.code, "severity": self.severity.value, "message": self.message}
        if self.span is not None:
            out["file"] = self.span.path
            source = sources.get(self.span.path)
            if source is not None:
                first, last = source.place(self.span.start), source.place(self.span.end)
                out |= {"line": first.line, "column": first.column, "end_line": last.line, "end_column": last.column}
        if self.help is not None:
            out["help"] = self.help
        return out


class PolicyError(Exception):
    """A bundle, file or document was refused; `diagnostics` says why, all of it at once."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, Source] | None = None) -> None:
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources or {})
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in self.diagnostics[:3]))


@dataclass(slots=True)
class Findings:
    """A collector of diagnostics; passes add to it and go on."""

    items: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, message: str, span: Span | None, help: str | None = None, *labels: Label) -> None:
        """Record an error."""
        self.items.append(Diagnostic(code, message, span, help, labels))

    def warning(self, code: str, message: str, span: Span | None, help: str | None = None) -> None:
        """Record a warning."""
        self.items.append(Diagnostic(code, message, span, help, severity=Severity.WARNING))

    def note(self, code: str, message: str, span: Span | None, help: str | None = None) -> None:
        """Record a note."""
        self.items.append(Diagnostic(code, message, span, help, severity=Severity.NOTE))

    def sorted(self) -> tuple[Diagnostic, ...]:
        """Every finding once, by file and place."""
        return tuple(sorted(dict.fromkeys(self.items), key=lambda d: (d.span or Span("", 0, 0), d.code, d.message)))


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word that is most like `word`, of those that are as much like it (1: the same); None for none."""
    near = get_close_matches(word, list(known), n=1, cutoff=likeness)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A help line that names the nearest known word, or nothing when none is near."""
    near = nearest(word, known)
    return None if near is None else f"did you mean `{near}`?"


def render(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> str:
    """The finding as a person reads it: code, message, place, the line with the span underlined, help."""
    lines = [f"{diagnostic.severity.value}[{diagnostic.code}]: {diagnostic.message}"]
    span = diagnostic.span
    source = sources.get(span.path) if span is not None else None
    if span is not None and source is not None:
        place = source.place(span.start)
        lines.append(f"  {span.path}:{place.line}:{place.column}")
        lines += _excerpt(source, span, diagnostic.labels)
    elif span is not None:
        lines.append(f"  {span.path}")
    if diagnostic.help is not None:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(map(_visible, lines))


def _visible(line: str) -> str:
    """The line as a terminal may have it: what would move its cursor, or show as nothing, is a sign of its own."""
    return line if line.isprintable() else "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)


_WIDEST = 160


def _excerpt(source: Source, span: Span, labels: tuple[Label, ...]) -> list[str]:
    place = source.place(span.start)
    text = source.line(place.line)
    shift = max(0, place.column - 80) if len(text) > _WIDEST else 0
    shown = text[shift : shift + _WIDEST]
    gutter = f"{place.line} |"

    def under(of: Span) -> str:
        start = source.place(of.start).column - 1 - shift
        width = max(1, min(of.end - of.start, len(shown) - start))
        pad = "".join("\t" if c == "\t" else " " for c in shown[:start])
        return f"{' ' * (len(gutter) - 1)}| {pad}{'^' * width}"

    out = [f"{gutter} {shown}", under(span)]
    for label in labels:
        at = source.place(label.span.start).line
        if label.span.path == span.path and at == place.line:
            out.append(f"{under(label.span)} {label.text}")
        else:
            out.append(f"{' ' * (len(gutter) - 1)}= {label.text} ({label.span.path}:{at})")
    return out
