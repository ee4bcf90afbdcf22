"""Where generated statements go: one function being written, as a stack of frames.

Frame 0 is the body of the function, each loop or conditional block inside is one frame more. A computed value is
written in the outermost frame in which all it needs is known, once, and found again by its key: what does not depend on
the row leaves the loop. Only a *lazy* frame (a branch seldom taken) keeps what is first needed in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from evaluators.python.literals import comment, literal, texts
from evaluators.python.operands import Operand
from evaluators.python.truths import ALWAYS, Clause

INDENT = "    "


@dataclass(slots=True)
class RowSlot:
    """A row at hand: the locals that hold its fields and key, and the fields read so far.

    `own` marks the row of the rule or output being computed, whose outputs are locals too.
    """

    entity: str
    row: str
    key: Operand
    depth: int
    own: bool = False
    fields: dict[str, Operand] = field(default_factory=dict)


@dataclass(slots=True)
class Frame:
    """Lines of one block, and the values computed in it by key."""

    lazy: bool = False
    lines: list[str] = field(default_factory=list)
    values: dict[object, Operand] = field(default_factory=dict)


@dataclass(slots=True)
class Module:
    """What the functions of one generated module share: constants, and the numbers given to them."""

    lines: list[str] = field(default_factory=list)
    readers: dict[tuple[str, ...], int] = field(default_factory=dict)

    def reader(self, names: tuple[str, ...]) -> int:
        """The number of the constants `NAMES_n` and `READ_n`, which fetch those names from a mapping in one call."""
        if names not in self.readers:
            number = self.readers[names] = len(self.readers)
            # Interned, a name is found in a mapping by identity where that mapping's maker interned it too.
            self.lines += [
                f"NAMES_{number} = tuple(map(intern, {texts(names)}))",
                f"READ_{number} = itemgetter(*NAMES_{number})",
            ]
        return self.readers[names]


class Scribe:
    """Writes one function, frame by frame."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.frames = [Frame()]
        self.facts: dict[str, Operand] = {}
        self.collections: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    def name(self, prefix: str) -> str:
        """A local name not used yet in this function."""
        number = self._numbers.get(prefix, 0)
        self._numbers[prefix] = number + 1
        return f"{prefix}{number}"

    @property
    def depth(self) -> int:
        """The number of the innermost frame."""
        return len(self.frames) - 1

    def write(self, *lines: str) -> None:
        """Add lines to the innermost frame."""
        self.frames[-1].lines.extend(lines)

    def home(self, depth: int) -> int:
        """The frame for a value whose operands are known in frame `depth`: that one, unless a lazy one lies inside."""
        for number in range(depth + 1, len(self.frames)):
            if self.frames[number].lazy:
                return number
        return depth

    def computed(self, key: object, depth: int, write: Callable[[str], Operand]) -> Operand:
        """The value known by `key`, from operands known in frame `depth`; `write` writes it, given its name.

        `write` returns the operand for the name, whose depth is then set to that of the frame it was written in.
        """
        for frame in self.frames:
            if key in frame.values:
                return frame.values[key]
        home = self.home(depth)
        with self.at(home):
            made = write(self.name("t"))
        made = Operand(made.text, made.nullable, home, made.low, made.high)
        self.frames[home].values[key] = made
        return made

    def hoisted(self, key: object, text: str) -> str:
        """A local name, known by `key`, for a value that needs no operand: at the top, whatever lazy frame is open."""
        if key not in self.frames[0].values:
            with self.at(0):
                name = self.name("t")
                self.write(f"{name} = {text}")
            self.frames[0].values[key] = Operand(name)
        return self.frames[0].values[key].text

    @contextmanager
    def at(self, depth: int) -> Iterator[None]:
        """Write in frame `depth` for a while."""
        inner = self.frames[depth + 1 :]
        del self.frames[depth + 1 :]
        try:
            yield
        finally:
            self.frames.extend(inner)

    @contextmanager
    def block(self, header: str, lazy: bool = False) -> Iterator[Frame]:
        """A block under `header` in the innermost frame."""
        self.frames.append(Frame(lazy))
        yield self.frames[-1]
        body = self.frames.pop().lines
        if body:
            self.write(header, *(INDENT + line for line in body))

    @contextmanager
    def when(self, clause: Clause, lazy: bool = False) -> Iterator[None]:
        """A block under `if clause`; none where the clause always holds."""
        if clause == ALWAYS:
            yield
            return
        with self.block(f"if {clause.text}:", lazy):
            yield

    @contextmanager
    def loop(self, header: str, slot: RowSlot, names: str) -> Iterator[None]:
        """A loop over rows, `for names in header`: the fields that its body reads are read at its top."""
        self.frames.append(Frame())
        yield
        body = self.frames.pop().lines
        reads = self.reads(slot.row, {name: operand.text for name, operand in slot.fields.items()})
        self.write(f"for {names} in {header}:", *(INDENT + line for line in [*reads, *body] or ["pass"]))

    def reads(self, mapping: str, names: dict[str, str]) -> list[str]:
        """Lines that read names of a mapping into locals; what is absent is None."""
        if not names:
            return []
        if len(names) == 1:
            ((name, local),) = names.items()
            return [f"{local} = {mapping}.get({literal(name)})"]
        number = self.module.reader(tuple(names))
        targets = [f"{INDENT}{INDENT}{local},  {comment('fact', name)}" for name, local in names.items()]
        return [
            "try:",
            f"{INDENT}(",
            *targets,
            f"{INDENT}) = READ_{number}({mapping})",
            "except KeyError:  # some are absent, which is missing",
            f"{INDENT}{', '.join(names.values())} = map({mapping}.get, NAMES_{number})",
        ]
