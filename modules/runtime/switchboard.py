"""What people switch while the fund runs: on record first, and still so after a restart, until somebody switches again.

A call by hand stands over the environment, and the environment over the rules' own file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from threading import Lock

import structlog

from evaluators.refusals import refusal
from modules.facts import CATALOGUE
from modules.runtime.controls import Call, Controls, check_signed
from modules.runtime.switches import MODES, POLICIES, Switches, mode_variable
from modules.venues.journal import JournalError
from policy_dsl.bundle import Bundle, check_files
from policy_dsl.configuration import Mode
from policy_dsl.diagnostics import PolicyError, did_you_mean

log = structlog.get_logger()

ENABLE, DISABLE, SET_MODE = "enable", "disable", "set_mode"
"""How a call is written down: `enable NAME`, `disable NAME`, `set_mode NAME WORD`."""

FIRST = ("ess", "hfos")
"""The policies that are named before others."""


@dataclass(frozen=True, slots=True)
class NotBinding:
    """A policy whose rules bind nothing, the mode in which it runs, and `by` what or whom that was set.

    `by` is a variable of the environment, the rules' own file, or a person, whose `call` has the reason and the time.
    """

    policy: str
    mode: Mode
    by: str
    call: Call | None = None


@dataclass(slots=True)
class Switchboard:
    """Which modules run, and in which mode their policies. `at_start` is what the environment says.

    A mode that was set by hand for a policy that is not among `policies`, those of the rules, has no effect: under
    another name these rules bind, and a fund that does not start watches nothing.

    `prepare` is given the switches as they would be when a mode changes, and gives what puts them in force; it raises
    what speaks against them, before they are on record: a mode that was refused counts neither now nor later.
    """

    controls: Controls
    at_start: Switches = field(default_factory=Switches)
    prepare: Callable[[Switches], Callable[[], None]] = lambda _: _nothing
    policies: Collection[str] = frozenset(policy for policy in POLICIES.values() if policy is not None)
    _by_hand: Switches = field(default_factory=Switches)
    _lock: Lock = field(default_factory=Lock)
    _changing: Lock = field(default_factory=Lock)
    """Whoever changes a mode has it until that is in force."""

    def __post_init__(self) -> None:
        """Switch what was switched by hand before, in the order in which it was."""
        made = by_hand(self.controls.calls)
        modes = {module: mode for module, mode in made.modes.items() if POLICIES[module] in self.policies}
        for module, mode in made.modes.items():
            if module not in modes:
                log.warning("a mode has no effect: these rules have no such policy", module=module, mode=mode.value)
        self._by_hand = Switches(made.flags, modes)

    @property
    def switches(self) -> Switches:
        """Everything that is switched now."""
        return self._by_hand.over(self.at_start)

    def is_on(self, module: str) -> bool:
        """Whether a module runs now."""
        return self._by_hand.flags.get(module, self.at_start.is_on(module))

    def not_binding(self, bundle: Bundle) -> tuple[NotBinding, ...]:
        """The policies of `bundle`, the rules in force, that do not enforce: the stop, the risk mode, the others."""
        modes = {policy.name: bundle.configuration.mode(policy.name) for policy in bundle.policies}
        found = sorted((p for p, mode in modes.items() if mode is not Mode.ENFORCE), key=_as_told)
        return tuple(NotBinding(p, modes[p], *self._set_by(p, bundle.configuration.path)) for p in found)

    def modes_by_hand(self) -> tuple[Call, ...]:
        """The calls that set the modes which stand over the environment and the rules' own file."""
        return tuple(call for module in self._by_hand.modes if (call := self._call(module)) is not None)

    def switch(self, at: int, module: str, person: str, reason: str, *, on: bool) -> None:
        """Switch a module from the next snapshot on. Raises PolicyError (RF851) without a person or a reason."""
        with self._lock:
            self.controls.note(at, f"{ENABLE if on else DISABLE} {module}", person, reason)
            self._by_hand = Switches({**self._by_hand.flags, module: on}, self._by_hand.modes)

    def set_mode(self, at: int, module: str, word: str, person: str, reason: str) -> Mode:
        """Let a module's policy run in the mode that `word` names, from the next snapshot on.

        Raises PolicyError: RF850 for a word or a module that has no such mode, RF851 without a person or a reason, and
        whatever a check of the rules in that mode finds.
        """
        mode = mode_of(module, word)
        check_signed(SET_MODE, person, reason)
        with self._changing:
            modes = {**self._by_hand.modes, module: mode}
            # The long part, as the rules are followed through what is stored: modules switch meanwhile.
            put_in_force = self.prepare(Switches(self._by_hand.flags, modes).over(self.at_start))
            with self._lock:
                self.controls.note(at, f"{SET_MODE} {module} {mode.value}", person, reason)
                self._by_hand = Switches(self._by_hand.flags, modes)
            put_in_force()
        return mode

    def _set_by(self, policy: str, file: str) -> tuple[str, Call | None]:
        """What set the mode of a policy: a person over the environment, the environment over the rules' own file."""
        module = next((module for module, own in POLICIES.items() if own == policy), "")
        call = self._call(module) if module in self._by_hand.modes else None
        if call is not None:
            return call.person, call
        return mode_variable(module) if module in self.at_start.modes else file, None

    def _call(self, module: str) -> Call | None:
        """The newest call that set the mode of a module's policy."""
        return next((c for c in reversed(self.controls.calls) if c.what.startswith(f"{SET_MODE} {module} ")), None)


def _as_told(policy: str) -> tuple[int, str]:
    return (FIRST.index(policy) if policy in FIRST else len(FIRST)), policy


def _nothing() -> None:
    """For a process that has no rules of its own."""


def mode_of(module: str, word: str) -> Mode:
    """The mode that a word names for a module's policy.

    Raises PolicyError (RF850) for a word that nobody knows, and for a module without a policy.
    """
    known = list(MODES)
    if word.lower() not in MODES:
        hint = did_you_mean(word.lower(), known) or f"one of {', '.join(known)}"
        raise refusal("RF850", f"`{module}`: a mode is off, observe or enforce, not `{word}`", hint)
    if POLICIES.get(module) is None:
        raise refusal("RF850", f"`{module}` has no policy that could run in a mode")
    return MODES[word.lower()]


def by_hand(calls: Iterable[Call]) -> Switches:
    """What is switched after these calls; later ones count. Raises JournalError for what nobody can switch so."""
    flags: dict[str, bool] = {}
    modes: dict[str, Mode] = {}
    for call in calls:
        match call.what.split(" "):
            case ["enable" | "disable" as word, module]:
                flags[module] = word == ENABLE
            case ["set_mode", module, mode]:
                if module not in POLICIES or mode not in MODES:
                    raise JournalError(f"the controls hold a mode `{mode}` of `{module}`, which nobody knows")
                modes[module] = MODES[mode]
            case _:
                pass  # another control, which switches nothing
    return Switches(flags, modes)


def in_modes(bundle: Bundle, switches: Switches) -> Bundle:
    """The bundle with its policies in the modes that are switched; itself where none is.

    Raises PolicyError with whatever a check of the rules in those modes finds.
    """
    if not switches.modes:
        return bundle
    prefix = str(PurePosixPath(next(iter(bundle.sources))).parent / "_")[:-1]
    contents = {path.removeprefix(prefix): source.text.encode() for path, source in bundle.sources.items()}
    report = check_files(switches.configured(contents), CATALOGUE, prefix=prefix)
    if report.bundle is None:
        raise PolicyError((d for d in report.diagnostics if d.is_error), report.sources)
    return report.bundle
