"""Runs with planted forecasts: the truth is known, so the scores are."""

import datetime as dt
from types import SimpleNamespace

import numpy as np

from hazard.archive.names import PREDICTIONS_NAME
from hazard.archive.predictions import Header, open_predictions, predictions_writer
from hazard.archive.records import ModelRecord, SchemeRecord
from hazard.cube.layout import CubeEpoch
from hazard.geo.grid import Grid
from stats.laws.lognormal import TruncatedLognormal

EPOCHS = ("coseismic", "post 2015", "pre 2016")
SIGMA = 1.0
SHAPE = (24, 32)
N_EPOCHS = len(EPOCHS)


def scheme(name, *, separates=(), folds=3, **more):
    return SchemeRecord(
        name=name, title=name, design=name, unit="cell", separates=separates,
        fold_names=tuple(f"fold {k}" for k in range(folds)), folds=tuple(range(folds)), **more,
    )  # fmt: skip


SCHEMES = (
    scheme("random"),
    scheme("spatial_blocks", separates=("place",)),
    scheme("forward_chaining", separates=("epoch", "future"), folds=2),
    scheme("same_epoch_blocks"),
)


def model(name, kind="baseline", **more):
    return ModelRecord(name=name, title=name, kind=kind, **more)


def grid(shape=SHAPE):
    rows, columns = shape
    return Grid.from_bounds("EPSG:32645", (0, 0, columns * 1000, rows * 1000), cell_m=1000)


def law_fields(probability, mu, sigma=SIGMA):
    """Fields of a forecast whose density is lognormal."""
    mu = np.broadcast_to(np.asarray(mu, dtype=np.float64), np.shape(probability))
    law = TruncatedLognormal(mu, np.full(mu.shape, sigma), 100.0)
    return {
        "probability": np.asarray(probability), "mu": mu, "sigma": np.full(mu.shape, sigma),
        "mean_percent": law.mean(), "median_percent": law.median(),
    }  # fmt: skip


def world(seed=0, *, shape=SHAPE, epochs=N_EPOCHS, rate=-1.5, spread=1.5):
    """(probability, mu, density) of a smooth susceptibility and calibrated landslides."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    ridge = np.sin(rows / 3.0) + np.cos(columns / 4.0)
    logit = rate + spread * ridge[None] + rng.normal(0, 0.3, (epochs, *shape))
    p = 1.0 / (1.0 + np.exp(-logit))
    mu = np.broadcast_to(-1.0 + 0.3 * ridge, p.shape)
    present = rng.random(p.shape) < p
    density = np.where(present, np.exp(mu + SIGMA * rng.standard_normal(p.shape)), 0.0)
    return p, mu, np.minimum(density, 100.0)


def folds_of(name, shape, epochs=N_EPOCHS, *, seed=5):
    """(epoch, y, x) testing folds of a scheme."""
    rng = np.random.default_rng(seed)
    if name == "forward_chaining":
        fold = np.full((epochs, *shape), -1)
        for e in range(1, epochs):
            fold[e] = e - 1
        return fold
    if name == "random":
        return rng.integers(0, 3, (epochs, *shape))
    rows, columns = np.indices(shape)
    blocks = (rows // 8) * 100 + columns // 8
    _, number = np.unique(blocks, return_inverse=True)
    fold = (number.reshape(shape) % 3)[None].repeat(epochs, axis=0)
    if name == "same_epoch_blocks":
        fold = fold.copy()
        fold[0] = -1
    return fold


def planted_run(
    folder, density, forecasts, *, schemes=SCHEMES, models, mask=None, names=EPOCHS,
    thresholds=None, not_run=(), folds=None,
):  # fmt: skip
    """Write predictions.zarr.

    Args:
        forecasts: (scheme, model) -> fields on (epoch, y, x).
        thresholds: (scheme, model) -> (fold, criterion, level).
        folds: scheme -> (epoch, y, x); `folds_of` where absent.
    """
    shape = density.shape[1:]
    mask = np.ones(shape, dtype=bool) if mask is None else mask
    observed = np.broadcast_to(mask, density.shape)
    start = dt.date(2015, 4, 25)
    cube = SimpleNamespace(
        name="planted", title="Planted", synthetic=True, grid=grid(shape),
        root={
            "observed": SimpleNamespace(values=observed),
            "area_density": SimpleNamespace(values=np.where(observed, density, np.nan)),
            "mask": SimpleNamespace(values=observed),
        },
        epochs=[
            CubeEpoch(
                name=name, start=start + dt.timedelta(days=180 * i),
                end=start + dt.timedelta(days=180 * i + 179), season="other", length_days=180,
                image_start=None, image_end=None, dates="nominal", monsoons=i,
            )
            for i, name in enumerate(names)
        ],
    )  # fmt: skip
    header = Header(
        schemes=tuple(schemes), models=tuple(models), not_run=tuple(not_run),
        levels_percent=(0.0, 0.01, 0.09, 0.5), folds=3,
    )  # fmt: skip
    with predictions_writer(folder / PREDICTIONS_NAME, cube, header) as writer:
        for record in schemes:
            fold = (folds or {}).get(record.name)
            fold = folds_of(record.name, shape, len(names)) if fold is None else fold
            fold = np.where(observed, fold, -1)
            writer.fold(record.name, fold)
            for (name, forecaster), fields in forecasts.items():
                if name == record.name:
                    kept = {k: np.where(fold >= 0, v, np.nan) for k, v in fields.items()}
                    writer.fields(name, forecaster, kept)
        for (name, forecaster), table in (thresholds or {}).items():
            for fold, values in enumerate(table):
                writer.thresholds(name, forecaster, fold, values)
    return open_predictions(folder)
