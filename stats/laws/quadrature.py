r"""Integrals over a positive law by quadrature between its own quantiles.

Panels end at fixed levels of the law, so that they crowd together wherever the law does: at a
density that is infinite at zero, at the end of a truncated law, far out in a heavy tail. Within a
panel the variable is ln x and the rule Gauss-Legendre. Below the lowest panel the survival is 1 to
the precision of the numbers.

One rule serves every family and every parameter; what it reaches is held against adaptive
quadrature in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from stats.case_arrays import FloatArray

_BELOW = (1e-15, 1e-11, 1e-8, 1e-5, 1e-3, 0.02, 0.1, 0.25)
_ABOVE = (0.5, 0.25, 0.1, 0.03, 0.008, 1e-3, 1e-4, 1e-6, 1e-9, 1e-14, 1e-22, 1e-38, 1e-80, 1e-150)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
# Cases at a time: some 260 nodes each must stay in the fast memory.
CHUNK = 4096


class QuantileLaw(Protocol):
    """What the panels need of a law: (case,) quantiles from either end."""

    def quantile_from_below(self, share: float, /) -> FloatArray:
        """(case,) x with F(x) = share."""

    def quantile_from_above(self, share: float, /) -> FloatArray:
        """(case,) x with 1 - F(x) = share."""


def panel_ends(law: QuantileLaw) -> FloatArray:
    """(case, end) increasing ends of the panels of each law."""
    ends = [law.quantile_from_below(share) for share in _BELOW]
    ends += [law.quantile_from_above(share) for share in _ABOVE]
    return np.maximum.accumulate(np.stack(ends, axis=-1), axis=-1)


def integrate(
    integrand: Callable[[FloatArray], FloatArray],
    ends: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> FloatArray:
    """(case,) integral from `low` to `high` over the panels, nothing outside them.

    Args:
        integrand: from (case, node) values of x to (case, node) values.
        ends: (case, end) from `panel_ends`.
        low: (case,) lower ends.
        high: (case,) upper ends; infinite stands for the end of the last panel.

    Example:
        >>> ends = np.array([[1e-5, 0.1, 0.5, 1.0]])
        >>> integrate(lambda x: x**2, ends, np.array([0.0]), np.array([0.8])).round(6)
        array([0.170667])
    """
    cut = np.clip(ends, low[:, None], np.maximum(low, high)[:, None])
    with np.errstate(divide="ignore"):
        log_cut = np.log(cut)
    start, stop = log_cut[:, :-1], log_cut[:, 1:]
    # A panel from 0, where a quantile is below the smallest number, is as good as empty.
    empty = ~((stop > start) & np.isfinite(start))
    half = np.where(empty, 0.0, 0.5 * (stop - np.where(empty, 0.0, start)))
    middle = np.where(empty, 0.0, stop - half)
    x = np.exp(middle[..., None] + half[..., None] * _NODES)
    weight = half[..., None] * _WEIGHTS * x
    values = integrand(x.reshape(x.shape[0], -1)).reshape(x.shape)
    return np.asarray(np.sum(weight * np.where(weight > 0.0, values, 0.0), axis=(1, 2)))
