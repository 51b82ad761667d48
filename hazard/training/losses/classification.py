"""Log losses of a yes or no, plain and with class weights that can be undone."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float

from hazard.training.losses.reduction import Reduced, weighted_mean, where_counted


def bernoulli_log_loss(
    logit: Float[Array, "*shape"],
    target: Float[Array, "*shape"],
    weight: Float[Array, "*shape"],
) -> Reduced:
    r"""Mean negative log likelihood of a Bernoulli variable [nat].

    $$ -\frac{1}{\sum w} \sum_i w_i \left[y_i \log p_i + (1 - y_i) \log(1 - p_i)\right],
       \qquad p = 1 / (1 + e^{-\text{logit}}) $$

    Proper: its expectation is least for the true probability (Good, 1952).

    Args:
        logit: log odds of presence.
        target: 0 or 1 (or a share in between); anything where `weight` is 0.
        weight: 0 leaves an element out.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(bernoulli_log_loss(jnp.zeros(2), jnp.ones(2), jnp.ones(2)).value), 4)
        0.6931
    """
    return weighted_cross_entropy(logit, target, weight, positive_weight=1.0)


def weighted_cross_entropy(
    logit: Float[Array, "*shape"],
    target: Float[Array, "*shape"],
    weight: Float[Array, "*shape"],
    *,
    positive_weight: float,
) -> Reduced:
    r"""Cross-entropy whose positive part counts `positive_weight` times.

    $$ -\frac{1}{\sum w} \sum_i w_i \left[c\, y_i \log p_i + (1 - y_i) \log(1 - p_i)\right] $$

    What the network then learns is $q = c p / (c p + 1 - p)$, not the probability $p$;
    `undo_class_weight` turns it back. The mean is over elements, not over class weights, so that
    c = 1 is the plain log loss.
    """
    logits = where_counted(logit, weight)
    targets = where_counted(target, weight)
    # log p = -softplus(-logit): finite for every finite logit.
    terms = positive_weight * targets * jax.nn.softplus(-logits)
    terms = terms + (1.0 - targets) * jax.nn.softplus(logits)
    return weighted_mean(terms, weight)


def undo_class_weight(
    probability: Float[Array, "*shape"] | np.ndarray, weight: float
) -> Float[Array, "*shape"] | np.ndarray:
    r"""The probability behind the output of a network trained by `weighted_cross_entropy`.

    $$ p = \frac{q}{q + c\,(1 - q)} $$

    It holds for the cross-entropy alone. Outputs of overlap losses (Tversky, Dice) are scores, and
    nothing but recalibration on held-out data makes probabilities of them.

    Args:
        probability: output q in [0, 1].
        weight: the class weight c of the positives, > 0.

    Raises:
        ValueError: a weight that is not positive.

    Example:
        >>> round(float(undo_class_weight(np.float64(0.5), 5.0)), 4)
        0.1667
    """
    if not weight > 0:
        raise ValueError(f"class weight {weight}; use a positive number")
    return probability / (probability + weight * (1.0 - probability))
