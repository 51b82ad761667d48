"""Arrays of cases on their way into a score: checked once, in words, and never repaired.

A case is one forecast with its observation (a cell in an epoch). Missing cases are left out by the
caller's mask before they come here, so that every score of a table has the same cases; a value
that is not finite is an error, and so is an outcome that is neither 0 nor 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]


class UndefinedScoreError(ValueError):
    """A score has no value for these cases (no positives, a constant forecast, nothing to divide).

    It is raised instead of returning a NaN, which would slip through sums and rankings. Tables
    catch exactly this and write the reason.
    """


def as_finite(name: str, values: ArrayLike) -> FloatArray:
    """`values` as float64.

    Raises:
        ValueError: some value is NaN or infinite; the message counts them.

    Example:
        >>> as_finite("density", [1, 2])
        array([1., 2.])
    """
    array = np.asarray(values, dtype=np.float64)
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise ValueError(
            f"{name}: found {bad} of {array.size} values not finite; mask missing cases first"
        )
    return array


def as_nonnegative(name: str, values: ArrayLike) -> FloatArray:
    """`values` as float64, finite and at least 0.

    Example:
        >>> as_nonnegative("density", [0.0, -1.0])
        Traceback (most recent call last):
        ValueError: density: found a minimum of -1; expected values of 0 or more
    """
    array = as_finite(name, values)
    if array.size and array.min() < 0.0:
        raise ValueError(
            f"{name}: found a minimum of {array.min():g}; expected values of 0 or more"
        )
    return array


def as_probability(values: ArrayLike, name: str = "probability") -> FloatArray:
    """`values` as float64 within [0, 1].

    Example:
        >>> as_probability([0.2, 1.2])
        Traceback (most recent call last):
        ValueError: probability: found 0.2 to 1.2; expected values within 0 and 1
    """
    array = as_finite(name, values)
    if array.size and (array.min() < 0.0 or array.max() > 1.0):
        raise ValueError(
            f"{name}: found {array.min():g} to {array.max():g}; expected values within 0 and 1"
        )
    return array


def as_outcome(values: ArrayLike, name: str = "outcome") -> BoolArray:
    """`values` as bool; integers and floats must be exactly 0 or 1.

    Example:
        >>> as_outcome([0, 1, 1])
        array([False,  True,  True])
        >>> as_outcome([0, -1])
        Traceback (most recent call last):
        ValueError: outcome: found a value of -1; expected only 0 and 1
    """
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return array
    numbers = as_finite(name, array)
    strange = numbers[(numbers != 0.0) & (numbers != 1.0)]
    if strange.size:
        raise ValueError(f"{name}: found a value of {strange[0]:g}; expected only 0 and 1")
    return numbers == 1.0


def as_weights(weights: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray:
    """Weights of `shape`, all 1 where none are given; at least one must be above 0.

    Example:
        >>> as_weights(None, (2,))
        array([1., 1.])
    """
    if weights is None:
        return np.ones(shape, dtype=np.float64)
    array = as_nonnegative("weights", weights)
    if array.shape != shape:
        raise ValueError(f"weights: found shape {array.shape}; expected {shape}")
    if not array.any():
        raise UndefinedScoreError("all weights are 0")
    return array


def require_same_shape(**arrays: np.ndarray[Any, Any]) -> None:
    """Refuse arrays of different shapes; broadcasting cases by accident hides errors.

    Example:
        >>> require_same_shape(a=np.zeros(2), b=np.zeros(3))
        Traceback (most recent call last):
        ValueError: shapes differ: a (2,), b (3,)
    """
    if len({a.shape for a in arrays.values()}) > 1:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise ValueError(f"shapes differ: {shapes}")
