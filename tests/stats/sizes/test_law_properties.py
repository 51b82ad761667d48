"""What holds for every size law at every parameter: order, inversion, additivity, far tails."""

import functools
import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.precision import in_float64
from stats.sizes.distribution import SizeLaw, size_law
from tests.stats.sizes.law_cases import LAWS, names

EXPONENT, SHAPE, SCALE = st.floats(0.3, 5.0), st.floats(0.2, 20.0), st.floats(5.0, 5e4)
ENDS = st.sampled_from([(0.0, math.inf), (50.0, math.inf), (50.0, 1e6), (0.0, 1e5)])
CUTS = st.sampled_from([(20.0, math.inf), (300.0, math.inf), (300.0, 1e6), (300.0, 330.0)])


def law(name: str, ends: tuple[float, float], **values: float) -> SizeLaw:
    return size_law(name, **values, lower=ends[0], upper=ends[1])


ANY_LAW = st.one_of(
    st.builds(lambda a, b, t, e: law("dps", e, alpha=a, beta=b, t=t), EXPONENT, SHAPE, SCALE, ENDS),
    st.builds(
        lambda a, r, t, e: law("dps_extended", e, alpha=a, beta=a * r, t=t),
        EXPONENT,
        st.one_of(st.floats(-1.0, 3.0), st.sampled_from([-1.0, 0.0, 1e-13, -1e-7])),
        SCALE,
        CUTS,
    ),
    st.builds(
        lambda r, a, s, e: law("ig", e, rho=r, a=a, s=-s),
        EXPONENT,
        SCALE,
        st.floats(0.01, 500),
        ENDS,
    ),
    st.builds(lambda a, e: law("power", e, alpha=a), EXPONENT, CUTS),
    st.builds(
        lambda m, s, e: law("lognormal", e, mu=m, sigma=s),
        st.floats(2.0, 10.0),
        st.floats(0.3, 4.0),
        ENDS,
    ),
    st.builds(lambda s, x, e: law("gpd", e, sigma=s, xi=x), SCALE, st.floats(0.0, 2.0), ENDS),
    st.builds(
        lambda k, s, x, e: law("egpd", e, kappa=k, sigma=s, xi=x),
        SHAPE,
        SCALE,
        st.floats(0.0, 2.0),
        ENDS,
    ),
)
SHARES = st.lists(st.floats(1e-9, 1.0 - 1e-9), min_size=2, max_size=8, unique=True)


@settings(max_examples=60)
@given(law=ANY_LAW, shares=SHARES)
def test_distribution_function_rises_and_its_quantile_inverts_it(law, shares):
    u = np.sort(shares)
    x = law.ppf(u)
    low, high = law.support()
    assert (np.diff(x) >= 0.0).all()
    assert ((x >= low) & (x <= high)).all()
    below, above = law.cdf(x), law.sf(x)
    # Two areas may differ by less than the rounding of their probabilities.
    assert (np.diff(below) >= -1e-14).all()
    assert (np.diff(above) <= 1e-14).all()
    np.testing.assert_allclose(below + above, 1.0, rtol=1e-12)
    # An area carries its own rounding, x f(x) times 1e-14 in probability.
    assert (np.abs(below - u) <= 1e-11 * u + 1e-14 * (x * law.pdf(x) + 1.0)).all()
    y = law.isf(u)
    assert (np.abs(law.sf(y) - u) <= 1e-11 * u + 1e-14 * (y * law.pdf(y) + 1.0)).all()


@functools.partial(jax.jit, static_argnums=0)
def _log_masses(law, a, b, theta):
    return law.log_mass(a, b, theta)


@in_float64
def log_masses(law: SizeLaw, edges: np.ndarray) -> np.ndarray:
    """Log mass of each interval, as a share of the whole; padded to one compiled length."""
    theta = np.array(law.theta)
    room = 12 - edges.size
    a = np.concatenate([edges[:-1], np.full(room, edges[-2])])
    b = np.concatenate([edges[1:], np.full(room, edges[-1])])
    parts = np.asarray(_log_masses(law.law, a, b, theta))[: edges.size - 1]
    whole = np.asarray(_log_masses(law.law, np.full(11, law.lower), np.full(11, law.upper), theta))
    return parts - whole[0]


@settings(max_examples=60)
@given(law=ANY_LAW, shares=SHARES, width=st.floats(1e-3, 3.0))
def test_mass_adds_up_over_adjacent_intervals(law, shares, width):
    inner = law.ppf(np.sort(shares))
    edges = [law.lower]
    for edge in (*inner, law.support()[1]):
        if edge > edges[-1] * (1.0 + 1e-13):
            edges.append(float(edge))
    parts = np.exp(log_masses(law, np.array(edges)))
    assert math.fsum(parts) == pytest.approx(1.0, abs=1e-11)
    # A narrow interval is density times width, with relative precision.
    middle = float(law.ppf(0.5))
    end = middle * (1.0 + 1e-7 * width)
    if end < law.support()[1]:
        narrow = log_masses(law, np.array([middle, end]))[0]
        density = float(law.logpdf(math.sqrt(middle * end)))
        assert narrow == pytest.approx(density + math.log(end - middle), abs=1e-8)


def log_error(law: SizeLaw, x: float, q: float) -> float:
    """What rounding of x (1e-14 of it) does to ln q next to a finite end, and 1e-10 of ln q."""
    # The inverse gamma law counts areas from its shift.
    offset = -law.theta[2] if law.law.name == "ig" else 0.0
    return 1e-14 * (x + offset) * float(law.pdf(x)) / q - 1e-10 * math.log(q)


@pytest.mark.parametrize("case", names)
@pytest.mark.parametrize("q", [1e-12, 1e-100, 1e-280])
def test_far_tails_keep_their_digits(case, q):
    law = LAWS[case]
    low, high = law.support()
    right, left = float(law.isf(q)), float(law.ppf(q))
    if right < high:
        assert abs(float(law.logsf(right)) - math.log(q)) < log_error(law, right, q)
    if left > max(low, 1e-280):
        assert abs(float(law.logcdf(left)) - math.log(q)) < log_error(law, left, q)
