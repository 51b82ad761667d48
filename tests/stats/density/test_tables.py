"""Tables of epochs: figures by hand, intervals that cover, differences."""

import numpy as np
import pytest

from stats.density.tables import density_differences, density_table


def table(areas, **other):
    settings = {
        "epochs": [f"epoch {i}" for i in range(len(areas))], "days": [365.25] * len(areas),
        "study_km2": 10.0, "rng": np.random.default_rng(0),
    } | other  # fmt: skip
    return density_table(areas, **settings)


def test_figures_by_hand():
    row = table([[1000.0, 3000.0]], days=[730.5])[0]
    assert (row.n, row.total_m2, row.minimum_m2, row.maximum_m2, row.mean_m2) == (
        2, 4000.0, 1000.0, 3000.0, 2000.0,
    )  # fmt: skip
    assert row.per_km2 == pytest.approx(0.2)
    assert row.per_km2_year == pytest.approx(0.1)
    assert row.area_percent == pytest.approx(0.04)
    assert row.area_percent_year == pytest.approx(0.02)


def test_intervals_cover_a_compound_poisson_process():
    # 600 epochs of a mean of 200 lognormal landslides: binomial standard error 0.009. The interval
    # of the area is one for many landslides: with a mean of 40 it covers 0.91.
    rng = np.random.default_rng(1)
    areas = [rng.lognormal(6.0, 0.8, rng.poisson(200)) for _ in range(600)]
    rows = table(areas)
    number = [r.per_km2_low <= 20.0 <= r.per_km2_high for r in rows]
    mean = 200 * np.exp(6.0 + 0.32) / 1e7 * 100
    area = [r.area_percent_low <= mean <= r.area_percent_high for r in rows]
    assert 0.93 <= np.mean(number) <= 0.98
    assert 0.92 <= np.mean(area) <= 0.97


def test_an_empty_epoch_has_a_bound_on_its_number_and_none_on_its_area():
    row = table([[]])[0]
    assert row.n == 0
    assert row.per_km2_high == pytest.approx(0.3689, abs=1e-4)
    assert row.area_percent_high == np.inf
    assert np.isnan(row.mean_m2)


def test_differences_are_predicted_minus_reference():
    first, second = table([[100.0, 200.0], [50.0]]), table([[400.0], []])
    found = density_differences(first, second)
    assert [d.n for d in found] == [1, 1]
    assert found[0].total_m2 == -100.0
    assert found[0].n_ratio == 2.0
    assert np.isnan(found[1].total_ratio)
    with pytest.raises(ValueError, match="same epochs"):
        density_differences(first, second[:1])


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="as many of each"):
        table([[1.0]], days=[1.0, 2.0])
    with pytest.raises(ValueError, match="above 0"):
        table([[1.0]], days=[0.0])
