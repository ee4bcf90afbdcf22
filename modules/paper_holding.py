"""One position of the paper book, and how a bar treats it."""

from __future__ import annotations

from dataclasses import dataclass

from modules.estimates.liquidation import liquidation_price


@dataclass(frozen=True, slots=True)
class Style:
    """How the paper book trades; it demonstrates and is no advice. Shares are of equity.

    At each close the most traded `universe` symbols whose trend has t above `enter` are candidates (below -`enter`
    too, as shorts, if `shorts`), strongest first; up to `pace` a bar fill the free ones of `slots`, and a symbol rests
    for `rest` bars after an exit. A position is closed when t is beyond `leave` against it. It risks `risk` down to
    its stop, or has `most` notional if that is less. The stop lies `stop_days` daily ranges away (ATR x sqrt(bars a
    day)) and trails the best close; the target lies `target_r` times as far. `fee` is a share of notional a side. A
    stop fills `slip` of the way from the stop to the bar's extreme: fast markets run over stops.
    """

    capital: float = 100_000.0
    risk: float = 0.004
    most: float = 0.075
    slots: int = 8
    pace: int = 2
    rest: int = 24
    universe: int = 40
    enter: float = 0.5
    leave: float = 1.0
    shorts: bool = False
    stop_days: float = 2.0
    target_r: float = 1.0
    leverage: float = 3.0
    fee: float = 0.0005
    slip: float = 0.5


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle of one symbol."""

    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class Exit:
    """A position closed at `price`; `why` is a name of `trade_exit`."""

    price: float
    why: str


@dataclass(slots=True)
class Holding:
    """An open position. `symbol` is its column, `sign` 1 for long and -1 for short, `opened` ms since 1970 UTC."""

    key: str
    symbol: int
    sign: int
    quantity: float
    entry: float
    first_stop: float
    target: float
    leverage: float
    opened: int
    entry_fee: float
    stop: float = 0.0
    mark: float = 0.0
    best: float = 0.0
    peak_r: float = 0.0

    def __post_init__(self) -> None:
        self.stop = self.first_stop
        self.mark = self.best = self.entry

    def profit(self, price: float) -> float:
        """Unrealised profit at `price`, before the fee of closing."""
        return self.sign * self.quantity * (price - self.entry)

    @property
    def notional(self) -> float:
        """|quantity| x mark price."""
        return self.quantity * self.mark

    @property
    def margin(self) -> float:
        """Margin set aside at the opening."""
        return self.quantity * self.entry / self.leverage

    @property
    def r_multiple(self) -> float:
        """Profit at the mark / loss at the first stop."""
        return self.sign * (self.mark - self.entry) / abs(self.entry - self.first_stop)

    @property
    def drawdown_from_peak(self) -> float:
        """(peak R - R) / peak R; 0 before any profit."""
        return (self.peak_r - self.r_multiple) / self.peak_r if self.peak_r > 0 else 0.0

    @property
    def risk(self) -> float:
        """Loss from the mark down to the stop; 0 beyond it."""
        return max(0.0, self.sign * self.quantity * (self.mark - self.stop))

    @property
    def liquidation(self) -> float:
        """Liquidation price of the position by itself."""
        return liquidation_price(self.entry, self.sign, self.leverage)

    def adverse(self, bar: Bar) -> float:
        """The bar's price that is worst for the position."""
        return bar.low if self.sign > 0 else bar.high

    def exit_in(self, bar: Bar, slip: float) -> Exit | None:
        """How the bar ends the position, if it does; the stop is taken first where the bar reaches stop and target.

        An opening beyond the stop fills there. No fill is worse than the liquidation price.
        """
        worst = self.adverse(bar)
        if self.sign * (worst - self.stop) <= 0:
            gap = self.sign * (bar.open - self.stop) <= 0
            price = bar.open if gap else self.stop + slip * (worst - self.stop)
            if self.sign * (price - self.liquidation) <= 0:
                return Exit(self.liquidation, "LIQUIDATION")
            return Exit(price, "STOP_LOSS" if self.stop == self.first_stop else "TRAILING_STOP")
        best = bar.high if self.sign > 0 else bar.low
        if self.sign * (best - self.target) >= 0:
            return Exit(self.target, "TAKE_PROFIT")
        return None

    def mark_at(self, close: float) -> None:
        """Take the close as the new mark, remember the peak, and trail the stop."""
        self.mark = close
        self.peak_r = max(self.peak_r, self.r_multiple)
        if self.sign * (close - self.best) > 0:
            self.best = close
            trailed = close - self.sign * abs(self.entry - self.first_stop)
            self.stop = max(self.stop, trailed) if self.sign > 0 else min(self.stop, trailed)
