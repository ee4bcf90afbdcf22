"""How the fund's machinery ran beside a book: services, failures and human controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.facts.levels import RISK_MODE, SERVICE_STATUS
from modules.inputs.machinery import NO_HAND
from modules.state_columns import EntityColumns, RowLog, Values

SERVICES = ("book", "execution", "feed")
MS_PER_MINUTE = 60_000
RATE_WINDOW_MS = 5 * MS_PER_MINUTE
REQUESTS_A_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Operations:
    """Facts of `system`, `operator` and `fund` by path, one a snapshot, and rows of `service` and `error`."""

    single: Mapping[str, Values]
    entities: Mapping[str, EntityColumns]


@dataclass(frozen=True, slots=True)
class Troubles:
    """What goes wrong with a service: failures in the minute before each snapshot, and when it is `down`.

    `kind` names its failures. It is DEGRADED in a minute with failures.
    """

    failures: NDArray[np.int64]
    down: NDArray[np.bool_] | None = None
    kind: str = "timeout"


def operations(
    ts: NDArray[np.int64], troubles: Mapping[str, Troubles] | None = None, resets: Iterable[int] = ()
) -> Operations:
    """The machinery at the snapshots `ts` (ms since 1970 UTC): nothing fails and nobody intervenes but as told.

    No module is switched off. Each service answers 60 requests a minute, failures among them. A book over recorded
    candles has no machinery of its own; its processor and memory are not known. `resets` are the times (ms) at which a
    person asked for the emergency stop to be re-armed: the first snapshot from then on shows it, and no other.
    """
    found = troubles or {}
    none = np.zeros(len(ts), dtype=np.int64)
    total = sum((t.failures for t in found.values()), none)
    gaps = np.ma.masked_array(np.diff(ts, prepend=ts[:1]), mask=np.arange(len(ts)) == 0)
    single: dict[str, Values] = {
        "operator.stop_requested": np.zeros(len(ts), dtype=np.bool_),
        "operator.reset_requested": _pressed(ts, resets),
        "operator.flatten_on_stop": np.zeros(len(ts), dtype=np.bool_),
        "operator.risk_mode": np.full(len(ts), RISK_MODE.rank(NO_HAND)),
        "fund.conflicts": np.zeros(len(ts)),
        "fund.amplifier_on": np.ones(len(ts), dtype=np.bool_),
        "system.error_rate": _error_rate(ts, total, len(SERVICES)),
        "system.errors_per_minute": total.astype(np.float64),
        "system.snapshot_gap": gaps,
    }
    return Operations(single, {"service": _services(ts, found), "error": _errors(ts, found)})


def _pressed(ts: NDArray[np.int64], times: Iterable[int]) -> NDArray[np.bool_]:
    """Which snapshots are the first ones at or after one of the times."""
    places = np.searchsorted(ts, np.array(sorted(times), dtype=np.int64))
    pressed = np.zeros(len(ts) + 1, dtype=np.bool_)
    pressed[places] = True
    return pressed[:-1]


def _error_rate(ts: NDArray[np.int64], failures: NDArray[np.int64], services: int) -> NDArray[np.float64]:
    """Failed / all requests of the five minutes before each snapshot."""
    before = np.searchsorted(ts, ts - RATE_WINDOW_MS, side="right")
    sums = np.concatenate([[0], np.cumsum(failures)])
    minutes = RATE_WINDOW_MS / MS_PER_MINUTE
    failed = sums[1:] - sums[before]
    share: NDArray[np.float64] = failed / (minutes * REQUESTS_A_MINUTE * services)
    return np.minimum(share, 1.0)


def _services(ts: NDArray[np.int64], troubles: Mapping[str, Troubles]) -> EntityColumns:
    rows = RowLog(("status", "error_rate", "restarts", "last_seen", "affects_trading", "since_restart"))
    last_seen = dict.fromkeys(SERVICES, int(ts[0]) if len(ts) else 0)
    rates = {name: _error_rate(ts, trouble.failures, 1) for name, trouble in troubles.items()}
    down, degraded, up = SERVICE_STATUS.members
    for i, at in enumerate(ts.tolist()):
        for name in SERVICES:
            trouble = troubles.get(name)
            is_down = trouble is not None and trouble.down is not None and bool(trouble.down[i])
            if not is_down:
                last_seen[name] = at
            fails = trouble is not None and trouble.failures[i] > 0
            rate = float(rates[name][i]) if name in rates else 0.0
            status = down if is_down else degraded if fails else up
            rows.add(at, name, status, rate, 0, (at - last_seen[name]) / 1000, True, (at - int(ts[0])) / 1000)
    return rows.columns()


def _errors(ts: NDArray[np.int64], troubles: Mapping[str, Troubles]) -> EntityColumns:
    rows = RowLog(("service", "kind"))
    for i, at in enumerate(ts.tolist()):
        place = 0
        for name, trouble in sorted(troubles.items()):
            for _ in range(int(trouble.failures[i])):
                rows.add(at, f"{place:08d}", name, trouble.kind)
                place += 1
    return rows.columns()
