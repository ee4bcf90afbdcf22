"""What the fund knows of its own book that no venue keeps: how each position began, what was closed, the peak.

The ledger sees the venue's positions and the orders that ended, and writes down what changed before it is relied on, so
that a restart knows what the process before it knew. What it cannot account for is unknown, not nothing: a position
that is gone without an order that closed it is a trade of unknown profit.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from modules.inputs import Account, ClosedTrade, Position
from modules.venues.journal import Journal, Unkept, journal_at
from modules.venues.venue import OrderState
from policy_dsl.quantities import MS_PER_DAY

KEPT_EVERY_MS = 60_000
"""The equity is written down once a minute, or where it says something new: a crash costs no more of the day's last."""

WHOLE = 1e-9
"""A share of a quantity that is rounding."""


@dataclass(frozen=True, slots=True)
class Lot:
    """A position from its opening on; `realised` is the profit, fees deducted, of `closed` base units of it.

    `worth` is the notional that was bought or sold into it; `why` is a name of `trade_exit`, of its last reduction.
    `target` is the price at which its profit is taken, `model`, `confidence` and `votes` are those of the request that
    opened it. `guard` is the client id of the order at the venue that is its stop, `former` those of others that were
    sent as its stop and of which nobody knows how they ended.
    """

    symbol: str
    side: str
    opened: int
    first_quantity: float
    first_entry: float
    first_stop: float | None = None
    stop: float | None = None
    quantity: float = 0.0
    entry: float = 0.0
    worth: float = 0.0
    closed: float = 0.0
    realised: float = 0.0
    why: str = "OTHER"
    model: str | None = None
    target: float | None = None
    confidence: float | None = None
    votes: int | None = None
    guard: str | None = None
    former: tuple[str, ...] = ()

    @property
    def guards(self) -> tuple[str, ...]:
        """The client ids of all stops at the venue that may have filled."""
        return self.former if self.guard is None else (*self.former, self.guard)

    @property
    def sign(self) -> int:
        """1 for a long, -1 for a short."""
        return 1 if self.side == "LONG" else -1

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it but rounding."""
        return self.quantity <= WHOLE * max(self.first_quantity, self.closed)


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why an order was sent: stop and target of the trade it opens and who proposed it, or the exit that it is."""

    stop: float | None = None
    model: str | None = None
    why: str = "OTHER"
    target: float | None = None
    confidence: float | None = None
    votes: int | None = None


