r"""Losses of one map of logits against the mask, as terms of an objective.

A term is `term(outputs, batch, **options) -> Reduced`, as in `hazard.training.objective`. The batch
holds ``mask`` (1 landslide, 0 none) and ``weight`` (0 where a pixel is unknown: nodata, cloud,
filled by augmentation), both (patch, y, x) at the resolution of the image. An output of a coarser
stride s is compared with the mask at its own resolution, by one of two rules:

- ``corner``: every s-th pixel, the first of each square, as published;
- ``mean``: the share of landslide among the known pixels of each square, weighted by how many of
  them are known.

Pixels of weight 0 count nowhere, whatever stands in them or comes out there. Sums are float32.
Overlap losses are pooled over the pixels of the whole batch, as in the published code; with
`per_image` they are means over images that have a known pixel. An index without any landslide in
mask and scores is 1 for a positive `smooth` (loss 0), and 0 for `smooth` 0 (loss 1, no gradient).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.training.losses.classification import weighted_cross_entropy
from hazard.training.losses.overlap import dice_loss, focal_tversky_loss
from hazard.training.losses.reduction import Reduced, where_counted
from hazard.training.objective import Term

Reduce = Literal["corner", "mean"]
MASK = "mask"


def at_output(
    shape: tuple[int, ...],
    mask: Float[Array, "patch y x"],
    weight: Float[Array, "patch y x"],
    *,
    reduce: Reduce = "corner",
) -> tuple[Float[Array, "patch y_ x_"], Float[Array, "patch y_ x_"]]:
    """Mask and weight at the resolution of an output.

    Args:
        shape: (patch, y, x) of the output.
        mask: (patch, y, x) of the image.
        weight: likewise.
        reduce: ``corner`` or ``mean``, see the module.

    Raises:
        ValueError: an unknown rule, or sides that are no multiples of the output's.

    Example:
        >>> mask = jnp.array([[[0.0, 1.0], [1.0, 1.0]]])
        >>> weight = jnp.array([[[1.0, 1.0], [1.0, 0.0]]])
        >>> [v.item() for v in at_output((1, 1, 1), mask, weight)]
        [0.0, 1.0]
        >>> [round(v.item(), 3) for v in at_output((1, 1, 1), mask, weight, reduce="mean")]
        [0.667, 0.75]
    """
    if reduce not in ("corner", "mean"):
        raise ValueError(f"reduce {reduce!r}; use corner or mean")
    if mask.shape == shape:
        return where_counted(mask, weight), jnp.asarray(weight, jnp.float32)
    patch, high, wide = shape
    stride = mask.shape[1] // max(high, 1)
    if stride < 1 or mask.shape != (patch, high * stride, wide * stride):
        raise ValueError(f"mask of shape {mask.shape} for an output of shape {shape}")
    if reduce == "corner":
        small = weight[:, ::stride, ::stride]
        return where_counted(mask[:, ::stride, ::stride], small), jnp.asarray(small, jnp.float32)
    squares = (patch, high, stride, wide, stride)
    weights = jnp.asarray(weight, jnp.float32)
    known = jnp.sum(weights.reshape(squares), axis=(2, 4))
    landslide = jnp.sum((where_counted(mask, weights) * weights).reshape(squares), axis=(2, 4))
    return landslide / jnp.where(known > 0, known, 1.0), known / stride**2


def _aligned(
    outputs: Mapping[str, Array], batch: Mapping[str, Array], output: str, target: str,
    weight: str, reduce: Reduce,
) -> tuple[Array, Array, Array]:  # fmt: skip
    logit = outputs[output]
    mask, weights = at_output(logit.shape, batch[target], batch[weight], reduce=reduce)
    # Replaced before anything is computed from it, so that no gradient passes either.
    return where_counted(logit, weights), mask, weights


def cross_entropy_term(
    outputs: Mapping[str, Array],
    batch: Mapping[str, Array],
    *,
    output: str = "logit",
    target: str = MASK,
    weight: str = "weight",
    reduce: Reduce = "corner",
    positive_weight: float = 1.0,
) -> Reduced:
    """Mean cross-entropy over known pixels [nat]; landslide counts `positive_weight` times."""
    logit, mask, weights = _aligned(outputs, batch, output, target, weight, reduce)
    return weighted_cross_entropy(logit, mask, weights, positive_weight=positive_weight)


def focal_tversky_term(
    outputs: Mapping[str, Array],
    batch: Mapping[str, Array],
    *,
    output: str = "logit",
    target: str = MASK,
    weight: str = "weight",
    reduce: Reduce = "corner",
    false_negative_weight: float = 0.7,
    false_positive_weight: float = 0.3,
    exponent: float = 0.75,
    smooth: float = 1.0,
    per_image: bool = False,
) -> Reduced:
    r"""$(1 - TI)^{\text{exponent}}$ with $TI = (TP + s) / (TP + w_{FN} FN + w_{FP} FP + s)$."""
    logit, mask, weights = _aligned(outputs, batch, output, target, weight, reduce)
    return focal_tversky_loss(
        jax.nn.sigmoid(logit), mask, weights, false_negative_weight=false_negative_weight,
        false_positive_weight=false_positive_weight, exponent=exponent, smooth=smooth,
        per_image=per_image,
    )  # fmt: skip


def tversky_term(
    outputs: Mapping[str, Array], batch: Mapping[str, Array], **options: Any
) -> Reduced:
    """1 - TI: `focal_tversky_term` with the exponent 1."""
    if "exponent" in options:
        raise ValueError("tversky has no exponent; use focal_tversky")
    return focal_tversky_term(outputs, batch, exponent=1.0, **options)


def dice_term(
    outputs: Mapping[str, Array],
    batch: Mapping[str, Array],
    *,
    output: str = "logit",
    target: str = MASK,
    weight: str = "weight",
    reduce: Reduce = "corner",
    smooth: float = 1.0,
    per_image: bool = False,
) -> Reduced:
    """1 - (2 TP + s) / (P + G + s), P and G the sums of scores and of the mask."""
    logit, mask, weights = _aligned(outputs, batch, output, target, weight, reduce)
    return dice_loss(jax.nn.sigmoid(logit), mask, weights, smooth=smooth, per_image=per_image)


DETECTION_TERMS: Mapping[str, Term] = {
    "cross_entropy": cross_entropy_term,
    "tversky": tversky_term,
    "focal_tversky": focal_tversky_term,
    "dice": dice_term,
}
"""Terms by the names that configurations use."""
