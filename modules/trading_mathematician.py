"""The Trading Mathematician: how much, with how much leverage, and how far away stop and target are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from modules.caps import LEVERAGE, SIZE, Caps, caps_of
from modules.estimates.kelly import WHOLE_RISK, Record, careful_fraction, careful_win_rate, record_of
from modules.estimates.liquidation import MAINTENANCE
from modules.estimates.margin import fault_of, safe_leverage
from modules.estimates.progress import is_known
from modules.inputs import ClosedTrade, Inputs, MarginTier, Request
from modules.judge import packaged_bundle
from modules.supply import Row, Supply
from policy_dsl.bundle import Bundle

STOP_RANGES = 2.0
"""Average true ranges from entry to stop: beyond what a bar moves by itself. The predecessor's figure, without its
clamp to 2.5 to 3 % that made every stop alike."""

WELL_BEFORE = 2.0
"""A stop comes well before liquidation where that is at least so many times as far away."""

PRESUMED_TRADES = 30
"""A win rate that comes without its sample counts as one of so many trades: few, so that it says little."""

MOST_TARGET = 1.0
"""A short cannot gain more than its price."""

USUAL_TIERS = (MarginTier(math.inf, MAINTENANCE, math.inf),)
"""Where no tiers are handed over: maintenance as in the first tier of a large venue."""

SPARE = 1e-6
"""Part of a cap that a proposal leaves free: rules count in whole quanta, and what is just over a cap is denied."""

CAPS = ("max_risk", "max_notional", "max_leverage")
"""The caps that a caller may hand over."""

SAFE = "math.liquidation_beyond_stop"
"""The rule that a proposal's leverage keeps to in any case."""

FREE = "margin_used"
"""What is named as the bound of a proposal that takes all of the margin that is free."""

NO_TRADES = Record(0, 0.0, 0.0)
ABOUT_REQUEST = ("kelly_notional", "kelly_trades", "reward_risk", "safe_leverage", "stop_ranges")
NOTHING: Mapping[str, float] = dict.fromkeys(
    ("margin_usd", "leverage", "tp_pct", "sl_pct", "notional_usd", "risk_usd", "kelly_fraction", "win_rate_low"), 0.0
)
UNBOUND: Mapping[str, str] = dict.fromkeys(("size_by", "leverage_by"), "")
SIGNS = {"LONG": 1, "SHORT": -1}


