"""The store refuses files that are damaged, foreign or in use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from evaluators.store import Store
from evaluators.store_file import reported
from tests.evaluators.stored_states import (
    AT,
    CATALOGUE,
    RICH,
    codes,
    refusals,
    rows,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.duckdb"


def test_another_database_is_refused(path: Path) -> None:
    rows(path, "CREATE TABLE mine AS SELECT 1 AS a")
    assert refusals(lambda: Store(path, CATALOGUE)) == [
        (
            "RF775",
            f"`{path}` is a DuckDB database, but not a store",
            "name another file; a store is a file that ringfence made",
        )
    ]
    assert rows(path, "SELECT a FROM mine") == [(1,)]


def test_a_store_has_one_owner(path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        assert refusals(lambda: Store(path, CATALOGUE)) == [
            ("RF771", f"`{path}` is open already, in this process", "use the store that is open")
        ]
        program = (
            "import sys\nfrom evaluators.store import Store\nfrom policy_dsl.diagnostics import PolicyError\n"
            "from tests.catalogue_for_tests import small_catalogue\n"
            "try:\n    Store(sys.argv[1], small_catalogue())\n"
            "except PolicyError as error:\n    print(error)\n"
        )
        run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
        assert run.stdout == f"RF771: `{path}` is in use by another process\n"
        assert store.append(RICH)
    with Store(path, CATALOGUE) as store:
        assert store.books == ("main",)


def damaged(path: Path, change: Callable[[bytes], bytes]) -> None:
    with Store(path, CATALOGUE) as store:
        store.append_many([replace(RICH, ts=AT + i) for i in range(200)])
    assert not path.with_name(path.name + ".wal").exists()
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:5000],
        lambda content: content[:100],
        lambda _: b"",
        lambda _: b"hello world, I am a text file" * 1000,
        lambda content: content[:4100] + b"\xaa" * 8200 + content[12300:],
        lambda content: content[:12300] + b"\xaa" * (len(content) - 12300),
    ],
)
def test_a_damaged_file_is_refused(path: Path, change: Callable[[bytes], bytes]) -> None:
    damaged(path, change)
    [(code, message, help_line)] = refusals(lambda: Store(path, CATALOGUE))
    assert code == "RF772"
    assert message.startswith(f"`{path}` is damaged, or is not a DuckDB file: ")
    assert help_line == "restore it from a copy, or move it away to start with an empty store"


def test_a_damaged_log_is_refused(path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom evaluators.snapshot import Snapshot\nfrom evaluators.store import Store\n"
        "from tests.catalogue_for_tests import small_catalogue\n"
        "store = Store(sys.argv[1], small_catalogue())\n"
        "for i in range(3):\n    store.append(Snapshot('main', i, {}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    log = path.with_name(path.name + ".wal")
    content = log.read_bytes()
    # In what is stored: a length that is wrong would look to DuckDB like the torn end of the log.
    stored = content.index(b"main", len(content) // 2)
    log.write_bytes(content[:stored] + bytes([content[stored] ^ 0xFF]) + content[stored + 1 :])
    assert codes(lambda: Store(path, CATALOGUE)) == ["RF772"]
    log.write_bytes(content[:-7])
    with Store(path, CATALOGUE) as store:
        assert [s.ts for s in store.snapshots("main")] == [0, 1]


def test_a_file_of_a_newer_duckdb_is_refused() -> None:
    text = "IO Error: Trying to read a database file with version number 99, but we can only read versions up to 67"

    def fail() -> None:
        with reported("state.duckdb"):
            raise duckdb.IOException(text)

    assert refusals(fail) == [
        (
            "RF774",
            f"`state.duckdb` was written by another version of DuckDB: {text}",
            "open it with the version of ringfence that wrote it, or a newer one",
        )
    ]


@pytest.mark.parametrize("place", ["nowhere/state.duckdb", "folder"])
def test_a_place_that_holds_no_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    assert codes(lambda: Store(tmp_path / place, CATALOGUE)) == ["RF773"]
