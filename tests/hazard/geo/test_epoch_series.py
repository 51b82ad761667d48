"""The record of an epoch series: not observed is never zero; summaries, rates, thresholds."""

import datetime as dt

import numpy as np
import pytest
import shapely

from hazard.errors import DataError
from hazard.geo.epoch_series import NOT_OBSERVED, EpochSeries, observed_cells
from hazard.geo.epochs import Epoch
from hazard.geo.grid import Grid
from hazard.geo.raster_epochs import series_from_raster

GRID = Grid.from_bounds("EPSG:32645", (0, 0, 2000, 1000), cell_m=1000)
EPOCHS = (
    Epoch(name="a", start=dt.date(2015, 1, 1), end=dt.date(2016, 1, 1)),
    Epoch(name="b", start=dt.date(2016, 1, 1), end=dt.date(2016, 7, 1)),
)


def series(density, observed=None, **more):
    density = np.array(density, dtype=float).reshape(2, 1, 2)
    seen = ~np.isnan(density) if observed is None else np.array(observed).reshape(2, 1, 2)
    more = {"kind": "raster", **more}
    return EpochSeries(
        epochs=EPOCHS, grid=GRID, area_density_percent=density, observed=seen, **more
    )


def test_not_observed_is_not_zero():
    s = series([[0.0, np.nan], [0.5, 0.005]])
    assert s.presence().tolist() == [[[0, NOT_OBSERVED]], [[1, 1]]]
    assert s.presence(0.01).tolist() == [[[0, NOT_OBSERVED]], [[1, 0]]]
    assert np.isnan(s.area_m2[0, 0, 1])
    assert np.isnan(s.density_percent_per_year[0, 0, 1])
    table = s.summary()
    assert table["n_observed"].tolist() == [1, 2]
    assert table["prevalence"].tolist() == [0.0, 1.0]


def test_presence_at_a_threshold_includes_it():
    s = series([[0.5, 0.49], [0.0, 1e-12]])
    assert s.presence(0.5).tolist() == [[[1, 0]], [[0, 0]]]
    assert s.presence(0.0).tolist() == [[[1, 1]], [[0, 1]]]


def test_summary_by_hand():
    s = series([[1.0, 3.0], [0.0, 0.1]], recovered_percent=np.full((2, 1, 2), 0.5),
               counts=np.array([[[1, 2]], [[0, 1]]]))  # fmt: skip
    row = s.summary().iloc[0]
    assert row["total_area_km2"] == pytest.approx(0.04)
    assert row["area_km2_per_year"] == pytest.approx(0.04 / (365 / 365.25))
    assert row["recovered_area_km2"] == pytest.approx(0.01)
    assert row["q50_percent"] == pytest.approx(2.0)
    assert row["max_percent"] == pytest.approx(3.0)
    assert (row["n_positive"], row["n_landslides"]) == (2, 3)
    second = s.summary().iloc[1]
    assert second["area_km2_per_year"] == pytest.approx(0.001 / (182 / 365.25))
    assert (second["n_positive_ge_0.09"], second["n_positive_ge_0.5"]) == (1, 0)


def test_rates_use_the_window_where_it_is_longer():
    window = np.array([[[365.25, 365.25]], [[730.5, 182.625]]])
    s = series([[1.0, 1.0], [1.0, 1.0]], window_days=window)
    assert s.density_percent_per_year.ravel().tolist() == [1.0, 1.0, 0.5, 2.0]


def test_series_is_frozen_and_keeps_no_reference():
    density = np.zeros((2, 1, 2))
    s = series(density)
    density[0] = 7
    assert s.area_density_percent.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        s.area_density_percent[0] = 1


@pytest.mark.parametrize(
    ("density", "observed", "message"),
    [
        ([[0, np.nan], [0, 0]], [[True, True], [True, True]], "missing values exactly"),
        ([[0, 0], [0, 0]], [[True, False], [True, True]], "missing values exactly"),
        ([[0, -0.1], [0, 0]], None, "between 0 and 100"),
        ([[0, 100.1], [0, 0]], None, "between 0 and 100"),
    ],
)
def test_impossible_densities_are_refused(density, observed, message):
    with pytest.raises(DataError, match=message):
        series(density, observed)


def test_rounding_above_a_full_cell_is_taken_off():
    assert series([[0, 100.000001], [0, 0]]).area_density_percent.max() == 100.0


def test_wrong_shapes_are_refused():
    with pytest.raises(DataError, match="shape"):
        EpochSeries(
            epochs=EPOCHS, grid=GRID, kind="raster",
            area_density_percent=np.zeros((1, 1, 2)), observed=np.ones((1, 1, 2), bool),
        )  # fmt: skip


def test_nothing_observed_gives_empty_statistics():
    s = series(np.full((2, 1, 2), np.nan))
    assert s.summary()["n_observed"].tolist() == [0, 0]
    assert s.summary()["prevalence"].isna().all()


