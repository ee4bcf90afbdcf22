"""Which rules fired on a row, as bit masks: one BIGINT for every 31 rules.

The bit of a rule is set where the rule fired; the bit 31 places higher is set too where its guard was unknown. A mask
is a sum of `CASE`s, the form that DuckDB computes fastest; both bits come from one `CASE`, so that the second look at
a guard is paid only where the first has not settled it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evaluators.duckdb.fragments import FALSE, TRUE, ZERO, Case, Fragment, added, compose, either, every
from evaluators.duckdb.frames import Column, Frame
from evaluators.duckdb.reads import key_of
from policy_dsl.program import Rule

WORD = 31
"""Rules a mask."""
LOW = (1 << WORD) - 1
"""The bits that say fired."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule's bit is: in the masks of a frame, which word of them, which bit of that."""

    frame: Frame
    word: int
    index: int

    @property
    def bit(self) -> int:
        """The bit that says fired."""
        return 1 << self.index

    @property
    def unknown(self) -> int:
        """The bit that says the guard was unknown."""
        return self.bit << WORD


@dataclass(frozen=True, slots=True)
class Trigger:
    """When something acts on a row: where a bit of a mask is set, or a flag, and `where` holds (never NULL)."""

    mask: Column | None = None
    bit: int = 0
    flag: Fragment = TRUE
    where: Fragment = TRUE


def acts(triggers: Iterable[Trigger]) -> Fragment:
    """Whether any of them acts: one test for all bits of a mask. Never NULL."""
    bits: dict[tuple[Column, Fragment], int] = {}
    flags: list[Fragment] = []
    for trigger in triggers:
        if trigger.mask is None:
            flags.append(every([trigger.flag, trigger.where]))
        else:
            key = trigger.mask, trigger.where
            bits[key] = bits.get(key, 0) | trigger.bit
    tests = [every([compose(f"({{}} & {b}) <> 0", mask.read), where]) for (mask, where), b in bits.items()]
    return either([*tests, *flags])


@dataclass(slots=True)
class Masks:
    """The masks of every frame. A word is computed in parts, one for each statement and level that its rules need.

    `whole` has for each part the column with all bits of its word.
    """

    places: dict[str, Place]
    parts: dict[tuple[Frame, int], dict[tuple[int, int], Column]] = field(default_factory=dict)
    terms: dict[Column, list[Fragment]] = field(default_factory=dict)
    doubts: dict[tuple[Frame, int], list[Fragment]] = field(default_factory=dict)
    whole: dict[Column, Column] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[tuple[Rule, Frame]]) -> Masks:
        """Bits for these rules, in their order."""
        counts: dict[Frame, int] = {}
        places: dict[str, Place] = {}
        for rule, frame in rules:
            number = counts.get(frame, 0)
            counts[frame] = number + 1
            places[rule.id] = Place(frame, number // WORD, number % WORD)
        return cls(places)

    def words(self, frame: Frame) -> int:
        """How many masks the rules of a frame fill."""
        return max((p.word + 1 for p in self.places.values() if p.frame is frame), default=0)

    def fires(self, rule: Rule, denied: Fragment, certain: Fragment) -> Column:
        """Add a rule that fires unless `denied`, for certain where `certain`; gives the mask that holds its bit."""
        place = self.places[rule.id]
        fired, case = Fragment(str(place.bit)), Case().when(denied, ZERO)
        if not certain.nullable and not denied.nullable:
            return self._add(rule, case.otherwise(fired))
        return self._add(rule, case.when(certain, fired).otherwise(Fragment(str(place.bit + place.unknown))))

    def permits(self, rule: Rule, certain: Fragment, some: Fragment = FALSE) -> Column:
        """Add a rule that only permits: it fires where `certain`, and not for certain where merely `some`."""
        place = self.places[rule.id]
        case = Case().when(certain, Fragment(str(place.bit)))
        return self._add(rule, case.when(some, Fragment(str(place.bit + place.unknown))).otherwise(ZERO))

    @staticmethod
    def certain(mask: Column) -> Column:
        """The rules of a mask whose guards were definitely true; not for rules that only permit."""
        return mask.frame.compute(compose(f"({{}} & ~({{}} >> {WORD}))", mask.read, mask.read), "certain")

    def doubt(self, rule: Rule, unknown: Fragment) -> None:
        """Take the certainty from a rule's firing where `unknown`, which is never NULL."""
        place = self.places[rule.id]
        if unknown.text != FALSE.text:
            term = Case().when(unknown, Fragment(str(place.bit))).otherwise(ZERO)
            self.doubts.setdefault((place.frame, place.word), []).append(_noted(term, rule.id))

    def _add(self, rule: Rule, term: Fragment) -> Column:
        place = self.places[rule.id]
        where = place.frame.place(term.columns)
        parts = self.parts.setdefault((place.frame, place.word), {})
        if where not in parts:
            parts[where] = place.frame.add(f"mask {place.word}", *where, nullable=False)
        self.terms.setdefault(parts[where], []).append(_noted(term, rule.id))
        return parts[where]

    def finish(self) -> None:
        """Give every mask its definition, once all rules are in."""
        for column, terms in self.terms.items():
            column.definition = _sum(terms)

    def results(self, frame: Frame) -> list[tuple[Fragment, Fragment]]:
        """For each word of a frame, the mask of the rules that fired and of those that fired for certain."""
        found = []
        for word in range(self.words(frame)):
            parts = list(self.parts.get((frame, word), {}).values())
            column = frame.compute(added([part.read for part in parts]), f"mask {word}")
            self.whole |= dict.fromkeys(parts, column)
            mask = column.read
            doubts = self.doubts.get((frame, word), [])
            fired, unknown = compose(f"({{}} & {LOW})", mask), compose(f"({{}} >> {WORD})", mask)
            if doubts:
                unknown = compose("({} | {})", unknown, frame.compute(_sum(doubts), f"doubt {word}").read)
            certain = compose("({} & ~{})", fired, unknown)
            if frame.stand_ins:
                # No rule fires for certain on the stand-in of a missing collection.
                real = compose("{} IS NOT NULL", key_of(frame).read).known()
                certain = Case().when(real, certain).otherwise(ZERO)
            found.append((fired, certain))
        return found


def _sum(terms: list[Fragment]) -> Fragment:
    return compose("(\n      " + "\n    + ".join(["{}"] * len(terms)) + "\n    )::BIGINT", *terms)


def _noted(term: Fragment, rule: str) -> Fragment:
    """The term with the rule's name beside it."""
    return Fragment(f"{term.text} {comment(rule)}", term.columns, term.depth, term.nullable)


def comment(text: str) -> str:
    """`text` as an SQL comment; what could end the comment is left out.

    So are quotes: DuckDB turns Unicode spaces outside of quotes into plain ones, and takes quotes in comments for such.
    """
    kept = "".join(c if c.isprintable() and c not in "'\"" else "?" for c in text)
    kept = kept.replace("*/", "* /").replace("/*", "/ *")
    return f"/* {kept} */"
