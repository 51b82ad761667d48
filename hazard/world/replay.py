"""One epoch of a world played again from a known state: failures, footprints and mapping.

A state is what stands at the end of an epoch: the true landslides and how each of them is drawn in
the last inventory. `EpochPlayer.play` adds one epoch to it by the same functions that made the
world; with the world's own random streams it gives the world's own epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import shapely

from hazard.geo.cell_area import CellShares, cell_shares
from hazard.geo.grid import Grid
from hazard.world.domain import Array, cell_grid, lattice_grid, pixel_grid
from hazard.world.drivers import Drivers, epoch_effect_field
from hazard.world.footprints import Descent, descent, scaled
from hazard.world.intensity import Intensity, link, score, with_level
from hazard.world.landslides import PixelChoice, draw_epoch
from hazard.world.mapper import Outlines, Scars, draw_inventory, scars_of, world_scars
from hazard.world.parameters import Parameters
from hazard.world.settings import LATTICE_PER_CELL, WorldConfig
from hazard.world.simulate import Ground, Simulation, legacy_before

PerLandslide = TypeVar("PerLandslide", Scars, Outlines)


@dataclass(frozen=True, eq=False)
class WorldState:
    """What stands at the end of an epoch.

    Attributes:
        polygon: (n,) true landslides.
        row: (n,) lattice rows of their sources.
        col: (n,) lattice columns.
        scars: the same landslides as the mapper meets them.
        outlines: how they are drawn in the last inventory.
        shares: drawn area of each of them in the cells.
    """

    polygon: Array
    row: Array
    col: Array
    scars: Scars
    outlines: Outlines
    shares: CellShares


@dataclass(frozen=True, eq=False)
class PlayedEpoch:
    """One epoch, played.

    Attributes:
        density_percent: (y, x) increase of the mapped area, percent of the cell; NaN outside the
            mapped cells and in a missed epoch.
        found_sources: (y, x) sources of new landslides that the mapper found.
        state: what stands at its end.
    """

    density_percent: Array
    found_sources: Array
    state: WorldState


@dataclass(frozen=True)
class Streams:
    """Random generators of one play.

    Attributes:
        landslides: sources and sizes.
        footprints: shapes.
        traits: what the mapper finds for good, and recovery.
        mapper: the epoch's images.
    """

    landslides: np.random.Generator
    footprints: np.random.Generator
    traits: np.random.Generator
    mapper: np.random.Generator

    @classmethod
    def of(cls, rng: np.random.Generator) -> Streams:
        """All from one generator."""
        return cls(rng, rng, rng, rng)


@dataclass(frozen=True, eq=False)
class EpochPlayer:
    """Plays epochs of one world.

    Attributes:
        config: the world's settings.
        parameters: its planted values.
        ground: its terrain and triggers.
        drivers: its drivers.
    """

    config: WorldConfig
    parameters: Parameters
    ground: Ground
    drivers: Drivers

    def intensity(self, state: WorldState, epoch: int, epoch_effect: Array) -> Intensity:
        """Expected sources of an epoch after a state, with a given random effect of the epoch.

        Args:
            state: what stands at the end of the epoch before.
            epoch: zero-based epoch.
            epoch_effect: (y, x) on the lattice, mean 0 and variance 1.
        """
        legacy = None
        if epoch >= 1:
            since = state.scars.epoch >= 0
            legacy = legacy_before(
                self.parameters, self.ground.epochs, epoch, lattice_grid(self.config).shape,
                epoch=state.scars.epoch[since], row=state.row[since], col=state.col[since],
            )  # fmt: skip
        effects = self.drivers.epoch_effect.copy()
        effects[epoch] = epoch_effect
        eta = score(self.parameters, replace(self.drivers, epoch_effect=effects), epoch, legacy)
        presence = self.parameters.presence[epoch]
        return with_level(link(self.parameters, eta), presence, self.ground.mapped)

    def draw_epoch_effect(self, rng: np.random.Generator) -> Array:
        """(y, x) another random effect of an epoch, of the same law."""
        return epoch_effect_field(self.config, self.parameters, rng)

    def play(
        self, state: WorldState, epoch: int, intensity: Intensity, streams: Streams
    ) -> PlayedEpoch:
        """Landslides of one epoch and its inventory.

        Args:
            state: what stands at the end of the epoch before.
            epoch: zero-based epoch; in a missed one slopes fail and nobody maps.
            intensity: expected sources of the epoch.
            streams: random generators.
        """
        polygon, area, row, col, _ = draw_epoch(
            self.config, self.parameters, self.drivers, intensity, epoch, pixels=self._pixels,
            field=self._descent, standing=state.polygon, rng=streams.landslides,
            shape_rng=streams.footprints,
        )  # fmt: skip
        new = scars_of(
            self.config, self.parameters, polygon, area, np.full(area.size, epoch),
            self.ground.epochs, streams.traits,
        )  # fmt: skip
        scars = _joined(state.scars, new)
        nothing = np.zeros(area.size)
        before = _joined(state.outlines, Outlines(nothing, nothing, nothing))
        outlines, changed = before, np.zeros(before.share.size, dtype=bool)
        missed = epoch == self.config.missed_epoch
        if not missed:
            outlines, changed = draw_inventory(
                self.config, self.parameters.mapper, scars, self.ground.epochs, epoch, before,
                streams.mapper,
            )  # fmt: skip
        polygons = np.concatenate([state.polygon, polygon])
        stays = ~changed[state.shares.polygon]
        again = drawn_shares(
            polygons, scars, outlines, np.flatnonzero(changed & (outlines.share > 0.0)), self.grid
        )
        n_cells = self.grid.shape[0] * self.grid.shape[1]
        increase = np.bincount(again.cell, weights=again.area_m2, minlength=n_cells) - np.bincount(
            state.shares.cell[~stays], weights=state.shares.area_m2[~stays], minlength=n_cells
        )
        # As in `density_increase`: a square millimetre is rounding, not a landslide.
        increase[increase < 1e-3] = 0.0
        density = 100.0 * increase.reshape(self.grid.shape) / self.grid.cell_area_m2
        sources = np.zeros(self.grid.shape, dtype=np.int64)
        np.add.at(
            sources,
            (row[new.found] // LATTICE_PER_CELL, col[new.found] // LATTICE_PER_CELL),
            1,
        )
        shares = CellShares(
            polygon=np.concatenate([state.shares.polygon[stays], again.polygon]),
            cell=np.concatenate([state.shares.cell[stays], again.cell]),
            area_m2=np.concatenate([state.shares.area_m2[stays], again.area_m2]),
        )
        after = WorldState(
            polygons, np.concatenate([state.row, row]), np.concatenate([state.col, col]),
            scars, outlines, shares,
        )  # fmt: skip
        seen = self.ground.mapped & (not missed)
        return PlayedEpoch(np.where(seen, density, np.nan), sources, after)

    @cached_property
    def grid(self) -> Grid:
        """The cells."""
        return cell_grid(self.config)

    @cached_property
    def _pixels(self) -> PixelChoice:
        return PixelChoice(self.config, self.ground.terrain.elevation_m)

    @cached_property
    def _descent(self) -> Descent:
        return descent(self.ground.terrain.elevation_m, pixel_grid(self.config))


def state_before(
    config: WorldConfig, parameters: Parameters, simulation: Simulation, epoch: int
) -> WorldState:
    """The true state of a world at the end of the epoch before `epoch`.

    Args:
        config: the world's settings.
        parameters: its planted values.
        simulation: the world.
        epoch: zero-based epoch; 0 gives the state before the earthquake.
    """
    slides = simulation.landslides
    there = slides.epoch < epoch
    # Landslides come in the order of their epochs, so indices into the first ones stay.
    n = int(there.sum())
    every = world_scars(config, parameters, slides, simulation.ground.epochs)
    scars = Scars(**{f.name: getattr(every, f.name)[:n] for f in fields(Scars)})
    share, dx, dy = np.zeros(n), np.zeros(n), np.zeros(n)
    visit = next(v for v in reversed(simulation.visits[: epoch + 1]) if v is not None)
    share[visit.index], dx[visit.index], dy[visit.index] = visit.share, visit.dx_m, visit.dy_m
    outlines = Outlines(share, dx, dy)
    polygon = slides.polygon[:n]
    shares = drawn_shares(polygon, scars, outlines, np.flatnonzero(share > 0.0), cell_grid(config))
    return WorldState(polygon, slides.row[:n], slides.col[:n], scars, outlines, shares)


def drawn_shares(
    polygon: Array, scars: Scars, outlines: Outlines, index: Array, grid: Grid
) -> CellShares:
    """Drawn area of some landslides in the cells [m2].

    An outline within one cell needs no geometry: it is the true polygon scaled about its centroid,
    so its box and its area follow from those of the true one. Only outlines that cross the border
    of a cell are drawn and cut.

    Args:
        polygon: (n,) true polygons.
        scars: (n,) the same as the mapper meets them.
        outlines: (n,) how they are drawn.
        index: (k,) which of them; all are drawn.
        grid: the cells.
    """
    t = grid.transform
    left, top = t.c, t.f
    factor = np.sqrt(outlines.share[index])
    west, south, east, north = shapely.bounds(polygon[index]).reshape(-1, 4).T
    centre = shapely.get_coordinates(shapely.centroid(polygon[index]))
    x, y = centre[:, 0], centre[:, 1]
    dx, dy = outlines.dx_m[index], outlines.dy_m[index]

    def cells(edge: Array, middle: Array, shift: Array, origin: float, step: float) -> Array:
        return np.floor(((edge - middle) * factor + middle + shift - origin) / step).astype(int)

    col, last_col = cells(west, x, dx, left, t.a), cells(east, x, dx, left, t.a)
    row, last_row = cells(north, y, dy, top, t.e), cells(south, y, dy, top, t.e)
    inside = (col >= 0) & (row >= 0) & (last_col < grid.shape[1]) & (last_row < grid.shape[0])
    whole = inside & (col == last_col) & (row == last_row)
    cut = index[~whole]
    parts = cell_shares(
        scaled(polygon[cut], factor[~whole], outlines.dx_m[cut], outlines.dy_m[cut]), grid
    )
    return CellShares(
        polygon=np.concatenate([index[whole], cut[parts.polygon]]),
        cell=np.concatenate([row[whole] * grid.shape[1] + col[whole], parts.cell]),
        area_m2=np.concatenate(
            [outlines.share[index[whole]] * scars.area_m2[index[whole]], parts.area_m2]
        ),
    )


def _joined(first: PerLandslide, second: PerLandslide) -> PerLandslide:
    return replace(
        first,
        **{
            f.name: np.concatenate([getattr(first, f.name), getattr(second, f.name)])
            for f in fields(first)
        },
    )
