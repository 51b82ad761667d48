r"""A few weighted nodes that stand for many areas in a likelihood, to rounding error.

A log-likelihood is a sum :math:`\sum_i g(\ln x_i)` of a smooth function. Within a bin of ln area
the empirical distribution of its points is replaced by the Gauss rule that has the same moments:
m nodes reproduce every polynomial of degree below 2m exactly (Golub & Welsch, 1969, applied to a
discrete measure by the Lanczos process with full reorthogonalisation). The size laws are analytic
in ln x in a strip of half-width :math:`\pi/\alpha`, so that the error falls geometrically: with
bins of 0.25 and m = 6 the log-likelihood of 25,000 areas is reproduced to 1e-8 for alpha <= 6 by
about 200 nodes, whatever the number of areas. Sampling then costs the same for 500 as for 500,000.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from stats.case_arrays import FloatArray

BIN_WIDTH = 0.25
NODES_PER_BIN = 6


def _gauss_rule(values: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights with the moments 0 .. 2m - 1 of a discrete measure of > m points."""
    middle, half = 0.5 * (values[0] + values[-1]), 0.5 * (values[-1] - values[0])
    z = (values - middle) / half
    total = counts.sum()
    m = NODES_PER_BIN
    basis = np.zeros((m, z.size))
    diagonal, off = np.zeros(m), np.zeros(m)
    vector = np.sqrt(counts / total)
    for j in range(m):
        basis[j] = vector
        image = z * vector
        diagonal[j] = image @ vector
        # Twice is enough: without it the basis loses orthogonality and nodes repeat.
        for _ in range(2):
            image = image - basis[: j + 1].T @ (basis[: j + 1] @ image)
        off[j] = np.sqrt(image @ image)
        if j < m - 1:
            vector = image / off[j]
    nodes, vectors = linalg.eigh_tridiagonal(diagonal, off[: m - 1])
    return middle + half * nodes, total * vectors[0] ** 2


def weighted_nodes(
    log_x: FloatArray, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights that stand for all of `log_x` in sums of smooth functions.

    Args:
        log_x: (n,) logarithms of areas.
        weights: (n,) how often each counts, above 0; None for once.

    Returns:
        (m,) nodes inside the range of the data, ascending, and their (m,) weights, which sum to n.

    Example:
        >>> y = np.log(np.random.default_rng(1).pareto(1.4, 20_000) + 1.0)
        >>> nodes, numbers = weighted_nodes(y)
        >>> bool(nodes.size < 350), bool(abs(numbers @ np.cos(nodes) / np.cos(y).sum() - 1) < 1e-12)
        (True, True)
    """
    ordered, where = np.unique(np.asarray(log_x, dtype=np.float64), return_inverse=True)
    counts = np.bincount(where, weights=weights).astype(np.float64)
    place = np.floor((ordered - ordered[0]) / BIN_WIDTH)
    cuts = np.flatnonzero(np.diff(place)) + 1
    nodes, numbers = [], []
    for values, number in zip(np.split(ordered, cuts), np.split(counts, cuts), strict=True):
        if values.size > NODES_PER_BIN:
            values, number = _gauss_rule(values, number)
        nodes.append(values)
        numbers.append(number)
    return np.concatenate(nodes), np.concatenate(numbers)
