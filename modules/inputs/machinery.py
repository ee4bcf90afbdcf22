"""How the fund's own machinery runs, and what people ask of it by hand. Times are ms since 1970 UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    """One service: `seen` is its last heartbeat (None: never), `requests` and `failures` those of five minutes.

    `answers` says how it answered its last health check: all, some or none of it (None: it was not asked).
    `restarted` holds the times of its restarts, `began` is since when it is watched.
    """

    affects_trading: bool
    seen: int | None
    answers: bool | None
    requests: int
    failures: int
    is_degraded: bool = False
    restarted: Sequence[int] = ()
    began: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A request or a service that failed at `at`."""

    at: int
    service: str
    kind: str


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """An order that reached its end at `at`; `outcome` is a name of `order_outcome`."""

    at: int
    symbol: str
    side: str
    notional: float
    outcome: str


NO_HAND = "AGGRESSIVE"
"""The name of `risk_mode` that says that nobody holds the fund's risk mode down."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What people have asked for; a reset is asked for once, with a reason.

    `risk_mode` is the boldest mode that they allow. `peak_from` is the time (ms since 1970 UTC) from which the peak
    of equity and the losing streak count, None for always.
    """

    stop_requested: bool = False
    reset_requested: bool = False
    flatten_on_stop: bool = False
    reason: str = ""
    risk_mode: str = NO_HAND
    peak_from: int | None = None


@dataclass(frozen=True, slots=True)
class Machinery:
    """The services (None: nobody watches them), the failures of the last five minutes and the orders that ended since.

    `cpu` and `memory` are shares in use, None
    where they were not measured.
    """

    services: Mapping[str, Service] | None = None
    failures: Sequence[Failure] = ()
    orders_ended: Sequence[OrderEnd] = ()
    cpu: float | None = None
    memory: float | None = None
    operator: Operator = field(default_factory=Operator)
