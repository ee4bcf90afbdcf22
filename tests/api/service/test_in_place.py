"""A fund whose files are taken away stops deciding, and says which."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.service.in_place import still_in_place
from modules.runtime.composition import CONTROLS, INTENTS, LEDGER, STORE
from policy_dsl.diagnostics import PolicyError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (STORE, LEDGER, CONTROLS, INTENTS):
        (tmp_path / name).write_text("kept", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", [STORE, LEDGER, CONTROLS, INTENTS])
def test_a_file_that_was_taken_away_or_replaced_is_named(folder: Path, name: str) -> None:
    check = still_in_place(folder)
    check()
    (folder / name).write_text("it may grow", encoding="utf-8")
    check()
    (folder / name).rename(folder / "away")
    with pytest.raises(PolicyError, match=f"{name}` was taken away"):
        check()
    (folder / name).write_text("another", encoding="utf-8")
    with pytest.raises(PolicyError, match="replaced"):
        check()
    (folder / "away").replace(folder / name)
    check()
