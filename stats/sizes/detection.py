r"""The probability that a landslide of a given area is recorded: a smooth detection limit.

.. math:: \pi(x) = \frac{1}{1 + (x / x_{1/2})^{-1/w}}

is logistic in ln area: half of the landslides of `half_area_m2` are recorded, and `width` is the
distance in ln area over which the odds change by a factor e. Within one inventory a detection
curve and the left limb of the size law cannot be told apart: a curve is either given, or comes
with its uncertainty from a second inventory, a known recall or a prior, and is then fitted jointly
with the law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from stats.case_arrays import FloatArray, as_finite, as_nonnegative, as_outcome, as_probability

Source = Literal["given", "second inventory", "recall", "prior", "none"]


class NotIdentifiedError(ValueError):
    """The data cannot tell what was asked for; the message says what would."""


@dataclass(frozen=True, kw_only=True)
class DetectionCurve:
    """Probability of being recorded by area, logistic in ln area.

    Attributes:
        half_area_m2: area of which half are recorded [m2].
        width: e-folding distance of the odds in ln area [-].
        covariance: ((2, 2)) of (ln half_area_m2, ln width) where the curve is uncertain; the curve
            is then fitted jointly with the law, with this as its prior. None: known exactly.
        source: where the curve comes from.

    Example:
        >>> curve = DetectionCurve(half_area_m2=400.0, width=0.5)
        >>> curve(np.array([100.0, 400.0, 1600.0])).round(3)
        array([0.059, 0.5  , 0.941])
    """

    half_area_m2: float
    width: float
    covariance: tuple[tuple[float, float], tuple[float, float]] | None = None
    source: Source = "given"

    def __post_init__(self) -> None:
        if self.source == "none":
            return
        for name in ("half_area_m2", "width"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"{name}: found {value}; expected a finite number above 0")
        if self.covariance is not None:
            matrix = np.asarray(self.covariance, dtype=np.float64)
            if matrix.shape != (2, 2) or not np.all(np.isfinite(matrix)):
                raise ValueError(f"covariance: found {self.covariance}; expected a finite (2, 2)")
            if not (np.allclose(matrix, matrix.T) and np.all(np.linalg.eigvalsh(matrix) > 0.0)):
                raise ValueError(
                    "covariance of the detection curve: expected symmetric, positive definite"
                )

    def __call__(self, areas_m2: ArrayLike) -> FloatArray:
        """Probability of being recorded, in the shape of `areas_m2`."""
        area = np.asarray(areas_m2, dtype=np.float64)
        with np.errstate(divide="ignore"):
            return special.expit((np.log(area) - math.log(self.half_area_m2)) / self.width)

    @property
    def fitted(self) -> bool:
        """The curve is uncertain and takes part in the fit."""
        return self.covariance is not None


def free_curve() -> DetectionCurve:
    """A curve of which nothing is known: asking a fit for it is refused as not identified.

    Example:
        >>> free_curve().source
        'none'
    """
    return DetectionCurve(half_area_m2=math.nan, width=math.nan, source="none")


def curve_from_prior(
    *, half_area_m2: float, width: float, sd_ln_half_area: float, sd_ln_width: float
) -> DetectionCurve:
    """A curve known roughly: normal priors on ln half area and ln width.

    Example:
        >>> curve = curve_from_prior(
        ...     half_area_m2=400.0, width=0.4, sd_ln_half_area=0.3, sd_ln_width=0.5
        ... )
        >>> curve.covariance
        ((0.09, 0.0), (0.0, 0.25))
    """
    for name, value in (("sd_ln_half_area", sd_ln_half_area), ("sd_ln_width", sd_ln_width)):
        if not (math.isfinite(value) and value > 0.0):
            raise ValueError(f"{name}: found {value}; expected a finite number above 0")
    return DetectionCurve(
        half_area_m2=half_area_m2,
        width=width,
        covariance=((sd_ln_half_area**2, 0.0), (0.0, sd_ln_width**2)),
        source="prior",
    )


def curve_from_matches(areas_m2: ArrayLike, matched: ArrayLike) -> DetectionCurve:
    """Detection curve of one inventory from a second one of the same ground and time.

    As in capture and recapture: the landslides of the second inventory are trials, and `matched`
    says which of them the first inventory recorded too. The second inventory need not be complete,
    but what it finds must not depend on what the first one found.

    Args:
        areas_m2: (n,) areas of the landslides of the second inventory [m2].
        matched: (n,) found in the first inventory too.

    Returns:
        The maximum-likelihood curve with the covariance of (ln half area, ln width).

    Raises:
        NotIdentifiedError: all or none were matched, or the matched are not the larger ones.
        ValueError: bad values or shapes.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> areas = np.exp(rng.normal(6.5, 1.0, 4000))
        >>> truth = DetectionCurve(half_area_m2=400.0, width=0.5)
        >>> curve = curve_from_matches(areas, rng.random(4000) < truth(areas))
        >>> abs(curve.half_area_m2 / 400.0 - 1.0) < 0.1, abs(curve.width / 0.5 - 1.0) < 0.1
        (True, True)
    """
    area = as_nonnegative("areas_m2", areas_m2)
    flags = as_outcome(matched, "matched")
    if area.shape != flags.shape or area.ndim != 1:
        raise ValueError(f"matched: found shape {flags.shape}; expected {area.shape}")
    if area.size and area.min() <= 0.0:
        raise ValueError(f"areas_m2: found {area.min():g}; expected areas above 0")
    found = int(flags.sum())
    if found in (0, area.size):
        raise NotIdentifiedError(
            f"detection curve: {found} of {area.size} landslides matched; not identified: "
            "expected matched and missed ones"
        )
    return _logistic(np.log(area), flags.astype(np.float64), np.ones(area.size), "second inventory")


def curve_from_recall(areas_m2: ArrayLike, recall: ArrayLike, trials: ArrayLike) -> DetectionCurve:
    """Detection curve from the recall known at given areas, each from a number of trials.

    Args:
        areas_m2: (k,) areas, at least two different ones [m2].
        recall: (k,) share recorded at each [-].
        trials: (k,) landslides each share was counted among.

    Raises:
        NotIdentifiedError: fewer than two areas, or recall that does not rise with area.
        ValueError: bad values or shapes.

    Example:
        >>> curve = curve_from_recall([200.0, 800.0], [0.2, 0.8], [500, 500])
        >>> round(curve.half_area_m2, 1), round(curve.width, 3)
        (400.0, 0.5)
    """
    area = as_nonnegative("areas_m2", areas_m2)
    share = as_probability(recall, "recall")
    counts = as_nonnegative("trials", trials)
    if not (area.shape == share.shape == counts.shape) or area.ndim != 1:
        raise ValueError(
            f"areas_m2, recall, trials: found shapes {area.shape}, {share.shape}, {counts.shape}; "
            "expected three lists of one length"
        )
    if np.unique(area).size < 2:
        raise NotIdentifiedError(
            f"detection curve: recall known at {np.unique(area).size} area; not identified: "
            "expected two or more different areas"
        )
    return _logistic(np.log(area), share, counts, "recall")


def _logistic(
    log_area: FloatArray, share: FloatArray, trials: FloatArray, source: Source
) -> DetectionCurve:
    """Binomial fit of a rising logistic in ln area, covariance by the delta method."""
    as_finite("ln area", log_area)
    centre = float(np.average(log_area, weights=trials))
    z = log_area - centre

    def negative(b: Any) -> tuple[float, FloatArray]:
        eta = b[0] + b[1] * z
        value = -np.sum(trials * (share * eta - np.logaddexp(0.0, eta)))
        gap = trials * (special.expit(eta) - share)
        return float(value), np.array([gap.sum(), (gap * z).sum()])

    found = optimize.minimize(negative, np.array([0.0, 1.0]), jac=True, method="BFGS")
    intercept, slope = float(found.x[0]), float(found.x[1])
    p = special.expit(intercept + slope * z)
    spread = trials * p * (1.0 - p)
    information = np.array([[spread.sum(), (spread * z).sum()], [0.0, (spread * z * z).sum()]])
    information[1, 0] = information[0, 1]
    flat = np.linalg.eigvalsh(information)[0] <= 1e-6 * max(float(trials.max()), 1e-12)
    if flat or slope <= 0.0:
        raise NotIdentifiedError(
            f"detection curve: recall changes with ln area at a rate of {slope:.3g}; not "
            "identified: expected recall that rises with area, with misses and finds overlapping"
        )
    # (ln half, ln width) of (intercept, slope): half = centre - b0/b1, width = 1/b1.
    jacobian = np.array([[-1.0 / slope, intercept / slope**2], [0.0, -1.0 / slope]])
    covariance = jacobian @ np.linalg.inv(information) @ jacobian.T
    half = 0.5 * (covariance + covariance.T)
    return DetectionCurve(
        half_area_m2=math.exp(centre - intercept / slope),
        width=1.0 / slope,
        covariance=(
            (float(half[0, 0]), float(half[0, 1])),
            (float(half[1, 0]), float(half[1, 1])),
        ),
        source=source,
    )
