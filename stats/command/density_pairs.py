"""K function and pair correlation of one epoch against an inhomogeneous Poisson process.

The intensity is a kernel estimate of the same landslides with a wide kernel, so that trends of the
study (rock, relief, shaking) are explained and clusters narrower than the kernel are not. Distances
reach to half the width of that kernel: farther out the intensity itself follows the points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.density.kernel import kernel_density
from stats.density.point_pattern import PairStatistics, pair_envelopes, pair_statistics
from stats.density.window import Window, counts_on
from stats.spatial.envelope import Envelope

# More points are thinned: pairs grow with their square, and thinning changes neither K nor g.
MOST_POINTS = 3000
FEWEST_POINTS = 30
STEPS = 20
# Of the window's shorter side; clusters of landslides are narrower.
KERNEL_SHARE = 0.125


@dataclass(frozen=True, kw_only=True, eq=False)
class PairSummary:
    """Second-order statistics of one epoch.

    Attributes:
        n: landslides looked at.
        thinned_from: landslides of the epoch, where not all were looked at; else n.
        kernel_m: bandwidth of the intensity [m].
        found: K, L, g at the distances.
        spread: L(r) - r beside those of Poisson processes [m].
        correlation: g beside those of Poisson processes.
        reach_m: distance up to which g lies above its whole envelope from the smallest distance
            on [m]; 0 where it does not there.
    """

    n: int
    thinned_from: int
    kernel_m: float
    found: PairStatistics
    spread: Envelope
    correlation: Envelope
    reach_m: float


def pair_summary(
    x_m: FloatArray,
    y_m: FloatArray,
    window: Window,
    *,
    rng: np.random.Generator,
    simulations: int,
    level: float = 0.95,
) -> PairSummary | None:
    """Pairs of landslides of one epoch; None with fewer than 30 of them.

    Args:
        x_m: (landslide,) eastings [m], inside the window.
        y_m: (landslide,) northings [m].
        window: the ground looked at.
        rng: of thinning and simulated patterns.
        simulations: simulated patterns of each envelope.
        level: coverage of the envelopes.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> window = Window(inside=np.ones((40, 40), bool), west_m=0.0, north_m=4e4, cell_m=1e3)
        >>> parents = rng.uniform(1e3, 3.9e4, (2, 40))
        >>> x, y = np.repeat(parents, 8, axis=1) + rng.normal(0.0, 150.0, (2, 320))
        >>> found = pair_summary(x, y, window, rng=rng, simulations=39)
        >>> found.correlation.p_value <= 0.05, found.reach_m > 100.0
        (True, True)
    """
    n = x_m.size
    if n < FEWEST_POINTS:
        return None
    kept = np.sort(rng.permutation(n)[:MOST_POINTS])
    x, y = x_m[kept], y_m[kept]
    rows, columns = window.inside.shape
    side = min(math.sqrt(window.area_km2 * 1e6), min(rows, columns) * window.cell_m)
    kernel = max(KERNEL_SHARE * side, 2.0 * window.cell_m)
    counts, _ = counts_on(window, x, y)
    intensity = kernel_density(counts, window, bandwidth_m=kernel).per_km2
    distance = np.linspace(0.5 * kernel / STEPS, 0.5 * kernel, STEPS)
    # A kernel narrower than the steps would leave holes between them.
    width = max(distance[0], math.sqrt(5.0) * 0.15 / math.sqrt(n / (window.area_km2 * 1e6)))
    width = min(width, 0.25 * kernel)
    try:
        found = pair_statistics(
            x, y, window, distance_m=distance, intensity_per_km2=intensity, bandwidth_m=width
        )
        envelopes = pair_envelopes(
            x, y, window, distance_m=distance, intensity_per_km2=intensity, bandwidth_m=width,
            rng=rng, simulations=simulations, level=level,
        )  # fmt: skip
    except UndefinedScoreError:
        return None
    spread, correlation = envelopes["L"], envelopes["g"]
    above = correlation.observed > correlation.band_high
    first = int(np.argmin(above)) if not above.all() else above.size
    return PairSummary(
        n=int(x.size), thinned_from=int(n), kernel_m=kernel, found=found, spread=spread,
        correlation=correlation, reach_m=float(distance[first - 1]) if first else 0.0,
    )  # fmt: skip
