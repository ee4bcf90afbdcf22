"""The journal keeps what it has acknowledged, and tells damage from a torn end."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from modules.venues.journal import Journal, JournalError


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


@pytest.mark.parametrize("line", [b"{broken\n", b"\xff\xfe\n", b"3\n", b"\n"])
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
