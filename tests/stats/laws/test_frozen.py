"""One distribution for all cases: size laws and SciPy's, against the laws per case and CRPS."""

import numpy as np
import pytest
from scipy import stats

from stats.case_arrays import UndefinedScoreError
from stats.laws.double_pareto import DoublePareto
from stats.laws.frozen import SameForAll
from stats.laws.hurdle import Hurdle
from stats.laws.inverse_gamma import InverseGamma
from stats.scores.crps import crps_terms, threshold_crps_terms
from stats.scores.law_terms import law_terms
from stats.sizes.crps import crps_dps, crps_quadrature
from stats.sizes.distribution import size_law
from tests.stats.laws.families import cases

AREAS = np.array([3.0, 120.0, 900.0, 5e4])


@pytest.mark.parametrize(("alpha", "beta"), [(1.4, 2.3), (0.8, 0.6), (1.0, 1.0), (2.6, 0.5)])
def test_double_pareto_scores_agree_with_those_of_the_size_laws(alpha, beta):
    # Two derivations and two quadratures, made apart.
    expected = crps_dps(AREAS, alpha, beta, 800.0)
    law = DoublePareto(*(np.full(4, v) for v in (alpha, beta, 800.0)))
    np.testing.assert_allclose(crps_terms(law, AREAS), expected, rtol=2e-9)
    frozen = size_law("dps", alpha=alpha, beta=beta, t=800.0)
    np.testing.assert_allclose(crps_terms(SameForAll(frozen, (4,)), AREAS), expected, rtol=2e-9)
    cut = size_law("dps", alpha=alpha, beta=beta, t=800.0, upper=1e5)
    found = crps_terms(DoublePareto(*(np.full(4, v) for v in (alpha, beta, 800.0)), 1e5), AREAS)
    np.testing.assert_allclose(found, crps_quadrature(cut, AREAS), rtol=1e-7)
    np.testing.assert_allclose(crps_terms(SameForAll(cut, (4,)), AREAS), found, rtol=1e-9)


def test_inverse_gamma_with_a_shift_agrees_with_the_size_law():
    frozen = size_law("ig", rho=1.4, a=1280.0, s=-132.0)
    law = InverseGamma(np.full(4, 1.4), np.full(4, 1280.0), np.full(4, -132.0))
    expected = crps_quadrature(frozen, AREAS)
    np.testing.assert_allclose(crps_terms(law, AREAS), expected, rtol=1e-7)
    np.testing.assert_allclose(crps_terms(SameForAll(frozen, (4,)), AREAS), expected, rtol=1e-7)


def test_law_that_begins_above_zero_is_scored_by_quadrature_too():
    frozen = size_law("dps_extended", alpha=1.3, beta=-0.2, t=500.0, lower=100.0)
    law = SameForAll(frozen, (4,))
    expected = crps_quadrature(frozen, AREAS)
    np.testing.assert_allclose(crps_terms(law, AREAS), expected, rtol=1e-7)
    assert law.limited_mean(60.0) == pytest.approx(60.0)
    assert law.take([0, 1]).shape == (2,)


# Laws of SciPy itself that begin at 0 or above.
OF_SCIPY = [
    c for c in cases() if np.isinf(c.upper) and hasattr(c.reference, "isf")
    and c.reference.support()[0] >= 0.0
]  # fmt: skip


@pytest.mark.parametrize("case", OF_SCIPY, ids=lambda c: c.name)
def test_scipy_laws_say_what_the_laws_per_case_say(case):
    law = SameForAll(case.reference, (1,))
    for u in (0.05, 0.6, 0.999):
        x = case.law.quantile(u)
        np.testing.assert_allclose(law.quantile(u), x, rtol=1e-6)
        np.testing.assert_allclose(law.limited_mean(x), case.law.limited_mean(x), rtol=1e-8)
        found, whole = law.squared_survival(x), case.law.squared_survival()
        np.testing.assert_allclose(found, case.law.squared_survival(x), atol=1e-8 * whole[0])
    np.testing.assert_allclose(law.squared_survival(), case.law.squared_survival(), rtol=1e-7)


def test_it_stands_behind_a_hurdle_and_heavy_tails_are_refused():
    law = Hurdle(np.full(4, 0.3), SameForAll(stats.gamma(2.0, scale=3.0), (4,)))
    found = law_terms(law, [0.0, 1.0, 5.0, 20.0], thresholds=[4.0])
    assert not found.undefined
    assert all(np.isfinite(v).all() for v in found.terms.values())
    heavy = SameForAll(size_law("dps", alpha=0.5, beta=1.0, t=1.0), (1,))
    with pytest.raises(UndefinedScoreError, match="1 of 1 laws have a tail of index 1/2"):
        threshold_crps_terms(heavy, [1.0], threshold=0.0)
