r"""Intervals of the true exponent and the true total area, with the detection error carried on.

The size likelihood takes the recall curve (`stats.sizes.detection`). Splits, merges, outlines and
false alarms it cannot take, and each of them bends the recorded exponent. So the recorded estimate
:math:`\hat\theta` (recall curve included) is put in its place by simulation (indirect inference):
inventories drawn from a law with exponent :math:`\theta` pass through the emulated detector, with
its parameters drawn from the bootstrap of the held-out blocks, until as many outlines are recorded
as were detected, and are fitted in the same way. With the mean m and the spread of those fits at
two exponents, and the slope g of m,

.. math:: \ln\theta_b = \ln\theta_1 + (\ln\hat\theta - \ln\tilde\theta_b) / g

are draws of the true exponent: sampling and the uncertainty of the detector in one, their spread
widened as a t interval over as many blocks is. The total is
the detected one times the ratio of true to detected area in inventories simulated at such draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detection.observation.emulate import emulate, false_alarms
from detection.observation.model import ObservationModel, recall_of
from stats.case_arrays import FloatArray
from stats.sizes.bootstrap import refit_many
from stats.sizes.detection import DetectionCurve, NotIdentifiedError
from stats.sizes.recording import Recording, check_areas

LAW = "power"
LEAST_EXPONENT, MOST_EXPONENT = 0.3, 8.0
MOST_FALSE = 0.3
"""Share of false alarms beyond which a note warns; coverage was measured with about a sixth."""
LEAST_RESPONSE = 0.5


@dataclass(frozen=True, kw_only=True)
class CarriedEstimate:
    """An estimate of the truth with the detection error carried on.

    Attributes:
        quantity: "alpha" [-] or "total_m2" [m2].
        recorded: the estimate from the detected inventory as it is.
        value: corrected estimate.
        low: lower end of its interval.
        high: upper end.
        level: nominal coverage.
        draws: simulated inventories behind it.
    """

    quantity: str
    recorded: float
    value: float
    low: float
    high: float
    level: float
    draws: int


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Exponent and total area.

    Attributes:
        alpha: exponent of the cumulative tail above the minimum.
        total_m2: area of all landslides above the minimum on the ground looked at.
        alpha_draws: (draw,) of the true exponent.
        response: relative change of the recorded exponent with the true one.
        curve: recall curve that the size likelihood took; None where recall does not rise with
            area, and the simulation alone corrects for it.
        notes: caveats.
    """

    alpha: CarriedEstimate
    total_m2: CarriedEstimate
    alpha_draws: tuple[float, ...]
    response: float
    curve: DetectionCurve | None
    notes: tuple[str, ...]


def recorded_exponents(
    samples: FloatArray, minimum_m2: float, curve: DetectionCurve | None
) -> FloatArray:
    """(draw,) maximum-likelihood exponents of recorded areas (draw, n), all refitted in one batch.

    Args:
        samples: areas, none below the minimum.
        minimum_m2: lower end of the recording.
        curve: recall curve, taken as known; None: everything is recorded.
    """
    known = None if curve is None else replace(curve, covariance=None)
    recording = Recording(lower_m2=minimum_m2, detection=known)
    return refit_many(LAW, samples, recording, [1.5]).theta[:, 0]


