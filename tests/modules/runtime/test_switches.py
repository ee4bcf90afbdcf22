"""Switches and modes: by environment over file, unknown words refused, and a bundle that tells them apart."""

from __future__ import annotations

import pytest

from modules.facts import CATALOGUE
from modules.judge import RULES, packaged_bundle
from modules.runtime.switches import OTHER_NAMES, POLICIES, WITHOUT_MODULE, Switches, flags_of, switches_of
from policy_dsl.bundle import check_files
from policy_dsl.configuration import Configuration, Mode
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


def told(environment: dict[str, str]) -> list[tuple[str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        switches_of(environment)
    assert {found.code for found in caught.value.diagnostics} == {"RF850"}
    return [(found.message, found.help) for found in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HFOS_MODE", "AI_HFOS_MODE"),
        ("UNIVERSE_MODE", "UNIVERSE_OS_MODE"),
        ("SUPERVISOR_MODE", "MODEL_SUPERVISOR_MODE"),
        ("PAB_MODE", "PBA_MODE"),
        ("PBAA_MODE", "PBA_MODE"),
        ("HFSO_MODE", "AI_HFOS_MODE"),
        ("SUPERVISER_MODE", "MODEL_SUPERVISOR_MODE"),
        ("pba_mode", "PBA_MODE"),
        ("Ess_Mode", "ESS_MODE"),
        ("RINGFENCE_ESS_MODE", "ESS_MODE"),
        ("SELFHEALING_MODE", "SELF_HEALING_MODE"),
        ("PORTFOLIO_BALANCER_MODE", "PBA_MODE"),
    ],
)
def test_a_mode_under_a_name_that_is_nearly_a_modules_is_refused_with_the_name_that_was_meant(
    name: str, meant: str
) -> None:
    (found,) = told({name: "observe"})
    assert found[0].startswith(f"`{name}`: ")
    assert found[1] == f"did you mean `{meant}`?"
    assert switches_of({meant: "observe"}).modes


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("enable_pba", "ENABLE_PBA"),
        ("ENABLE_HFOS", "ENABLE_AI_HFOS"),
        ("ENABLE_UNIVERSE", "ENABLE_UNIVERSE_OS"),
        ("ENABLE_PAB", "ENABLE_PBA"),
        ("ENABLE_AELMM", "ENABLE_AELM"),
        ("ENABLE_EMERGENCY_STOP", "ENABLE_ESS"),
        ("RINGFENCE_ENABLE_PAL", "ENABLE_PAL"),
    ],
)
def test_a_flag_under_a_name_that_is_nearly_a_modules_is_refused_with_the_name_that_was_meant(
    name: str, meant: str
) -> None:
    (found,) = told({name: "false"})
    assert found[0].startswith(f"`{name}`: ")
    assert found[1] == f"did you mean `{meant}`?"
    assert switches_of({meant: "false"}).flags


@pytest.mark.parametrize("name", ["PRETRADE_MODE", "LOCKS_MODE", "ENABLE_PRETRADE", "locks_mode"])
def test_a_policy_without_a_module_is_told_where_its_mode_stands(name: str) -> None:
    policy = name.lower().removeprefix("enable_").removesuffix("_mode")
    assert told({name: "off"}) == [
        (
            f"`{name}`: the policy `{policy}` has no module",
            f'its mode stands in ringfence.toml: [modes] {policy} = "observe"',
        )
    ]


def test_the_policies_without_a_module_are_those_of_the_rules() -> None:
    policies = {policy.name for policy in packaged_bundle().policies}
    assert policies == {*WITHOUT_MODULE, *(policy for policy in POLICIES.values() if policy is not None)}
    assert set(OTHER_NAMES.values()) <= set(POLICIES)


@pytest.mark.parametrize(
    "name",
    [
        "ENABLE_HTTP2", "ENABLE_TRACING", "ENABLE_TRAINING", "ENABLE_TRADING", "ENABLE_SSL", "ENABLE_VIRTUAL_TERMINAL",
        "ENABLE_", "EDITOR_MODE", "TRADING_MODE", "SSL_MODE", "GIN_MODE", "PAPER_MODE", "SERVER_MODE", "_MODE", "MODE",
        "ENABLE", "PBA", "PBA_MODES", "RINGFENCE_DATA",
    ],
)  # fmt: skip
@pytest.mark.parametrize("word", ["off", "1", "paper", ""])
def test_a_variable_of_another_program_is_left_alone(name: str, word: str) -> None:
    assert switches_of({name: word}) == Switches()


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = told({"PBA_MODE": "loud", "ENABLE_ESS": "nein", "HFOS_MODE": "off", "PIL_MODE": "off", "PAL_MODE": "off"})
    assert [message.partition(":")[0] for message, _ in found] == [
        "`ENABLE_ESS`", "`HFOS_MODE`", "`PBA_MODE`", "`PIL_MODE`",
    ]  # fmt: skip


def test_flags_of_the_rules_own_file_are_refused_all_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        flags_of(Configuration(flags={"pab": False, "ess": True, "pall": True}))
    assert [(found.message, found.help) for found in caught.value.diagnostics] == [
        ("`ringfence.toml`: no module is called `pab`", "did you mean `pba`?"),
        ("`ringfence.toml`: no module is called `pall`", "did you mean `pal`?"),
    ]


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
