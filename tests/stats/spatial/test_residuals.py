"""Score residuals: their moments, what they are derivatives of, and the tests made of them."""

import numpy as np
import pytest
from scipy import ndimage, special
from scipy.optimize import approx_fprime

from stats.case_arrays import UndefinedScoreError
from stats.laws.hurdle import hurdle_lognormal
from stats.spatial.moran import moran
from stats.spatial.residual_tests import class_basis, residual_tests, score_test
from stats.spatial.residuals import hurdle_residuals, presence_residuals

PROBABILITIES = (1e-4, 0.02, 0.17, 0.5, 0.93)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_mean_0_and_variance_1_under_the_forecast_whatever_the_probability(p):
    """Expectations over the law by quadrature: a mass at zero and a fine grid of quantiles."""
    size = 200_000
    u = (np.arange(size) + 0.5) / size
    law = hurdle_lognormal(np.full(size, p), np.full(size, -0.7), np.full(size, 1.3))
    value = law.positive.quantile(u)
    above = hurdle_residuals(law, value)
    alone = hurdle_lognormal([p], [-0.7], [1.3])
    zero = hurdle_residuals(alone, [0.0])
    for name in ("presence", "location", "scale"):
        high, low = getattr(above, name).value, getattr(zero, name).value[0]
        assert (1 - p) * low + p * high.mean() == pytest.approx(0.0, abs=2e-3)
        # The grid of quantiles cuts the outermost 1/400,000 of the positive law.
        assert (1 - p) * low**2 + p * (high**2).mean() == pytest.approx(1.0, rel=5e-3)
    for name in ("positive_location", "positive_scale"):
        assert getattr(above, name).value.mean() == pytest.approx(0.0, abs=2e-3)
        assert getattr(above, name).value.var() == pytest.approx(1.0, rel=5e-3)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_scores_are_derivatives_of_the_censored_normal_likelihood(p):
    law = hurdle_lognormal([p, p], [0.4, 0.4], [0.8, 0.8])
    value = np.array([0.0, 2.5])
    found = hurdle_residuals(law, value)
    c, z = -special.ndtri(p), special.ndtri(law.cdf(value)[1])

    def log_likelihood(theta, case):
        shift, log_spread = theta
        if case == 0:
            return float(special.log_ndtr((c - shift) / np.exp(log_spread)))
        return -0.5 * ((z - shift) / np.exp(log_spread)) ** 2 - log_spread

    for case in (0, 1):
        slope = approx_fprime(np.zeros(2), log_likelihood, 1e-6, case)
        assert found.location.score[case] == pytest.approx(slope[0], abs=1e-4)
        assert found.scale.score[case] == pytest.approx(slope[1], abs=1e-4)


def test_for_the_plain_lognormal_the_positive_scores_are_the_classical_ones():
    law = hurdle_lognormal([0.3], [0.2], [0.7], upper=np.inf)
    found = hurdle_residuals(law, [3.0])
    z = (np.log(3.0) - 0.2) / 0.7
    assert found.positive_location.value[0] == pytest.approx(z)
    assert found.positive_scale.value[0] == pytest.approx((z**2 - 1) / np.sqrt(2))


def test_impossible_values_are_refused_and_certain_ones_left_out():
    with pytest.raises(UndefinedScoreError, match="1 of 2"):
        presence_residuals([0.0, 0.5], [1, 0])
    with pytest.raises(UndefinedScoreError, match="outside the positive law"):
        hurdle_residuals(hurdle_lognormal([0.5], [0.0], [1.0]), [120.0])
    law = hurdle_lognormal([0.0, 1.0, 0.5], [0.0] * 3, [1.0] * 3)
    found = hurdle_residuals(law, [0.0, 1.0, 1.0])
    assert found.presence.defined.tolist() == [False, False, True]
    assert found.location.defined.tolist() == [False, True, True]
    assert found.scale.value[1] == pytest.approx(-1 / np.sqrt(2), abs=1e-4)


SHAPE = (40, 50)


def study(rng, *, share=0.0, wanted=1.0, tilt=0.0, spread=0.0, bias=0.0):
    """A forecast and outcomes with planted faults.

    `share` is the part of the latent variance that is smooth and missed, `wanted` the true spread
    over the forecast one, `tilt` the missed effect of the predictor, `spread` the missed effect of
    the predictor on the spread, `bias` a shift of every cell.
    """
    predictor = rng.random(SHAPE)
    smooth = ndimage.gaussian_filter(rng.standard_normal(np.add(SHAPE, 40)), 2.0)[20:-20, 20:-20]
    noise = rng.standard_normal(SHAPE)
    shared = np.sqrt(share) * smooth / smooth.std() + np.sqrt(1 - share) * noise
    p = special.ndtr(-1.0 + 0.8 * rng.standard_normal(SHAPE))
    latent = bias + tilt * (predictor - 0.5) + wanted * np.exp(spread * (predictor - 0.5)) * shared
    law = hurdle_lognormal(p.ravel(), np.zeros(p.size), np.ones(p.size), upper=np.inf)
    return law, law.quantile(special.ndtr(latent).ravel()), predictor.ravel()


def p_values(rng, worlds, **faults):
    found = {}
    for _ in range(worlds):
        law, value, predictor = study(rng, **faults)
        for row in residual_tests(
            hurdle_residuals(law, value), {"predictor": predictor, "forecast": law.probability}
        ):
            found.setdefault((row.residual, row.against), []).append(row.p_value)
    return {key: np.array(p) for key, p in found.items()}


