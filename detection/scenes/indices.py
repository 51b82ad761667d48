"""Spectral indices of named bands: NDVI and its kin, as pure functions that jit and vmap.

All but the brightness are normalised differences (a - b) / (a + b), which cancel a factor common to
both bands (illumination, gain) but not an addend (haze, an offset of the sensor): take the offset
off first, where the sensor has one. They are clipped to [-1, 1], which reflectance cannot leave
but over-corrected values below zero can; where a + b is not positive, nothing is known and the
index is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.errors import DataError

Formula = Literal["normalised difference", "mean"]


@dataclass(frozen=True, kw_only=True)
class SpectralIndex:
    """An index of bands.

    Attributes:
        name: name in configurations.
        title: one line for reports.
        bands: bands that it needs, in the order of the formula.
        formula: how they are combined.
        source: where it comes from.
    """

    name: str
    title: str
    bands: tuple[str, ...]
    formula: Formula
    source: str


_NORMALISED: Formula = "normalised difference"
INDICES: dict[str, SpectralIndex] = {
    index.name: index
    for index in (
        SpectralIndex(
            name="ndvi", title="vegetation", bands=("nir", "red"), formula=_NORMALISED,
            source="Rouse, Haas, Schell & Deering (1974), NASA SP-351, 309-317",
        ),
        SpectralIndex(
            name="gndvi", title="vegetation, by green", bands=("nir", "green"),
            formula=_NORMALISED,
            source="Gitelson, Kaufman & Merzlyak (1996), doi:10.1016/S0034-4257(96)00072-7",
        ),
        SpectralIndex(
            name="ndwi", title="open water", bands=("green", "nir"), formula=_NORMALISED,
            source="McFeeters (1996), doi:10.1080/01431169608948714",
        ),
        SpectralIndex(
            name="ngrdi", title="vegetation, from colour images", bands=("green", "red"),
            formula=_NORMALISED, source="Tucker (1979), doi:10.1016/0034-4257(79)90013-0",
        ),
        SpectralIndex(
            name="ndre", title="vegetation, by the red edge", bands=("nir", "red_edge"),
            formula=_NORMALISED,
            source="normalised difference of near infrared and red edge, about 705-740 nm",
        ),
        SpectralIndex(
            name="nbr", title="burnt and bare ground", bands=("nir", "swir2"),
            formula=_NORMALISED, source="normalised burn ratio; short-wave infrared at 2.2 um",
        ),
        SpectralIndex(
            name="ndbi", title="built-up and bare ground", bands=("swir1", "nir"),
            formula=_NORMALISED, source="Zha, Gao & Ni (2003), doi:10.1080/01431160304987",
        ),
        SpectralIndex(
            name="brightness", title="mean of the visible bands", bands=("blue", "green", "red"),
            formula="mean", source="in the unit of the bands",
        ),
    )
}  # fmt: skip


def index_of(name: str) -> SpectralIndex:
    """The index of this name.

    Raises:
        DataError: an unknown name.

    Example:
        >>> index_of("ndvi").bands
        ('nir', 'red')
    """
    if name not in INDICES:
        raise DataError("index", found=f"{name!r}", expected=f"one of {', '.join(INDICES)}")
    return INDICES[name]


def require_bands(name: str, bands: Sequence[str]) -> tuple[int, ...]:
    """Places of the index's bands among `bands`.

    Raises:
        DataError: an unknown index, or a band that is not there.

    Example:
        >>> require_bands("ndvi", ("blue", "green", "red", "nir"))
        (3, 2)
    """
    index = index_of(name)
    missing = [band for band in index.bands if band not in bands]
    if missing:
        raise DataError(
            f"index {name!r}",
            found=f"bands {', '.join(bands)}",
            expected=f"{', '.join(missing)} to be among them",
        )
    return tuple(tuple(bands).index(band) for band in index.bands)


def normalised_difference(
    a: Float[Array, "*shape"], b: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """(a - b) / (a + b), clipped to [-1, 1]; 0 where a + b is not positive.

    Example:
        >>> normalised_difference(jnp.array([0.4, 0.0, -0.1]), jnp.array([0.1, 0.0, 0.3]))
        Array([ 0.6,  0. , -1. ], dtype=float32)
    """
    total = a + b
    seen = total > 0
    ratio = (a - b) / jnp.where(seen, total, 1)
    return jnp.where(seen, jnp.clip(ratio, -1, 1), 0)


def spectral_index(
    name: str, image: Float[Array, "*shape band"], bands: Sequence[str]
) -> Float[Array, "*shape"]:
    """An index of an image.

    Args:
        name: a key of `INDICES`.
        image: values, bands last, in a unit that is proportional to reflectance.
        bands: names of the bands of `image`.

    Raises:
        DataError: an unknown index, or bands that it needs and `image` lacks.

    Example:
        >>> pixel = jnp.array([0.05, 0.08, 0.10, 0.40])
        >>> spectral_index("ndvi", pixel, ("blue", "green", "red", "nir")).round(3)
        Array(0.6, dtype=float32)
    """
    places = require_bands(name, bands)
    if image.shape[-1] != len(bands):
        raise ValueError(f"image of {image.shape[-1]} bands; {len(bands)} names")
    parts = [image[..., place] for place in places]
    if index_of(name).formula == "mean":
        return sum(parts[1:], start=parts[0]) / len(parts)
    return normalised_difference(parts[0], parts[1])


def with_indices(
    image: Float[Array, "*shape band"], bands: Sequence[str], names: Sequence[str]
) -> Float[Array, "*shape channel"]:
    """The bands of an image, followed by its indices.

    Example:
        >>> with_indices(jnp.array([[2.0, 6.0]]), ("red", "nir"), ("ndvi",))
        Array([[2. , 6. , 0.5]], dtype=float32)
    """
    layers: list[jax.Array] = [spectral_index(name, image, bands)[..., None] for name in names]
    return jnp.concatenate([image, *layers], axis=-1)
