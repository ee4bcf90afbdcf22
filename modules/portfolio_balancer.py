"""The Portfolio Balancer: what the book is exposed to as it is, and as it would be after each request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from modules.estimates import book_after
from modules.estimates.balance import Liquidation, Returns, liquidations
from modules.estimates.book_after import Ask, Line
from modules.estimates.correlation import Togetherness
from modules.estimates.progress import is_known, loss_at_stop
from modules.facts.account import MOST_MONEY
from modules.inputs import Inputs, Order, Position
from modules.supply import Row, Supply

AFTER = (
    "exposure_after", "sector_share_after", "symbol_share_after", "risk_after", "leverage_after", "correlated_after",
    "correlated_positions_after", "free_margin_after", "liquidation_distance",
)  # fmt: skip
"""The facts of a request that say what the book would be after it."""

OF_MARGIN = frozenset({"free_margin_after", "leverage_after", "liquidation_distance"})
"""Those of them that are no shares of equity."""

SHARES = ("gross_exposure", "net_exposure", "risk", "correlated_exposure", "correlated_positions")
EXITS = frozenset({"REDUCE", "CLOSE"})
SIGNS = {"LONG": 1, "SHORT": -1}


class Tiers(Protocol):
    """Who knows the standing of symbols: the universe."""

    def tier_of(self, symbol: str) -> str | None:
        """The name of the symbol's tier, None if it has none."""
        ...


class PortfolioBalancer:
    """Measures concentration, exposure, leverage and the way to liquidation; the rules set the limits.

    Requests are counted together, in the order of their keys, what takes risk off before what adds any, on top of all
    that is pending. A request that cannot be counted is denied for it, and so is not counted for the others.
    """

    name: ClassVar[str] = "pba"
    policy: ClassVar[str | None] = "pba"
    port: ClassVar[int | None] = 8008
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("PBA",)

    def __init__(self, universe: Tiers | None = None) -> None:
        self._universe = universe
        self._returns = Returns()

    def get_symbol_category(self, symbol: str) -> str | None:
        """The name of the symbol's tier, such as `CORE`; None without a universe, or where it does not know."""
        return None if self._universe is None else self._universe.tier_of(symbol)

    def compute(self, inputs: Inputs) -> Supply:
        """The account's exposures, each sector's, symbol's and position's, and the book after each request."""
        work = _Balance(inputs, self._returns)
        work.margin_usage()
        work.exposures()
        work.pending()
        work.liquidation()
        work.requests()
        return Supply(single=work.single, rows=work.rows, reasons=work.reasons)


