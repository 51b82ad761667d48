"""Landslides: Poisson sources from the intensity, areas from the size law, footprints, no overlap.

Within a lattice point the source is a pixel drawn with weight exp(slope / 8 deg). The area comes
from the epoch's law at a normal score that the place (relief, a hidden field) and chance share;
the place's part is a standard normal under the intensity, so the areas of an epoch follow the law
exactly. Footprints do not overlap: a landslide that would meet an older (or larger) one is moved
within its neighbourhood, and given up after a few trials, the one interaction between landslides.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from scipy import special

from hazard.world.domain import Array, lattice_grid, pixel_grid
from hazard.world.drivers import Drivers
from hazard.world.footprints import Descent, draw_aspect, footprints
from hazard.world.intensity import Intensity
from hazard.world.parameters import Parameters, SizeLaw
from hazard.world.settings import LATTICE_PER_CELL, WorldConfig
from stats.sizes import double_pareto, inverse_gamma

CLEARANCE_M = 15.0
MAX_TRIALS = 5
PIXEL_SLOPE_SCALE_DEG = 8.0


@dataclass(frozen=True)
class Landslides:
    """True landslides, in the order of their epochs.

    Attributes:
        polygon: (n,) valid polygons, apart from each other by `CLEARANCE_M`.
        area_m2: (n,) their areas.
        epoch: (n,) zero-based epoch of failure; -1 before the earthquake.
        row: (n,) lattice row of the source.
        col: (n,) lattice column of the source.
        n_dropped: (epoch + 1,) landslides given up because there was no room, baseline first.
    """

    polygon: Array
    area_m2: Array
    epoch: Array
    row: Array
    col: Array
    n_dropped: tuple[int, ...]


def law_quantile(law: SizeLaw, probability: Array) -> Array:
    """Areas [m2] at probabilities under a size law."""
    quantile = double_pareto.quantile if law.kind == "double_pareto" else inverse_gamma.quantile
    # Every length would be compiled anew; powers of two are few.
    n = probability.size
    padded = np.pad(probability, (0, (1 << max(n - 1, 0).bit_length()) - n), constant_values=0.5)
    return quantile(padded, *law.values, lower=law.lower_m2, upper=law.upper_m2)[:n]


def law_cdf(law: SizeLaw, area_m2: Array) -> Array:
    """Probability that an area [m2] is not exceeded under a size law."""
    cdf = double_pareto.cdf if law.kind == "double_pareto" else inverse_gamma.cdf
    return cdf(area_m2, *law.values, lower=law.lower_m2, upper=law.upper_m2)


def place_scores(parameters: Parameters, drivers: Drivers, intensity: Intensity) -> Array:
    """(y, x) size score of places, standard normal under the intensity."""
    raw = drivers.size_effect + parameters.size_relief * (
        (drivers.relief_km - drivers.relief_km.mean()) / drivers.relief_km.std()
    )
    order = np.argsort(raw, axis=None)
    weight = intensity.lattice.ravel()[order]
    share = (np.cumsum(weight) - 0.5 * weight) / weight.sum()
    out = np.empty(raw.size)
    out[order] = special.ndtri(np.clip(share, 1e-9, 1 - 1e-9))
    return out.reshape(raw.shape)


def draw_sources(intensity: Intensity, rng: np.random.Generator) -> tuple[Array, Array]:
    """(row, col) of the lattice points of a Poisson number of sources at each point."""
    counts = rng.poisson(intensity.lattice)
    flat = np.repeat(np.arange(counts.size), counts.ravel())
    rng.shuffle(flat)
    return np.divmod(flat, counts.shape[1])


class PixelChoice:
    """Draws the pixel of a source within its lattice point, steep pixels first."""

    def __init__(self, config: WorldConfig, elevation_m: Array) -> None:
        self.n = config.pixels_per_cell // LATTICE_PER_CELL
        self.grid = pixel_grid(config)
        self.elevation = elevation_m

    def weights(self, rows: Array, cols: Array) -> Array:
        """(k, n * n) pixel weights within lattice points, each row sums to 1."""
        n = self.n
        if n == 1:
            return np.ones((rows.size, 1))
        r = rows[:, None, None] * n + np.arange(n)[None, :, None]
        c = cols[:, None, None] * n + np.arange(n)[None, None, :]
        z, (height, width) = self.elevation, self.elevation.shape
        up, down = np.maximum(r - 1, 0), np.minimum(r + 1, height - 1)
        left, right = np.maximum(c - 1, 0), np.minimum(c + 1, width - 1)
        m = self.grid.cell_size[0]
        gradient = np.hypot(
            (z[down, c] - z[up, c]) / ((down - up) * m),
            (z[r, right] - z[r, left]) / ((right - left) * m),
        )
        slope = np.degrees(np.arctan(gradient)).reshape(rows.size, n * n)
        weight = np.exp((slope - slope.max(axis=1, keepdims=True)) / PIXEL_SLOPE_SCALE_DEG)
        return weight / weight.sum(axis=1, keepdims=True)

    def draw(self, rows: Array, cols: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """(x, y) [m] of sources, uniform within the pixel drawn."""
        pixel = np.empty(rows.size, dtype=np.int64)
        u = rng.random(rows.size)
        for begin in range(0, rows.size, 100_000):
            part = slice(begin, begin + 100_000)
            total = np.cumsum(self.weights(rows[part], cols[part]), axis=1)
            pixel[part] = np.minimum((total < u[part, None]).sum(axis=1), self.n**2 - 1)
        r = rows * self.n + pixel // self.n + rng.random(rows.size)
        c = cols * self.n + pixel % self.n + rng.random(rows.size)
        t = self.grid.transform
        return t.c + c * t.a, t.f + r * t.e


def draw_epoch(
    config: WorldConfig,
    parameters: Parameters,
    drivers: Drivers,
    intensity: Intensity,
    epoch: int,
    *,
    pixels: PixelChoice,
    field: Descent,
    standing: Array,
    rng: np.random.Generator,
    shape_rng: np.random.Generator,
) -> tuple[Array, Array, Array, Array, int]:
    """New landslides of one epoch among those that stand already.

    Args:
        config: the world's settings.
        parameters: the planted values.
        drivers: fields on the lattice.
        intensity: expected sources per lattice point.
        epoch: zero-based epoch whose size law holds.
        pixels: chooser of pixels.
        field: descent directions.
        standing: (m,) polygons of earlier landslides.
        rng: stream of sources and sizes.
        shape_rng: stream of footprints.

    Returns:
        (polygons, areas [m2], lattice rows, lattice columns, number given up).
    """
    rows, cols = draw_sources(intensity, rng)
    place = place_scores(parameters, drivers, intensity)[rows, cols]
    share, law = parameters.size_correlation[epoch], parameters.sizes[epoch]
    normal = np.sqrt(share) * place + np.sqrt(1.0 - share) * rng.standard_normal(rows.size)
    area = law_quantile(law, special.ndtr(normal))
    # Large ones are placed first: among new landslides, the smaller one moves.
    order = np.argsort(-area, kind="stable")
    rows, cols, area = rows[order], cols[order], area[order]
    n = area.size
    aspect = draw_aspect(area, shape_rng)
    rough = shape_rng.standard_normal((n, 2, 7))
    x, y = pixels.draw(rows, cols, rng)
    polygon = footprints(x, y, area, aspect, field, rough)
    waiting = np.arange(n)
    settled = np.zeros(n, dtype=bool)
    limits = (lattice_grid(config).shape[0] - 1, lattice_grid(config).shape[1] - 1)
    for trial in range(MAX_TRIALS):
        clash = _clashes(polygon, waiting, settled, standing)
        settled[waiting[~clash]] = True
        waiting = waiting[clash]
        if waiting.size == 0 or trial == MAX_TRIALS - 1:
            break
        reach = 1 + trial // 2
        rows[waiting] = np.clip(
            rows[waiting] + rng.integers(-reach, reach + 1, waiting.size), 0, limits[0]
        )
        cols[waiting] = np.clip(
            cols[waiting] + rng.integers(-reach, reach + 1, waiting.size), 0, limits[1]
        )
        x, y = pixels.draw(rows[waiting], cols[waiting], rng)
        polygon[waiting] = footprints(x, y, area[waiting], aspect[waiting], field, rough[waiting])
    keep = np.flatnonzero(settled)
    return polygon[keep], area[keep], rows[keep], cols[keep], n - keep.size


def _clashes(polygon: Array, waiting: Array, settled: Array, standing: Array) -> Array:
    """Which of the waiting ones are too near to a standing, settled or larger waiting one.

    Nearly all are, where landslides are dense, and one neighbour is enough to know it.
    """
    mine = polygon[waiting]
    shapely.prepare(mine)
    clash = np.zeros(waiting.size, dtype=bool)
    for fixed in (standing, polygon[settled]):
        free = np.flatnonzero(~clash)
        clash[free] = _near_any(mine[free], fixed)
    free = np.flatnonzero(~clash)
    # `waiting` runs from large to small: the later of a pair yields, unless the other has to move.
    first, second = _box_pairs(mine[free], mine[free])
    earlier = first < second
    order = np.lexsort((first[earlier], second[earlier]))
    first, second = free[first[earlier][order]], free[second[earlier][order]]
    starts = np.flatnonzero(np.diff(second, prepend=-1))
    for begin, end in pairwise([*starts.tolist(), second.size]):
        larger = first[begin:end][~clash[first[begin:end]]]
        one = second[begin]
        clash[one] = shapely.dwithin(mine[one], mine[larger], CLEARANCE_M).any()
    # What preparing holds is larger than the outlines.
    shapely.destroy_prepared(mine)
    return clash


def _near_any(mine: Array, others: Array) -> Array:
    """Which of some are within the clearance of any other; the likeliest are tried first."""
    near = np.zeros(mine.size, dtype=bool)
    if not mine.size or not len(others):
        return near
    one, other = _box_pairs(mine, others)
    a, b = shapely.bounds(mine)[one], shapely.bounds(others)[other]
    common = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0.0, None)
    order = np.lexsort((-common.prod(axis=1), one))
    one, other = one[order], other[order]
    while one.size:
        # The first pair of each that is left.
        head = np.diff(one, prepend=-1) > 0
        hit = shapely.dwithin(mine[one[head]], others[other[head]], CLEARANCE_M)
        near[one[head][hit]] = True
        left = ~head & ~near[one]
        one, other = one[left], other[left]
    return near


def _box_pairs(mine: Array, others: Array) -> tuple[Array, Array]:
    """Pairs whose bounding boxes are within the clearance; only they can be."""
    x0, y0, x1, y1 = shapely.bounds(mine).T
    # A metre more than the clearance: rounding loses no pair.
    reach = CLEARANCE_M + 1.0
    boxes = shapely.box(x0 - reach, y0 - reach, x1 + reach, y1 + reach)
    one, other = shapely.STRtree(others).query(boxes)
    return one, other
