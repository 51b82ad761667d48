r"""Continuous ranked probability score of any predictive law, and of ensembles.

.. math:: \mathrm{CRPS}(F, y) = \int (F(x) - 1\{x \ge y\})^2\,dx

in the unit of y (percent of the cell), smaller is better; for a forecast without spread it is the
absolute error. For a law of values of 0 or more the integral falls into

.. math:: \mathrm{CRPS} = y - 2\,A(y) + J(0), \qquad
          A(y) = \int_0^y (1 - F),\; J(r) = \int_r^\infty (1 - F)^2,

and with the weight :math:`1\{x \ge r\}` of a threshold (y' = max(y, r)) into

.. math:: \mathrm{twCRPS} = (y' - r) - 2\,(A(y') - A(r)) + J(r).

Any law that knows A and J is scored (`stats.laws.predictive`): hurdles, whose A and J are p and p^2
times those of the positive law, positive laws by themselves, Bernoulli laws, ensembles. No moment
is needed, so that laws without a mean are scored too, down to a tail index of 1/2. Both scores are
proper; the weighted one judges the law above the threshold only and is not strictly proper for
the whole law. Weighting cases by what was observed would not be proper at all.

T. Gneiting & A. E. Raftery (2007), JASA 102, 359-378, doi:10.1198/016214506000001437;
T. Gneiting & R. Ranjan (2011), JBES 29, 411-422, doi:10.1198/jbes.2010.08110;
C. A. T. Ferro (2014), QJRMS 140, 1917-1923, doi:10.1002/qj.2270 (fair version).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, UndefinedScoreError, as_finite, as_nonnegative
from stats.laws.hurdle import Hurdle, PositiveLaw
from stats.laws.predictive import PredictiveLaw, observed


def crps_terms(law: PredictiveLaw, value: ArrayLike) -> FloatArray:
    """(case,) CRPS of predictive laws.

    Args:
        law: (case,) laws of density [percent].
        value: (case,) observed density [percent], 0 or more.

    Raises:
        UndefinedScoreError: a law has a tail of index 1/2 or less and no end.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.0, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> crps_terms(law, [3.0, 0.0]).round(5)
        array([3.     , 0.03162])
    """
    return threshold_crps_terms(law, value, threshold=0.0)


def threshold_crps_terms(law: PredictiveLaw, value: ArrayLike, *, threshold: float) -> FloatArray:
    """(case,) CRPS of predictive laws with weight 1 from `threshold` upwards and 0 below.

    Args:
        law: (case,) laws of density [percent].
        value: (case,) observed density [percent], 0 or more.
        threshold: [percent], 0 or more; 0 gives the CRPS.

    Raises:
        UndefinedScoreError: a law has a tail of index 1/2 or less and no end.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2], [0.0], [1.0])
        >>> threshold_crps_terms(law, [0.3], threshold=1.0).round(5)
        array([0.00737])
    """
    y = observed(law, value)
    r = float(as_nonnegative("threshold", threshold))
    above = np.maximum(y, r)
    covered = law.limited_mean(above)
    if r > 0.0:
        covered = covered - law.limited_mean(np.full(y.shape, r))
    spread = law.squared_survival(r)
    endless = int(np.count_nonzero(np.isinf(spread)))
    if endless:
        raise UndefinedScoreError(
            f"{endless} of {y.size} laws have a tail of index 1/2 or less: their CRPS is infinite"
        )
    return np.maximum((above - r) - 2.0 * covered + spread, 0.0)


def positive_crps_terms(
    law: PositiveLaw, value: ArrayLike, *, threshold: float = 0.0
) -> FloatArray:
    """(case,) CRPS of a positive law by itself, as for the density of cells that have any.

    Example:
        >>> from stats.laws.lognormal import TruncatedLognormal
        >>> positive_crps_terms(TruncatedLognormal([0.0], [1.0]), [1.0]).round(5)
        array([0.26741])
    """
    return threshold_crps_terms(Hurdle(np.ones(law.shape), law), value, threshold=threshold)


def ensemble_crps_terms(
    members: ArrayLike, value: ArrayLike, *, fair: bool = False, threshold: float | None = None
) -> FloatArray:
    """(case,) CRPS of empirical ensembles, ``mean|x_i - y| - mean|x_i - x_j| / 2``.

    Args:
        members: (case, member) forecast values.
        value: (case,) observed value.
        fair: divide the spread by m (m - 1) instead of m^2: the expected score then does not
            depend on the ensemble size, but a single case can score below 0.
        threshold: weight 1 from here upwards, 0 below; None weighs everything.

    Raises:
        ValueError: shapes do not fit, or `fair` with a single member.

    Example:
        >>> ensemble_crps_terms([[0.0, 2.0]], [1.0]), ensemble_crps_terms([[3.0]], [1.0])
        (array([0.5]), array([2.]))
    """
    x, y = as_finite("members", members), as_finite("value", value)
    if x.ndim != y.ndim + 1 or x.shape[:-1] != y.shape or x.shape[-1] == 0:
        raise ValueError(f"members {x.shape} and value {y.shape}; expected (case, member), (case,)")
    m = x.shape[-1]
    if fair and m < 2:
        raise ValueError("the fair score needs at least 2 members")
    if threshold is not None:
        # Integrating the weight turns the score into the plain one of max(x, threshold).
        r = float(as_finite("threshold", threshold))
        x, y = np.maximum(x, r), np.maximum(y, r)
    distance = np.abs(x - y[..., None]).mean(axis=-1)
    rank_weight = 2.0 * np.arange(1, m + 1) - m - 1
    spread = np.sort(x, axis=-1) @ rank_weight
    return distance - spread / (m * (m - 1) if fair else m * m)
