"""ccxt's asynchronous client as it is used here: no answer read leniently, its own errors said in ours.

Requests go out at the same time, so that what an answer said beside its values is kept for each one apart.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from asyncio import Task
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ccxt.async_support as ccxt

from modules.venues.allowance import allowance
from modules.venues.credentials import Credentials
from modules.venues.venue import (
    ClockSkew,
    DuplicateClientId,
    Malformed,
    NotEnoughMargin,
    NotPermitted,
    RateLimited,
    Rejected,
    Unclear,
    UnknownOrder,
    Unreachable,
    VenueError,
    WouldTrigger,
)

RECEIVE_WINDOW_MS = 5_000
"""The venue drops a signed request that is older when it arrives."""

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What ccxt trips over when an answer is JSON of the wrong shape."""

BINANCE_CODES: Mapping[int, type[VenueError]] = {
    -1000: Unclear, -1001: Unclear, -1003: RateLimited, -1006: Unclear, -1007: Unclear, -1015: RateLimited,
    -1021: ClockSkew, -2011: UnknownOrder, -2013: UnknownOrder, -2014: NotPermitted, -2015: NotPermitted,
    -2019: NotEnoughMargin, -2021: WouldTrigger, -2028: NotEnoughMargin, -4116: DuplicateClientId, -4142: WouldTrigger,
    -20132: DuplicateClientId,
}  # fmt: skip
"""What Binance's own codes mean for an order (its "Error codes" page). Ccxt reads some by the host that answered."""

CODE = re.compile(r'"code"\s*:\s*(-\d+)')
LEAST_ERROR, LEAST_SERVER_ERROR = 400, 500


@dataclass(slots=True)
class Heard:
    """What the newest answer to a request said: its status, how many seconds to be quiet, its body."""

    status: int = 0
    retry_after: float | None = None
    body: Any = None


_HEARD: ContextVar[Heard | None] = ContextVar("heard", default=None)


def listening() -> Heard:
    """What answers will say from now on to the task that calls this, and to those that it begins."""
    fresh = Heard()
    _HEARD.set(fresh)
    return fresh


def heard() -> Heard:
    """What the newest answer to this task said."""
    return _HEARD.get() or Heard()


class StrictAnswers:
    """Mixed into an exchange of ccxt: a body of a good answer that is no JSON is an error, not a text to go on with."""

    _loading: Task[Any] | None = None
    _granted: float = 0.0
    """When the throttler let a request go last, s of the monotonic clock."""

    def on_rest_response(self, code: int, _reason: str, _url: str, _method: str, *rest: Any) -> Any:
        """The hook of ccxt before it reads an answer: `rest` begins with the headers and the body."""
        answer = heard()
        answer.status, answer.retry_after, answer.body = code, _seconds(rest[0].get("Retry-After")), None
        return rest[1].strip()

    def parse_json(self, http_response: str) -> Any:
        """The body, read strictly. Errors may have any body: their status says enough."""
        answer = heard()
        try:
            answer.body = json.loads(http_response, parse_constant=_refused)
        except ValueError:
            if answer.status >= LEAST_ERROR:
                return None
            raise ccxt.BadResponse("the body is no JSON") from None
        return answer.body

    async def load_markets(self: Any, reload: bool = False, params: Any = None) -> Any:
        """What is listed. Who stops waiting for it takes it from nobody else, as ccxt's own way of loading would."""
        if self.markets and not reload:
            return self.markets
        if self._loading is None:
            self._loading = asyncio.ensure_future(self.load_markets_helper(True, params or {}))
            self._loading.add_done_callback(self._loaded)
        return await asyncio.shield(self._loading)

    def _loaded(self, task: Task[Any]) -> None:
        self._loading = None
        if not task.cancelled():
            task.exception()  # looked at, also where nobody waits for it any more

    async def throttle(self: Any, cost: float | None = None) -> None:
        """Wait for the rate limit. What is urgent goes ahead of what waits, which waits for its cost as well."""
        now, bucket = allowance(), self.throttler.config
        if bucket["algorithm"] == "leakyBucket":
            if not self.throttler.running:  # ccxt lets a debt stand still for as long as nobody waits
                idle = (monotonic() - self._granted) * 1000
                bucket["tokens"] = min(bucket["tokens"] + idle * bucket["refillRate"], bucket["capacity"])
                self._granted = monotonic()
            if now is not None and now.urgent:
                bucket["tokens"] -= bucket["cost"] if cost is None else cost
                return
        await self.throttler(cost)
        self._granted = monotonic()


