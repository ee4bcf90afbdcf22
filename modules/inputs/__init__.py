"""What modules compute facts from: the raw state of a book at one time, as venue, book and machines tell it."""

from __future__ import annotations

from modules.inputs.book import Account, Book, ClosedTrade, Order, Position, Request
from modules.inputs.inputs import Inputs
from modules.inputs.machinery import Failure, Machinery, Operator, OrderEnd, Service
from modules.inputs.market import Depth, Listing, MarginTier, Market, Ticker
from modules.inputs.models import Challenger, Comparison, ModelRecord, Predictions

__all__ = [
    "Account", "Book", "Challenger", "ClosedTrade", "Comparison", "Depth", "Failure", "Inputs", "Listing", "Machinery",
    "MarginTier", "Market", "ModelRecord", "Operator", "Order", "OrderEnd", "Position", "Predictions", "Request",
    "Service", "Ticker",
]  # fmt: skip
