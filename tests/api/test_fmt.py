from __future__ import annotations

import json
from pathlib import Path

from tests.api.conftest import DESK, Run

UNTIDY = DESK.replace("rule rough\n  when", "rule   rough   when")


def test_what_is_laid_out_stays(run: Run, rules: Path) -> None:
    run("fmt", rules)
    before = (rules / "desk.rules").read_text(encoding="utf-8")
    assert run("fmt", "--check", rules).stdout == "1 file: nothing to change\n"
    assert (rules / "desk.rules").read_text(encoding="utf-8") == before


def test_check_changes_nothing(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(UNTIDY, encoding="utf-8")
    assert run("fmt", "--check", "rules", code=1).stdout == "rules/desk.rules is not laid out\n"
    assert (rules / "desk.rules").read_text(encoding="utf-8") == UNTIDY


def test_a_file_is_laid_out_anew(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(UNTIDY, encoding="utf-8")
    assert run("fmt").stdout == "rules/desk.rules laid out anew\n"
    assert "rule rough\n  when" in (rules / "desk.rules").read_text(encoding="utf-8")
    assert run("check", rules).exit_code == 0


def test_names_as_json(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(UNTIDY, encoding="utf-8")
    found = json.loads(run("fmt", "--check", "--json", rules / "desk.rules", code=1).stdout)
    assert found == {"changed": [str(rules / "desk.rules")], "unreadable": []}


def test_what_cannot_be_read_is_left_alone(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text("policy desk version 1.0.0\nrule\n", encoding="utf-8")
    (rules / "bytes.rules").write_bytes(b"\xff")
    (rules / "untidy.rules").write_text(UNTIDY, encoding="utf-8")
    result = run("fmt", "rules", code=1)
    assert "error[RF101]" in result.stderr
    assert "byte 0 is not UTF-8" in result.stderr
    told = "rules/untidy.rules laid out anew\n2 of 3 files cannot be read: left alone\n"
    assert result.stdout == told
    assert (rules / "bytes.rules").read_bytes() == b"\xff"
    assert (rules / "desk.rules").read_text(encoding="utf-8") == "policy desk version 1.0.0\nrule\n"


def test_a_byte_order_mark_goes(run: Run, rules: Path) -> None:
    run("fmt", rules)
    tidy = (rules / "desk.rules").read_bytes()
    (rules / "desk.rules").write_bytes(b"\xef\xbb\xbf" + tidy)
    assert run("fmt").stdout == "rules/desk.rules laid out anew\n"
    assert (rules / "desk.rules").read_bytes() == tidy


def test_files_that_are_not_there_or_hold_no_rules(run: Run, rules: Path) -> None:
    assert "error[RF110]" in run("fmt", "nowhere", code=2).stderr
    (rules / "ringfence.toml").write_text("", encoding="utf-8")
    assert "not a file of rules" in run("fmt", rules / "ringfence.toml", code=2).stderr
