"""Coverage and width by stratum: the fault of a forecast apart from what closing implies."""

import numpy as np
import pytest

from stats.aggregate import sum_by
from stats.calibration.coverage import coverage_rows, coverage_sums, coverage_terms, strata_of
from stats.laws.hurdle import hurdle_lognormal

N = 20_000


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(60)
    law = hurdle_lognormal(rng.beta(1, 5, N), rng.normal(0, 1, N), rng.uniform(0.5, 1.5, N))
    return law, law.sample(rng)


def test_right_forecast_has_no_fault_and_closed_intervals_cover_more(world):
    law, y = world
    epoch = np.arange(N) % 3
    for row in coverage_rows(coverage_sums(law, y, {"epoch": epoch})):
        error = 4.0 * np.sqrt(0.25 / row.n)
        assert abs(row.fault) < error
        assert row.exact == pytest.approx(row.level, abs=error)
        assert row.closed_excess > 0.02
        assert row.covered + row.below + row.above == pytest.approx(1.0)
        assert row.labels["epoch"] in (0, 1, 2)
    # At 50 percent most intervals are [0, 0]: the closed ones hold nearly all zeros.
    half = next(r for r in coverage_rows(coverage_sums(law, y, {}, levels=[0.5])))
    assert half.closed_excess > 0.3


def test_narrow_law_is_a_fault_on_positive_cells_in_every_stratum(world):
    law, y = world
    told = hurdle_lognormal(law.probability, law.positive.mu, 0.5 * law.positive.sigma)
    positive = y > 0.0
    given, seen = told.positive.take(positive), y[positive]
    stratum = strata_of(told.mean()[positive], 5)
    rows = coverage_rows(coverage_sums(given, seen, {"decile": stratum}, levels=[0.8]))
    assert len(rows) == 5
    for row in rows:
        # A law without atoms is covered exactly as its closed interval implies.
        assert row.implied == pytest.approx(0.8, abs=1e-9)
        assert row.exact == pytest.approx(row.covered, abs=1e-9)
        assert row.fault < -0.2
    widths = [row.width for row in coverage_rows(coverage_sums(given, seen, {}))]
    assert widths == sorted(widths)


def test_sums_of_chunks_are_the_sums_of_all(world):
    law, y = world
    half = np.arange(N) < N // 3
    parts = [coverage_sums(law.take(w), y[w], {"epoch": 1}, levels=[0.8]) for w in (half, ~half)]
    whole = coverage_sums(law, y, {"epoch": 1}, levels=[0.8])
    np.testing.assert_allclose((parts[0] + parts[1]).total, whole.total)
    terms = coverage_terms(law, y, level=0.8)
    expected = sum_by(terms, {"epoch": 1, "level": 0.8})
    np.testing.assert_allclose(whole.total, expected.total)


def test_zero_forecast_is_covered_where_nothing_happens():
    zero = hurdle_lognormal(np.zeros(2), np.zeros(2), np.ones(2))
    terms = coverage_terms(zero, [0.0, 3.0], level=0.8)
    np.testing.assert_array_equal(terms["covered"], [1.0, 0.0])
    np.testing.assert_array_equal(terms["width"], [0.0, 0.0])
    np.testing.assert_array_equal(terms["implied"], [1.0, 1.0])
    np.testing.assert_allclose(terms["exact"], [0.8, 0.0])
    with pytest.raises(ValueError, match="level: found 1"):
        coverage_terms(zero, [0.0, 3.0], level=1.0)


def test_strata_are_of_even_size_and_keep_ties_together():
    rng = np.random.default_rng(61)
    v = rng.gamma(1.0, size=1000)
    assert np.bincount(strata_of(v, 10)).tolist() == [100] * 10
    tied = strata_of(np.repeat([0.0, 1.0], [900, 100]), 10)
    assert np.unique(tied[:900]).size == 1
    assert tied[0] < tied[-1]
