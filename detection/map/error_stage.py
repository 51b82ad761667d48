"""How the detector errs, estimated on held-out ground, written beside the inventory, carried on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy import ndarray
from pyproj import Transformer

from detection.config.map import MapConfig
from detection.inventory.records import MultiTemporal
from detection.inventory.write import announce_files
from detection.map.carried_sizes import carried_sizes
from detection.map.folder import (
    CARRIED_SIZES,
    DETECTION_ERROR,
    INVENTORY,
    OBSERVATION,
    SIZES_ERROR,
)
from detection.map.held_out import HeldOut, Mask, held_out, inventory_crs_grid, slope_on
from detection.observation.against_truth import SizeRows, true_sizes
from detection.observation.by_epoch import EpochFactors, epoch_factors
from detection.observation.calibration import Calibration, of_blocks, pooled
from detection.observation.estimate import estimate
from detection.observation.false_by_slope import departures
from detection.observation.layer import observation_layer, write_observation_layer
from detection.observation.model import ObservationModel, read_model, write_model
from detection.observation.survey import (
    Survey,
    as_seen,
    calibrate_series,
    gains_on,
    seen_pixels,
)
from detection.runs.record import write_table
from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.raster import read_info
from stats.case_arrays import BoolArray, FloatArray
from stats.command.frame import Session

PIXEL_M = 50.0
QUANTILES = 200


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Where the ground is looked at.

    Attributes:
        elevation: raster of elevation, or None where the run knows of none.
        resampling: how it is read.
        cells: cells of the hazard study; None without one.
        pixels_per_cell: pixels along one side of a cell.
    """

    elevation: Path | None
    resampling: str = "bilinear"
    cells: Grid | None = None
    pixels_per_cell: int = 16

    def pixels(self, found: MultiTemporal) -> Grid:
        """Pixels in the coordinate system of an inventory."""
        if self.cells is not None:
            return inventory_crs_grid(found, self.cells.refine(self.pixels_per_cell))
        if self.elevation is not None:
            grid = read_info(self.elevation).grid
            side = grid.cell_size[0] if grid.is_metric else PIXEL_M
            return Grid.covering(grid, found.crs, cell_m=side)
        known = [p.epoch.footprint for p in found.epochs if p.epoch.footprint is not None]
        bounds = np.array([ground.bounds for ground in known])
        west, south = bounds[:, :2].min(axis=0)
        east, north = bounds[:, 2:].max(axis=0)
        return Grid.from_bounds(found.crs, (west, south, east, north), cell_m=PIXEL_M)


