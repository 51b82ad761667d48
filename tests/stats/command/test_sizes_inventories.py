"""Every real inventory year is fitted; each quantity has an interval or the reason for none."""

import math
from pathlib import Path

import pytest

from stats.command.sizes_fit import fit_inventory
from stats.command.sizes_input import expand_sources, labels_of, read_areas
from stats.command.sizes_settings import SizesSettings
from stats.command.sizes_table import fit_records, summary_rows


@pytest.fixture(scope="module")
def results(data_dir):
    """The first law on all fifteen, without simulations."""
    folder = data_dir / "inventories"
    sources = expand_sources([str(folder / "China.zip"), str(folder / "Nepal.zip")])
    settings = SizesSettings(inventories=(), cuts=(), draws=0, out=Path("unused"))
    labels = labels_of(sources)
    return [
        fit_inventory(read_areas(source, label), settings)
        for source, label in zip(sources, labels, strict=True)
    ]


@pytest.mark.data
@pytest.mark.slow
def test_each_of_the_fifteen_is_identified_or_says_why_not(results):
    assert len(results) == 15
    assert {r.record.n for r in results} >= {12, 10_335}
    for result in results:
        fit = result.laws[0].fit
        assert fit is not None, result.laws[0].failure
        assert fit.converged, result.areas.label
        for name, estimate in fit.estimates.items():
            where = f"{result.areas.label}: {name}"
            if estimate.identified:
                assert estimate.value is not None, where
                assert estimate.low < estimate.value < estimate.high, where
                assert math.isfinite(estimate.low), where
                assert math.isfinite(estimate.high), where
            else:
                assert estimate.reason, where
            # A number at which the search stopped is no estimate.
            assert estimate.value is None or abs(estimate.value) < 1e9, where


@pytest.mark.data
@pytest.mark.slow
def test_the_known_ones_are_recorded_as_they_were_mapped(results):
    by_label = {r.areas.label: r for r in results}
    china, nepal = by_label["China 2009"], by_label["Nepal 2015"]
    assert china.record.pixel_m2 == 25.0
    assert china.record.slivers_m2[0] == pytest.approx(0.197, abs=0.001)
    assert nepal.record.n_fit == 97
    rollover = nepal.laws[0].fit.estimates["rollover_m2"]
    assert not rollover.identified
    alpha = nepal.laws[0].fit.estimates["alpha"]
    assert 0.6 < alpha.low < 0.95 < alpha.high < 1.7


@pytest.mark.data
@pytest.mark.slow
def test_their_records_are_plain_json_and_rows(results):
    import json

    records = fit_records(results)
    assert len(json.loads(json.dumps(records, allow_nan=False))) == 15
    assert len(summary_rows(results)) == 15
