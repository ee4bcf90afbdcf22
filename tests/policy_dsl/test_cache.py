"""Checked bundles kept between runs."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import pytest

from modules.facts import default_catalogue
from policy_dsl.bundle import Report, check_files
from policy_dsl.cache import cache_directory, cache_key, cached

RULES = b"""policy a version 1.0.0
output mode: LOW < HIGH starts HIGH
rule deep when account.drawdown > 3% tighten mode to LOW because "at {account.drawdown}"
rule rows for each position as p when count(position as q where q.symbol is p.symbol) > 1 tighten mode to LOW
test "deep" given account.drawdown = 4% expect mode is LOW
always "calm" when account.drawdown < 1% then mode is HIGH
param unused = 3
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RINGFENCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make() -> Report:
    return check_files({"a.rules": RULES}, default_catalogue())


def refuse() -> Report:
    raise AssertionError("made again")


def test_what_comes_back_equals_what_was_kept(directory: Path) -> None:
    first = cached("k", make)
    second = cached("k", refuse)
    assert list(directory.iterdir())
    assert second.bundle == first.bundle
    assert second.diagnostics == first.diagnostics
    assert second.files == first.files


@pytest.mark.parametrize("damage", [b"", b"short", b"\x00" * 400])
def test_a_damaged_file_is_made_again(directory: Path, damage: bytes) -> None:
    cached("k", make)
    (path,) = directory.iterdir()
    path.write_bytes(damage)
    assert cached("k", make).bundle is not None
    assert cached("k", refuse).bundle is not None


class Evil:
    """Runs a command when a careless unpickler reads it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch should-not-exist",)


@pytest.mark.parametrize("payload", [(Evil(),), (Path("x"),), ([].__iter__(),)])
def test_a_file_cannot_run_code_or_bring_foreign_classes(directory: Path, payload: tuple[object]) -> None:
    cached("k", make)
    (path,) = directory.iterdir()
    data = pickle.dumps(payload)
    path.write_bytes(hashlib.sha256(data).digest() + data)
    assert cached("k", make).bundle is not None
    assert not Path("should-not-exist").exists()


def test_a_directory_that_others_may_write_is_not_used(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o777)
    assert cache_directory() is None
    assert cached("k", make).bundle is not None
    assert list(directory.iterdir()) == []


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGFENCE_CACHE", "off")
    assert cache_directory() is None


def test_the_key_follows_the_rules_the_code_and_the_rest(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("x = 1")
    keys = {cache_key({"a.rules": RULES}, [tmp_path]), cache_key({"b.rules": RULES}, [tmp_path])}
    keys |= {cache_key({"a.rules": RULES + b" "}, [tmp_path]), cache_key({"a.rules": RULES}, [tmp_path], "today")}
    (tmp_path / "code.py").write_text("x = 2")
    keys.add(cache_key({"a.rules": RULES}, [tmp_path]))
    assert len(keys) == 5
    assert cache_key({"a.rules": RULES}, [tmp_path]) in keys


def test_only_so_many_are_kept(directory: Path) -> None:
    for index in range(70):
        cached(f"k{index:02}", lambda: ())
    assert len(list(directory.iterdir())) == 64