@dataclass(slots=True)
class Ledger:
    """The ledger in the file at `path`, or in memory. `fee` is a share of notional a side, where no order tells it.

    `day_equity` is the equity at 00:00 UTC of `day`, None where nobody knows it; `seen` is the newest one, at `seen_at`
    (ms since 1970 UTC).
    """

    path: Path | None = None
    fee: float = 0.0005
    lots: dict[str, Lot] = field(default_factory=dict)
    trades: list[ClosedTrade] = field(default_factory=list)
    peak_equity: float = 0.0
    day: int = -1
    day_equity: float | None = None
    seen: float | None = None
    seen_at: int = -1
    own_balance: float | None = None
    peak_from: int = -1
    told: set[str] = field(default_factory=set)
    """Client ids of orders that count already: told again, after a restart, they count no second time."""
    _kept_at: int = -1
    _journal: Journal | Unkept = field(init=False)

    def __post_init__(self) -> None:
        """Read what an earlier process has written. Raises JournalError where the file is damaged or in use."""
        self._journal = journal_at(self.path)
        self._journal.replay(self._apply)

    def compact(self, asked: Container[str]) -> None:
        """Write down what is known in place of how it came about, if at least half of the lines can go.

        `asked` are the client ids of the orders of which the log of intents may tell again; the fills of others need
        no longer be known by name. Raises OSError where the disk refuses it; nothing is lost then.
        """
        guards = {c for lot in self.lots.values() for c in lot.guards}
        told = sorted(c for c in self.told if c in asked or c in guards)
        lines: list[Mapping[str, Any]] = [{"kind": "told", "orders": told}]
        lines += [{"kind": "trade", **asdict(trade)} for trade in self.trades]
        lines += [{"kind": "lot", **asdict(lot)} for _, lot in sorted(self.lots.items())]
        if self.own_balance is not None:
            lines.append({"kind": "balance", "balance": self.own_balance})
        lines.append(
            {
                "kind": "equity", "peak": self.peak_equity, "day": self.day, "day_equity": self.day_equity,
                "peak_from": self.peak_from, "seen": self.seen, "seen_at": self.seen_at,
            }
        )  # fmt: skip
        if 2 * len(lines) <= len(self._journal.records):
            self._journal.rewrite(lines)
            self.told = set(told)

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def observe(
        self,
        ts: int,
        account: Account,
        positions: Mapping[str, Position],
        ended: Iterable[OrderState] = (),
        purposes: Mapping[str, Purpose] | None = None,
        peak_from: int | None = None,
        *,
        unsure: frozenset[str] = frozenset(),
    ) -> None:
        """Take note of the venue's account and positions at `ts` (ms), and of orders that ended since the last time.

        `purposes` are by client id. An order counts once, however often it is told. `peak_from` (ms) is when a person
        has asked for the peak to count anew: once, from the first equity that is seen after it. Where a symbol is
        `unsure`, an order may have filled of which nobody knows yet: its position is compared once that is known.
        """
        why = purposes or {}
        for order in ended:
            self.count(ts, order, why.get(order.client_id, Purpose()))
        for symbol in sorted((set(self.lots) | set(positions)) - unsure):
            self._reconcile(ts, symbol, positions.get(symbol))
        if not math.isfinite(account.equity):
            return
        if self.own_balance is None:
            self._write({"kind": "balance", "balance": account.balance})
        day = ts // MS_PER_DAY
        anew = peak_from is not None and self.peak_from < peak_from <= ts
        peak = account.equity if anew else max(self.peak_equity, account.equity)
        if peak != self.peak_equity or day != self.day or anew or ts - self._kept_at >= KEPT_EVERY_MS:
            start = self._day_equity(ts, account.equity, anew=anew)
            since = peak_from if anew else self.peak_from
            self._write(
                {
                    "kind": "equity", "peak": peak, "day": day, "day_equity": start, "peak_from": since,
                    "seen": account.equity, "seen_at": ts,
                }
            )  # fmt: skip
        self.seen, self.seen_at = account.equity, ts

    def _day_equity(self, ts: int, equity: float, *, anew: bool) -> float | None:
        """The equity at 00:00 UTC of the day of `ts`: the last one of the day before where none is of that very time.

        A ledger that has seen no other day counts from its first equity, and one that does not know from when a person
        lets the peak count anew.
        """
        day = ts // MS_PER_DAY
        if day == self.day:
            return equity if anew and self.day_equity is None else self.day_equity
        if self.day < 0 or ts == day * MS_PER_DAY:
            return equity
        return self.seen if self.seen_at // MS_PER_DAY == day - 1 else None

    def count(self, ts: int, order: OrderState, purpose: Purpose) -> None:
        """Take note of an order that ended, at `ts` (ms), before the venue's positions are looked at again."""
        if order.client_id not in self.told and order.filled > 0 and order.average is not None:
            self._fill(ts, order, order.average, purpose)

    def differs(self, positions: Mapping[str, Position]) -> frozenset[str]:
        """The symbols in which the venue holds another position than this record."""
        held = {p.symbol: (p.side, p.quantity) for p in positions.values()}
        known = {symbol: (lot.side, lot.quantity) for symbol, lot in self.lots.items() if not lot.is_over}
        return frozenset(s for s in held.keys() | known.keys() if held.get(s) != known.get(s))

    def account(
        self, account: Account, positions: Mapping[str, Position], unsure: frozenset[str] = frozenset()
    ) -> Account:
        """The venue's account with the peak, the start of the day, and the equity by this record at the same marks.

        That is not known while a position differs of which one is `unsure`.
        """
        marks = {p.symbol: p.mark for p in positions.values()}
        open_profit = sum(
            lot.sign * lot.quantity * (marks.get(lot.symbol, lot.entry) - lot.entry) for lot in self.lots.values()
        )
        own = None if self.own_balance is None else self.own_balance + open_profit
        if unsure & self.differs(positions):
            own = None
        return replace(account, peak_equity=self.peak_equity, day_equity=self.day_equity, own_equity=own)

    def positions(self, positions: Mapping[str, Position]) -> Mapping[str, Position]:
        """The venue's positions with how each began."""
        return {key: self._known(position) for key, position in positions.items()}

    def set_stop(self, symbol: str, stop: float) -> None:
        """The stop of a position was moved. Raises KeyError where there is no such position."""
        self._write({"kind": "lot", **asdict(replace(self.lots[symbol], stop=stop))})

    def send_guard(self, symbol: str, client_id: str) -> None:
        """An order is about to be sent that is to be the stop of a position. Raises KeyError as `set_stop`."""
        lot = self.lots[symbol]
        if client_id not in lot.guards:
            self._write({"kind": "lot", **asdict(replace(lot, former=(*lot.former, client_id)))})

    def set_guard(self, symbol: str, client_id: str) -> None:
        """The order that is the stop of a position is now this one; the last one may still fill."""
        lot = self.lots[symbol]
        former = tuple(c for c in lot.guards if c != client_id)
        self._write({"kind": "lot", **asdict(replace(lot, guard=client_id, former=former))})

    def forget_guard(self, symbol: str, client_id: str) -> None:
        """An order is known to have ended without a fill, or never to have been there."""
        lot = self.lots[symbol]
        guard, former = None if lot.guard == client_id else lot.guard, tuple(c for c in lot.former if c != client_id)
        self._write({"kind": "lot", **asdict(replace(lot, guard=guard, former=former))})

    def _known(self, position: Position) -> Position:
        lot = self.lots.get(position.symbol)
        if lot is None or lot.side != position.side:
            return position
        return replace(
            position,
            opened=lot.opened,
            first_quantity=lot.first_quantity,
            first_entry=lot.first_entry,
            first_stop=lot.first_stop,
            stop=lot.stop,
            target=lot.target,
        )

    def _fill(self, ts: int, order: OrderState, average: float, purpose: Purpose) -> None:
        """Count an order: what it closes of the position against it first, then what it opens or adds."""
        lot, left, gained = self.lots.get(order.symbol), order.filled, 0.0
        fee = self.fee * average if order.fee is None else order.fee / order.filled
        over: ClosedTrade | None = None
        if lot is not None and lot.side != order.side and not lot.is_over:
            closing = min(left, lot.quantity)
            gained = lot.sign * closing * (average - lot.entry) - fee * closing
            lot = replace(
                lot, quantity=lot.quantity - closing, closed=lot.closed + closing, realised=lot.realised + gained,
                why=purpose.why,
            )  # fmt: skip
            left -= closing
        if order.reduce_only:
            left = 0.0  # whatever the ledger knew of: it has opened nothing
        if left > WHOLE * order.filled:
            if lot is not None and (lot.is_over or lot.side != order.side):
                over, lot = self._trade(ts, lot, accounted=lot.is_over), None
            cost = fee * left
            lot = _grown(lot, left, average, cost) if lot is not None else _begun(ts, order, left, purpose, cost)
            gained -= cost
        if lot is not None:
            self._keep(order, lot, gained, over)

    def _keep(self, order: OrderState, lot: Lot, amount: float, over: ClosedTrade | None) -> None:
        """The lot after an order, and the balance that the fund must have by its own record, in one line."""
        balance = None if self.own_balance is None else self.own_balance + amount
        closed = None if over is None else asdict(over)
        self._write(
            {"kind": "fill", "order": order.client_id, "lot": asdict(lot), "balance": balance, "closed": closed}
        )

    def _reconcile(self, ts: int, symbol: str, position: Position | None) -> None:
        """Let the venue be right: a position that the ledger does not know begins now, one that is gone has closed."""
        lot = self.lots.get(symbol)
        if lot is not None and (position is None or position.side != lot.side):
            self._write({"kind": "closed", "symbol": symbol, **asdict(self._trade(ts, lot, accounted=lot.is_over))})
            lot = None
        if position is not None and lot is None:
            begun = Lot(
                symbol, position.side, position.opened, position.quantity, position.entry, quantity=position.quantity,
                entry=position.entry, worth=position.quantity * position.entry,
            )  # fmt: skip
            self._write({"kind": "lot", **asdict(begun)})
        elif position is not None and lot is not None and lot.quantity != position.quantity:
            self._write({"kind": "lot", **asdict(replace(lot, quantity=position.quantity, entry=position.entry))})

    def _trade(self, ts: int, lot: Lot, *, accounted: bool) -> ClosedTrade:
        profit = lot.realised if accounted else None
        at_risk = None if lot.first_stop is None else lot.first_quantity * abs(lot.first_entry - lot.first_stop)
        return ClosedTrade(
            lot.symbol,
            lot.side,
            lot.why,
            ts,
            profit,
            None if profit is None or lot.worth <= 0 else profit / lot.worth,
            None if profit is None or not at_risk else profit / at_risk,
            lot.model,
        )

    def _write(self, record: Mapping[str, Any]) -> None:
        self._journal.append(record)
        self._apply(record)

    def _apply(self, record: Mapping[str, Any]) -> None:
        values = {name: value for name, value in record.items() if name != "kind"}
        match record["kind"]:
            case "fill":
                self.told.add(values["order"])
                if values.get("closed") is not None:
                    self.trades.append(ClosedTrade(**values["closed"]))
                self.lots[values["lot"]["symbol"]] = _lot(values["lot"])
                self.own_balance = values["balance"]
            case "lot":
                self.lots[values["symbol"]] = _lot(values)
            case "closed":
                self.lots.pop(values["symbol"], None)
                self.trades.append(ClosedTrade(**values))
            case "told":
                self.told.update(values["orders"])
            case "trade":
                self.trades.append(ClosedTrade(**values))
            case "balance":
                self.own_balance = values["balance"]
            case "equity":
                self.peak_equity, self.day, self.day_equity = values["peak"], values["day"], values["day_equity"]
                self.peak_from = values.get("peak_from", self.peak_from)
                self.seen, self.seen_at = values.get("seen"), values.get("seen_at", -1)
                self._kept_at = self.seen_at
            case other:
                raise ValueError(f"nobody knows what `{other}` is")


def _lot(fields: Mapping[str, Any]) -> Lot:
    return Lot(**{**fields, "former": tuple(fields.get("former", ()))})


def _begun(ts: int, order: OrderState, quantity: float, purpose: Purpose, cost: float) -> Lot:
    """The position that an order opens with `quantity` of what it filled; `cost` are the fees."""
    average = order.average or 0.0
    return Lot(
        order.symbol, order.side, ts, quantity, average, purpose.stop, purpose.stop, quantity, average,
        quantity * average, realised=-cost, model=purpose.model, target=purpose.target, confidence=purpose.confidence,
        votes=purpose.votes,
    )  # fmt: skip


def _grown(lot: Lot, quantity: float, average: float, cost: float) -> Lot:
    """The position after `quantity` more at `average`."""
    total = lot.quantity + quantity
    return replace(
        lot, quantity=total, entry=(lot.quantity * lot.entry + quantity * average) / total,
        worth=lot.worth + quantity * average, realised=lot.realised - cost,
    )  # fmt: skip
