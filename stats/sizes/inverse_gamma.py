r"""The three-parameter inverse gamma law of landslide areas.

.. math:: f(x) = \frac{1}{a\,\Gamma(\rho)} \left[\frac{a}{x - s}\right]^{\rho + 1}
          \exp\left[-\frac{a}{x - s}\right], \qquad x > s

after Malamud et al. (2004), Earth Surface Processes and Landforms 29, 687-711,
doi:10.1002/esp.1064. `rho` is the cumulative exponent of the tail (the density falls with
`rho + 1`), `a` a scale and `s` a shift, negative in their fit. Areas below 0 have no meaning, so
the law is used truncated, at `lower` = 0 unless told otherwise.

These functions rest on `scipy.stats.invgamma`. The law with exact tails, likelihood, score and
the other families beside it is `stats.sizes.law.law_named("ig")`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

Values = np.ndarray[Any, np.dtype[np.float64]]


def _law(rho: float, a: float, s: float) -> Any:
    for name, value in (("rho", rho), ("a", a)):
        if not (math.isfinite(value) and value > 0.0):
            raise ValueError(f"{name}: found {value}; expected a finite number above 0")
    return stats.invgamma(rho, loc=s, scale=a)


def pdf(
    x: Values, rho: float, a: float, s: float, *, lower: float = 0.0, upper: float = math.inf
) -> Values:
    """Density at `x`, 0 outside [lower, upper].

    Example:
        >>> float(pdf(np.array(401.0), 1.4, 1280.0, -132.0).round(6))
        0.000653
    """
    law = _law(rho, a, s)
    values = np.asarray(x, dtype=np.float64)
    mass = law.sf(lower) - law.sf(upper)
    return np.where((values >= lower) & (values <= upper), law.pdf(values) / mass, 0.0)


def cdf(
    x: Values, rho: float, a: float, s: float, *, lower: float = 0.0, upper: float = math.inf
) -> Values:
    """Distribution function at `x`. Arguments as in `pdf`.

    Example:
        >>> float(cdf(np.array(np.inf), 1.4, 1280.0, -132.0))
        1.0
    """
    law = _law(rho, a, s)
    head, tail = law.sf(lower), law.sf(upper)
    return np.clip((head - law.sf(np.asarray(x, dtype=np.float64))) / (head - tail), 0.0, 1.0)


def quantile(
    probability: Values,
    rho: float,
    a: float,
    s: float,
    *,
    lower: float = 0.0,
    upper: float = math.inf,
) -> Values:
    """Area that a share `probability` does not exceed; the inverse of `cdf`.

    Example:
        >>> float(quantile(np.array(0.5), 1.4, 1280.0, -132.0).round(0))
        1049.0
    """
    law = _law(rho, a, s)
    u = np.asarray(probability, dtype=np.float64)
    head, tail = law.sf(lower), law.sf(upper)
    return np.clip(law.isf(head - u * (head - tail)), lower, upper)
