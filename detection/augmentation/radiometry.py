"""Blur, sharpening, gain, offset and noise of one image, by which unseen pixels say nothing.

Neighbourhoods are normalised: weights are shared out over the pixels that were seen,

    blurred = sum_k w_k v_k x_k / sum_k w_k v_k        with v = 1 where seen, 0 where not,

so the fill of a cloud or of an edge never bleeds into the ground beside it
(Knutsson & Westin, 1993, CVPR, 515-523, doi:10.1109/CVPR.1993.341081). Pixels that were not seen
keep whatever stood there.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from detection.augmentation.config import AugmentationConfig
from detection.augmentation.draws import EXTRA, Numbers, drawn, number

_REACH = 3.0  # standard deviations of a Gaussian kernel on either side


def change_radiometry(
    config: AugmentationConfig,
    numbers: Numbers,
    key: PRNGKeyArray,
    on: dict[str, Bool[Array, ""]],
    image: Float[Array, "y x band"],
    valid: Bool[Array, "y x"],
) -> Float[Array, "y x band"]:
    """Apply the radiometric changes that happen, in the order in which an image is taken.

    Optics (blur, sharpening) come first, then calibration (gain, offset), then noise. Gain,
    offset and noise are drawn for each band on its own. Nothing is clipped: a reflectance may
    become negative, as those of real products do.

    Args:
        config: ranges.
        numbers: of this image; others for the earlier image.
        key: of the noise.
        on: which changes happen.
        image: values in any unit.
        valid: pixels that were seen.
    """
    seen = valid[..., None]
    values = jnp.where(seen, image, 0)
    bands = image.shape[-1]
    if "blur_px" in on:
        sigma = drawn(config, numbers, "blur_px", on["blur_px"], neutral=0.0)
        radius = max(1, math.ceil(_REACH * config.change("blur_px").high))
        values = blur(values, valid, sigma, radius)
    if "sharpen" in on:
        alpha = drawn(config, numbers, "sharpen", on["sharpen"], neutral=0.0)
        low, high = config.sharpen_lightness
        light = low + (high - low) * number(numbers, "sharpen", EXTRA)
        values = sharpen(values, valid, alpha, light)
    if "offset" in on or "noise" in on:
        spread = band_spread(values, valid)
    if "gain" in on:
        values = values * drawn(config, numbers, "gain", on["gain"], neutral=1.0, bands=bands)
    if "offset" in on:
        step = drawn(config, numbers, "offset", on["offset"], neutral=0.0, bands=bands)
        values = values + step * spread
    if "noise" in on:
        size = drawn(config, numbers, "noise", on["noise"], neutral=0.0, bands=bands)
        noise = jax.random.normal(key, values.shape, values.dtype)
        values = values + size * spread * noise
    return jnp.where(seen, values, image)


def blur(
    image: Float[Array, "y x band"],
    valid: Bool[Array, "y x"],
    sigma_px: Float[Array, ""],
    radius: int,
) -> Float[Array, "y x band"]:
    """Gaussian blur over the pixels that were seen; `sigma_px` of 0 changes no bit.

    Args:
        image: finite values.
        valid: pixels that were seen.
        sigma_px: standard deviation [pixel].
        radius: reach of the kernel [pixel], fixed when compiled.

    Example:
        >>> image = jnp.asarray([[[1.0], [99.0], [3.0]]])
        >>> seen = jnp.asarray([[True, False, True]])
        >>> [round(float(v), 3) for v in blur(image, seen, jnp.asarray(50.0), 2)[0, :, 0]]
        [2.0, 99.0, 2.0]
    """
    seen = valid[..., None]
    weight = jnp.broadcast_to(seen, image.shape).astype(image.dtype)
    distance = jnp.arange(-radius, radius + 1, dtype=image.dtype)
    narrow = jnp.maximum(sigma_px, 1e-3)
    kernel = jnp.exp(-0.5 * (distance / narrow) ** 2)
    above = _along(_along(image * weight, kernel, 0), kernel, 1)
    below = _along(_along(weight, kernel, 0), kernel, 1)
    return jnp.where(seen, above / jnp.where(seen, below, 1), image)


def _along(values: Array, kernel: Array, axis: int) -> Array:
    """Sum of shifted copies: one fused pass over memory, on a CPU and on a GPU."""
    radius = (kernel.shape[0] - 1) // 2
    size = values.shape[axis]
    room = [(radius, radius) if i == axis else (0, 0) for i in range(values.ndim)]
    padded = jnp.pad(values, room)
    total = jnp.zeros_like(values)
    for place in range(2 * radius + 1):
        total += kernel[place] * jax.lax.slice_in_dim(padded, place, place + size, axis=axis)
    return total


def sharpen(
    image: Float[Array, "y x band"],
    valid: Bool[Array, "y x"],
    alpha: Float[Array, ""],
    lightness: Float[Array, ""],
) -> Float[Array, "y x band"]:
    r"""Mix an image with its 3 x 3 Laplacian sharpening.

    .. math:: x' = (1 - \alpha)\,x + \alpha\,\bigl[(8 + l)\,x - 8\,\bar x\bigr]

    with the mean of the eight neighbours, over those that were seen. This is the kernel of -1
    around 8 + l of the published menu: l = 1 keeps the mean, any other l multiplies it.

    Example:
        >>> image, seen = jnp.full((3, 3, 1), 2.0), jnp.ones((3, 3), bool)
        >>> float(sharpen(image, seen, jnp.asarray(1.0), jnp.asarray(1.5))[1, 1, 0])
        3.0
    """
    seen = valid[..., None]
    weight = jnp.broadcast_to(seen, image.shape).astype(image.dtype)
    ones = jnp.ones(3, image.dtype)
    around = _along(_along(image * weight, ones, 0), ones, 1) - image * weight
    number = _along(_along(weight, ones, 0), ones, 1) - weight
    mean = jnp.where(number > 0, around / jnp.maximum(number, 1), image)
    changed = (8 + lightness) * image - 8 * mean
    mixed = image + alpha * (changed - image)
    return jnp.where(seen & (alpha > 0), mixed, image)


def band_spread(
    image: Float[Array, "y x band"], valid: Bool[Array, "y x"]
) -> Float[Array, " band"]:
    """Standard deviation of every band over the pixels that were seen; 0 where none was.

    Example:
        >>> image = jnp.asarray([[[1.0], [3.0], [50.0]]])
        >>> band_spread(image, jnp.asarray([[True, True, False]])).tolist()
        [1.0]
    """
    weight = valid[..., None].astype(image.dtype)
    number = jnp.maximum(weight.sum(), 1)
    mean = (image * weight).sum(axis=(0, 1)) / number
    squares = (weight * (image - mean) ** 2).sum(axis=(0, 1)) / number
    return jnp.sqrt(squares)
