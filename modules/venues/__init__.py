"""The ways to a venue: one protocol, a paper exchange that speaks it, and real exchanges through ccxt."""

from __future__ import annotations

from modules.venues.venue import (
    ClockSkew,
    DuplicateClientId,
    HungUp,
    Kind,
    Malformed,
    NewOrder,
    NotEnoughMargin,
    NotPermitted,
    OrderState,
    OutOfTime,
    RateLimited,
    Rejected,
    Status,
    Unclear,
    UnknownOrder,
    Unreachable,
    Venue,
    VenueError,
    WouldTrigger,
)

__all__ = [
    "ClockSkew", "DuplicateClientId", "HungUp", "Kind", "Malformed", "NewOrder", "NotEnoughMargin", "NotPermitted",
    "OrderState", "OutOfTime", "RateLimited", "Rejected", "Status", "Unclear", "UnknownOrder", "Unreachable", "Venue",
    "VenueError", "WouldTrigger",
]  # fmt: skip
