"""Samples of the default network: every cell has its own pixels, its own record, its own place."""

import numpy as np
import pytest

from hazard.cube.cube_batches import batches_of_cube, patches_of_cube
from hazard.estimate.network_source import BandNames, PatchTables, climatological, patch_source
from tests.hazard.small_cube import FACTOR, GRID, write_small_cube

N, HALO, PIXEL_HALO = 8, 3, 1


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return write_small_cube(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def batches(cube):
    return batches_of_cube(cube, index=patches_of_cube(cube, n=N, shift=N // 2))


@pytest.fixture(scope="module")
def gathered(batches):
    tables = PatchTables.of(batches, halo=HALO, pixel_halo=PIXEL_HALO)
    source = patch_source(
        batches, tables, BandNames.of(batches), epochs=range(4), weight=batches.weight
    )
    batch = source.gather(source.arrays, np.arange(source.size))
    return {name: np.asarray(value) for name, value in batch.items()}


def places(batches, halo):
    """(patch, m, m) rows and columns of the grid."""
    side = np.arange(-halo, N + halo)
    rows = batches.patch_corner[:, 0, None] + side
    cols = batches.patch_corner[:, 1, None] + side
    return np.broadcast_arrays(rows[:, :, None], cols[:, None, :])


def on_grid(values, rows, cols):
    """Values of the (y, x) grid at places, zero beyond it."""
    inside = (rows >= 0) & (rows < GRID.shape[0]) & (cols >= 0) & (cols < GRID.shape[1])
    found = values[np.where(inside, rows, 0), np.where(inside, cols, 0)]
    return np.where(inside, found, 0)


def test_targets_lie_in_their_cells(batches, gathered):
    rows, cols = places(batches, 0)
    density = batches.to_grid(batches.area_density, fill=0.0)
    for epoch in range(4):
        assert np.array_equal(gathered["density"][:, epoch], on_grid(density[epoch], rows, cols))


def test_the_surroundings_are_those_of_the_grid(batches, gathered):
    rows, cols = places(batches, HALO)
    mapped = batches.to_grid(np.ones(batches.n_cells, np.float32), fill=0.0)
    assert np.array_equal(gathered["valid"], on_grid(mapped, rows, cols))


def test_the_record_of_a_cell_is_its_own_and_zero_without_one(batches, gathered):
    rows, cols = places(batches, 0)
    column = [n for n in batches.changing_names if n.startswith("past_")].index("past_mean")
    whole = batches.to_grid(
        batches.changing[..., batches.changing_names.index("past_mean")], fill=0.0
    )
    for epoch in range(4):
        expected = on_grid(whole[epoch], rows, cols)
        assert np.array_equal(gathered["past"][:, epoch, ..., column], expected)
    assert whole[1:].any()
    names = BandNames.of(batches, leave_out=("past_epochs",))
    tables = PatchTables.of(batches, halo=HALO, pixel_halo=PIXEL_HALO)
    source = patch_source(batches, tables, names, epochs=range(4), weight=batches.weight)
    assert not np.asarray(source.arrays["past"])[0].any()


def test_terrain_is_forecast_in_epochs_with_cells_without_a_record_alone(batches):
    names = BandNames.of(batches, leave_out=("past_epochs",))
    tables = PatchTables.of(batches, halo=HALO, pixel_halo=PIXEL_HALO)
    # The second epoch of the study misses some cells in the first.
    for epochs, expected in ((range(4), [0, 1]), ((2, 0), [1]), ((2, 3), [0])):
        source = patch_source(batches, tables, names, epochs=epochs, weight=batches.weight)
        assert np.asarray(source.arrays["fresh"]).tolist() == expected
        assert source.arrays["epochs"].shape[0] == len(expected)
    bare = BandNames.of(batches, past=False)
    source = patch_source(batches, tables, bare, epochs=range(4), weight=batches.weight)
    assert source.arrays["epochs"].shape[0] == 4


def test_every_cell_has_its_own_pixels(cube, batches, gathered):
    slope = cube.pixels["slope_deg"].values
    scaling = batches.standardisation.scaling("slope_deg")
    scaled = (slope - scaling.mean) / scaling.sd
    band = batches.pixel_names.index("slope_deg")
    rows, cols = places(batches, PIXEL_HALO)
    mapped = batches.to_grid(np.ones(batches.n_cells, np.float32), fill=0.0)
    for down in range(FACTOR):
        for across in range(FACTOR):
            pixel = (scaled[down::FACTOR, across::FACTOR] * mapped).astype(np.float32)
            found = gathered["pixels"][:, down::FACTOR, across::FACTOR, band]
            assert found == pytest.approx(on_grid(pixel, rows, cols), abs=1e-5)


def test_what_does_not_count_is_not_on_the_device(batches):
    weight = batches.weight.copy()
    weight[:, ::2] = 0
    tables = PatchTables.of(batches, halo=HALO, pixel_halo=PIXEL_HALO)
    source = patch_source(batches, tables, BandNames.of(batches), epochs=range(4), weight=weight)
    for name in ("density", "presence", "weight"):
        assert not np.asarray(source.arrays[name])[:, ::2].any()


def test_bands_that_a_fold_lacks_are_zero_and_the_others_stay_in_place(batches):
    names = BandNames.of(batches, leave_out=("season",))
    assert not [n for n in names.epochs if n.startswith("season")]
    wanted = BandNames(
        pixels=names.pixels, static=names.static, epochs=("season=99", *names.epochs),
        past=names.past,
    )  # fmt: skip
    tables = PatchTables.of(batches, halo=0, pixel_halo=0)
    source = patch_source(batches, tables, wanted, epochs=(2,), weight=batches.weight)
    found = np.asarray(source.arrays["epochs"])
    assert not found[..., 0].any()
    first = batches.changing_names.index(names.epochs[0])
    assert np.array_equal(found[0, :, 1], batches.changing[2, :, first])


def test_climatological_rain_is_the_mean_of_other_epochs_of_the_season(batches):
    seasons = ["coseismic", "post", "pre", "post"]
    train = np.zeros(batches.weight.shape, bool)
    train[:3, :-1] = True
    found = climatological(batches, train=train, seasons=seasons)
    band = batches.changing_names.index("rain_max_mm_day")
    rain = batches.changing[..., band]
    assert np.array_equal(found[3, :, band], rain[1])
    assert found[1, :, band] == pytest.approx(rain[[0, 2]].mean(axis=0))
    other = [i for i, n in enumerate(batches.changing_names) if not n.startswith("rain_")]
    assert np.array_equal(found[..., other], batches.changing[..., other])
