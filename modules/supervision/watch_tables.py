"""What may stand in the file of watched services, table by table."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from policy_dsl.literals import LiteralError, read
from policy_dsl.quantities import Unit

OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine to itself."""

SILENCE = "15s"
"""After so long a silence a service does not do its work where its table says nothing: three beats of five seconds."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:-]{0,99}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def seconds(text: str) -> float:
    """The duration in seconds, more than none. Raises ValueError where it is not one."""
    try:
        literal = read(text)
    except LiteralError as error:
        raise ValueError(f"{error}; write a duration such as 5s") from error
    quanta = literal.quanta(Unit.DURATION) if literal.unit is Unit.DURATION else None
    if quanta is None or quanta <= 0:
        raise ValueError(f"`{text}` is no duration such as 5s")
    return quanta / 1000


def _quoted(value: object) -> object:
    if isinstance(value, int | float):
        said = f'`{value}` is no duration: write one with its unit, in quotes, as in "{SILENCE}"'
        raise ValueError(said)  # noqa: TRY004 -- pydantic makes a finding of a ValueError alone
    return value


def _duration(text: str) -> str:
    seconds(text)
    return text


def _own_page(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_own = parts.scheme == "http" and parts.hostname in OWN_NAMES and parts.port != 0 and parts.username is None
    except ValueError:  # a port that is none
        is_own = False
    if not is_own or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"`{url}` is no page of this machine, such as http://127.0.0.1:9000/health")
    return url


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"`{text}` is no name: a letter or digit, then letters, digits and _ . @ : -")
    return text


def _variable(text: str) -> str:
    if not VARIABLE.fullmatch(text):
        raise ValueError(f"`{text}` is no name of a variable of the environment")
    return text


def _whole(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a zero byte")
    return text


def _path(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return _whole(text)


def _argv(words: list[str]) -> list[str]:
    if not words or not words[0].strip() or words[0].startswith("-"):
        raise ValueError("it names no program")
    return words


Duration = Annotated[str, BeforeValidator(_quoted), AfterValidator(_duration)]
Page = Annotated[str, AfterValidator(_own_page)]
Name = Annotated[str, AfterValidator(_name)]
Variable = Annotated[str, AfterValidator(_variable)]
Text = Annotated[str, AfterValidator(_whole)]
PathText = Annotated[str, AfterValidator(_path)]
Argv = Annotated[list[Text], AfterValidator(_argv)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class HeartbeatTable(_Table):
    """`[services.NAME.heartbeat]`: a file that the service touches, or a page of this machine that it answers.

    Silent for longer than `within`, it does not do its work; for longer than `gone_after`, it counts as down.
    """

    file: PathText | None = None
    url: Page | None = None
    within: Duration = SILENCE
    gone_after: Duration | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("a heartbeat is one of `file` and `url`")
        if self.gone_after is not None and seconds(self.gone_after) < seconds(self.within):
            raise ValueError(f"`gone_after` ({self.gone_after}) is shorter than `within` ({self.within})")
        return self


class ServiceTable(_Table):
    """`[services.NAME]`: one of `command`, `unit` and `container`, and how it is looked at and repaired.

    `reconnect` and `clear_cache` are commands that carry out what `healing.actions` calls so. `pass_env` names what
    commands are told of the fund's own environment.
    """

    affects_trading: bool = True
    command: Argv | None = None
    unit: Name | None = None
    container: Name | None = None
    cwd: PathText | None = None
    log: PathText | None = None
    env: dict[Variable, Text] = Field(default_factory=dict)
    pass_env: list[Variable] = Field(default_factory=list)
    heartbeat: HeartbeatTable | None = None
    reconnect: Argv | None = None
    clear_cache: Argv | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(part is not None for part in (self.command, self.unit, self.container)) != 1:
            raise ValueError("a service is one of `command`, `unit` and `container`")
        commands = (self.command, self.reconnect, self.clear_cache)
        told = [key for key in ("cwd", "log", "env", "pass_env") if getattr(self, key)]
        if told and not any(commands):
            raise ValueError(f"`{told[0]}` is for commands, and it has none")
        return self


class WatchTables(_Table):
    """The whole file."""

    services: dict[Name, ServiceTable] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for kind in ("unit", "container"):
            named: dict[str, str] = {}
            for name, table in self.services.items():
                thing = getattr(table, kind)
                if thing is not None and named.setdefault(thing, name) != name:
                    raise ValueError(f"`{named[thing]}` and `{name}` are one {kind}, `{thing}`")
        return self
