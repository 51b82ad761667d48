"""The empirical law of an ensemble: each member has the same mass.

Its score is that of the members taken as a law (the plain, not the fair one of
`stats.scores.crps.ensemble_crps_terms`). It has no density, hence no logarithmic score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import (
    FloatArray,
    UndefinedScoreError,
    as_finite,
    as_nonnegative,
    as_probability,
)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Laws of equally likely members of 0 or more, one law per case.

    Attributes:
        members: (case, member) values; kept in increasing order.

    Raises:
        ValueError: a member is not finite or below 0, or there is none.

    Example:
        >>> law = Ensemble(np.array([[2.0, 0.0, 0.0, 6.0]]))
        >>> law.mean(), law.cdf([0.0]), law.mass([0.0]), law.quantile(0.75)
        (array([2.]), array([0.5]), array([0.5]), array([2.]))
    """

    members: FloatArray

    def __post_init__(self) -> None:
        members = as_nonnegative("members", self.members)
        if members.ndim < 1 or members.shape[-1] == 0:
            raise ValueError(f"members: found shape {members.shape}; expected (case, member)")
        object.__setattr__(self, "members", np.sort(members, axis=-1))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cases."""
        return self.members.shape[:-1]

    def _values(self, x: ArrayLike) -> FloatArray:
        """`x` of the cases, with an axis for the members."""
        return as_finite("x", x)[..., None]

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Share of members at or below x."""
        return np.mean(self.members <= self._values(x), axis=-1)

    def sf(self, x: ArrayLike) -> FloatArray:
        """Share of members above x."""
        return np.mean(self.members > self._values(x), axis=-1)

    def mass(self, x: ArrayLike) -> FloatArray:
        """Share of members equal to x."""
        return np.mean(self.members == self._values(x), axis=-1)

    def log_density(self, x: ArrayLike) -> FloatArray:
        """No ensemble has one.

        Raises:
            UndefinedScoreError: always.
        """
        raise UndefinedScoreError("an ensemble has no density and no logarithmic score")

    def quantile(self, level: ArrayLike) -> FloatArray:
        """Smallest member with at least a share `level` of the members at or below it."""
        share = as_probability(level, "level")
        share = np.broadcast_to(share, np.broadcast_shapes(share.shape, self.shape))
        count = self.members.shape[-1]
        # A level that is a whole number of members must not be pushed one on by rounding.
        place = np.clip(np.ceil(share * count - 1e-9).astype(np.int64) - 1, 0, count - 1)
        return np.take_along_axis(self.members, place[..., None], axis=-1)[..., 0]

    def mean(self) -> FloatArray:
        """Mean of the members."""
        return self.members.mean(axis=-1)

    def variance(self) -> FloatArray:
        """Variance of the members as a law: sum of squares divided by their number."""
        return self.members.var(axis=-1)

    def limited_mean(self, x: ArrayLike) -> FloatArray:
        """E min(X, x)."""
        return np.minimum(self.members, self._values(as_nonnegative("x", x))).mean(axis=-1)

    def squared_survival(self, above: ArrayLike = 0.0) -> FloatArray:
        """Integral of (1 - F)^2 from `above` upwards."""
        high = np.maximum(self.members, self._values(as_nonnegative("above", above)))
        start = np.broadcast_to(self._values(above), (*high.shape[:-1], 1))
        gaps = np.diff(np.concatenate([start, high], axis=-1), axis=-1)
        left = 1.0 - np.arange(self.members.shape[-1]) / self.members.shape[-1]
        return gaps @ left**2

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """One member per case."""
        place = rng.integers(0, self.members.shape[-1], self.shape)
        return np.take_along_axis(self.members, place[..., None], axis=-1)[..., 0]

    def take(self, which: ArrayLike) -> Ensemble:
        """The laws of some cases, by index or mask."""
        return Ensemble(self.members[np.asarray(which)])
