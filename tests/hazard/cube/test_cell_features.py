"""Features of cells: each cell's own pixels, nothing lost, and no held-out target in training."""

import numpy as np
import pytest

from hazard.cube.cell_features import (
    STATISTICS,
    CellFeatures,
    CellTargets,
    cell_features,
    features_of_cube,
    targets_of_cube,
    with_past,
)
from hazard.cube.cube_batches import designs_of_cube
from hazard.cube.layout import NO_CLASS
from hazard.cube.predictors import Predictor
from hazard.errors import DataError
from stats.resampling.folds import BUFFER, TEST, TRAIN, VALIDATION
from tests.hazard.cube.test_cube_batches import cube, layers  # noqa: F401

ROWS, COLS, FACTOR, EPOCHS = 7, 9, 3, 4


@pytest.fixture
def study():
    rng = np.random.default_rng(1)
    mask = rng.random((ROWS, COLS)) < 0.8
    density = np.where(rng.random((EPOCHS, ROWS, COLS)) < 0.4, rng.gamma(1, 1, (4, 7, 9)), 0)
    predictors = [
        Predictor(name="slope_deg", unit="degree", support="pixel", factor=FACTOR,
                  values=rng.uniform(0, 60, (ROWS * FACTOR, COLS * FACTOR))),
        Predictor(name="zoning", unit="1", support="pixel", factor=FACTOR, is_class=True,
                  values=rng.choice([2, 5, NO_CLASS], (ROWS * FACTOR, COLS * FACTOR))),
        Predictor(name="steep", unit="degree", values=rng.uniform(0, 9, (ROWS, COLS))),
        Predictor(name="steep_censored", unit="1", values=rng.integers(0, 2, (ROWS, COLS)) * 1.0),
        Predictor(name="pga", unit="m s-2", support="trigger", factor=2,
                  values=rng.gamma(2, 1, (4, 5))),
        Predictor(name="rain", unit="mm", per_epoch=True, transform="log1p",
                  values=rng.gamma(2, 9, (EPOCHS, ROWS, COLS))),
        Predictor(name="season", unit="1", support="epoch", is_class=True,
                  values=np.array([1, 2, 3, 2])),
    ]  # fmt: skip
    targets = CellTargets(
        area_density=density[:, mask], observed=np.ones((EPOCHS, int(mask.sum())), dtype=bool)
    )
    return predictors, mask, density, targets


