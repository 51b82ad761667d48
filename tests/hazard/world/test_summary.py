"""The summary: known truths, and the table of the real series (needs the real inputs)."""

from pathlib import Path

import numpy as np
import pytest

from hazard.geo.raster import read_native
from hazard.world.observed import OBSERVED
from hazard.world.summary import east_west_correlation, moran_rook, summarise


def test_moran_agrees_with_esda_on_a_masked_map() -> None:
    from esda.moran import Moran
    from libpysal.weights import W

    rng = np.random.default_rng(0)
    values, valid = rng.random((12, 15)), rng.random((12, 15)) < 0.8
    cells = {tuple(c): k for k, c in enumerate(np.argwhere(valid))}
    neighbours = {
        k: [cells[n] for n in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)) if n in cells]
        for (r, c), k in cells.items()
    }
    w = W(neighbours, silence_warnings=True)
    expected = Moran(values[valid], w, transformation="B", permutations=0).I
    assert moran_rook(values, valid) == pytest.approx(expected, rel=1e-9)


def test_correlation_at_a_lag_finds_a_shifted_copy() -> None:
    rng = np.random.default_rng(0)
    base = rng.random((50, 60))
    doubled = np.concatenate([base, base], axis=1)
    assert east_west_correlation(doubled, np.ones(doubled.shape, bool), 60) == pytest.approx(1.0)


def test_conditional_rates_on_a_small_series() -> None:
    density = np.array([[[1.0, 1.0, 0.0, 0.0]], [[2.0, 0.0, 3.0, 0.0]]])
    wide = np.tile(density, (1, 3, 6))
    found = summarise(wide, np.ones((3, 24), bool))
    assert found.prevalence.tolist() == [0.5, 0.5]
    assert found.after_positive.tolist() == [0.5]
    assert found.after_negative.tolist() == [0.5]
    assert found.ever == 0.75
    assert found.association[0, 1] == pytest.approx(0.0)
    assert found.area_km2.tolist() == pytest.approx([0.36, 0.90])


@pytest.mark.data
def test_real_series_gives_the_table_that_the_world_is_held_to(data_dir: Path) -> None:
    path = data_dir / "gorkha" / "landslide_area_density_1km.tif"
    bands = [read_native(path, band=band) for band in range(1, 7)]
    mapped = np.asarray(bands[0].valid)
    found = summarise(np.stack([band.values for band in bands]).astype(float), mapped)
    assert mapped.sum() == 21_360
    for field in (
        "prevalence", "quantiles", "log_sd", "moran_presence", "moran_log_density",
        "autocorrelation", "after_positive", "after_negative", "log_correlation", "ever",
        "association",
    ):  # fmt: skip
        np.testing.assert_allclose(
            getattr(found, field), getattr(OBSERVED, field), atol=6e-4, rtol=1e-3, err_msg=field
        )
    np.testing.assert_allclose(found.area_km2, OBSERVED.area_km2, atol=0.05)
