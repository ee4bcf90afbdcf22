from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.conftest import Run
from tests.conftest import Golden

pytestmark = pytest.mark.usefixtures("rules")

STAGES = ["text", "tokens", "syntax tree", "typed rule", "Python", "SQL", "decision"]


def test_every_stage(run: Run) -> None:
    found = json.loads(run("trace", "desk.crash", "--json").stdout)
    assert [s["stage"] for s in found] == STAGES
    assert all(s["text"] for s in found)


def test_the_stages_of_the_language(run: Run, golden: Golden) -> None:
    words = ("--stage", "text", "--stage", "tokens", "--stage", "syntax tree", "--stage", "typed rule")
    shown = run("trace", "crash", *words, "--stage", "decision").stdout
    kept = golden.expected(Path(__file__).with_name("trace_crash.txt"), shown)
    assert shown == kept, "`pytest --update` rewrites it"


def test_a_rule_for_each_row(run: Run) -> None:
    shown = run("trace", "halt").stdout
    assert "no test makes this rule fire" in shown
    assert "def judge(" in shown


def test_what_there_is_not(run: Run) -> None:
    assert "did you mean `desk.crash`?" in run("trace", "krash", code=2).output
    assert "no stage is called `smt`" in run("trace", "crash", "--stage", "smt", code=2).output
    assert "error[RF110]" in run("trace", "crash", "--rules", "nowhere", code=2).stderr
