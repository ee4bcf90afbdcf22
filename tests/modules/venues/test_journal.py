"""The journal keeps what it has acknowledged, and tells damage from a torn end."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.runtime.ledger import Ledger
from modules.venues.intents import Intents
from modules.venues.journal import Journal, JournalError
from modules.venues.paper import PaperExchange


def written(path: Path, *records: dict[str, object]) -> None:
    journal = Journal(path)
    for record in records:
        journal.append(record)
    journal.close()


def read(path: Path) -> list[dict[str, object]]:
    journal = Journal(path)
    journal.close()
    return list(journal.records)


def test_records_come_back_in_order(tmp_path: Path) -> None:
    written(tmp_path / "j", {"a": 1}, {"b": "å\n"})
    written(tmp_path / "j", {"c": [1.5, None]})
    assert read(tmp_path / "j") == [{"a": 1}, {"b": "å\n"}, {"c": [1.5, None]}]


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path, {"a": 1}, {"b": 2})
    for end in range(len('{"b":2}\n')):
        path.write_bytes(b'{"a":1}\n' + b'{"b":2}\n'[:end])
        assert read(path) == [{"a": 1}]
        written(path, {"c": 3})
        assert read(path) == [{"a": 1}, {"c": 3}]


@pytest.mark.parametrize(
    "line",
    [b"{broken\n", b"\xff\xfe\n", b"3\n", b"\n", b"[" * 100_000 + b"\n"],
    ids=["broken", "no text", "no record", "nothing", "nested"],
)
def test_damage_before_the_end_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"a":1}\n' + line + b'{"b":2}\n')
    with pytest.raises(JournalError, match="line 2"):
        Journal(path)


def test_two_processes_do_not_write_one_journal(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j")
    with pytest.raises(JournalError, match="another process"):
        Journal(tmp_path / "j")
    first.close()
    Journal(tmp_path / "j").close()


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append({"a": float("nan")})
    journal.close()
    assert read(tmp_path / "j") == []


def test_a_record_that_found_no_room_is_nowhere_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"a": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 3, hard))
    try:
        with pytest.raises(OSError, match=r"large|bytes could be written"):
            journal.append({"b": "refused"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append({"c": 3})
    journal.close()
    assert read(path) == [{"a": 1}, {"c": 3}]


def test_a_record_that_did_not_reach_the_disk_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j")
    with monkeypatch.context() as patched:
        patched.setattr("modules.venues.journal.os.fsync", failing)
        with pytest.raises(OSError, match="no disk"):
            journal.append({"a": 1})
    journal.append({"b": 2})
    journal.close()
    assert read(tmp_path / "j") == [{"b": 2}]


def failing(_handle: int) -> None:
    raise OSError("no disk")


def test_a_record_that_belongs_elsewhere_is_named_and_lets_go_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path, {"is": 1}, {"was": 2})
    journal, seen = Journal(path), list[int]()
    with pytest.raises(JournalError, match=r"line 2 of .* is none that belongs there: KeyError\('is'\)"):
        journal.replay(lambda record: seen.append(record["is"]))
    assert seen == [1]
    Journal(path).close()


@pytest.mark.parametrize(
    "line",
    ['{"x":1}', '{"kind":"lot","is":"state","do":"place","at":1}', '{"kind":"new","is":"new","do":"new","at":1}'],
    ids=["nothing", "half", "new"],
)
@pytest.mark.parametrize("opened", [Ledger, Intents, lambda path: PaperExchange(journal=path)])
def test_no_file_of_a_fund_takes_a_line_that_it_does_not_know(
    tmp_path: Path, opened: Callable[[Path], object], line: str
) -> None:
    path = tmp_path / "j"
    PaperExchange(journal=path).close()
    if opened in (Ledger, Intents):
        path.write_bytes(b"")
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(JournalError, match="is none that belongs there"):
        opened(path)
