"""The Brier score: squared error of a probability. Proper, bounded, finite at 0 and 1.

G. W. Brier (1950), Monthly Weather Review 78, 1-3.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_outcome, as_probability, require_same_shape


def brier_terms(probability: ArrayLike, outcome: ArrayLike) -> FloatArray:
    """(case,) squared error (p - y)^2; its mean is the Brier score.

    Args:
        probability: (case,) forecast probability within [0, 1].
        outcome: (case,) 0 or 1.

    Raises:
        ValueError: a value is missing or outside its range, or the shapes differ.

    Example:
        >>> brier_terms([0.5, 0.9], [0, 1]).round(2)
        array([0.25, 0.01])
    """
    p, y = as_probability(probability), as_outcome(outcome)
    require_same_shape(probability=p, outcome=y)
    return (p - y) ** 2
