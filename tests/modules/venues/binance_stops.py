"""Conditional orders, fills and leverage of Binance USD-M futures, as its own server keeps them.

A stop is no order until the price has reached its trigger; then it becomes one, under a number of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

NOW = 1_735_689_600_000
TICK_DIGITS, STEP_DIGITS = 1, 3
LEAST_NOTIONAL = 5.0
TAKER_FEE = 0.0004
MOST_LEVERAGE = 125
CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")

Refusal = tuple[int, Any]


def error(code: int, text: str) -> Refusal:
    return 400, {"code": code, "msg": text}


@dataclass
class Conditional:
    """Stops by their number, and what they became. `mark` is the mark price of BTCUSDT, `position` the one position.

    `stuck` says that triggered stops never become orders, `fills` the share of an order that trades once a stop became
    one, `slips` how far below its mark a sale trades, and a purchase above it. `moves` says that fills of plain orders
    change the position, too, at the mark price.
    """

    mark: float = 99.95
    position: dict[str, Any] | None = None
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    algos: dict[int, dict[str, Any]] = field(default_factory=dict)
    trades: list[dict[str, Any]] = field(default_factory=list)
    leverages: dict[str, int] = field(default_factory=dict)
    least_leverage: int = 1
    most_algos: int = 200
    stuck: bool = False
    fills: float = 1.0
    slips: float = 0.05
    moves: bool = False
    fee_in: str = "USDT"

    def conditional(self, method: str, name: str, query: dict[str, str]) -> Refusal | None:
        """The answer to a request that is for here; None for any other."""
        match method, name:
            case "POST", "algoOrder":
                return self.place_algo(query)
            case "GET", "algoOrder":
                found = self.algo(query)
                return (200, found) if found is not None else error(-2013, "Order does not exist.")
            case "DELETE", "algoOrder":
                return self.cancel_algo(query)
            case "GET", "openAlgoOrders":
                asked = query.get("symbol")
                return 200, [a for a in self.algos.values() if is_open(a) and asked in {None, a["symbol"]}]
            case "GET", "userTrades":
                return 200, [t for t in self.trades if str(t["orderId"]) == query["orderId"]]
            case "POST", "leverage":
                return self.set_leverage(query)
        return None

    # --- stops -------------------------------------------------------------------------------------------------------

    def place_algo(self, query: dict[str, str]) -> Refusal:
        return self.refused_algo(query) or (200, self.new_algo(query))

    def refused_algo(self, query: dict[str, str]) -> Refusal | None:
        """Why a stop is not taken, in the order in which Binance finds out."""
        if query.get("algoType") != "CONDITIONAL":
            return error(-1102, "Mandatory parameter 'algotype' was not sent, was empty/null, or malformed.")
        if query["type"] not in {"STOP_MARKET", "TAKE_PROFIT_MARKET", "STOP", "TAKE_PROFIT", "TRAILING_STOP_MARKET"}:
            return error(-1116, "Invalid orderType.")
        if not CLIENT_ID.match(query["clientAlgoId"]):
            return error(-4015, "Client order id length should not be more than 36 chars")
        if digits(query["quantity"]) > STEP_DIGITS or digits(query["triggerPrice"]) > TICK_DIGITS:
            return error(-1111, "Precision is over the maximum defined for this asset.")
        if any(a["clientAlgoId"] == query["clientAlgoId"] and is_open(a) for a in self.algos.values()):
            return error(-4116, "ClientOrderId is duplicated.")
        if sum(1 for a in self.algos.values() if is_open(a)) >= self.most_algos:
            return error(-4045, "Reach max stop order limit.")
        trigger, reduces = float(query["triggerPrice"]), query.get("reduceOnly") == "true"
        if not reduces and float(query["quantity"]) * trigger < LEAST_NOTIONAL:
            return error(-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only).")
        if is_reached(query["side"], trigger, self.mark):
            return error(-2021, "Order would immediately trigger.")
        return None

    def new_algo(self, query: dict[str, str]) -> dict[str, Any]:
        number = 4_000_000_000 + len(self.algos)
        self.algos[number] = {
            "algoId": number, "clientAlgoId": query["clientAlgoId"], "algoType": "CONDITIONAL",
            "orderType": query["type"], "symbol": query["symbol"], "side": query["side"], "positionSide": "BOTH",
            "timeInForce": "GTC", "quantity": query["quantity"], "algoStatus": "NEW", "actualOrderId": "",
            "actualPrice": "0.00000", "triggerPrice": query["triggerPrice"], "price": "0.00000",
            "icebergQuantity": None, "tpTriggerPrice": "0.000", "tpPrice": "0.000", "slTriggerPrice": "0.000",
            "slPrice": "0.000", "tpOrderType": "", "selfTradePreventionMode": "EXPIRE_MAKER",
            "workingType": query.get("workingType", "CONTRACT_PRICE"), "priceMatch": "NONE", "closePosition": False,
            "priceProtect": False, "reduceOnly": query.get("reduceOnly") == "true", "createTime": NOW + number % 1000,
            "updateTime": NOW + number % 1000, "triggerTime": 0, "goodTillDate": 0,
        }  # fmt: skip
        return self.algos[number]

    def algo(self, query: dict[str, str]) -> dict[str, Any] | None:
        """The newest stop of that client id, or the one of that number."""
        named = [
            a
            for a in self.algos.values()
            if a["clientAlgoId"] == query.get("clientAlgoId") or str(a["algoId"]) == query.get("algoId")
        ]
        return named[-1] if named else None

    def cancel_algo(self, query: dict[str, str]) -> Refusal:
        found = self.algo(query)
        if found is None or not is_open(found):
            return error(-2011, "Unknown order sent.")
        found["algoStatus"] = "CANCELED"
        told = {"algoId": found["algoId"], "clientAlgoId": found["clientAlgoId"], "code": "200", "msg": "success"}
        return 200, told

    def move(self, mark: float) -> None:
        """The mark price is another: stops that it has reached become orders."""
        self.mark = mark
        if self.position is not None:
            self.position |= {"markPrice": str(mark), "notional": str(float(self.position["positionAmt"]) * mark)}
        for algo in [a for a in self.algos.values() if is_open(a)]:
            if is_reached(algo["side"], float(algo["triggerPrice"]), mark):
                algo |= {"algoStatus": "TRIGGERING", "triggerTime": NOW + 60_000, "updateTime": NOW + 60_000}
                if not self.stuck:
                    self.become(algo)

    def become(self, algo: dict[str, Any]) -> None:
        """A triggered stop is an order, which trades at once; what may only reduce has nothing without a position."""
        most = float(algo["quantity"])
        if algo["reduceOnly"]:
            most = min(most, self.reducible(algo["side"]))
        if most == 0:
            algo |= {"algoStatus": "REJECTED"}
            return
        filled = round(most * self.fills, STEP_DIGITS)
        price = round(self.mark + (self.slips if algo["side"] == "BUY" else -self.slips), 4)
        number = 8_000_000_000 + len(self.orders)
        self.orders[f"algo-{number}"] = {
            "orderId": number, "symbol": algo["symbol"], "clientOrderId": f"algo-{number}",
            "status": "FILLED" if filled == float(algo["quantity"]) else "EXPIRED", "price": "0.00",
            "avgPrice": str(price), "origQty": algo["quantity"], "executedQty": str(filled),
            "cumQuote": str(filled * price), "timeInForce": "GTC", "type": "MARKET", "origType": "STOP_MARKET",
            "reduceOnly": algo["reduceOnly"], "closePosition": False, "side": algo["side"], "positionSide": "BOTH",
            "stopPrice": "0", "workingType": algo["workingType"], "time": NOW + 60_001, "updateTime": NOW + 60_002,
        }  # fmt: skip
        algo |= {"algoStatus": "FINISHED", "actualOrderId": str(number), "actualPrice": str(price)}
        for part in (filled / 2, filled / 2):
            self.traded(number, algo["symbol"], algo["side"], part, price)

    # --- fills -------------------------------------------------------------------------------------------------------

    def traded(self, number: int, symbol: str, side: str, quantity: float, price: float) -> None:
        """A fill: its fee, and the position after it."""
        self.trades.append(
            {
                "buyer": side == "BUY", "commission": f"{quantity * price * TAKER_FEE:.8f}",
                "commissionAsset": self.fee_in, "id": len(self.trades) + 1, "maker": False, "orderId": number,
                "price": str(price), "qty": str(quantity), "quoteQty": str(quantity * price), "realizedPnl": "0",
                "side": side, "positionSide": "BOTH", "symbol": symbol, "time": NOW + 60_002,
            }
        )  # fmt: skip
        amount = 0.0 if self.position is None else float(self.position["positionAmt"])
        after = round(amount + (quantity if side == "BUY" else -quantity), 6)
        entry = price if amount == 0 or self.position is None else float(self.position["entryPrice"])
        self.position = (
            None
            if after == 0
            else open_position(
                str(after), entryPrice=str(entry), markPrice=str(self.mark), notional=str(after * self.mark)
            )
        )

    def filled(self, order: dict[str, Any]) -> None:
        """A plain order of which something was filled changes the position."""
        if self.moves and float(order["executedQty"]) > 0:
            quantity, price = float(order["executedQty"]), float(order["avgPrice"])
            self.traded(order["orderId"], order["symbol"], order["side"], quantity, price)

    def reducible(self, side: str) -> float:
        amount = 0.0 if self.position is None else float(self.position["positionAmt"])
        return abs(amount) if (amount > 0) == (side == "SELL") else 0.0

    def shown(self) -> list[dict[str, Any]]:
        """The positions that are open."""
        return [] if self.position is None else [self.position]

    # --- leverage ----------------------------------------------------------------------------------------------------

    def set_leverage(self, query: dict[str, str]) -> Refusal:
        leverage = int(query["leverage"])
        if not 1 <= leverage <= MOST_LEVERAGE:
            return error(-4028, f"Leverage {leverage} is not valid")
        if leverage < self.least_leverage:
            return error(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        self.leverages[query["symbol"]] = leverage
        return 200, {"leverage": leverage, "maxNotionalValue": "1000000", "symbol": query["symbol"]}


def open_position(amount: str = "-2", **changed: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": amount, "entryPrice": "110",
        "markPrice": "99.95", "notional": str(float(amount) * 99.95), "breakEvenPrice": "110",
        "unRealizedProfit": "20.1", "liquidationPrice": "150", "isolatedMargin": "0",
        "isolatedWallet": "0", "updateTime": NOW - 1000, "initialMargin": "39.98", "maintMargin": "1",
        "positionInitialMargin": "39.98", "marginAsset": "USDT",
    } | changed  # fmt: skip


def is_open(algo: dict[str, Any]) -> bool:
    return bool(algo["algoStatus"] == "NEW")


def is_reached(side: str, trigger: float, mark: float) -> bool:
    return mark <= trigger if side == "SELL" else mark >= trigger


def digits(text: str) -> int:
    """Decimal places."""
    return len(text.partition(".")[2])
