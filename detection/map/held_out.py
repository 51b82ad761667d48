"""Which ground tells of the detector, and on which other ground what comes of it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from jaxtyping import Bool
from numpy import ndarray
from scipy import ndimage

from detection.config.map import MapConfig
from detection.config.schema import DetectionConfig, load_config
from detection.fit.folder import MANIFEST
from detection.inventory.records import MultiTemporal
from detection.map.folder import FIT
from detection.observation.survey import Geometries, Survey, projected
from detection.patches.manifest import read_manifest
from detection.patches.split_record import ROLES
from detection.scenes.catalogue import read_catalogue
from detection.scenes.rasterise import rasterise
from detection.scenes.read import scene_grid
from hazard.geo.blockwise import derivatives_by_block
from hazard.geo.grid import Block, Grid
from hazard.geo.inventory import read_inventory
from hazard.geo.raster import read_on_grid
from hazard.geo.terrain import Derivatives
from stats.case_arrays import FloatArray

Mask = Bool[ndarray, "y x"]
LEARNT = (ROLES["train"], ROLES["validation"])


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOut:
    """Ground that the network never learnt from.

    Attributes:
        calibrates: (y, x) pixels of the blocks that tell of the detector.
        checks: (y, x) pixels of the other blocks; none where all calibrate.
        blocks: (k,) labels of the calibrating blocks, as `Survey.points(allowed)` numbers them.
        allowed: (y, x) both together.
        n_blocks: how many blocks there are.
        words: which ground it is.
    """

    calibrates: Mask
    checks: Mask
    blocks: ndarray
    allowed: Mask
    n_blocks: int
    words: tuple[str, ...]


def slope_on(pixels: Grid, elevation: Path, *, resampling: str = "bilinear") -> FloatArray:
    """(y, x) float32 slope [deg] of an elevation raster; gaps have that of the nearest pixel.

    Raises:
        DataError: an elevation that cannot be used.
    """
    slope = np.full(pixels.shape, np.nan, dtype=np.float32)

    def read(block: Block) -> tuple[ndarray, ndarray]:
        found = read_on_grid(elevation, pixels, resampling=resampling, block=block)  # type: ignore[arg-type]
        return found.values, found.valid

    def write(block: Block, found: Derivatives) -> None:
        slope[block.slices] = np.where(found.valid, found.slope_deg, np.nan)

    derivatives_by_block(read, write, pixels)
    gaps = np.isnan(slope)
    if gaps.any():
        row, column = ndimage.distance_transform_edt(
            gaps, return_distances=False, return_indices=True
        )
        slope = slope[row, column]
    return np.asarray(slope)


def unseen_by_network(config: MapConfig, run: Path, survey: Survey) -> tuple[Mask | None, str]:
    """Pixels that neither trained the network nor chose its threshold, and why they are.

    Returns:
        A mask, or None where nothing says which they are; and the reason in words.

    Raises:
        DataError: polygons or a manifest that cannot be used.
    """
    everything = np.ones(survey.pixels.shape, dtype=bool)
    ground = config.error.ground
    if ground == "all":
        return everything, "error.ground says that the network learnt from none of it"
    if ground is not None:
        polygons = read_inventory(ground, survey.pixels).geometries
        return rasterise(polygons, survey.pixels), f"within {ground}, which error.ground names"
    if config.has_stored_network:
        return None, "a network is a stored one, and error.ground does not say what it never saw"
    assert config.fit is not None
    study = load_config(config.fit.config, overrides=config.fit.overrides)
    if config.is_synthetic != study.is_synthetic:
        return everything, "the network was trained on other data"
    if study.is_synthetic:
        seeds = config.embedded.seed, study.embedded.seed
        if seeds[0] == seeds[1]:
            return None, f"the network was trained on rendered ground of the same seed ({seeds[0]})"
        return everything, (
            f"rendered with seed {seeds[0]}, the network was trained on ground of seed {seeds[1]}"
        )
    if study.source.layout != "scenes":
        return None, "the network was trained on patches that came cut: error.ground must say where"
    learnt = learnt_ground(study, run / FIT / MANIFEST, survey.pixels)
    return ~rasterise(learnt, survey.pixels, all_touched=True), (
        "without the patches that trained the network or chose its threshold"
    )


def learnt_ground(study: DetectionConfig, manifest: Path, pixels: Grid) -> Geometries:
    """Boxes of the training and validation patches of a study, where they lie."""
    assert study.data is not None
    record = read_manifest(manifest)
    grids: Mapping[str, Grid] = {
        entry.name: scene_grid(entry) for entry in read_catalogue(study.data).entries
    }
    found: list[Geometries] = []
    for scene, grid in grids.items():
        t, side = grid.transform, record.size_px
        boxes = [
            shapely.box(
                t.c + o.column * t.a, t.f + (o.row + side) * t.e, t.c + (o.column + side) * t.a,
                t.f + o.row * t.e,
            )
            for o, role in zip(record.origin, record.split.role.tolist(), strict=True)
            if o.scene == scene and role in LEARNT
        ]  # fmt: skip
        if boxes:
            found.append(projected(np.array(boxes, dtype=object), grid.crs, pixels))
    return np.concatenate(found) if found else np.empty(0, dtype=object)


def held_out(config: MapConfig, run: Path, survey: Survey) -> HeldOut | str:
    """Deal the blocks of the ground that the network never saw to calibration and check.

    Args:
        config: of the run.
        run: run folder.
        survey: ground that detection and reference share.

    Returns:
        The ground, or why there is none.
    """
    free, why = unseen_by_network(config, run, survey)
    if free is None:
        return why
    allowed = free & survey.anywhere
    if not allowed.any():
        return f"no ground that detection and reference share is left ({why})"
    label = survey.points(allowed)[2]
    n_blocks = int(label.max()) + 1
    rng = np.random.default_rng([config.seed, 7])
    chosen = np.sort(rng.permutation(n_blocks)[: round(config.error.share * n_blocks)])
    calibrates = np.zeros_like(allowed)
    calibrates[allowed] = np.isin(label, chosen)
    km2 = survey.pixels.cell_area_m2 / 1e6
    words = [
        f"Held-out ground: {why}; {allowed.sum() * km2:,.1f} km2 in {n_blocks} blocks of "
        f"{config.error.block_m:g} m.",
        f"{chosen.size} of these blocks, drawn by the seed of the run, calibrate "
        f"({calibrates.sum() * km2:,.1f} km2); "
        + (
            f"on the other {n_blocks - chosen.size} what comes of it is checked."
            if chosen.size < n_blocks
            else "none is left to check what comes of it."
        ),
    ]
    return HeldOut(
        calibrates=calibrates, checks=allowed & ~calibrates, blocks=chosen, allowed=allowed,
        n_blocks=n_blocks, words=tuple(words),
    )  # fmt: skip


def inventory_crs_grid(found: MultiTemporal, grid: Grid) -> Grid:
    """A grid of the same pixels, in the coordinate system of an inventory."""
    if grid.crs == found.crs:
        return grid
    return Grid.covering(grid, found.crs, cell_m=grid.cell_size[0])
