"""Coins whose price is another thing's by promise: there is nothing to trade in them but the promise, as of 2025."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from modules.estimates.sectors import base_of

PEGGED: Mapping[str, str] = MappingProxyType(
    {
        "a stable coin": "USDT USDC BUSD FDUSD TUSD USDP USDD USDE USDS USD1 USD DAI GUSD LUSD FRAX PYUSD RLUSD USTC "
        "SUSD CRVUSD EURC EURT EURI AEUR BFUSD XUSD",
        "a currency": "EUR GBP JPY CHF AUD CAD TRY BRL ARS PLN RON UAH ZAR MXN COP CZK RUB NGN IDR",
        "a wrapped coin": "WBTC WETH WBNB WSOL WMATIC WAVAX WTRX BTCB CBBTC TBTC RENBTC HBTC LBTC SOLVBTC STETH WSTETH "
        "WBETH BETH RETH CBETH EETH WEETH EZETH RSETH METH BNSOL JITOSOL MSOL JUPSOL STSOL BBSOL",
    }
)
"""Base coins by what they are, separated by spaces."""

_KIND = {coin: what for what, coins in PEGGED.items() for coin in coins.split()}


def pegged(symbol: str) -> str | None:
    """What the base coin of a symbol is, if it is pegged: `a stable coin`, `a currency` or `a wrapped coin`."""
    return _KIND.get(base_of(symbol))
