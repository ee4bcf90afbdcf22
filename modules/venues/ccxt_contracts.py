"""The contracts that an exchange lists: ccxt has a name for each, and the exchange another one, its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.venues.ccxt_asking import Asking
from modules.venues.venue import Malformed, Rejected


class Contracts:
    """Linear perpetual contracts settled in `quote`, as ccxt's `client` lists them."""

    def __init__(self, name: str, client: Any, asking: Asking, quote: str) -> None:
        self._name, self._client, self._asking, self._quote = name, client, asking, quote

    def is_mine(self, market: Mapping[str, Any]) -> bool:
        """Whether a market is one of them."""
        return market.get("swap") is True and market.get("linear") is True and market.get("settle") == self._quote

    def _load(self) -> Mapping[str, Any]:
        loaded: Mapping[str, Any] | None = self._client.markets
        return loaded or self._asking.read("the markets", self._client.load_markets)

    def unified(self, symbol: str) -> str:
        """The name that ccxt has for a contract. Raises Rejected for one that is not listed."""
        for name, market in self._load().items():
            if market["id"] == symbol and self.is_mine(market):
                return name
        raise Rejected(f"`{symbol}` is not listed at {self._name}")

    def id_of(self, name: str) -> str:
        """The exchange's name of what ccxt calls `name`. Raises Malformed for one that is not listed."""
        market = self._load().get(name)
        if market is None:
            raise Malformed(f"the venue speaks of `{name}`, which it does not list")
        return str(market["id"])

    def by_id(self, told: Any) -> dict[str, Mapping[str, Any]]:
        """Rows of these contracts, by their ids. Raises Malformed for what is no table."""
        if not isinstance(told, Mapping):
            raise Malformed("the answer is no table")
        markets = self._load()
        mine = {name: row for name, row in told.items() if name in markets and self.is_mine(markets[name])}
        return {str(markets[name]["id"]): row for name, row in mine.items()}
