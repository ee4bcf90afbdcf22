"""The shelf: versions are never written over, exchanges are whole, and damage is named and never loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.disk import Disk
from modules.learning.model import Losses, Trained
from modules.learning.shelf import KEPT, Pointer, Shelf, ShelfError, Version
from tests.modules.venues.crashing import die, killed

MODEL = "xgboost"


def trained(weight: float, model: str = MODEL) -> Trained:
    return Trained(
        model=model,
        features=("move_1",),
        horizon=1,
        cadence_ms=3_600_000,
        since=0,
        trained_at=1_000,
        regime="NORMAL",
        parameters={"weights": (0.1, weight)},
        expected=Losses(bars=100, mean=0.2, deviation=0.1),
        inputs=((0.1,), (0.2,)),
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    found = Shelf.opened(tmp_path / "shelf")
    yield found
    found.close()


def live(shelf: Shelf, weight: float, at: int) -> Version:
    """A version that has gone live."""
    version = shelf.add(trained(weight))
    shelf.point(MODEL, shelf.pointer(MODEL).challenged(version, at, "").deployed_challenger(at, "proven"))
    return version


def file_of(shelf: Shelf, version: Version) -> Path:
    return shelf.folder / MODEL / "versions" / version.file


def test_a_version_comes_back_as_it_was(shelf: Shelf) -> None:
    version = shelf.add(trained(0.5))
    assert shelf.load(MODEL, version) == trained(0.5)
    assert version.number == 1
    assert shelf.pointer(MODEL) == Pointer()


def test_versions_have_files_of_their_own_and_training_leaves_the_live_one_as_it_is(shelf: Shelf) -> None:
    first = live(shelf, 0.1, 1)
    before = file_of(shelf, first).read_bytes()
    second = shelf.add(trained(0.2))
    assert shelf.pointer(MODEL).live == first
    assert file_of(shelf, first).read_bytes() == before
    assert second.number == 2
    assert shelf.are_apart(MODEL, first, second)


def test_one_version_is_not_apart_from_itself_nor_from_another_name_of_its_file(shelf: Shelf) -> None:
    first = live(shelf, 0.1, 1)
    assert not shelf.are_apart(MODEL, first, first)
    other = Version(number=2, digest=first.digest)
    os.link(file_of(shelf, first), file_of(shelf, other))
    assert not shelf.are_apart(MODEL, first, other)


def test_deploying_keeps_what_was_live_and_rolling_back_brings_it_again(shelf: Shelf) -> None:
    first, second = live(shelf, 0.1, 1), live(shelf, 0.2, 2)
    deployed = shelf.pointer(MODEL)
    assert (deployed.live, deployed.before, deployed.challenger) == (second, first, None)
    shelf.point(MODEL, deployed.rolled_back(3, "ada: it lost"))
    back = shelf.pointer(MODEL)
    assert (back.live, back.before, back.deployed, back.because) == (first, None, 3, "ada: it lost")
    assert shelf.load(MODEL, first) == trained(0.1)


def test_only_one_version_is_live_however_often_it_is_read(shelf: Shelf) -> None:
    live(shelf, 0.1, 1)
    second = live(shelf, 0.2, 2)
    shelf.close()
    again = Shelf.opened(shelf.folder)
    assert [again.pointer(MODEL).live for _ in range(2)] == [second, second]
    assert again.pointer(MODEL).live not in again.pointer(MODEL).earlier
    again.close()


def test_old_versions_go_and_neither_the_live_one_nor_those_to_go_back_to_do(shelf: Shelf) -> None:
    versions = [live(shelf, i / 10, i) for i in range(15)]
    pointer = shelf.pointer(MODEL)
    assert pointer.live == versions[-1]
    assert pointer.earlier == tuple(versions[-1 - KEPT : -1])
    kept = {path.name for path in (shelf.folder / MODEL / "versions").iterdir()}
    assert kept == {version.file for version in versions[-1 - KEPT :]}
    for version in pointer.named:
        assert shelf.load(MODEL, version).model == MODEL


def test_numbers_are_not_given_twice_even_where_the_same_was_learnt(shelf: Shelf) -> None:
    one, two = shelf.add(trained(0.1)), shelf.add(trained(0.1))
    assert (one.number, two.number) == (1, 2)
    assert one.digest == two.digest


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b" ", lambda b: b.replace(b"0.5", b"0.6"), bytes])
def test_a_damaged_version_is_named_and_not_loaded(shelf: Shelf, damage: Callable[[bytes], bytes]) -> None:
    version = shelf.add(trained(0.5))
    path = file_of(shelf, version)
    content = path.read_bytes()
    path.write_bytes(b"" if damage is bytes else damage(content))
    with pytest.raises(ShelfError, match=r"damaged, its hash is another one.*restore it"):
        shelf.load(MODEL, version)
    path.unlink()
    with pytest.raises(ShelfError, match="cannot be read"):
        shelf.load(MODEL, version)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"pointer": {}, "sha256": ""}', b"null"])
def test_a_damaged_pointer_is_named_and_is_not_an_empty_one(shelf: Shelf, content: bytes) -> None:
    live(shelf, 0.5, 1)
    (shelf.folder / MODEL / "pointer.json").write_bytes(content)
    with pytest.raises(ShelfError, match=r"pointer.json` is damaged"):
        shelf.pointer(MODEL)


def test_a_pointer_that_somebody_changed_by_hand_is_damaged(shelf: Shelf) -> None:
    live(shelf, 0.5, 1)
    path = shelf.folder / MODEL / "pointer.json"
    told = json.loads(path.read_bytes())
    told["pointer"]["deployed"] = 7
    path.write_text(json.dumps(told))
    with pytest.raises(ShelfError, match="its hash is another one"):
        shelf.pointer(MODEL)


def test_a_version_of_another_model_is_not_loaded(shelf: Shelf) -> None:
    version = shelf.add(trained(0.5, "nhits"))
    (shelf.folder / MODEL / "versions").mkdir(parents=True)
    file_of(shelf, version).write_bytes((shelf.folder / "nhits" / "versions" / version.file).read_bytes())
    with pytest.raises(ShelfError, match="a version of `nhits`"):
        shelf.load(MODEL, version)


@pytest.mark.parametrize("name", ["", "../xgboost", "a/b", ".", "a\0b", "-a"])
def test_a_name_cannot_lead_out_of_the_folder(shelf: Shelf, name: str) -> None:
    with pytest.raises(ShelfError, match="a model is not called"):
        shelf.pointer(name)


def test_two_processes_do_not_share_a_shelf(shelf: Shelf) -> None:
    with pytest.raises(ShelfError, match="another process"):
        Shelf.opened(shelf.folder)
    shelf.close()
    Shelf.opened(shelf.folder).close()


STEPS = ("train", "try", "leave", "withdraw", "deploy", "roll back", "reopen")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), max_size=25))
def test_whatever_is_done_in_whatever_order_a_version_is_live_and_whole(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    shelf = Shelf.opened(tmp_path_factory.mktemp("shelf"))
    live(shelf, 0.1, 0)
    for at, step in enumerate(steps, start=1):
        pointer = shelf.pointer(MODEL)
        match step:
            case "train":
                shelf.point(MODEL, pointer.challenged(shelf.add(trained(at / 100)), at, "x"))
            case "try" if pointer.challenger is not None:
                shelf.point(MODEL, pointer.tried(at, "x"))
            case "leave":
                shelf.point(MODEL, pointer.left_alone(at, "x"))
            case "withdraw":
                shelf.point(MODEL, pointer.withdrawn(at, "x"))
            case "deploy" if pointer.challenger is not None:
                shelf.point(MODEL, pointer.deployed_challenger(at, "x"))
            case "roll back" if pointer.before is not None:
                shelf.point(MODEL, pointer.rolled_back(at, "x"))
            case "reopen":
                shelf.close()
                shelf = Shelf.opened(shelf.folder)
        now = shelf.pointer(MODEL)
        assert now.live is not None
        assert now.canary_since is None or now.challenger is not None
        assert len({v.number for v in now.named}) == len(list(now.named))
        for version in now.named:
            shelf.load(MODEL, version)
    shelf.close()


def test_what_is_not_there_cannot_go_live() -> None:
    with pytest.raises(ShelfError, match="no challenger"):
        Pointer().deployed_challenger(1, "x")
    with pytest.raises(ShelfError, match="no earlier version"):
        Pointer().rolled_back(1, "x")


class Dying(Disk):
    """A disk that dies at its n-th step: before it, or half-way through where it writes."""

    def __init__(self, step: int) -> None:
        self.left = step

    def _count(self) -> bool:
        self.left -= 1
        return self.left < 0

    def write(self, path: Path, content: bytes) -> None:
        if self._count():
            die()
        if self._count():
            path.write_bytes(content[: len(content) // 2])
            die()
        super().write(path, content)

    def link(self, old: Path, new: Path) -> None:
        if self._count():
            die()
        super().link(old, new)

    def rename(self, old: Path, new: Path) -> None:
        if self._count():
            die()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        if self._count():
            die()
        super().remove(path)

    def folder(self, path: Path) -> None:
        if self._count():
            die()
        super().folder(path)

    def sync(self, folder: Path) -> None:
        if self._count():
            die()
        super().sync(folder)


def exchange(folder: Path, disk: Disk) -> None:
    """A challenger is shelved and goes live."""
    shelf = Shelf.opened(folder, disk)
    version = shelf.add(trained(0.9))
    shelf.point(MODEL, shelf.pointer(MODEL).challenged(version, 9, "").deployed_challenger(9, "proven"))


def test_a_crash_at_any_step_leaves_the_old_version_or_the_new_one(tmp_path: Path) -> None:
    seen: list[float] = []
    for step in range(60):
        folder = tmp_path / str(step)
        shelf = Shelf.opened(folder)
        live(shelf, 0.1, 1)
        live(shelf, 0.2, 2)
        shelf.close()
        died = killed(lambda folder=folder, step=step: exchange(folder, Dying(step)))  # type: ignore[misc]  # because mypy cannot infer a lambda with defaults
        again = Shelf.opened(folder)
        pointer = again.pointer(MODEL)
        assert pointer.live is not None
        for version in pointer.named:
            again.load(MODEL, version)
        seen.append(again.load(MODEL, pointer.live).parameters["weights"][1])
        # What a crash left behind is in nobody's way.
        live(again, 0.5, 10)
        assert again.load(MODEL, again.pointer(MODEL).live or pointer.live).parameters["weights"][1] == 0.5
        again.close()
        if not died:
            break
    assert not died
    assert set(seen) == {0.2, 0.9}
    assert seen == sorted(seen)