class TradingMathematician:
    """Computes what a trade could be. How much of that it may be is for the rules; "no trade" is an answer.

    `rules` are those whose caps a proposal keeps to: the fund's, or those that come with ringfence.
    """

    name: ClassVar[str] = "trading_mathematician"
    policy: ClassVar[str | None] = "math"
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("Trading Mathematician",)

    def __init__(self, rules: Bundle | None = None) -> None:
        self._rules = rules

    def compute(self, inputs: Inputs) -> Supply:
        """Of each request that adds risk: what its proposer's record bears, and where stop and liquidation lie."""
        rows: dict[str, Mapping[str, Any]] = {}
        reasons: dict[str, str] = {}
        asked = inputs.known.rows.get("request", {})
        records: dict[str | None, Record | str] = {}
        for key in sorted(asked):
            request = inputs.book.requests.get(key)
            if request is None or asked[key].get("effect") in {"REDUCE", "CLOSE"}:
                why = "it takes risk off" if request is not None else "nobody knows what was asked for"
                reasons |= {f'request["{key}"].{name}': why for name in ABOUT_REQUEST}
                continue
            if request.model not in records:
                records[request.model] = _record(inputs, request.model)
            row, missing = _facts(request, asked[key], records[request.model], inputs)
            rows[key] = row
            reasons |= {f'request["{key}"].{name}': why for name, why in missing.items()}
        return Supply(rows={"request": rows} if rows else {}, reasons=reasons)

    def calculate_optimal_parameters(  # noqa: PLR0913 -- the plan's call, and what else may be known, by name only
        self,
        *,
        balance: float | None,
        atr_pct: float | None,
        win_rate: float | None,
        trades: int | None = None,
        payoff: float | None = None,
        cost: float = 0.0,
        margin_used: float = 0.0,
        side: str = "LONG",
        max_risk: float | None = None,
        max_notional: float | None = None,
        max_leverage: float | None = None,
        tiers: Sequence[MarginTier] = USUAL_TIERS,
    ) -> dict[str, Any]:
        """A proposal: `margin_usd`, `leverage`, `tp_pct`, `sl_pct` and more; all 0 for no trade, with the `reason`.

        Ratios are fractions: `atr_pct` is the average true range / price, `cost` of a round trip / notional. `payoff`
        is mean win / mean loss, by default what target and stop make it. `max_risk` (loss at the stop / balance),
        `max_notional` (notional / balance) and `max_leverage` are caps; each that is not handed over is what the rules
        allow a first position in ordinary times. It risks `math.kelly_share` of Kelly's fraction at the lower 10 % of
        what the win rate may be; the stop is two ranges away, the target `math.min_reward` times the loss, and
        liquidation twice the stop. `size_by` and `leverage_by` name what bound: a param or rule by id, or the cap that
        was handed over.
        """
        packaged = packaged_bundle()
        terms = _Terms(
            balance, atr_pct, win_rate, payoff, cost, margin_used, max_risk, max_notional, max_leverage,
            trades if trades is not None else PRESUMED_TRADES, side, tuple(tiers),
            caps_of(self._rules or packaged, packaged),
        )  # fmt: skip
        fault = terms.fault()
        return _no_trade(fault) if fault else terms.proposal()


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a proposal is made of; figures are floats once `fault` has found nothing."""

    balance: Any
    atr: Any
    win_rate: Any
    payoff_told: float | None
    cost: float
    margin_used: float
    max_risk: float | None
    max_notional: float | None
    max_leverage: float | None
    trades: int
    side: str
    tiers: tuple[MarginTier, ...]
    caps: Caps

    @property
    def payoff(self) -> float:
        """Mean win / mean loss."""
        return self.caps["math.min_reward"] if self.payoff_told is None else self.payoff_told

    @property
    def stop(self) -> float:
        """Distance to the stop / price."""
        return STOP_RANGES * float(self.atr)

    @property
    def lost(self) -> float:
        """What is lost at the stop / notional."""
        return self.stop + self.cost

    @property
    def target(self) -> float:
        """Distance to the target / price; what is left of it after costs is the least reward for what is lost."""
        return self.caps["math.min_reward"] * self.lost + self.cost

    @property
    def free(self) -> float:
        """Margin that may still be set aside: the rules keep a reserve, and so does who hands no size over."""
        reserve = self.caps["pba.margin_reserve"] if self.max_notional is None else 0.0
        return float(self.balance * (1 - reserve) - self.margin_used)

    def fault(self) -> str:
        """Why no proposal can be made; empty where one can."""
        for name in ("balance", "atr", "win_rate", "payoff", "cost", "margin_used", "trades", *self._handed_over()):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or math.isnan(value)
                or (math.isinf(value) and name not in CAPS)
            ):
                return f"{name} is {value!r}, which is no number"
        checks = (
            (self.cost >= 0 and self.margin_used >= 0, "cost and margin_used must not be negative"),
            (self.free > 0, f"nothing of the balance of {self.balance:g} is free"),
            (self.atr > 0, f"atr is {self.atr:g}, and a price that does not move gives no stop"),
            (0 <= self.win_rate <= 1, f"win_rate is {self.win_rate:g}, and must be from 0 to 1"),
            (self.payoff > 0, f"payoff is {self.payoff:g}, and must be positive"),
            (all(getattr(self, n) > 0 for n in self._handed_over()), "the rules leave nothing to risk"),
            (self.max_leverage is None or self.max_leverage >= 1, "the rules leave nothing to risk"),
            (self.trades > 0, "there is no trade that the win rate could rest on"),
            (self.side in SIGNS, f"side is {self.side!r}, neither LONG nor SHORT"),
            (self.side != "SHORT" or self.target < MOST_TARGET, f"a target {self.target:.3g} below is below nothing"),
        )
        return next((why for holds, why in checks if not holds), fault_of(self.tiers))

    def proposal(self) -> dict[str, Any]:
        """Size from what may be lost, leverage from where the stop is, and margin from both, no more than is free."""
        record = Record(self.trades, self.win_rate, self.payoff)
        low, kelly = careful_win_rate(record), careful_fraction(record)
        if kelly <= 0:
            return _no_trade(f"at a win rate that may be as low as {low:.3g} the bet has no edge")
        sizes = self._sizes(kelly)
        size_by = min(sizes, key=lambda cap: sizes[cap])
        notional = sizes[size_by]
        leverages = self._leverages(notional)
        leverage_by = min(leverages, key=lambda cap: leverages[cap])
        leverage = leverages[leverage_by]
        if leverage < 1:
            return _no_trade(f"with a stop {self.stop:.3g} away, liquidation is too near even without leverage")
        margin = notional / leverage
        if margin > self.free:
            margin, size_by = self.free, FREE
        return {
            "margin_usd": margin,
            "leverage": leverage,
            "tp_pct": self.target,
            "sl_pct": self.stop,
            "notional_usd": margin * leverage,
            "risk_usd": margin * leverage * self.lost,
            "kelly_fraction": kelly,
            "win_rate_low": low,
            "size_by": size_by,
            "leverage_by": leverage_by,
            "trades": self.trades,
            "reason": "",
        }

    def _handed_over(self) -> list[str]:
        return [name for name in CAPS if getattr(self, name) is not None]

    def _sizes(self, kelly: float) -> dict[str, float]:
        """The most that the trade may be worth, by what says so."""
        caps, balance = self.caps, float(self.balance)
        found = {"math.kelly_share": caps["math.kelly_share"] * kelly * balance / self.lost}
        if self.max_risk is None:
            found["orchestrator.base_risk"] = caps["orchestrator.base_risk"] * balance / self.lost * (1 - SPARE)
        else:
            found["max_risk"] = self.max_risk * balance / self.lost
        if self.max_notional is None:
            return found | {cap: share * balance * (1 - SPARE) for cap, share in caps.of(SIZE).items()}
        return found | {"max_notional": self.max_notional * balance}

    def _leverages(self, notional: float) -> dict[str, float]:
        """The most leverage that a trade of `notional` may have, by what says so."""
        caps, sign = self.caps, SIGNS[self.side]
        found = {SAFE: safe_leverage(self.tiers, sign, notional, WELL_BEFORE * self.stop)}
        if self.max_leverage is not None:
            return found | {"max_leverage": self.max_leverage}
        away, margin = caps["pretrade.min_liquidation_distance"], caps["math.loss_of_margin"]
        by_rules = {
            "math.loss_of_margin": margin / max(self.lost, caps["math.least_stop"]),
            "math.room": margin / (caps["math.room"] * float(self.atr)),
            "pretrade.min_liquidation_distance": safe_leverage(self.tiers, sign, notional, away),
            **caps.of(LEVERAGE),
        }
        return found | {cap: most * (1 - SPARE) for cap, most in by_rules.items()}


def _no_trade(why: str) -> dict[str, Any]:
    return {**NOTHING, **UNBOUND, "trades": 0, "reason": why}


def _record(inputs: Inputs, model: str | None) -> Record | str:
    """The closed trades of a model, or of the whole fund for a request of nobody's; why where nobody knows them.

    One whose result nobody knows is no trade of it. One of which only the profit is known counts at its worst: to leave
    it out would make a record of the trades that went well.
    """
    if inputs.book.trades is None:
        return "nobody knows the closed trades"
    trades = [t for t in inputs.book.trades if t.closed <= inputs.ts and model in {None, t.model}]
    return record_of(_careful_r(t) for t in trades) or NO_TRADES


def _careful_r(trade: ClosedTrade) -> float | None:
    """R of a trade; where only its profit is known, nothing for what was won and all that was at risk for what was not.

    None where neither is known.
    """
    if is_known(trade.r_multiple) or not is_known(trade.profit):
        return trade.r_multiple
    return 0.0 if trade.profit is not None and trade.profit > 0 else -WHOLE_RISK


def _facts(request: Request, row: Row, record: Record | str, inputs: Inputs) -> tuple[dict[str, Any], dict[str, str]]:
    """The facts of one request, and why those that are missing are."""
    sign, price = SIGNS.get(str(row.get("side") or request.side), 0), _price(request, inputs)
    away = _away(price, request.stop, -sign)
    if away is None:
        why = "its stop is not known" if request.stop is None else "its stop is no loss from its price"
        return {}, dict.fromkeys(ABOUT_REQUEST, why if price is not None else "its price is not known")
    account = inputs.book.account
    facts, missing = _kelly(row, away, record, None if account is None else account.equity)
    target = _away(price, request.target, sign)
    if target is None:
        missing["reward_risk"] = "its target is not known, or is no gain"
    else:
        facts["reward_risk"] = target / away
    atr = inputs.known.row("symbol", request.symbol).get("atr")
    if isinstance(atr, int | float) and is_known(atr) and atr > 0:
        facts["stop_ranges"] = away / atr
    else:
        missing["stop_ranges"] = f"the average true range of {request.symbol} is not known"
    listing, notional = (inputs.market.listings or {}).get(request.symbol), row.get("notional")
    fault = fault_of(() if listing is None else listing.tiers)
    if listing is None or fault:
        missing["safe_leverage"] = fault
    elif notional is None or not is_known(notional) or notional <= 0:
        missing["safe_leverage"] = "its size is not known"
    else:
        facts["safe_leverage"] = safe_leverage(listing.tiers, sign, notional, WELL_BEFORE * away)
    return facts, missing


def _kelly(row: Row, away: float, record: Record | str, equity: float | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The notional that a record bears; losing costs what the request says, or the way to the stop where that is more.

    How many trades there are is known where they are, also where there are none: a record that is not there yet is not
    one that nobody can read.
    """
    if isinstance(record, str):
        return {}, {"kelly_notional": record, "kelly_trades": record}
    facts: dict[str, Any] = {"kelly_trades": record.trades}
    if record.trades == 0:
        return facts, {"kelly_notional": "its proposer has closed no trade yet"}
    if equity is None or not is_known(equity):
        return facts, {"kelly_notional": "the account's equity is not known"}
    notional, risk, lost = row.get("notional"), row.get("risk"), away
    if risk is not None and notional is not None and is_known(risk, notional) and notional > 0:
        lost = max(away, risk / notional)
    return facts | {"kelly_notional": max(0.0, careful_fraction(record) * equity / lost)}, {}


def _price(request: Request, inputs: Inputs) -> float | None:
    ticker = inputs.market.tickers.get(request.symbol)
    price = request.price if request.price is not None else None if ticker is None else ticker.price
    return price if price is not None and is_known(price) and price > 0 else None


def _away(price: float | None, level: float | None, sign: int) -> float | None:
    """How far a level is from the price on the side of `sign`, as a share of the price; None where it is not there."""
    if price is None or level is None or not is_known(level) or level < 0:
        return None
    away = sign * (level - price) / price
    return away if away > 0 else None
