"""What the checker says of conditions that ask whether data is known."""

from __future__ import annotations

import pytest

from modules.facts import default_catalogue
from policy_dsl.bundle import check_files

HEAD = """policy a version 1.0.0
output mode: LOW < HIGH starts HIGH
output acts: set of ADD
"""
CATALOGUE = default_catalogue()


def codes(rule: str) -> set[str]:
    return {d.code for d in check_files({"a.rules": (HEAD + rule).encode()}, CATALOGUE).diagnostics}


@pytest.mark.parametrize(
    "condition",
    [
        "account.drawdown is known and account.drawdown > 3%",
        "not (account.drawdown is unknown)",
        "count(position where position.r_multiple is known) > 2",
        "count(position where position.r_multiple is unknown) < 2",
        "5 - count(position where position.r_multiple is unknown) > 2",
        "all(position where position.r_multiple is known)",
        "sum(position.notional where position.r_multiple is unknown) > 5 USD",
        "account.drawdown is known throughout 5m",
        "account.drawdown > 3% and previous(account.drawdown) is known",
        "count(trade where trade.profit is known over 1h) > 2",
    ],
)
def test_a_tightening_rule_that_needs_known_data_is_listed(condition: str) -> None:
    assert codes(f"rule r when {condition} tighten mode to LOW") == {"RF501"}


@pytest.mark.parametrize(
    "condition",
    [
        "account.drawdown > 3%",
        "account.drawdown is unknown or account.drawdown > 3%",
        "not (account.drawdown is known)",
        "count(position where position.r_multiple is unknown) > 2",
        "count(position where position.r_multiple is known) < 2",
        "account.losing_streak + count(position where position.r_multiple is unknown) >= 2",
        "2 < count(position where position.r_multiple is unknown)",
        "any(position where position.r_multiple is unknown)",
        "account.drawdown > 3% throughout 5m",
        "account.drawdown is unknown within 5m",
        "not (account.drawdown is known throughout 5m)",
    ],
)
def test_a_rule_that_fires_more_on_missing_data_is_not(condition: str) -> None:
    assert codes(f"rule r when {condition} tighten mode to LOW") == set()


@pytest.mark.parametrize(
    "condition",
    [
        "account.drawdown is unknown",
        "not (account.drawdown is known)",
        "count(position where position.r_multiple is unknown) > 0",
        "sum(position.notional where position.r_multiple is known) > 5 USD",
        "account.drawdown is unknown throughout 5m",
        "previous(account.drawdown) is unknown",
        "not (account.drawdown is known within 5m)",
    ],
)
def test_a_permit_on_missing_data_is_refused(condition: str) -> None:
    assert "RF406" in codes(f"rule r when {condition} permit ADD")


def test_a_permit_may_ask_for_known_data() -> None:
    assert codes("rule r when account.drawdown is known and account.drawdown < 1% permit ADD") == set()


def test_a_permit_may_ask_for_data_known_for_a_while() -> None:
    assert codes("rule r when account.drawdown is known throughout 5m and account.drawdown < 1% permit ADD") == set()


LATCHED = "output held: LOW < HIGH starts HIGH latches until {}\nrule r when account.drawdown > 3% tighten held to LOW"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("account.drawdown < 1% throughout 5m", set()),
        ("account.drawdown is known throughout 5m", set()),
        ("not (account.drawdown is known throughout 5m)", {"RF406"}),
        ("account.drawdown is unknown within 5m", {"RF406"}),
        ("mode is HIGH throughout 5m", set()),
        ("mode is LOW within 5m", {"RF401"}),
        ("previous(mode) is LOW", {"RF401"}),
        ("previous(held) is HIGH", {"RF402"}),
    ],
)
def test_a_latch_is_released_by_nothing_that_tightens_or_is_missing(release: str, said: set[str]) -> None:
    assert codes(LATCHED.format(release)) == said


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("clock.now + 5m", set()),
        ("latest(trade.closed_at where trade.exit is STOP_LOSS over 1d) + 2h", set()),
        ("previous(clock.now) + 5m", set()),
        ("clock.now + count(position where position.r_multiple is known) * 1h", {"RF406"}),
        ("clock.now + count(position where mode is LOW) * 1h", set()),
        ("clock.now + count(position where mode is HIGH) * 1h", {"RF401"}),
    ],
)
def test_a_hold_ends_no_sooner_because_something_tightens_or_is_missing(until: str, said: set[str]) -> None:
    rule = f"output other: LOW < HIGH starts HIGH\nrule r when account.drawdown > 3% tighten other to LOW until {until}"
    assert codes(rule) == said


def test_an_exception_cannot_hold_because_data_is_missing() -> None:
    rule = 'rule r except until 2030-01-01 when account.drawdown is unknown because "OPS-1" tighten mode to LOW'
    assert "RF406" in codes(rule)