def test_every_cell_has_the_statistics_of_its_own_pixels(study):
    predictors, mask, _, _ = study
    features = cell_features(predictors, mask, EPOCHS, statistics=("mean", "sd", "p90", "max"))
    slope, zone = (predictors[i].values for i in (0, 1))
    for number, (row, col) in enumerate(np.argwhere(mask)):
        tile = np.s_[row * 3 : row * 3 + 3, col * 3 : col * 3 + 3]
        own = slope[tile]
        found = [features.column(f"slope_deg_{s}")[2, number] for s in ("mean", "sd", "p90", "max")]
        expected = [own.mean(), own.std(), np.quantile(own, 0.9), own.max()]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        np.testing.assert_allclose(
            features.column("zoning=5")[0, number], (zone[tile] == 5).mean(), rtol=1e-6
        )
        assert features.column("pga")[1, number] == pytest.approx(
            predictors[4].values[row // 2, col // 2], rel=1e-6
        )
    assert "zoning=-32768" not in features.names
    assert np.array_equal(features.to_grid(features.column("steep")[0])[mask],
                          predictors[2].values[mask].astype(np.float32))  # fmt: skip
    np.testing.assert_allclose(features.column("rain"), predictors[5].values[:, mask], rtol=1e-6)
    assert np.array_equal(features.column("season"), np.repeat([[1], [2], [3], [2]], mask.sum(), 1))


def test_columns_say_what_they_are(study):
    predictors, mask, _, targets = study
    features = with_past(cell_features(predictors, mask, EPOCHS), targets, windows=(3,))
    facts = {
        name: (unit, transform, changing, of_epoch, categorical)
        for name, unit, transform, changing, of_epoch, categorical in zip(
            features.names, features.units, features.transforms, features.changing,
            features.epoch_only, features.categorical, strict=True,
        )
    }  # fmt: skip
    assert facts["slope_deg_p10"] == ("degree", "identity", False, False, False)
    assert facts["zoning=2"] == ("1", "identity", False, False, False)
    assert facts["rain"] == ("mm", "log1p", True, False, False)
    assert facts["season"] == ("1", "identity", True, True, True)
    assert facts["past_mean_3x3"] == ("percent", "log1p", True, False, False)
    assert features.reach_cells == 1
    assert features.has_past


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_reading_by_rows_changes_nothing(study, rows):
    predictors, mask, _, _ = study
    whole = cell_features(predictors, mask, EPOCHS, rows_per_block=ROWS)
    parts = cell_features(predictors, mask, EPOCHS, rows_per_block=rows)
    assert whole.names == parts.names
    assert np.array_equal(whole.values, parts.values)


def test_past_records_are_those_of_earlier_epochs(study):
    predictors, mask, density, targets = study
    features = with_past(cell_features(predictors, mask, EPOCHS), targets, windows=(3,))
    present = (density > 0)[:, mask]
    np.testing.assert_allclose(features.column("past_last")[2], density[1, mask], rtol=1e-6)
    np.testing.assert_allclose(
        features.column("past_frequency")[3], present[:3].mean(axis=0), rtol=1e-6
    )
    assert not features.column("past_epochs")[0].any()


def test_no_held_out_target_reaches_a_training_input(study):
    predictors, mask, _, targets = study
    bare = cell_features(predictors, mask, EPOCHS)
    rng = np.random.default_rng(0)
    role = rng.choice(
        [TRAIN, VALIDATION, TEST, BUFFER], targets.area_density.shape, p=[0.5, 0.2, 0.2, 0.1]
    ).astype(np.int8)

    def changed(part):
        other = np.where(role == part, 33.0, targets.area_density)
        return CellTargets(area_density=other, observed=targets.observed)

    def values(given):
        return with_past(bare, given, role, windows=(3,)).values

    original = values(targets)
    assert np.array_equal(original[role == TRAIN], values(changed(TEST))[role == TRAIN])
    assert np.array_equal(original[role == TRAIN], values(changed(VALIDATION))[role == TRAIN])
    assert np.array_equal(original[role == VALIDATION], values(changed(TEST))[role == VALIDATION])
    # What the check would find: test cells do remember, and so would training cells without roles.
    assert not np.array_equal(original[role == TEST], values(changed(TEST))[role == TEST])
    open_past = with_past(bare, changed(TEST), windows=(3,)).values
    assert not np.array_equal(original[role == TRAIN], open_past[role == TRAIN])


def test_roles_over_the_whole_grid_are_the_same_roles(study):
    predictors, mask, _, targets = study
    bare = cell_features(predictors, mask, EPOCHS)
    role = np.full((EPOCHS, mask.size), TRAIN, dtype=np.int8)
    role[2] = TEST
    on_cells = role[:, bare.cell_flat]
    assert np.array_equal(
        with_past(bare, targets, role).values, with_past(bare, targets, on_cells).values
    )


def test_a_cube_gives_all_its_predictors(cube):  # noqa: F811
    told = []
    features, targets = features_of_cube(cube, progress=told.append), targets_of_cube(cube)
    assert features.names[:4] == tuple(f"elevation_m_{s}" for s in STATISTICS)
    assert {"zoning=1", "steepness", "steepness_censored", "pga", "rain_max_mm_day", "monsoons",
            "season", "length_days", "days_since_event"} < set(features.names)  # fmt: skip
    assert not any("flag" in name or name.startswith("filled") for name in features.names)
    assert sum(told) == 11
    observed = cube.root["observed"].values
    assert np.array_equal(features.to_grid(targets.observed, fill=False), observed)
    stored = np.where(observed, cube.root["area_density"].values, 0.0)
    assert np.array_equal(features.to_grid(targets.area_density, fill=0.0), stored)
    presence = cube.root["presence"].values == 1
    assert np.array_equal(features.to_grid(targets.presence(), fill=False), presence)
    design = designs_of_cube(cube)["forward_chaining"]
    full = with_past(features, targets, design.role[0])
    assert full.n_cells == int(cube.root["mask"].values[0].sum())
    assert np.isfinite(full.values).all()


def test_blocks_are_square_and_cover_the_grid(study):
    predictors, mask, _, _ = study
    features = cell_features(predictors, mask, EPOCHS)
    block = features.to_grid(features.blocks(3), fill=-1)
    for number in np.unique(block[mask]):
        rows, cols = np.nonzero(block == number)
        assert np.ptp(rows) < 3
        assert np.ptp(cols) < 3
        assert len({(r // 3, c // 3) for r, c in zip(rows, cols, strict=True)}) == 1


def test_wrong_inputs_are_named(study):
    predictors, mask, _, targets = study
    with pytest.raises(ValueError, match="median"):
        cell_features(predictors, mask, EPOCHS, statistics=("median",))
    with pytest.raises(DataError, match="rain: found 4 epochs; expected 5"):
        cell_features(predictors, mask, 5)
    holed = predictors[2].values.copy()
    holed[mask.nonzero()[0][0], mask.nonzero()[1][0]] = np.nan
    with pytest.raises(DataError, match="holed: found 1 values that are not finite"):
        cell_features([Predictor(name="holed", unit="1", values=holed)], mask, EPOCHS)
    features = cell_features(predictors, mask, EPOCHS)
    with pytest.raises(KeyError, match="no feature 'height'"):
        features.column("height")
    with pytest.raises(ValueError, match="past records already"):
        with_past(with_past(features, targets), targets)
    with pytest.raises(ValueError, match="use distinct ones"):
        CellFeatures(**{**vars(features), "names": ("a",) * len(features.names)})
