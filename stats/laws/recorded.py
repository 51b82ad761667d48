r"""Presence as an imperfect record shows it: a thinned Poisson process with false alarms.

Where the probability of at least one event is p, :math:`-\ln(1 - p)` events are expected. Each is
recorded with probability :math:`\pi`, and :math:`\phi` false alarms are expected beside them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray


def recorded_probability(
    probability: ArrayLike, observation: ArrayLike, false_alarms: ArrayLike
) -> FloatArray:
    r"""Probability that the record shows something: :math:`1 - (1 - p)^\pi e^{-\phi}`.

    Args:
        probability: p, of at least one event; arrays that fit each other, NaN stays.
        observation: :math:`\pi`, probability that an event is recorded.
        false_alarms: :math:`\phi`, expected false alarms.

    Example:
        >>> recorded_probability([0.36, 0.36, 1.0], [0.5, 0.0, 0.5], 0.0).round(6).tolist()
        [0.2, 0.0, 1.0]
        >>> recorded_probability(0.0, 0.5, np.log(2)).round(6)
        np.float64(0.5)
    """
    p = np.asarray(probability, dtype=np.float64)
    pi, phi = np.asarray(observation, np.float64), np.asarray(false_alarms, np.float64)
    # Just below 1, so that a certain event that nobody looks for gives 0 and not NaN.
    seen = pi * np.log1p(-np.minimum(p, 1.0 - 1e-16))
    return -np.expm1(seen - phi)
