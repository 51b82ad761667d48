"""A small study as plain arrays: a ragged mask, pixels, triggers, classes and densities."""

from dataclasses import dataclass, replace

import numpy as np

from hazard.cube.batches import Batches, build_batches
from hazard.cube.patches import PatchIndex, patch_index
from hazard.cube.predictors import Predictor
from stats.resampling.folds import BUFFER, TEST, TRAIN, VALIDATION


@dataclass(frozen=True)
class Study:
    mask: np.ndarray
    observed: np.ndarray
    density: np.ndarray
    role: np.ndarray
    predictors: tuple[Predictor, ...]
    index: PatchIndex
    epoch_days: tuple[float, ...]

    def batches(self, **settings) -> Batches:
        options = {"past_windows": (3, 5), "epoch_days": self.epoch_days, **settings}
        return build_batches(
            self.predictors, self.density, self.observed, self.mask, self.role, self.index,
            **options,
        )  # fmt: skip

    def with_role(self, role) -> "Study":
        return replace(self, role=role.astype(np.int8))


def small_study(seed=0, *, shape=(11, 9), epochs=4, factor=3, coarse=2) -> Study:
    rng = np.random.default_rng(seed)
    rows, cols = shape
    mask = rng.random(shape) < 0.85
    mask[0, 0] = True
    observed = rng.random((epochs, *shape)) < 0.9
    density = rng.exponential(2.0, (epochs, *shape)) * (rng.random((epochs, *shape)) < 0.4)
    density[~observed] = np.nan
    role = rng.choice([TRAIN, TRAIN, TRAIN, VALIDATION, TEST, BUFFER], (epochs, *shape))
    pixels = (rows * factor, cols * factor)
    elevation = rng.normal(3000, 900, pixels)
    elevation[~np.kron(mask, np.ones((factor, factor))).astype(bool)] = np.nan
    triggers = (-(-rows // coarse), -(-cols // coarse))
    predictors = (
        Predictor(
            name="elevation_m", unit="m", values=elevation, support="pixel", factor=factor,
        ),
        Predictor(
            name="stream_distance_m", unit="m", values=rng.exponential(400, pixels),
            support="pixel", factor=factor, transform="log1p",
        ),
        Predictor(
            name="land_cover", unit="1", values=rng.integers(1, 4, pixels).astype(np.int16),
            support="pixel", factor=factor, is_class=True,
        ),
        Predictor(name="relief_m", unit="m", values=rng.gamma(2, 100, shape)),
        Predictor(
            name="pga", unit="m s-2", values=rng.gamma(3, 1, triggers), support="trigger",
            factor=coarse,
        ),
        Predictor(
            name="rain_max_mm_day", unit="mm day-1", values=rng.gamma(2, 30, (epochs, *triggers)),
            support="trigger", factor=coarse, per_epoch=True, transform="log1p",
        ),
        Predictor(
            name="monsoons", unit="1", values=np.arange(epochs) // 2 * 1.0, support="epoch",
        ),
    )  # fmt: skip
    return Study(
        mask=mask,
        observed=observed,
        density=density,
        role=role.astype(np.int8),
        predictors=predictors,
        index=patch_index(mask, n=4, shift=2),
        epoch_days=tuple(rng.uniform(100, 300, epochs)),
    )
