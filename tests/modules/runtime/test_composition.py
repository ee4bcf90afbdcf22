"""A whole fund from its parts: what a restart knows, what it settles first, and what people switched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from structlog.testing import capture_logs

from evaluators.store_follower import StoreFollower
from modules.facts import CATALOGUE
from modules.inputs import Operator, Request
from modules.judge import packaged_bundle
from modules.runtime.composition import CONTROLS, INTENTS, LEDGER, STORE, Composed, compose
from modules.runtime.controls import Controls
from modules.runtime.fund import Step
from modules.runtime.ledger import Ledger
from modules.runtime.switches import Switches
from modules.venues.intents import Execution, Intents, NamedAfter, Ticket
from modules.venues.journal import JournalError
from modules.venues.paper import PaperExchange
from modules.venues.venue import Kind, NewOrder, NotPermitted
from policy_dsl.bundle import check_files, load_text
from policy_dsl.configuration import Mode
from policy_dsl.diagnostics import PolicyError

HAND = ("ada", "it misprices")

DESK = """policy pba version 1.0.0
  "A desk that knows one rule."

rule big for each request
  when request.notional > 1_000 USD
  deny
  because "it is large"
"""


def made(venue: PaperExchange, folder: Path | None, switches: Switches | None = None) -> Composed:
    return compose(venue, folder, packaged_bundle(), switches=switches, patience=60, max_gap=180_000)


def small(venue: PaperExchange, folder: Path | None) -> Composed:
    """The same with one rule, for what does not depend on the rules."""
    return compose(venue, folder, load_text({"pba.rules": DESK}, CATALOGUE), patience=60, max_gap=180_000)


def fact(composed: Composed, path: str) -> object:
    assert composed.fund.last is not None
    return composed.fund.last.assembled.snapshot.facts.get(path)


def latched_by(step: Step) -> set[str]:
    return {rule for kept in step.told.kept if kept.output == "ess.state" for rule in kept.rules}


def test_a_fund_in_memory_decides_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    venue = PaperExchange()
    composed = made(venue, None)
    step = composed.fund.step(venue.time(), {"r": Request("BTCUSDT", "LONG", venue.time(), 500.0)})
    assert step.answer.of("verdict", "r") == "DENY"
    composed.close()
    assert list(tmp_path.iterdir()) == []


def test_a_caller_who_asks_for_what_nobody_lists_costs_only_himself() -> None:
    venue = PaperExchange()
    composed = made(venue, None)
    many = {f"r{n}": Request(f"NOPE{n}", "LONG", venue.time(), 500.0) for n in range(20)}
    step = composed.fund.step(venue.time(), many)
    assert set(step.answer.outputs["verdict"].values()) == {"DENY"}
    assert fact(composed, "system.errors_per_minute") == 0
    assert step.answer.of("ess.state") == "ARMED"
    composed.close()


def test_a_restart_keeps_the_latch_the_ledger_and_what_people_asked(tmp_path: Path) -> None:
    venue = PaperExchange()
    first = made(venue, tmp_path / "fund")
    first.controls.stop(venue.time(), *HAND)
    first.fund.step(venue.time())
    peak = first.ledger.peak_equity
    first.controls.reset(venue.time(), *HAND)
    first.switchboard.switch(venue.time(), "pba", *HAND, on=False)
    first.close()

    venue.advance(venue.time() + 60_000)
    again = made(venue, tmp_path / "fund")
    assert again.ledger.peak_equity == peak > 0
    assert not again.switchboard.is_on("pba")
    step = again.fund.step(venue.time())
    assert not fact(again, "operator.stop_requested")
    assert fact(again, "operator.reset_requested")
    assert step.assembled.reasons["sector"] == "PBA supplies no rows"
    again.close()


def test_a_latch_outlives_a_restart(tmp_path: Path) -> None:
    venue = PaperExchange()
    first = made(venue, tmp_path)
    first.controls.stop(venue.time(), *HAND)
    first.fund.step(venue.time())
    first.close()
    again = made(venue, tmp_path)
    again.controls._operator = Operator()
    assert latched_by(again.fund.step(venue.time() + 1)) == {"ess.manual_stop"}
    again.close()


def test_a_folder_in_use_is_refused_and_is_free_after_closing(tmp_path: Path) -> None:
    first = small(PaperExchange(), tmp_path)
    with pytest.raises(PolicyError, match="RF771"):
        small(PaperExchange(), tmp_path)
    first.close()
    small(PaperExchange(), tmp_path).close()


def test_a_fund_goes_on_by_the_same_rules_when_their_folder_has_moved(tmp_path: Path) -> None:
    hashes = []
    for folder in ("rules/", "/opt/ringfence/rules/"):
        bundle = check_files({"pba.rules": DESK.encode()}, CATALOGUE, prefix=folder).bundle
        assert bundle is not None
        again = compose(PaperExchange(), tmp_path, bundle, patience=60, max_gap=180_000)
        hashes.append(again.fund.bundle.hash)
        again.close()
    assert hashes[0] == hashes[1]


def test_orders_that_an_earlier_process_left_behind_are_settled_and_reach_the_ledger(tmp_path: Path) -> None:
    venue = PaperExchange()
    log = Intents(tmp_path / INTENTS)
    ticket = Ticket("r", "BTCUSDT", "LONG", 0.01, 90_000.0, venue.time(), "LONG")
    order = NewOrder("rf-1", "BTCUSDT", "LONG", 0.01, Kind.MARKET)
    log.begin(ticket)
    log.intend("r", order, venue.time())
    venue.place(order)  # and the process ends before it learns what came of it
    log.close()

    composed = small(venue, tmp_path)
    assert composed.execution.intents.unsettled() == []
    composed.fund.step(venue.time())
    assert composed.ledger.told == {"rf-1"}
    lot = composed.ledger.lots["BTCUSDT"]
    assert (lot.quantity, lot.realised < 0) == (0.01, True)
    composed.close()

    # Once more: what counts already counts no second time.
    again = small(venue, tmp_path)
    again.fund.step(venue.time() + 1)
    assert again.ledger.lots["BTCUSDT"] == lot
    again.close()


def test_a_mode_of_the_environment_and_one_set_by_hand_take_effect_and_the_hand_stands(tmp_path: Path) -> None:
    venue = PaperExchange()
    observed = Switches(modes={"ess": Mode.OBSERVE})
    composed = made(venue, tmp_path, switches=observed)
    start = composed.fund.bundle.hash
    assert composed.fund.bundle.configuration.mode("ess") is Mode.OBSERVE
    composed.controls.stop(venue.time(), *HAND)
    assert composed.fund.step(venue.time()).answer.of("ess.state") == "ARMED"

    assert composed.switchboard.set_mode(venue.time(), "ess", "ENFORCED", *HAND) is Mode.ENFORCE
    assert composed.fund.bundle.hash != start
    composed.controls._operator = Operator()  # the button is let go, and the latch stands
    step = composed.fund.step(venue.time() + 1)
    assert step.answer.of("ess.state") == "HALTED"
    assert latched_by(step) == {"ess.manual_stop"}
    assert step.bundle is composed.fund.bundle
    composed.close()

    again = made(venue, tmp_path, switches=observed)
    assert again.fund.bundle.configuration.mode("ess") is Mode.ENFORCE
    assert again.controls.calls[-1].what == "set_mode ess enforce"
    again.close()


def test_a_mode_set_by_hand_is_no_reason_not_to_start_with_rules_that_lack_the_policy(tmp_path: Path) -> None:
    venue = PaperExchange()
    first = small(venue, tmp_path)
    first.switchboard.set_mode(venue.time(), "pba", "off", *HAND)
    first.close()

    renamed = load_text({"book.rules": DESK.replace("policy pba", "policy book")}, CATALOGUE)
    with capture_logs() as logs:
        again = compose(venue, tmp_path, renamed, patience=60, max_gap=180_000)
    assert [(line["log_level"], line["module"], line["mode"]) for line in logs] == [("warning", "pba", "off")]
    large = Request("BTCUSDT", "LONG", venue.time(), 5_000.0)
    assert again.fund.step(venue.time(), {"r": large}).answer.of("verdict", "r") == "DENY"
    again.close()

    back = small(venue, tmp_path)
    assert back.fund.bundle.configuration.mode("pba") is Mode.OFF, "it is on record, and counts where it can"
    back.close()
    with pytest.raises(PolicyError, match="RF602"):
        compose(venue, None, renamed, switches=Switches(modes={"pba": Mode.OFF}))


@pytest.mark.parametrize("what", ["set_mode pba bold", "set_mode nobody off"])
def test_a_mode_on_record_that_nobody_knows_is_refused_in_words(tmp_path: Path, what: str) -> None:
    controls = Controls(tmp_path / CONTROLS)
    controls.note(1, what, *HAND)
    controls.close()
    with pytest.raises(JournalError, match="the controls hold a mode"):
        small(PaperExchange(), tmp_path)


def test_what_happens_while_other_rules_are_made_ready_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = PaperExchange()
    composed = made(venue, None)
    composed.fund.step(venue.time())
    replay = StoreFollower.resume

    def replay_while_the_fund_goes_on(follower: StoreFollower, name: str) -> Any:
        found = replay(follower, name)
        monkeypatch.undo()
        composed.controls.stop(venue.time(), *HAND)
        composed.fund.step(venue.time() + 1)
        return found

    monkeypatch.setattr(StoreFollower, "resume", replay_while_the_fund_goes_on)
    composed.switchboard.set_mode(venue.time(), "pal", "observe", *HAND)
    composed.controls._operator = Operator()
    assert latched_by(composed.fund.step(venue.time() + 2)) == {"ess.manual_stop"}
    composed.close()


def test_a_mode_that_makes_no_sense_changes_nothing() -> None:
    composed = small(PaperExchange(), None)
    before = composed.fund.bundle
    for module, word, person, said in (
        ("pba", "bold", "ada", "a mode is off"),
        ("pil", "off", "ada", "no policy"),
        ("pbaa", "off", "ada", "no policy"),
        ("pba", "off", " ", "RF851"),
    ):
        with pytest.raises(PolicyError, match=said):
            composed.switchboard.set_mode(0, module, word, person, "to see")
    assert composed.fund.bundle.hash == before.hash
    assert composed.controls.calls == []
    composed.close()


def test_flags_of_the_rules_switch_modules_and_one_that_nobody_knows_is_refused() -> None:
    whole = packaged_bundle()
    off = replace(whole, configuration=replace(whole.configuration, flags={"pba": False, "pil": False}))
    composed = compose(PaperExchange(), None, off, switches=Switches({"pil": True}))
    assert (composed.switchboard.is_on("pba"), composed.switchboard.is_on("pil")) == (False, True)
    composed.close()
    with pytest.raises(PolicyError, match="no module is called `pbaa`"):
        compose(PaperExchange(), None, replace(off, configuration=replace(off.configuration, flags={"pbaa": True})))


def test_rules_that_have_no_emergency_stop_are_obeyed_all_the_same() -> None:
    venue = PaperExchange()
    composed = small(venue, None)
    asked = {f"r{n}": Request("BTCUSDT", "LONG", venue.time(), n) for n in (500.0, 5_000.0)}
    with capture_logs() as logs:
        step = composed.fund.step(venue.time(), asked)
    assert step.answer.outputs["verdict"] == {"r500.0": "ALLOW", "r5000.0": "DENY"}
    # These rules do not say how orders trade, so that none is sent; that is told, and is no failure of the hands.
    assert [log["event"] for log in logs if log["event"] == "an action failed"] == []
    assert venue.positions() == {}
    composed.close()


def test_a_live_venue_needs_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = PaperExchange()
    monkeypatch.setattr(venue, "is_live", True)
    with pytest.raises(NotPermitted):
        small(venue, None)


def old_log(folder: Path, at: int) -> int:
    """A log of intents in which twenty exits came to nothing three days before the last; its size."""
    log = Intents(folder / INTENTS)
    for number in range(20):
        name = f"CLOSE:BTCUSDT@{number}"
        long_ago = at - 3 * 86_400_000
        log.begin(Ticket(name, "BTCUSDT", "SHORT", 1.0, 1.0, long_ago, "LONG", named_after=NamedAfter.MOMENT))
        log.end(Execution(name, "BTCUSDT", "SHORT", 1.0, 0.0, None, "FAILED"), long_ago)
    log.begin(Ticket("mine", "BTCUSDT", "SHORT", 1.0, 1.0, at, "LONG"))
    log.close()
    return (folder / INTENTS).stat().st_size


def test_a_log_of_what_is_long_over_is_smaller_after_a_restart(tmp_path: Path) -> None:
    venue = PaperExchange()
    size = old_log(tmp_path, venue.time())
    composed = small(venue, tmp_path)
    assert (tmp_path / INTENTS).stat().st_size < size / 4
    # What was under way is settled all the same.
    assert {name: work.end is not None for name, work in composed.execution.intents.worked.items()} == {"mine": True}
    composed.close()
    again = small(venue, tmp_path)
    assert set(again.execution.intents.worked) == {"mine"}
    again.close()


def test_a_disk_that_takes_no_smaller_log_keeps_no_fund_from_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    venue = PaperExchange()
    old_log(tmp_path, venue.time())
    monkeypatch.setattr("modules.disk.Disk.write", full)
    with capture_logs() as told:
        composed = small(venue, tmp_path)
    assert [entry["event"] for entry in told if entry["log_level"] == "warning"] == ["a log was not made smaller"]
    assert len(composed.execution.intents.worked) == 21
    composed.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fund that has lived through one snapshot."""
    folder, venue = tmp_path_factory.mktemp("lived"), PaperExchange()
    composed = small(venue, folder)
    composed.fund.step(venue.time())
    composed.close()
    return folder


