"""The sector of a symbol by its base coin: what the coin's network or protocol is for, as of 2025."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

QUOTES = ("USDT", "USDC", "BUSD", "FDUSD", "USD")

MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "BTC": "BTC BCH LTC DASH ZEC XMR RVN",
        "L1": "ETH SOL BNB ADA AVAX DOT NEAR APT SUI ATOM TIA ALGO ICP EGLD XTZ FLOW KAVA ONE ZIL ICX ONT VET CELO "
        "IOST CFX SEI INJ TON TRX ETC NEO HBAR KAS MOVR ROSE WAXP FTM IOTX CKB",
        "L2": "ARB OP POL MATIC IMX STRK ZK LRC CELR MANTA METIS SKL CTSI COTI STX",
        "DEFI": "UNI AAVE CRV LDO MKR SNX COMP SUSHI 1INCH RUNE JUP DYDX GMX PENDLE CAKE ENA ONDO DEXE RSR BEL CTK",
        "PAYMENT": "XRP XLM ACH CHR",
        "MEME": "DOGE SHIB PEPE WIF BONK FLOKI 1000SHIB 1000PEPE 1000BONK 1000FLOKI BOME NOT",
        "DATA": "LINK BAND FIL AR GRT THETA RENDER FET TAO WLD LPT ANKR NKN OXT STORJ HOT JASMY PYTH ARPA IOTA DENT "
        "QNT",
        "GAMING": "AXS SAND MANA GALA ENJ CHZ SUPER APE ILV ALICE MAGIC PIXEL OGN",
        "GOLD": "PAXG XAUT",
        "IDENTITY": "ENS BAT MTL SFP",
    }
)
"""Base coins by sector, separated by spaces."""

_SECTOR_OF = {coin: sector for sector, coins in MEMBERS.items() for coin in coins.split()}


def base_of(symbol: str) -> str:
    """The base coin of a symbol such as BTCUSDT or BTC/USDT:USDT; the symbol itself where its quote is not known."""
    base = symbol.partition("/")[0]
    for quote in QUOTES:
        if base.endswith(quote) and base != quote:
            return base.removesuffix(quote)
    return base


def sector_of(symbol: str) -> str | None:
    """The sector that a symbol such as BTCUSDT counts towards; None for a coin that is not in the table."""
    return _SECTOR_OF.get(base_of(symbol))
