"""Times as ISO 8601 text and as milliseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from policy_dsl.quantities import divide_half_even

FIRST_TS = -62_135_596_800_000
"""The first millisecond of year 1."""
LAST_TS = 253_402_300_799_999
"""The last millisecond of year 9999."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def format_time(ts: int) -> str:
    """`ts` as ISO 8601 in UTC: `2025-10-10T21:00:00Z`, with milliseconds where there are any.

    Raises ValueError outside the years 1 to 9999, which ISO 8601 text does not reach.
    """
    if not FIRST_TS <= ts <= LAST_TS:
        raise ValueError(f"{ts} ms lies outside the years 1 to 9999")
    at = _EPOCH + timedelta(milliseconds=ts)
    return at.isoformat(timespec="milliseconds" if ts % 1000 else "seconds").replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """Milliseconds since 1970 of a UTC time in ISO 8601, finer digits rounded half-even.

    Raises ValueError with a message for a person: not a time, no time zone, or another time zone than UTC.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"`{text}` is not a time") from error
    offset = at.utcoffset()
    if offset is None:
        raise ValueError(f"`{text}` has no time zone")
    if offset:
        raise ValueError(f"`{text}` is not in UTC")
    since = at - _EPOCH
    return divide_half_even(since // timedelta(microseconds=1), 1000)
