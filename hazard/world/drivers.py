"""What drives landslides: fields on the 250 m lattice, the hidden ones among them.

The cube sees slope, curvature, wetness, distance to streams, shaking and rain (through its own
files). It does not see the weak-rock belt, the roads that undercut slopes, or the random effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pyproj import Transformer
from scipy import ndimage

from hazard.geo.epochs import Epoch
from hazard.geo.shakemap import ShakeMap
from hazard.world.domain import (
    Array,
    across_belt_km,
    lattice_grid,
    random_stream,
    to_km,
)
from hazard.world.fields import regional_field, sample_axes
from hazard.world.parameters import Parameters
from hazard.world.rain import Rain
from hazard.world.settings import WorldConfig
from hazard.world.terrain import Terrain

STREAM_AREA_M2 = 4.0e6


@dataclass(frozen=True)
class Drivers:
    """(y, x) float32 fields on the 250 m lattice; per-epoch ones are (epoch, y, x).

    Attributes:
        slope_deg: slope.
        hollow: Laplacian of the elevation, standardised; > 0 in hollows.
        wetness: ln(contributing area per width / tan slope), standardised.
        stream_proximity: exp(-distance to the nearest stream / 500 m).
        height: share of the local relief (5 km) below the point, 0 valley floor to 1 crest.
        relief_km: local relief (5 km) [km].
        ln_pga: ln of the larger PGA of the two events [ln m/s2].
        rain_score: (epoch, y, x) log of the epoch's maximum daily rain, centred and scaled.
        weak_rock: hidden, 0 to 1: share of weak, sheared rock.
        road_proximity: hidden, exp(-distance to the nearest road / 250 m).
        random_effect: hidden, persistent, mean 0 and variance 1.
        regional_effect: hidden, persistent, of the scale of districts, mean 0 and variance 1.
        epoch_effect: (epoch, y, x) hidden, independent between epochs.
        size_effect: hidden, standard normal: where large landslides are.
    """

    slope_deg: Array
    hollow: Array
    wetness: Array
    stream_proximity: Array
    height: Array
    relief_km: Array
    ln_pga: Array
    rain_score: Array
    weak_rock: Array
    road_proximity: Array
    random_effect: Array
    regional_effect: Array
    epoch_effect: Array
    size_effect: Array


def _standard(field: Array) -> Array:
    return ((field - field.mean()) / field.std()).astype(np.float32)


def _pga(shakemaps: Mapping[str, ShakeMap], config: WorldConfig) -> Array:
    """Natural logarithm of the larger PGA [m/s2] on the lattice."""
    grid = lattice_grid(config)
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    lon, lat = back.transform(*np.meshgrid(grid.x, grid.y))
    largest = None
    for shakemap in shakemaps.values():
        rows = (shakemap.lat[0] - lat) / (shakemap.lat[0] - shakemap.lat[1])
        cols = (lon - shakemap.lon[0]) / (shakemap.lon[1] - shakemap.lon[0])
        pga = ndimage.map_coordinates(shakemap.layers["pga"], [rows, cols], order=1)
        largest = pga if largest is None else np.maximum(largest, pga)
    if largest is None:
        raise ValueError("no ShakeMap given")
    return np.log(largest).astype(np.float32)


def _rain_scores(rain: Rain, epochs: tuple[Epoch, ...], config: WorldConfig) -> Array:
    grid = lattice_grid(config)
    rows = (rain.grid.y[0] - grid.y) / rain.grid.cell_size[1]
    cols = (grid.x - rain.grid.x[0]) / rain.grid.cell_size[0]
    mesh = np.meshgrid(rows, cols, indexing="ij")
    scores = []
    for epoch in epochs:
        largest = np.log(rain.between(epoch.start, epoch.end).max(axis=0) + 5.0)
        scores.append(ndimage.map_coordinates(largest, mesh, order=1, mode="nearest"))
    # 80 mm/day is an ordinary yearly maximum here; 0.5 is the spread of its logarithm.
    return ((np.stack(scores) - np.log(85.0)) / 0.5).astype(np.float32)


def _roads(terrain: Terrain, x_km: Array, y_km: Array, config: WorldConfig) -> Array:
    """Roads follow valley sides below 2,400 m, in the districts that have them."""
    rng = random_stream(config, "hidden drivers", index=1)
    built = sample_axes(regional_field(range_km=25.0, rng=rng, smoothness=1.0), x_km, y_km)
    wander = sample_axes(regional_field(range_km=3.0, rng=rng), x_km, y_km)
    area = ndimage.maximum_filter(terrain.lattice_area_m2, 3)
    valley = (area > 6.0e6) & (area < 6.0e9)
    low = terrain.lattice_elevation_m < 2400.0
    corridor = valley & low & (built > -0.2)
    # The bench lies a few hundred metres up one side of the stream, side and height by place.
    distance = ndimage.distance_transform_edt(~corridor) * 0.25 if corridor.any() else None
    if distance is None:
        return np.zeros(terrain.lattice_elevation_m.shape, dtype=np.float32)
    bench = np.abs(distance - (0.45 + 0.2 * wander)) < 0.2
    bench &= wander > -0.3
    bench &= low
    if not bench.any():
        return np.zeros(terrain.lattice_elevation_m.shape, dtype=np.float32)
    return np.exp(-ndimage.distance_transform_edt(~bench)).astype(np.float32)


def epoch_effect_field(
    config: WorldConfig, parameters: Parameters, rng: np.random.Generator
) -> Array:
    """(y, x) a random effect of one epoch on the lattice, mean 0 and variance 1."""
    grid = lattice_grid(config)
    x_km, _ = to_km(grid.x, grid.x)
    _, y_km = to_km(grid.y, grid.y)
    field = regional_field(range_km=parameters.epoch_range_km, rng=rng)
    return sample_axes(field, x_km, y_km).astype(np.float32)


def build_drivers(
    config: WorldConfig,
    parameters: Parameters,
    *,
    terrain: Terrain,
    shakemaps: Mapping[str, ShakeMap],
    rain: Rain,
    epochs: tuple[Epoch, ...],
) -> Drivers:
    """All drivers on the lattice, from the terrain, the triggers and the hidden streams."""
    grid = lattice_grid(config)
    x_km, _ = to_km(grid.x, grid.x)
    _, y_km = to_km(grid.y, grid.y)
    z = terrain.lattice_elevation_m.astype(np.float64)
    spacing = config.lattice_m
    dy, dx = np.gradient(z, spacing)
    gradient = np.hypot(dx, dy)
    # Local relief in a window of 5 km, and the share of it below the point.
    side = round(5000.0 / spacing) | 1
    low = ndimage.gaussian_filter(ndimage.minimum_filter(z, side), side / 6)
    high = ndimage.gaussian_filter(ndimage.maximum_filter(z, side), side / 6)
    stream = terrain.lattice_area_m2 > STREAM_AREA_M2
    far = (
        ndimage.distance_transform_edt(~stream) * spacing if stream.any() else np.full(z.shape, 1e9)
    )

    rng = random_stream(config, "hidden drivers")
    d = across_belt_km(*np.meshgrid(x_km, y_km))
    bends = sample_axes(regional_field(range_km=40.0, rng=rng, smoothness=2.0), x_km, y_km)
    ragged = sample_axes(regional_field(range_km=5.0, rng=rng), x_km, y_km)
    weak = 1.0 / (1.0 + np.exp((np.abs(d + 34.0 + 8.0 * bends) - 7.0 + 3.0 * ragged) / 1.5))

    effects = random_stream(config, "random effects")
    p = parameters
    persistent = np.sqrt(p.short_share) * regional_field(
        range_km=p.short_range_km, rng=effects, spacing_km=0.5
    ) + np.sqrt(1.0 - p.short_share) * regional_field(range_km=p.middle_range_km, rng=effects)
    district = regional_field(range_km=p.regional_range_km, rng=effects, smoothness=1.0)
    sizes = regional_field(range_km=p.size_range_km, rng=effects)
    per_epoch = [
        epoch_effect_field(config, p, random_stream(config, "random effects", index=index + 1))
        for index in range(len(epochs))
    ]
    return Drivers(
        slope_deg=np.degrees(np.arctan(gradient)).astype(np.float32),
        hollow=_standard(np.clip(ndimage.gaussian_laplace(z, 1.0) / spacing, -0.5, 0.5)),
        wetness=_standard(np.log(terrain.lattice_area_m2 / spacing / np.maximum(gradient, 0.01))),
        stream_proximity=np.exp(-far / 500.0).astype(np.float32),
        height=np.clip((z - low) / np.maximum(high - low, 50.0), 0.0, 1.0).astype(np.float32),
        relief_km=((high - low) / 1000.0).astype(np.float32),
        ln_pga=_pga(shakemaps, config),
        rain_score=_rain_scores(rain, epochs, config),
        weak_rock=weak.astype(np.float32),
        road_proximity=_roads(terrain, x_km, y_km, config),
        random_effect=sample_axes(persistent, x_km, y_km).astype(np.float32),
        regional_effect=sample_axes(district, x_km, y_km).astype(np.float32),
        epoch_effect=np.stack(per_epoch),
        size_effect=sample_axes(sizes, x_km, y_km).astype(np.float32),
    )
