r"""How areas came to be recorded, and the likelihood that follows from it.

An inventory is not a plain sample of a size law. Landslides below a limit were not mapped
(truncation), small ones were mapped with a probability below one (a detection curve thins them),
and areas made of pixels come in whole multiples of one (bins). With the kernel k of a law, its
mass M over an interval and the detection curve :math:`\pi`, an area contributes

.. math:: \ln k(x)\pi(x) - \ln \int_c^m k\,\pi, \qquad\text{or}\qquad
          \ln \int_{A - p/2}^{A + p/2} k\,\pi - \ln \int_c^m k\,\pi

for an area A in whole pixels p. Without a curve the integrals are the law's own masses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.detection import DetectionCurve, NotIdentifiedError
from stats.sizes.law import Law, law_named

# Panels and nodes of the integral of kernel times detection curve, in units of the curve's width.
_REACH = 30.0
_PANELS, _NODES, _BIN_NODES = 40, 10, 6


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was recorded of all landslides.

    Attributes:
        lower_m2: nothing smaller was recorded [m2]; 0 for no limit.
        upper_m2: nothing larger was or could be recorded [m2].
        pixel_m2: area of the pixel whose whole multiples the areas are [m2]; None: exact areas.
        detection: probability of being recorded by area; None: one above `lower_m2`.

    Example:
        >>> Recording(lower_m2=300.0, pixel_m2=25.0).edges()
        (287.5, inf)
    """

    lower_m2: float = 0.0
    upper_m2: float = math.inf
    pixel_m2: float | None = None
    detection: DetectionCurve | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lower_m2) and 0.0 <= self.lower_m2 < self.upper_m2):
            raise ValueError(
                f"recording: found limits [{self.lower_m2}, {self.upper_m2}]; expected "
                "0 <= lower_m2 < upper_m2"
            )
        if self.pixel_m2 is not None and not (math.isfinite(self.pixel_m2) and self.pixel_m2 > 0):
            raise ValueError(f"pixel_m2: found {self.pixel_m2}; expected a finite area above 0")
        if self.detection is not None and self.detection.source == "none":
            raise NotIdentifiedError(
                "detection curve: found no second inventory, known recall or prior; not "
                "identified: within one inventory a detection curve and the left limb of the size "
                "law cannot be told apart"
            )

    def counts(self, areas_m2: FloatArray) -> FloatArray:
        """Areas in whole pixels."""
        return np.rint(areas_m2 / float(self.pixel_m2 or math.nan))

    def edges(self) -> tuple[float, float]:
        """Ends of the interval in which an exact area can lie [m2].

        With pixels it reaches from the lower edge of the smallest whole-pixel bin at or above
        `lower_m2` to the upper edge of the largest at or below `upper_m2`.
        """
        if self.pixel_m2 is None:
            return self.lower_m2, self.upper_m2
        first = max(1.0, math.ceil(self.lower_m2 / self.pixel_m2 - 0.01))
        last = self.upper_m2 / self.pixel_m2
        last = math.floor(last + 0.01) if math.isfinite(last) else math.inf
        return (first - 0.5) * self.pixel_m2, (last + 0.5) * self.pixel_m2


class RecordedAreas(NamedTuple):
    """Areas and their recording as arrays that a compiled likelihood takes.

    None stands for an absent part, so that each kind of recording is a compilation of its own.

    Attributes:
        log_x: (n,) ln area (of bins: of their middle).
        weights: (n,) weights, or None for ones.
        bin_edges: (2, n) lower and upper edges of the bins, or None for exact areas.
        lower: lower end, or None for 0.
        upper: upper end, or None for infinity.
        curve: (2,) ln half area and ln width, or None.
        curve_precision: (2, 2) inverse covariance of `curve` where it is fitted, else None.
    """

    log_x: jax.Array | FloatArray
    weights: jax.Array | FloatArray | None = None
    bin_edges: jax.Array | FloatArray | None = None
    lower: jax.Array | FloatArray | None = None
    upper: jax.Array | FloatArray | None = None
    curve: jax.Array | FloatArray | None = None
    curve_precision: jax.Array | FloatArray | None = None

    @property
    def plain(self) -> bool:
        """Exact areas without a detection curve: the closed-form score and Hessian serve."""
        return self.bin_edges is None and self.curve is None


