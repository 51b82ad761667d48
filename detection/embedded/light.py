"""Sun, slopes, cast shadows and haze."""

from __future__ import annotations

import datetime as dt

import numpy as np

from detection.embedded.ground import WORLD_PIXEL_M, Ground, RegionWorld, on_image
from detection.embedded.noise import Array, rough_field, soft_step

OVERPASS_HOUR = 10.5
# Share of the light on flat ground that comes from the sky.
DIFFUSE = 0.20
BRIGHTEST = 2.2
PATH_RADIANCE = np.array([1.0, 0.62, 0.36, 0.12], dtype=np.float32)


def sun_position(
    latitude_deg: float, date: dt.date, hour: float = OVERPASS_HOUR
) -> tuple[float, float]:
    """(elevation, azimuth clockwise from north) of the sun [deg], at local solar time.

    Declination after Cooper (1969, Solar Energy 12, 333-346): 23.45 sin(360 (284 + n) / 365).

    Example:
        >>> elevation, azimuth = sun_position(28.0, dt.date(2015, 6, 21), 12.0)
        >>> round(elevation), round(azimuth)
        (85, 180)
    """
    day = date.timetuple().tm_yday
    declination = np.radians(23.45 * np.sin(2.0 * np.pi * (284 + day) / 365.0))
    latitude, angle = np.radians(latitude_deg), np.radians(15.0 * (hour - 12.0))
    up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(
        angle
    )
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(
        declination
    ) * np.cos(angle)
    return float(np.degrees(np.arcsin(up))), float(np.degrees(np.arctan2(east, north)) % 360.0)


def horizon_m(world: RegionWorld, elevation_deg: float, azimuth_deg: float) -> Array:
    """(y, x) height [m] below which the world's ground lies in the shadow of other ground."""
    z = world.elevation_m
    step_row = -np.cos(np.radians(azimuth_deg))
    step_col = np.sin(np.radians(azimuth_deg))
    rise = WORLD_PIXEL_M * np.tan(np.radians(elevation_deg))
    reach = int(min((z.max() - z.min()) / max(rise, 1e-3), 0.5 * min(z.shape))) + 1
    shade = np.full(z.shape, -1e4, dtype=np.float32)
    for k in range(1, reach + 1):
        dr, dc = round(k * step_row), round(k * step_col)
        # The ground k pixels towards the sun, lowered by the sun's ray.
        rows = slice(max(0, -dr), z.shape[0] - max(0, dr))
        cols = slice(max(0, -dc), z.shape[1] - max(0, dc))
        source = z[rows.start + dr : rows.stop + dr, cols.start + dc : cols.stop + dc] - np.float32(
            k * rise
        )
        np.maximum(shade[rows, cols], source, out=shade[rows, cols])
    return shade


def illumination(ground: Ground, date: dt.date) -> Array:
    """(y, x) light on the ground relative to flat, open ground; 1 there."""
    elevation, azimuth = sun_position(ground.world.region.latitude_deg, date)
    high, turn = np.radians(elevation), np.radians(azimuth)
    gy, gx = np.gradient(ground.elevation_m, ground.pixel_m)
    # Rows run south: the northward gradient is -gy.
    cosine = (np.sin(high) - np.cos(high) * (gx * np.sin(turn) + -gy * np.cos(turn))) / np.sqrt(
        1.0 + gx**2 + gy**2
    )
    shade = on_image(
        horizon_m(ground.world, elevation, azimuth), ground.world, ground.grid, order=1
    )
    lit = soft_step(ground.smooth_m - shade, -6.0, 6.0)
    sky = 0.5 + 0.5 / np.sqrt(1.0 + gx**2 + gy**2)
    light = (1.0 - DIFFUSE) * lit * np.maximum(cosine, 0.0) / np.sin(high) + DIFFUSE * sky
    return np.minimum(light, BRIGHTEST).astype(np.float32)


def haze(ground: Ground, strength: float, rng: np.random.Generator) -> Array:
    """(y, x, band) path radiance as reflectance; thicker over low ground and in drifts."""
    drift = rough_field(ground.shape, 1500.0 / ground.pixel_m, rng, slope=3.5)
    height = ground.smooth_m - ground.smooth_m.mean()
    height /= max(float(height.std()), 1.0)
    field = strength * np.clip(1.0 + 0.25 * drift - 0.2 * height, 0.1, 2.5)
    return (field[..., None] * PATH_RADIANCE).astype(np.float32)
