"""`ringfence.toml`: what a deployment may set. Modes of policies, values of params inside their ranges, flags."""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from policy_dsl.context import a_type
from policy_dsl.diagnostics import Findings, Label, Source, Span, did_you_mean
from policy_dsl.files import CONFIGURATION_FILE
from policy_dsl.hidden import report_hidden
from policy_dsl.literals import LiteralError, read, write
from policy_dsl.names import Names
from policy_dsl.program import Param
from policy_dsl.quantities import Unit
from policy_dsl.types import DURATION, Flag, Levels, Quantity, Value
from policy_dsl.writing import write_value


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
    places: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)
    """Where a setting stands, by section and key: `params.hfos.calm_hold`."""

    def place(self, setting: str) -> Span:
        """Where a setting stands; the start of the file for one that came from elsewhere."""
        return self.places.get(setting, Span(self.path, 0, 1))

    def mode(self, policy: str) -> Mode:
        """The mode of a policy; one that is not named is enforced."""
        return self.modes.get(policy, Mode.ENFORCE)


_SECTIONS = ("bundle", "modes", "params", "flags")


def read_configuration(source: Source, findings: Findings) -> Configuration:
    """The configuration in `source`; every problem is reported, and what is wrong is left out."""
    report_hidden(source, [(0, len(source.text))], findings)
    try:
        data = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        _report_toml(str(error), source, findings)
        return Configuration(path=source.path)
    except (ValueError, RecursionError):  # a number of thousands of digits, or brackets thousands deep
        message = "not readable as TOML: a value is too long or nests too deep"
        findings.error("RF605", message, Span(source.path, 0, 1))
        return Configuration(path=source.path)
    for key in data:
        if key not in _SECTIONS:
            place, hint = _section(source, key), did_you_mean(key, _SECTIONS)
            findings.error("RF601", f"no section is called `{key}`", place, hint)
    tables = {name: _table(data, name, source, findings) for name in _SECTIONS}
    modes = _modes(tables["modes"], source, findings)
    params = _params(tables["params"], source, findings)
    places = {f"modes.{key}": _find(source, "modes", key) for key in modes}
    places |= {f"params.{key}": _find(source, "params", key) for key in params}
    return Configuration(
        modes,
        params,
        _flags(tables["flags"], source, findings),
        _max_gap(tables["bundle"], source, findings),
        source.path,
        places,
    )


def _report_toml(message: str, source: Source, findings: Findings) -> None:
    """Report what Python's reader says, at the place that it names."""
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    at = len(source.text)
    if found is not None:
        at = source.line_starts[int(found[1]) - 1] + int(found[2]) - 1
        message = message[: found.start()]
    message = f"not readable as TOML: {message[:1].lower()}{message[1:]}"
    findings.error("RF605", message.removesuffix(" (at end of document)"), Span(source.path, at, at + 1))


def _section(source: Source, name: str) -> Span:
    """Where a section starts, or what should be one."""
    pattern = rf"^[ \t]*\[*[ \t]*[\"']?({re.escape(name)})\b"
    found = re.search(pattern, source.text, re.MULTILINE)
    return Span(source.path, *(found.span(1) if found else (0, 1)))


def _find(source: Source, section: str, key: str) -> Span:
    """Where a setting stands: its key, or the last part of a key with dots."""
    start = _section(source, section)
    for name in (key, key.rpartition(".")[2]):
        pattern = re.compile(rf"^(?:[^=#\n]*[.\"' \t])?({re.escape(name)})[\"']?[ \t]*=", re.MULTILINE)
        found = pattern.search(source.text, start.end)
        if found is not None:
            return Span(source.path, *found.span(1))
    return start


def _table(data: Mapping[str, Any], name: str, source: Source, findings: Findings) -> Mapping[str, Any]:
    table = data.get(name, {})
    if isinstance(table, dict):
        return table
    findings.error("RF601", f"`{name}` is a section, not a value", _section(source, name))
    return {}


def _modes(table: Mapping[str, Any], source: Source, findings: Findings) -> dict[str, Mode]:
    words = [m.value for m in Mode]
    out = {}
    for policy, word in table.items():
        if word in words:
            out[policy] = Mode(word)
        else:
            hint = did_you_mean(str(word), words) or f"one of {', '.join(words)}"
            findings.error("RF603", f"`{word}` is not a mode", _find(source, "modes", policy), hint)
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
            findings.error("RF604", f"`{name}` has a value that cannot be read", _find(source, "params", name), hint)
    return out


def _flags(table: Mapping[str, Any], source: Source, findings: Findings) -> dict[str, bool]:
    out = {}
    for name, value in table.items():
        if isinstance(value, bool):
            out[name] = value
        else:
            findings.error("RF603", f"flag `{name}` is true or false", _find(source, "flags", name))
    return out


def _max_gap(table: Mapping[str, Any], source: Source, findings: Findings) -> int | None:
    for key in table:
        if key != "max_gap":
            hint = did_you_mean(key, ["max_gap"])
            findings.error("RF601", f"`bundle` has no setting `{key}`", _find(source, "bundle", key), hint)
    if "max_gap" not in table:
        return None
    try:
        literal = read(str(table["max_gap"]))
    except LiteralError as error:
        findings.error("RF605", str(error), _find(source, "bundle", "max_gap"))
        return None
    if literal.unit is not DURATION.unit or literal.value <= 0:
        findings.error("RF605", "`max_gap` is a duration such as `3m`", _find(source, "bundle", "max_gap"))
        return None
    return int(literal.value)


def configured_params(configuration: Configuration, names: Names, findings: Findings) -> None:
    """Put the configured values into the params; outside its range a value is refused with both figures."""
    for policy in configuration.modes:
        if policy not in names.policies:
            place, hint = configuration.place(f"modes.{policy}"), did_you_mean(policy, names.policies)
            findings.error("RF602", f"no policy is called `{policy}`", place, hint)
    for full, text in configuration.params.items():
        place = configuration.place(f"params.{full}")
        param = names.params.get(full)
        if param is None:
            if full not in names.broken:
                findings.error("RF604", f"no param is called `{full}`", place, did_you_mean(full, names.params))
            continue
        value = _value(text, param)
        if value is None:
            hint = f"such as `{write_value(param.value, param.type)}`"
            findings.error("RF604", f"`{_shown(text)}` is not {a_type(param.type)}", place, hint)
        elif not _inside(value, param):
            findings.error("RF604", _outside(text, param), place, None, *_labels(param))
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
