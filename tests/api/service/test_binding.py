"""Policies that do not enforce: a fund says which, and by what; a hand that they would obey is told to be in vain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from api.commands import status
from api.service.app import create_app
from modules.judge import packaged_bundle
from modules.runtime.switches import MODES, POLICIES, Switches
from policy_dsl.configuration import Mode
from tests.api.conftest import Run
from tests.api.service.test_service import HAND, MINUTE, Served, problem, serving
from tests.api.test_status import at_a_port

FILE = packaged_bundle().configuration.path
BY_FILE = f"supervisor (observe, by {FILE})"


@contextmanager
def served_in(folder: Path, **modes: str) -> Iterator[Served]:
    """A fund whose environment sets modes of modules, after its first snapshot."""
    with serving(folder, Switches(modes={module: MODES[word] for module, word in modes.items()})) as made:
        made.running.step()
        yield made


def status_lines(run: Run, served: Served, *, code: int) -> list[str]:
    with at_a_port(create_app(served.running)) as port:
        return run("status", "--port", str(port), code=code).stdout.splitlines()


def modes_told(served: Served) -> dict[str, dict[str, float]]:
    """By policy the figure of each mode in `/metrics`."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(served.http.get("/metrics").text):
        for sample in family.samples:
            if sample.name == "ringfence_policy_mode":
                found.setdefault(sample.labels["policy"], {})[sample.labels["mode"]] = sample.value
    return found


def test_a_stop_that_a_person_lets_go_while_it_halts_is_told_everywhere(run: Run, tmp_path: Path) -> None:
    with served_in(tmp_path) as served:
        served.http.post("/v1/ess:trip", json=HAND)
        with capture_logs() as logs:
            assert served.http.post("/v1/modules/ess/set_mode/off", json=HAND).status_code == 200
        served.clock.ms += MINUTE
        served.running.step()
        at = "2025-10-09T08:53:20Z"
        lines = status_lines(run, served, code=1)
        assert lines[0] == f"not halted; 2 policies do not bind: ess (off, by ada: it misprices), {BY_FILE}"
        assert f"by hand: set_mode ess off, ada at {at}: it misprices" in lines
        told = {"policy": "ess", "mode": "off", "by": "ada", "reason": "it misprices", "at": at}
        assert served.http.get("/ready").json()["not_binding"][0] == told
        assert served.http.get("/v1/ess").json()["not_binding"] == told
        assert modes_told(served)["ess"] == {"off": 1, "observe": 0, "enforce": 0}
        (warning,) = [line for line in logs if line["log_level"] == "warning"]
        assert (warning["policy"], warning["mode"], warning["halted"], warning["person"]) == ("ess", "off", True, "ada")


def test_a_mode_by_hand_is_listed_until_another_is_set_and_then_that_one(tmp_path: Path) -> None:
    with served_in(tmp_path, ess="observe") as served:
        for mode in ("off", "enforce"):
            with capture_logs() as logs:
                served.http.post(f"/v1/modules/ess/set_mode/{mode}", json=HAND)
            assert len(logs) == (mode == "off")
        found = served.http.get("/v1/status").json()
        assert [hand["what"] for hand in found["hands"]] == ["set_mode ess enforce"]
        assert [free["policy"] for free in found["not_binding"]] == ["supervisor"]
        assert found["stop_binds"] is True


def test_every_policy_that_the_environment_switches_off_is_named_with_its_variable(run: Run, tmp_path: Path) -> None:
    off = {module: "off" for module, policy in POLICIES.items() if policy is not None}
    with served_in(tmp_path, **off) as served:
        first = status_lines(run, served, code=1)[0]
        assert first.startswith(
            "not halted; 13 policies do not bind: ess (off, by ESS_MODE), hfos (off, by AI_HFOS_MODE), "
        )
        found = served.http.get("/v1/status").json()["not_binding"]
        assert {free["policy"]: free["by"] for free in found} == {POLICIES[m]: f"{m.upper()}_MODE" for m in off}
        assert {free["mode"] for free in found} == {"off"}
        served.clock.ms += 4 * MINUTE
        late = served.http.get("/ready")
        assert (late.status_code, len(late.json()["not_binding"])) == (503, 13)


