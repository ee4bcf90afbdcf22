"""What was asked of a fund by the process before this one, as the snapshots in its store have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluators.snapshot import Fields
from evaluators.store import Store
from modules.facts.levels import EFFECT, SIDE
from modules.inputs import Request
from modules.sources.effects import EXITS
from policy_dsl.quantities import Unit, from_quanta


def asked_before(store: Store, book: str) -> Callable[[int, int], Sequence[Request] | None]:
    """Tells the requests of the snapshots from one time on and before another (ms since 1970 UTC), oldest first.

    They have no ids, and are of the time of their snapshot. None where one says not what it was to do.
    """

    def asked(since: int, until: int) -> Sequence[Request] | None:
        found = [
            _request(row, snapshot.ts)
            for snapshot in store.snapshots(book, since, until)
            for _, row in sorted((snapshot.collection("request") or {}).items())
        ]
        known = [request for request in found if request is not None]
        return known if len(known) == len(found) else None

    return asked


def _request(row: Fields, ts: int) -> Request | None:
    symbol, side, effect, notional = (row.get(name) for name in ("symbol", "side", "effect", "notional"))
    if not isinstance(symbol, str) or side is None or effect is None:
        return None
    acts_on = SIDE.members[int(side)]
    against = SIDE.members[1 - int(side)]
    amount = None if notional is None else float(from_quanta(int(notional), Unit.MONEY))
    return Request(symbol, against if EFFECT.members[int(effect)] in EXITS else acts_on, ts, amount)
