"""The models: they learn what is there, see nothing that comes later, and refuse what they cannot learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.estimates.hours import newest
from modules.feeds.candles import Candles
from modules.learning.features import FIGURES, LONGEST, features
from modules.learning.kinds import four_models
from modules.learning.model import Model, Trained, TrainingError, bar_losses, seen, train
from modules.learning.outcomes import rises
from tests.modules.hourly_market import candles_of
from tests.modules.learning.markets import at, turning
from tests.modules.samples import first_bars, shaken_after

MARKET = turning(400, 400)
MODELS = four_models()


@pytest.fixture(scope="module", params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    found: Model = MODELS[request.param]
    return found


def test_there_are_four_and_each_sees_something_else() -> None:
    assert sorted(MODELS) == ["lightgbm", "nhits", "patchtst", "xgboost"]
    assert len({(type(m), m.features) for m in MODELS.values()}) == 4


def test_it_learns_what_is_there_and_says_so_of_bars_that_it_has_not_seen(model: Model) -> None:
    trained = train(model, newest(MARKET, at(MARKET, 299), 10_000))
    said = model.predict(trained.parameters, MARKET)
    losses = bar_losses(said, rises(MARKET.close, model.horizon))[300:399]
    assert losses.mean() < 0.22
    assert trained.expected is not None
    assert abs(trained.expected.mean - losses.mean()) < 3 * trained.expected.deviation / np.sqrt(99)


def test_the_same_candles_teach_the_same(model: Model) -> None:
    assert train(model, MARKET) == train(model, replace(MARKET, close=MARKET.close.copy()))


def test_what_was_learnt_is_the_same_after_it_was_written_and_read(model: Model) -> None:
    trained = train(model, MARKET, "TRENDING")
    assert Trained.model_validate_json(trained.model_dump_json()) == trained


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bar=st.integers(LONGEST, 398), factor=st.floats(0.3, 3))
def test_no_model_sees_ahead(model: Model, bar: int, factor: float) -> None:
    parameters = model.fit(MARKET)
    said = model.predict(parameters, MARKET)[: bar + 1]
    shaken = shaken_after(MARKET, bar + 1, factor)
    assert np.array_equal(said, model.predict(parameters, shaken)[: bar + 1], equal_nan=True)
    assert np.array_equal(said, model.predict(parameters, first_bars(MARKET, bar + 1)), equal_nan=True)


def test_the_last_bar_is_predicted_from_as_many_bars_as_the_model_looks_back(model: Model) -> None:
    parameters = model.fit(MARKET)
    whole = model.predict(parameters, MARKET)[-1]
    tail = newest(MARKET, at(MARKET, 399), model.looks_back / 24)
    assert len(tail.opened) == model.looks_back
    np.testing.assert_allclose(model.predict(parameters, tail)[-1], whole, rtol=1e-9)


def test_outcomes_after_the_window_teach_nothing(model: Model) -> None:
    window = newest(MARKET, at(MARKET, 299), 10_000)
    assert train(model, window) == train(model, newest(shaken_after(MARKET, 300, 2.0), at(MARKET, 299), 10_000))


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_is_not_known_before_its_window_is_full_and_is_bounded(name: str) -> None:
    found = features(MARKET, (name,))[..., 0]
    assert np.isfinite(found[LONGEST:]).all()
    assert np.nanmax(np.abs(found)) <= 6
    assert name == "body" or np.isnan(found[0]).all()


def frozen(bars: int) -> Candles:
    return candles_of(np.full((bars, 3), 100.0), ("A", "B", "C"), reach=0.0)


def test_too_little_and_nothing_that_moves_teach_nothing(model: Model) -> None:
    with pytest.raises(TrainingError, match=r"samples are known|no symbol has"):
        train(model, first_bars(MARKET, 40))
    with pytest.raises(TrainingError):
        train(model, frozen(400))
    with pytest.raises(TrainingError, match="no candles"):
        train(model, first_bars(MARKET, 0))


def test_a_gap_in_one_symbol_costs_that_symbol_alone(model: Model) -> None:
    panels = {n: getattr(MARKET, n).copy() for n in ("open", "high", "low", "close", "volume")}
    for panel in panels.values():
        panel[-2, 0] = np.nan
    said = model.predict(model.fit(MARKET), replace(MARKET, **panels))[-1]
    assert np.isnan(said[0])
    assert np.isfinite(said[1:]).all()


def test_a_market_that_only_rises_has_no_second_outcome() -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).uniform(0.001, 0.01, (400, 3)), axis=0))
    with pytest.raises(TrainingError, match="every outcome is the same"):
        train(MODELS["xgboost"], candles_of(close, ("A", "B", "C")))


def test_what_follows_without_a_doubt_is_not_believed() -> None:
    # Up, down, up, down: weights of a regression on that grow without an end.
    moves = np.where(np.arange(400)[:, None] % 2, 0.01, -0.01) * np.ones((1, 3))
    with pytest.raises(TrainingError, match="did not arrive"):
        train(MODELS["xgboost"], candles_of(100 * np.exp(np.cumsum(moves, axis=0)), ("A", "B", "C")))


def test_figures_of_another_model_are_refused(model: Model) -> None:
    parameters = dict(model.fit(MARKET))
    model.check(parameters)
    name = next(iter(parameters))
    with pytest.raises(ValueError, match="takes"):
        model.check({**parameters, name: (0.5, 0.5, 0.5)})


def test_inputs_are_a_sample_of_all_symbols() -> None:
    names = MODELS["xgboost"].features
    assert seen(MARKET, names).shape == (62, len(names))
    assert seen(first_bars(MARKET, 0), names).shape == (0, len(names))
