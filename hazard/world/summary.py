"""Statistics of a series of area densities that a believable world shares with the real one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hazard.world.domain import Array

LAGS_KM = (1, 2, 5, 10, 20)
QUANTILES = (0.5, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class SeriesSummary:
    """One row per epoch unless said otherwise; densities in percent of the cell.

    Attributes:
        prevalence: (epoch,) share of mapped cells with new area.
        quantiles: (epoch, 4) median, 95 %, 99 % and maximum of the positive densities.
        log_sd: (epoch,) standard deviation of ln density of the positives.
        moran_presence: (epoch,) Moran's I (rook, row-standardised pairs) of presence.
        moran_log_density: (epoch,) Moran's I of ln density among neighbouring positives.
        autocorrelation: (epoch, lag) of presence, east-west, at `LAGS_KM`.
        after_positive: (epoch - 1,) P(positive | positive in the epoch before).
        after_negative: (epoch - 1,) P(positive | not positive before).
        log_correlation: (epoch - 1,) correlation of ln density where both are positive.
        ever: share of cells positive in at least one epoch.
        association: (epoch, epoch) phi coefficient between presences.
        area_km2: (epoch,) total increase, for cells of 1 km2.
    """

    prevalence: Array
    quantiles: Array
    log_sd: Array
    moran_presence: Array
    moran_log_density: Array
    autocorrelation: Array
    after_positive: Array
    after_negative: Array
    log_correlation: Array
    ever: float
    association: Array
    area_km2: Array


def moran_rook(values: Array, valid: Array) -> float:
    """Moran's I with binary rook weights among the valid cells; NaN without pairs or spread.

    Example:
        >>> board = np.indices((6, 6)).sum(axis=0) % 2.0
        >>> moran_rook(board, np.ones((6, 6), bool))
        -1.0
    """
    z = np.where(valid, values - values[valid].mean(), 0.0)
    pairs = cross = 0.0
    for axis in (0, 1):
        a, b = np.moveaxis(z, axis, 0)[:-1], np.moveaxis(z, axis, 0)[1:]
        va, vb = np.moveaxis(valid, axis, 0)[:-1], np.moveaxis(valid, axis, 0)[1:]
        both = va & vb
        pairs += both.sum()
        cross += (a * b)[both].sum()
    spread = (z[valid] ** 2).mean()
    return float(cross / pairs / spread) if pairs and spread > 0.0 else float("nan")


def east_west_correlation(values: Array, valid: Array, lag: int) -> float:
    """Pearson correlation of valid cells with those `lag` columns east."""
    both = valid[:, :-lag] & valid[:, lag:]
    return correlation(values[:, :-lag][both], values[:, lag:][both])


def correlation(a: Array, b: Array) -> float:
    """Pearson correlation; NaN for fewer than two values or without spread."""
    if a.size < 2 or a.std() == 0.0 or b.std() == 0.0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def summarise(density_percent: Array, mapped: Array) -> SeriesSummary:
    """Statistics of (epoch, y, x) densities on the mapped cells of 1 km."""
    density = [np.where(mapped, np.nan_to_num(d), 0.0) for d in density_percent]
    presence = [d > 0.0 for d in density]
    flat = np.array([p[mapped] for p in presence])
    log = [np.log(np.where(p, d, 1.0)) for p, d in zip(presence, density, strict=True)]
    n = len(density)
    return SeriesSummary(
        prevalence=flat.mean(axis=1),
        quantiles=np.array(
            [np.quantile(d[p], QUANTILES) for d, p in zip(density, presence, strict=True)]
        ),
        log_sd=np.array([v[p].std() for v, p in zip(log, presence, strict=True)]),
        moran_presence=np.array([moran_rook(p.astype(float), mapped) for p in presence]),
        moran_log_density=np.array([moran_rook(v, p) for v, p in zip(log, presence, strict=True)]),
        autocorrelation=np.array(
            [
                [east_west_correlation(p.astype(float), mapped, lag) for lag in LAGS_KM]
                for p in presence
            ]
        ),
        after_positive=np.array([flat[e][flat[e - 1]].mean() for e in range(1, n)]),
        after_negative=np.array([flat[e][~flat[e - 1]].mean() for e in range(1, n)]),
        log_correlation=np.array(
            [
                correlation(log[e][both], log[e - 1][both])
                for e in range(1, n)
                for both in [presence[e] & presence[e - 1]]
            ]
        ),
        ever=float(flat.any(axis=0).mean()),
        association=np.corrcoef(flat.astype(float)),
        area_km2=np.array([d.sum() / 100.0 for d in density]),
    )
