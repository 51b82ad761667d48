"""Losses of maps: published fixtures, names of weights, masks, resolutions, precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.losses.terms import DETECTION_TERMS, at_output, cross_entropy_term, tversky_term

# True positives 10, false negatives 5, false positives 2, and 3 pixels of neither.
MASK = jnp.array([1.0] * 15 + [0.0] * 5).reshape(1, 4, 5)
SCORE = jnp.array([1.0] * 10 + [0.0] * 5 + [1.0] * 2 + [0.0] * 3).reshape(1, 4, 5)
CERTAIN = 200.0 * (SCORE - 0.5)
ONE = jnp.ones_like(MASK)
OPTIONS = {"cross_entropy": {"positive_weight": 3.0}}


def value(term, logit, mask, weight=None, **options):
    batch = {"mask": mask, "weight": jnp.ones_like(mask) if weight is None else weight}
    return DETECTION_TERMS[term]({"logit": logit}, batch, **options).value


def test_published_fixtures():
    assert float(1 - value("tversky", CERTAIN, MASK)) == pytest.approx(11 / 15.1, rel=1e-6)
    assert round(float(1 - value("tversky", CERTAIN, MASK)), 4) == 0.7285
    assert round(float(value("tversky", CERTAIN, MASK)), 4) == 0.2715
    assert round(float(value("focal_tversky", CERTAIN, MASK)), 4) == 0.3761
    assert float(value("dice", CERTAIN, MASK)) == pytest.approx(1 - 21 / 28, rel=1e-6)


def test_weights_weigh_what_they_are_named_after():
    missed = jnp.where(MASK > 0, -9.0, -99.0)
    false = jnp.where(MASK > 0, 99.0, 9.0)
    for logit, named, other in (
        (missed, "false_negative_weight", "false_positive_weight"),
        (false, "false_positive_weight", "false_negative_weight"),
    ):
        low, high, same = (
            float(value("tversky", logit, MASK, **{named: a, other: b}))
            for a, b in ((0.3, 0.3), (0.9, 0.3), (0.3, 0.9))
        )
        assert high > low + 0.005
        assert same == pytest.approx(low, abs=1e-4)


def test_tversky_has_no_exponent():
    with pytest.raises(ValueError, match="use focal_tversky"):
        value("tversky", CERTAIN, MASK, exponent=2.0)


def test_cross_entropy_is_the_mean_log_loss():
    logit = jnp.array([[[2.0, -1.0]]])
    mask = jnp.array([[[1.0, 0.0]]])
    p = 1 / (1 + np.exp(-np.array([2.0, -1.0])))
    expected = -(3.0 * np.log(p[0]) + np.log(1 - p[1])) / 2
    found = value("cross_entropy", logit, mask, positive_weight=3.0)
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("reduce", ["corner", "mean"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("term", DETECTION_TERMS)
def test_masked_pixels_count_nowhere(term, stride, reduce):
    rng = np.random.default_rng(0)
    weight = jnp.asarray(rng.random((2, 8, 8)) < 0.6, jnp.float32)
    # A whole square without any known pixel, so that the coarse output has unknown ones too.
    weight = weight.at[:, :4, :4].set(0.0)
    mask = jnp.asarray(rng.random((2, 8, 8)) < 0.3, jnp.float32)
    logit = jnp.asarray(rng.normal(size=(2, 8 // stride, 8 // stride)), jnp.float32)
    _, known = at_output(logit.shape, mask, weight, reduce=reduce)
    options = {**OPTIONS.get(term, {}), "reduce": reduce}
    run = jax.value_and_grad(lambda x, m: value(term, x, m, weight, **options))
    plain, gradient = run(logit, mask)
    dirty, same = run(
        jnp.where(known > 0, logit, 1e30 * (-1.0) ** jnp.arange(logit.size).reshape(logit.shape)),
        jnp.where(weight > 0, mask, 255.0 * mask - 1e6),
    )
    assert float(plain) == float(dirty)
    np.testing.assert_array_equal(gradient, same)
    np.testing.assert_array_equal(gradient[known == 0], 0.0)
    assert float(jnp.abs(gradient[known > 0]).min()) > 0


@pytest.mark.parametrize("smooth", [0.0, 1e-7, 1.0])
@pytest.mark.parametrize("term", DETECTION_TERMS)
def test_empty_masks_and_batches_are_defined(term, smooth):
    options = {} if term == "cross_entropy" else {"smooth": smooth}
    for logit in (jnp.zeros_like(MASK), -200.0 * ONE, 200.0 * ONE):
        for weight in (ONE, 0 * ONE):
            run = jax.value_and_grad(lambda x, w=weight: value(term, x, 0 * MASK, w, **options))
            found, gradient = run(logit)
            assert bool(jnp.isfinite(found))
            assert bool(jnp.isfinite(gradient).all())
            if not weight.any():
                assert float(found) == 0.0
    if term != "cross_entropy":
        none = float(value(term, -200.0 * ONE, 0 * MASK, **options))
        assert none == pytest.approx(0.0 if smooth else 1.0, abs=1e-4)


def test_pooled_over_the_batch_or_per_image():
    logit = jnp.concatenate([100.0 * (2 * MASK - 1), -100.0 * ONE])
    mask = jnp.concatenate([MASK, MASK])
    pooled = value("tversky", logit, mask, smooth=0.0)
    single = value("tversky", logit, mask, smooth=0.0, per_image=True)
    assert float(pooled) == pytest.approx(1 - 15 / (15 + 0.7 * 15), rel=1e-6)
    assert float(single) == pytest.approx(0.5, abs=1e-6)


def test_sums_are_float32_for_bfloat16_inputs():
    """A sum of 2^16 ones in bfloat16 stops at 256."""
    shape = (4, 128, 128)
    logit = jnp.full(shape, -1.0, jnp.bfloat16)
    mask = jnp.zeros(shape, jnp.bfloat16).at[:, ::2].set(1.0)
    weight = jnp.ones(shape, jnp.bfloat16)
    for term, function in DETECTION_TERMS.items():
        batch = {"mask": mask, "weight": weight}
        found = function({"logit": logit}, batch)
        exact = function(
            {"logit": logit.astype(jnp.float32)},
            {k: v.astype(jnp.float32) for k, v in batch.items()},
        )
        assert found.value.dtype == found.weight.dtype == jnp.float32, term
        assert float(found.weight) == mask.size
        assert float(found.value) == pytest.approx(float(exact.value), rel=1e-6)


def test_coarse_outputs_meet_the_first_pixel_of_each_square():
    mask = jnp.arange(64.0).reshape(1, 8, 8)
    weight = jnp.ones_like(mask).at[0, 0, 4].set(0.0)
    small, known = at_output((1, 2, 2), mask, weight)
    np.testing.assert_array_equal(small[0], [[0.0, 0.0], [32.0, 36.0]])
    np.testing.assert_array_equal(known[0], [[1.0, 0.0], [1.0, 1.0]])


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), stride=st.sampled_from([2, 4]))
def test_means_of_squares_keep_the_landslide_area(seed, stride):
    rng = np.random.default_rng(seed)
    mask = (rng.random((2, 8, 12)) < 0.3).astype(np.float32)
    weight = (rng.random((2, 8, 12)) < 0.7).astype(np.float32)
    small, known = at_output(
        (2, 8 // stride, 12 // stride), jnp.asarray(mask), jnp.asarray(weight), reduce="mean"
    )
    area = float((small * known).sum()) * stride**2
    assert area == pytest.approx(float((mask * weight).sum()), abs=1e-3)


def test_sizes_and_rules_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"mask of shape \(1, 4, 5\) for an output of"):
        tversky_term({"logit": jnp.zeros((1, 2, 2))}, {"mask": MASK, "weight": ONE})
    with pytest.raises(ValueError, match="reduce 'max'; use corner or mean"):
        cross_entropy_term({"logit": CERTAIN}, {"mask": MASK, "weight": ONE}, reduce="max")
