"""Units of the bootstrap: which block, patch, scene or region every pixel belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from detection.evaluate.ground import Ground
from detection.evaluate.settings import EvaluationSettings
from stats.case_arrays import UndefinedScoreError
from stats.resampling.block_bootstrap import BlockDraws, Statistic, draw_blocks
from stats.resampling.interval import interval_of_draws


@dataclass(frozen=True, eq=False, kw_only=True)
class Units:
    """Units, and how often each was drawn.

    Attributes:
        keys: (unit,) names, equal for every model on the same patches.
        name: what one is, in words.
        of_pixels: unit of every pixel of every piece of ground, (y, x) each.
        draws: multiplicities; None with a single unit, which allows no interval.
        level: nominal coverage.
    """

    keys: tuple[str, ...]
    name: str
    of_pixels: tuple[Int[ndarray, "y x"], ...]
    draws: BlockDraws | None
    level: float

    @property
    def multiplicity(self) -> Float[ndarray, "draw unit"]:
        """How often each unit was drawn; row 0, of ones, is the data."""
        ones = np.ones((1, len(self.keys)))
        return ones if self.draws is None else np.concatenate([ones, self.draws.multiplicity])

    def sums(self, unit: ndarray, terms: ndarray | None = None) -> Float[ndarray, " unit"]:
        """Number of cases of every unit, or the sum of a term."""
        return np.bincount(unit.ravel(), None if terms is None else terms.ravel(), len(self.keys))


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score with its interval.

    Attributes:
        value: NaN where it is undefined; `note` says why.
        low: lower end; NaN where there is no interval.
        high: upper end.
        note: what a reader must know; empty otherwise.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    note: str = ""


def score_of(
    statistic: Statistic, units: Units, *, exact: float | None = None, undefined: str
) -> Score:
    """A score and its interval from a statistic of multiplicities.

    Args:
        statistic: from (draw, unit) to (draw,), NaN where undefined.
        units: what was drawn.
        exact: the value on the data, where the statistic rounds; its draws are moved to it.
        undefined: why there is no value, where there is none.
    """
    values = statistic(units.multiplicity)
    value = float(values[0]) if exact is None else exact
    if np.isnan(value):
        return Score(value=float("nan"), note=undefined)
    if units.draws is None:
        return Score(value=value, note=f"no interval: one {units.name}")
    try:
        found = interval_of_draws(
            value, values[1:] + (value - values[0]), n=len(units.keys), unit=units.name,
            level=units.level,
        )  # fmt: skip
    except UndefinedScoreError as error:
        return Score(value=value, note=f"no interval: {error}")
    return Score(value=value, low=found.low, high=found.high)


def make_units(
    grounds: Sequence[Ground],
    settings: EvaluationSettings,
    *,
    pixel_m: float | None,
    patch_px: int,
) -> Units:
    """Name the units of all pixels and draw them.

    Args:
        grounds: pieces of ground.
        settings: unit, side, draws, seed.
        pixel_m: side of a pixel [m]; None where unknown.
        patch_px: side of a patch [px].

    Raises:
        ValueError: blocks asked for where patches do not say where they lie, or a side in metres
            where nobody knows the size of a pixel.
    """
    placed = all(ground.placed for ground in grounds)
    whole_scenes = len({(g.region, g.epoch, g.scene) for g in grounds}) == len(grounds)
    single = all(max(g.truth.shape) <= patch_px for g in grounds)
    unit = settings.unit
    if unit == "auto":
        unit = "block" if placed and not (whole_scenes and single) else "patch"
    if unit == "block" and not placed:
        raise ValueError("these patches do not say where they lie; draw patches, not blocks")
    if settings.block_m is not None and unit == "block" and pixel_m is None:
        raise ValueError("block_m is in metres, and the size of a pixel is not known")
    side = patch_px
    if settings.block_m is not None and pixel_m is not None:
        side = max(1, round(settings.block_m / pixel_m))
    keys: dict[tuple[object, ...], int] = {}
    of_pixels = []
    for ground in grounds:
        if unit == "block":
            of_pixels.append(_blocks(ground, side, keys))
            continue
        label: tuple[object, ...] = (ground.region,)
        if unit == "scene":
            label = (ground.region, ground.scene)
        elif unit == "patch":
            label = (ground.region, ground.scene, ground.row, ground.column, ground.name)
        of_pixels.append(np.full(ground.truth.shape, keys.setdefault(label, len(keys))))
    length = f"{side * pixel_m:g} m" if pixel_m is not None else f"{side} px"
    name: str = f"{length} block" if unit == "block" else unit
    if unit == "patch" and not single:
        # Patches that touch are one piece, and drawn together.
        name = "piece of ground"
    draws = None
    if len(keys) > 1:
        rng = np.random.default_rng(settings.seed)
        draws = draw_blocks(np.arange(len(keys)), draws=settings.draws, rng=rng, unit=name)
    return Units(
        keys=tuple(" ".join(map(str, key)) for key in keys), name=name,
        of_pixels=tuple(of_pixels), draws=draws, level=settings.level,
    )  # fmt: skip


def _blocks(ground: Ground, side: int, keys: dict[tuple[object, ...], int]) -> ndarray:
    """Blocks on the lattice of the region: those of all epochs are one unit."""
    height, width = ground.truth.shape
    row = (ground.row + np.arange(height)) // side
    column = (ground.column + np.arange(width)) // side
    found = np.empty((height, width), dtype=np.int64)
    for r in np.unique(row):
        for c in np.unique(column):
            window = np.ix_(row == r, column == c)
            # A block without a pixel that counts is no unit.
            if ground.counted[window].any():
                label = (ground.region, int(r), int(c))
                found[window] = keys.setdefault(label, len(keys))
            else:
                found[window] = 0
    return found
