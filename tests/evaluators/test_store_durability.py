"""What the store has acknowledged is there, whatever happens next."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.store_commits import GroupCommit
from evaluators.store_file import reported
from policy_dsl.diagnostics import PolicyError
from tests.evaluators.stored_states import (
    CATALOGUE,
    RICH,
    refusals,
    snapshot,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, CATALOGUE) as opened:
        yield opened


def give_up(store: Store) -> None:
    """Let DuckDB give up the file as it does where a full disk takes no checkpoint."""
    store._connection.execute("SET debug_checkpoint_abort = 'before_header'")
    with pytest.raises(PolicyError, match=r"RF783.*Failed to create checkpoint"), store._reported():
        store._connection.execute("CHECKPOINT")


@pytest.mark.parametrize("reads_first", [False, True])
def test_a_file_that_duckdb_has_given_up_is_opened_anew_with_all_that_was_acknowledged(
    path: Path, store: Store, reads_first: bool
) -> None:
    kept = [snapshot(ts) for ts in (1, 2)]
    store.append_many(kept)
    give_up(store)
    if reads_first:
        assert [found.ts for found in store.snapshots("main")] == [one.ts for one in kept]
    assert store.append(snapshot(3))
    store.close()
    with Store(path, CATALOGUE) as again:
        assert [found.ts for found in again.snapshots("main")] == [one.ts for one in (*kept, snapshot(3))]


def test_a_file_that_was_given_up_is_told_to_be_sound(store: Store) -> None:
    give_up(store)

    def ask() -> None:
        with reported(store.path):
            store._connection.execute("SELECT 1")

    ((code, message, help),) = refusals(ask)
    assert (code, "invalidated" in message) == ("RF783", True)
    assert help is not None
    assert "what was acknowledged is in it" in help


def test_a_reader_that_is_not_at_its_end_does_not_keep_a_file_that_was_given_up(store: Store) -> None:
    store.append_many([snapshot(ts) for ts in (1, 2)])
    reader = store.snapshots("main")
    assert next(reader).ts == snapshot(1).ts
    give_up(store)
    assert store.append(snapshot(3))
    assert [found.ts for found in store.snapshots("main")] == [snapshot(ts).ts for ts in (1, 2, 3)]
    del reader
    assert store.append(snapshot(4))


def test_a_store_that_was_closed_is_not_opened_anew(path: Path, store: Store) -> None:
    store.append(snapshot(1))
    give_up(store)
    store.close()
    assert refusals(store.bundles)
    with Store(path, CATALOGUE) as again:
        assert again.latest("main") is not None


CHILD = """
import sys
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from tests.catalogue_for_tests import small_catalogue
store = Store(sys.argv[1], small_catalogue())
for i in range(10_000):
    store.append(Snapshot("main", i, {"account.losing_streak": i}, {"position": {"p": {"notional": i}}}))
    print(i, flush=True)
"""


def test_what_was_acknowledged_survives_kill_nine(path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout as acknowledged:
        for _ in range(12):
            last = int(acknowledged.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        last = max([last, *(int(line) for line in acknowledged)])
    with Store(path, CATALOGUE) as store:
        found = list(store.snapshots("main"))
        assert [s.ts for s in found[: last + 1]] == list(range(last + 1))
        assert [s.facts["account.losing_streak"] for s in found] == list(range(len(found)))
        assert all(s.rows["position"] == {"p": {**EMPTY_POSITION, "notional": s.ts}} for s in found)
        assert len(found) - last in (1, 2)
        assert store.append(Snapshot("main", 10_000, {}))


EMPTY_POSITION = {"symbol": None, "side": None, "notional": None, "r_multiple": None, "leverage": None}


def test_threads_share_a_store(store: Store) -> None:
    def work(number: int) -> int:
        book = f"b{number}"
        return sum(store.append(snapshot(minute, book)) for minute in range(5)) + len(list(store.snapshots(book)))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [10] * 8
    assert len(store.books) == 8


def test_threads_that_wait_are_committed_together() -> None:
    groups: list[list[int]] = []
    started, waiting = threading.Event(), threading.Barrier(4)

    def commit(works: Sequence[int]) -> list[int]:
        groups.append(list(works))
        if len(groups) == 1:
            started.set()
            gate.wait(60)
        if 3 in works:
            raise ValueError("three")
        return [work * 10 for work in works]

    gate = threading.Event()
    commits = GroupCommit[int, int](commit)

    def follower(work: int) -> int:
        waiting.wait(60)
        return commits.run(work)

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(commits.run, 0)
        assert started.wait(60)
        others = [pool.submit(follower, work) for work in (1, 2, 3)]
        waiting.wait(60)
        while len(commits._waiting) < 3:
            threading.Event().wait(0.001)
        gate.set()
        assert first.result(60) == 0
        assert [others[0].result(60), others[1].result(60)] == [10, 20]
        with pytest.raises(ValueError, match="three"):
            others[2].result(60)
    assert groups[0] == [0]
    assert sorted(groups[1]) == [1, 2, 3]
    assert sorted(groups[2:]) == [[1], [2], [3]]


def test_an_interrupted_commit_reaches_those_who_wait() -> None:
    def commit(_: Sequence[int]) -> list[int]:
        raise KeyboardInterrupt

    commits = GroupCommit[int, int](commit)
    with pytest.raises(KeyboardInterrupt):
        commits.run(1)
    with pytest.raises(KeyboardInterrupt):
        commits.run(2)
    assert commits._waiting == []


def test_a_failed_write_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise duckdb.IOException("IO Error: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("evaluators.store.insert_decisions", fail)
        assert refusals(lambda: store.append(RICH)) == [
            ("RF783", f"`{store.path}` failed: IO Error: No space left on device", "check the disk, then try again")
        ]
    assert store.latest("main") is None
    assert list(store.snapshots("main")) == []
    assert store.append(RICH)