def test_a_forecast_that_is_right_passes_every_test_at_its_level():
    worlds = 300
    found = p_values(np.random.default_rng(0), worlds)
    rates = {key: np.mean(p <= 0.05) for key, p in found.items()}
    # Binomial error of one rate: 0.0126; fifteen rates, so three and a half of them.
    assert max(abs(rate - 0.05) for rate in rates.values()) < 0.045
    assert np.mean(list(rates.values())) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ({"tilt": 0.45}, ("location", "predictor")),
        ({"spread": 0.35}, ("scale", "predictor")),
        ({"wanted": 1.12}, ("scale", "overall")),
    ],
    ids=["missed effect", "uneven spread", "over-confidence"],
)
def test_each_planted_fault_is_found_by_the_test_meant_for_it(fault, test):
    found = p_values(np.random.default_rng(1), 60, **fault)
    # Binomial error of a power of 0.9 over 60 worlds: 0.04.
    assert np.mean(found[test] <= 0.05) >= 0.8
    if "tilt" in fault:
        assert np.mean(found[("location", "forecast")] <= 0.05) < 0.2


def test_an_overall_bias_is_not_blamed_on_the_forecast_that_has_it():
    """Information grows with the probability, so an uncentred basis would see the bias in it."""
    found = p_values(np.random.default_rng(6), 100, bias=0.15)
    assert np.mean(found[("location", "overall")] <= 0.05) > 0.9
    # Binomial error: 0.022.
    assert np.mean(found[("location", "forecast")] <= 0.05) < 0.15


def test_blocks_keep_the_level_where_neighbours_share_residuals():
    """A smooth predictor meets a smooth missed effect by chance; independence calls that proof."""
    rng = np.random.default_rng(2)
    worlds = 300
    rejected = {"model": 0, "blocks": 0, "widened": 0}
    rows, columns = np.indices(SHAPE)
    block = (rows // 10 * 5 + columns // 10).ravel()
    finer = (rows // 5 * 10 + columns // 5).ravel()
    for _ in range(worlds):
        law, value, _ = study(rng, share=0.9)
        smooth = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2.0, mode="wrap").ravel()
        residuals = hurdle_residuals(law, value).location
        for way in rejected:
            row = residual_tests(
                residuals, {"smooth": smooth}, degree=1, block=block,
                covariance="model" if way == "model" else "blocks",
                finer_block=finer if way == "widened" else None,
            )[1]  # fmt: skip
            rejected[way] += row.p_value <= 0.05
    assert rejected["model"] / worlds > 0.25
    # Binomial error: 0.013.
    assert rejected["widened"] / worlds == pytest.approx(0.05, abs=0.035)
    assert rejected["widened"] < rejected["blocks"] < rejected["model"]


def test_moran_of_score_residuals_holds_its_level_and_finds_a_missed_effect():
    rng = np.random.default_rng(3)
    worlds = 200
    rates = {}
    for share in (0.0, 0.2):
        p = []
        for _ in range(worlds if share == 0.0 else 60):
            law, value, _ = study(rng, share=share)
            found = hurdle_residuals(law, value)
            p.append([moran(part.value.reshape(SHAPE)).p_value()
                      for part in (found.presence, found.location)])  # fmt: skip
        rates[share] = np.mean(np.array(p) <= 0.05, axis=0)
    assert rates[0.0] == pytest.approx([0.05, 0.05], abs=0.05)
    assert (rates[0.2] > 0.8).all()


def test_robust_spread_serves_where_the_tail_is_wrong():
    rng = np.random.default_rng(4)
    rejected = {"model": 0, "cases": 0}
    for _ in range(200):
        latent = rng.standard_t(4, 800) / np.sqrt(2.0)
        predictor = rng.random(800)
        law = hurdle_lognormal(np.ones(800), np.zeros(800), np.ones(800), upper=np.inf)
        scale = hurdle_residuals(law, np.exp(latent)).positive_scale
        for covariance, count in rejected.items():
            row = residual_tests(scale, {"x": predictor}, covariance=covariance, degree=1)[1]
            rejected[covariance] = count + (row.p_value <= 0.05)
    assert rejected["model"] / 200 > 0.2
    assert rejected["cases"] / 200 < 0.1


def test_classes_are_compared_and_rare_ones_pooled():
    rng = np.random.default_rng(5)
    cover = np.repeat([1, 2, 3, 9], [500, 400, 90, 4])
    p = np.full(cover.size, 0.3)
    outcome = rng.random(cover.size) < np.where(cover == 2, 0.45, 0.3)
    rows = residual_tests(presence_residuals(p, outcome), {"cover": cover})
    assert rows[1].df == 2
    assert rows[1].p_value < 1e-3
    assert rows[1].effect is None
    assert class_basis(np.repeat([1, 2, 3], [20, 20, 20])).shape == (60, 2)


def test_questions_that_cannot_be_asked_are_refused():
    coins = presence_residuals(np.full(30, 0.5), np.arange(30) % 2)
    with pytest.raises(UndefinedScoreError, match="slope: a constant"):
        residual_tests(coins, {"slope": np.ones(30)})
    with pytest.raises(ValueError, match="shape"):
        residual_tests(coins, {"slope": np.ones(29)})
    with pytest.raises(ValueError, match="not finite"):
        residual_tests(coins, {"slope": np.where(np.arange(30) < 3, np.nan, np.arange(30.0))})
    with pytest.raises(ValueError, match="needs the block"):
        score_test(coins, None, covariance="blocks")
    with pytest.raises(UndefinedScoreError, match="blocks are too few"):
        score_test(coins, None, covariance="blocks", block=np.arange(30) % 2)
