"""Which modules run, and in which mode their policies: by the bundle's file, then the environment, then a call.

`ENABLE_<MODULE>` switches a module: off, it supplies no facts, and what is missing tightens. It takes no rule away.
`<MODULE>_MODE` sets how its policy runs: off, observe or enforce. A word that nobody knows is refused at start, for a
switch that is misread is a limit that is not there.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from policy_dsl.configuration import Configuration, Mode
from policy_dsl.diagnostics import Diagnostic, PolicyError, did_you_mean, nearest
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

WITHOUT_MODULE = ("locks", "pretrade")
"""The policies of the rules that come with ringfence which belong to no module."""

OTHER_NAMES: Mapping[str, str] = {
    **{policy: module for module, policy in POLICIES.items() if policy is not None},
    "portfolio_balancer": "pba",
    "profit_amplification_layer": "pal",
    "position_intelligence_layer": "pil",
    "smart_execution": "aelm",
    "meta_strategy_controller": "msc_ai",
    "emergency_stop_system": "ess",
    "ai_hedgefund_os": "ai_hfos",
}
"""What else people call the modules, by policy or in full; `ringfence.toml` has the policies' names."""

NAMES: Mapping[str, str] = {**OTHER_NAMES, **{module: module for module in POLICIES}}
"""Everything that a module is called, and its name."""

VERY_NEAR, NEAR = 0.8, 0.7
"""How much a name must be like that of a module to be a slip of it, such as one letter more or less in three; and how
much where the word beside it is a mode. Other programs have a `TRADING_MODE` and an `ENABLE_TRACING`."""

Said = TypeVar("Said", bool, Mode)

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
    """The switches in an environment. A variable that no mistake makes of one belongs to another program.

    Raises PolicyError (RF850) with every name that is nearly one of ours and every word that nobody knows.
    """
    flags: dict[str, bool] = {}
    modes: dict[str, Mode] = {}
    wrong: list[Diagnostic] = []
    for name in sorted(environment):
        text = environment[name].strip().lower()
        module, is_flag = _switched_by(name)
        if module is None:
            wrong += _mistaken(name, text)
        elif is_flag:
            flags |= _read(name, module, text, FLAGS, "a switch is true or false, not", wrong)
        elif POLICIES[module] is None:
            wrong.append(Diagnostic("RF850", f"`{name}`: `{module}` has no policy that could run in a mode"))
        else:
            modes |= _read(name, module, text, MODES, "a mode is off, observe or enforce, not", wrong)
    if wrong:
        raise PolicyError(wrong)
    return Switches(flags, modes)


def _switched_by(name: str) -> tuple[str | None, bool]:
    """The module that a variable is about, and whether it switches it rather than sets its mode; None for no switch."""
    for module in POLICIES:
        if name in (enable_variable(module), mode_variable(module)):
            return module, name == enable_variable(module)
    return None, False


def _read(
    name: str, module: str, text: str, words: Mapping[str, Said], what: str, wrong: list[Diagnostic]
) -> Mapping[str, Said]:
    """By module what a word says; nothing for a word that nobody knows, which is added to what is `wrong`."""
    if text in words:
        return {module: words[text]}
    hint = did_you_mean(text, words) or f"one of {', '.join(words)}"
    wrong.append(Diagnostic("RF850", f"`{name}`: {what} `{text}`", help=hint))
    return {}


def _mistaken(name: str, text: str) -> Iterator[Diagnostic]:
    """What is wrong with a variable that is nearly one of ours; nothing for one of another program."""
    word = name.upper().removeprefix("RINGFENCE_")
    if word.startswith("ENABLE_"):
        said, variable = word.removeprefix("ENABLE_").lower(), enable_variable
    elif word.endswith("_MODE"):
        said, variable = word.removesuffix("_MODE").lower(), mode_variable
    else:
        return
    if said in WITHOUT_MODULE:
        hint = f'its mode stands in {CONFIGURATION_FILE}: [modes] {said} = "observe"'
        yield Diagnostic("RF850", f"`{name}`: the policy `{said}` has no module", help=hint)
        return
    module = _meant(said) or (_nearly(said) if variable is mode_variable and text in MODES else None)
    if module is None:
        return
    if said == module:
        why = "a switch has no prefix and is written in capitals"
    elif OTHER_NAMES.get(said) == module:
        why = f"switches are named by modules, and `{said}` is none"
    else:
        why = f"no module is called `{said}`"
    yield Diagnostic("RF850", f"`{name}`: {why}", help=f"did you mean `{variable(module)}`?")


def _meant(said: str) -> str | None:
    """The module that a name is a slip away from, whatever the word beside it is; None for no such module.

    Policies have short names that are common words: they count as they are, and not what is like them.
    """
    if said in NAMES:
        return NAMES[said]
    alike = [name for name in NAMES if name[0] == said[:1] and (name in POLICIES or name not in POLICIES.values())]
    turned = next((name for name in alike if sorted(name) == sorted(said)), None)
    near = turned or nearest(said, alike, VERY_NEAR)
    return None if near is None else NAMES[near]


def _nearly(said: str) -> str | None:
    """The module that a name may well stand for where the word beside it is a mode; None for no such module."""
    near = nearest(said, [name for name in NAMES if name[0] == said[:1]], NEAR)
    return None if near is None else NAMES[near]


def _written(data: Mapping[str, Mapping[str, object]]) -> str:
    """A configuration as TOML: sections of strings, numbers and booleans, whose JSON is TOML too."""
    lines = []
    for section, table in data.items():
        lines.append(f"[{section}]")
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"