@pytest.fixture
def copied(lived: Path, tmp_path: Path) -> Path:
    return Path(copytree(lived, tmp_path / "fund"))


@pytest.mark.parametrize("name", [CONTROLS, LEDGER, INTENTS])
def test_a_file_that_is_gone_is_not_begun_anew_where_the_store_remembers_the_fund(copied: Path, name: str) -> None:
    (copied / name).unlink()
    for _ in range(2):
        with pytest.raises(JournalError, match=rf"{name}` is gone, and `fund.duckdb` beside it has snapshots"):
            small(PaperExchange(), copied)
    assert not (copied / name).exists()


def test_an_empty_ledger_is_refused_where_the_store_knows_the_account(copied: Path) -> None:
    (copied / LEDGER).write_bytes(b"")
    with pytest.raises(JournalError, match=r"ledger.jsonl` is empty, and `fund.duckdb` beside it knows"):
        small(PaperExchange(), copied)


def test_a_store_that_is_gone_or_behind_is_told_in_the_log(copied: Path) -> None:
    ledger = Ledger(copied / LEDGER)
    ledger._write({"kind": "equity", "peak": 1.0, "day": 0, "day_equity": 1.0, "seen": 1.0, "seen_at": 10**13})
    ledger.close()
    with capture_logs() as behind:
        small(PaperExchange(), copied).close()
    (copied / STORE).unlink()
    with capture_logs() as gone:
        small(PaperExchange(), copied).close()
    assert "the store is behind the ledger: snapshots failed, or are gone" in {line["event"] for line in behind}
    assert "the store is empty: what was latched" in " ".join(line["event"] for line in gone)
