"""Bundles in the store: the files of each, and which one was put in force when, by whom and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import commonpath
from pathlib import PurePosixPath

import duckdb

from evaluators.refusals import refusal


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle as it was saved: its hash, its files by name, and when it was last put in force (ms; None: never)."""

    hash: str
    files: Mapping[str, str]
    activated_at: int | None


@dataclass(frozen=True, slots=True)
class Activation:
    """A bundle was put in force at `at` (ms since 1970 UTC)."""

    bundle: str
    at: int
    person: str
    reason: str


def save_bundle(connection: duckdb.DuckDBPyConnection, bundle: str, files: Mapping[str, str]) -> None:
    """Keep the files of a bundle; the same again does nothing, from whichever folder they were read.

    Raises PolicyError (RF780) where other files are kept under that hash.
    """
    found = read_bundle(connection, bundle)
    if found is None:
        connection.execute("INSERT INTO log.bundle VALUES (?, ?)", [bundle, json.dumps(dict(files), sort_keys=True)])
    elif _within_their_folder(found.files) != _within_their_folder(files):
        raise refusal("RF780", f"bundle `{bundle}` is stored already, with other files")


def _within_their_folder(files: Mapping[str, str]) -> dict[str, str]:
    """The files by name within the folder that holds them all: where that folder is has no part in the hash."""
    folder = commonpath([PurePosixPath(name).parent for name in files]) if files else ""
    return {str(PurePosixPath(name).relative_to(folder)): text for name, text in files.items()}


def read_bundle(connection: duckdb.DuckDBPyConnection, bundle: str) -> StoredBundle | None:
    """The bundle of that hash, if it is kept."""
    return next((b for b in read_bundles(connection) if b.hash == bundle), None)


def read_bundles(connection: duckdb.DuckDBPyConnection) -> tuple[StoredBundle, ...]:
    """Every bundle, in the order in which they were saved."""
    rows = connection.execute(
        "SELECT hash, files, (SELECT epoch_ms(arg_max(activated_at, number)) FROM log.activation WHERE bundle = hash) "
        "FROM log.bundle ORDER BY rowid"
    ).fetchall()
    return tuple(StoredBundle(bundle, json.loads(files), at) for bundle, files, at in rows)


def activate(connection: duckdb.DuckDBPyConnection, activation: Activation, expected: str | None) -> None:
    """Put a bundle in force, provided that `expected` is the one in force now (None: whichever).

    Raises PolicyError: RF781 another bundle is in force, RF782 the bundle is not stored.
    """
    history = read_activations(connection)
    current = history[-1].bundle if history else ""
    if expected is not None and expected != current:
        message = f"bundle `{current or 'none'}` is in force, not `{expected or 'none'}`"
        raise refusal("RF781", message, "look at what changed meanwhile, then try again")
    if read_bundle(connection, activation.bundle) is None:
        raise refusal("RF782", f"bundle `{activation.bundle}` is not stored", "save it before it is used")
    row = [len(history), activation.bundle, activation.at, activation.person, activation.reason]
    connection.execute("INSERT INTO log.activation VALUES (?, ?, make_timestamp_ms(?), ?, ?)", row)


def read_activations(connection: duckdb.DuckDBPyConnection) -> tuple[Activation, ...]:
    """Every change of the bundle in force, oldest first."""
    rows = connection.execute(
        "SELECT bundle, epoch_ms(activated_at), person, reason FROM log.activation ORDER BY number"
    ).fetchall()
    return tuple(Activation(*row) for row in rows)
