"""Q-Q and worm curves: exact without atoms, envelopes that hold, faults that are seen."""

import numpy as np
import pytest
from scipy import special

from stats.calibration.pit import pit_distribution, pit_terms, quantile_residuals, randomised_pit
from stats.calibration.worm import curve_of_draws, quantile_curve, simultaneous_envelope
from stats.laws.bernoulli import Bernoulli
from stats.laws.ensemble import Ensemble
from stats.laws.gamma import Gamma
from stats.laws.hurdle import Hurdle, hurdle_lognormal


def forecast(rng, n):
    return hurdle_lognormal(
        rng.beta(1.0, 4.0, n), rng.normal(0.0, 1.0, n), rng.uniform(0.5, 1.5, n)
    )


def test_terms_average_to_the_distribution_for_every_kind_of_atom():
    rng = np.random.default_rng(0)
    levels = np.linspace(0.0, 1.0, 31)
    members = np.round(rng.gamma(0.7, 2.0, (400, 8)), 1)
    for law in (
        forecast(rng, 400),
        Bernoulli(rng.random(400)),
        Ensemble(members),
        Hurdle(np.full(400, 1.0), Gamma(np.full(400, 2.0), np.ones(400))),
        Hurdle(np.full(400, 1.0 - 1e-13), Gamma(np.full(400, 2.0), np.ones(400))),
    ):
        y = law.sample(rng)
        expected = pit_terms(law, y, levels).mean(axis=0)
        np.testing.assert_allclose(pit_distribution(law, y, levels), expected, atol=1e-12)
        counted = randomised_pit(law, y, rng=rng, randomisations=300).reshape(-1)
        for u, share in zip(levels[1:-1:6], expected[1:-1:6], strict=True):
            assert np.mean(counted <= u) == pytest.approx(share, abs=8e-3)


def test_transform_of_a_right_ensemble_and_of_presence_is_uniform():
    rng = np.random.default_rng(1)
    levels = np.linspace(0.05, 0.95, 19)
    law = Bernoulli(rng.random(20_000))
    assert np.abs(pit_distribution(law, law.sample(rng), levels) - levels).max() < 0.012
    law = Ensemble(np.round(rng.gamma(0.5, 2.0, (20_000, 6)), 0))
    assert np.abs(pit_distribution(law, law.sample(rng), levels) - levels).max() < 0.012


def test_without_atoms_the_curve_is_the_sample_quantiles():
    rng = np.random.default_rng(2)
    law = Gamma(np.full(3001, 2.0), np.full(3001, 1.5))
    y = law.sample(rng)
    levels = np.array([0.05, 0.25, 0.5, 0.9, 0.98])
    found = quantile_curve(law, y, rng=rng, levels=levels, draws=19)
    scores = np.quantile(quantile_residuals(law, y, rng=rng)[0], levels)
    np.testing.assert_allclose(found.residual, scores, atol=0.02)
    np.testing.assert_allclose(found.worm, found.residual - special.ndtri(levels))


@pytest.mark.parametrize(
    ("fault", "where"),
    [("scale", "height"), ("spread", "slope"), ("probability", "height")],
)
def test_faults_leave_the_envelope_of_the_whole_curve(fault, where):
    rng = np.random.default_rng(3)
    law = forecast(rng, 3000)
    y, positive = law.sample(rng), law.positive
    told = {
        "scale": hurdle_lognormal(law.probability, positive.mu - 0.5, positive.sigma),
        "spread": hurdle_lognormal(law.probability, positive.mu, 0.6 * positive.sigma),
        "probability": hurdle_lognormal(0.75 * law.probability, positive.mu, positive.sigma),
    }[fault]
    found = quantile_curve(told, y, rng=rng, draws=99)
    assert found.p_value == pytest.approx(0.01)
    top = found.normal > 1.5
    # Too little was forecast, or too sure: the curve leaves upwards.
    assert (found.residual > found.high_all).any()
    if where == "slope":
        assert np.polyfit(found.normal[top], found.worm[top], 1)[0] > 0.1
    right = quantile_curve(law, y, rng=rng, draws=99)
    assert right.p_value > 0.05


def test_envelope_with_atoms_is_narrower_than_that_of_as_many_normal_scores():
    rng = np.random.default_rng(4)
    law = hurdle_lognormal(np.full(2000, 0.15), np.zeros(2000), np.ones(2000))
    levels = [0.3, 0.5, 0.99]
    found = quantile_curve(law, law.sample(rng), rng=rng, levels=levels, draws=199)
    order = rng.standard_normal((400, 2000))
    plain = np.quantile(np.quantile(order, levels, axis=1), [0.025, 0.975], axis=1)
    ratio = (found.high - found.low) / (plain[1] - plain[0])
    assert (ratio[:2] < 0.55).all()
    assert 0.8 < ratio[2] < 1.3


@pytest.mark.slow
def test_false_alarms_of_the_whole_curve_are_five_percent():
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(200):
        law = forecast(rng, 300)
        found = quantile_curve(law, law.sample(rng), rng=rng, draws=99)
        outside = (found.residual < found.low_all) | (found.residual > found.high_all)
        alarms += found.p_value <= 0.05
        # The envelope and the p-value are two ways to say the same.
        assert outside.any() == (found.p_value <= 0.05)
    print(f"false alarms {alarms / 200:.3f}, binomial error {np.sqrt(0.05 * 0.95 / 200):.3f}")
    assert 0.03 <= alarms / 200 <= 0.07


def test_block_resamples_are_curves_of_repeated_cases():
    rng = np.random.default_rng(6)
    law = forecast(rng, 600)
    y, block = law.sample(rng), rng.integers(0, 5, 600)
    times = np.array([[1, 1, 1, 1, 1], [2, 0, 3, 0, 0]])
    found = curve_of_draws(law, y, block, times, levels=[0.2, 0.9])
    for row, curve in zip(times, found, strict=True):
        index = np.repeat(np.arange(600), row[block])
        repeated = quantile_curve(law.take(index), y[index], rng=rng, levels=[0.2, 0.9], draws=19)
        np.testing.assert_allclose(curve, repeated.residual, atol=1e-9)


def test_few_draws_and_levels_outside_are_refused():
    rng = np.random.default_rng(7)
    law = forecast(rng, 10)
    with pytest.raises(ValueError, match="draws: found 5; expected 19"):
        quantile_curve(law, law.sample(rng), rng=rng, draws=5)
    with pytest.raises(ValueError, match="levels: found"):
        quantile_curve(law, law.sample(rng), rng=rng, levels=[1.5])
    assert simultaneous_envelope(np.zeros(2), np.zeros((30, 2)), 0.9)[-1] == 1.0
