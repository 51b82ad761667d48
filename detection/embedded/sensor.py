"""Sensor and weather: clouds, masks of cloud and snow, point spread, noise, gains, shifts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from detection.embedded.ground import Ground
from detection.embedded.light import haze, illumination, sun_position
from detection.embedded.noise import Array, rough_field, soft_step
from detection.embedded.settings import EmbeddedSettings

CLOUD_COLOUR = np.array([0.62, 0.63, 0.63, 0.62], dtype=np.float32)
CLOUD_SHADOW = 0.55
# Nobody maps from images with more cloud.
MOST_CLOUD = 0.18
STEP = 1e-4  # reflectance is stored in ten-thousandths


@dataclass(frozen=True, eq=False)
class Sky:
    """Clouds over a site.

    Attributes:
        opacity: (y, x) of the cloud, 0 to 1.
        shadow: (y, x) share of the direct light that the cloud takes away.
    """

    opacity: Array
    shadow: Array


def clouds(
    ground: Ground, settings: EmbeddedSettings, date: dt.date, rng: np.random.Generator
) -> Sky:
    """Clouds of a date; many dates have none, a few have much."""
    region, m, shape = ground.world.region, ground.pixel_m, ground.shape
    share = region.cloud * settings.cloud_share * float(rng.gamma(0.6, 1.0 / 0.6))
    field = rough_field(shape, 600.0 / m, rng, slope=3.9)
    height_m = float(rng.uniform(400.0, 1200.0))
    if share < 0.004:
        return Sky(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    cut = float(np.quantile(field, 1.0 - min(share, MOST_CLOUD)))
    opacity = soft_step(field, cut - 0.10, cut + 0.45)
    elevation, azimuth = sun_position(region.latitude_deg, date)
    away = height_m / np.tan(np.radians(elevation)) / m
    shift = (np.cos(np.radians(azimuth)) * away, -np.sin(np.radians(azimuth)) * away)
    shadow = ndimage.shift(opacity, shift, order=1, mode="constant", cval=0.0)
    return Sky(opacity, ndimage.gaussian_filter(shadow, 2.0).astype(np.float32))


def cloud_mask(sky: Sky, settings: EmbeddedSettings, rng: np.random.Generator) -> Array:
    """(y, x) True where the mask says cloud or its shadow; wrong along edges and in places."""
    shape = sky.opacity.shape
    error = settings.cloud_mask_error
    doubt = rough_field(shape, 60.0, rng, slope=3.0)
    cloud = sky.opacity > np.clip(0.25 + 0.6 * error * doubt, 0.03, 0.95)
    shadow = sky.shadow > np.clip(0.45 + 0.9 * error * (doubt + 0.5), 0.15, 2.0)
    return np.asarray(ndimage.binary_dilation(cloud, iterations=2) | shadow)


def snow_mask(snow: Array, settings: EmbeddedSettings, rng: np.random.Generator) -> Array:
    """(y, x) True where a classification says snow: where it covers half, and wrong along edges."""
    doubt = rough_field(snow.shape, 60.0, rng, slope=3.0)
    covered = snow > np.clip(0.5 + 0.6 * settings.cloud_mask_error * doubt, 0.1, 0.95)
    return np.asarray(ndimage.binary_dilation(covered))


def observe(
    reflectance: Array,
    snow: Array,
    ground: Ground,
    settings: EmbeddedSettings,
    date: dt.date,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """An image of the ground: (reflectance (y, x, band), valid (y, x)), rounded as stored.

    Args:
        reflectance: (y, x, band) of flat, evenly lit ground.
        snow: (y, x) share of the ground under snow.
        ground: terrain.
        settings: sensor and weather.
        date: of the sun.
        rng: generator of this image.
    """
    region = ground.world.region
    light = illumination(ground, date)
    sky = clouds(ground, settings, date, rng)
    light = light * (1.0 - CLOUD_SHADOW * sky.shadow)
    image = reflectance * light[..., None]
    strength = region.haze * settings.haze * float(np.exp(rng.normal(0.0, 0.35)))
    image += haze(ground, strength, rng)
    image += sky.opacity[..., None] * (CLOUD_COLOUR - image)
    # Correction for the atmosphere takes the mean haze off again, never quite.
    image -= strength * rng.uniform(0.6, 0.95) * np.array([1.0, 0.62, 0.36, 0.12])
    if settings.psf_px > 0.0:
        image = ndimage.gaussian_filter(image, (settings.psf_px, settings.psf_px, 0.0))
    gain = np.exp(rng.normal(0.0, settings.radiometric_sd, 4))
    offset = rng.normal(0.0, 0.06 * settings.radiometric_sd, 4)
    image = image * gain + offset
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image = image + settings.noise * noise * (0.0015 + 0.012 * np.clip(image, 0.0, 1.0))
    image = np.clip(np.rint(image / STEP) * STEP, STEP, 1.6).astype(np.float32)
    valid = ~cloud_mask(sky, settings, rng)
    if settings.snow_mask:
        # From a stream of its own, so that all else stays as it is without.
        valid &= ~snow_mask(snow, settings, rng.spawn(1)[0])
    return image, valid


def shifted(image: Array, valid: Array, shift: tuple[float, float]) -> tuple[Array, Array]:
    """An image moved by (rows, columns) [px], as an imperfect registration leaves it."""
    moved = np.stack(
        [
            ndimage.shift(image[..., k], shift, order=1, mode="nearest")
            for k in range(image.shape[-1])
        ],
        axis=-1,
    )
    seen = ndimage.shift(valid.astype(np.float32), shift, order=1, mode="nearest") > 0.999
    return np.rint(moved / STEP).astype(np.float32) * np.float32(STEP), seen
