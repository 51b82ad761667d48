"""One world in memory: terrain, triggers, drivers, landslides, inventories and the series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hazard.geo.cell_area import cell_shares
from hazard.geo.epochs import Epoch
from hazard.geo.shakemap import ShakeMap
from hazard.world.calendar import world_epochs
from hazard.world.domain import Array, cell_grid, lattice_grid, pixel_grid, random_stream
from hazard.world.drivers import Drivers, build_drivers
from hazard.world.footprints import descent
from hazard.world.intensity import Intensity, legacy_field, link, score, with_level
from hazard.world.landslides import Landslides, PixelChoice, draw_epoch
from hazard.world.mapper import Visit, map_inventories
from hazard.world.parameters import Parameters, parameters_of
from hazard.world.rain import Rain, build_rain
from hazard.world.settings import WorldConfig
from hazard.world.shaking import build_shakemaps
from hazard.world.study_area import mapped_cells
from hazard.world.terrain import Terrain, build_terrain

Progress = Callable[[int], None] | None
# Terrain levels (at most 6), shaking and rain, drivers; then one per epoch and one for mapping.
STEPS_BEFORE_EPOCHS = 8


@dataclass(frozen=True)
class Ground:
    """Terrain and triggers: all that does not depend on landslides."""

    terrain: Terrain
    shakemaps: Mapping[str, ShakeMap]
    rain: Rain
    epochs: tuple[Epoch, ...]
    mapped: Array


@dataclass(frozen=True)
class Simulation:
    """A world in memory.

    Attributes:
        ground: terrain and triggers.
        drivers: fields on the lattice.
        intensities: per epoch, the expected number of sources at the lattice points.
        landslides: true landslides.
        visits: the inventory before the earthquake, then one per epoch (None where missed).
        area_m2: (epoch + 1, y, x) mapped landslide area per cell, NaN where missed.
        density_percent: (epoch, y, x) increase of the area, percent of the cell; NaN outside the
            mapped cells and where not observed.
    """

    ground: Ground
    drivers: Drivers
    intensities: tuple[Intensity, ...]
    landslides: Landslides
    visits: list[Visit | None]
    area_m2: Array
    density_percent: Array


def build_ground(config: WorldConfig, *, progress: Progress = None) -> Ground:
    """Terrain, shaking, rain, epochs and the mapped cells of a world."""
    terrain = build_terrain(config, progress=progress)
    epochs = world_epochs(config.n_epochs)
    shakemaps = build_shakemaps(config, terrain.regional_elevation_m)
    rain = build_rain(config, terrain.regional_elevation_m, epochs[-1].last_day)
    if progress is not None:
        progress(1)
    return Ground(terrain, shakemaps, rain, epochs, mapped_cells(config))


def legacy_before(
    parameters: Parameters,
    epochs: tuple[Epoch, ...],
    index: int,
    shape: tuple[int, int],
    *,
    epoch: Array,
    row: Array,
    col: Array,
) -> Array:
    """What earlier landslides leave at the lattice points at the start of an epoch.

    Args:
        parameters: the planted values.
        epochs: the epochs of the series.
        index: zero-based epoch, from 1.
        shape: of the lattice.
        epoch: (n,) zero-based epochs of the landslides, all before `index`.
        row: (n,) their lattice rows.
        col: (n,) their lattice columns.
    """
    start = epochs[index].start
    decay = [
        0.5 ** ((start - e.start).days / 365.25 / parameters.legacy_half_life_years)
        for e in epochs[:index]
    ]
    return legacy_field(shape, row, col, np.array(decay)[epoch])


def fail(
    config: WorldConfig,
    parameters: Parameters,
    ground: Ground,
    drivers: Drivers,
    *,
    progress: Progress = None,
) -> tuple[Landslides, tuple[Intensity, ...]]:
    """Landslides before the earthquake and in every epoch, with the intensity of each epoch."""
    pixels = PixelChoice(config, ground.terrain.elevation_m)
    field = descent(ground.terrain.elevation_m, pixel_grid(config))
    shape = lattice_grid(config).shape
    parts: list[tuple[Array, Array, Array, Array, int]] = []
    intensities = []
    for index in range(-1, len(ground.epochs)):
        # Before the earthquake the slopes fail as in an ordinary monsoon.
        epoch = index if index >= 0 else min(3, len(ground.epochs) - 1)
        legacy = None
        if index >= 1:
            # The landslides since the earthquake, in the order of their epochs.
            after = parts[1:]
            legacy = legacy_before(
                parameters, ground.epochs, index, shape,
                epoch=np.concatenate([np.full(p[1].size, e) for e, p in enumerate(after)]),
                row=np.concatenate([p[2] for p in after]),
                col=np.concatenate([p[3] for p in after]),
            )  # fmt: skip
        eta = score(parameters, drivers, epoch, legacy)
        presence = parameters.presence[index] if index >= 0 else parameters.baseline_presence
        intensity = with_level(link(parameters, eta), presence, ground.mapped)
        standing = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, object)
        parts.append(
            draw_epoch(
                config,
                parameters,
                drivers,
                intensity,
                epoch,
                pixels=pixels,
                field=field,
                standing=standing,
                rng=random_stream(config, "landslides", index=index + 1),
                shape_rng=random_stream(config, "footprints", index=index + 1),
            )
        )
        if index >= 0:
            intensities.append(intensity)
            if progress is not None:
                progress(1)
    landslides = Landslides(
        polygon=np.concatenate([part[0] for part in parts]),
        area_m2=np.concatenate([part[1] for part in parts]),
        epoch=np.concatenate([np.full(part[1].size, e - 1) for e, part in enumerate(parts)]),
        row=np.concatenate([part[2] for part in parts]),
        col=np.concatenate([part[3] for part in parts]),
        n_dropped=tuple(part[4] for part in parts),
    )
    return landslides, tuple(intensities)


def visible_area(config: WorldConfig, landslides: Landslides, visits: list[Visit | None]) -> Array:
    """(visit, y, x) mapped area per cell [m2], NaN where missed; only changes are cut anew."""
    grid = cell_grid(config)
    n_cells = grid.shape[0] * grid.shape[1]
    area = np.full((len(visits), n_cells), np.nan)
    polygon = np.empty(0, dtype=np.int64)
    cell = np.empty(0, dtype=np.int64)
    value = np.empty(0)
    for k, visit in enumerate(visits):
        if visit is None:
            continue
        stays = ~visit.changed[polygon]
        polygon, cell, value = polygon[stays], cell[stays], value[stays]
        redo = visit.changed[visit.index]
        shares = cell_shares(visit.polygons(landslides)[redo], grid)
        polygon = np.concatenate([polygon, visit.index[redo][shares.polygon]])
        cell = np.concatenate([cell, shares.cell])
        value = np.concatenate([value, shares.area_m2])
        area[k] = np.bincount(cell, weights=value, minlength=n_cells)
    return area.reshape(len(visits), *grid.shape)


def density_increase(area_m2: Array, mapped: Array, cell_area_m2: float) -> Array:
    """(epoch, y, x) increase since the last inventory, percent of the cell, as published.

    Args:
        area_m2: (epoch + 1, y, x) visible area, the pre-event one first; NaN where missed.
        mapped: (y, x) bool.
        cell_area_m2: area of a cell.
    """
    out = np.full((area_m2.shape[0] - 1, *mapped.shape), np.nan)
    last = area_m2[0]
    for epoch, area in enumerate(area_m2[1:]):
        if np.isnan(area).all():
            continue
        increase = np.maximum(area - last, 0.0)
        # An unchanged outline summed in another order is no increase.
        increase[increase < 1e-3] = 0.0
        out[epoch] = np.where(mapped, 100.0 * increase / cell_area_m2, np.nan)
        last = area
    return out


def simulate_observed(
    config: WorldConfig,
    *,
    parameters: Parameters | None = None,
    ground: Ground | None = None,
    progress: Progress = None,
) -> Simulation:
    """A whole world in memory.

    Args:
        config: the world's settings.
        parameters: planted values; those of the configured kind where None.
        ground: terrain and triggers made before from the same settings, to save their time.
        progress: called with the number of steps done since the last call.

    Returns:
        Truth and observations.
    """
    planted = parameters_of(config) if parameters is None else parameters
    base = build_ground(config, progress=progress) if ground is None else ground
    drivers = build_drivers(
        config,
        planted,
        terrain=base.terrain,
        shakemaps=base.shakemaps,
        rain=base.rain,
        epochs=base.epochs,
    )
    landslides, intensities = fail(config, planted, base, drivers, progress=progress)
    visits = map_inventories(config, planted, landslides, base.epochs)
    area = visible_area(config, landslides, visits)
    density = density_increase(area, base.mapped, cell_grid(config).cell_area_m2)
    if progress is not None:
        progress(1)
    return Simulation(base, drivers, intensities, landslides, visits, area, density)
