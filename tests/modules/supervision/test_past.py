"""What became of the services is found again, and a file that cannot be trusted is refused."""

from __future__ import annotations

from pathlib import Path
from threading import Timer

import pytest

from modules.supervision.identity import Identity
from modules.supervision.past import Past, Started
from modules.venues.journal import JournalError, JournalInUseError

ONE = Identity(4711, 12, "here")


def test_restarts_and_processes_outlive_a_crash(tmp_path: Path) -> None:
    past = Past(tmp_path / "services.jsonl")
    past.restart("feed", 1000)
    past.start("feed", ONE, "abc")
    past.start("other", ONE, "def")
    past.restart("feed", 2000)
    past.end(["other"])
    past.keep(ONE)
    past.close()
    again = Past(tmp_path / "services.jsonl")
    assert again.restarted == {"feed": [1000, 2000]}
    assert again.running == {"feed": Started(ONE, "abc")}
    assert again.keeper == ONE
    again.close()


@pytest.mark.parametrize(
    "line",
    ['{"did":"restart"}', '{"did":"jump"}', "{}", '{"did":"start","service":"a","pid":"x"}', "[]", "{",
     '{"did":"restart","service":"feed","at":null}'],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_name_and_let_go(tmp_path: Path, line: str) -> None:
    path = tmp_path / "services.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(JournalError, match=r"services\.jsonl"):
        Past(path, patience=60)
    path.write_text("", encoding="utf-8")
    Past(path).close()


def test_a_file_in_use_is_waited_for_as_long_as_was_said(tmp_path: Path) -> None:
    path = tmp_path / "services.jsonl"
    first = Past(path)
    with pytest.raises(JournalInUseError, match="open in another process"):
        Past(path)
    Timer(0.1, first.close).start()
    Past(path, patience=60).close()


def test_without_a_file_it_is_known_as_long_as_the_process_lasts() -> None:
    past = Past()
    past.restart("feed", 1000)
    assert past.restarted == {"feed": [1000]}
    past.close()


def test_nothing_is_kept_in_a_file_that_was_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "services.jsonl"
    past = Past(path)
    past.restart("feed", 1000)
    path.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(OSError, match="taken away or replaced"):
            past.restart("feed", 2000)
        path.touch()
    assert past.restarted == {"feed": [1000]}
    past.close()
