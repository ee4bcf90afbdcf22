"""Switches and modes: by environment over file, unknown words refused, and a bundle that tells them apart."""

from __future__ import annotations

import pytest

from modules.facts import CATALOGUE
from modules.judge import RULES
from modules.runtime.switches import POLICIES, Switches, switches_of
from policy_dsl.bundle import check_files
from policy_dsl.configuration import Mode
from policy_dsl.diagnostics import PolicyError
from policy_dsl.files import read_files


def refused(environment: dict[str, str]) -> tuple[str, str, str | None]:
    with pytest.raises(PolicyError) as caught:
        switches_of(environment)
    (found,) = caught.value.diagnostics
    return found.code, found.message, found.help


def test_every_flag_of_the_plan_is_known() -> None:
    flags = [
        "AI_HFOS", "PBA", "PAL", "PIL", "UNIVERSE_OS", "MODEL_SUPERVISOR", "SELF_HEALING", "AELM",
        "ORCHESTRATOR_POLICY", "TRADING_MATHEMATICIAN", "MSC_AI", "OPPORTUNITY_RANKER", "ESS",
        "RETRAINING_ORCHESTRATOR",
    ]  # fmt: skip
    found = switches_of({f"ENABLE_{name}": "false" for name in flags})
    assert [found.is_on(name.lower()) for name in flags] == [False] * 14
    assert set(POLICIES) == {name.lower() for name in flags}


def test_what_nobody_switched_runs() -> None:
    assert all(switches_of({"HOME": "/root"}).is_on(name) for name in POLICIES)


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("OFF", Mode.OFF),
        ("Observe", Mode.OBSERVE),
        ("ENFORCED", Mode.ENFORCE),
        ("HEDGEFUND", Mode.ENFORCE),
        ("SAFE", Mode.ENFORCE),
    ],
)
def test_the_words_of_the_plan_have_a_meaning(word: str, mode: Mode) -> None:
    assert switches_of({"PBA_MODE": word}).modes == {"pba": mode}


def test_unknown_words_are_refused_and_never_read_as_off() -> None:
    assert refused({"ENABLE_PBA": "ture"}) == (
        "RF850", "`ENABLE_PBA`: a switch is true or false, not `ture`", "did you mean `true`?",
    )  # fmt: skip
    assert refused({"ENABLE_PBAA": "true"})[1] == "`ENABLE_PBAA`: no module is called `pbaa`"
    assert refused({"PBA_MODE": "observed"})[1] == "`PBA_MODE`: a mode is off, observe or enforce, not `observed`"
    assert refused({"PBA_MODE": ""})[1] == "`PBA_MODE`: a mode is off, observe or enforce, not ``"
    assert refused({"PIL_MODE": "observe"})[1] == "`PIL_MODE`: `pil` has no policy that could run in a mode"


def test_a_mode_changes_the_bundle_and_its_hash() -> None:
    files = read_files(RULES)
    plain = check_files(files, CATALOGUE).bundle
    changed = check_files(switches_of({"PBA_MODE": "observe"}).configured(files), CATALOGUE).bundle
    assert plain is not None
    assert changed is not None
    assert changed.hash != plain.hash
    assert changed.configuration.mode("pba") is Mode.OBSERVE
    assert {r.policy for r in changed.program.rules if r.observing} == {"pba", "supervisor"}
    assert changed.configuration.params == plain.configuration.params


def test_without_modes_the_files_stay_as_they_are() -> None:
    files = read_files(RULES)
    assert Switches({"pba": False}).configured(files) is files


def test_the_nearer_word_wins() -> None:
    found = Switches({"pba": True}).over(Switches({"pba": False, "pal": False}, {"pba": Mode.OFF}))
    assert found == Switches({"pba": True, "pal": False}, {"pba": Mode.OFF})