def check_areas(areas_m2: ArrayLike, recording: Recording, *, least: int) -> FloatArray:
    """Areas as a clean array, or a ValueError that counts what is wrong.

    Args:
        areas_m2: areas [m2].
        recording: their limits.
        least: fewest areas that will do.

    Raises:
        ValueError: not a list, not finite, not above 0, outside the recording, too few.

    Example:
        >>> check_areas([500.0, 250.0], Recording(lower_m2=300.0), least=1)
        Traceback (most recent call last):
        ValueError: areas_m2: found 1 of 2 areas below 300 m2 (smallest 250);
        expected areas within the recording (cut the list, or lower the limit)
    """
    areas = np.asarray(areas_m2, dtype=np.float64)
    if areas.ndim != 1:
        raise ValueError(f"areas_m2: found {areas.ndim} dimensions; expected a list of areas")
    for wrong, what in ((~np.isfinite(areas), "not finite"), (areas <= 0.0, "not above 0")):
        if wrong.any():
            raise ValueError(
                f"areas_m2: found {int(wrong.sum())} of {areas.size} areas {what}; expected "
                "finite areas above 0"
            )
    low, high = recording.edges()
    for wrong, what in (
        (areas < low, f"below {low:g} m2 (smallest {areas.min(initial=math.inf):g})"),
        (areas > high, f"above {high:g} m2 (largest {areas.max(initial=0.0):g})"),
    ):
        if wrong.any():
            raise ValueError(
                f"areas_m2: found {int(wrong.sum())} of {areas.size} areas {what}; "
                "expected areas within the recording (cut the list, or lower the limit)"
            )
    different = np.unique(areas).size if areas.size < 1000 else 1000
    if areas.size < least or different < min(least, 3):
        raise ValueError(
            f"areas_m2: found {areas.size} areas, {different} of them different; expected at "
            f"least {least}, {min(least, 3)} of them different"
        )
    return areas


def recorded_areas(
    areas_m2: FloatArray, recording: Recording, weights: FloatArray | None = None
) -> RecordedAreas:
    """Arrays for the compiled likelihood; whole-pixel areas are collected into their bins."""
    low, high = recording.edges()
    lower = np.asarray(low) if low > 0.0 else None
    upper = np.asarray(high) if math.isfinite(high) else None
    curve, precision = None, None
    if recording.detection is not None:
        detection = recording.detection
        curve = np.log([detection.half_area_m2, detection.width])
        if detection.covariance is not None:
            precision = np.linalg.inv(np.asarray(detection.covariance))
    if recording.pixel_m2 is None:
        return RecordedAreas(np.log(areas_m2), weights, None, lower, upper, curve, precision)
    counts, where = np.unique(recording.counts(areas_m2), return_inverse=True)
    collected = np.bincount(where, weights=weights, minlength=counts.size).astype(np.float64)
    edges = recording.pixel_m2 * np.stack([counts - 0.5, counts + 0.5])
    middle = np.log(counts * recording.pixel_m2)
    return RecordedAreas(middle, collected, edges, lower, upper, curve, precision)


def _log_curve(log_x: jax.Array, curve: jax.Array) -> jax.Array:
    return -jax.nn.softplus(-(log_x - curve[0]) / jnp.exp(curve[1]))


