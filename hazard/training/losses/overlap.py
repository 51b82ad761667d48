r"""Overlap losses: Tversky, focal Tversky and Dice.

The two weights are named after what they weigh, because published papers give the same Greek
letter to either of them:

$$ TI = \frac{TP + s}{TP + w_{FN} FN + w_{FP} FP + s} $$

with soft counts $TP = \sum w p y$, $FN = \sum w (1 - p) y$, $FP = \sum w p (1 - y)$
(Salehi et al., 2017, doi:10.1007/978-3-319-67389-9_44). TI is an index to be made large, the loss
is 1 - TI. None of these losses is proper: outputs are scores until recalibrated on held-out data.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.training.losses.reduction import Reduced, where_counted

# A power below 1 has an infinite slope at 0: a perfect fit would turn the gradient into NaN.
SMALLEST_BASE = 1e-7


def tversky_index(
    probability: Float[Array, "image ..."],
    target: Float[Array, "image ..."],
    weight: Float[Array, "image ..."],
    *,
    false_negative_weight: float = 0.7,
    false_positive_weight: float = 0.3,
    smooth: float = 1.0,
    per_image: bool = False,
) -> Float[Array, " group"]:
    """Tversky index of the whole batch (group of one), or of each image.

    Args:
        probability: scores in [0, 1].
        target: 0 or 1; anything where `weight` is 0.
        weight: 0 leaves an element out.
        false_negative_weight: weight of missed landslides.
        false_positive_weight: weight of false alarms.
        smooth: added above and below; with 0 a group without landslides has the index 0.
        per_image: one index per first axis instead of one for the batch.

    Example:
        >>> y = jnp.array([[1.0] * 15 + [0.0] * 2])
        >>> p = jnp.array([[1.0] * 10 + [0.0] * 5 + [1.0] * 2])
        >>> round(float(tversky_index(p, y, jnp.ones_like(p))[0]), 4)  # TP 10, FN 5, FP 2
        0.7285
    """
    weights = jnp.asarray(weight, jnp.float32)
    p, y = where_counted(probability, weights), where_counted(target, weights)
    rows = p.shape[0] if per_image else 1
    hit, missed, false = (
        jnp.sum((weights * part).reshape(rows, -1), axis=1)
        for part in (p * y, (1.0 - p) * y, p * (1.0 - y))
    )
    below = hit + false_negative_weight * missed + false_positive_weight * false + smooth
    return (hit + smooth) / jnp.where(below > 0, below, 1.0)


def focal_tversky_loss(
    probability: Float[Array, "image ..."],
    target: Float[Array, "image ..."],
    weight: Float[Array, "image ..."],
    *,
    false_negative_weight: float = 0.7,
    false_positive_weight: float = 0.3,
    exponent: float = 0.75,
    smooth: float = 1.0,
    per_image: bool = False,
) -> Reduced:
    r"""$(1 - TI)^{\text{exponent}}$; the exponent 1 is the Tversky loss.

    Papers write the exponent as gamma or as 1 / gamma (Abraham & Khan, 2019,
    doi:10.1109/ISBI.2019.8759329); here it is the power itself.

    Returns:
        Batch-pooled: the loss and the weight of all elements. Per image: the mean over images
        that have any weight, and their number.

    Example:
        >>> y = jnp.array([[1.0] * 15 + [0.0] * 2])
        >>> p = jnp.array([[1.0] * 10 + [0.0] * 5 + [1.0] * 2])
        >>> one = jnp.ones_like(p)
        >>> round(float(focal_tversky_loss(p, y, one, exponent=1.0).value), 4)
        0.2715
        >>> round(float(focal_tversky_loss(p, y, one, exponent=0.75).value), 4)
        0.3761
    """
    index = tversky_index(
        probability,
        target,
        weight,
        false_negative_weight=false_negative_weight,
        false_positive_weight=false_positive_weight,
        smooth=smooth,
        per_image=per_image,
    )
    loss = jnp.maximum(1.0 - index, SMALLEST_BASE) ** exponent
    return _pool(loss, weight, per_image)


def dice_loss(
    probability: Float[Array, "image ..."],
    target: Float[Array, "image ..."],
    weight: Float[Array, "image ..."],
    *,
    smooth: float = 1.0,
    per_image: bool = False,
) -> Reduced:
    r"""$1 - (2 TP + s) / (P + G + s)$: Tversky with both weights 1/2 and half the smoothing."""
    return focal_tversky_loss(
        probability,
        target,
        weight,
        false_negative_weight=0.5,
        false_positive_weight=0.5,
        exponent=1.0,
        smooth=0.5 * smooth,
        per_image=per_image,
    )


def _pool(loss: Float[Array, " group"], weight: Array, per_image: bool) -> Reduced:
    weights = jnp.asarray(weight, jnp.float32)
    if not per_image:
        total = jnp.sum(weights)
        return Reduced(jnp.where(total > 0, loss[0], 0.0), total)
    used = (jnp.sum(weights.reshape(weights.shape[0], -1), axis=1) > 0).astype(jnp.float32)
    number = jnp.sum(used)
    return Reduced(jnp.sum(used * loss) / jnp.maximum(number, 1.0), number)
