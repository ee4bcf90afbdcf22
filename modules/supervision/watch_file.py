"""The file of watched services (`serve --watch FILE`), read: what each is, how it is asked, what is started."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from evaluators.refusals import refusal
from modules.supervision.heartbeats import Answer, Heartbeat, TouchedFile
from modules.supervision.processes import Command
from modules.supervision.watch_tables import HeartbeatTable, ServiceTable, WatchTables, seconds
from policy_dsl.diagnostics import Diagnostic, PolicyError, did_you_mean
from policy_dsl.files import words_of

CODE = "RF854"

PASSED = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")
"""What every command is told of the fund's environment. The keys of a venue are not for everybody to have."""

WORDS = {
    "extra_forbidden": "there is no such key",
    "missing": "it is missing",
    "string_type": 'it is to be text, as in "..."',
    "bool_type": "it is to be true or false",
    "list_type": 'it is to be a list of words, as in ["python", "feed.py"]',
    "dict_type": "it is to be a table",
    "model_type": "it is to be a table",
    "too_short": "it names no service",
}
"""What pydantic finds, in the words of the file."""


@dataclass(frozen=True, slots=True)
class WatchedService:
    """A service as its table says: one of `command`, `unit` and `container`.

    `fingerprint` tells what is started from what else might be. `repairs` are commands by item of `healing.actions`.
    """

    name: str
    affects_trading: bool
    command: Command | None = None
    fingerprint: str = ""
    unit: str | None = None
    container: str | None = None
    heartbeat: Heartbeat | None = None
    gone_after: float | None = None
    repairs: Mapping[str, Command] = field(default_factory=dict)


def read_watch_file(path: Path, environment: Mapping[str, str], taken: Collection[str]) -> tuple[WatchedService, ...]:
    """The services in the file, by name; the names in `taken` are somebody else's.

    Raises PolicyError (RF854) for a file that is not wholly right, with every finding there is.
    """
    tables = _checked(path, _data(path))
    findings = [
        _finding(path, ("services", name), f"the fund itself has a service `{name}`: choose another name")
        for name in tables.services
        if name in taken
    ]
    for name, table in tables.services.items():
        findings += [
            _finding(path, ("services", name, "pass_env"), f"`{variable}` is not set")
            for variable in table.pass_env
            if variable not in environment
        ]
    if findings:
        raise PolicyError(findings)
    folder = path.absolute().parent
    return tuple(_service(name, tables.services[name], folder, environment) for name in sorted(tables.services))


def _data(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IWOTH:
                raise refusal(CODE, f"`{path}` can be written by everybody, and names commands: chmod o-w")
            return tomllib.loads(file.read().decode())
    except OSError as error:
        raise refusal(CODE, f"`{path}` cannot be read: {words_of(error)}") from error
    except (ValueError, RecursionError) as error:
        raise refusal(CODE, f"`{path}` is no TOML: {str(error)[:200]}") from error


def _checked(path: Path, data: dict[str, Any]) -> WatchTables:
    try:
        return WatchTables.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise PolicyError([_found(path, one["loc"], one["type"], one["msg"]) for one in found]) from error


def _found(path: Path, place: tuple[int | str, ...], kind: str, message: str) -> Diagnostic:
    """One finding of pydantic: where the place is a key that nobody knows, with the nearest that there is."""
    said = WORDS.get(kind, message.removeprefix("Value error, "))
    hint = did_you_mean(str(place[-1]), _keys(place[:-1])) if kind == "extra_forbidden" else None
    return _finding(path, place, said, hint)


def _keys(table: tuple[int | str, ...]) -> Collection[str]:
    tables: dict[int, type[BaseModel]] = {0: WatchTables, TO_A_SERVICE: ServiceTable, TO_A_HEARTBEAT: HeartbeatTable}
    return tables[len(table)].model_fields if len(table) in tables else ()


TO_A_SERVICE, TO_A_HEARTBEAT = 2, 3
"""How many keys lead to a table."""


def _finding(path: Path, place: tuple[int | str, ...], said: str, hint: str | None = None) -> Diagnostic:
    """`path`, the table and the key in it, and what is wrong there."""
    words = [str(word) for word in place if word != "[key]"]
    depth = TO_A_HEARTBEAT if words[TO_A_SERVICE:TO_A_HEARTBEAT] == ["heartbeat"] else TO_A_SERVICE
    table, keys = words[:depth], words[depth:]
    parts = [f"[{'.'.join(table)}]"] * bool(table) + [f"`{'.'.join(keys)}`"] * bool(keys)
    return Diagnostic(CODE, ": ".join([f"`{path}`", *([" ".join(parts)] if parts else []), said]), None, hint)


def _service(name: str, table: ServiceTable, folder: Path, environment: Mapping[str, str]) -> WatchedService:
    told = {key: environment[key] for key in (*PASSED, *table.pass_env) if key in environment} | table.env
    cwd = folder if table.cwd is None else folder / table.cwd
    log = None if table.log is None else folder / table.log

    def command(argv: list[str] | None) -> Command | None:
        return None if argv is None else Command(tuple(argv), log, told, cwd)

    started, beat = command(table.command), table.heartbeat
    repairs = {"RECONNECT": command(table.reconnect), "CLEAR_CACHE": command(table.clear_cache)}
    return WatchedService(
        name,
        table.affects_trading,
        started,
        "" if started is None else started.fingerprint(*(set(told) - set(table.env))),
        table.unit,
        table.container,
        None if beat is None else _heartbeat(beat, folder),
        None if beat is None or beat.gone_after is None else seconds(beat.gone_after),
        {item: found for item, found in repairs.items() if found is not None},
    )


def _heartbeat(table: HeartbeatTable, folder: Path) -> Heartbeat:
    if table.url is not None:
        return Answer(table.url, seconds(table.within))
    assert table.file is not None
    return TouchedFile(folder / table.file, seconds(table.within))
