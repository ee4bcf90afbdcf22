"""The journal keeps what it has acknowledged, and tells damage from a torn end."""

from __future__ import annotations

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
