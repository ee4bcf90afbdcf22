"""AI-HFOS, over all policies: the fund's risk mode, what follows from it, and where policies want different things."""

from __future__ import annotations

import getpass
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from time import time
from typing import Any, ClassVar

from evaluators.decision import Decision
from modules.facts.levels import RISK_MODE
from modules.inputs import Inputs
from modules.judge import Answer, Judge
from modules.runtime.controls import Call, Controls
from modules.runtime.switches import POLICIES
from modules.supply import Supply
from policy_dsl.program import Program, Rule, Tighten

MODE = "hfos.risk_mode"
UNSAID = "set by hand, no reason given"
"""The reason on record for a mode that somebody set without saying why."""

EXCLUSIVE: tuple[tuple[str, str, str, str], ...] = (
    ("pal.actions", "ADD_SIZE", "pba.actions", "REDUCE"),
    ("pal.actions", "ADD_SIZE", "pba.actions", "CLOSE"),
    ("pal.actions", "ADD_SIZE", "pba.actions", "CUT_LEVERAGE"),
    ("pal.actions", "ADD_SIZE", "pal.actions", "TAKE_PARTIAL"),
    ("pal.actions", "EXTEND_HOLD", "pba.actions", "CLOSE"),
)
"""Actions that exclude each other on one row: output and item, output and item. Whoever did both would undo one."""


class SystemRiskMode(StrEnum):
    """The risk modes from strict to loose; in order only by `RISK_MODE`, for these are words."""

    SAFE = "SAFE"
    DEFENSIVE = "DEFENSIVE"
    CAUTIOUS = "CAUTIOUS"
    NORMAL = "NORMAL"
    AGGRESSIVE = "AGGRESSIVE"


@dataclass(frozen=True, slots=True)
class Directive:
    """What a module is to keep to: the output `output` stands at `value` (document units; by key if one a row).

    `rules` are those of `hfos` that ask for it. `value` may be stricter than they ask: others may ask for more.
    """

    output: str
    value: Any
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contested:
    """An output that rules of several policies tightened: what stands is the strictest, `rules` who asked, by id."""

    output: str
    value: Any
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two actions granted for the row `key` that exclude each other, each as `output.ITEM`."""

    key: str
    one: str
    other: str


@dataclass(frozen=True, slots=True)
class FundMode:
    """The mode at `ts` (ms since 1970 UTC), the call that holds it by hand (None: none does), and what follows.

    `because` is what the rules of `hfos` that fired say, by id. `directives` are by module, none in ordinary times.
    """

    ts: int
    mode: SystemRiskMode
    hand: Call | None
    because: Mapping[str, str]
    directives: Mapping[str, tuple[Directive, ...]]
    contested: tuple[Contested, ...]
    conflicts: tuple[Conflict, ...]


class AIHedgeFundOS:
    """Supplies how many actions of the decision before excluded each other; modes and directives are for the rules.

    `answer` gives the fund's newest decision, None before the first one; without one nothing is known, and the rules
    ask for SAFE. `controls` are where people set the mode; `judge` holds the fund's rules.
    """

    name: ClassVar[str] = "ai_hfos"
    policy: ClassVar[str | None] = "hfos"
    port: ClassVar[int | None] = 8011
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("AI-HFOS",)

    def __init__(
        self,
        answer: Callable[[], Answer | None] = lambda: None,
        controls: Controls | None = None,
        judge: Judge | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self._answer, self._judge, self._now = answer, judge, now
        self.controls = controls or Controls()

    def compute(self, inputs: Inputs) -> Supply:
        """How many rows the decision before granted actions for that exclude each other."""
        if inputs.before is None:
            return Supply({"fund.conflicts": 0})
        if inputs.decided is None:
            return Supply(reasons={"fund.conflicts": "nobody knows what was decided before"})
        return Supply({"fund.conflicts": len({found.key for found in conflicts(inputs.decided)})})

    def set_risk_mode(
        self, mode: SystemRiskMode | str, *, person: str | None = None, reason: str | None = None
    ) -> SystemRiskMode:
        """Let the fund be no bolder than `mode` until a person releases it; returns the mode that now stands.

        The rules may ask for less, and keep on doing so. On record are `person`, by default the user of this process,
        and `reason`. Raises ValueError for a word that is no mode, PolicyError (RF852) for one that is bolder than a
        hand allows already, and PolicyError (RF851) for an empty person or reason.
        """
        if mode not in RISK_MODE.members:
            raise ValueError(f"`{mode}` is no risk mode: one of {', '.join(RISK_MODE.members)}")
        who = person if person is not None else process_user()
        self.controls.hold_risk_mode(self._ms(), str(mode), who, reason if reason is not None else UNSAID)
        return self.get_risk_mode()

    def release_risk_mode(self, person: str, reason: str) -> None:
        """Take the hand off: the mode is the rules' alone again, and relaxes when they let it.

        Raises PolicyError (RF851) without a person or a reason.
        """
        self.controls.release_risk_mode(self._ms(), person, reason)

    def get_risk_mode(self) -> SystemRiskMode:
        """The mode in force: the fund's newest decision, and a hand that was put on it since."""
        return self._mode(self._newest())

    def directives(self) -> Mapping[str, tuple[Directive, ...]]:
        """By module, what the rules of `hfos` ask of its policy in the fund's newest decision; none in quiet times."""
        return directives(self._newest(), self._rules().bundle.program)

    def state(self) -> FundMode:
        """The mode with all that goes with it."""
        answer, program = self._newest(), self._rules().bundle.program
        said = {rule: why for rule, why in sorted(answer.because.items()) if rule.startswith(f"{self.policy}.")}
        return FundMode(
            answer.decision.ts,
            self._mode(answer),
            self.controls.hand(),
            said,
            directives(answer, program),
            contested(answer, program),
            conflicts(answer.decision),
        )

    def _mode(self, answer: Answer) -> SystemRiskMode:
        asked = str(answer.outputs.get(MODE, SystemRiskMode.SAFE))
        hand = self.controls.operator().risk_mode
        return SystemRiskMode(min(asked, hand, key=RISK_MODE.rank))

    def _newest(self) -> Answer:
        return self._answer() or self._rules().answer(self._ms(), ())

    def _rules(self) -> Judge:
        if self._judge is None:
            self._judge = Judge()
        return self._judge

    def _ms(self) -> int:
        return int(self._now() * 1000)


