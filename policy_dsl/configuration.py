"""`ringfence.toml`: what a deployment may set. Modes of policies, values of params inside their ranges, flags."""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from policy_dsl.diagnostics import Findings, Label, Source, Span, did_you_mean
from policy_dsl.files import CONFIGURATION_FILE
from policy_dsl.literals import LiteralError, read, write
from policy_dsl.names import Names
from policy_dsl.program import Param
from policy_dsl.quantities import Unit
from policy_dsl.types import DURATION, Flag, Levels, Quantity, Value


class Mode(enum.Enum):
    """How a policy runs: its rules do not exist, only observe, or bind."""

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of a bundle. `max_gap` is in milliseconds; None means three times the cadence.

    `flags` switches modules on and off by name; a module that is off supplies no facts.
    """

    modes: Mapping[str, Mode] = field(default_factory=dict)
    params: Mapping[str, str | bool] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    max_gap: int | None = None
    path: str = CONFIGURATION_FILE

    def mode(self, policy: str) -> Mode:
        """The mode of a policy; one that is not named is enforced."""
        return self.modes.get(policy, Mode.ENFORCE)


_SECTIONS = ("bundle", "modes", "params", "flags")


def read_configuration(source: Source, findings: Findings) -> Configuration:
    """The configuration in `source`; every problem is reported, and what is wrong is left out."""
    at = Span(source.path, 0, 1)
    try:
        data = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        findings.error("RF605", f"not readable as TOML: {str(error)[:1].lower()}{str(error)[1:]}", at)
        return Configuration(path=source.path)
    except (ValueError, RecursionError):  # a number of thousands of digits, or brackets thousands deep
        findings.error("RF605", "not readable as TOML: a value is too long or nests too deep", at)
        return Configuration(path=source.path)
    for key in data:
        if key not in _SECTIONS:
            findings.error("RF601", f"no section is called `{key}`", _find(source, key), did_you_mean(key, _SECTIONS))
    tables = {name: _table(data, name, source, findings) for name in _SECTIONS}
    return Configuration(
        _modes(tables["modes"], source, findings),
        _params(tables["params"], source, findings),
        _flags(tables["flags"], source, findings),
        _max_gap(tables["bundle"], source, findings),
        source.path,
    )


def _find(source: Source, key: str) -> Span:
    at = max(0, source.text.find(key))
    return Span(source.path, at, at + len(key))


def _table(data: Mapping[str, Any], name: str, source: Source, findings: Findings) -> Mapping[str, Any]:
    table = data.get(name, {})
    if isinstance(table, dict):
        return table
    findings.error("RF601", f"`{name}` is a section, not a value", _find(source, name))
    return {}


def _modes(table: Mapping[str, Any], source: Source, findings: Findings) -> dict[str, Mode]:
    words = [m.value for m in Mode]
    out = {}
    for policy, word in table.items():
        if word in words:
            out[policy] = Mode(word)
        else:
            hint = did_you_mean(str(word), words) or f"one of {', '.join(words)}"
            findings.error("RF603", f"`{word}` is not a mode", _find(source, policy), hint)
    return out


def _params(table: Mapping[str, Any], source: Source, findings: Findings) -> dict[str, str | bool]:
    out: dict[str, str | bool] = {}
    for name, value in table.items():
        if isinstance(value, bool | str):
            out[name] = value
        elif isinstance(value, dict):  # a bare dotted key makes a nested table
            out |= {f"{name}.{k}": v for k, v in _params(value, source, findings).items()}
        elif isinstance(value, int):
            out[name] = str(value)
        else:
            hint = 'write it as rules do, in quotes: `"4%"`'
            findings.error("RF604", f"`{name}` has a value that cannot be read", _find(source, name), hint)
    return out


def _flags(table: Mapping[str, Any], source: Source, findings: Findings) -> dict[str, bool]:
    out = {}
    for name, value in table.items():
        if isinstance(value, bool):
            out[name] = value
        else:
            findings.error("RF603", f"flag `{name}` is true or false", _find(source, name))
    return out


def _max_gap(table: Mapping[str, Any], source: Source, findings: Findings) -> int | None:
    for key in table:
        if key != "max_gap":
            hint = did_you_mean(key, ["max_gap"])
            findings.error("RF601", f"`bundle` has no setting `{key}`", _find(source, key), hint)
    if "max_gap" not in table:
        return None
    try:
        literal = read(str(table["max_gap"]))
    except LiteralError as error:
        findings.error("RF605", str(error), _find(source, "max_gap"))
        return None
    if literal.unit is not DURATION.unit or literal.value <= 0:
        findings.error("RF605", "`max_gap` is a duration such as `3m`", _find(source, "max_gap"))
        return None
    return int(literal.value)


def configured_params(configuration: Configuration, names: Names, findings: Findings) -> None:
    """Put the configured values into the params; outside its range a value is refused with both figures."""
    at = Span(configuration.path, 0, 1)
    for policy in configuration.modes:
        if policy not in names.policies:
            findings.error("RF602", f"no policy is called `{policy}`", at, did_you_mean(policy, names.policies))
    for full, text in configuration.params.items():
        param = names.params.get(full)
        if param is None:
            if full not in names.broken:
                findings.error("RF604", f"no param is called `{full}`", at, did_you_mean(full, names.params))
            continue
        value = _value(text, param)
        if value is None:
            findings.error("RF604", f"`{_shown(text)}` is not a {param.type}, as `{full}` needs", at)
        elif not _inside(value, param):
            findings.error("RF604", _outside(text, param), at, None, *_labels(param))
        else:
            names.params[full] = replace(param, value=value)


def _shown(text: str | bool) -> str:
    """A setting as the file writes it."""
    return str(text).lower() if isinstance(text, bool) else text


def _labels(param: Param) -> tuple[Label, ...]:
    return () if param.span is None else (Label(param.span, "the range"),)


def _inside(value: Value, param: Param) -> bool:
    return (param.low is None or int(value) >= param.low) and (param.high is None or int(value) <= param.high)


def _outside(text: str | bool, param: Param) -> str:
    unit = param.type.unit if isinstance(param.type, Quantity) else Unit.NUMBER
    ends = [write(end, unit) for end in (param.low, param.high) if end is not None]
    return f"`{param.id}` = {_shown(text)} is outside {' to '.join(ends)}"


def _value(text: str | bool, param: Param) -> Value | None:
    """The value that a setting gives a param; None if it does not read as one."""
    kind = param.type
    if isinstance(kind, Flag):
        return text if isinstance(text, bool) else {"yes": True, "no": False}.get(text)
    if isinstance(text, bool):
        return None
    if isinstance(kind, Levels):
        return kind.rank(text) if text in kind.members else None
    if not isinstance(kind, Quantity):
        return text
    negative = text.strip().startswith("-")
    try:
        literal = read(text.strip().removeprefix("-").strip())
    except LiteralError:
        return None
    if literal.unit is not None and literal.unit is not kind.unit:
        return None
    if literal.unit is None and kind.unit.value not in ("count", "number"):
        return None
    quanta = literal.quanta(kind.unit)
    return -quanta if quanta is not None and negative else quanta
