"""Predictors of a cube at the cells of forecasts: by the written layout, refused when foreign."""

import numpy as np
import pytest
import zarr

from stats.command.errors import DataError
from stats.command.predictors_read import predictors_of

ROWS, COLUMNS, EPOCHS, SIDE = 6, 8, 3, 2
X, Y = np.arange(COLUMNS) * 1e3 + 500.0, np.arange(ROWS)[::-1] * 1e3 + 500.0


@pytest.fixture
def cube(tmp_path):
    rng = np.random.default_rng(0)
    root = zarr.open_group(tmp_path / "cube.zarr", mode="w", zarr_format=3)
    root.attrs.update({"layout": "hazard-cube", "layout_version": 1})

    def put(group, name, values, **attrs):
        array = group.create_array(name, shape=values.shape, dtype=values.dtype)
        array[...] = values
        array.attrs.update(attrs)

    put(root, "x", X)
    put(root, "y", Y)
    density = rng.gamma(1.0, 1.0, (EPOCHS, ROWS, COLUMNS)).astype(np.float32)
    observed = np.ones(density.shape, dtype=bool)
    observed[1, 0, 0] = False
    density[1, 0, 0] = np.nan
    put(root, "area_density", density)
    put(root, "observed", observed)
    pixels = root.create_group("pixels")
    slope = rng.random((ROWS * SIDE, COLUMNS * SIDE)).astype(np.float32)
    rock = np.repeat(np.repeat(np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 2, 2, 0), 2, 1)
    put(pixels, "slope_deg", slope, long_name="slope, of the terrain")
    put(pixels, "rock", rock.astype(np.int16))
    put(pixels, "filled", np.zeros(slope.shape, dtype=np.uint8))
    put(pixels, "flat", np.ones(slope.shape, dtype=np.float32))
    triggers = root.create_group("triggers")
    put(triggers, "x", np.array([2000.0, 6000.0]))
    put(triggers, "y", np.array([4000.0, 1000.0]))
    rain = np.arange(EPOCHS * 4, dtype=np.float32).reshape(EPOCHS, 2, 2)
    put(triggers, "rain", rain, long_name="maximum daily rainfall in the epoch")
    put(triggers, "rain_flag", np.ones((EPOCHS, 2, 2), dtype=np.uint8))
    put(triggers, "monsoons", np.arange(EPOCHS))
    return tmp_path, density, observed, slope


def cases():
    where = np.zeros((EPOCHS, ROWS, COLUMNS), dtype=bool)
    where[2] = True
    where[2, 3, :2] = False
    return where


def test_pixels_are_averaged_and_triggers_are_those_around_the_centre(cube):
    run, density, _, slope = cube
    where = cases()
    found = predictors_of(run, where, X, Y)
    assert set(found) == {"slope", "rock", "maximum daily rainfall in the epoch",
                          "earlier area density"}  # fmt: skip
    mean = slope.reshape(ROWS, SIDE, COLUMNS, SIDE).mean(axis=(1, 3))
    assert found["slope"] == pytest.approx(mean[where[2]], rel=1e-6)
    assert found["rock"].dtype.kind == "i"
    assert np.array_equal(found["rock"], (np.arange(ROWS * COLUMNS) % 2)[where[2].ravel()])
    # Rows are from north to south: the northern half lies in the first row of trigger cells.
    rain = found["maximum daily rainfall in the epoch"]
    full = np.full((ROWS, COLUMNS), np.nan)
    full[where[2]] = rain
    assert full[0, 0] == 8.0
    assert full[0, -1] == 9.0
    assert full[-1, 0] == 10.0
    past = np.full((ROWS, COLUMNS), np.nan)
    past[where[2]] = found["earlier area density"]
    assert past[0, 0] == pytest.approx(density[0, 0, 0], rel=1e-6)
    assert past[0, 1] == pytest.approx(density[:2, 0, 1].mean(), rel=1e-6)


def test_the_epoch_that_is_forecast_is_not_its_own_past(cube):
    run, density, _, _ = cube
    root = zarr.open_group(run / "cube.zarr", mode="r+")
    before = predictors_of(run, cases(), X, Y)["earlier area density"]
    root["area_density"][2] = density[2] + 5.0
    assert np.array_equal(predictors_of(run, cases(), X, Y)["earlier area density"], before)


def test_first_epochs_have_no_past_and_say_nothing_of_one(cube):
    where = cases()
    where[0] = True
    assert "earlier area density" not in predictors_of(cube[0], where, X, Y)


def test_no_cube_is_no_predictors_and_a_foreign_one_is_refused(cube, tmp_path):
    run = cube[0]
    assert predictors_of(tmp_path / "empty", cases(), X, Y) == {}
    with pytest.raises(DataError, match="other cells along x"):
        predictors_of(run, cases(), X + 500.0, Y)
    root = zarr.open_group(run / "cube.zarr", mode="r+")
    root["pixels"]["slope_deg"][:2, :2] = np.nan
    with pytest.raises(DataError, match="slope without a value in 1 cells"):
        predictors_of(run, cases(), X, Y)
    root.attrs["layout_version"] = 9
    with pytest.raises(DataError, match="version 9"):
        predictors_of(run, cases(), X, Y)
