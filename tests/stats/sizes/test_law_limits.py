"""The extended Double Pareto family at and near its three limits, and what the laws say of them."""

import jax
import numpy as np
import pytest
from scipy import stats

from stats.precision import in_float64
from stats.sizes.distribution import size_law
from stats.sizes.law import law_named, log_density

ALPHA, T, CUT = 1.3, 900.0, 250.0
X = np.geomspace(CUT * 1.001, 1e7, 80)


def extended(beta: float, t: float = T):
    return size_law("dps_extended", alpha=ALPHA, beta=beta, t=t, lower=CUT)


def test_beta_zero_is_the_log_limit():
    expected = np.log1p((T / X) ** ALPHA) / np.log1p((T / CUT) ** ALPHA)
    np.testing.assert_allclose(extended(0.0).sf(X), expected, rtol=1e-12)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_log_limit_is_approached_at_first_order_from_both_sides(sign):
    gap = [np.abs(extended(sign * b).sf(X) - extended(0.0).sf(X)).max() for b in (1e-3, 1e-6, 1e-9)]
    assert gap[0] < 1e-3
    np.testing.assert_allclose(gap[1] / gap[0], 1e-3, rtol=0.01)
    np.testing.assert_allclose(gap[2] / gap[1], 1e-3, rtol=0.01)


def test_beta_minus_alpha_is_the_pareto_law_and_is_approached():
    pareto = (X / CUT) ** -ALPHA
    np.testing.assert_allclose(extended(-ALPHA).sf(X), pareto, rtol=1e-12)
    gap = [np.abs(extended(-ALPHA + e).sf(X) - pareto).max() for e in (1e-2, 1e-4, 1e-6)]
    assert gap[0] > 50 * gap[1] > 2500 * gap[2] > 0.0
    assert gap[2] < 1e-6


def test_large_beta_approaches_the_frechet_law_with_its_mode():
    scale = 700.0
    frechet = stats.invweibull(ALPHA, scale=scale)
    expected = -np.expm1(-((scale / X) ** ALPHA)) / frechet.sf(CUT)
    gap, mode = [], []
    for beta in (1e3, 1e6, 1e9, 1e15):
        law = extended(beta, scale * (ALPHA / beta) ** (1 / ALPHA))
        gap.append(np.abs(law.sf(X) / expected - 1.0).max())
        mode.append(abs(law.mode() / (scale * (ALPHA / (ALPHA + 1)) ** (1 / ALPHA)) - 1.0))
    assert gap[0] > 100 * gap[1] > 1e4 * gap[2] > 0.0
    assert mode[0] > 100 * mode[1] > 1e4 * mode[2] > 0.0
    assert gap[3] < 1e-12
    assert mode[3] < 1e-12


def total(theta):
    x = np.geomspace(300.0, 3e4, 40)
    return log_density(law_named("dps_extended"), x, theta, CUT, np.inf).sum()


@in_float64
@jax.jit
def derivatives(theta):
    return jax.grad(total)(theta), jax.hessian(total)(theta)


@pytest.mark.parametrize("beta", [1e-12, -1e-12, 1e-7])
def test_score_and_hessian_pass_smoothly_through_the_log_limit(beta):
    score, hessian = derivatives(np.array([ALPHA, 0.0, T]))
    near_score, near_hessian = derivatives(np.array([ALPHA, beta, T]))
    np.testing.assert_allclose(near_score, score, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(near_hessian, hessian, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["dps", "dps_extended"])
def test_the_frechet_ridge_is_straight_on_the_unconstrained_scale(name):
    law = law_named(name)
    density = in_float64(lambda z: log_density(law, X, law.constrain(np.asarray(z)), CUT, np.inf))
    far = [density([np.log(ALPHA), g, np.log(700.0)]) for g in (20.0, 30.0, 60.0)]
    np.testing.assert_allclose(far[1], far[2], rtol=1e-10)
    frechet = stats.invweibull(ALPHA, scale=700.0)
    np.testing.assert_allclose(far[2], frechet.logpdf(X) - frechet.logsf(CUT), rtol=1e-10)


def test_extension_needs_a_lower_end_and_stops_at_the_pareto_law():
    with pytest.raises(ValueError, match=r"lower: found 0.0; .* only above a lower end"):
        size_law("dps_extended", alpha=1.3, beta=-0.2, t=900.0)
    with pytest.raises(ValueError, match=r"beta: found -1.4; expected at least -alpha = -1.3"):
        extended(-1.4)


def test_the_result_says_what_its_parameters_mean():
    notes = size_law("dps", alpha=0.9, beta=0.8, t=800.0).notes()
    assert "alpha <= 1: the untruncated law has no mean" in notes
    assert "beta <= 1: the density has no rollover" in notes
    assert "t is a scale, not the rollover" in notes
    plain = size_law("dps", alpha=2.4, beta=2.8, t=800.0).notes()
    assert plain == ("t is a scale, not the rollover",)
    assert any("only above its lower" in note for note in extended(-0.2).notes())
    assert size_law("egpd", kappa=0.9, sigma=1.0, xi=0.1).notes()[0].startswith("kappa <= 1")
    assert "2666.67" in size_law("gpd", sigma=800.0, xi=-0.3).notes()[1]
    assert size_law("ig", rho=1.4, a=10.0, s=-132.0).notes()[1].startswith("a/(rho + 1) <= -s")


def test_fits_at_the_edge_of_a_family_say_so():
    cut = size_law("dps", alpha=1.4, beta=2.3, t=800.0, lower=600.0).notes()
    assert "the rollover lies below the lower end: it is extrapolated, not seen" in cut
    seen = size_law("dps", alpha=1.4, beta=2.3, t=800.0, lower=500.0).notes()
    assert not any("extrapolated" in note for note in seen)
    shift = size_law("ig", rho=1.4, a=1280.0, s=-1e-6).notes()
    assert shift[-1] == "s is at its limit 0: the two-parameter inverse gamma law"
    pareto = size_law("gpd", sigma=1e-3, xi=0.8, lower=500.0)
    assert pareto.notes()[-1] == "sigma is at its limit 0: the Pareto law above the lower end"
    np.testing.assert_allclose(pareto.sf(2000.0), 4.0**-1.25, rtol=1e-4)
    steep = size_law("egpd", kappa=1e6, sigma=1e-3, xi=0.8)
    assert steep.notes()[-1].startswith("kappa towards infinity")
    # There the law depends on sigma kappa^xi alone.
    other = size_law("egpd", kappa=1e8, sigma=1e-3 * 100.0**-0.8, xi=0.8)
    x = other.ppf(np.array([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(steep.sf(x), other.sf(x), rtol=1e-4)
