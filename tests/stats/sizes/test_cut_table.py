"""Tests of the table of fits against the cut."""

import numpy as np
import pytest

from stats.sizes.cut_table import cut_table, default_cuts
from stats.sizes.recording import Recording
from stats.sizes.simulation import simulate


def test_alpha_stays_while_the_rollover_is_lost_above_it():
    """Double Pareto with its rollover at 516 m2: below it identified, above it not."""
    record = Recording(lower_m2=100.0)
    areas = simulate("dps", [1.4, 2.3, 800.0], 6000, record, rng=np.random.default_rng(6))[0]
    ticks = []
    low, high = cut_table(areas, recording=record, cuts_m2=[100.0, 1500.0], progress=ticks.append)
    assert ticks == [1, 1]
    assert low.n == 6000
    assert high.n == (areas >= 1500.0).sum()
    assert list(low.estimates)[:5] == ["alpha", "pdf_slope", "beta", "t", "rollover_m2"]
    assert low.estimates["alpha"].low < 1.4 < low.estimates["alpha"].high
    assert low.estimates["rollover_m2"].identified
    assert low.estimates["rollover_m2"].low < 516.0 < low.estimates["rollover_m2"].high
    assert high.estimates["alpha"].low < 1.4 < high.estimates["alpha"].high
    assert not high.estimates["rollover_m2"].identified
    row = low.record()
    assert row["alpha"] == low.estimates["alpha"].value
    assert row["rollover_m2_identified"] is True
    assert row["pdf_slope"] == pytest.approx(-row["alpha"] - 1.0)
    assert high.record()["rollover_m2_reason"] != ""


def test_cuts_that_leave_too_little_say_so():
    areas = simulate("power", [1.4], 100, Recording(lower_m2=300.0), rng=np.random.default_rng(0))[
        0
    ]
    record = Recording(lower_m2=300.0, upper_m2=1e7)
    rows = cut_table(areas, "power", record, cuts_m2=[300.0, 1e5, 2e7], minimum=20, intervals=None)
    assert rows[0].fit is not None
    assert "at least 20 are needed" in rows[1].reason
    assert "upper limit" in rows[2].reason
    assert rows[1].estimates == {}
    assert rows[1].record()["converged"] is None
    same = np.r_[np.full(40, 500.0), np.full(40, 600.0), areas[areas > 700.0][:1]]
    few = cut_table(same, "power", Recording(lower_m2=500.0), cuts_m2=[550.0], intervals=None)
    assert few[0].reason == "fewer than 3 different areas"


def test_default_cuts_follow_limit_pixels_or_quantiles():
    areas = np.geomspace(100.0, 1e5, 300)
    with_limit = default_cuts(areas, Recording(lower_m2=100.0))
    assert with_limit[0] == 100.0
    assert all((areas >= cut).sum() >= 30 for cut in with_limit)
    pixels = default_cuts(areas, Recording(lower_m2=110.0, pixel_m2=25.0))
    assert np.all(pixels % 25.0 == 0.0)
    assert pixels[0] == 125.0
    without = default_cuts(areas, Recording())
    assert without[0] == 0.0
    assert without.size > 4


def test_bad_cuts_are_named():
    areas = np.geomspace(300.0, 1e5, 100)
    with pytest.raises(ValueError, match="none below the recording's lower limit"):
        cut_table(areas, "power", Recording(lower_m2=300.0), cuts_m2=[100.0])
    with pytest.raises(ValueError, match="no cut leaves at least 30"):
        cut_table(areas[:20], "power", Recording(lower_m2=300.0))
    with pytest.raises(ValueError, match="not finite"):
        cut_table(areas, "power", Recording(lower_m2=300.0), cuts_m2=[np.nan])
