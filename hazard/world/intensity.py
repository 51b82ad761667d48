"""The intensity of landslide sources: a score from the drivers, a link, a level.

In each epoch sources form a Poisson process that is constant within the points of the 250 m
lattice (16 per cell) up to a pixel weight: given the drivers and the landslides of earlier epochs,
the expected number at a point is ``level * link(score)``. The level is not free: it is set so that
the expected share of mapped cells with at least one source is the planted one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from hazard.world.domain import Array
from hazard.world.drivers import Drivers
from hazard.world.parameters import Parameters
from hazard.world.settings import LATTICE_PER_CELL

LEGACY_KERNEL_POINTS = 1.2


def slope_term(parameters: Parameters, slope_deg: Array) -> Array:
    """Logistic effect of the slope, 0 on flat ground to 1 on cliffs."""
    z = (slope_deg - parameters.slope_centre_deg) / parameters.slope_width_deg
    return 1.0 / (1.0 + np.exp(-z))


def score(
    parameters: Parameters, drivers: Drivers, epoch: int, legacy: Array | None = None
) -> Array:
    """Linear predictor of one epoch on the lattice, (y, x), without its level.

    Args:
        parameters: the planted effects.
        drivers: fields on the lattice.
        epoch: zero-based epoch.
        legacy: (y, x) decayed count of earlier landslides at and near each point, or None.
    """
    p, d = parameters, drivers
    steep = slope_term(p, d.slope_deg)
    eta = (
        p.slope_effect[epoch] * steep
        + p.hollow * d.hollow
        + p.wetness * d.wetness
        + p.stream[epoch] * d.stream_proximity
        + p.height[epoch] * d.height
        + p.weak_rock[epoch] * d.weak_rock
        + p.road[epoch] * d.road_proximity
        + p.pga[epoch] * (d.ln_pga - 1.0) * (1.0 + p.pga_slope * (steep - 0.5))
        + p.rain[epoch] * d.rain_score[epoch] * (1.0 + p.rain_hollow * d.hollow)
        + p.random[epoch] * d.random_effect
        + p.regional[epoch] * d.regional_effect
        + p.epoch[epoch] * d.epoch_effect[epoch]
    )
    if legacy is not None:
        eta = eta + p.legacy[epoch] * np.log1p(legacy)
    # Nothing slides where there is nothing to slide down: plains are cut off smoothly.
    return eta + 2.0 * np.log(np.clip(d.slope_deg / 9.0, 1e-3, 1.0))


def link(parameters: Parameters, eta: Array) -> Array:
    """Relative intensity: exp(eta), or softplus, which is nearly linear for high scores."""
    if parameters.link == "log":
        return np.exp(eta)
    return np.logaddexp(0.0, 1.6 * (eta - 1.0)) ** 1.35


@dataclass(frozen=True)
class Intensity:
    """Expected number of sources per lattice point, (y, x), in one epoch.

    Attributes:
        lattice: (y, x) float64 on the 250 m lattice.
        level: factor that multiplies the link.
    """

    lattice: Array
    level: float

    @property
    def cell(self) -> Array:
        """(y, x) expected number of sources per cell."""
        return to_cells(self.lattice)


def to_cells(lattice: Array) -> Array:
    """Sums of a lattice field over the cells."""
    n = LATTICE_PER_CELL
    rows, cols = lattice.shape
    return lattice.reshape(rows // n, n, cols // n, n).sum(axis=(1, 3))


def with_level(relative: Array, presence: float, mapped: Array) -> Intensity:
    """Scale a relative intensity so that the mapped cells' mean of 1 - exp(-sum) is `presence`.

    Args:
        relative: (y, x) on the lattice, > 0 somewhere in every world.
        presence: share of mapped cells with at least one source, in (0, 1).
        mapped: (y, x) bool per cell.

    Example:
        >>> flat = np.ones((8, 8))
        >>> float(with_level(flat, 0.2, np.ones((2, 2), bool)).cell[0, 0].round(4))
        0.2231
    """
    cells = to_cells(relative)[mapped]

    def excess(log_level: float) -> float:
        return float(-np.expm1(-np.exp(log_level) * cells).mean() - presence)

    scale = -np.log(cells.mean())
    level = float(np.exp(optimize.brentq(excess, scale - 12.0, scale + 25.0, xtol=1e-10)))
    return Intensity(lattice=relative * level, level=level)


def legacy_field(shape: tuple[int, int], rows: Array, cols: Array, weight: Array) -> Array:
    """Decayed earlier landslides at lattice points, spread to the neighbours.

    Args:
        shape: of the lattice.
        rows: (n,) lattice rows of earlier landslides.
        cols: (n,) lattice columns.
        weight: (n,) their decayed weights.
    """
    flat = np.bincount(rows * shape[1] + cols, weights=weight, minlength=shape[0] * shape[1])
    return ndimage.gaussian_filter(flat.reshape(shape), LEGACY_KERNEL_POINTS) * 8.0
