"""Which modules run, and in which mode their policies: by the bundle's file, then the environment, then a call.

`ENABLE_<MODULE>` switches a module: off, it supplies no facts, and what is missing tightens. It takes no rule away.
`<MODULE>_MODE` sets how its policy runs: off, observe or enforce. A word that nobody knows is refused at start, for a
switch that is misread is a limit that is not there.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evaluators.refusals import refusal
from policy_dsl.configuration import Configuration, Mode
from policy_dsl.diagnostics import Diagnostic, PolicyError, did_you_mean
from policy_dsl.files import CONFIGURATION_FILE

POLICIES: Mapping[str, str | None] = {
    "ai_hfos": "hfos",
    "pba": "pba",
    "pal": "pal",
    "pil": None,
    "universe_os": "universe",
    "model_supervisor": "supervisor",
    "self_healing": "healing",
    "aelm": "aelm",
    "orchestrator_policy": "orchestrator",
    "trading_mathematician": "math",
    "msc_ai": "msc",
    "opportunity_ranker": "ranker",
    "ess": "ess",
    "retraining_orchestrator": "retraining",
}
"""The modules by the names that switch them, each with its policy if it has one."""

FLAGS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
"""The words for a switch."""

MODES: Mapping[str, Mode] = {
    "off": Mode.OFF,
    "observe": Mode.OBSERVE,
    "enforce": Mode.ENFORCE,
    "enforced": Mode.ENFORCE,
    "hedgefund": Mode.ENFORCE,
    "safe": Mode.ENFORCE,
}
"""The words for a mode. ENFORCED, HEDGEFUND and SAFE are the plan's words for a policy that binds: how far one may go
with profits or repairs is for its rules to say, so that no word in an environment makes a fund bolder."""


@dataclass(frozen=True, slots=True)
class Switches:
    """Modules that were switched on or off, and modes of modules, by name; what is not named stands as in the rules."""

    flags: Mapping[str, bool] = field(default_factory=dict)
    modes: Mapping[str, Mode] = field(default_factory=dict)

    def is_on(self, module: str) -> bool:
        """Whether a module runs; every one does unless it was switched off."""
        return self.flags.get(module, True)

    def over(self, other: Switches) -> Switches:
        """These, and the other's where these say nothing."""
        return Switches({**other.flags, **self.flags}, {**other.modes, **self.modes})

    def configured(self, contents: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The rule files with these modes in their configuration, so that the bundle's hash tells them apart.

        A configuration that cannot be read, or a mode of a policy that is not there, is for the check to report.
        """
        wanted = {policy: mode.value for name, mode in self.modes.items() if (policy := POLICIES[name]) is not None}
        if not wanted:
            return contents
        try:
            data = tomllib.loads(contents.get(CONFIGURATION_FILE, b"").decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            return contents
        data["modes"] = {**data.get("modes", {}), **wanted}
        return {**contents, CONFIGURATION_FILE: _written(data).encode()}


def mode_variable(module: str) -> str:
    """The variable of the environment that sets the mode of a module's policy."""
    return f"{module.upper()}_MODE"


def enable_variable(module: str) -> str:
    """The variable of the environment that switches a module."""
    return f"ENABLE_{module.upper()}"


def flags_of(configuration: Configuration) -> Switches:
    """The modules that a bundle's own file switches. Raises PolicyError (RF850) with every one that nobody knows."""
    unknown = [name for name in configuration.flags if name not in POLICIES]
    if unknown:
        raise PolicyError(
            Diagnostic(
                "RF850",
                f"`{configuration.path}`: no module is called `{name}`",
                help=did_you_mean(name, POLICIES) or f"one of {', '.join(POLICIES)}",
            )
            for name in unknown
        )
    return Switches(configuration.flags)


def switches_of(environment: Mapping[str, str]) -> Switches:
    """The switches in an environment.

    Raises PolicyError (RF850) with every name of a module and every word that nobody knows.
    """
    flags: dict[str, bool] = {}
    modes: dict[str, Mode] = {}
    for name in sorted(environment):
        text = environment[name].strip().lower()
        if name.startswith("ENABLE_"):
            module = name.removeprefix("ENABLE_").lower()
            _refuse_unknown(name, module, POLICIES, "no module is called")
            _refuse_unknown(name, text, FLAGS, "a switch is true or false, not")
            flags[module] = FLAGS[text]
        elif name.endswith("_MODE") and name.removesuffix("_MODE").lower() in POLICIES:
            module = name.removesuffix("_MODE").lower()
            _refuse_unknown(name, text, MODES, "a mode is off, observe or enforce, not")
            if POLICIES[module] is None:
                raise refusal("RF850", f"`{name}`: `{module}` has no policy that could run in a mode")
            modes[module] = MODES[text]
    return Switches(flags, modes)


def _refuse_unknown(name: str, word: str, words: Iterable[str], what: str) -> None:
    known = list(words)
    if word not in known:
        raise refusal("RF850", f"`{name}`: {what} `{word}`", did_you_mean(word, known) or f"one of {', '.join(known)}")


def _written(data: Mapping[str, Mapping[str, object]]) -> str:
    """A configuration as TOML: sections of strings, numbers and booleans, whose JSON is TOML too."""
    lines = []
    for section, table in data.items():
        lines.append(f"[{section}]")
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"
