r"""The log loss of a record that misses some of what happened and shows some that did not.

With the probability p of at least one landslide in a cell, each recorded with probability
$\pi$, and $\phi$ false alarms expected there, the record shows something with

$$ 1 - (1 - p)^\pi\, e^{-\phi} = 1 - e^{-m}, \qquad m = \pi \ln(1 + e^{\text{logit}}) + \phi, $$

since $-\ln(1 - p) = \ln(1 + e^{\text{logit}})$. Here m is the expected number of recorded events.
Everything is computed from $\ln m$, so that neither a logit of -80 nor one of 80 makes a zero of
a probability, an infinity of a loss or NaN of a gradient in float32.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hazard.training.losses.reduction import Reduced, weighted_mean, where_counted

# Below, softplus(x) is exp(x) (1 - exp(x) / 2) to float32.
_SMALL_LOGIT = -10.0
# Up to here three terms of the series of ln((1 - exp(-m)) / m) are exact to float32.
_SMALL_NUMBER = 0.1
_LEAST = 1e-30

Values = Float[Array, "*shape"]


def recorded_log_loss(
    logit: Values, target: Values, weight: Values, observation: Values, false_alarms: Values
) -> Reduced:
    r"""Mean negative log likelihood of a record under detection error [nat].

    $$ \frac{1}{\sum w} \sum_i w_i \left[(1 - y_i)\, m_i - y_i \ln(1 - e^{-m_i})\right],
       \qquad m_i = \pi_i \ln(1 + e^{\text{logit}_i}) + \phi_i $$

    Its expectation is least where the logit is that of the true presence. With $\pi = 1$ and
    $\phi = 0$ it is `bernoulli_log_loss`.

    Args:
        logit: log odds of true presence.
        target: 0 or 1, what was recorded; anything where `weight` is 0.
        weight: 0 leaves an element out.
        observation: $\pi$ in (0, 1], probability that a landslide is recorded; anything where
            `weight` is 0.
        false_alarms: $\phi \ge 0$, expected false alarms; likewise.

    Example:
        >>> one = jnp.ones(1)
        >>> round(float(recorded_log_loss(0 * one, one, one, 0.5 * one, 0 * one).value), 4)
        1.2279
        >>> round(float(-jnp.log(1 - 0.5**0.5)), 4)
        1.2279
    """
    y = where_counted(target, weight)
    log_number, number = _recorded_number(logit, weight, observation, false_alarms)
    terms = (1.0 - y) * number - y * _log_some(log_number, number)
    return weighted_mean(terms, weight)


def _recorded_number(
    logit: Values, weight: Values, observation: Values, false_alarms: Values
) -> tuple[Values, Values]:
    """Ln m and m, both without underflow of the other."""
    x = where_counted(logit, weight)
    pi = jnp.maximum(where_counted(observation, weight, fill=1.0), _LEAST)
    phi = where_counted(false_alarms, weight)
    low = x < _SMALL_LOGIT
    # What a branch does not use must be harmless too: its gradient is multiplied by 0.
    inside, below = jnp.where(low, 0.0, x), jnp.where(low, x, _SMALL_LOGIT)
    log_softplus = jnp.where(low, below - 0.5 * jnp.exp(below), jnp.log(jax.nn.softplus(inside)))
    log_number = jnp.log(pi) + log_softplus
    some = phi > 0
    log_phi = jnp.log(jnp.where(some, phi, 1.0))
    log_number = jnp.where(some, jnp.logaddexp(log_number, log_phi), log_number)
    return log_number, pi * jax.nn.softplus(x) + phi


def _log_some(log_number: Values, number: Values) -> Values:
    """ln(1 - exp(-m))."""
    small, large = number < _SMALL_NUMBER, number > 0.7
    few = jnp.where(small, number, 0.0)
    middle = jnp.where(small | large, 0.5, number)
    many = jnp.where(large, number, 1.0)
    return jnp.where(
        small, log_number - few / 2 + few**2 / 24,
        jnp.where(large, jnp.log1p(-jnp.exp(-many)), jnp.log(-jnp.expm1(-middle))),
    )  # fmt: skip
