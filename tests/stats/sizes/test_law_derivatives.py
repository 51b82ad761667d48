"""Score, Hessian, vmap, gradients through quantiles and precision of every size law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from stats.precision import in_float64
from stats.sizes.distribution import SizeLaw, size_law
from stats.sizes.law import law_named, log_density
from tests.stats.sizes.law_cases import LAWS, central, families, names

# Fourth-order central differences.
OFFSETS, WEIGHTS = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12.0


def scales(law: SizeLaw) -> np.ndarray:
    """Size of each parameter; 0.1 where it is 0."""
    theta = np.abs(law.theta)
    return np.where(theta > 0.0, theta, 0.1)


def shifted(law: SizeLaw, i: int, step: float) -> SizeLaw:
    theta = np.array(law.theta)
    theta[i] += step
    return SizeLaw(law.law, tuple(theta), law.lower, law.upper)


def finite_difference(law: SizeLaw, i: int, function) -> np.ndarray:
    step = 3e-4 * scales(law)[i]
    values = [
        w * function(shifted(law, i, step * o)) for o, w in zip(OFFSETS, WEIGHTS, strict=True)
    ]
    return np.sum(values, axis=0) / step


@pytest.mark.parametrize("case", names)
def test_score_and_hessian_agree_with_finite_differences(case):
    law = LAWS[case]
    x = central(law, 8)
    score, hessian = law.score(x), law.hessian(x)
    scale = scales(law)
    for i in range(law.law.k):
        numeric = finite_difference(law, i, lambda other: other.loglik(x))
        assert numeric * scale[i] == pytest.approx(score[i] * scale[i], rel=1e-7, abs=1e-6)
        row = finite_difference(law, i, lambda other: other.score(x))
        size = np.abs(hessian * np.outer(scale, scale)).max()
        error = (row - hessian[i]) * scale * scale[i]
        assert np.abs(error).max() < 1e-6 * max(size, 1.0), case
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9, atol=1e-9 * np.abs(hessian).max())


def test_double_pareto_score_and_hessian_agree_with_their_formulas():
    alpha, beta, t = 1.4, 2.3, 800.0
    law = size_law("dps", alpha=alpha, beta=beta, t=t)
    x = central(law, 8)
    z = np.log(x / t)
    s, g = np.log1p(np.exp(-alpha * z)), special.expit(-alpha * z)
    h, p = g * (1 - g), beta / alpha
    score = [
        (-z + p / alpha * s + (1 + p) * z * g).sum(),
        (1 / beta - s / alpha).sum(),
        (alpha / t * (1 - (1 + p) * g)).sum(),
    ]
    aa = (-2 * p / alpha**2 * s - 2 * p / alpha * z * g - (1 + p) * z**2 * h).sum()
    ab = (s / alpha**2 + z * g / alpha).sum()
    at = ((1 - g + (alpha + beta) * z * h) / t).sum()
    bb, bt = -x.size / beta**2, (-g / t).sum()
    tt = ((-alpha + (alpha + beta) * (g - alpha * h)) / t**2).sum()
    np.testing.assert_allclose(law.score(x), score, rtol=1e-10)
    expected = [[aa, ab, at], [ab, bb, bt], [at, bt, tt]]
    np.testing.assert_allclose(law.hessian(x), expected, rtol=1e-10)


def test_other_scores_agree_with_their_formulas():
    power = size_law("power", alpha=1.4, lower=1000.0)
    x = central(power, 8)
    np.testing.assert_allclose(
        power.score(x), [x.size / 1.4 - np.log(x / 1e3).sum()], rtol=1e-12, atol=1e-9
    )
    np.testing.assert_allclose(power.hessian(x), [[-x.size / 1.4**2]], rtol=1e-12)
    rho, a, s = 1.4, 1280.0, -132.0
    # Untruncated: the shift is the lower end, far below 0 nothing is lost at 0.
    ig = size_law("ig", rho=rho, a=a, s=-1e-9)
    x = central(ig, 8)
    expected = [
        (np.log(a / x) - special.digamma(rho)).sum(),
        (rho / a - 1.0 / x).sum(),
        ((rho + 1.0) / x - a / x**2).sum(),
    ]
    np.testing.assert_allclose(ig.score(x), expected, rtol=1e-9)
    truncated = size_law("ig", rho=rho, a=a, s=s)
    assert truncated.hessian(x).shape == (3, 3)
    lognormal = size_law("lognormal", mu=7.0, sigma=1.2)
    z = (np.log(x) - 7.0) / 1.2
    np.testing.assert_allclose(
        lognormal.score(x), [z.sum() / 1.2, ((z**2 - 1) / 1.2).sum()], rtol=1e-10
    )


def test_weights_count_an_area_so_often():
    law = LAWS["ig"]
    x = central(law, 5)
    twice = np.repeat(x, [1, 2, 3, 1, 1])
    weights = np.array([1.0, 2.0, 3.0, 1.0, 1.0])
    assert law.loglik(x, weights) == pytest.approx(law.loglik(twice), rel=1e-13)
    np.testing.assert_allclose(law.score(x, weights), law.score(twice), rtol=1e-10)
    with pytest.raises(ValueError, match="weights: found 2; expected 5"):
        law.loglik(x, [1.0, 1.0])
    with pytest.raises(ValueError, match=r"areas: found 1 of 3 outside the support \[0, inf\]"):
        law.loglik([1.0, 2.0, -3.0])


@pytest.mark.parametrize("case", families)
def test_laws_vmap_and_differentiate_under_jit(case):
    frozen = LAWS[case]
    law, theta = frozen.law, np.array(frozen.theta)
    x = central(frozen, 7)
    step = np.array([1.0, 1.01, 0.99])[:, None] * np.ones(law.k)

    @in_float64
    def run():
        many = jnp.asarray(theta * step)
        density = jax.jit(jax.vmap(lambda th: log_density(law, x, th, frozen.lower, frozen.upper)))(
            many
        )

        def quantile(th):
            return jnp.log(law.inverse_mass(0.3, frozen.lower, frozen.upper, th))

        one = jax.jit(jax.value_and_grad(quantile))(jnp.asarray(theta))
        back = jax.vmap(lambda th: law.constrain(law.unconstrain(th)))(many)
        jacobian = jax.jacobian(law.constrain)(law.unconstrain(jnp.asarray(theta)))
        return density, one, back, jacobian

    density, (value, slope), back, jacobian = run()
    assert density.shape == (3, 7)
    np.testing.assert_allclose(density[0], frozen.logpdf(x), rtol=1e-12)
    assert value == pytest.approx(float(np.log(frozen.ppf(0.3))), rel=1e-12)
    numeric = [
        finite_difference(frozen, i, lambda other: np.log(other.ppf(0.3))) for i in range(law.k)
    ]
    scale = scales(frozen)
    np.testing.assert_allclose(slope * scale, numeric * scale, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(back, theta * step, rtol=1e-9, atol=1e-12)
    assert np.isfinite(jacobian).all()
    assert np.linalg.matrix_rank(jacobian / np.abs(jacobian).max(axis=1)[:, None]) == law.k


@pytest.mark.parametrize("case", names)
def test_laws_compute_in_float64_beside_a_float32_process(case):
    law = LAWS[case]
    x = central(law, 4).astype(np.float32)
    for value in (law.pdf(x), law.cdf(x), law.ppf(np.float32(0.5)), law.score(x.astype(float))):
        assert np.asarray(value).dtype == np.float64
    assert jnp.asarray(1.0).dtype == jnp.float32
    name = law.law
    single = name.log_kernel(jnp.asarray(x), jnp.asarray(law.theta, dtype=jnp.float32))
    assert single.dtype == jnp.float32
    mass = name.log_mass(jnp.float32(x[0]), jnp.float32(x[1]), jnp.asarray(law.theta))
    assert mass.dtype == jnp.float32


@pytest.mark.parametrize(
    ("name", "theta"),
    [
        ("dps", [1.4, 2.3, 800.0]),
        ("dps_extended", [1.4, -0.6, 800.0]),
        ("ig", [1.4, 1280.0, -132.0]),
        ("power", [0.7]),
        ("lognormal", [7.0, 1.2]),
        ("gpd", [800.0, -0.2]),
        ("egpd", [2.3, 800.0, 0.7]),
    ],
)
def test_unconstrained_scale_reaches_all_of_the_domain(name, theta):
    law = law_named(name)
    forward, back = in_float64(law.constrain), in_float64(law.unconstrain)
    np.testing.assert_allclose(forward(back(np.array(theta))), theta, rtol=1e-12)
    rng = np.random.default_rng(5)
    for z in rng.normal(0.0, 1.5, (20, law.k)):
        found = forward(z)
        for parameter, value in zip(law.parameters, found, strict=True):
            assert parameter.lower < value < parameter.upper
        assert law.refusal(found) is None
        np.testing.assert_allclose(back(found), z, rtol=1e-6, atol=1e-6)