@dataclass(slots=True)
class _Balance:
    """The facts of one snapshot as they come together."""

    inputs: Inputs
    returns: Returns
    single: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    equity: float = math.nan
    why_no_share: str = ""
    positions: dict[str, Position] = field(default_factory=dict)
    fault: str = ""

    def __post_init__(self) -> None:
        account, held = self.inputs.book.account, self.inputs.book.positions
        self.equity = math.nan if account is None else account.equity
        if account is None or not math.isfinite(account.equity):
            self.why_no_share = "the account's equity is not known"
        elif account.equity <= 0:
            self.why_no_share = f"equity is {account.equity:g}, and no share of that says anything"
        self.positions = dict(sorted(held.items())) if held is not None else {}
        self.fault = "nobody knows the positions" if held is None else ""
        for key, position in self.positions.items():
            if not _is_sound(position):
                self.fault = f"the side, quantity or mark of position {key} in {position.symbol} cannot be"

    # --- the book as it is -------------------------------------------------------------------------------------------

    def margin_usage(self) -> None:
        account = self.inputs.book.account
        if account is None or not is_known(account.used_margin, account.balance):
            self.reasons["account.margin_usage"] = "the account's margin and balance are not known"
        elif account.balance <= 0:
            self.reasons["account.margin_usage"] = f"the balance is {account.balance:g}"
        else:
            self.single["account.margin_usage"] = account.used_margin / account.balance

    def exposures(self) -> None:
        """Of the account, of each sector and of each symbol."""
        symbols, sectors = self._all_symbols(), self._all_sectors()
        self.rows["symbol"] = {symbol: {} for symbol in symbols}
        if sectors:
            self.rows["sector"] = {sector: {} for sector in sectors}
        else:
            self.reasons["sector"] = "the universe knows no sector of any symbol"
        why = self.fault or self.why_no_share
        if why:
            self.reasons |= {f"account.{name}": why for name in SHARES}
            self.reasons |= {f'symbol["{symbol}"].exposure': why for symbol in symbols}
            self.reasons |= {f'sector["{sector}"].exposure_share': why for sector in sectors}
            return
        held = list(self.positions.values())
        signed = dict.fromkeys(symbols, 0.0)
        for position in held:
            signed[position.symbol] += position.sign * position.notional
        self.single["account.gross_exposure"] = math.fsum(p.notional for p in held) / self.equity
        self.single["account.net_exposure"] = math.fsum(p.sign * p.notional for p in held) / self.equity
        for symbol, amount in signed.items():
            self.rows["symbol"][symbol]["exposure"] = abs(amount) / self.equity
        for sector in sectors:
            amounts = [p.notional for p in held if self._sector(p.symbol) in {sector, None}]
            self.rows["sector"][sector]["exposure_share"] = math.fsum(amounts) / self.equity
        self._risk()
        self._correlated()

    def _risk(self) -> None:
        bare = [f"{k} in {p.symbol}" for k, p in self.positions.items() if p.quantity > 0 and _risk_of(p) is None]
        if bare:
            self.reasons["account.risk"] = f"no stop is known of {', '.join(bare)}"
            return
        self.single["account.risk"] = math.fsum(_risk_of(p) or 0.0 for p in self.positions.values()) / self.equity

    def _correlated(self) -> None:
        amounts: dict[str, float] = {}
        for position in self.positions.values():
            if position.quantity > 0:
                amounts[position.symbol] = amounts.get(position.symbol, 0.0) + position.notional
        cluster = self._together(frozenset(amounts)).largest(amounts)
        self.single["account.correlated_exposure"] = math.fsum(amounts.get(s, 0.0) for s in cluster) / self.equity
        self.single["account.correlated_positions"] = sum(
            p.symbol in cluster and p.quantity > 0 for p in self.positions.values()
        )

    def pending(self) -> None:
        """Unfilled orders that add risk, by symbol."""
        orders, rows = self.inputs.book.orders, self.rows["symbol"]
        why = "nobody knows the open orders" if orders is None else self.why_no_share
        if orders is None or why:
            self.reasons |= {f'symbol["{symbol}"].pending_exposure': why for symbol in rows}
            return
        found: dict[str, list[float | None]] = {symbol: [] for symbol in rows}
        for _, order in sorted(orders.items()):
            if order.adds_risk and order.symbol in found:
                found[order.symbol].append(self._unfilled(order))
        for symbol, amounts in found.items():
            known = [a for a in amounts if a is not None]
            if len(known) < len(amounts):
                self.reasons[f'symbol["{symbol}"].pending_exposure'] = "an open order has no known size or price"
            else:
                rows[symbol]["pending_exposure"] = math.fsum(known) / self.equity

    def liquidation(self) -> None:
        """How far each position is from liquidation, and how likely it gets there within a week."""
        rows: dict[str, dict[str, Any]] = {key: {} for key in self.positions}
        if self.inputs.book.positions is not None:
            self.rows["position"] = rows
        equity = self.equity if math.isfinite(self.equity) and not self.fault else None
        sound = {key: p for key, p in self.positions.items() if _is_sound(p) and p.quantity > 0}
        listings = self.inputs.market.listings or {}
        tiers = {p.symbol: listings[p.symbol].tiers for p in sound.values() if p.symbol in listings}
        found = liquidations(sound, tiers, equity)
        symbols = tuple(sorted({p.symbol for p in sound.values()}))
        variance = self.returns.week_variance(self.inputs.market.candles, self.inputs.ts, symbols) if sound else {}
        for key, row in rows.items():
            self._liquidation_of(key, found.get(key, "nothing is held, or its figures cannot be"), row, variance)

    def _liquidation_of(
        self, key: str, found: Liquidation | str, row: dict[str, Any], variance: Mapping[str, float]
    ) -> None:
        if isinstance(found, str):
            names = ("liquidation_distance", "liquidation_probability_7d")
            self.reasons |= {f'position["{key}"].{name}': found for name in names}
            return
        row["liquidation_distance"] = found.distance
        chance = found.probability(variance.get(self.positions[key].symbol, math.nan))
        if chance is None:
            why = "there is not enough price history to forecast a week's volatility"
            self.reasons[f'position["{key}"].liquidation_probability_7d'] = why
        else:
            row["liquidation_probability_7d"] = chance

    # --- the book after each request ---------------------------------------------------------------------------------

    def requests(self) -> None:
        """Every request in turn, those that take risk off first."""
        asked = self.inputs.known.rows.get("request", {})
        self.rows["request"] = {key: {} for key in sorted(asked)}
        book = self._base()
        if isinstance(book, str):
            for key in self.rows["request"]:
                self._unknown(key, book)
            return
        asks = {key: self._ask(key, asked[key]) for key in self.rows["request"]}
        pending = {o.symbol for o in (self.inputs.book.orders or {}).values() if o.adds_risk}
        wanted = {a.symbol for a in asks.values() if isinstance(a, Ask)}
        together = self._together(frozenset(wanted | pending | {symbol for symbol, _ in book.lines}))
        for key in sorted(asks, key=lambda k: (asked[k].get("effect") not in EXITS, k)):
            ask = asks[key]
            if isinstance(ask, str):
                self._unknown(key, ask)
                continue
            after = book.after(ask)
            self._after(key, ask, after, together)
            if not ask.adds or (ask.line.risk is not None and ask.line.margin is not None):
                book = after

    def _base(self) -> book_after.Book | str:
        """The book with all that is pending, or why it is not known."""
        account, orders = self.inputs.book.account, self.inputs.book.orders
        if self.fault or orders is None:
            return self.fault or "nobody knows the open orders"
        if account is None or not is_known(account.equity, account.used_margin):
            return "the account's equity and margin are not known"
        held = [((p.symbol, p.side), _line_of(p)) for p in self.positions.values() if p.quantity > 0]
        book = book_after.counted(held, account.used_margin)
        for key, order in sorted(orders.items()):
            amount = self._unfilled(order) if order.adds_risk else 0.0
            if amount is None or order.side not in SIGNS:
                return f"the side, size or price of open order {key} in {order.symbol} is not known"
            if amount > 0:
                book = book.plus((order.symbol, order.side), self._pending_line(order, amount))
        return book

    def _pending_line(self, order: Order, amount: float) -> Line:
        price, stop, leverage = self._price(order), order.stop, order.leverage
        risk = None
        if stop is not None and price is not None and is_known(stop):
            risk = amount * max(0.0, SIGNS[order.side] * (price - stop)) / price
        margin = amount / leverage if leverage is not None and is_known(leverage) and leverage > 0 else None
        return Line(amount, risk, margin)

    def _ask(self, key: str, row: Row) -> Ask | str:
        raw = self.inputs.book.requests.get(key)
        margin, leverage, notional = row.get("margin"), row.get("leverage"), row.get("notional")
        if margin is None and leverage and notional is not None and leverage > 0:
            margin = notional / leverage
        figures = (notional, row.get("risk"), margin)
        reduce_only = raw is not None and raw.reduce_only
        return book_after.ask_of(
            row.get("symbol"), row.get("side"), row.get("effect"), figures, reduce_only=reduce_only
        )

    def _after(self, key: str, ask: Ask, after: book_after.Book, together: Togetherness) -> None:
        row, sector = self.rows["request"][key], self._sector(ask.symbol)
        row["free_margin_after"] = self.equity - after.most
        if after.least > 0:
            row["leverage_after"] = after.gross / after.least
        else:
            self.reasons[f'request["{key}"].leverage_after'] = "no margin would be set aside that is known"
        self._end(key, ask, after)
        if self.why_no_share:
            names = [name for name in AFTER if name not in OF_MARGIN]
            self.reasons |= {f'request["{key}"].{name}': self.why_no_share for name in names}
            return
        joined = together.joined(ask.symbol, after.by_symbol())
        row["exposure_after"] = after.gross / self.equity
        row["symbol_share_after"] = after.notional(lambda s: s == ask.symbol) / self.equity
        row["correlated_after"] = after.notional(lambda s: s in joined) / self.equity
        counted = after.count_by_symbol()
        # Of which nobody knows what it moves with may move with many small ones as well as with a large one.
        many = together.joined(ask.symbol, counted)
        row["correlated_positions_after"] = sum(n for symbol, n in counted.items() if symbol in many)
        if sector is None:
            self.reasons[f'request["{key}"].sector_share_after'] = f"the sector of {ask.symbol} is not known"
        else:
            row["sector_share_after"] = after.notional(lambda s: self._sector(s) in {sector, None}) / self.equity
        risk = after.risk
        if risk is None:
            self.reasons[f'request["{key}"].risk_after'] = "a stop is not known: its own, or one of the book"
        else:
            row["risk_after"] = risk / self.equity

    def _end(self, key: str, ask: Ask, after: book_after.Book) -> None:
        """How far from its liquidation the position would be that the request leaves in its symbol."""
        prices = {symbol: self._price_of(symbol) for symbol, _ in after.lines}
        held = {(p.symbol, p.side): p for p in self.positions.values()}
        left = book_after.positions(after, held, prices)
        listings = self.inputs.market.listings or {}
        tiers = {symbol: listings[symbol].tiers for symbol, _ in after.lines if symbol in listings}
        place = f"{ask.symbol} {ask.side}"
        if isinstance(left, str) or place not in left:
            why = left if isinstance(left, str) else "it leaves no position"
            self.reasons[f'request["{key}"].liquidation_distance'] = why
            return
        found = liquidations(left, tiers, self.equity if math.isfinite(self.equity) else None)[place]
        if isinstance(found, str):
            self.reasons[f'request["{key}"].liquidation_distance'] = found
        else:
            self.rows["request"][key]["liquidation_distance"] = found.distance

    def _unknown(self, key: str, why: str) -> None:
        self.reasons |= {f'request["{key}"].{name}': why for name in AFTER}

    # --- what is read ------------------------------------------------------------------------------------------------

    def _all_symbols(self) -> list[str]:
        market, orders = self.inputs.market, self.inputs.book.orders or {}
        held = {p.symbol for p in self.positions.values()} | {o.symbol for o in orders.values()}
        return sorted(set(market.tickers) | set(market.listings or {}) | held)

    def _all_sectors(self) -> list[str]:
        known = self.inputs.known.rows.get("symbol", {}).values()
        return sorted({row["sector"] for row in known if isinstance(row.get("sector"), str)})

    def _sector(self, symbol: str) -> str | None:
        """The sector by the universe; what is held of an unknown one may lie in any, and counts in each."""
        sector = self.inputs.known.row("symbol", symbol).get("sector")
        return sector if isinstance(sector, str) else None

    def _together(self, symbols: frozenset[str]) -> Togetherness:
        return self.returns.together(self.inputs.market.candles, self.inputs.ts, tuple(sorted(symbols)))

    def _price(self, order: Order) -> float | None:
        """The order's own price, or that of the market."""
        if order.price is None:
            return self._price_of(order.symbol)
        return order.price if is_known(order.price) and order.price > 0 else None

    def _price_of(self, symbol: str) -> float | None:
        """The price of the market."""
        ticker = self.inputs.market.tickers.get(symbol)
        return ticker.price if ticker is not None and is_known(ticker.price) and ticker.price > 0 else None

    def _unfilled(self, order: Order) -> float | None:
        """Notional of what is not filled yet."""
        price = self._price(order)
        if price is None or not is_known(order.quantity, order.filled):
            return None
        return max(0.0, order.quantity - order.filled) * price


def _is_sound(position: Position) -> bool:
    """Whether side, quantity and mark can be, by themselves and together."""
    known = position.side in SIGNS and is_known(position.quantity, position.mark)
    return known and position.quantity >= 0 and position.mark > 0 and position.notional <= MOST_MONEY


def _risk_of(position: Position) -> float | None:
    return loss_at_stop(position.sign, position.quantity, position.mark, position.stop)


def _line_of(position: Position) -> Line:
    leverage = position.leverage
    margin = position.notional / leverage if leverage is not None and is_known(leverage) and leverage > 0 else None
    return Line(position.notional, _risk_of(position), margin)
