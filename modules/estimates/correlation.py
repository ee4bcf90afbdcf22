"""Which positions move together: a shrunk covariance and the clusters in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

OBSERVATIONS_PER_SYMBOL = 10
"""With fewer observations a symbol, nothing is known about clusters, and all symbols count as one."""

TOGETHER = 0.7
"""Symbols whose correlation is above this on average belong to one cluster: what that word means, chosen. How much one
may hold is for the rules (`pba.correlated_limit`)."""


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


@dataclass(frozen=True, slots=True)
class Togetherness:
    """The cluster of each symbol by number; None for one of which nobody knows what it moves with: it may be any."""

    cluster: Mapping[str, int | None]

    def joined(self, symbol: str, amounts: Mapping[str, float]) -> frozenset[str]:
        """The symbols that move with this one, or may, itself among them.

        One that is not known may be in any cluster, and so counts in the largest by `amounts`.
        """
        own = self.cluster.get(symbol)
        if own is None:
            return self.largest(amounts) | {symbol}
        return self._members(own)

    def largest(self, amounts: Mapping[str, float]) -> frozenset[str]:
        """The cluster with the most of `amounts`, which are by symbol and not negative; ties go to the first symbol.

        What is not known counts in it.
        """
        numbers = dict.fromkeys(self.cluster[s] for s in sorted(self.cluster) if s in amounts)
        found = [self._members(n) for n in numbers if n is not None] or [self._members(None)]
        return max(found, key=lambda members: math.fsum(amounts.get(s, 0.0) for s in members))

    def _members(self, number: int | None) -> frozenset[str]:
        return frozenset(s for s, other in self.cluster.items() if other in {number, None})


def togetherness(symbols: Sequence[str], returns: NDArray[np.float64]) -> Togetherness:
    """Clusters from the newest returns of shape (observations, symbols).

    A symbol with fewer than ten returns for each of those that have any, or that does not move, is not known.
    """
    p = int(np.isfinite(returns).any(axis=0).sum())
    least = OBSERVATIONS_PER_SYMBOL * p
    known = [
        i
        for i in range(len(symbols))
        if (seen := returns[np.isfinite(returns[:, i]), i]).size >= max(least, 2) and np.ptp(seen) > 0
    ]
    found = clusters(returns[:, known]).tolist() if known else []
    made: dict[str, int | None] = dict.fromkeys(symbols)
    made |= {symbols[i]: int(cluster) for i, cluster in zip(known, found, strict=True)}
    return Togetherness(made)