# Observed cells


def test_masks_and_footprints_say_what_was_seen():
    foot = [shapely.box(0, 0, 1000, 1000), shapely.box(1000, 0, 1980, 1000)]
    seen = observed_cells([foot, np.array([[False, True]])], GRID, 2)
    assert seen.tolist() == [[[True, False]], [[False, True]]]
    assert observed_cells([foot, None], GRID, 2, min_observed_share=0.98).all()
    assert observed_cells(None, GRID, 2).all()


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        ([None], "one per epoch"),
        ([None, np.ones((2, 2), bool)], "boolean mask"),
        ([None, np.ones((1, 2))], "boolean mask"),
    ],
)
def test_masks_that_do_not_fit_are_refused(observed, message):
    with pytest.raises(DataError, match=message):
        observed_cells(observed, GRID, 2)


# Ready rasters


def density_file(path, values, crs="EPSG:32645"):
    import rasterio
    from rasterio.transform import Affine

    values = np.asarray(values, dtype="float32")
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[1], width=values.shape[2],
        count=values.shape[0], dtype="float32", crs=crs, nodata=np.nan,
        transform=Affine(1000, 0, 0, 0, -1000, 1000),
    ) as out:  # fmt: skip
        out.write(values)
    return path


def test_raster_bands_are_epochs_and_nan_is_unmapped(tmp_path):
    path = density_file(tmp_path / "d.tif", [[[1, np.nan]], [[0, 2]]])
    s = series_from_raster(path, EPOCHS)
    assert s.observed.tolist() == [[[True, False]], [[True, True]]]
    assert s.area_density_percent[1].tolist() == [[0, 2]]
    masked = series_from_raster(path, EPOCHS, observed=[np.array([[False, True]]), None])
    assert not masked.observed[0].any()
    assert s.grid.same_as(GRID)


def test_raster_bands_can_be_chosen_and_averaged(tmp_path):
    path = density_file(tmp_path / "d.tif", [[[1, 3]], [[0, 2]], [[5, 7]]])
    s = series_from_raster(path, EPOCHS, bands=[3, 1])
    assert s.area_density_percent[0].tolist() == [[5, 7]]
    coarse = Grid.from_bounds("EPSG:32645", (0, -1000, 2000, 1000), cell_m=2000)
    average = series_from_raster(path, EPOCHS, coarse, bands=[3, 1])
    assert average.area_density_percent[:, 0, 0].tolist() == [6, 2]


def test_shares_in_place_of_percent_are_noted(tmp_path):
    path = density_file(tmp_path / "d.tif", [[[0.1, 0.3]], [[0, 0.02]]])
    assert any("in shares" in note for note in series_from_raster(path, EPOCHS).notes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[[1, 2]]], r"1 bands.*one per epoch \(2\)"),
        ([[[1, 101]], [[0, 0]]], "percent from 0 to 100"),
        ([[[1, -1]], [[0, 0]]], "percent from 0 to 100"),
        (np.full((2, 1, 2), np.nan), "no mapped cell"),
    ],
)
def test_rasters_that_are_no_densities_are_refused(tmp_path, values, message):
    path = density_file(tmp_path / "d.tif", values)
    with pytest.raises(DataError, match=message):
        series_from_raster(path, EPOCHS)


def test_missing_and_geographic_rasters_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no\.tif"):
        series_from_raster(tmp_path / "no.tif", EPOCHS)
    path = density_file(tmp_path / "geo.tif", np.zeros((2, 1, 2)), crs="EPSG:4326")
    with pytest.raises(DataError, match="metres"):
        series_from_raster(path, EPOCHS)


@pytest.mark.data
def test_gorkha_series_has_the_published_figures(data_dir):
    bounds = [dt.date(2015, 4, 25), dt.date(2015, 6, 10), dt.date(2015, 12, 20),
              dt.date(2016, 6, 1), dt.date(2016, 12, 15), dt.date(2017, 6, 1),
              dt.date(2017, 12, 10)]  # fmt: skip
    epochs = [
        Epoch(name=str(k), start=bounds[k], end=bounds[k + 1]) for k in range(len(bounds) - 1)
    ]
    path = data_dir / "gorkha" / "landslide_area_density_1km.tif"
    s = series_from_raster(path, epochs)
    table = s.summary()
    assert s.grid.shape == (196, 220)
    assert table["n_observed"].tolist() == [21_360] * 6
    assert table["n_positive"].tolist() == [4582, 3783, 3025, 2292, 4200, 1994]
    assert table["total_area_km2"].round(1).tolist() == [91.9, 45.7, 14.2, 11.1, 29.2, 11.4]
    below = 1 - table["n_positive_ge_0.09"] / table["n_positive"]
    assert below[2:].between(0.26, 0.345).all()