def test_a_fund_whose_policies_all_bind_says_nothing_of_modes(run: Run, tmp_path: Path) -> None:
    with served_in(tmp_path, model_supervisor="enforce") as served:
        assert served.http.get("/ready").json()["not_binding"] == []
        assert status_lines(run, served, code=1)[0] == "HALTED"
        assert {mode for each in modes_told(served).values() for mode, is_so in each.items() if is_so} == {"enforce"}
        assert served.http.get("/v1/ess").json()["not_binding"] is None


IN_VAIN: tuple[tuple[str, str, dict[str, Any], str, str], ...] = (
    ("ess:trip", "ess", {}, "stop", "the stop"),
    ("ess:flatten_on_stop", "ess", {}, "flatten", "that a stop closes"),
    ("hfos:hold", "ai_hfos", {"mode": "SAFE"}, "hold SAFE", "the hand on the risk mode"),
    ("ess:reset", "ess", {}, "reset", "the reset"),
)
"""Of each hand that tightens or re-arms: its path, the module, its body, how it is written down, its name."""


@pytest.mark.parametrize(("word", "said"), [("off", "off"), ("observe", "observed")])
def test_a_hand_that_cannot_bind_is_kept_and_told_what_stands_in_its_way(tmp_path: Path, word: str, said: str) -> None:
    with served_in(tmp_path, ess=word, ai_hfos=word) as served:
        for path, module, more, kept, name in IN_VAIN:
            answer = served.http.post(f"/v1/{path}", json=HAND | more)
            policy, by, way_out = POLICIES[module], f"{module.upper()}_MODE", f"/v1/modules/{module}/set_mode/enforce"
            status_code, detail = problem(answer)
            stands = f"{name} is kept on disk, and does not bind: the policy `{policy}` is {said}, by {by}"
            assert status_code == 409
            assert detail == f"{stands}; POST {way_out} with a person and a reason lets it bind"
            found = answer.json()
            assert (found["kept"], found["set_mode"]) == (True, way_out)
            assert found["not_binding"] == {"policy": policy, "mode": word, "by": by, "reason": None, "at": None}
            assert served.running.board.controls.calls[-1].what == kept


def test_what_was_kept_binds_once_its_policy_is_enforced_as_the_answer_says(tmp_path: Path) -> None:
    with served_in(tmp_path, ess="off", ai_hfos="observe") as served:
        served.http.post("/v1/hfos:hold", json=HAND | {"mode": "SAFE"})
        way_out = served.http.post("/v1/ess:trip", json=HAND).json()["set_mode"]
        assert served.http.post(way_out, json=HAND).json()["mode"] == "enforce"
        served.clock.ms += MINUTE
        because = served.running.step().answer.because
        assert "ess.manual_stop" in because
        assert "hfos.by_hand" not in because
        served.running.board.set_mode(served.clock.ms, "ai_hfos", "enforce", "ada", "it holds")
        served.clock.ms += MINUTE
        assert "hfos.by_hand" in served.running.step().answer.because
        assert served.http.post("/v1/ess:trip", json=HAND).json()["state"] == "HALTED"


def test_a_hand_that_lets_go_is_no_conflict_and_the_answer_says_that_nothing_binds(tmp_path: Path) -> None:
    with served_in(tmp_path, ess="off", ai_hfos="observe") as served:
        for path, mode in (("ess:keep_on_stop", "off"), ("ess:new_peak", "off"), ("hfos:release", "observe")):
            answer = served.http.post(f"/v1/{path}", json=HAND)
            assert (answer.status_code, answer.json()["not_binding"]["mode"]) == (200, mode)


def test_rules_without_a_stop_are_never_told_to_be_not_halted_and_no_more(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {
        "ts": "2026-01-07T00:00:00Z", "deciding": True, "unready": None, "fault": None, "halted": False, "outputs": [],
        "hands": [], "failing": {}, "missing": 0, "services": [], "stop_binds": False, "not_binding": [],
    }  # fmt: skip
    monkeypatch.setattr(status, "_asked", lambda _: found)
    assert run("status", code=1).stdout.splitlines()[0] == "not halted; these rules have no emergency stop"


def test_the_switchboard_names_the_rules_own_file_where_nobody_else_set_the_mode(tmp_path: Path) -> None:
    with served_in(tmp_path) as served:
        (found,) = served.running.board.not_binding(served.running.fund.bundle)
        assert (found.policy, found.mode, found.by, found.call) == ("supervisor", Mode.OBSERVE, FILE, None)
