"""Facts of the account, its human operator and the fund's clock and machines: one row a snapshot each.

A figure that is worse the larger it is has no upper end unless its definition gives it one: out of range is missing,
what is missing permits nothing, and a fund in greater trouble must not act less. Beyond 64 bits it is missing.
"""

from __future__ import annotations

from typing import Annotated

from modules.facts.levels import RISK_MODE
from policy_dsl.catalogue import FactModel, Rows, fact
from policy_dsl.types import COUNT, DURATION, FLAG, MONEY, RATE, RATIO, TIME

MOST_MONEY = 10_000_000_000
"""Largest amount of quote currency that a book may hold: ten billion, so that a hundredfold of it still fits."""


class AccountFacts(FactModel, entity="account", rows=Rows.ONE):
    """The fund's book in quote currency; losses and drawdowns are never negative."""

    equity: Annotated[float | None, MONEY] = fact(
        "balance + unrealised profit of every open position, quote currency",
        owner="book", low=-MOST_MONEY, high=MOST_MONEY, max_age="2m", calm=100_000,
    )  # fmt: skip
    balance: Annotated[float | None, MONEY] = fact(
        "cash after every realised profit, loss and fee, open positions not included, quote currency",
        owner="book", low=-MOST_MONEY, high=MOST_MONEY, max_age="2m", calm=100_000,
    )  # fmt: skip
    free_margin: Annotated[float | None, MONEY] = fact(
        "equity - used margin, quote currency",
        owner="book", low=-MOST_MONEY, high=MOST_MONEY, max_age="2m", calm=100_000,
    )  # fmt: skip
    used_margin: Annotated[float | None, MONEY] = fact(
        "sum over open positions of |notional| / leverage, quote currency",
        owner="book", low=0, high=MOST_MONEY, max_age="2m", calm=0,
    )  # fmt: skip
    drawdown: Annotated[float | None, RATIO] = fact(
        "(peak equity - equity) / peak equity, the peak being the highest equity so far",
        owner="book", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    daily_loss: Annotated[float | None, RATIO] = fact(
        "(equity at 00:00 UTC - equity) / equity at 00:00 UTC, open positions included; 0 in profit",
        owner="book", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    open_loss: Annotated[float | None, RATIO] = fact(
        "unrealised loss of the open positions together / equity; 0 in profit",
        owner="book", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    losing_streak: Annotated[int | None, COUNT] = fact(
        "closed losing trades in a row up to now; ended by one without loss, or by a person who lets it count anew",
        owner="book", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    open_positions: Annotated[int | None, COUNT] = fact(
        "positions open now", owner="book", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    gross_exposure: Annotated[float | None, RATIO] = fact(
        "sum of |notional| of the open positions / equity",
        owner="PBA", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    net_exposure: Annotated[float | None, RATIO] = fact(
        "sum of signed notional of the open positions (short negative) / equity",
        owner="PBA", max_age="2m", calm=0,
    )  # fmt: skip
    risk: Annotated[float | None, RATIO] = fact(
        "sum over open positions of the loss if its stop is hit now / equity; missing if a position has no stop",
        owner="PBA", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    margin_usage: Annotated[float | None, RATIO] = fact(
        "used margin / balance", owner="PBA", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    correlated_exposure: Annotated[float | None, RATIO] = fact(
        "sum of |notional| of the largest cluster of correlated positions / equity; clusters from a shrunk covariance",
        owner="PBA", low=0, max_age="1h", calm=0,
    )  # fmt: skip
    correlated_positions: Annotated[int | None, COUNT] = fact(
        "positions in the cluster of account.correlated_exposure",
        owner="PBA", low=0, max_age="1h", calm=0,
    )  # fmt: skip
    reconciliation_gap: Annotated[float | None, RATIO] = fact(
        "|own record of the equity - the venue's record| / own equity",
        owner="book", low=0, max_age="10m", calm=0,
    )  # fmt: skip


class OperatorFacts(FactModel, entity="operator", rows=Rows.ONE):
    """What people have asked for by hand."""

    stop_requested: Annotated[bool | None, FLAG] = fact(
        "a person has asked for the emergency stop", owner="operator", calm=False
    )
    reset_requested: Annotated[bool | None, FLAG] = fact(
        "a person has asked, with a reason, to re-arm after a stop", owner="operator", calm=False
    )
    flatten_on_stop: Annotated[bool | None, FLAG] = fact(
        "positions are to be closed when the emergency stop halts the fund", owner="operator", calm=False
    )
    risk_mode: Annotated[str | None, RISK_MODE] = fact(
        "the boldest risk mode that people allow; AGGRESSIVE where no hand is on it",
        owner="operator", calm="AGGRESSIVE",
    )  # fmt: skip


class FundFacts(FactModel, entity="fund", rows=Rows.ONE):
    """How the fund's policies got on with each other, and which switches of it rules have to know."""

    conflicts: Annotated[int | None, COUNT] = fact(
        "rows for which the decision before granted two actions that exclude each other; 0 before the first decision",
        owner="AI-HFOS", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    amplifier_on: Annotated[bool | None, FLAG] = fact(
        "profit amplification runs: its module is switched on, and does not fail",
        owner="PAL", max_age="2m", calm=True,
    )  # fmt: skip


class ClockFacts(FactModel, entity="clock", rows=Rows.ONE):
    """The time of the snapshot, UTC."""

    now: Annotated[float | None, TIME] = fact(
        "the time of the snapshot", owner="runtime", low=0, high=4_102_444_800, calm=1_767_787_200
    )
    hour: Annotated[int | None, COUNT] = fact(
        "the hour of clock.now, 0 to 23 UTC", owner="runtime", low=0, high=23, calm=12
    )
    weekday: Annotated[int | None, COUNT] = fact(
        "the weekday of clock.now in UTC, 0 Monday to 6 Sunday", owner="runtime", low=0, high=6, calm=2
    )


class SystemFacts(FactModel, entity="system", rows=Rows.ONE):
    """How the fund's own machinery runs."""

    error_rate: Annotated[float | None, RATIO] = fact(
        "failed requests / all requests of the last five minutes",
        owner="Self-Healing", low=0, high=1, max_age="1m", calm=0,
    )  # fmt: skip
    errors_per_minute: Annotated[float | None, RATE] = fact(
        "failures in the last minute / one minute",
        owner="Self-Healing", low=0, max_age="1m", calm=0,
    )  # fmt: skip
    snapshot_gap: Annotated[float | None, DURATION] = fact(
        "time since the snapshot before this one", owner="runtime", low=0, calm=60
    )
    cpu: Annotated[float | None, RATIO] = fact(
        "busy processor time / processor time of all cores, last minute",
        owner="runtime", low=0, high=1, max_age="2m", calm=0.2,
    )  # fmt: skip
    memory: Annotated[float | None, RATIO] = fact(
        "memory in use / memory of the machine", owner="runtime", low=0, high=1, max_age="2m", calm=0.3
    )