def configured(
    exchange_id: str, credentials: Credentials | None, timeout: float, endpoint: str | None, config: Mapping[str, Any]
) -> Any:
    """An exchange of ccxt, told how it is used here; `timeout` is in seconds.

    `endpoint` replaces the host of every address. Raises ValueError for an exchange that ccxt does not know, and for an
    endpoint that is neither https nor on this machine.
    """
    keys = {}
    if credentials is not None:
        keys = {"apiKey": credentials.key.get_secret_value(), "secret": credentials.secret.get_secret_value()}
    made = _client(exchange_id, {
        "enableRateLimit": True, "timeout": int(timeout * 1000), **keys, **config,
    })  # fmt: skip
    # The list of currencies is another service's and needs keys; nothing here reads it.
    made.has["fetchCurrencies"] = False
    made.options["recvWindow"] = RECEIVE_WINDOW_MS
    made.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    made.options["fetchOpenOrders"] = {"warnWithoutSymbol": False}
    if endpoint is not None:
        made.urls["api"] = _moved(made.urls["api"], _checked_endpoint(endpoint))
    return made


def _client(exchange_id: str, config: dict[str, Any]) -> Any:
    if exchange_id not in ccxt.exchanges:
        raise ValueError(f"ccxt knows no exchange `{exchange_id}`")
    made = type(exchange_id, (StrictAnswers, getattr(ccxt, exchange_id)), {})(config)
    # ccxt writes headers, the key among them, to its log: its log goes nowhere.
    made.logger = logging.Logger(exchange_id, level=logging.CRITICAL + 1)  # noqa: LOG001 -- it must have no parent
    return made


def _checked_endpoint(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    is_loopback = host == "localhost" or (host.replace(".", "").isdigit() and ip_address(host).is_loopback)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
        raise ValueError(f"the endpoint `{endpoint}` is neither https nor on this machine")
    return endpoint


def _moved(urls: Any, endpoint: str) -> Any:
    """The addresses with another scheme and host."""
    if isinstance(urls, dict):
        return {name: _moved(url, endpoint) for name, url in urls.items()}
    there = urlsplit(endpoint)
    return urlunsplit(urlsplit(urls)._replace(scheme=there.scheme, netloc=there.netloc))


def translated(exchange_id: str, error: Exception, what: str, answer: Heard) -> VenueError:
    """The error of ccxt as one of ours; `what` was asked. Nothing of a signed address is told."""
    if not isinstance(error, ccxt.BaseError):
        return Malformed(f"{what}: the answer is of another shape than expected")
    told = f"{what}: {_told(error)}"
    kind = _by_code(exchange_id, str(error)) or _by_class(error, answer.status)
    return RateLimited(told, answer.retry_after) if kind is RateLimited else kind(told)


def _by_code(exchange_id: str, text: str) -> type[VenueError] | None:
    found = CODE.search(text) if exchange_id.startswith("binance") else None
    return BINANCE_CODES.get(int(found.group(1))) if found is not None else None


def _by_class(error: ccxt.BaseError, status: int) -> type[VenueError]:
    """By ccxt's class of the error; of one that it cannot tell, by whether the venue calls it our mistake."""
    match error:
        case ccxt.RateLimitExceeded() | ccxt.DDoSProtection():
            return RateLimited
        case ccxt.InvalidNonce():
            return ClockSkew
        case ccxt.AuthenticationError():
            return NotPermitted
        case ccxt.BadResponse():
            return Malformed
        case ccxt.OperationFailed():
            return Unreachable
        case ccxt.OrderNotFound():
            return UnknownOrder
        case ccxt.InsufficientFunds():
            return NotEnoughMargin
        case ccxt.DuplicateOrderId():
            return DuplicateClientId
        case ccxt.OrderImmediatelyFillable():
            return WouldTrigger
        case ccxt.InvalidOrder() | ccxt.BadRequest() | ccxt.OperationRejected() | ccxt.NotSupported():
            return Rejected
    return Rejected if LEAST_ERROR <= status < LEAST_SERVER_ERROR else Unclear


def _told(error: Exception) -> str:
    """The error in ccxt's words, without the part of an address in which requests are signed."""
    name = type(error).__name__
    return f"{name} {' '.join(word.split('?')[0] if '://' in word else word for word in str(error).split())}"[:400]


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number")
