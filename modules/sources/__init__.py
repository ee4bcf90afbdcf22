"""Where the facts come from that no module computes: the book, the feed, the people and the clock of the fund."""

from __future__ import annotations

from modules.sources.book import BookSource
from modules.sources.clock import ClockSource
from modules.sources.feed import FeedSource
from modules.sources.operator import OperatorSource

__all__ = ["BookSource", "ClockSource", "FeedSource", "OperatorSource"]
