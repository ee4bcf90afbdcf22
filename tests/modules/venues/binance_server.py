"""A server on this machine that speaks the REST shapes of Binance USD-M futures, and misbehaves as it is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.modules.venues.binance_stops import NOW, Conditional, error

KEY, SECRET = "test-key-of-a-fund", "test-secret-of-a-fund"
ANY = ""


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of a method whose path ends with `path`.

    `after` says that the request is carried out first. `hang` is in seconds; `edit` changes a good answer.
    """

    path: str
    method: str = ANY
    times: int = 1
    status: int | None = None
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0
    after: bool = False
    edit: Callable[[Any], Any] | None = None


@dataclass
class Exchange(Conditional):
    """The state behind the server."""

    offset: int = 0
    hold: bool = False
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def count(self, method: str, path: str) -> int:
        """How often something was asked."""
        return sum(1 for m, p in self.asked if m == method and p.endswith(path))

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that this request runs into."""
        for fault in self.faults:
            if fault.times > 0 and path.endswith(fault.path) and fault.method in {ANY, method}:
                fault.times -= 1
                return fault
        return None

    def answer(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """What a sound exchange answers."""
        name = path.split("/", 3)[-1]
        found = self.conditional(method, name, query)
        if found is not None:
            return found
        match method, name:
            case "POST", "order":
                return self.place(query)
            case "GET", "order":
                return self.find(query)
            case "DELETE", "order":
                return self.cancel(query)
            case "GET", "openOrders":
                return 200, [o for o in self.orders.values() if o["status"] in {"NEW", "PARTIALLY_FILLED"}]
            case "GET", "positionRisk":
                return 200, self.shown()
            case "GET", "premiumIndex":
                return 200, [premium(symbol, self.mark) for symbol in ("BTCUSDT", "ETHUSDT")]
            case "GET", "time":
                return 200, {"serverTime": time.time_ns() // 1_000_000 + self.offset}
        return (200, PLAIN[name]()) if name in PLAIN else (404, {})

    def place(self, query: dict[str, str]) -> tuple[int, Any]:
        client_id = query["newClientOrderId"]
        if client_id in self.orders and self.orders[client_id]["status"] == "NEW":
            return error(-4116, "ClientOrderId is duplicated.")
        if query["type"] not in {"LIMIT", "MARKET"}:
            return error(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints.")
        if self.moves and query.get("reduceOnly") == "true" and self.reducible(query["side"]) == 0:
            return error(-2022, "ReduceOnly Order is rejected.")
        if float(query["quantity"]) > 100:
            return error(-2019, "Margin is insufficient.")
        fills = not self.hold and (query["type"] == "MARKET" or query.get("timeInForce") == "IOC")
        self.orders[client_id] = {
            "orderId": len(self.orders) + 1, "symbol": query["symbol"], "clientOrderId": client_id,
            "status": "FILLED" if fills else "NEW", "price": query.get("price", "0"),
            "avgPrice": (str(self.mark) if self.moves else "100.10") if fills else "0.00", "origQty": query["quantity"],
            "executedQty": query["quantity"] if fills else "0", "cumQuote": "0", "type": query["type"],
            "timeInForce": query.get("timeInForce", "GTC"), "side": query["side"], "positionSide": "BOTH",
            "reduceOnly": query.get("reduceOnly") == "true", "time": NOW, "updateTime": NOW + 5,
        }  # fmt: skip
        self.filled(self.orders[client_id])
        return 200, {k: v for k, v in self.orders[client_id].items() if k != "time"}

    def find(self, query: dict[str, str]) -> tuple[int, Any]:
        name, number = query.get("origClientOrderId"), query.get("orderId")
        found = [o for o in self.orders.values() if o["clientOrderId"] == name or str(o["orderId"]) == number]
        return (200, found[-1]) if found else error(-2013, "Order does not exist.")

    def cancel(self, query: dict[str, str]) -> tuple[int, Any]:
        found = self.orders.get(query["origClientOrderId"])
        if found is None or found["status"] not in {"NEW", "PARTIALLY_FILLED"}:
            return error(-2011, "Unknown order sent.")
        found["status"] = "CANCELED"
        return 200, found


def exchange_info() -> Any:
    return {"timezone": "UTC", "serverTime": NOW, "rateLimits": [], "symbols": [contract("BTC"), contract("ETH")]}


def contract(base: str) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT", "pair": f"{base}USDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000, "status": "TRADING", "baseAsset": base, "quoteAsset": "USDT",
        "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3, "underlyingType": "COIN",
        "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000",
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.10", "maxPrice": "4529764", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
    }  # fmt: skip


def ticker(symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol, "lastPrice": "100.0", "openPrice": "99.0", "highPrice": "101.0", "lowPrice": "98.0",
        "volume": "1000", "quoteVolume": "100000", "openTime": NOW - 86_400_000, "closeTime": NOW, "count": 10,
        "priceChange": "1", "priceChangePercent": "1", "weightedAvgPrice": "100", "lastQty": "1",
    }  # fmt: skip


def quote(symbol: str) -> dict[str, Any]:
    return {"symbol": symbol, "bidPrice": "99.9", "bidQty": "5", "askPrice": "100.0", "askQty": "2", "time": NOW}


def premium(symbol: str, mark: float) -> dict[str, Any]:
    return {
        "symbol": symbol, "markPrice": str(mark), "indexPrice": "99.9", "estimatedSettlePrice": "99.9",
        "lastFundingRate": "0.0001", "interestRate": "0.0001", "nextFundingTime": NOW + 3_600_000, "time": NOW,
    }  # fmt: skip


def depth() -> Any:
    return {
        "lastUpdateId": 1, "E": NOW, "T": NOW,
        "bids": [["99.9", "5"], ["99.8", "5"]],
        "asks": [["100.0", "2"], ["100.1", "3"], ["100.3", "5"], ["100.8", "10"]],
    }  # fmt: skip


def klines() -> Any:
    def row(at: int) -> list[Any]:
        return [at, "100", "101", "99", "100.5", "7", at + 59_999, "700", 5, "3", "300", "0"]

    return [row(NOW - 120_000), row(NOW - 60_000)]


def account() -> Any:
    asset = {
        "asset": "USDT", "walletBalance": "1000", "unrealizedProfit": "50", "marginBalance": "1050",
        "initialMargin": "200", "availableBalance": "850", "maintMargin": "5", "updateTime": NOW,
    }  # fmt: skip
    return {"totalWalletBalance": "1000", "totalMarginBalance": "1050", "assets": [asset], "positions": []}


def brackets() -> Any:
    tiers = [
        {"bracket": n, "initialLeverage": most, "notionalFloor": low, "notionalCap": high, "maintMarginRatio": rate}
        for n, most, low, high, rate in ((1, 125, 0, 50_000, 0.004), (2, 100, 50_000, 250_000, 0.005))
    ]
    return [{"symbol": s, "brackets": tiers} for s in ("BTCUSDT", "ETHUSDT")]


def both(make: Callable[[str], Any]) -> Callable[[], Any]:
    return lambda: [make("BTCUSDT"), make("ETHUSDT")]


PLAIN: dict[str, Callable[[], Any]] = {
    "exchangeInfo": exchange_info, "ticker/24hr": both(ticker), "ticker/bookTicker": both(quote),
    "depth": depth, "klines": klines, "account": account, "leverageBracket": brackets,
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One request: signed ones are checked as the real exchange does."""

    exchange: Exchange

    def do_GET(self) -> None:
        self.handle_one()

    def do_POST(self) -> None:
        self.handle_one()

    def do_DELETE(self) -> None:
        self.handle_one()

    def handle_one(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length).decode() or parts.query
        self.exchange.asked.append((self.command, parts.path))
        query = dict(parse_qsl(text))
        fault = self.exchange.fault(self.command, parts.path)
        if fault is not None and not fault.after and fault.edit is None:
            self.fail(fault)
            return
        status, body = self.refusal(text, query) or self.exchange.answer(self.command, parts.path, query)
        if fault is not None and fault.after:
            self.fail(fault)
            return
        if fault is not None and fault.edit is not None:
            body = fault.edit(body)
        self.send(status, json.dumps(body), {})

    def refusal(self, text: str, query: dict[str, str]) -> tuple[int, Any] | None:
        if "signature" not in query:
            return None
        signed, _, signature = text.rpartition("&signature=")
        made = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if signature != made or self.headers.get("X-MBX-APIKEY") != KEY:
            return 401, {"code": -2014, "msg": "API-key format invalid."}
        late = time.time_ns() // 1_000_000 + self.exchange.offset - int(query["timestamp"])
        if late > int(query["recvWindow"]):
            return 400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
        return None

    def fail(self, fault: Fault) -> None:
        time.sleep(fault.hang)
        if fault.status is not None:
            self.send(fault.status, fault.body, fault.headers)
        else:
            self.close_connection = True

    def send(self, status: int, body: str, headers: dict[str, str]) -> None:
        data = body.encode()
        try:
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[Exchange]:
    """An exchange that answers on a free port of this machine."""
    exchange = Exchange()
    handler = type("BoundHandler", (Handler,), {"exchange": exchange})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        exchange.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield exchange
        finally:
            server.shutdown()
            thread.join()
