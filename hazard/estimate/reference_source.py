"""Batches of the cube as samples of the published networks: one patch in one epoch, pixels alone.

The published networks read every predictor on the nested lattice; what lies on cells or changes
with the epoch is repeated over the pixels of its cell. Their predictors are those of the paper:
no season, no dates, no record of earlier epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from hazard.cube.batches import Batches
from hazard.cube.gather import gather_pixels

NumpyArray = np.ndarray[Any, np.dtype[Any]]

PUBLISHED_PREDICTORS = frozenset(
    {
        "slope_deg", "elevation_m", "northness", "eastness", "profile_curvature", "plan_curvature",
        "twi", "rain_max_mm_day", "rain_width_mm_day", "pga", "pga_sd", "stream_distance_m",
        "monsoons",
    }
)  # fmt: skip
"""The 13 predictors of the paper. The cube may hold more (intensity, spread of ln PGA): with them
the networks would be others than the published ones."""


@dataclass(frozen=True, eq=False)
class PatchEpochSource:
    """Patches in epochs, on the device (`hazard.training.data.Source`).

    Attributes:
        arrays: everything `gather` reads.
    """

    arrays: Mapping[str, Array]

    @property
    def size(self) -> int:
        """Number of patches times epochs that are read."""
        return int(self.arrays["sample"].shape[0])

    @staticmethod
    def gather(arrays: Mapping[str, Array], indices: Int[Array, " sample"]) -> dict[str, Array]:
        """Pixels of all bands, targets and weights."""
        patch, epoch = arrays["sample"][indices, 0], arrays["sample"][indices, 1]
        cells = arrays["core"][patch]
        f = arrays["pixels"].shape[1]
        fine = [gather_pixels(arrays["pixels"], cells)]
        at = (epoch[:, None, None], cells)
        for values in (arrays["static"][cells], arrays["changing"][at]):
            if values.shape[-1]:
                fine.append(jnp.repeat(jnp.repeat(values, f, axis=1), f, axis=2))
        batch = {"pixels": jnp.concatenate(fine, axis=-1)}
        for name in ("presence", "density", "weight"):
            batch[name] = arrays[name][at]
        return batch


@dataclass(frozen=True, kw_only=True)
class PixelBands:
    """Names of the predictors that the published networks read, in order."""

    pixels: tuple[str, ...]
    static: tuple[str, ...]
    changing: tuple[str, ...]

    @classmethod
    def of(cls, batches: Batches) -> PixelBands:
        """Those of the published predictors that the study has."""

        def known(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(n for n in names if n in PUBLISHED_PREDICTORS)

        return cls(
            pixels=known(batches.pixel_names), static=known(batches.static_names),
            changing=known(batches.changing_names),
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the order of the bands."""
        return (*self.pixels, *self.static, *self.changing)


def patch_epoch_source(
    batches: Batches,
    bands: PixelBands,
    *,
    weight: NumpyArray,
    lattices: tuple[int, ...] = (0, 1),
    everything: bool = False,
    shared: Mapping[str, Array] | None = None,
) -> PatchEpochSource:
    """Put the patches of a fold on the device, one sample per patch and epoch that counts.

    Args:
        batches: of the fold.
        bands: predictors.
        weight: (epoch, cell) what counts, padding included.
        lattices: lattices of patches that are read.
        everything: one sample per patch and epoch, whether anything counts or not.
        shared: arrays of another source of the same fold.
    """
    counted = np.asarray(weight, dtype=np.float32)
    held = counted[:, batches.patch_cells].any(axis=(2, 3)) | everything
    held &= np.isin(batches.patch_lattice, lattices)
    epoch, patch = np.nonzero(held)
    if epoch.size == 0:
        raise ValueError("no patch holds a cell that counts")
    arrays: dict[str, Any] = {
        "sample": np.stack([patch, epoch], axis=1).astype(np.int32),
        "weight": counted,
        "presence": np.where(counted > 0, batches.presence, 0.0).astype(np.float32),
        "density": np.where(counted > 0, batches.area_density, 0.0).astype(np.float32),
    }
    if shared is None:
        arrays |= {
            "core": batches.patch_cells,
            "pixels": _take(batches.pixels, batches.pixel_names, bands.pixels),
            "static": _take(batches.static, batches.static_names, bands.static),
            "changing": _take(batches.changing, batches.changing_names, bands.changing),
        }
    placed = {name: jnp.asarray(value) for name, value in arrays.items()}
    if shared is not None:
        placed |= {name: shared[name] for name in ("core", "pixels", "static", "changing")}
    return PatchEpochSource(placed)


def _take(values: NumpyArray, names: tuple[str, ...], wanted: tuple[str, ...]) -> NumpyArray:
    out = np.zeros((*values.shape[:-1], len(wanted)), dtype=np.float32)
    for at, name in enumerate(wanted):
        if name in names:
            out[..., at] = values[..., names.index(name)]
    return out