@dataclass(frozen=True, eq=False, kw_only=True)
class DetectionError:
    """What a run knows of its detector.

    Attributes:
        model: detection error, or None.
        calibration: what it was estimated on; None where it was stored.
        factors: how each epoch departs from all together; None where the model was stored.
        checks: what the checking blocks tell; None where there are none.
        sizes_model: the same for the landslides of `sizes` where those are larger ones.
        sizes: exponent and total area, on all of the ground and on that which checks.
        ground: pixels of the checking ground, of `survey`; None where nothing is checked.
        survey: all of the ground.
        observation: netCDF that a hazard study takes; None without a model or a study.
        cells: of the hazard study; None without one.
        words: which ground, how many landslides, and why something is missing.
    """

    model: ObservationModel | None = None
    calibration: Calibration | None = None
    factors: EpochFactors | None = None
    checks: Calibration | None = None
    sizes_model: ObservationModel | None = None
    sizes: SizeRows | None = None
    ground: Mask | None = None
    survey: Survey | None = None
    observation: Path | None = None
    cells: Grid | None = None
    words: tuple[str, ...] = ()

    def scored(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Whether points in the coordinate system of the cells lie on the checking ground.

        Raises:
            ValueError: nothing is checked.
        """
        if self.ground is None or self.survey is None or self.cells is None:
            raise ValueError("no checking ground on the cells of a hazard study")
        crs = self.survey.pixels.crs
        if self.cells.crs != crs:
            x, y = Transformer.from_crs(self.cells.crs, crs, always_xy=True).transform(x, y)
        return self.survey.on(self.ground, x, y)


def error_stage(
    config: MapConfig,
    detected: MultiTemporal,
    reference: MultiTemporal | None,
    lattice: Lattice,
    run: Path,
    session: Session,
) -> DetectionError:
    """Estimate (or read) the detection error, write it and carry it on.

    ``inventory/detection_error.json``, ``inventory/observation.nc`` where hazard is fitted, and
    ``carried_sizes.csv``.

    Args:
        config: of the run.
        detected: the detected inventory, written already.
        reference: the reference inventory, or None.
        lattice: pixels, elevation and cells.
        run: run folder.
        session: log and progress.

    Raises:
        DataError: a stored model, polygons or elevation that cannot be used.
    """
    own = config.error
    (run / CARRIED_SIZES).unlink(missing_ok=True)
    if own.model is None and not (own.calibrate and reference is not None):
        why = "there is no reference inventory" if own.calibrate else "error.calibrate is false"
        return _nothing(session, f"No detection error: {why}, and error.model names no stored one.")
    with session.reporter.task("detection error", 4) as advance:
        survey = _survey(config, lattice, detected, reference)
        advance(1)
        seen = None if reference is None else as_seen(reference, detected)
        if own.model is not None:
            found = _stored(config, survey, detected, seen, own.model)
        else:
            assert seen is not None
            found = _estimated(config, survey, detected, seen, run)
        advance(1)
        for line in found.words:
            session.log.info(line)
        model = found.model
        if model is None:
            return found
        announce_files(run / INVENTORY, DETECTION_ERROR, SIZES_ERROR, OBSERVATION)
        write_model(run / INVENTORY / DETECTION_ERROR, model)
        if found.sizes_model is not None:
            write_model(run / INVENTORY / SIZES_ERROR, found.sizes_model)
        sizes = carried_sizes(
            config, survey, found.sizes_model or model, found.ground, detected, seen
        )
        write_table(run / CARRIED_SIZES, sizes.rows)
        advance(1)
        path = None
        if lattice.cells is not None:
            path = run / INVENTORY / OBSERVATION
            _write_layer(lattice, found, survey, detected, path)
        advance(1)
    return replace(found, sizes=sizes, observation=path, cells=lattice.cells)


def minimum_m2(config: MapConfig, found: MultiTemporal) -> float:
    """Smallest landslide that counts: the smallest outlined one, a pixel where all are."""
    coarsest = max((parts.epoch.pixel_m or 0.0 for parts in found.epochs), default=0.0)
    return config.polygons.minimum_area_m2 or max(coarsest**2, 1.0)


def _nothing(session: Session, line: str) -> DetectionError:
    session.log.info(line)
    return DetectionError(words=(line,))


def _survey(
    config: MapConfig, lattice: Lattice, detected: MultiTemporal, reference: MultiTemporal | None
) -> Survey:
    pixels = lattice.pixels(detected)
    seen = seen_pixels(detected, pixels)
    if reference is not None:
        seen &= seen_pixels(reference, pixels)
    slope = None
    if lattice.elevation is not None:
        slope = slope_on(pixels, lattice.elevation, resampling=lattice.resampling)
    return Survey(pixels=pixels, slope_deg=slope, seen=seen, block_m=config.error.block_m)


def _stored(
    config: MapConfig,
    survey: Survey,
    detected: MultiTemporal,
    reference: MultiTemporal | None,
    path: Path,
) -> DetectionError:
    model = read_model(path)
    words = [
        f"Detection error of {path}: {model.n_reference} reference landslides in "
        f"{model.n_blocks} blocks, none of them of this run.",
        *model.notes,
    ]
    least = minimum_m2(config, detected)
    if abs(model.minimum_m2 - least) > 0.01 * least:
        raise DataError(
            path, found=f"landslides of {model.minimum_m2:g} m2 or more",
            expected=f"{least:g} m2, the smallest of this run (polygons.minimum_area_m2)",
        )  # fmt: skip
    checks = None
    if reference is not None:
        everything = survey.anywhere
        parts = calibrate_series(detected, reference, survey, everything, minimum_m2=least)
        checks = pooled(parts)
    return DetectionError(
        model=model, checks=checks, survey=survey, words=tuple(words),
        ground=None if reference is None else survey.anywhere,
    )  # fmt: skip


def _estimated(
    config: MapConfig,
    survey: Survey,
    detected: MultiTemporal,
    reference: MultiTemporal,
    run: Path,
) -> DetectionError:
    """Calibration on the blocks that calibrate."""
    ground = held_out(config, run, survey)
    if isinstance(ground, str):
        return DetectionError(words=(f"No detection error: {ground}.",))
    least = minimum_m2(config, detected)
    found = _model_of(config, ground, survey, detected, reference, least)
    if isinstance(found, str):
        return DetectionError(words=(*ground.words, f"No detection error: {found}."))
    model, parts, checks = found
    factors = epoch_factors(model, parts)
    above = config.error.sizes_above_m2
    larger = None
    if above is not None and above > least:
        larger = _model_of(config, ground, survey, detected, reference, above)
    words = [
        *ground.words,
        f"Detection error from {model.n_reference} reference landslides of {model.minimum_m2:g} m2 "
        f"or more ({model.n_found} found) and {model.n_false} false alarms in {model.n_blocks} "
        "blocks; what counts is what is new or grown in an epoch.",
        *(f"Note: {note}." for note in (*model.notes, *departures(checks, model))),
        "By epoch, landslides found and false alarms over those expected: "
        + "; ".join(
            f"{epoch.epoch.name} {recall:.2f}, {false:.2f}"
            for epoch, recall, false in zip(
                detected.epochs, factors.recall, factors.false, strict=True
            )
        )
        + ".",
    ]
    if isinstance(larger, str):
        words.append(f"Exponent and total are not carried on: {larger}.")
    return DetectionError(
        model=model, sizes_model=None if larger is None or isinstance(larger, str) else larger[0],
        calibration=pooled(parts), factors=factors, checks=checks,
        ground=ground.checks if ground.checks.any() else None, survey=survey, words=tuple(words),
    )  # fmt: skip


def _model_of(
    config: MapConfig,
    ground: HeldOut,
    survey: Survey,
    detected: MultiTemporal,
    reference: MultiTemporal,
    least_m2: float,
) -> tuple[ObservationModel, list[Calibration], Calibration | None] | str:
    """Model of the calibrating blocks and their epochs, the other blocks; or why there is none."""
    own = config.error
    try:
        epochs = calibrate_series(detected, reference, survey, ground.allowed, minimum_m2=least_m2)
        parts = [of_blocks(epoch, ground.blocks) for epoch in epochs]
        part, whole = pooled(parts), pooled(epochs)
        n = part.reference_m2.size
        if n < own.least_landslides:
            return (
                f"{n} reference landslides of {least_m2:g} m2 or more on the calibrating ground, "
                f"error.least_landslides {own.least_landslides}"
            )
        model = estimate(
            part, rng=np.random.default_rng([config.seed, 8]), draws=own.draws,
            synthetic=config.is_synthetic,
        )  # fmt: skip
    except DataError as error:
        return str(error)
    rest = np.setdiff1d(whole.block_names, ground.blocks)
    return model, parts, of_blocks(whole, rest) if rest.size else None


def _write_layer(
    lattice: Lattice, found: DetectionError, survey: Survey, detected: MultiTemporal, path: Path
) -> None:
    """The observation of every cell and epoch, on the cells of the hazard study."""
    model, cells, factor = found.model, lattice.cells, lattice.pixels_per_cell
    assert model is not None
    assert cells is not None
    assert lattice.elevation is not None
    pixels = cells.refine(factor)
    slope = survey.slope_deg
    if slope is None or survey.pixels.crs != pixels.crs:
        slope = slope_on(pixels, lattice.elevation, resampling=lattice.resampling)
    if found.calibration is not None:
        sizes = np.quantile(
            found.calibration.reference_m2, (np.arange(QUANTILES) + 0.5) / QUANTILES
        )
    else:
        everywhere = np.ones(survey.pixels.shape, dtype=bool)
        areas = gains_on(detected, survey, everywhere, minimum_m2=model.minimum_m2)
        sizes = true_sizes(*areas, model, count=QUANTILES)
    seen = seen_pixels(detected, pixels)
    layer = observation_layer(
        model, cells, slope_deg=by_cell(slope, factor), areas_m2=sizes,
        seen_share=np.stack([by_cell(one, factor) for one in seen]),
        epochs=[parts.epoch.name for parts in detected.epochs], factors=found.factors,
    )  # fmt: skip
    write_observation_layer(path, layer)


def by_cell(values: ndarray, factor: int) -> FloatArray:
    """(y, x) means of the pixels of each cell, `factor` of them along a side."""
    rows, columns = (side // factor for side in values.shape)
    return np.asarray(
        values.reshape(rows, factor, columns, factor).mean(axis=(1, 3), dtype=np.float64)
    )