def directives(answer: Answer, program: Program) -> Mapping[str, tuple[Directive, ...]]:
    """By module, the outputs of its policy that rules of `hfos` tighten in `answer`, in order of their names."""
    modules = {policy: module for module, policy in POLICIES.items() if policy is not None}
    found: dict[str, list[Directive]] = defaultdict(list)
    for output, rules in _tightened(answer.decision, program).items():
        asking = tuple(rule for rule in rules if _policy(rule) == AIHedgeFundOS.policy)
        if asking and _policy(output) != AIHedgeFundOS.policy:
            module = modules.get(_policy(output), _policy(output))
            found[module].append(Directive(output, answer.outputs[output], asking))
    return {module: tuple(listed) for module, listed in sorted(found.items())}


def contested(answer: Answer, program: Program) -> tuple[Contested, ...]:
    """The outputs that rules of two policies or more tightened, in order of their names."""
    found = _tightened(answer.decision, program)
    return tuple(
        Contested(output, answer.outputs[output], rules)
        for output, rules in found.items()
        if len({_policy(rule) for rule in rules}) > 1
    )


def conflicts(decision: Decision) -> tuple[Conflict, ...]:
    """The actions granted for one row that exclude each other, in order of keys."""
    found: list[Conflict] = []
    for first, item, second, other in EXCLUSIVE:
        one, two = _granted(decision, first, item), _granted(decision, second, other)
        found += [Conflict(key, f"{first}.{item}", f"{second}.{other}") for key in one & two]
    return tuple(sorted(found, key=lambda c: (c.key, c.one, c.other)))


def process_user() -> str:
    """Who runs this process: the user's name, or its number where the system knows no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _granted(decision: Decision, output: str, item: str) -> frozenset[str]:
    """The keys of the rows for which an item is granted; none where the rules have no such output."""
    rows = decision.outputs.get(output)
    if not isinstance(rows, Mapping):
        return frozenset()
    return frozenset(key for key, grants in rows.items() if isinstance(grants, tuple) and item in dict(grants))


def _tightened(decision: Decision, program: Program) -> dict[str, tuple[str, ...]]:
    """By output, the rules that fired and tighten it, both in order of their names."""
    fired = {firing.rule for firing in decision.firings}
    found: dict[str, set[str]] = defaultdict(set)
    for rule in program.rules:
        if rule.id in fired:
            for output in _outputs_of(rule):
                found[output].add(rule.id)
    return {output: tuple(sorted(rules)) for output, rules in sorted(found.items()) if output in decision.outputs}


def _outputs_of(rule: Rule) -> set[str]:
    return {effect.output for effect in rule.effects if isinstance(effect, Tighten)}


def _policy(name: str) -> str:
    return name.partition(".")[0]
