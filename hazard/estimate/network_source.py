"""Batches of the cube as samples of the default network: a patch with its halo, all epochs.

Everything lies on the device once. A sample is a patch; its cells, their surroundings and the
cells whose terrain is encoded are three tables of row numbers, so that the compiled gather needs
no size but those of its arrays, and folds of one study share their programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from hazard.cube.batches import Batches
from hazard.cube.gather import gather_pixels

NumpyArray = np.ndarray[Any, np.dtype[Any]]
PAST_PREFIX = "past_"


@dataclass(frozen=True, eq=False)
class PatchSource:
    """Patches of one fold on the device (`hazard.training.data.Source`).

    Attributes:
        arrays: everything `gather` reads.
    """

    arrays: Mapping[str, Array]

    @property
    def size(self) -> int:
        """Number of patches."""
        return int(self.arrays["core"].shape[0])

    @staticmethod
    def gather(arrays: Mapping[str, Array], indices: Int[Array, " sample"]) -> dict[str, Array]:
        """Inputs, targets and weights of patches, as the default network reads them."""
        core, context = arrays["core"][indices], arrays["context"][indices]
        batch = {"valid": arrays["mapped"][context]}
        if "pixels" in arrays:
            batch["pixels"] = gather_pixels(arrays["pixels"], arrays["terrain"][indices])
        if "static" in arrays:
            batch["cells"] = arrays["static"][context]
        if "epochs" in arrays:
            batch["epochs"] = jnp.moveaxis(arrays["epochs"][:, context], 0, 1)
        if "fresh" in arrays:
            shape = (core.shape[0], arrays["fresh"].size)
            batch["fresh"] = jnp.broadcast_to(arrays["fresh"], shape)
        # The record of a cell holds its surroundings: no halo is read.
        if "past" in arrays:
            batch["past"] = jnp.moveaxis(arrays["past"][:, core], 0, 1)
        for name in ("presence", "density", "weight", "observation", "false_alarms"):
            if name in arrays:
                batch[name] = jnp.moveaxis(arrays[name][:, core], 0, 1)
        return batch


@dataclass(frozen=True, kw_only=True)
class BandNames:
    """Names of the bands of every input, in order; one list for all folds of a study.

    Attributes:
        pixels: of the nested lattice.
        static: of a cell.
        epochs: of an epoch.
        past: of what earlier epochs showed.
    """

    pixels: tuple[str, ...]
    static: tuple[str, ...]
    epochs: tuple[str, ...]
    past: tuple[str, ...]

    @classmethod
    def of(cls, batches: Batches, *, past: bool = True, leave_out: Sequence[str] = ()) -> BandNames:
        """The bands of a batch record, without past records and others where not wanted."""

        def kept(names: Sequence[str]) -> tuple[str, ...]:
            # A class has a band NAME=CODE for each of its codes.
            return tuple(n for n in names if n.split("=")[0] not in leave_out)

        changing = kept(batches.changing_names)
        return cls(
            pixels=kept(batches.pixel_names),
            static=kept(batches.static_names),
            epochs=tuple(n for n in changing if not n.startswith(PAST_PREFIX)),
            past=tuple(n for n in changing if n.startswith(PAST_PREFIX)) if past else (),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchTables:
    """Row numbers of patches.

    Attributes:
        core: (patch, n, n) cells of a patch.
        context: (patch, n + 2 h, n + 2 h) the same with the halo of the trunk.
        terrain: (patch, n + 2 q, n + 2 q) cells whose terrain is encoded.
        lattice: (patch,) number of the lattice.
    """

    core: NumpyArray
    context: NumpyArray
    terrain: NumpyArray
    lattice: NumpyArray

    @classmethod
    def of(cls, batches: Batches, *, halo: int, pixel_halo: int) -> PatchTables:
        """Tables of all patches of a batch record."""
        return cls(
            core=batches.patch_cells,
            context=_windows(batches, halo),
            terrain=_windows(batches, pixel_halo),
            lattice=batches.patch_lattice,
        )

    def first_lattice(self) -> PatchTables:
        """The patches of the first lattice, in which every cell lies once."""
        keep = self.lattice == 0
        return PatchTables(
            core=self.core[keep], context=self.context[keep], terrain=self.terrain[keep],
            lattice=self.lattice[keep],
        )  # fmt: skip


def patch_source(
    batches: Batches,
    tables: PatchTables,
    bands: BandNames,
    *,
    epochs: Sequence[int],
    weight: NumpyArray,
    shared: Mapping[str, Array] | None = None,
    changing: NumpyArray | None = None,
) -> PatchSource:
    """Put the patches of a fold on the device.

    Args:
        batches: of the fold.
        tables: patches.
        bands: bands in the order of the network; those that the fold lacks (a season that no
            training cell has) are zero.
        epochs: epochs that are read.
        weight: (epoch, cell) what counts, the row of padding included; held-out targets lie
            under a weight of 0 and are taken out here as well.
        shared: arrays of another source of the same fold, not put on the device twice.
        changing: (epoch, cell, band) instead of the fold's own.
    """
    chosen = np.asarray(epochs)
    moving = (batches.changing if changing is None else changing)[chosen]
    counted = np.asarray(weight, dtype=np.float32)[chosen]
    mapped = np.ones(batches.n_cells + 1, dtype=np.float32)
    mapped[-1] = 0.0
    arrays: dict[str, Any] = {
        "core": tables.core, "context": tables.context, "mapped": mapped, "weight": counted,
        # What does not count is zero: a target that is held out is not even on the device.
        "presence": np.where(counted > 0, batches.presence[chosen], 0.0).astype(np.float32),
        "density": np.where(counted > 0, batches.area_density[chosen], 0.0).astype(np.float32),
    }  # fmt: skip
    if batches.detection_error is not None:
        arrays["observation"], arrays["false_alarms"] = (
            layer[chosen] for layer in batches.detection_error
        )
    if bands.pixels:
        arrays["terrain"] = tables.terrain
        if shared is None:
            arrays["pixels"] = _pick(batches.pixels, batches.pixel_names, bands.pixels)
    if bands.static and shared is None:
        arrays["static"] = _pick(batches.static, batches.static_names, bands.static)
    fresh = np.arange(chosen.size)
    if bands.past:
        arrays["past"] = _pick(moving, batches.changing_names, bands.past)
        arrays["fresh"] = fresh = _without_record(arrays["past"][:, :-1])
    if bands.epochs:
        arrays["epochs"] = _pick(moving[fresh], batches.changing_names, bands.epochs)
    placed = {name: jnp.asarray(value) for name, value in arrays.items()}
    for name in ("pixels", "static"):
        if shared is not None and name in shared:
            placed[name] = shared[name]
    return PatchSource(placed)


def climatological(batches: Batches, *, train: NumpyArray, seasons: Sequence[str]) -> NumpyArray:
    """(epoch, cell, band) changing predictors with the rain of each epoch replaced.

    In its place stands the mean, after transform and scaling, over the other training epochs of
    the same season, or over all other training epochs where there is none.

    Args:
        batches: of the fold.
        train: (epoch, cell) True where the fold trains.
        seasons: (epoch,) names.
    """
    rain = [i for i, name in enumerate(batches.changing_names) if name.startswith("rain_")]
    out = batches.changing.copy()
    trained = np.flatnonzero(np.asarray(train).any(axis=1)).tolist()
    for epoch, season in enumerate(seasons):
        others = [e for e in trained if e != epoch]
        alike = [e for e in others if seasons[e] == season]
        use = alike or others
        if use:
            for band in rain:
                out[epoch, :, band] = batches.changing[use, :, band].mean(axis=0)
    return out


def has_rain(batches: Batches) -> bool:
    """True where the rain of an epoch is among the predictors."""
    return any(name.startswith("rain_") for name in batches.changing_names)


def _pick(values: NumpyArray, names: Sequence[str], wanted: Sequence[str]) -> NumpyArray:
    if tuple(names) == tuple(wanted):
        return values
    out = np.zeros((*values.shape[:-1], len(wanted)), dtype=np.float32)
    for at, name in enumerate(wanted):
        if name in names:
            out[..., at] = values[..., list(names).index(name)]
    return out


def _without_record(past: NumpyArray) -> NumpyArray:
    """Epochs in which a cell has no record, the first where all have: terrain is forecast there."""
    found = np.flatnonzero((past == 0).all(axis=-1).any(axis=1))
    return (found if found.size else np.zeros(1)).astype(np.int32)


def _windows(batches: Batches, halo: int) -> NumpyArray:
    """(patch, n + 2 halo, n + 2 halo) row numbers; beyond the grid those of the padding."""
    n = batches.cells_per_side
    corner = batches.patch_corner
    # Patches themselves may reach over the edge by up to n cells.
    reach = halo + n
    grid = np.pad(batches.row_of_cell, reach, constant_values=batches.n_cells)
    side = np.arange(-halo, n + halo) + reach
    down, across = corner[:, 0, None] + side, corner[:, 1, None] + side
    return grid[down[:, :, None], across[:, None, :]].astype(np.int32)
