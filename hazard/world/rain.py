"""Daily monsoon rain with orography, on a grid of about 5 km.

Occurrence is a two-state Markov chain driven by spatially correlated normal scores; amounts on
wet days are gamma distributed, with a correlated score of their own; both follow the season and
the orography (most rain falls where the first high ridges lift the southerly flow). A few days a
year carry cloudbursts of some tens of kilometres, as post-seismic landslide triggers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, stats

from hazard.geo.grid import Grid
from hazard.world.domain import (
    MARGIN_KM,
    Array,
    across_belt_km,
    cell_grid,
    random_stream,
    region_axes_km,
    to_km,
)
from hazard.world.settings import WorldConfig

RAIN_CELL_KM = 5
WET_THRESHOLD_MM_DAY = 0.1
GAMMA_SHAPE = 0.75
OCCURRENCE_RANGE_KM = 90.0
AMOUNT_RANGE_KM = 45.0
AMOUNT_PERSISTENCE = 0.25
# Month -> (share of wet days, mean of a wet day [mm]) at a place of orographic factor 1; the
# monsoon from June to September, after the course of CHIRPS at stations of central Nepal.
MONTHS = {
    1: (0.06, 5.0), 2: (0.09, 6.0), 3: (0.13, 6.0), 4: (0.22, 7.0), 5: (0.36, 8.0),
    6: (0.62, 13.0), 7: (0.85, 17.0), 8: (0.83, 16.0), 9: (0.62, 13.0), 10: (0.17, 10.0),
    11: (0.03, 6.0), 12: (0.03, 5.0),
}  # fmt: skip
CLOUDBURSTS_PER_MONSOON = 14


@dataclass(frozen=True)
class Rain:
    """Daily rain of a world: mm_day (time, y, x) float32 on `grid`, from `first_day` on."""

    mm_day: Array
    grid: Grid
    first_day: dt.date

    def between(self, start: dt.date, end: dt.date) -> Array:
        """The days from `start` to before `end`: (time, y, x)."""
        return self.mm_day[(start - self.first_day).days : (end - self.first_day).days]


def orographic_factor(regional_elevation_m: Array) -> Array:
    """(y, x) factor on the rain of the 5 km region: up on southern flanks, down in the lee."""
    smooth = ndimage.gaussian_filter(regional_elevation_m.astype(np.float64), 6.0)
    block = (smooth.shape[0] // RAIN_CELL_KM, smooth.shape[1] // RAIN_CELL_KM)
    y, x = region_axes_km(1.0)
    d = across_belt_km(*np.meshgrid(x, y))
    # The flow comes from the south-south-west: lift is the rise along N23E.
    dy, dx = np.gradient(smooth)
    angle = np.radians(23.0)
    lift = dx * np.sin(angle) - dy * np.cos(angle)
    belt = 0.75 + 0.9 * np.exp(-0.5 * ((d + 42.0) / 16.0) ** 2)
    belt += 0.35 * np.exp(-0.5 * ((d + 105.0) / 14.0) ** 2)
    belt *= np.interp(d, (-30.0, 15.0), (1.0, 0.3))
    factor = belt * np.exp(np.clip(lift / 160.0, -0.4, 0.5))
    rows, cols = block
    crop = factor[: rows * RAIN_CELL_KM, : cols * RAIN_CELL_KM]
    return crop.reshape(rows, RAIN_CELL_KM, cols, RAIN_CELL_KM).mean((1, 3))


def _season(first: dt.date, n_days: int) -> tuple[Array, Array, Array]:
    """(share of wet days, mean of a wet day [mm], day of the year) per day, smooth over months."""
    middles = np.array([(dt.date(2001, m, 15) - dt.date(2001, 1, 1)).days for m in MONTHS])
    days = np.array([(first + dt.timedelta(days=i)).timetuple().tm_yday for i in range(n_days)])
    wet = np.interp(days, middles, [v[0] for v in MONTHS.values()], period=365)
    mean = np.interp(days, middles, [v[1] for v in MONTHS.values()], period=365)
    return wet, mean, days


def build_rain(
    config: WorldConfig,
    regional_elevation_m: Array,
    last_day: dt.date,
    *,
    progress: Callable[[int], None] | None = None,
) -> Rain:
    """Generate the daily rain from January of the first year to `last_day`.

    Args:
        config: the world's settings.
        regional_elevation_m: (y, x) elevation of the 1 km region [m].
        last_day: last day that is needed.
        progress: called with the number of years done since the last call.

    Returns:
        Rain on whole 5 km cells over the study and one cell more on each side.
    """
    rng = random_stream(config, "rain")
    factor = orographic_factor(regional_elevation_m)
    first = dt.date(config.rain_start_year, 1, 1)
    n_days = (last_day - first).days + 1
    wet_share, wet_mean, day_of_year = _season(first, n_days)
    rows, cols, grid = _window(config)
    window = np.ix_(np.arange(*rows), np.arange(*cols))
    gamma_quantile = _gamma_table()
    out = np.zeros((n_days, rows[1] - rows[0], cols[1] - cols[0]), dtype=np.float32)
    shape = factor.shape
    occurrence = _Spectrum(shape, OCCURRENCE_RANGE_KM)
    amount = _Spectrum(shape, AMOUNT_RANGE_KM)
    year_effect = 1.0
    wet_before = np.zeros(shape, dtype=bool)
    score = amount.draw(rng)
    here = np.clip(factor, 0.3, 2.2)
    for day in range(n_days):
        if day == 0 or day_of_year[day] == 1:
            year_effect = float(np.exp(0.12 * rng.standard_normal()))
            if progress is not None and day:
                progress(1)
        # First-order Markov chain with a lag-one correlation of about 0.45 and the season's share.
        share = np.clip(wet_share[day] * here**0.35, 0.01, 0.95)
        stay = share + 0.45 * (1.0 - share)
        start = share * 0.55
        u = stats.norm.cdf(occurrence.draw(rng))
        wet = u < np.where(wet_before, stay, start)
        score = AMOUNT_PERSISTENCE * score + np.sqrt(1 - AMOUNT_PERSISTENCE**2) * amount.draw(rng)
        mean = wet_mean[day] * year_effect * here
        mm = np.where(wet, mean * gamma_quantile(score) + WET_THRESHOLD_MM_DAY, 0.0)
        if 150 < day_of_year[day] < 280 and rng.random() < CLOUDBURSTS_PER_MONSOON / 130.0:
            mm += _cloudburst(shape, here, rng)
        wet_before = wet
        out[day] = mm[window]
    if progress is not None:
        progress(1)
    return Rain(out, grid, first)


class _Spectrum:
    """Draws of one Gaussian field on a small torus, fast enough for every day."""

    def __init__(self, shape: tuple[int, int], range_km: float) -> None:
        self.shape = shape
        self.torus = tuple(fft.next_fast_len(n + round(range_km / RAIN_CELL_KM)) for n in shape)
        rows, cols = self.torus
        ky = np.fft.fftfreq(rows, RAIN_CELL_KM)[:, None] * 2 * np.pi
        kx = np.fft.fftfreq(cols, RAIN_CELL_KM)[None, :] * 2 * np.pi
        density = ((3.0 / range_km) ** 2 + kx**2 + ky**2) ** -1.5
        self.amplitude = np.sqrt(density / density.mean())

    def draw(self, rng: np.random.Generator) -> Array:
        noise = fft.fft2(rng.standard_normal(self.torus))
        field = fft.ifft2(noise * self.amplitude).real
        return field[: self.shape[0], : self.shape[1]]


def _gamma_table() -> Callable[[Array], Array]:
    """Quantile of the unit-mean gamma law at a normal score, tabulated."""
    scores = np.linspace(-6.0, 6.0, 481)
    table = stats.gamma.ppf(stats.norm.cdf(scores), GAMMA_SHAPE, scale=1.0 / GAMMA_SHAPE)
    return lambda score: np.interp(score, scores, table)


def _cloudburst(shape: tuple[int, int], here: Array, rng: np.random.Generator) -> Array:
    weight = here / here.sum()
    centre = divmod(int(rng.choice(weight.size, p=weight.ravel())), shape[1])
    r, c = np.ogrid[: shape[0], : shape[1]]
    radius = np.exp(rng.normal(np.log(11.0), 0.4)) / RAIN_CELL_KM
    peak = 40.0 + rng.gamma(2.0, 30.0)
    return peak * np.exp(-0.5 * ((r - centre[0]) ** 2 + (c - centre[1]) ** 2) / radius**2)


def _window(config: WorldConfig) -> tuple[tuple[int, int], tuple[int, int], Grid]:
    """Row and column ranges of the 5 km region that cover the study, and their grid."""
    grid = cell_grid(config)
    left, bottom, right, top = grid.bounds
    (x0, x1), (y1, y0) = to_km(np.array([left, right]), np.array([bottom, top]))
    step = RAIN_CELL_KM
    col0, col1 = int((x0 + MARGIN_KM) // step) - 1, int(-(-(x1 + MARGIN_KM) // step)) + 1
    row0, row1 = int((y0 + MARGIN_KM) // step) - 1, int(-(-(y1 + MARGIN_KM) // step)) + 1
    origin = (left - (x0 + MARGIN_KM - col0 * step) * 1000.0,
              top + (y0 + MARGIN_KM - row0 * step) * 1000.0)  # fmt: skip
    size = ((row1 - row0) * step * 1000.0, (col1 - col0) * step * 1000.0)
    bounds = (origin[0], origin[1] - size[0], origin[0] + size[1], origin[1])
    return (row0, row1), (col0, col1), Grid.from_bounds(grid.crs, bounds, cell_m=step * 1000.0)
