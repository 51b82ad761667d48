r"""How many landslides there were: the number above the cut, corrected for those below it.

An inventory counts n landslides above its detection limit c. With the share of the law above a
reference area r that lies above c (and is detected, under a detection curve), S, the number above
r is n / S. Two questions are kept apart:

* how many landslides larger than r happened here: n and the unseen ones, which are negative
  binomial(n, S) given n;
* what number was to be expected: gamma(n) / S, the rate of a Poisson process; this is what epochs
  and regions are compared by.

Both are drawn for each posterior draw of the law, so that the intervals carry the uncertainty of
the law and of the count, with their correlation. Below the detection limit the law is
extrapolated: no data speak there, and the result says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.predictive_checks import compiled, share_detected
from stats.sizes.recording import Recording


@dataclass(frozen=True)
class CorrectedNumber:
    """Numbers of landslides above a reference area; triples are (low, median, high).

    Attributes:
        reference_m2: landslides larger than this are counted [m2].
        limit_m2: detection limit of the inventory [m2].
        counted: landslides in the inventory.
        completeness: share of the landslides above the reference that were recorded [-].
        number: landslides that happened.
        expected: expected number (rate).
        level: probability of the intervals.
        number_draws: (draw,) posterior draws of the number, for contrasts.
        expected_draws: (draw,) posterior draws of the expected number.
        notes: what the reader must know.
    """

    reference_m2: float
    limit_m2: float
    counted: int
    completeness: tuple[float, float, float]
    number: tuple[float, float, float]
    expected: tuple[float, float, float]
    level: float
    number_draws: FloatArray
    expected_draws: FloatArray
    notes: tuple[str, ...]


@in_float64
def completeness_draws(
    law: str,
    theta: FloatArray,
    recording: Recording,
    reference_m2: float,
    *,
    curve: FloatArray | None = None,
) -> FloatArray:
    """(draw,) share of the landslides above the reference that an inventory records.

    Args:
        law: name of the law.
        theta: (draw, k) its parameters.
        recording: of the inventory.
        reference_m2: reference area, not above the detection limit [m2].
        curve: (draw, 2) ln half area and ln width of the detection curve, where there is one.

    Raises:
        ValueError: the reference is above the limit, or so low that the law has no finite mass
            above it.

    Example:
        >>> theta = np.array([[1.4], [1.4]])
        >>> share = completeness_draws("power", theta, Recording(lower_m2=200.0), 100.0)
        >>> bool(np.allclose(share, 2.0**-1.4))
        True
    """
    lower, upper = recording.edges()
    if not 0.0 <= reference_m2 <= lower:
        raise ValueError(
            f"reference_m2: found {reference_m2:g}; expected 0 <= reference <= {lower:g} m2, the "
            "detection limit (count those above a larger area instead)"
        )
    _, log_share = compiled(law)
    share = np.exp(np.asarray(log_share(lower, theta, lower=reference_m2, upper=upper)))
    if not np.all(share > 0.0):
        none = int(np.sum(~(share > 0.0)))
        raise ValueError(
            f"reference_m2: found {reference_m2:g}, above which {none} of {share.size} posterior "
            "draws of the law have no finite mass; expected a reference area nearer the limit"
        )
    if recording.detection is not None:
        if curve is None:
            raise ValueError("curve: found None; expected the detection curve of each draw")
        share = share * share_detected(law, theta, recording, curve)
    return share


def corrected_number(
    law: str,
    theta: FloatArray,
    counted: int,
    recording: Recording,
    reference_m2: float,
    *,
    rng: np.random.Generator,
    curve: FloatArray | None = None,
    level: float = 0.95,
) -> CorrectedNumber:
    """Number of landslides above a reference area, with its full uncertainty.

    Args:
        law: name of the law.
        theta: (draw, k) posterior draws (`Posterior.theta`, `HierarchicalPosterior.theta`).
        counted: landslides in the inventory, 1 or more.
        recording: of the inventory.
        reference_m2: reference area [m2], not above the detection limit.
        rng: of the unseen landslides.
        curve: (draw, 2) ln half area and ln width of the detection curve, where there is one.
        level: probability of the intervals.

    Raises:
        ValueError: bad count or reference (`completeness_draws`).

    Example:
        >>> theta = np.full((4000, 1), 1.0)
        >>> found = corrected_number("power", theta, 400, Recording(lower_m2=200.0), 100.0,
        ...                          rng=np.random.default_rng(1))
        >>> bool(abs(found.number[1] / 800.0 - 1.0) < 0.02), round(found.completeness[1], 6)
        (True, 0.5)
        >>> bool(found.expected[0] < found.number[0] < found.number[2] < found.expected[2])
        True
    """
    if counted < 1:
        raise ValueError(f"counted: found {counted}; expected 1 or more landslides")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a probability between 0 and 1")
    values = np.asarray(theta, dtype=np.float64)
    share = np.clip(
        completeness_draws(law, values, recording, reference_m2, curve=curve), 1e-12, 1.0
    )
    number = counted + rng.negative_binomial(counted, share).astype(np.float64)
    expected = rng.gamma(counted, size=share.size) / share
    tail = 0.5 * (1.0 - level)

    def triple(draws: FloatArray) -> tuple[float, float, float]:
        low, middle, high = (float(q) for q in np.quantile(draws, (tail, 0.5, 1.0 - tail)))
        return low, middle, high

    notes = []
    limit = recording.edges()[0]
    if reference_m2 < limit:
        notes.append(
            f"between {reference_m2:g} and {limit:g} m2 the law is extrapolated: no data speak "
            "there"
        )
    return CorrectedNumber(
        reference_m2=reference_m2,
        limit_m2=limit,
        counted=counted,
        completeness=triple(share),
        number=triple(number),
        expected=triple(expected),
        level=level,
        number_draws=number,
        expected_draws=expected,
        notes=tuple(notes),
    )
