"""What a venue lists, asked for again after a while: a long answer that rarely changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from modules.inputs import Listing
from modules.venues.venue import Rejected, Venue, VenueError

KEPT_MS = 15 * 60_000
"""Ms for which an answer is gone by."""


@dataclass(slots=True)
class Listings:
    """The symbols of `venue`; `clock` tells ms since 1970 UTC. `kept` is the newest answer, however old."""

    venue: Venue
    clock: Callable[[], int]
    kept: Mapping[str, Listing] = field(default_factory=dict)
    _asked_at: int = 0

    def trading(self, symbol: str) -> Listing:
        """A symbol that trades. Raises Rejected for another, and VenueError where the venue does not answer."""
        now = self.clock()
        if symbol not in self.kept or now - self._asked_at > KEPT_MS:
            self.kept, self._asked_at = self.venue.markets(), now
        found = self.kept.get(symbol)
        if found is None or not found.is_active:
            raise Rejected(f"`{symbol}` does not trade at {self.venue.name}")
        return found

    def known(self, symbol: str) -> Listing | None:
        """A symbol as the venue lists it, active or not, or as it did; None where nobody knows it."""
        try:
            return self.trading(symbol)
        except VenueError:
            return self.kept.get(symbol)

    def of_exit(self, symbol: str) -> Listing:
        """A symbol as it is known, without steps and limits where it is not: an exit does not wait for that."""
        return self.known(symbol) or Listing(symbol)

    def forget(self) -> None:
        """Ask the venue anew before the next order."""
        self._asked_at = 0
