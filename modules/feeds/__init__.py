"""Readers of what others recorded: candles, trades, signals and policy observations, checked row by row.

A reader returns whole, sound data or raises a PolicyError with every finding: RF801 unreadable, RF802 empty, RF803 a
column or field is missing, RF804 a value of the wrong type, RF805 an impossible value, RF806 times out of order or
twice, RF807 a candle that contradicts itself, RF808 content of no known kind.
"""

from __future__ import annotations

from modules.feeds.candles import Candles, read_candles
from modules.feeds.contents import Content, content_of
from modules.feeds.observations import Observations, read_observations
from modules.feeds.signals import Signals, read_signals
from modules.feeds.symbol_records import SymbolRecord, read_symbol_records
from modules.feeds.trades import Trades, read_trades

__all__ = [
    "Candles",
    "Content",
    "Observations",
    "Signals",
    "SymbolRecord",
    "Trades",
    "content_of",
    "read_candles",
    "read_observations",
    "read_signals",
    "read_symbol_records",
    "read_trades",
]
