"""The fits of the fund's models, which statsmodels makes. Only a training imports this file: predicting needs none."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.families.links import Logit, Probit
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.regression.linear_model import OLS
from statsmodels.tools.sm_exceptions import ModelWarning
from statsmodels.tools.tools import add_constant
from statsmodels.tsa.ar_model import AutoReg

from modules.learning.model import TrainingError

Floats = NDArray[np.float64]

LINKS: Mapping[str, Callable[[], Any]] = {"logit": Logit, "probit": Probit}


def binary(inputs: Floats, outcome: Floats, link: str) -> tuple[float, ...]:
    """Weights of a regression of 0 or 1 on `inputs`, shape (samples, figures), by maximum likelihood; constant first.

    Raises TrainingError where the search for them does not arrive: what it holds then could not be believed.
    """
    model = GLM(outcome, add_constant(inputs, has_constant="add"), Binomial(LINKS[link]()))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        try:
            found = model.fit()
        except (ModelWarning, np.linalg.LinAlgError, ValueError) as error:
            raise TrainingError(f"the search for its weights did not arrive: {error}") from error
    if not found.converged:
        raise TrainingError("the search for its weights did not arrive")
    return tuple(np.asarray(found.params).tolist())


def least_squares(inputs: Floats, outcome: Floats) -> tuple[tuple[float, ...], float]:
    """Weights of a regression on `inputs`, shape (samples, figures), constant first, and the deviation around it."""
    found = OLS(outcome, add_constant(inputs, has_constant="add")).fit()
    return tuple(np.asarray(found.params).tolist()), float(np.sqrt(found.mse_resid))


def autoregression(moves: Floats, lags: int) -> tuple[tuple[float, ...], float]:
    """Weights of each of `moves` on those before it, constant first, then newest first, and the deviation around it."""
    found = AutoReg(moves, lags=lags, trend="c").fit()
    return tuple(np.asarray(found.params).tolist()), float(np.sqrt(found.sigma2))
