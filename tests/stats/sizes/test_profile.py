"""Profile intervals against a brute search, open ends, stability over cuts, the ridge of Nepal."""

from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from stats.sizes.double_pareto import sample
from stats.sizes.fit import fit_sizes
from stats.sizes.profile_many import profile_many
from stats.sizes.recording import Recording
from tests.stats.sizes.real_areas import real_areas

AT_100 = Recording(lower_m2=100.0)
FALL = stats.chi2.ppf(0.95, 1) / 2.0


def log_likelihood(areas: np.ndarray, cut: float, alpha: float, beta: float, t: float) -> float:
    law = stats.burr(c=alpha, d=beta / alpha, scale=t)
    with np.errstate(all="ignore"):
        value = law.logpdf(areas).sum() - areas.size * np.log(law.sf(cut))
    return float(value) if np.isfinite(value) else -1e300


def profiled(areas: np.ndarray, cut: float, name: str, value: float) -> tuple[float, np.ndarray]:
    """Restricted maximum by a derivative-free search from several starts."""
    place = ("alpha", "beta", "t").index(name)

    def fall(p: np.ndarray) -> float:
        return -log_likelihood(areas, cut, *np.insert(np.exp(p), place, value))

    starts = np.delete([[1.4, 2.3, 800.0], [1.0, 1.0, 2500.0], [0.9, 15.0, 60.0]], place, axis=1)
    found = min(
        (
            optimize.minimize(
                fall,
                np.log(s),
                method="Nelder-Mead",
                options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000},
            )
            for s in starts
        ),
        key=lambda r: r.fun,
    )
    return -found.fun, np.insert(np.exp(found.x), place, value)


@pytest.mark.parametrize("name", ["alpha", "beta", "t"])
def test_ends_lie_where_the_likelihood_has_fallen_by_1_92(name: str) -> None:
    areas = sample(400, 1.4, 2.3, 800.0, rng=np.random.default_rng(4), lower=100.0)
    fit = fit_sizes(areas, "dps", AT_100, stability=False)
    for end in (fit.estimates[name].low, fit.estimates[name].high):
        there, _ = profiled(areas, 100.0, name, end)
        # The root is met to 0.001, the fall therefore to 0.002.
        assert fit.log_likelihood - there == pytest.approx(FALL, abs=5e-3)


def test_slope_is_minus_alpha_plus_one() -> None:
    areas = sample(400, 1.4, 2.3, 800.0, rng=np.random.default_rng(4), lower=100.0)
    found = fit_sizes(areas, "dps", AT_100, stability=False).estimates
    alpha, slope = found["alpha"], found["pdf_slope"]
    assert alpha.value is not None
    assert slope.value == pytest.approx(-(alpha.value + 1.0))
    assert slope.low == pytest.approx(-(alpha.high + 1.0), rel=1e-3)
    assert slope.high == pytest.approx(-(alpha.low + 1.0), rel=1e-3)


def test_a_higher_level_is_wider_and_delta_agrees_with_many_areas() -> None:
    areas = sample(4000, 1.4, 2.3, 800.0, rng=np.random.default_rng(5), lower=100.0)
    narrow, wide, delta = (
        fit_sizes(areas, "dps", AT_100, level=level, intervals=kind, stability=False).estimates
        for level, kind in ((0.8, "profile"), (0.95, "profile"), (0.95, "delta"))
    )
    for name in ("alpha", "beta", "t", "rollover_m2"):
        assert wide[name].low < narrow[name].low < narrow[name].high < wide[name].high
        np.testing.assert_allclose(
            [delta[name].low, delta[name].high], [wide[name].low, wide[name].high], rtol=0.05
        )


def test_many_profiles_are_the_profiles_of_each() -> None:
    areas = sample(3 * 500, 1.4, 2.3, 800.0, rng=np.random.default_rng(6), lower=100.0)
    for quantity in ("alpha", "rollover_m2"):
        together = profile_many(
            "dps", areas.reshape(3, 500), AT_100, (1.4, 2.3, 800.0), quantity=quantity
        )
        assert together.converged.all()
        for i, one in enumerate(areas.reshape(3, 500)):
            alone = fit_sizes(one, "dps", AT_100, stability=False).estimates[quantity]
            assert together.value[i] == pytest.approx(alone.value, rel=1e-4)
            assert together.low[i] == pytest.approx(alone.low, rel=5e-3)
            assert together.high[i] == pytest.approx(alone.high, rel=5e-3)


@pytest.mark.data
def test_the_ridge_of_nepal_2015(data_dir: Path) -> None:
    areas = real_areas(data_dir, "Nepal", 2015, 200.0)
    fit = fit_sizes(areas, "dps", Recording(lower_m2=200.0))
    # Along beta from 1 to infinity alpha runs from 1.10 to 0.82 while the likelihood barely falls.
    there, at = profiled(areas, 200.0, "beta", 1.0)
    assert at[0] == pytest.approx(1.10, abs=0.005)
    assert fit.log_likelihood - there == pytest.approx(0.687, abs=0.005)
    there, at = profiled(areas, 200.0, "beta", 1000.0)
    assert at[0] == pytest.approx(0.82, abs=0.005)
    assert fit.log_likelihood - there < 0.3
    # The interval of alpha itself is wider than that trace: its ends have fallen by 1.92.
    alpha = fit.estimates["alpha"]
    assert (alpha.low, alpha.high) == pytest.approx((0.704, 1.361), abs=2e-3)
    for end in (alpha.low, alpha.high):
        assert fit.log_likelihood - profiled(areas, 200.0, "alpha", end)[0] == pytest.approx(
            FALL, abs=0.01
        )
    assert fit.estimates["rollover_m2"].low == 0.0
    assert "open below" in fit.estimates["rollover_m2"].reason


@pytest.mark.data
def test_what_changes_over_cuts_is_not_identified(data_dir: Path) -> None:
    areas = real_areas(data_dir, "China", 2014, 250.0)
    fit = fit_sizes(areas, "dps_extended", Recording(lower_m2=250.0))
    assert fit.cuts is not None
    assert fit.cuts.lower_m2.tolist() == [312.5, 375.0, 500.0]
    beta = fit.estimates["beta"]
    assert np.isfinite([beta.low, beta.high]).all()
    assert not beta.identified
    assert beta.reason.startswith("not stable over cuts: from -0.305 to ")
    alone = fit_sizes(areas, "dps_extended", Recording(lower_m2=250.0), stability=False)
    assert alone.estimates["beta"].identified
