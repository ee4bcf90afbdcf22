from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from api.bundles import packaged_rules, rules_path
from api.commands import COMMANDS
from api.exits import exits
from policy_dsl.diagnostics import Diagnostic, PolicyError
from tests.api.conftest import Run


def test_help_names_every_command(run: Run) -> None:
    shown = run("--help").output
    assert [name for name in COMMANDS if f" {name} " not in shown] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(run: Run, name: str) -> None:
    assert f"Usage: ringfence {name}" in run(name, "--help").output


def test_the_version(run: Run) -> None:
    assert run("--version").output.startswith("ringfence 0.")


def test_a_command_that_there_is_not(run: Run) -> None:
    assert "Did you mean 'check'?" in run("chekc", code=2).output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flag_that_there_is_not(run: Run, name: str) -> None:
    assert "No such option" in run(name, "--quietly", code=2).output


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `check` raise."""

    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr("api.commands.check.checked", fail)


def test_a_bug_says_that_it_is_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, ZeroDivisionError("division by zero"))
    result = run("check", code=70)
    assert "this is a bug in ringfence, not in what you gave it: ZeroDivisionError: division by zero" in result.stderr
    assert "ringfence --debug" in result.stderr
    assert result.stdout == ""


def test_a_bug_shows_its_traceback_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as raised, exits(debug=True):
        raise ZeroDivisionError("division by zero")
    assert raised.value.exit_code == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_the_user_may_stop_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, KeyboardInterrupt())
    assert "nothing is left half-written" in run("check", code=130).stderr


def test_what_the_system_refuses_is_no_bug(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, OSError(28, "No space left on device", "/full/disk"))
    assert run("check", code=2).stderr == "error: `/full/disk`: no space left on device\n"


def test_refused_input_is_shown_as_it_is_rendered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, PolicyError([Diagnostic("RF999", "this will not do", None, "try another")]))
    assert run("check", code=2).stderr == "error[RF999]: this will not do\n  help: try another\n"


def test_where_the_rules_are(tmp_path: Path) -> None:
    assert rules_path(None) == packaged_rules()
    (tmp_path / "rules").mkdir()
    assert rules_path(None) == Path("rules")
    assert rules_path(Path("elsewhere")) == Path("elsewhere")


def test_the_environment_may_say_where_the_rules_are(run: Run, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = rules.rename(rules.parent / "elsewhere")
    monkeypatch.setenv("RINGFENCE_RULES", str(elsewhere))
    assert "1 policy, 6 rules" in run("check").output


HEAVY = ("duckdb", "jinja2", "lark", "numpy", "policy_dsl.bundle", "policy_dsl.catalogue", "scipy", "statsmodels")


def test_a_check_asked_before_imports_nothing_heavy(rules: Path) -> None:
    script = (
        "import sys; sys.argv = ['ringfence', 'check', sys.argv[1]]\n"
        "from api.cli import main\n"
        "try: main()\n"
        f"finally: print(*[m for m in {HEAVY!r} if m in sys.modules], 'were imported')"
    )
    for expected in (None, "were imported"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(rules)],
            check=True,
            capture_output=True,
            text=True,
            cwd=packaged_rules().parent,
        )
        last = done.stdout.splitlines()[-1].strip()
        assert expected in (None, last)


@pytest.mark.parametrize(("said", "threads"), [(None, "1"), ("4", "4")])
def test_one_thread_works_on_a_matrix_unless_a_person_says_otherwise(said: str | None, threads: str) -> None:
    script = (
        "import os, sys\n"
        "import api.cli\n"
        "api.cli.app = lambda: print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)\n"
        "api.cli.main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if said is not None:
        environment["OPENBLAS_NUM_THREADS"] = said
    command = [sys.executable, "-c", script]
    root = packaged_rules().parent
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, env=environment)
    assert done.stdout.split() == [threads, "False"]
