"""Refits through one compilation are the fits of each draw, and say where they failed."""

import numpy as np
import pytest

from stats.sizes import refit
from stats.sizes.bootstrap import bootstrap, refit_many, resampled_counts
from stats.sizes.double_pareto import sample
from stats.sizes.fit import fit_sizes
from stats.sizes.recording import Recording
from stats.sizes.simulation import simulate

AT_100 = Recording(lower_m2=100.0)
TRUTH = (1.4, 2.3, 800.0)


def draws(count: int, n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return sample(count * n, *TRUTH, rng=rng, lower=100.0).reshape(count, n)


@pytest.mark.parametrize("law", ["dps", "lognormal"])
def test_refits_are_the_fits_of_each_draw(law: str) -> None:
    areas = draws(3, 400)
    start = TRUTH if law == "dps" else (7.0, 1.2)
    refits = refit_many(law, areas, AT_100, start)
    assert refits.converged.all()
    for one, theta, value in zip(areas, refits.theta, refits.log_likelihood, strict=True):
        fit = fit_sizes(one, law, AT_100, intervals=None)
        assert value == pytest.approx(fit.log_likelihood, abs=2e-7)
        np.testing.assert_allclose(theta, fit.parameters, rtol=2e-3)


@pytest.mark.parametrize("pixel_m2", [None, 50.0])
def test_weights_are_resamples(pixel_m2: float | None) -> None:
    recording = Recording(lower_m2=100.0, pixel_m2=pixel_m2)
    rng = np.random.default_rng(2)
    areas = simulate("dps", TRUTH, 300, recording, rng=rng).ravel()
    counts = resampled_counts(np.ones(300), 5, rng)
    assert (counts.sum(axis=1) == 300).all()
    resampled = np.stack([np.repeat(areas, row) for row in counts])
    one = refit_many("dps", areas, recording, TRUTH, weights=counts)
    other = refit_many("dps", resampled, recording, TRUTH)
    assert one.converged.all()
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, atol=1e-6)
    np.testing.assert_allclose(one.theta[:, 0], other.theta[:, 0], rtol=2e-3)


def test_blocks_of_draws_do_not_change_the_draws() -> None:
    areas = draws(1, 200)[0]
    counts = resampled_counts(np.ones(200), 150, np.random.default_rng(3))
    together = refit_many("dps", areas, AT_100, TRUTH, weights=counts)
    last = refit_many("dps", areas, AT_100, TRUTH, weights=counts[140:])
    np.testing.assert_allclose(together.theta[140:], last.theta, rtol=1e-6)


def test_draws_at_a_limit_stay_finite() -> None:
    u = np.random.default_rng(4).random((20, 100))
    areas = 600.0 * (-np.log(u)) ** (-1.0 / 1.3)
    refits = refit_many("dps", areas, Recording(), TRUTH)
    assert refits.converged.all()
    assert np.isfinite(refits.theta).all()
    at_limit = refits.theta[:, 1] > 1e4 * refits.theta[:, 0]
    assert 2 <= at_limit.sum() <= 18


def test_draws_without_proof_are_reported_and_too_many_of_them_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two evaluations do not suffice from a far start; the odd length compiles anew.
    monkeypatch.setattr(refit, "_MOST", 2)
    areas = draws(4, 353)
    refits = refit_many("dps", areas, AT_100, (0.5, 9.0, 90.0))
    assert not refits.converged.any()
    fit = fit_sizes(areas[0], "dps", AT_100, intervals=None)
    with pytest.raises(ValueError, match=r"found \d+ of 20 refits converged; expected half"):
        bootstrap(fit, areas[0], rng=np.random.default_rng(1), draws=20)


@pytest.mark.parametrize("kind", ["nonparametric", "parametric"])
def test_intervals_agree_with_the_profile(kind: str) -> None:
    areas = draws(1, 3000)[0]
    fit = fit_sizes(areas, "dps", AT_100, stability=False)
    found = bootstrap(fit, areas, rng=np.random.default_rng(5), draws=400, kind=kind)  # type: ignore[arg-type]
    assert found.converged.all()
    assert found.theta.shape == (400, 3)
    for name in ("alpha", "rollover_m2", "pdf_slope"):
        profile, percentile = fit.estimates[name], found.estimates[name]
        width = profile.high - profile.low
        assert abs(percentile.low - profile.low) < 0.25 * width
        assert abs(percentile.high - profile.high) < 0.25 * width
        assert percentile.method == "bootstrap"


def test_an_interval_that_reaches_the_limit_is_open() -> None:
    u = np.random.default_rng(6).random(300)
    areas = 600.0 * (-np.log(u)) ** (-1.0 / 1.3)
    fit = fit_sizes(areas, "dps", Recording(), stability=False)
    found = bootstrap(fit, areas, rng=np.random.default_rng(7), draws=100)
    assert found.estimates["beta"].high == np.inf
    assert found.estimates["t"].low == 0.0
    assert not found.estimates["beta"].identified


def test_whole_pixels_and_weights_are_bootstrapped() -> None:
    recording = Recording(lower_m2=100.0, pixel_m2=50.0)
    rng = np.random.default_rng(8)
    areas = simulate("dps", TRUTH, 300, recording, rng=rng).ravel()
    weights = rng.integers(1, 4, 300).astype(float)
    fit = fit_sizes(areas, "dps", recording, weights, intervals=None)
    found = bootstrap(fit, areas, rng=rng, draws=40, weights=weights)
    alpha = found.estimates["alpha"]
    assert found.converged.mean() > 0.9
    assert alpha.low < fit.theta["alpha"] < alpha.high
    counts = resampled_counts(weights, 400, rng)
    assert (counts.sum(axis=1) == weights.sum()).all()
    error = np.sqrt(weights / 400)
    assert np.all(np.abs(counts.mean(axis=0) - weights) < 5.0 * error)


def test_what_does_not_fit_together_is_refused() -> None:
    areas = draws(1, 50)[0]
    fit = fit_sizes(areas, "dps", AT_100, intervals=None)
    rng = np.random.default_rng(9)
    with pytest.raises(ValueError, match="found 49 areas and 100 draws; expected the 50 areas"):
        bootstrap(fit, areas[:49], rng=rng, draws=100)
    with pytest.raises(ValueError, match="50 areas and 3 draws"):
        bootstrap(fit, areas, rng=rng, draws=3)
    with pytest.raises(ValueError, match=r"weights: found shape \(2, 49\) for areas of shape"):
        refit_many("dps", areas, AT_100, TRUTH, weights=np.ones((2, 49)))
    with pytest.raises(ValueError, match="samples: found 1 dimensions"):
        refit_many("dps", areas, AT_100, TRUTH)
    with pytest.raises(ValueError, match=r"start: found shape \(2,\); expected \(3,\)"):
        refit_many("dps", draws(2, 50), AT_100, (1.4, 2.3))
    with pytest.raises(ValueError, match="expected parameters inside the domain"):
        refit_many("dps", draws(2, 50), AT_100, (-1.4, 2.3, 800.0))
