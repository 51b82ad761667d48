"""The truth of a world, kept beside the observations under `truth/`.

Nothing in `hazard` outside this room may read these files: they exist for tests of calibration,
coverage and recovery. Every file is flagged ``truth = "not an observation"``.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import geopandas as gpd
import numpy as np

from hazard.geo.cf import cf_dataset
from hazard.geo.store import write_netcdf
from hazard.world.domain import Array, cell_grid, lattice_grid
from hazard.world.landslides import law_cdf, law_quantile
from hazard.world.mapper import detection_probability
from hazard.world.parameters import Parameters, SizeLaw
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation

STAMP = "SYNTHETIC"
FLAG = "not an observation"


def detected_share(config: WorldConfig, law: SizeLaw) -> float:
    """Share of new landslides of a size law that the mapper finds.

    Example:
        >>> law = SizeLaw(kind="double_pareto", values=(1.4, 2.0, 800.0), lower_m2=20.0,
        ...               upper_m2=1e6)
        >>> 0.9 < detected_share(WorldConfig(), law) < 1.0
        True
    """
    middles = (np.arange(20_000) + 0.5) / 20_000
    return float(detection_probability(config, law_quantile(law, middles)).mean())


def presence_probability(
    config: WorldConfig, parameters: Parameters, simulation: Simulation
) -> Array:
    """(epoch, y, x) P(at least one new mapped source in the cell | drivers and earlier failures).

    Closed form, ``1 - exp(-intensity * detected share)``. It leaves out what the mapper adds and
    takes: footprints that reach into a neighbour, scars that show again, landslides given up for
    want of room. Sizes depend on the place, so the share is that of the whole epoch.
    """
    return np.stack(
        [
            -np.expm1(-intensity.cell * detected_share(config, law))
            for intensity, law in zip(simulation.intensities, parameters.sizes, strict=False)
        ]
    )


def write_truth(
    folder: Path, config: WorldConfig, parameters: Parameters, simulation: Simulation
) -> list[str]:
    """Write the truth into `folder`; returns the names of the files.

    - ``landslides.gpkg``: true polygons with area, epoch of failure (-1 before the earthquake).
    - ``cells.nc``: intensity, number of sources and closed-form presence probability per cell.
    - ``lattice.nc``: intensity per epoch and every driver, hidden ones named, at 250 m.
    - ``parameters.json``: planted values, size laws, levels, counts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    flags = {"world": STAMP, "truth": FLAG}
    slides = simulation.landslides
    frame = gpd.GeoDataFrame(
        {
            "landslide_id": np.arange(1, slides.area_m2.size + 1),
            "area_m2": slides.area_m2,
            "epoch": slides.epoch,
            "lattice_row": slides.row,
            "lattice_col": slides.col,
        },
        geometry=slides.polygon,
        crs=cell_grid(config).crs,
    )
    frame.to_file(
        folder / "landslides.gpkg", driver="GPKG", layer="true_landslides", engine="pyogrio",
        layer_metadata=flags,
    )  # fmt: skip
    names = [epoch.name for epoch in simulation.ground.epochs]
    grid = cell_grid(config)
    sources = np.zeros((len(names), *grid.shape), dtype=np.int32)
    n = lattice_grid(config).shape[0] // grid.shape[0]
    failed = slides.epoch >= 0
    np.add.at(sources, (slides.epoch[failed], slides.row[failed] // n, slides.col[failed] // n), 1)
    axes = ("epoch", "y", "x")
    cells = cf_dataset(
        {
            "intensity": (axes, np.stack([i.cell for i in simulation.intensities]),
                          {"units": "1", "long_name": "expected number of sources in the cell"}),
            "sources": (axes, sources, {"units": "1", "long_name": "number of sources, true"}),
            "presence_probability": (
                axes, presence_probability(config, parameters, simulation),
                {"units": "1", "long_name": "P(new mapped source), closed form"}),
        },
        grid, coords={"epoch": ("epoch", names)}, attrs=flags,
    )  # fmt: skip
    write_netcdf(folder / "cells.nc", cells)
    d = simulation.drivers
    layers = {
        field.name: (axes if getattr(d, field.name).ndim == 3 else axes[1:],
                     getattr(d, field.name),
                     {"units": "1", "long_name": field.name.replace("_", " ")})
        for field in dataclasses.fields(d)
    }  # fmt: skip
    layers["intensity"] = (
        axes, np.stack([i.lattice for i in simulation.intensities]).astype(np.float32),
        {"units": "1", "long_name": "expected number of sources at the lattice point"},
    )  # fmt: skip
    lattice = cf_dataset(
        layers, lattice_grid(config), coords={"epoch": ("epoch", names)}, attrs=flags
    )
    write_netcdf(folder / "lattice.nc", lattice)
    content = {
        **flags,
        "parameters": dataclasses.asdict(parameters),
        "levels": [i.level for i in simulation.intensities],
        "detected_share": [detected_share(config, law) for law in parameters.sizes],
        "share_below_100_m2": [float(law_cdf(law, np.array(100.0))) for law in parameters.sizes],
        "landslides_given_up": list(slides.n_dropped),
        "total_area_m2": [
            float(slides.area_m2[slides.epoch == e].sum()) for e in range(-1, len(names))
        ],
    }
    (folder / "parameters.json").write_text(json.dumps(content, indent=1) + "\n")
    return ["landslides.gpkg", "cells.nc", "lattice.nc", "parameters.json"]
