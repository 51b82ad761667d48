"""Small settings of every network, and batches for them."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from flax import nnx

from detection.losses.presets import LOSS_PRESETS
from detection.models.registry import build_model, model_config
from hazard.training.functional import Variables, functional, variables_of

SMALL = {
    "default": {
        "bands": 3, "widths": (8, 12), "blocks": (1, 1), "kernel_sizes": (3, 5),
        "decoder_width": 8, "detail_width": 4,
    },
    "unet": {"bands": 3, "filters": 4},
    "residual_unet": {"bands": 3, "filters": 4},
    "attention_unet": {"bands": 3, "filters": 4},
    "attention_residual_unet": {"bands": 3, "filters": 4},
    "attention_unet_published": {"bands": 3, "filters": 4},
    "adsms_unet": {"bands": 3, "filters": 4},
    "bitemporal_residual_unet": {"width": 8, "blocks": (1, 1, 1, 1)},
}  # fmt: skip


def build(name, **changes):
    return lambda rngs: build_model(name, {**SMALL[name], **changes}, rngs)


def make_batch(name, side=32, patches=4, seed=0, **changes):
    """Images in which landslides are brighter than the rest, with their masks."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:side, :side]
    mask = np.zeros((patches, side, side), np.float32)
    for patch in range(patches):
        y, x = rng.integers(side // 4, 3 * side // 4, size=2)
        mask[patch] = (rows - y) ** 2 + (cols - x) ** 2 < (side / 5) ** 2
    batch = {"mask": mask, "weight": np.ones_like(mask)}
    for key, bands in model_config(name, {**SMALL[name], **changes}).inputs.items():
        batch[key] = rng.normal(size=(patches, side, side, bands)).astype(np.float32)
    batch["image"] += 1.5 * mask[..., None]
    return {key: jnp.asarray(value) for key, value in batch.items()}


def terms(name):
    presets = {"adsms_unet": "adsms", "bitemporal_residual_unet": "bitemporal"}
    return LOSS_PRESETS[presets.get(name, "default")]


@cache
def abstract(name, **changes):
    """The network without arrays."""
    return nnx.eval_shape(lambda: build(name, **changes)(nnx.Rngs(0)))


def drawn(module, *, positive=False, seed=0):
    """Arrays for a network without arrays: its own initialisers take seconds to compile.

    Kernels keep the scale of what they read. With `positive` they hide no dependence.
    """
    rng = np.random.default_rng(seed)

    def values(name, shape):
        if name.endswith("kernel"):
            fan_in = np.prod(shape[:-1])
            if positive:
                return rng.uniform(0.5, 1.5, size=shape) / fan_in
            return rng.normal(size=shape) * np.sqrt(2.0 / fan_in)
        return np.full(shape, float(name.endswith(("scale", "var"))))

    params, stats = (
        {name: jnp.asarray(values(name, v.shape), jnp.float32) for name, v in arrays.items()}
        for arrays in variables_of(module)
    )
    return Variables(params, stats)


def ready(name, *, positive=False, frozen=(), **changes):
    """(network as a function, its arrays, the module)."""
    module = abstract(name, **changes)
    return functional(module, frozen=frozen), drawn(module, positive=positive), module
