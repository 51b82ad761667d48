"""The log loss of a record that misses landslides: the plain one without error, and its limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.training.losses.classification import bernoulli_log_loss
from hazard.training.losses.recorded import recorded_log_loss
from hazard.training.objective import TERMS
from stats.laws.recorded import recorded_probability

LOGITS = np.concatenate([np.linspace(-100, 100, 2001), [-1e4, 1e4]]).astype(np.float32)


def _of_one(loss):
    """Value and gradient of every logit on its own; compiled once."""
    one = jnp.ones((1,), jnp.float32)

    def value(x, *numbers):
        return loss(x[None], numbers[0] * one, one, *(n * one for n in numbers[1:])).value

    over = jax.jit(jax.vmap(jax.value_and_grad(value), in_axes=(0, None, None, None)))

    def run(logit, target, pi=1.0, phi=0.0):
        found = over(jnp.asarray(logit), *(jnp.float32(v) for v in (target, pi, phi)))
        return tuple(np.asarray(part, np.float64) for part in found)

    return run


each = _of_one(recorded_log_loss)
plain = _of_one(lambda logit, target, weight, *_: bernoulli_log_loss(logit, target, weight))


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_without_error_it_is_the_log_loss_to_float_precision(target):
    value, slope = each(LOGITS, target)
    expected, expected_slope = plain(LOGITS, target)
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(slope, expected_slope, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("pi", "phi"), [(0.5, 0.0), (0.3, 0.01), (1e-3, 1e-6), (1.0, 5.0), (0.5, 30.0), (1e-6, 0.0)]
)
def test_it_is_the_likelihood_of_the_thinned_process_in_double_precision(pi, phi):
    x = LOGITS.astype(np.float64)
    rate = np.float64(np.float32(pi)) * np.logaddexp(0, x) + np.float64(np.float32(phi))
    few, many = np.clip(rate, 1e-300, 0.7), np.maximum(rate, 0.7)
    some = np.where(rate > 0.7, np.log1p(-np.exp(-many)), np.log(-np.expm1(-few)))
    # Rates below the smallest double are 0 there: the loss itself still knows them.
    known = rate > 1e-300
    for target, expected in ((0.0, rate), (1.0, -some)):
        value, _ = each(LOGITS, target, pi, phi)
        np.testing.assert_allclose(value[known], expected[known], rtol=2e-6, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    pi=st.floats(1e-6, 1.0), phi=st.sampled_from([0.0, 1e-8, 0.1, 10.0, 1e3]),
    target=st.sampled_from([0.0, 1.0]),
)  # fmt: skip
def test_value_and_gradient_are_finite_everywhere(pi, phi, target):
    value, slope = each(LOGITS, target, pi, phi)
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()
    # A recorded landslide never lowers the hazard, a blank record never raises it.
    assert (slope <= 0).all() if target else (slope >= 0).all()


def test_what_has_no_weight_may_hold_anything():
    bad = jnp.array([0.3, jnp.nan, jnp.inf])
    weight = jnp.array([1.0, 0.0, 0.0])

    def loss(x):
        return recorded_log_loss(x, bad.at[0].set(1.0), weight, bad, bad).value

    value, slope = jax.value_and_grad(loss)(bad)
    one = jnp.ones((1,))
    alone = recorded_log_loss(0.3 * one, one, one, 0.3 * one, 0.3 * one)
    assert float(value) == pytest.approx(float(alone.value), rel=1e-6)
    assert np.isfinite(np.asarray(slope)).all()
    assert np.asarray(slope)[1:].tolist() == [0, 0]


def test_its_expectation_is_least_for_the_true_probability():
    p, pi, phi = 0.3, 0.5, 0.05
    shown = float(recorded_probability(p, pi, phi))
    logit = np.linspace(-3, 1, LOGITS.size, dtype=np.float32)
    loss = shown * each(logit, 1.0, pi, phi)[0] + (1 - shown) * each(logit, 0.0, pi, phi)[0]
    least = float(jax.nn.sigmoid(logit[int(np.argmin(loss))]))
    assert least == pytest.approx(p, abs=0.003)
    unaware = shown * plain(logit, 1.0)[0] + (1 - shown) * plain(logit, 0.0)[0]
    assert float(jax.nn.sigmoid(logit[int(np.argmin(unaware))])) < 0.22


def test_the_term_uses_the_error_where_the_batch_has_one():
    rng = np.random.default_rng(0)
    logit, target, weight, pi, phi = jnp.asarray(rng.random((5, 2, 5)), jnp.float32)
    target = jnp.round(target)
    batch = {"presence": target, "weight": weight}
    without = TERMS["log_loss"]({"logit": logit}, batch)
    assert float(without.value) == float(bernoulli_log_loss(logit, target, weight).value)
    found = TERMS["log_loss"]({"logit": logit}, batch | {"observation": pi, "false_alarms": phi})
    expected = recorded_log_loss(logit, target, weight, pi, phi)
    assert float(found.value) == float(expected.value)
    assert abs(float(found.value) - float(without.value)) > 0.01


def test_a_forecast_of_the_truth_becomes_one_of_the_record():
    p = np.linspace(0, 1, 11)
    np.testing.assert_allclose(recorded_probability(p, 1.0, 0.0), p, atol=1e-15)
    np.testing.assert_allclose(recorded_probability(p, 0.5, 0.0), 1 - np.sqrt(1 - p), atol=1e-8)
    # Events and false alarms by simulation: one in two is recorded.
    rng = np.random.default_rng(3)
    events = rng.poisson(-np.log(1 - 0.3), 200_000)
    seen = rng.binomial(events, 0.5) + rng.poisson(0.05, events.size) > 0
    assert seen.mean() == pytest.approx(float(recorded_probability(0.3, 0.5, 0.05)), abs=0.004)
    assert np.isnan(recorded_probability([np.nan, 0.2], [0.5, np.nan], 0.0)).all()
