from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from tests.api.conftest import DESK, Run


def test_good_rules(run: Run, rules: Path) -> None:
    lines = run("check", rules).stdout.splitlines()
    assert lines[-2] == "1 policy, 6 rules, 3 outputs, 2 tests: no errors"
    assert lines[-1].startswith("bundle ")


def test_it_answers_the_same_the_second_time(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(DESK.replace("drawdown > deep", "drawdown > deepp"), encoding="utf-8")
    assert run("check", rules, code=1).stdout == run("check", rules, code=1).stdout


def test_what_changes_is_checked_anew(run: Run, rules: Path) -> None:
    before = run("check", rules).stdout
    (rules / "desk.rules").write_text(DESK.replace("= 5%", "= 4%"), encoding="utf-8")
    assert run("check", rules).stdout != before


def test_a_finding_is_shown_in_its_place(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(DESK.replace("> deep", "> 5"), encoding="utf-8")
    shown = run("check", "rules", code=1).stdout
    assert "rules/desk.rules:15:8" in shown
    assert "help: did you mean `5%`?" in shown
    assert shown.splitlines()[-1] == "1 file: 1 error"


def test_findings_as_json(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(DESK.replace("> deep", "> 5"), encoding="utf-8")
    found = json.loads(run("check", rules, "--json", code=1).stdout)
    assert found["bundle"] is None
    [finding] = found["diagnostics"]
    assert (finding["code"], finding["line"], finding["severity"]) == ("RF204", 15, "error")


def test_good_rules_as_json(run: Run, rules: Path) -> None:
    found = json.loads(run("check", rules, "--json").stdout)
    assert found["policies"] == {"desk": "1.0.0"}
    assert len(found["bundle"]) == 64


def test_one_file_alone(run: Run, rules: Path) -> None:
    assert "1 policy, 6 rules" in run("check", rules / "desk.rules").stdout


def test_rules_that_are_not_there(run: Run, tmp_path: Path) -> None:
    assert run("check", "nowhere", code=2).stderr.startswith(
        "error[RF110]: there is no directory or rule file `nowhere`"
    )
    (tmp_path / "empty").mkdir()
    assert "`empty` holds no rule files" in run("check", "empty", code=2).stderr


def test_a_file_that_is_no_text(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_bytes(b"policy desk version 1.0.0\n\xff\xfe")
    assert "RF108" in run("check", rules, code=1).stdout


def test_an_exception_that_has_expired_is_reported(run: Run, rules: Path) -> None:
    excused = DESK.replace(
        "> deep\n", '> deep\n  except until 2026-01-02 when operator.flatten_on_stop because "OPS-1"\n'
    )
    (rules / "desk.rules").write_text(excused, encoding="utf-8")
    assert "warning[RF502]: the exception of `desk.crash` expired on 2026-01-02 (OPS-1)" in run("check", rules).stdout
    (rules / "desk.rules").write_text(excused.replace("2026-01-02", "2999-01-02"), encoding="utf-8")
    assert "RF502" not in run("check", rules).stdout


def test_a_file_alone_is_told_of_those_beside_it(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(DESK.replace("> deep", "> other.deep"), encoding="utf-8")
    assert "read alone" not in run("check", "rules/desk.rules", code=1).stdout
    (rules / "other.rules").write_text("policy other version 1.0.0\nparam deep = 5%\n", encoding="utf-8")
    told = "`rules/desk.rules` was read alone, without the policies beside it\n  help: name its directory: `rules`"
    assert told in run("check", "rules/desk.rules", code=1).stdout
    assert told in run("test", "rules/desk.rules", code=2).stderr
    assert run("check", "rules").exit_code == 0


def test_no_color_takes_the_colours_of_findings_away(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (rules / "desk.rules").write_text(DESK.replace("> deep", "> 5"), encoding="utf-8")
    assert "\x1b[31m" in CliRunner().invoke(app, ["check", str(rules)], color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in CliRunner().invoke(app, ["check", str(rules)], color=True).output
