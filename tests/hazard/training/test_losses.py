"""Losses: published fixtures, signs, names of weights, and what has no weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.training.losses.classification import (
    bernoulli_log_loss,
    undo_class_weight,
    weighted_cross_entropy,
)
from hazard.training.losses.overlap import dice_loss, focal_tversky_loss, tversky_index
from hazard.training.losses.reduction import weighted_mean
from hazard.training.losses.regression import mean_absolute_error, mean_squared_error

# True positives 10, false negatives 5, false positives 2.
TARGET = jnp.array([[1.0] * 15 + [0.0] * 5])
SCORE = jnp.array([[1.0] * 10 + [0.0] * 5 + [1.0] * 2 + [0.0] * 3])
ONE = jnp.ones_like(SCORE)


def test_tversky_has_the_published_values():
    assert float(tversky_index(SCORE, TARGET, ONE)[0]) == pytest.approx(11 / 15.1, rel=1e-6)
    plain = focal_tversky_loss(SCORE, TARGET, ONE, exponent=1.0)
    focal = focal_tversky_loss(SCORE, TARGET, ONE, exponent=0.75)
    assert round(float(plain.value), 4) == 0.2715
    assert round(float(focal.value), 4) == 0.3761


def test_tversky_loss_falls_as_the_score_gets_better():
    worse = focal_tversky_loss(0.5 * SCORE, TARGET, ONE).value
    assert float(focal_tversky_loss(TARGET, TARGET, ONE).value) < 1e-4
    assert float(focal_tversky_loss(SCORE, TARGET, ONE).value) < float(worse)


def test_weights_weigh_what_they_are_named_after():
    target = jnp.array([[1.0, 1.0, 0.0, 0.0]])
    one = jnp.ones_like(target)
    missed, false = jnp.array([[1.0, 0.0, 0.0, 0.0]]), jnp.array([[1.0, 1.0, 1.0, 0.0]])

    def change(score, **options):
        low = {"false_negative_weight": 0.3, "false_positive_weight": 0.3}
        raised = focal_tversky_loss(score, target, one, **{**low, **options}).value
        return float(raised - focal_tversky_loss(score, target, one, **low).value)

    assert change(missed, false_negative_weight=0.9) > 0.05
    assert change(missed, false_positive_weight=0.9) == 0.0
    assert change(false, false_positive_weight=0.9) > 0.05
    assert change(false, false_negative_weight=0.9) == 0.0


def test_dice_is_two_intersections_over_two_sums():
    hits, predicted, true = 10.0, 12.0, 15.0
    expected = 1 - (2 * hits + 1) / (predicted + true + 1)
    assert float(dice_loss(SCORE, TARGET, ONE).value) == pytest.approx(expected, rel=1e-6)


def test_pooled_and_per_image_differ_as_stated():
    score = jnp.concatenate([TARGET, 0 * TARGET])
    target = jnp.concatenate([TARGET, TARGET])
    one = jnp.ones_like(score)
    options = {"exponent": 1.0, "smooth": 0.0}
    pooled = focal_tversky_loss(score, target, one, **options)
    single = focal_tversky_loss(score, target, one, per_image=True, **options)
    assert float(pooled.value) == pytest.approx(1 - 15 / (15 + 0.7 * 15), rel=1e-6)
    assert float(single.value) == pytest.approx(0.5, abs=1e-6)
    assert float(single.weight) == 2


def test_images_without_weight_are_no_images():
    weight = jnp.concatenate([ONE, 0 * ONE])
    both = jnp.concatenate([SCORE, SCORE])
    target = jnp.concatenate([TARGET, jnp.full_like(TARGET, jnp.nan)])
    loss = focal_tversky_loss(both, target, weight, per_image=True)
    alone = focal_tversky_loss(SCORE, TARGET, ONE, per_image=True)
    assert float(loss.value) == float(alone.value)
    assert float(loss.weight) == 1


def test_a_perfect_fit_has_a_finite_gradient():
    gradient = jax.grad(lambda p: focal_tversky_loss(p, TARGET, ONE, exponent=0.75).value)(TARGET)
    assert bool(jnp.isfinite(gradient).all())


LOSSES = {
    "log_loss": bernoulli_log_loss,
    "cross_entropy": lambda a, b, w: weighted_cross_entropy(a, b, w, positive_weight=5.0),
    "tversky": lambda a, b, w: focal_tversky_loss(jax.nn.sigmoid(a), b, w),
    "tversky per image": lambda a, b, w: focal_tversky_loss(
        jax.nn.sigmoid(a), b, w, per_image=True
    ),
    "dice": lambda a, b, w: dice_loss(jax.nn.sigmoid(a), b, w),
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
}


@pytest.mark.parametrize("name", LOSSES)
def test_what_has_no_weight_counts_nowhere(name):
    rng = np.random.default_rng(3)
    out = jnp.asarray(rng.normal(size=(4, 6)), jnp.float32)
    target = jnp.asarray(rng.integers(0, 2, size=(4, 6)), jnp.float32)
    weight = jnp.asarray(rng.integers(0, 2, size=(4, 6)), jnp.float32)
    spoiled = jnp.where(weight > 0, target, jnp.nan)
    garbage = jnp.where(weight > 0, out, 1e6)

    def value(prediction, truth):
        return LOSSES[name](prediction, truth, weight).value

    plain = value(out, target)
    assert float(value(out, spoiled)) == float(plain)
    assert float(value(garbage, spoiled)) == float(plain)
    gradient = jax.grad(value)(garbage, spoiled)
    assert bool(jnp.isfinite(gradient).all())
    assert float(jnp.abs(jnp.where(weight > 0, 0.0, gradient)).max()) == 0.0
    assert float(jnp.abs(gradient).max()) > 0.0


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_counted_is_zero_and_weighs_zero(name):
    empty = jnp.zeros((2, 3))
    loss = LOSSES[name](jnp.ones((2, 3)), jnp.full((2, 3), jnp.nan), empty)
    assert (float(loss.value), float(loss.weight)) == (0.0, 0.0)


def test_sums_are_float32_whatever_comes_in():
    """4,096 bfloat16 values of 0.01 sum to 41; added up in bfloat16 they stall at 4."""
    values = jnp.full((64, 64), 0.01, jnp.bfloat16)
    mean = weighted_mean(values, jnp.ones((64, 64), jnp.bfloat16))
    assert mean.value.dtype == jnp.float32
    assert float(mean.weight) == 4096.0
    assert float(mean.value) == pytest.approx(float(values[0, 0]), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(p=st.floats(0.01, 0.99), weight=st.floats(0.1, 20.0))
def test_undoing_the_class_weight_gives_the_probability_back(p, weight):
    """The minimiser of the expected weighted cross-entropy, found on a grid, is undone to p."""
    q = np.linspace(0.0005, 0.9995, 2000)
    expected = -(weight * p * np.log(q) + (1 - p) * np.log(1 - q))
    best = q[expected.argmin()]
    low, high = (undo_class_weight(np.float64(b), weight) for b in (best - 6e-4, best + 6e-4))
    assert low <= p <= high


def test_a_weight_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="class weight 0"):
        undo_class_weight(np.float64(0.5), 0.0)


def test_weighted_cross_entropy_of_weight_one_is_the_log_loss():
    logit = jnp.array([-3.0, 0.2, 40.0, -200.0])
    target = jnp.array([0.0, 1.0, 1.0, 0.0])
    one = jnp.ones(4)
    plain = bernoulli_log_loss(logit, target, one).value
    by_hand = np.mean([np.log1p(np.exp(-3)), np.log1p(np.exp(-0.2)), 0.0, 0.0])
    assert float(plain) == pytest.approx(by_hand, rel=1e-5)
    assert float(weighted_cross_entropy(logit, target, one, positive_weight=1.0).value) == float(
        plain
    )


def test_the_mean_absolute_error_is_least_at_the_median():
    values = jnp.array([0.0, 0.0, 0.0, 1.0, 9.0])
    one = jnp.ones(5)

    def loss(c):
        return float(mean_absolute_error(jnp.full(5, c), values, one).value)

    assert loss(0.0) < loss(2.0)  # 2 is the mean
