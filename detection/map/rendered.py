"""The scenes of a run: those that are named, or rendered ones as ordinary files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from jaxtyping import Float
from numpy import ndarray

from detection.config.map import MapConfig
from detection.embedded.settings import EmbeddedSettings
from detection.embedded.study import SiteElevation, render_study
from detection.embedded.write import RECORD, write_study
from detection.map.folder import ELEVATION, RENDERED
from detection.scenes.catalogue import Catalogue, read_catalogue
from hazard.errors import DataError
from hazard.geo.cog import write_cog
from hazard.geo.grid import Grid
from stats.command.frame import Session


def run_catalogue(config: MapConfig, run: Path, session: Session) -> Catalogue:
    """The catalogue that a run maps; rendered scenes are written into the run folder first.

    Scenes that lie there already are taken where they were rendered with the same settings.

    Raises:
        DataError: files that cannot be used, or settings that the renderer refuses.
    """
    if config.data is not None:
        return read_catalogue(config.data)
    try:
        settings = EmbeddedSettings(**config.embedded.model_dump())
    except ValueError as error:
        raise DataError("embedded", found=str(error), expected="other settings") from None
    folder = run / RENDERED
    if _hash_of(folder) != settings.settings_hash or not (run / ELEVATION).exists():
        with session.reporter.task("render scenes", settings.sites * settings.epochs) as advance:
            study = render_study(settings, progress=advance)
        whole, grid = mosaic(study.elevations)
        write_cog(
            run / ELEVATION, whole, grid, names=["elevation"], units=["m"],
            valid=np.isfinite(whole), tags={"SYNTHETIC": "rendered, not surveyed"},
        )  # fmt: skip
        write_study(study, folder)
    return read_catalogue(folder)


def _hash_of(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / RECORD).read_text(encoding="utf-8"))["settings_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def mosaic(sites: Sequence[SiteElevation]) -> tuple[Float[ndarray, "y x"], Grid]:
    """The elevation of all sites on the lattice of the first; NaN where there is none.

    Sites lie on lattices of their own, less than half a pixel apart; pixels go to the nearest.
    Where sites overlap, the later one stands.
    """
    first = sites[0].grid
    pixel = first.cell_size[0]
    bounds = np.array([site.grid.bounds for site in sites])
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    left = first.transform.c - round((first.transform.c - west) / pixel) * pixel
    top = first.transform.f + round((north - first.transform.f) / pixel) * pixel
    # One more on each side: a site may round to the far side of the outermost pixel.
    shape = round((top - south) / pixel) + 1, round((east - left) / pixel) + 1
    whole = np.full(shape, np.nan, dtype=np.float32)
    for site in sites:
        row = round((top - site.grid.transform.f) / pixel)
        column = round((site.grid.transform.c - left) / pixel)
        high, wide = site.grid.shape
        whole[row : row + high, column : column + wide] = site.elevation_m
    grid = Grid(crs=first.crs, transform=Affine(pixel, 0, left, 0, -pixel, top), shape=shape)
    return whole, grid
