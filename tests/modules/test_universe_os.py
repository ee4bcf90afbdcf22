"""Universe OS: what it tells of symbols, and what it does not take a venue's word for."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from evaluators.snapshot import Snapshot
from modules.assembly import Supplied, assemble
from modules.estimates.liquidity import tier_level
from modules.facts.levels import TIER
from modules.inputs import Book, Inputs, Listing, Market, Ticker
from modules.module import Module
from modules.sample_market import sample_inputs
from modules.sources.feed import FeedSource
from modules.supply import Supply
from modules.universe_os import UniverseOS
from policy_dsl.quantities import MS_PER_DAY
from tests.modules.hourly_market import HOUR, NOW, candles_of, inputs_of, ticker, trades_of, walk, without

VOLUMES = {"BTCUSDT": 1e10, "ETHUSDT": 5e9, "SOLUSDT": 1e9, "LINKUSDT": 1e8, "GALAUSDT": 1e6}


def computed(inputs: Inputs) -> Supply:
    return UniverseOS().compute(inputs)


def tiers(inputs: Inputs) -> dict[str, str | None]:
    return {symbol: row.get("tier") for symbol, row in computed(inputs).rows["symbol"].items()}


def reason(supply: Supply, symbol: str, fact: str) -> str:
    return supply.reasons[f'symbol["{symbol}"].{fact}']


def snapshot_of(inputs: Inputs) -> Snapshot:
    parts = [
        Supplied("feed", FeedSource.owners, inputs.ts, FeedSource().compute(inputs)),
        Supplied("universe_os", UniverseOS.owners, inputs.ts, computed(inputs)),
    ]
    return assemble("main", inputs.ts, parts).snapshot


def test_it_is_a_module() -> None:
    module: Module = UniverseOS()
    assert (module.name, module.policy, module.port, module.interval) == ("universe_os", "universe", 8006, 900)


def test_bitcoin_is_core_without_anything_given() -> None:
    universe = UniverseOS()
    assert universe.tier_of("BTCUSDT") == "CORE"
    assert universe.tier_of("NOSUCHUSDT") is None


def test_a_universe_is_shown_with_tiers_and_reasons_what_trades_most_at_its_head() -> None:
    members = UniverseOS(inputs_of(VOLUMES)).universe()
    assert [(m.symbol, m.tier, m.volume_rank) for m in members] == [
        ("BTCUSDT", "CORE", 1),
        ("ETHUSDT", "EXPANSION", 2),
        ("SOLUSDT", "EXPANSION", 3),
        ("LINKUSDT", "EXPANSION", 4),
        ("GALAUSDT", "CONDITIONAL", 5),
    ]
    assert members[0].reasons == ()
    assert members[1].reasons == ("20% of the universe trade more",)


def test_a_symbol_has_all_its_facts() -> None:
    supply = computed(inputs_of(VOLUMES, trades=trades_of("BTCUSDT", [1.5, -1.0, 2.0, 2.5])))
    assert supply.row("symbol", "BTCUSDT") == {
        "in_universe": True,
        "tier": "CORE",
        "sector": "BTC",
        "volume_24h": 1e10,
        "volume_rank": 1,
        "trades": 4,
        "win_rate": 0.75,
        "average_r": 1.25,
        "performance": "NEUTRAL",
    }


def test_no_fact_is_out_of_range_or_of_another_type() -> None:
    inputs = inputs_of(VOLUMES, trades=trades_of("BTCUSDT", [1.5, -1.0, 2.0, 2.5]))
    parts = [Supplied("feed", ("feed",), NOW, FeedSource().compute(inputs))]
    made = assemble("main", NOW, [*parts, Supplied("universe_os", UniverseOS.owners, NOW, computed(inputs))])
    row = made.snapshot.collection("symbol")
    assert row is not None
    assert set(row["BTCUSDT"]) >= {"tier", "in_universe", "volume_24h", "volume_rank", "average_r"}
    assert None not in row["BTCUSDT"].values()


@pytest.mark.parametrize(
    ("market", "why"),
    [
        (Market(), "what the venue lists is not known"),
        (Market(listings={}), "the venue listed nothing"),
        (Market(listings={"BTCUSDT": Listing("BTCUSDT")}), "the venue gave no price"),
    ],
)
def test_an_answer_with_nothing_in_it_is_missing_data(market: Market, why: str) -> None:
    inputs = inputs_of(VOLUMES)
    supply = computed(replace(inputs, market=replace(market, tickers=market.tickers or {})))
    told = {fact for row in supply.rows.get("symbol", {}).values() for fact in row}
    assert told <= {"sector", "trades"}
    if market.listings:
        assert reason(supply, "BTCUSDT", "tier") == reason(supply, "BTCUSDT", "in_universe") == why


def test_prices_without_a_listing_make_no_universe() -> None:
    inputs = inputs_of(VOLUMES)
    supply = computed(replace(inputs, market=replace(inputs.market, listings=None)))
    assert "in_universe" not in supply.row("symbol", "BTCUSDT")
    assert reason(supply, "BTCUSDT", "tier") == "what the venue lists is not known"


def test_a_tiny_answer_does_not_replace_the_universe_that_was() -> None:
    inputs = inputs_of(VOLUMES)
    tiny = replace(without(inputs, "ETHUSDT", "SOLUSDT", "LINKUSDT"), before=snapshot_of(inputs))
    supply = computed(tiny)
    assert "in_universe" not in supply.row("symbol", "BTCUSDT")
    assert reason(supply, "BTCUSDT", "tier") == "the venue listed 2 of 5 symbols that were followed"


def test_the_universe_is_held_against_its_own_last_run_and_nothing_older() -> None:
    many = {f"C{i:02}USDT": 1e9 - i for i in range(20)}
    inputs = inputs_of(many)
    seen, left = snapshot_of(inputs), list(many)
    for gone in (7, 4, 3):  # each time no more than two in five of those that were left
        left = left[gone:]
        now = replace(inputs_of({s: many[s] for s in left}), before=seen)
        assert {s for s, row in computed(now).rows["symbol"].items() if row.get("in_universe")} == set(left)
        seen = snapshot_of(now)
    at_once = replace(inputs_of({s: many[s] for s in left}), before=snapshot_of(inputs))
    assert reason(computed(at_once), left[0], "tier") == "the venue listed 6 of 20 symbols that were followed"


@pytest.mark.parametrize("seed", range(3))
def test_candles_alone_make_the_tiers_that_the_universe_makes(seed: int) -> None:
    """One set of cuts: a recording of candles and a fund at a venue say the same of what a symbol trades."""
    rng = random.Random(seed)  # noqa: S311 -- amounts, not a secret
    volumes = {f"C{i:02}USDT": float(rng.choice([0, 1, 5, 25, 125]) * rng.randint(1, 9)) for i in range(25)}
    names = sorted(volumes)
    levels = tier_level(np.array([[volumes[s] for s in names]]))[0]
    assert tiers(inputs_of(volumes)) == {s: TIER.members[level] for s, level in zip(names, levels, strict=True)}


def test_a_tiny_answer_is_told_by_candles_after_a_restart() -> None:
    inputs = inputs_of(VOLUMES, candles=candles_of(walk(2, 5), sorted(VOLUMES)))
    supply = computed(without(inputs, "ETHUSDT", "SOLUSDT", "LINKUSDT"))
    assert reason(supply, "GALAUSDT", "tier") == "the venue listed 2 of 5 symbols that were followed"


def test_prices_of_few_symbols_are_a_tiny_answer_too() -> None:
    old = {s: ticker(1e9, at=NOW - HOUR) for s in ("BTCUSDT", "ETHUSDT", "SOLUSDT")}
    inputs = inputs_of(VOLUMES)
    supply = computed(replace(inputs_of(VOLUMES, tickers=old), before=snapshot_of(inputs)))
    assert reason(supply, "LINKUSDT", "tier") == "the venue priced 2 of 5 symbols that were followed"


def test_one_symbol_that_is_delisted_leaves_and_the_others_stay() -> None:
    inputs = inputs_of(VOLUMES)
    stopped = {"SOLUSDT": Listing("SOLUSDT", is_active=False)}
    supply = computed(replace(inputs_of(VOLUMES, listings=stopped), before=snapshot_of(inputs)))
    assert supply.row("symbol", "SOLUSDT")["in_universe"] is False
    assert reason(supply, "SOLUSDT", "tier") == "the venue has stopped its trading"
    assert supply.row("symbol", "BTCUSDT")["in_universe"] is True


def test_a_symbol_with_a_price_that_is_no_longer_listed_leaves() -> None:
    inputs = inputs_of({**VOLUMES, "ADAUSDT": 1e8})
    listings = {s: found for s, found in (inputs.market.listings or {}).items() if s != "ADAUSDT"}
    supply = computed(replace(inputs, market=replace(inputs.market, listings=listings)))
    assert supply.row("symbol", "ADAUSDT")["in_universe"] is False
    assert reason(supply, "ADAUSDT", "tier") == "the venue does not list it"


@pytest.mark.parametrize(("age", "stays"), [(900_000, True), (900_001, False)])
def test_a_symbol_whose_price_is_stale_leaves(age: int, stays: bool) -> None:
    supply = computed(inputs_of(VOLUMES, tickers={"SOLUSDT": ticker(1e9, at=NOW - age)}))
    assert supply.row("symbol", "SOLUSDT")["in_universe"] is stays


def test_a_symbol_whose_price_has_a_wrong_clock_leaves() -> None:
    supply = computed(inputs_of(VOLUMES, tickers={"SOLUSDT": ticker(1e9, at=NOW + HOUR)}))
    assert supply.row("symbol", "SOLUSDT")["in_universe"] is False
    assert reason(supply, "SOLUSDT", "tier") == "nobody knows how old its price is"


@pytest.mark.parametrize("symbol", ["USDCUSDT", "USDTUSDT", "WETHUSDT", "WBNBUSDT", "EURUSDT"])
def test_stable_and_wrapped_coins_are_not_tradeable(symbol: str) -> None:
    supply = computed(inputs_of({**VOLUMES, symbol: 9e9}))
    row = supply.row("symbol", symbol)
    assert row["in_universe"] is False
    assert "tier" not in row
    assert "which is not traded" in reason(supply, symbol, "tier")


def test_coins_that_are_left_out_do_not_move_the_others() -> None:
    plain = tiers(inputs_of(VOLUMES))
    crowded = tiers(inputs_of({**VOLUMES, "USDCUSDT": 9e9, "WETHUSDT": 8e9, "FDUSDUSDT": 7e9}))
    assert {symbol: crowded[symbol] for symbol in plain} == plain


def test_the_order_of_the_answer_changes_nothing() -> None:
    volumes = {f"C{i:02}USDT": float(1 + i % 7) * 1e6 for i in range(40)}
    names = list(volumes)
    expected = computed(inputs_of(volumes))
    for seed in range(3):
        random.Random(seed).shuffle(names)  # noqa: S311 -- an order, not a secret
        shuffled = inputs_of({name: volumes[name] for name in names})
        assert computed(shuffled) == expected
        assert list(computed(shuffled).rows["symbol"]) == list(expected.rows["symbol"])
        assert UniverseOS(shuffled).universe() == UniverseOS(inputs_of(volumes)).universe()


def test_equal_volumes_are_placed_by_name() -> None:
    members = UniverseOS(inputs_of(dict.fromkeys(["E", "D", "C", "B", "A"], 1e9))).universe()
    assert [(m.symbol, m.volume_rank) for m in members] == [("A", 1), ("B", 2), ("C", 3), ("D", 4), ("E", 5)]


def test_a_universe_is_ranked_by_volume_and_not_by_the_alphabet() -> None:
    members = UniverseOS(inputs_of({"A": 1e6, "B": 2e6, "C": 3e6, "D": 4e6, "E": 5e6})).universe()
    assert [m.symbol for m in members] == ["E", "D", "C", "B", "A"]


def test_a_handful_of_symbols_cannot_be_ranked() -> None:
    supply = computed(inputs_of({"BTCUSDT": 1e10, "ETHUSDT": 5e9}))
    assert supply.row("symbol", "BTCUSDT")["in_universe"] is True
    assert reason(supply, "BTCUSDT", "tier") == "2 symbols are too few to rank"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (Ticker(NOW, 100.0, volume_24h=1e9), "its spread is not known"),
        (Ticker(NOW, 100.0, 101.0, 99.0, volume_24h=1e9), "its spread is not known"),
        (Ticker(NOW, 100.0, 99.9, 100.1), "what it trades in a day is not known"),
        (Ticker(NOW, 100.0, 99.9, 100.1, volume_24h=float("inf")), "what it trades in a day is not known"),
        (Ticker(NOW, 100.0, 99.9, 100.1, volume_24h=-1.0), "what it trades in a day is not known"),
    ],
)
def test_what_is_not_known_of_a_symbol_is_no_reason_to_think_well_of_it(changed: Ticker, why: str) -> None:
    more = {**VOLUMES, "ADAUSDT": 5e8}
    supply = computed(inputs_of(more, tickers={"SOLUSDT": changed}))
    assert "tier" not in supply.row("symbol", "SOLUSDT")
    assert reason(supply, "SOLUSDT", "tier") == why
    assert supply.row("symbol", "BTCUSDT")["tier"] == "CORE"


def test_a_day_of_candles_says_what_the_ticker_does_not() -> None:
    prices = walk(2, 5)
    quiet = {"SOLUSDT": Ticker(NOW, 100.0, 99.99, 100.01)}
    inputs = inputs_of(VOLUMES, tickers=quiet, candles=candles_of(prices, sorted(VOLUMES)))
    expected = 1000 * prices[-24:, sorted(VOLUMES).index("SOLUSDT")].sum()
    assert computed(inputs).row("symbol", "SOLUSDT")["volume_24h"] == pytest.approx(expected)


def test_age_is_at_least_what_candles_show() -> None:
    unlisted = {s: Listing(s) for s in VOLUMES}
    assert set(tiers(inputs_of(VOLUMES, listings=unlisted)).values()) == {None}
    young = inputs_of(VOLUMES, listings=unlisted, candles=candles_of(walk(40, 5), sorted(VOLUMES)))
    assert tiers(young)["BTCUSDT"] == "EXPANSION"
    old = inputs_of(VOLUMES, listings=unlisted, candles=candles_of(walk(190, 5), sorted(VOLUMES)))
    assert tiers(old)["BTCUSDT"] == "CORE"


def test_a_tier_rises_only_where_it_is_clear_of_the_cut() -> None:
    at_the_cut = {"BTCUSDT": ticker(1e10, spread=0.00045)}
    wide = {"BTCUSDT": ticker(1e10, spread=0.0006)}
    before = snapshot_of(inputs_of(VOLUMES, tickers=wide))
    assert tiers(inputs_of(VOLUMES, tickers=at_the_cut))["BTCUSDT"] == "CORE"
    assert tiers(replace(inputs_of(VOLUMES, tickers=at_the_cut), before=before))["BTCUSDT"] == "EXPANSION"
    assert tiers(replace(inputs_of(VOLUMES), before=before))["BTCUSDT"] == "CORE"


def test_symbols_that_always_make_a_little_are_not_blacklisted() -> None:
    steady = inputs_of(VOLUMES, trades=trades_of("BTCUSDT", [0.25] * 60))
    assert tiers(steady)["BTCUSDT"] == "CORE"


def test_a_symbol_that_clearly_loses_is_blacklisted_and_forgiven_after_half_a_year() -> None:
    losses = [-1.0, -0.8] * 15
    assert tiers(inputs_of(VOLUMES, trades=trades_of("BTCUSDT", losses)))["BTCUSDT"] == "BLACKLIST"
    long_ago = trades_of("BTCUSDT", losses, ended=NOW - 181 * MS_PER_DAY)
    forgiven = computed(inputs_of(VOLUMES, trades=long_ago)).row("symbol", "BTCUSDT")
    assert (forgiven["tier"], forgiven["trades"]) == ("CORE", 0)
    assert not {"win_rate", "performance"} & set(forgiven)


@pytest.mark.parametrize(
    ("made", "word"),
    [([0.25] * 30, "GOOD"), ([1.5, -1.0] * 15, "NEUTRAL"), ([1.0, -1.0] * 15, "NEUTRAL"), ([0.2, -1.0] * 15, "BAD")],
)
def test_only_a_record_that_clearly_loses_is_bad(made: list[float], word: str) -> None:
    row = computed(inputs_of(VOLUMES, trades=trades_of("BTCUSDT", made))).row("symbol", "BTCUSDT")
    assert row["performance"] == word


def test_a_fund_without_trades_has_a_universe_all_the_same() -> None:
    supply = computed(inputs_of(VOLUMES))
    row = supply.row("symbol", "BTCUSDT")
    assert (row["tier"], row["trades"]) == ("CORE", 0)
    assert not {"win_rate", "average_r", "performance"} & set(row)
    assert reason(supply, "BTCUSDT", "win_rate") == "the fund closed no trade in it"


def test_a_book_that_nobody_knows_leaves_tier_and_record_out() -> None:
    supply = computed(replace(inputs_of(VOLUMES), book=Book()))
    assert not {"tier", "trades", "win_rate"} & set(supply.row("symbol", "BTCUSDT"))
    assert reason(supply, "BTCUSDT", "tier") == "the fund's closed trades are not known"


def test_a_result_that_nobody_knows_is_neither_won_nor_lost() -> None:
    supply = computed(inputs_of(VOLUMES, trades=trades_of("BTCUSDT", [1.0, None, None, -1.0])))
    row = supply.row("symbol", "BTCUSDT")
    assert (row["trades"], row["win_rate"], row["average_r"]) == (2, 0.5, 0.0)
    assert reason(supply, "BTCUSDT", "performance") == "2 trades, and a record needs 3"


def test_r_of_some_trades_is_no_average() -> None:
    trades = [*trades_of("BTCUSDT", [1.0, 1.0, 1.0]), replace(trades_of("BTCUSDT", [-5.0])[0], r_multiple=None)]
    supply = computed(inputs_of(VOLUMES, trades=trades))
    assert supply.row("symbol", "BTCUSDT")["win_rate"] == 0.75
    assert "average_r" not in supply.row("symbol", "BTCUSDT")
    assert reason(supply, "BTCUSDT", "average_r") == "R is known of 3 of 4 trades"


def test_trades_that_close_later_are_not_known_yet() -> None:
    later = trades_of("BTCUSDT", [1.0], ended=NOW + 2 * HOUR)
    assert computed(inputs_of(VOLUMES, trades=later)).row("symbol", "BTCUSDT")["trades"] == 0


def test_an_unknown_coin_has_no_sector() -> None:
    supply = computed(inputs_of({**VOLUMES, "QQQUSDT": 1e7}))
    assert reason(supply, "QQQUSDT", "sector") == "the coin is in no sector that is known"


def test_nothing_at_all_is_no_universe() -> None:
    assert computed(Inputs("main", NOW)) == Supply()
    assert UniverseOS().universe(Inputs("main", NOW)) == []


def test_the_made_up_market_is_the_same_every_time() -> None:
    assert computed(sample_inputs()) == computed(replace(sample_inputs()))
    assert {m.tier for m in UniverseOS().universe()} == {"CORE", "EXPANSION", "CONDITIONAL"}
