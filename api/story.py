"""What the rules did while something went wrong: told from a dry run for people who answer for risk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dry_runs.examples import Witness
from api.dry_runs.result import DryRun
from api.values import OutputTexts
from evaluators.support import expressions_of
from policy_dsl.bundle import Bundle
from policy_dsl.program import Alert, OutputRead, Rule, walk

_AFTER_MS = 10 * 60_000
"""How long after a spell the output that is told is still followed."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that went wrong: from `start` to before `end` (ms), what it was, in a sentence."""

    start: int
    end: int
    what: str


@dataclass(frozen=True, slots=True)
class Cause:
    """A rule that began to bind at `ts` (ms), and what it said."""

    ts: int
    rule: str
    because: str
    definite: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """What the rules did in a spell.

    `values` are (time, value) of the output that is told: as it was before, and each change. `causes` judged facts,
    `followed` are rules that then acted on what others had decided.
    """

    spell: Spell
    values: tuple[tuple[int, str], ...]
    causes: tuple[Cause, ...]
    followed: tuple[str, ...]


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
    witness.asked(began[id] for id in first)
    causes = tuple(c for id in first for c in _cause(id, began[id], witness))
    followed = tuple(sorted(set(began) - set(first)))
    values = _values(run, bundle, output, spell.start, spell.end + _AFTER_MS)
    return Chapter(spell, tuple(values), causes, followed)


def _judges_facts(rule: Rule) -> bool:
    """Whether a rule tightens something by facts alone, rather than by what other rules decided."""
    acts = any(not isinstance(e, Alert) for e in rule.effects)
    return acts and not any(isinstance(n, OutputRead) for e in expressions_of(rule) for n in walk(e))


def _cause(id: str, ts: int, witness: Witness) -> Iterator[Cause]:
    for reason in witness.reasons(ts):
        if reason.rule == id:
            yield Cause(ts, id, reason.because, reason.definite)


def _values(run: DryRun, bundle: Bundle, output: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    texts = OutputTexts(bundle.program)
    for held in run.courses[output].held:
        if held.until > start and held.since < end:
            yield max(held.since, start), texts.text(output, held.value)