def carry(
    detected_m2: ArrayLike,
    model: ObservationModel,
    *,
    slope_deg: ArrayLike,
    ground_km2: ArrayLike,
    rng: np.random.Generator,
    draws: int = 200,
    level: float = 0.9,
) -> Carried:
    """Exponent and total area of the true landslides behind a detected inventory.

    The law is a power law above `model.minimum_m2`; cut the inventory above its rollover.

    Args:
        detected_m2: (n,) detected areas, none below `model.minimum_m2` [m2].
        model: detection error of the same detector, from held-out ground like this.
        slope_deg: (n,) slopes at the detected landslides.
        ground_km2: (class,) ground looked at by slope class (`calibration.SLOPE_EDGES_DEG`).
        rng: of everything.
        draws: simulated inventories per step.
        level: nominal coverage.

    Raises:
        ValueError: areas below the minimum, or too few of them.
    """
    minimum = model.minimum_m2
    areas = check_areas(np.asarray(detected_m2), Recording(lower_m2=minimum), least=20)
    slopes = np.asarray(slope_deg, dtype=np.float64)
    notes = list(model.notes)
    curve = None
    try:
        curve = model.detection_curve(float(slopes.mean()))
    except NotIdentifiedError as error:
        # The simulation corrects for recall as well; the curve only starts it closer.
        notes.append(f"the size likelihood took no recall curve: {error}")
    recorded = float(recorded_exponents(areas[None], minimum, curve)[0])
    truth = _Truth(model, slopes, np.asarray(ground_km2, np.float64), areas.size, rng)
    # In logarithms: the sampling error of an exponent grows with it.
    limits = (math.log(LEAST_EXPONENT), math.log(MOST_EXPONENT))
    at = math.log(recorded)

    def fits(log_alpha: FloatArray) -> FloatArray:
        return np.log(recorded_exponents(truth.inventories(np.exp(log_alpha))[0], minimum, curve))

    start = float(np.clip(at, *limits))
    first = fits(np.full(draws, start))
    # A step away from the start where the detector changes nothing, so that a slope is there.
    gap = at - float(first.mean())
    step = gap if abs(gap) > 0.1 else 0.1 * (1.0 if gap >= 0.0 else -1.0)
    second = float(np.clip(start + step, *limits))
    found = fits(np.full(draws, second))
    response = float(np.clip((found.mean() - first.mean()) / (second - start), 0.3, 2.0))
    centred = (found.mean() - found) / response * _expansion(model.n_blocks, level)
    log_alpha = second + (at - found.mean()) / response + centred
    alpha = np.exp(np.clip(log_alpha, *limits))
    samples, true_total = truth.inventories(alpha)
    total = areas.sum() * true_total / samples.sum(axis=1)

    def summary(quantity: str, naive: float, values: FloatArray) -> CarriedEstimate:
        low, middle, high = np.quantile(values, (0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level))
        return CarriedEstimate(
            quantity=quantity, recorded=naive, value=float(middle), low=float(low),
            high=float(high), level=level, draws=draws,
        )  # fmt: skip

    if truth.false_share > MOST_FALSE:
        notes.append(
            f"{100 * truth.false_share:.0f} % of the outlines are expected to be false alarms: "
            "what is left to tell of the true ones is little, and coverage was measured with about "
            "a sixth; do not rely on exponent and total"
        )
    if response < LEAST_RESPONSE:
        notes.append(
            f"the recorded exponent follows the true one by {response:.2f} only: it says little "
            "of it"
        )
    if float(np.median(alpha)) <= 1.0:
        notes.append("alpha <= 1: the law has no mean, the total is that of these landslides only")
    return Carried(
        alpha=summary("alpha", recorded, alpha),
        total_m2=summary("total_m2", float(areas.sum()), total),
        alpha_draws=tuple(alpha.tolist()),
        response=response,
        curve=curve,
        notes=tuple(notes),
    )


def _expansion(n_blocks: int, level: float) -> float:
    """How much wider a t interval over few blocks is than percentiles of their bootstrap."""
    q = 0.5 + 0.5 * level
    t = special.stdtrit(n_blocks - 1, q) / special.ndtri(q)
    return float(t * math.sqrt(n_blocks / (n_blocks - 1)))


class _Truth:
    """Inventories of the same number of outlines, from laws of given exponents."""

    def __init__(
        self,
        model: ObservationModel,
        slopes: FloatArray,
        ground_km2: FloatArray,
        n: int,
        rng: np.random.Generator,
    ) -> None:
        self.model, self.slopes, self.ground, self.n, self.rng = model, slopes, ground_km2, n, rng
        self.false_counts: list[int] = []

    @property
    def false_share(self) -> float:
        """Expected share of false alarms among the outlines, of all inventories so far."""
        return float(np.minimum(np.array(self.false_counts) / self.n, 1.0).mean())

    def inventories(self, exponents: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(draw, n) detected areas, and (draw,) true areas behind them [m2]."""
        out = np.empty((exponents.size, self.n))
        true = np.empty(exponents.size)
        which = self.rng.integers(0, len(self.model.draws), exponents.size)
        for row, (alpha, draw) in enumerate(zip(exponents, which, strict=True)):
            out[row], true[row] = self._one(float(alpha), self.model.named(int(draw)))
        return out, true

    def _one(self, alpha: float, values: dict[str, float]) -> tuple[FloatArray, float]:
        minimum, rng = self.model.minimum_m2, self.rng
        false = false_alarms(values, self.ground, minimum_m2=minimum, rng=rng)
        self.false_counts.append(false.size)
        # At least one outline is a landslide.
        false = false[: self.n - 1]
        wanted = self.n - false.size
        # Slopes of what was found are those of the landslides times their recall.
        typical = recall_of(values, 2.0 * minimum, self.slopes, minimum)
        weight = 1.0 / np.maximum(typical, 0.02)
        per = max(0.02, float(typical.mean()))
        size = int(1.2 * wanted / per) + 50
        while True:
            areas = minimum * rng.random(size) ** (-1.0 / alpha)
            slopes = rng.choice(self.slopes, size, p=weight / weight.sum())
            seen = emulate(values, areas, slopes, minimum_m2=minimum, rng=rng)
            if seen.area_m2.size >= wanted:
                break
            size *= 2
        last = int(seen.source[wanted - 1])
        return (
            np.concatenate([seen.area_m2[:wanted], false]),
            float(areas[: last + 1].sum()),
        )