def _log_thinned_mass(
    law: Law, theta: jax.Array, data: RecordedAreas, curve: jax.Array
) -> jax.Array:
    """Logarithm of the integral of kernel times curve over the recording."""
    width = jnp.exp(curve[1])
    low = -jnp.inf if data.lower is None else jnp.log(data.lower)
    high = jnp.inf if data.upper is None else jnp.log(data.upper)
    # Held apart by a hair, so that a limit far above the curve leaves a whole (empty) stretch.
    start = jnp.clip(curve[0] - _REACH * width, low, high)
    stop = jnp.clip(curve[0] + _REACH * width, start + 1e-9, jnp.maximum(high, start + 1e-9))
    nodes, parts = np.polynomial.legendre.leggauss(_NODES)
    at = ((np.arange(_PANELS)[:, None] + 0.5 * (nodes + 1.0)) / _PANELS).ravel()
    share = np.tile(0.5 * parts / _PANELS, _PANELS)
    log_x = start + (stop - start) * at
    terms = law.log_kernel(jnp.exp(log_x), theta) + log_x + _log_curve(log_x, curve)
    inside = jax.nn.logsumexp(terms + np.log(share)) + jnp.log(stop - start)
    if data.upper is None:
        beyond = law.log_mass(jnp.exp(stop), jnp.inf, theta)
    else:
        rest = stop < high - 1e-9
        end = jnp.where(rest, jnp.exp(stop), 0.5 * data.upper)
        beyond = jnp.where(rest, law.log_mass(end, data.upper, theta), -jnp.inf)
    return jnp.logaddexp(inside, beyond)


def _log_thinned_bins(law: Law, theta: jax.Array, edges: jax.Array, curve: jax.Array) -> jax.Array:
    nodes, parts = np.polynomial.legendre.leggauss(_BIN_NODES)
    width = (edges[1] - edges[0])[:, None]
    x = edges[0][:, None] + width * 0.5 * (nodes + 1.0)
    terms = law.log_kernel(x, theta) + _log_curve(jnp.log(x), curve)
    return jax.nn.logsumexp(terms + np.log(0.5 * parts), axis=1) + jnp.log(width[:, 0])


def log_likelihood_of(
    law: Law, theta: jax.Array, data: RecordedAreas, curve: jax.Array | None = None
) -> jax.Array:
    """Log-likelihood of recorded areas at `theta`; traceable.

    Args:
        law: family.
        theta: (k,) parameters.
        data: recorded areas.
        curve: (2,) ln half area and ln width where they are fitted; else those of `data`. A
            fitted curve adds its prior.
    """
    lower = 0.0 if data.lower is None else data.lower
    upper = jnp.inf if data.upper is None else data.upper
    log_x = jnp.asarray(data.log_x)
    prior = jnp.zeros((), dtype=log_x.dtype)
    at = None if data.curve is None else jnp.asarray(data.curve if curve is None else curve)
    if at is not None and data.curve_precision is not None:
        off = at - jnp.asarray(data.curve)
        prior = -0.5 * off @ jnp.asarray(data.curve_precision) @ off
    if at is None:
        mass = law.log_mass(lower, upper, theta)
    else:
        mass = _log_thinned_mass(law, theta, data, at)
    if data.bin_edges is None:
        terms = law.log_kernel(jnp.exp(log_x), theta)
        if at is not None:
            terms = terms + _log_curve(log_x, at)
    else:
        edges = jnp.asarray(data.bin_edges)
        if at is None:
            terms = law.log_mass(edges[0], edges[1], theta)
        else:
            terms = _log_thinned_bins(law, theta, edges, at)
    terms = terms - mass
    return prior + (terms if data.weights is None else data.weights * terms).sum()


@in_float64
def log_likelihood(
    law: str,
    theta: FloatArray,
    areas_m2: FloatArray,
    recording: Recording,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Log-likelihood of areas under a law and a way of recording.

    Args:
        law: name of the law.
        theta: (k,) parameters, in the order of the law.
        areas_m2: (n,) areas [m2].
        recording: how they were recorded.
        weights: (n,) how often each counts.

    Returns:
        The log-likelihood, a scalar (per m2 for exact areas, a log probability for bins).

    Raises:
        ValueError: bad areas, or outside the recording.

    Example:
        >>> areas = np.array([300.0, 800.0, 5000.0])
        >>> value = log_likelihood("dps", np.array([1.4, 2.3, 800.0]), areas, Recording())
        >>> float(value.round(3))
        -25.853
    """
    family = law_named(law)
    values = np.asarray(theta, dtype=np.float64)
    if values.shape != (family.k,):
        raise ValueError(f"theta: found shape {values.shape}; expected ({family.k},) for {law}")
    data = recorded_areas(check_areas(areas_m2, recording, least=1), recording, weights)
    return cast(FloatArray, log_likelihood_of(family, jnp.asarray(values), data))
