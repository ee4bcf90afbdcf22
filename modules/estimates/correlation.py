"""Which positions move together: a shrunk covariance and the clusters in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

OBSERVATIONS_PER_SYMBOL = 10
"""With fewer observations a symbol, nothing is known about clusters, and all symbols count as one."""

TOGETHER = 0.7
"""Symbols whose correlation is above this on average belong to one cluster."""


def shrunk_covariance(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of `returns` (observations, symbols) shrunk towards equal variances (Ledoit and Wolf 2004)."""
    n, p = returns.shape
    x = returns - returns.mean(axis=0)
    sample: NDArray[np.float64] = x.T @ x / n
    mean = np.trace(sample) / p
    distance = ((sample - mean * np.eye(p)) ** 2).sum() / p
    if distance == 0:
        return sample
    noise = min(((x**2).T @ (x**2) / n - sample**2).sum() / (n * p), distance)
    share = noise / distance
    shrunk: NDArray[np.float64] = (1 - share) * sample + share * mean * np.eye(p)
    return shrunk


def clusters(returns: NDArray[np.float64]) -> NDArray[np.int64]:
    """The cluster of each symbol, numbered from 1, from returns of shape (observations, symbols).

    Average linkage on sqrt((1 - correlation) / 2). All symbols are one cluster where there is not enough to tell:
    fewer than ten complete observations a symbol, or a symbol that does not move.
    """
    p = returns.shape[1]
    complete = returns[np.isfinite(returns).all(axis=1)]
    one = np.ones(p, dtype=np.int64)
    if p == 1 or len(complete) < OBSERVATIONS_PER_SYMBOL * p:
        return one
    covariance = shrunk_covariance(complete)
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0).all():
        return one
    correlation = np.clip(covariance / np.outer(scale, scale), -1, 1)
    distance = np.sqrt(np.maximum((1 - correlation) / 2, 0))
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average")
    found: NDArray[np.int64] = fcluster(tree, np.sqrt((1 - TOGETHER) / 2), criterion="distance").astype(np.int64)
    return found
