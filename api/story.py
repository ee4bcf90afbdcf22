"""What the rules did while something went wrong: told from a dry run for people who answer for risk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dry_runs.examples import Witness
from api.dry_runs.result import DryRun
from api.dry_runs.spans import Held
from api.values import OutputTexts
from evaluators.decision import OutputValue
from evaluators.support import expressions_of
from policy_dsl.bundle import Bundle
from policy_dsl.nodes import Expression, FactRead, OutputRead
from policy_dsl.program import Alert, Rule
from policy_dsl.walking import walk

_AFTER_MS = 60 * 60_000
"""How long after the reset that follows a spell the output that is told is still followed: it relaxes in steps."""

_RESET = ("operator", "reset_requested")


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that went wrong: from `start` to before `end` (ms), what it was, in a sentence.

    At `reset` (ms) a person asked for the emergency stop to be re-armed.
    """

    start: int
    end: int
    what: str
    reset: int


@dataclass(frozen=True, slots=True)
class Cause:
    """A rule that began to bind at `ts` (ms), and what it said."""

    ts: int
    rule: str
    because: str
    definite: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """What became of an output that a reset releases: its value before, since when (ms), and after.

    `standing` are the causes that still stood.
    """

    output: str
    before: str
    since: int
    after: str
    standing: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """What the rules did in a spell.

    `values` are (since, value) of the output that is told: as it was before, and each change. `causes` judged facts,
    `followed` are rules that then acted on what others had decided; `resets` is what the reset did.
    """

    spell: Spell
    values: tuple[tuple[int, str], ...]
    causes: tuple[Cause, ...]
    followed: tuple[str, ...]
    resets: tuple[Reset, ...]


def chapter(spell: Spell, run: DryRun, witness: Witness, output: str) -> Chapter:
    """The story of one spell, told by the values of a fund-wide output."""
    bundle = witness.bundle
    rules = {r.id: r for r in bundle.program.rules}
    began = {
        count.rule: episode.since
        for count in run.rules
        if not count.observing and rules[count.rule].scope is None
        for episode in reversed(count.episodes)
        if spell.start <= episode.since <= spell.end
    }
    first = [id for id, _ in sorted(began.items(), key=lambda item: (item[1], item[0])) if _judges_facts(rules[id])]
    witness.asked([*(began[id] for id in first), spell.reset])
    causes = tuple(c for id in first for c in _cause(id, began[id], witness))
    followed = tuple(sorted(set(began) - set(first)))
    values = _values(run, bundle, output, spell.start, spell.reset + _AFTER_MS)
    return Chapter(spell, tuple(values), causes, followed, tuple(_resets(spell.reset, run, witness)))


def _judges_facts(rule: Rule) -> bool:
    """Whether a rule tightens something by facts alone, rather than by what other rules decided."""
    acts = any(not isinstance(e, Alert) for e in rule.effects)
    return acts and not any(isinstance(n, OutputRead) for e in expressions_of(rule) for n in walk(e))


def _cause(id: str, ts: int, witness: Witness) -> Iterator[Cause]:
    for reason in witness.reasons(ts):
        if reason.rule == id:
            yield Cause(ts, id, reason.because, reason.definite)


def _resets(at: int, run: DryRun, witness: Witness) -> Iterator[Reset]:
    """The outputs that a reset at `at` (ms) releases, if no cause stands."""
    program = witness.bundle.program
    texts = OutputTexts(program)
    for output in program.outputs:
        release = output.latches_until
        if output.entity is not None or release is None or not _is_by_a_person(release):
            continue
        before, after = (_held_at(run, output.id, ts) for ts in (at - 1, at))
        if before is None or after is None:
            continue
        standing = (r for r in witness.reasons(at) if output.id in r.binds and r.definite)
        causes = tuple(Cause(at, r.rule, r.because, r.definite) for r in standing)
        shown = (texts.text(output.id, held.value) for held in (before, after))
        yield Reset(output.id, next(shown), before.since, next(shown), causes)


def _is_by_a_person(release: Expression) -> bool:
    return any(isinstance(n, FactRead) and (n.entity, n.field) == _RESET for n in walk(release))


def _held_at(run: DryRun, output: str, ts: int) -> Held[OutputValue] | None:
    return next((h for h in run.courses[output].held if h.since <= ts < h.until), None)


def _values(run: DryRun, bundle: Bundle, output: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    texts = OutputTexts(bundle.program)
    for held in run.courses[output].held:
        if held.until > start and held.since < end:
            yield held.since, texts.text(output, held.value)
