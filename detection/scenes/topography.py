"""Slope and hillshade of elevation, as pure functions that jit and vmap.

They are made again from elevation after every geometric augmentation: a hillshade that was turned
as a picture would show the sun where it never stands. Gradients are central differences

    G = dz/dx = (e - w) / (2 dx)      H = dz/dy = (n - s) / (2 dy)

with x east, y north and rows running south; where one neighbour is missing (beyond the edge, or
not known) they are one-sided, where both are, that gradient is 0. A pixel with no neighbour on
either axis, or of unknown elevation, is not known. The rules are those of `hazard.geo.terrain`,
which this agrees with; that one runs on whole rasters, this one on batches on the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hazard.errors import DataError

DEGREES = 180.0 / jnp.pi


class Gradient(NamedTuple):
    """Gradient of a surface.

    Attributes:
        east: dz/dx (..., y, x) [1].
        north: dz/dy (..., y, x) [1].
        known: where either axis had a neighbour (..., y, x).
    """

    east: Float[Array, "... y x"]
    north: Float[Array, "... y x"]
    known: Bool[Array, "... y x"]


def _shifted(value: Array, axis: int, step: int) -> Array:
    """Values of the neighbour `step` places on; 0 (False) beyond the edge."""
    size = value.shape[axis]
    widths = [(0, 0)] * value.ndim
    widths[axis] = (max(0, -step), max(0, step))
    start = max(0, step)
    index = [slice(None)] * value.ndim
    index[axis] = slice(start, start + size)
    return jnp.pad(value, widths)[tuple(index)]


def _along(z: Array, known: Array, axis: int, spacing_m: float) -> tuple[Array, Array]:
    """Gradient towards growing indices, and where there was a neighbour to tell it."""
    before, after = _shifted(z, axis, -1), _shifted(z, axis, 1)
    has_before, has_after = _shifted(known, axis, -1), _shifted(known, axis, 1)
    rise = jnp.where(has_after, after, z) - jnp.where(has_before, before, z)
    steps = has_before.astype(z.dtype) + has_after.astype(z.dtype)
    return rise / (jnp.maximum(steps, 1) * spacing_m), has_before | has_after


def gradient(
    elevation_m: Float[Array, "... y x"],
    pixel_m: float | tuple[float, float],
    known: Bool[Array, "... y x"] | None = None,
) -> Gradient:
    """Gradient of elevation towards east and north.

    Args:
        elevation_m: elevation [m]; NaN counts as not known.
        pixel_m: side of a pixel [m], or (width, height).
        known: pixels whose elevation may be used; all finite ones where None.
    """
    width, height = pixel_m if isinstance(pixel_m, tuple) else (pixel_m, pixel_m)
    finite = jnp.isfinite(elevation_m)
    usable = finite if known is None else finite & known
    z = jnp.where(usable, elevation_m, 0)
    east, knows_x = _along(z, usable, z.ndim - 1, width)
    south, knows_y = _along(z, usable, z.ndim - 2, height)
    return Gradient(east, -south, usable & (knows_x | knows_y))


def slope_deg(
    elevation_m: Float[Array, "... y x"], pixel_m: float | tuple[float, float]
) -> Float[Array, "... y x"]:
    """Slope atan(sqrt(G^2 + H^2)) [degree]; NaN where not known.

    Example:
        >>> plane = jnp.arange(3.0)[None, :] * 10.0 * jnp.ones((3, 1))
        >>> slope_deg(plane, 10.0)[1]
        Array([45., 45., 45.], dtype=float32)
    """
    surface = gradient(elevation_m, pixel_m)
    return jnp.where(surface.known, _slope(surface), jnp.nan)


def hillshade(
    elevation_m: Float[Array, "... y x"],
    pixel_m: float | tuple[float, float],
    *,
    azimuth_deg: float = 315.0,
    altitude_deg: float = 45.0,
) -> Float[Array, "... y x"]:
    """Cosine of the angle between the sun and the ground's normal, at least 0; NaN unknown.

    With the sun at azimuth a (clockwise from north) and altitude h,

        max(0, (sin h - cos h (G sin a + H cos a)) / sqrt(1 + G^2 + H^2)).

    Shadows that other ground casts are not in it.

    Args:
        elevation_m: elevation [m].
        pixel_m: side of a pixel [m], or (width, height).
        azimuth_deg: direction of the sun [degree], clockwise from north.
        altitude_deg: height of the sun above the horizon [degree].

    Example:
        >>> flat = jnp.zeros((2, 2))
        >>> hillshade(flat, 10.0)[0, 0].round(4)
        Array(0.7071, dtype=float32)
    """
    surface = gradient(elevation_m, pixel_m)
    return jnp.where(surface.known, _shade(surface, azimuth_deg, altitude_deg), jnp.nan)


def _slope(surface: Gradient) -> Array:
    return jnp.arctan(jnp.hypot(surface.east, surface.north)) * DEGREES


def _shade(surface: Gradient, azimuth_deg: float, altitude_deg: float) -> Array:
    azimuth, altitude = jnp.deg2rad(azimuth_deg), jnp.deg2rad(altitude_deg)
    towards = surface.east * jnp.sin(azimuth) + surface.north * jnp.cos(azimuth)
    lit = jnp.sin(altitude) - jnp.cos(altitude) * towards
    return jnp.maximum(0, lit / jnp.sqrt(1 + surface.east**2 + surface.north**2))


@dataclass(frozen=True, kw_only=True)
class TopographicLayer:
    """A layer made from elevation.

    Attributes:
        name: name in configurations.
        unit: its unit.
        compute: from elevation and its gradient.
    """

    name: str
    unit: str
    compute: Callable[[Array, Gradient], Array]


LAYERS: dict[str, TopographicLayer] = {
    layer.name: layer
    for layer in (
        TopographicLayer(name="slope", unit="degree", compute=lambda z, g: _slope(g)),
        TopographicLayer(name="hillshade", unit="1", compute=lambda z, g: _shade(g, 315.0, 45.0)),
        TopographicLayer(name="elevation", unit="m", compute=lambda z, g: z),
    )
}


def require_layers(names: tuple[str, ...]) -> None:
    """Refuse a layer that does not exist.

    Raises:
        DataError: an unknown name.
    """
    for name in names:
        if name not in LAYERS:
            raise DataError(
                "topography", found=f"layer {name!r}", expected=f"one of {', '.join(LAYERS)}"
            )


def topography(
    elevation_m: Float[Array, "... y x"],
    pixel_m: float | tuple[float, float],
    names: tuple[str, ...],
    known: Bool[Array, "... y x"] | None = None,
) -> tuple[Float[Array, "... y x layer"], Bool[Array, "... y x"]]:
    """Layers of elevation, stacked last, and where they are known (0 elsewhere).

    Args:
        elevation_m: elevation [m]; NaN counts as not known.
        pixel_m: side of a pixel [m], or (width, height).
        names: keys of `LAYERS`, at least one.
        known: pixels whose elevation may be used; all finite ones where None.

    Raises:
        DataError: an unknown layer.

    Example:
        >>> layers, known = topography(jnp.zeros((4, 5)), 10.0, ("slope", "hillshade"))
        >>> layers.shape, bool(known.all())
        ((4, 5, 2), True)
    """
    require_layers(names)
    surface = gradient(elevation_m, pixel_m, known)
    z = jnp.where(surface.known, elevation_m, 0)
    stacked = jnp.stack([LAYERS[name].compute(z, surface) for name in names], axis=-1)
    return jnp.where(surface.known[..., None], stacked, 0), surface.known
