"""What the words for a symbol's standing mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.estimates.liquidity import CUTS
from modules.estimates.pegged import pegged
from modules.estimates.proportions import interval
from modules.estimates.standing import AGES, SPREADS, Record, Standing, by_record, standing
from modules.facts.levels import TIER
from modules.inputs import Inputs, Market, Ticker
from modules.sources import FeedSource

BEST: dict[str, Any] = {"share": 1.0, "traded": 1e9, "spread": 0.0001, "age_days": 730.0, "record": Record()}


def tier(**changed: Any) -> str:
    return standing(**(BEST | changed)).tier


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.1, "CONDITIONAL"), (0.2, "CONDITIONAL"), (0.21, "EXPANSION"), (0.8, "EXPANSION"), (0.81, "CORE")],
)
def test_the_upper_fifth_by_volume_is_core_and_the_lower_fifth_conditional(share: float, expected: str) -> None:
    assert tier(share=share) == expected


def test_what_does_not_trade_is_on_the_blacklist() -> None:
    assert tier(traded=0.0) == "BLACKLIST"


@pytest.mark.parametrize(
    ("spread", "expected"),
    [(0.0005, "CORE"), (0.0006, "EXPANSION"), (0.002, "EXPANSION"), (0.005, "CONDITIONAL"), (0.0051, "BLACKLIST")],
)
def test_a_wide_spread_takes_a_symbol_down(spread: float, expected: str) -> None:
    assert tier(spread=spread) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [(180, "CORE"), (179, "EXPANSION"), (30, "EXPANSION"), (29, "CONDITIONAL"), (-1, "CONDITIONAL")],
)
def test_a_young_symbol_is_not_core_and_not_blacklisted_for_it(days: float, expected: str) -> None:
    assert tier(age_days=days) == expected


LOSING, CHANCE = tuple(-0.4 + 0.5 * (-1) ** i for i in range(24)), tuple(-0.4 + 5.0 * (-1) ** i for i in range(24))


@pytest.mark.parametrize(
    ("better", "worse", "step"),
    [
        *(({"share": cut + 0.01}, {"share": cut}, step) for cut, step in zip(CUTS, ((2, 1), (3, 2)), strict=True)),
        *(
            ({"spread": cut}, {"spread": cut + 1e-9}, step)
            for cut, step in zip(SPREADS, ((1, 0), (2, 1), (3, 2)), strict=True)
        ),
        *(({"age_days": cut}, {"age_days": cut - 0.1}, step) for cut, step in zip(AGES, ((2, 1), (3, 2)), strict=True)),
        ({"traded": 1.0}, {"traded": 0.0}, (3, 0)),
        ({"record": Record(24, 12, CHANCE)}, {"record": Record(24, 12, LOSING)}, (2, 0)),
        ({"record": Record(20, 4)}, {"record": Record(20, 2)}, (3, 1)),
    ],
)
def test_each_cut_decides_where_everything_else_is_fine(
    better: dict[str, Any], worse: dict[str, Any], step: tuple[int, int]
) -> None:
    assert (standing(**(BEST | better)).rank, standing(**(BEST | worse)).rank) == step


def test_no_record_makes_up_for_what_a_symbol_costs() -> None:
    """R and costs are of different kinds: neither is taken off the other, and the worse of the two decides."""
    for r in (0.1, 1.0, 50.0):
        record = Record(500, 500, (r,) * 500)
        assert [tier(spread=spread, record=record) for spread in (0.0005, 0.001, 0.004, 0.006)] == list(
            reversed(TIER.members)
        )


@pytest.mark.parametrize(
    ("cut", "word"), [(SPREADS[0], "CONDITIONAL"), (SPREADS[1], "EXPANSION"), (SPREADS[2], "CORE")]
)
def test_a_spread_of_exactly_the_cut_is_not_wide_whatever_the_price(cut: float, word: str) -> None:
    for price in (0.07, 0.3, 1.1, 37.7, 101.3, 2_345.67, 91_234.5):
        bid, ask = round(price * (1 - cut / 2), 9), round(price * (1 + cut / 2), 9)
        row = (
            FeedSource()
            .compute(Inputs("main", 0, Market(tickers={"A": Ticker(0, price, bid, ask)})))
            .row("symbol", "A")
        )
        assert tier(spread=row["spread"]) == word


def test_the_lowest_of_all_counts_and_every_reason_is_told() -> None:
    found = standing(**(BEST | {"share": 0.5, "spread": 0.004}))
    assert found == Standing(1, ("50% of the universe trade more", "spread of 0.400%"))


def test_a_record_that_always_wins_a_little_takes_nothing_away() -> None:
    assert tier(record=Record(40, 40, (0.25,) * 40)) == "CORE"


def test_a_perfectly_steady_record_is_no_special_case() -> None:
    assert by_record(Record(20, 20, (0.5,) * 20)).rank == 3
    assert by_record(Record(20, 0, (-0.01,) * 20)).rank == 0


def test_rare_wins_that_pay_for_all_losses_are_a_good_record() -> None:
    multiples = (-1.0,) * 80 + (6.0,) * 20  # mean 0.4 R
    assert tier(record=Record(100, 20, multiples)) == "CORE"


def test_a_clear_loss_is_blacklisted_and_one_by_chance_is_not() -> None:
    # 25 trades of mean -0.4: with deviation 0.5 the upper end is -0.4 + 2.06 x 0.1; with 5, far above nothing.
    clear = (*(-0.4 + 0.5 * (-1) ** i for i in range(24)), -0.4)
    assert tier(record=Record(25, 12, clear)) == "BLACKLIST"
    chance = (*(-0.4 + 5 * (-1) ** i for i in range(24)), -0.4)
    assert tier(record=Record(25, 12, chance)) == "EXPANSION"


def test_fewer_than_twenty_trades_say_nothing() -> None:
    assert tier(record=Record(19, 0, (-1.0,) * 19)) == "CORE"
    assert tier(record=Record(20, 0, (-1.0,) * 20)) == "BLACKLIST"


def test_where_no_r_is_known_the_win_rate_speaks() -> None:
    # Wilson's upper end for 4 of 20 is 0.416, for 2 of 20 it is 0.301.
    assert tier(record=Record(20, 4)) == "CORE"
    assert tier(record=Record(20, 2)) == "CONDITIONAL"


def test_a_symbol_at_a_cut_does_not_flap() -> None:
    assert tier(share=0.84, before=2) == "EXPANSION"
    assert tier(share=0.86, before=2) == "CORE"
    assert tier(share=0.84, before=3) == "CORE"
    assert tier(share=0.79, before=3) == "EXPANSION"
    assert tier(spread=0.00045, before=2) == "EXPANSION"
    assert tier(spread=0.00039, before=2) == "CORE"


def test_a_rise_of_two_steps_goes_as_far_as_it_is_clear() -> None:
    assert tier(share=0.84, before=0) == "EXPANSION"


RECORDS = st.builds(lambda r: Record(len(r), sum(v > 0 for v in r), tuple(r)), st.lists(st.floats(-3, 3), max_size=30))
FACTS = st.fixed_dictionaries(
    {
        "share": st.floats(0.01, 1),
        "traded": st.floats(0, 1e9),
        "spread": st.floats(0, 0.01),
        "age_days": st.floats(0, 400),
        "record": RECORDS,
        "before": st.sampled_from([None, 0, 1, 2, 3]),
    }
)


@given(FACTS, st.floats(0, 1), st.floats(0, 0.01), st.floats(0, 400))
def test_worse_facts_never_raise_a_standing(facts: Any, less: float, wider: float, younger: float) -> None:
    worse = facts | {
        "share": facts["share"] * less,
        "spread": facts["spread"] + wider,
        "age_days": min(facts["age_days"], younger),
    }
    assert standing(**worse).rank <= standing(**facts).rank


@given(FACTS)
def test_a_standing_has_a_reason_unless_it_is_the_best(facts: Any) -> None:
    found = standing(**facts)
    assert (found.why == ()) == (found.rank == 3)


@pytest.mark.parametrize(
    ("symbol", "what"),
    [
        ("USDTUSDT", "a stable coin"),
        ("USDCUSDT", "a stable coin"),
        ("FDUSDUSDT", "a stable coin"),
        ("WETHUSDT", "a wrapped coin"),
        ("WBNBUSDT", "a wrapped coin"),
        ("WBTC/USDT:USDT", "a wrapped coin"),
        ("EURUSDT", "a currency"),
        ("BTCUSDT", None),
        ("PAXGUSDT", None),
        ("ETH/USDT", None),
    ],
)
def test_pegged_coins_are_known(symbol: str, what: str | None) -> None:
    assert pegged(symbol) == what


def test_the_interval_of_a_share_is_wilsons() -> None:
    # 8 of 10: (0.8 + 1.92/10 +- 1.96 sqrt(0.016 + 0.00960)) / 1.384 = 0.490 and 0.943.
    assert interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert interval(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="11 successes in 10 trials"):
        interval(11, 10)
