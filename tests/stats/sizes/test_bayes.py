"""The Bayesian fit of one inventory: exact posteriors, recordings, notes and refusals."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stats.sizes import double_pareto, nuts
from stats.sizes.bayes import fit_bayes
from stats.sizes.bootstrap import refit_many
from stats.sizes.detection import DetectionCurve, curve_from_prior
from stats.sizes.posterior import summarise
from stats.sizes.priors import default_priors
from stats.sizes.recording import Recording

RNG = np.random.default_rng(8)
TRUTH = (1.4, 2.3, 800.0)
AREAS = double_pareto.sample(3000, *TRUTH, rng=RNG, lower=100.0)
CUT = Recording(lower_m2=100.0)


def test_posterior_of_the_power_law_is_the_exact_one() -> None:
    areas = 300.0 / np.random.default_rng(1).random(80) ** (1.0 / 1.4)
    found = fit_bayes(areas, "power", Recording(lower_m2=300.0))
    # ln alpha has a normal prior and a gamma likelihood: one integral on a grid.
    z = np.linspace(-1.0, 1.5, 4001)
    total = np.log(areas / 300.0).sum()
    prior = default_priors("power")[0]
    log_density = areas.size * z - np.exp(z) * total - 0.5 * ((z - prior.mean) / prior.sd) ** 2
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    mean = float(weight @ np.exp(z))
    sd = math.sqrt(float(weight @ (np.exp(z) - mean) ** 2))
    alpha = found.estimates["alpha"]
    assert alpha.diagnostics is not None
    assert abs(alpha.mean - mean) < 4.0 * alpha.diagnostics.mcse_mean
    assert alpha.sd == pytest.approx(sd, rel=0.06)
    quantiles = np.exp(np.interp([0.025, 0.5, 0.975], np.cumsum(weight), z))
    np.testing.assert_allclose([alpha.low, alpha.median, alpha.high], quantiles, rtol=0.02)
    assert found.estimates["pdf_slope"].median == pytest.approx(-(alpha.median + 1.0))


def test_truncated_fit_recovers_the_law_and_says_how_sure_it_is() -> None:
    found = fit_bayes(AREAS, recording=CUT, seed=1)
    assert found.converged
    assert found.error_of_nodes < 1e-6
    likeliest = refit_many("dps_extended", AREAS[None, :], CUT, TRUTH).theta[0]
    for name, truth, mle in zip(("alpha", "beta", "t"), TRUTH, likeliest, strict=True):
        estimate = found.estimates[name]
        assert abs(estimate.median - truth) < 4.0 * estimate.sd
        assert abs(estimate.median - mle) < 0.3 * estimate.sd
    rollover = found.estimates["rollover_m2"]
    assert abs(rollover.median - 516.3) < 4.0 * rollover.sd
    assert 15.0 < rollover.sd < 30.0
    assert rollover.exists == 1.0
    assert min(found.contraction.values()) > 0.95
    assert all(check.p_value > 0.01 for check in found.checks)
    assert "t is a scale, not the rollover" in found.notes
    assert found.theta().shape == (4000, 3)
    # A second inventory of another size compiles nothing, and the same seed repeats the draws.
    kept = len(nuts._COMPILED)
    again = fit_bayes(AREAS[:2900], recording=CUT, seed=1)
    assert len(nuts._COMPILED) == kept
    assert not np.array_equal(again.coordinates, found.coordinates)
    same = fit_bayes(AREAS, recording=CUT, seed=1)
    np.testing.assert_array_equal(same.coordinates, found.coordinates)


def test_few_areas_above_a_high_cut_are_said_to_leave_the_prior_to_decide() -> None:
    areas = double_pareto.sample(40, *TRUTH, rng=np.random.default_rng(3), lower=1500.0)
    found = fit_bayes(areas, recording=Recording(lower_m2=1500.0))
    assert any("the prior decides" in note for note in found.notes)
    assert any("rollover_m2: none in" in note for note in found.notes)
    assert any("below the detection limit" in note for note in found.notes)
    rollover = found.estimates["rollover_m2"]
    assert 0.0 < rollover.exists < 1.0
    assert rollover.diagnostics is None


def test_whole_pixels_are_fitted_as_bins() -> None:
    areas = double_pareto.sample(4000, *TRUTH, rng=np.random.default_rng(5), lower=50.0)
    pixels = 100.0 * np.rint(areas / 100.0)
    coarse = fit_bayes(
        pixels[pixels >= 200.0], recording=Recording(lower_m2=200.0, pixel_m2=100.0), draws=500
    )
    alpha = coarse.estimates["alpha"]
    assert alpha.low < 1.4 < alpha.high
    assert all(check.p_value > 0.01 for check in coarse.checks)


@pytest.mark.nightly
@pytest.mark.slow
def test_detection_curves_are_corrected_for_and_their_uncertainty_widens_the_rollover() -> None:
    rng = np.random.default_rng(6)
    areas = double_pareto.sample(2500, *TRUTH, rng=rng, lower=30.0)
    settings = {"chains": 2, "warmup": 400, "draws": 300}
    curve = DetectionCurve(half_area_m2=300.0, width=0.4)
    seen = areas[rng.random(areas.size) < curve(areas)]
    known = fit_bayes(seen, recording=Recording(lower_m2=30.0, detection=curve), **settings)
    naive = fit_bayes(seen, recording=Recording(lower_m2=30.0), **settings)
    prior = curve_from_prior(half_area_m2=300.0, width=0.4, sd_ln_half_area=0.3, sd_ln_width=0.3)
    unsure = fit_bayes(seen, recording=Recording(lower_m2=30.0, detection=prior), **settings)
    for found in (known, unsure):
        rollover = found.estimates["rollover_m2"]
        assert rollover.low < 516.3 < rollover.high
    assert naive.estimates["rollover_m2"].low > 516.3
    widths = [e.high - e.low for e in (f.estimates["rollover_m2"] for f in (known, unsure))]
    assert widths[1] > 1.3 * widths[0]
    half = unsure.estimates["half_area_m2"]
    assert half.low < 300.0 < half.high


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"areas_m2": [300.0, 400.0]}, "found 2 areas"),
        ({"areas_m2": [300.0] * 10}, "found 10 areas"),
        ({"areas_m2": [300.0, -1.0, 400.0, 500.0, 600.0]}, "1 of 5 areas not above 0"),
        ({"areas_m2": [300.0, np.nan, 400.0, 500.0, 600.0]}, "1 of 5 areas not finite"),
        ({"areas_m2": [90.0, 300.0, 400.0, 500.0, 600.0]}, "below 100 m2"),
        ({"areas_m2": np.ones((3, 3))}, "2 dimensions"),
        ({"law": "weibull"}, "expected one of dps"),
        ({"recording": Recording()}, "dps_extended with lower_m2 = 0"),
        ({"law": "dp"}, "dp with no upper limit"),
        ({"priors": default_priors("power")}, "priors of dps_extended"),
        ({"chains": 0}, "chains: found 0"),
        ({"draws": 3}, "draws: found 3"),
        ({"warmup": 5}, "warmup: found 5"),
        ({"level": 95.0}, "level: found 95"),
    ],
)
def test_bad_input_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    arguments = {"areas_m2": AREAS, "recording": CUT} | changes
    with pytest.raises(ValueError, match=message):
        fit_bayes(**arguments)


def test_summary_counts_the_draws_in_which_a_quantity_exists() -> None:
    draws = stats.norm(5.0, 1.0).rvs((2, 1000), random_state=1)
    draws[0, :500] = np.nan
    found = summarise("rollover_m2", "m2", draws, 0.9)
    assert found.exists == 0.75
    assert found.diagnostics is None
    assert found.low == pytest.approx(5.0 - 1.645, abs=0.15)
    nothing = summarise("rollover_m2", "m2", np.full((2, 10), np.nan), 0.9)
    assert nothing.exists == 0.0
    assert math.isnan(nothing.median)
