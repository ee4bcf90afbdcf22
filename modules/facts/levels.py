"""The enumerations that facts share, by the names that rule files use."""

from __future__ import annotations

from policy_dsl.types import Levels

VOLATILITY = Levels("volatility", ("LOW", "NORMAL", "HIGH", "EXTREME"))
REGIME = Levels("regime", ("RANGING", "NORMAL", "TRENDING"), ordered=False)
TIER = Levels("tier", ("BLACKLIST", "CONDITIONAL", "EXPANSION", "CORE"))
PERFORMANCE = Levels("performance", ("BAD", "NEUTRAL", "GOOD"))
CATEGORY = Levels("category", ("LOSER", "STRUGGLING", "BREAKEVEN", "POTENTIAL_WINNER", "WINNER"))
EFFECT = Levels("effect", ("OPEN", "INCREASE", "REDUCE", "CLOSE"), ordered=False)
SIDE = Levels("side", ("LONG", "SHORT"), ordered=False)
HEALTH = Levels("health", ("CRITICAL", "DEGRADED", "HEALTHY"))
SERVICE_STATUS = Levels("service_status", ("DOWN", "DEGRADED", "UP"))
RISK_MODE = Levels("risk_mode", ("SAFE", "DEFENSIVE", "CAUTIOUS", "NORMAL", "AGGRESSIVE"))
URGENCY = Levels("urgency", ("LOW", "NORMAL", "HIGH"))
TREND_DIRECTION = Levels("trend_direction", ("UP", "FLAT", "DOWN"), ordered=False)
PERFORMANCE_TREND = Levels("performance_trend", ("DEGRADING", "STABLE", "IMPROVING"))
TRADE_EXIT = Levels(
    "trade_exit",
    ("STOP_LOSS", "TRAILING_STOP", "LIQUIDATION", "TAKE_PROFIT", "SIGNAL", "TIME", "FORCED", "OTHER"),
    ordered=False,
)
ORDER_OUTCOME = Levels(
    "order_outcome", ("FILLED", "PARTLY_FILLED", "CANCELLED", "EXPIRED", "REJECTED", "FAILED"), ordered=False
)
