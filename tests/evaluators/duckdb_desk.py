"""A small desk for tests of the DuckDB evaluator: rules of every scope, and days of states."""

from __future__ import annotations

import random

from evaluators.snapshot import Fields, Snapshot
from policy_dsl.bundle import load_text
from policy_dsl.program import Program
from policy_dsl.types import Value
from tests.catalogue_for_tests import small_catalogue

RULES = """\
policy desk version 1.0.0
  "Rules for the fund, for each position, for each request."

output mode: SAFE < DEFENSIVE < NORMAL starts NORMAL
output max_loss: ratio in 0% to 10% starts 5% tightens down
output actions for each position: set of ADD, HOLD
output cap for each position: money in 0 USD to 5_000 USD starts 5_000 USD tightens down

rule drawdown when account.drawdown > 5% tighten mode to SAFE
rule volatile when market.volatility in {HIGH, EXTREME} tighten mode to DEFENSIVE tighten max_loss by 1%
rule streak   when account.losing_streak >= 3 scale max_loss by 0.5
rule twin for each position as p
  when count(position as q where q.symbol is p.symbol and q.side is p.side) > 1
  tighten mode to DEFENSIVE
rule winners for each position when position.r_multiple > 1R permit ADD(50% of account.drawdown) permit HOLD
rule tiered  for each position when position.symbol.tier < EXPANSION tighten cap to 1_000 USD forbid ADD
rule stop    when mode is SAFE forbid ADD in actions tighten cap to 0 USD
rule late observing when market.data_age > 60s tighten mode to DEFENSIVE
rule duplicate for each request when request.duplicate deny
rule halted when mode is SAFE deny
"""


def program() -> Program:
    """The desk's rules."""
    return load_text({"desk.rules": RULES}, small_catalogue()).program


def day(count: int, seed: int = 3, book: str = "main") -> list[Snapshot]:
    """States a minute apart, in which about one value in ten is missing."""
    chance = random.Random(seed)  # noqa: S311 -- test data, no secret
    return [_state(book, minute, chance) for minute in range(count)]


def _state(book: str, minute: int, chance: random.Random) -> Snapshot:
    def some(*values: Value) -> Value | None:
        return None if chance.random() < 0.1 else chance.choice(values)

    facts: Fields = {
        "account.drawdown": some(0, 10_000_000, 50_000_001, 333_333_333),
        "account.losing_streak": some(0, 1, 3),
        "market.volatility": some(0, 1, 2, 3),
        "market.data_age": some(0, 60_000, 60_001),
    }
    symbols = {name: {"tier": some(0, 1, 2, 3)} for name in ("BTC", "ETH")}
    positions = {
        f"p{i}": {"symbol": some("BTC", "ETH", "XRP"), "side": some(0, 1), "r_multiple": some(0, 2 * 10**9)}
        for i in range(chance.randrange(4))
    }
    requests = {f"r{i}": {"duplicate": some(False, True), "effect": some(0, 1, 2)} for i in range(chance.randrange(3))}
    known = chance.random() > 0.1
    return Snapshot(
        book,
        1_700_000_000_000 + 60_000 * minute,
        facts,
        {"symbol": symbols, "position": positions if known else None, "request": requests},
    )
