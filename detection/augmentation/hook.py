"""Augmentation of a whole batch of raw patches, as the training loop calls it.

A hook is a pure function of a batch and a key, traced into the compiled step: every sample has a
key of its own, so a batch is changed alike on one device and on many. It works on raw values, in
the unit of the sensor, before `detection.patches.preparation.prepare` standardises them and works
out indices, slope and hillshade: those follow the ground as it was turned, under the same sun.

What the network may not learn from is marked once: a pixel whose value leans on a pixel that was
not seen, or that lies behind the edge of the patch, is False in ``valid`` (``pre_valid``) and
weighs 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from detection.augmentation.config import AugmentationConfig
from detection.augmentation.draws import determinant, draw_numbers, forward_matrix, switches
from detection.augmentation.radiometry import change_radiometry
from detection.augmentation.warp import Places, bilinear, nearest, places
from hazard.training.data import is_weight
from hazard.training.programs import BatchHook

IMAGES = {"image": "valid", "pre": "pre_valid"}
ELEVATION, MASK = "elevation_m", "mask"


@dataclass(frozen=True)
class Augmentation:
    """A hook; hooks of equal configurations are equal, so they share compiled programs.

    Attributes:
        config: what may change.

    Example:
        >>> flip = make_hook(AugmentationConfig(horizontal_flip=1.0))
        >>> image = jnp.asarray([[[[1.0], [2.0]]]])
        >>> batch = {"image": image, "mask": image[..., 0], "weight": jnp.ones((1, 1, 2))}
        >>> changed = flip(batch, jax.random.key(0))
        >>> changed["mask"].tolist(), changed["weight"].tolist()
        ([[[2.0, 1.0]]], [[[1.0, 1.0]]])
    """

    config: AugmentationConfig

    def __call__(self, batch: dict[str, Array], key: Array) -> dict[str, Array]:
        """Change a raw batch.

        Args:
            batch: ``image`` (patch, y, x, band); where present also ``valid``, ``pre`` with
                ``pre_valid``, ``elevation_m``, ``mask`` and ``weight`` (patch, y, x), and
                (patch,) arrays, which stay as they are.
            key: of this batch.

        Returns:
            The batch with the same names, shapes and types.

        Raises:
            ValueError: no image, or an array on the ground of which nothing is known, and which
                would no longer lie on the image.
        """
        if not self.config.shares:
            return batch
        if "image" not in batch:
            raise ValueError(f"no 'image' in the batch; it has {', '.join(sorted(batch))}")
        moved = {name: value for name, value in batch.items() if _on_the_ground(name, value)}
        keys = jax.random.split(key, batch["image"].shape[0])
        changed = jax.vmap(partial(augment_sample, self.config))(keys, moved)
        return {**batch, **changed}


def make_hook(config: AugmentationConfig) -> BatchHook:
    """The hook of a configuration, for `hazard.training.loop.train(augment=...)`."""
    return Augmentation(config)


def _on_the_ground(name: str, value: Array) -> bool:
    known = name in (*IMAGES, *IMAGES.values(), ELEVATION, MASK) or is_weight(name)
    if not known and value.ndim > 1:
        raise ValueError(
            f"array {name!r} of shape {value.shape}: no rule says how it moves with the image"
        )
    return known


def augment_sample(
    config: AugmentationConfig, key: PRNGKeyArray, sample: dict[str, Array]
) -> dict[str, Array]:
    """Change one sample: geometry of everything, then radiometry of each image.

    Args:
        config: what may change.
        key: of the sample.
        sample: arrays as in `Augmentation`, without the axis of patches.
    """
    result = dict(sample)
    ground_key, *image_keys = jax.random.split(key, 1 + len(IMAGES))
    numbers = draw_numbers(ground_key)
    on = switches(config, numbers)
    if config.has_geometry:
        result = move_sample(
            result, forward_matrix(config, numbers, on),
            interpolate_mask=config.interpolate_mask, count_filled=config.count_filled,
        )  # fmt: skip
    if config.has_radiometry:
        for own_key, (name, seen) in zip(image_keys, IMAGES.items(), strict=True):
            if name not in result:
                continue
            own_key, noise_key = jax.random.split(own_key)
            own = draw_numbers(own_key, result[name].shape[-1])
            # Each date has its own weather; only an exclusive choice is one for the sample.
            happens = on if config.exclusive else switches(config, own)
            result[name] = change_radiometry(
                config, own, noise_key, happens, result[name], _seen(result, name, seen)
            )
    return result


def move_sample(
    sample: dict[str, Array],
    matrix: Float[Array, "2 2"],
    *,
    interpolate_mask: bool = False,
    count_filled: bool = False,
) -> dict[str, Array]:
    """Move everything that lies on the ground of a sample by one affine map.

    Images and elevation are interpolated, masks and weights taken from the nearest pixel. A pixel
    is valid where all pixels that its value is made of were. Elevations are stretched about their
    mean by the factor on lengths, ``sqrt(abs(det(matrix)))``: ground that is drawn twice as wide
    with the same size of pixel must be twice as high to be as steep. Turning, flipping and scaling
    then keep every slope; a shear deforms the ground, and its slopes are those of that ground.

    Args:
        sample: arrays as in `Augmentation`, without the axis of patches.
        matrix: see `forward_matrix`.
        interpolate_mask: see `AugmentationConfig`.
        count_filled: see `AugmentationConfig`.
    """
    shape = sample["image"].shape[:2]
    at = places(matrix, (shape[0], shape[1]))
    smooth: dict[str, Array] = {}
    blocky: dict[str, Array] = {}
    for name, seen in IMAGES.items():
        if name in sample:
            valid = _seen(sample, name, seen)
            smooth[name] = jnp.where(valid[..., None], sample[name], 0)
            smooth[seen] = (~valid).astype(sample[name].dtype)
    if ELEVATION in sample:
        smooth[ELEVATION] = _stretched(sample[ELEVATION], matrix)
    for name, value in sample.items():
        if name == MASK and interpolate_mask:
            smooth[name] = value.astype(jnp.float32)
        elif name == MASK or is_weight(name):
            blocky[name] = value
    moved = _together(smooth, at, bilinear) | _together(blocky, at, nearest)

    unseen = {seen: moved.pop(seen) > 0 for name, seen in IMAGES.items() if name in sample}
    result = dict(sample)
    for name, seen in IMAGES.items():
        if name not in sample:
            continue
        valid = ~unseen[seen] & at.inside
        result[name] = jnp.where(valid[..., None], moved[name], 0).astype(sample[name].dtype)
        if count_filled:
            valid = valid | ~at.inside
        if seen in sample:
            result[seen] = valid.astype(sample[seen].dtype)
        unseen[seen] = ~valid
    if ELEVATION in sample:
        result[ELEVATION] = moved[ELEVATION].astype(sample[ELEVATION].dtype)
    for name, value in sample.items():
        if name == MASK:
            result[name] = jnp.where(at.inside, moved[name], 0).astype(value.dtype)
        elif is_weight(name):
            kept = jnp.where(at.inside, moved[name], 1 if count_filled else 0)
            result[name] = jnp.where(unseen["valid"], 0, kept).astype(value.dtype)
    return result


def _seen(sample: dict[str, Array], image: str, seen: str) -> Array:
    if seen in sample:
        return sample[seen].astype(bool)
    return jnp.ones(sample[image].shape[:2], bool)


def _stretched(elevation_m: Array, matrix: Float[Array, "2 2"]) -> Array:
    """Elevations about their mean, times the factor on lengths; a factor of 1 changes no bit."""
    factor = jnp.sqrt(jnp.abs(determinant(matrix)))
    known = jnp.isfinite(elevation_m)
    number = jnp.maximum(known.sum(), 1)
    mean = jnp.where(known, elevation_m, 0).sum() / number
    # Turns leave a factor of 1 but for rounding.
    kept = jnp.abs(factor - 1) < 1e-6
    return jnp.where(kept, elevation_m, mean + factor * (elevation_m - mean))


def _together(
    arrays: dict[str, Array], at: Places, method: Callable[[Array, Places], Array]
) -> dict[str, Array]:
    """One gather for all arrays: the channels of a pixel lie side by side in memory."""
    if not arrays:
        return {}
    parts = [value if value.ndim == 3 else value[..., None] for value in arrays.values()]
    stacked = method(jnp.concatenate([p.astype(jnp.float32) for p in parts], axis=-1), at)
    found, start = {}, 0
    for (name, value), part in zip(arrays.items(), parts, strict=True):
        channels = stacked[..., start : start + part.shape[-1]]
        found[name] = channels if value.ndim == 3 else channels[..., 0]
        start += part.shape[-1]
    return found
