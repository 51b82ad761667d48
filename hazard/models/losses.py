r"""Losses of networks that split presence from density: a hurdle at zero.

The density of a cell is zero with probability 1 - p and follows a positive law otherwise, so the
log likelihood falls into two sums that share no parameter but the network's own:

$$ \ell = \sum_i w_i \left[y_i \ln p_i + (1 - y_i) \ln(1 - p_i)\right]
        + \sum_{i: a_i > 0} w_i \ln f_i(a_i) $$

Zeros never reach the second sum: a density trained on zeros too would discount them twice once it
is multiplied by p. General losses (log loss, Tversky, MAE) live in `hazard.training.losses`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.models.positive_law import FULL_CELL_PERCENT, PositiveLaw, positive_law

Pooled = tuple[Float[Array, ""], Float[Array, ""]]


def positive_nll(
    raw: Float[Array, "*shape 2"],
    density: Float[Array, "*shape"],
    weight: Float[Array, "*shape"],
    law: PositiveLaw,
    *,
    smallest_percent: float = 1e-6,
) -> Pooled:
    """Mean negative log likelihood of the positive densities, and the weight behind it.

    Args:
        raw: unconstrained parameters of the law.
        density: observed area density [percent]; cells of zero density and cells of zero weight
            count nowhere, whatever stands in them.
        weight: weight of a cell.
        law: see `hazard.models.positive_law`.
        smallest_percent: smaller positive densities are taken as this.
    """
    known = jnp.where(weight > 0, jnp.asarray(density, jnp.float32), 0.0)
    positive = known > 0
    # A harmless value first: log of 0 under a weight of 0 would still spoil the gradient.
    values = jnp.where(positive, jnp.clip(known, smallest_percent, FULL_CELL_PERCENT), 1.0)
    use = jnp.where(positive, jnp.asarray(weight, jnp.float32), 0.0)
    raw32 = jnp.asarray(raw, jnp.float32)
    nll = jnp.where(positive, -law.log_density(values, raw32), 0.0)
    total = jnp.sum(use)
    return jnp.sum(use * nll) / jnp.where(total > 0, total, 1.0), total


def gamma_deviance(
    mean: Float[Array, "*shape"],
    density: Float[Array, "*shape"],
    weight: Float[Array, "*shape"],
) -> Pooled:
    r"""$2 \left[a/m - 1 - \ln(a/m)\right]$ over positive cells: consistent for the mean alone.

    Args:
        mean: predicted mean of the positive densities [percent].
        density: observed area density [percent].
        weight: weight of a cell.
    """
    known = jnp.where(weight > 0, jnp.asarray(density, jnp.float32), 0.0)
    positive = known > 0
    ratio = jnp.where(positive, known, 1.0) / jnp.where(positive, jnp.maximum(mean, 1e-9), 1.0)
    use = jnp.where(positive, jnp.asarray(weight, jnp.float32), 0.0)
    total = jnp.sum(use)
    deviance = 2.0 * (ratio - 1.0 - jnp.log(ratio))
    return jnp.sum(use * deviance) / jnp.where(total > 0, total, 1.0), total


def expected_density(
    logit: Float[Array, "*shape"], density: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Susceptibility x density [percent of the cell]: expected density, where density is
    E[density | density > 0]; no probability.

    Example:
        >>> float(expected_density(jnp.zeros(()), jnp.float32(3.0)))
        1.5
    """
    return jax.nn.sigmoid(jnp.asarray(logit, jnp.float32)) * jnp.asarray(density, jnp.float32)


def positive_nll_term(
    outputs: Mapping[str, Array],
    batch: Mapping[str, Array],
    *,
    law: str = "truncated_lognormal",
    output: str = "law",
    target: str = "density",
    weight: str = "weight",
) -> Pooled:
    """`positive_nll` as a term of an objective."""
    return positive_nll(outputs[output], batch[target], batch[weight], positive_law(law))


def gamma_deviance_term(
    outputs: Mapping[str, Array],
    batch: Mapping[str, Array],
    *,
    output: str = "density",
    target: str = "density",
    weight: str = "weight",
) -> Pooled:
    """`gamma_deviance` as a term of an objective."""
    return gamma_deviance(outputs[output], batch[target], batch[weight])


def product_mae_term(
    outputs: Mapping[str, Array],
    batch: Mapping[str, Array],
    *,
    target: str = "density",
    weight: str = "weight",
) -> Pooled:
    """Absolute error of susceptibility x density [percent], as the joint training has it."""
    counted = batch[weight] > 0
    known = jnp.where(counted, jnp.asarray(batch[target], jnp.float32), 0.0)
    product = expected_density(outputs["logit"], outputs["density"])
    error = jnp.where(counted, jnp.abs(product - known), 0.0)
    use = jnp.asarray(batch[weight], jnp.float32)
    total = jnp.sum(use)
    return jnp.sum(use * error) / jnp.where(total > 0, total, 1.0), total


HAZARD_TERMS: Mapping[str, Callable[..., Any]] = {
    "positive_nll": positive_nll_term,
    "gamma_deviance": gamma_deviance_term,
    "product_mae": product_mae_term,
}
