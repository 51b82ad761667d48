"""How well simple models forecast a series of area densities: what the calibration tests use.

Features are those of a 1 km study: slope, shaking, rain, season, monsoons, the past of the cell and
of its neighbourhood. Every statement is out of time: all earlier epochs train, one epoch tests.
"""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
from scipy import ndimage
from sklearn.metrics import roc_auc_score

Array = np.ndarray[Any, np.dtype[Any]]


def past_features(density: Array, mapped: Array, epoch: int) -> Array:
    """(feature, y, x) from the epochs before: lags, means, neighbourhoods of 3, 5 and 9 cells."""
    past = np.where(mapped, np.nan_to_num(density[:epoch]), 0.0)
    weight = mapped.astype(float)
    features = []
    for series in (np.log1p(10.0 * past), (past > 0).astype(float)):
        mean = series.mean(axis=0)
        features += [series[-1], mean, series[0]]
        features.append(series[-2] if epoch > 1 else np.zeros_like(mean))
        for side in (3, 5, 9):
            near = ndimage.uniform_filter(weight, side, mode="constant")
            for field in (mean, series[-1]):
                features.append(
                    ndimage.uniform_filter(field * weight, side, mode="constant")
                    / np.maximum(near, 1e-9)
                )
    return np.stack(features)


def persistence_auc(density: Array, mapped: Array, epoch: int) -> float:
    """AUC of the mean past density of the cell as a score for presence in `epoch`."""
    past = np.nan_to_num(density[:epoch]).mean(axis=0)[mapped]
    return float(roc_auc_score(density[epoch][mapped] > 0, past))


def lightgbm_auc(
    density: Array, mapped: Array, static: Array, dynamic: Array, epoch: int, *, past: bool = True
) -> float:
    """AUC of LightGBM on `epoch`, trained on all earlier epochs.

    Args:
        density: (epoch, y, x) percent.
        mapped: (y, x) bool.
        static: (feature, y, x).
        dynamic: (epoch, feature, y, x), such as rain, season and monsoons.
        epoch: test epoch, at least 2.
        past: use the past of the cell and its neighbourhood.
    """

    def table(e: int) -> Array:
        parts = [static, dynamic[e]]
        if past:
            parts.append(past_features(density, mapped, e))
        return np.concatenate(parts)[:, mapped].T

    first = 1 if past else 0
    train = range(first, epoch)
    x = np.concatenate([table(e) for e in train])
    y = np.concatenate([density[e][mapped] > 0 for e in train]).astype(int)
    model = lgb.train(
        {
            "objective": "binary", "learning_rate": 0.05, "num_leaves": 15,
            "min_data_in_leaf": 200, "feature_fraction": 0.7, "bagging_fraction": 0.8,
            "bagging_freq": 1, "lambda_l2": 5.0, "seed": 1, "num_threads": 1, "verbose": -1,
            "deterministic": True,
        },
        lgb.Dataset(x, label=y),
        num_boost_round=150,
    )  # fmt: skip
    score = np.asarray(model.predict(table(epoch)))
    return float(roc_auc_score(density[epoch][mapped] > 0, score))


def world_features(simulation: Any, config: Any) -> tuple[Array, Array]:
    """(static, dynamic) features of a simulated world at 1 km, from observable files only."""
    from hazard.world.domain import cell_grid

    lattice = simulation.ground.terrain.lattice_elevation_m
    rows, cols = config.extent_cells
    dem = lattice.reshape(rows, 4, cols, 4).mean(axis=(1, 3))
    dy, dx = np.gradient(dem, 1000.0)
    slope = np.degrees(np.arctan(np.hypot(dx, dy)))
    pga = simulation.drivers.ln_pga.reshape(rows, 4, cols, 4).mean(axis=(1, 3))
    static = np.stack([slope, pga, dem])
    rain, grid = simulation.ground.rain, cell_grid(config)
    mesh = np.meshgrid(
        (rain.grid.y[0] - grid.y) / rain.grid.cell_size[1],
        (grid.x - rain.grid.x[0]) / rain.grid.cell_size[0],
        indexing="ij",
    )
    dynamic = []
    for epoch in simulation.ground.epochs:
        days = rain.between(epoch.start, epoch.end)
        width = np.quantile(days, 0.975, axis=0) - np.quantile(days, 0.025, axis=0)
        layers = [
            ndimage.map_coordinates(field, mesh, order=1, mode="nearest")
            for field in (days.max(axis=0), width)
        ]
        season = {"coseismic": 0.0, "pre-monsoon": 1.0, "post-monsoon": 2.0}[epoch.season or ""]
        layers += [np.full(grid.shape, season), np.full(grid.shape, float(epoch.monsoons or 0))]
        dynamic.append(np.stack(layers))
    return static, np.stack(dynamic)
