r"""Vuong's test: whether one of two fitted laws is closer to the truth, or it cannot be told.

For two laws fitted to the same areas, with log densities :math:`l_{1i}, l_{2i}` at the areas and
:math:`m_i = l_{1i} - l_{2i}`,

.. math:: z = \frac{\sum_i m_i - c}{\sqrt{n}\,\hat\omega}, \qquad
          \hat\omega^2 = \frac1n\sum_i m_i^2 - \Big(\frac1n\sum_i m_i\Big)^2,

is standard normal if both are equally far from the truth; the correction c for the numbers of
parameters is 0, :math:`k_1 - k_2` (AIC) or :math:`\tfrac12 (k_1 - k_2)\ln n` (BIC). That limit
fails where the two fitted laws are nearly the same curve, for then :math:`\omega^2` itself is near
zero. So its own test comes first: :math:`n\hat\omega^2` against the sum of chi-squares weighted by
the squared eigenvalues of Vuong's matrix W. Only if the laws can be told apart at all is the sign
of z believed; otherwise the choice is undecided and says why.

Laws of landslides differ most in their tails, where few areas carry most of the ratio. Its terms
are then very skewed (a skewness above 10 is common), and z leans to the law with the lighter tail.
So z is also taken with its skewness :math:`\gamma` removed by Hall's transformation,
:math:`z + \gamma (z^2/3 + 1/6)/\sqrt n + \gamma^2 z^3/(27 n)`, and the larger of the two p-values
is used: a choice stands only if it stands with and without it.

A law inside another (`NESTED`) is never closer than it; there the likelihood ratio is tested
against chi-square, conservative where the smaller law lies on the boundary of the larger.

Q. H. Vuong (1989), Likelihood ratio tests for model selection and non-nested hypotheses,
Econometrica 57, 307-333, doi:10.2307/1912557; P. Hall (1992), On the removal of skewness by
transformation, Journal of the Royal Statistical Society B 54, 221-228.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.choice import free_parameters, require_same_data
from stats.sizes.density_terms import density_terms
from stats.sizes.fit import SizeFit
from stats.sizes.law import law_named
from stats.sizes.recording import check_areas

Correction = Literal["none", "aic", "bic"]

NESTED = frozenset(
    {
        ("dps", "dps_extended"),
        ("power", "dps_extended"),
        ("power", "gpd"),
        ("power", "egpd"),
        ("gpd", "egpd"),
    }
)
"""(smaller, larger): the larger law contains the smaller, inside or at a limit."""

# Draws of the weighted sum of chi-squares; their seed is fixed, so a p-value is a number.
_DRAWS = 100_000


@dataclass(frozen=True)
class LawContest:
    """Two laws on the same areas.

    Attributes:
        first: name of the first law.
        second: name of the second.
        kind: "vuong", or "nested" where one law contains the other.
        log_ratio: log-likelihood of the first minus that of the second.
        correction: "none", "aic" or "bic"; not used for nested laws.
        omega: standard deviation of the log ratio of one area.
        z: Vuong's statistic with the correction; NaN for nested laws.
        z_unskewed: the same with its skewness removed; NaN for nested laws.
        p_value: two-sided, of equally good laws, the larger of both (nested: of the smaller law).
        variance_p_value: of laws that cannot be told apart at all; NaN for nested laws.
        favours: the better law, or None: undecided.
        reason: why, in words.
    """

    first: str
    second: str
    kind: Literal["vuong", "nested"]
    log_ratio: float
    correction: Correction
    omega: float
    z: float
    z_unskewed: float
    p_value: float
    variance_p_value: float
    favours: str | None
    reason: str


def weighted_chi_square_p(value: float, weights: ArrayLike) -> float:
    """P of a sum of independent chi-squares (1 degree of freedom) with weights, beyond `value`.

    By 100,000 draws of a fixed seed; standard error 0.0007 at 0.05.

    Example:
        >>> abs(weighted_chi_square_p(3.841, [1.0]) - 0.05) < 0.003
        True
    """
    scale = np.asarray(weights, dtype=np.float64)
    draws = np.random.default_rng(0).standard_normal((_DRAWS, scale.size)) ** 2 @ scale
    return float((1.0 + (draws >= value).sum()) / (1.0 + _DRAWS))


def without_skewness(z: float, skewness: float, n: float) -> float:
    """Hall's transformation of the standardised mean of n skewed terms; monotone in z.

    Example:
        >>> round(without_skewness(-2.0, 12.0, 3000.0), 3), without_skewness(-2.0, 0.0, 3000.0)
        (-1.686, -2.0)
    """
    g = skewness / math.sqrt(n)
    return z + g * (z * z / 3.0 + 1.0 / 6.0) + g * g * z**3 / 27.0


@in_float64
def vuong(
    first: SizeFit,
    second: SizeFit,
    areas_m2: ArrayLike,
    *,
    correction: Correction = "aic",
    level: float = 0.05,
) -> LawContest:
    """Vuong's test of two fitted laws, or the likelihood-ratio test where one contains the other.

    Args:
        first: a fit.
        second: a fit of another law to the same areas.
        areas_m2: (n,) the areas.
        correction: for the numbers of parameters.
        level: of each test.

    Returns:
        The contest; `favours` is None unless the laws can be told apart and one is better.

    Raises:
        ValueError: fits of other areas, of the same law, weighted, or with a fitted detection
            curve.

    Example:
        >>> from stats.sizes.fit import fit_sizes
        >>> from stats.sizes.recording import Recording
        >>> record = Recording(lower_m2=300.0)
        >>> areas = 300.0 * (1.0 + np.random.default_rng(0).pareto(1.5, 400))
        >>> power, lognormal = (
        ...     fit_sizes(areas, law, record, intervals=None) for law in ("power", "lognormal")
        ... )
        >>> vuong(power, lognormal, areas).favours is None
        True
    """
    require_same_data((first, second))
    areas = check_areas(areas_m2, first.recording, least=1)
    if areas.size != first.n or first.weight != first.n:
        raise ValueError(
            f"vuong: found {areas.size} areas and fits of {first.n} with weight {first.weight:g}; "
            "expected the areas of the fits, each counted once"
        )
    if first.recording.detection is not None and first.recording.detection.fitted:
        raise ValueError("vuong: found a fitted detection curve; expected it known or none")
    if correction not in ("none", "aic", "bic"):
        raise ValueError(f'correction: found {correction!r}; expected "none", "aic" or "bic"')
    extra = free_parameters(first) - free_parameters(second)
    ratio = first.log_likelihood - second.log_likelihood
    l1, s1, counts = density_terms(first, areas)
    l2, s2, _ = density_terms(second, areas)
    m, n = l1 - l2, float(counts.sum())
    mean = float(counts @ m) / n
    omega = math.sqrt(max(float(counts @ (m - mean) ** 2) / n, 0.0))
    if (first.law, second.law) in NESTED or (second.law, first.law) in NESTED:
        return _nested(first, second, ratio, correction, omega, level)

    spread = n * omega * omega
    variance_p = weighted_chi_square_p(spread, _squared_eigenvalues(first, s1, second, s2, counts))
    penalty = {"none": 0.0, "aic": float(extra), "bic": 0.5 * extra * math.log(n)}[correction]
    z = (ratio - penalty) / (math.sqrt(n) * omega) if omega > 0.0 else 0.0
    skewness = float(counts @ (m - mean) ** 3) / n / omega**3 if omega > 0.0 else 0.0
    unskewed = without_skewness(z, skewness, n)
    # Of opposite signs they contradict each other.
    weaker = min(abs(z), abs(unskewed)) if z * unskewed > 0.0 else 0.0
    p_value = 2.0 * float(special.ndtr(-weaker))
    favours, reason = None, ""
    if variance_p > level:
        reason = (
            f"{first.law} and {second.law} are too much alike here to be told apart "
            f"(variance test p = {variance_p:.2g})"
        )
    elif p_value > level:
        reason = f"undecided: |z| = {abs(z):.2f}, p = {p_value:.2g}"
    else:
        favours = first.law if z > 0.0 else second.law
        reason = f"{favours} is closer: z = {z:.2f}, p = {p_value:.2g}"
    return LawContest(
        first.law,
        second.law,
        "vuong",
        ratio,
        correction,
        omega,
        z,
        unskewed,
        p_value,
        variance_p,
        favours,
        reason,
    )


def _nested(
    first: SizeFit,
    second: SizeFit,
    ratio: float,
    correction: Correction,
    omega: float,
    level: float,
) -> LawContest:
    small, large = (first, second) if (first.law, second.law) in NESTED else (second, first)
    gain = max(large.log_likelihood - small.log_likelihood, 0.0)
    freedom = law_named(large.law).k - law_named(small.law).k
    # dps in dps_extended has no parameter less, only a bound at beta = 0.
    p_value = float(special.chdtrc(max(freedom, 1), 2.0 * gain))
    favours = large.law if p_value <= level else None
    reason = (
        f"{large.law} contains {small.law} and gains {gain:.2f} in log-likelihood "
        f"(p = {p_value:.2g})" + ("" if favours else f": {small.law} is not rejected")
    )
    return LawContest(
        first.law,
        second.law,
        "nested",
        ratio,
        correction,
        omega,
        math.nan,
        math.nan,
        p_value,
        math.nan,
        favours,
        reason,
    )


def _squared_eigenvalues(
    first: SizeFit, s1: FloatArray, second: SizeFit, s2: FloatArray, counts: FloatArray
) -> FloatArray:
    """Squared eigenvalues of Vuong's W from the scores (n, k) and covariances of both fits.

    A direction without a finite variance (a limit of the family) is held and adds nothing.
    """
    n = counts.sum()
    inverse = []
    for fit in (first, second):
        # The inverse of the mean Hessian is -n times the covariance of the estimate.
        finite = np.isfinite(np.diag(fit.covariance))
        both = finite[:, None] & finite[None, :]
        inverse.append(-n * np.where(both, fit.covariance, 0.0))
    b11, b22 = s1.T @ (counts[:, None] * s1) / n, s2.T @ (counts[:, None] * s2) / n
    b12 = s1.T @ (counts[:, None] * s2) / n
    w = np.block([[-b11 @ inverse[0], -b12 @ inverse[1]], [b12.T @ inverse[0], b22 @ inverse[1]]])
    return np.asarray(np.real(np.linalg.eigvals(w)) ** 2)
