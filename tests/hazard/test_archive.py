"""predictions.zarr holds what was written, where it was written, and says what it is."""

import json

import numpy as np
import pytest
import zarr

from hazard.archive.names import CRITERIA
from hazard.archive.predictions import Header, open_predictions, predictions_writer
from hazard.archive.records import ModelRecord, NotRun, SchemeRecord
from hazard.errors import DataError
from tests.hazard.small_cube import write_small_cube

HEADER = Header(
    schemes=(
        SchemeRecord(name="random", title="random cells", design="random", unit="cell",
                     fold_names=("fold 0", "fold 1"), folds=(0, 1)),
        SchemeRecord(name="final", title="everything", design="", unit="none", in_sample=True),
    ),
    models=(
        ModelRecord(name="default", title="network", kind="network", members={"random": 2}),
        ModelRecord(name="zero", title="zero", kind="baseline"),
    ),
    not_run=(NotRun(scheme="random", model="reference", fold=1, reason="needs 32 pixels"),),
    levels_percent=(0.0, 0.5),
    members=2,
    folds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return write_small_cube(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def written(cube):
    rng = np.random.default_rng(1)
    shape = (len(cube.epochs), *cube.grid.shape)
    values = {
        "probability": rng.random(shape).astype(np.float32),
        "mean_percent": rng.gamma(1, 1, shape).astype(np.float32),
        "member_probability": rng.random((2, *shape)).astype(np.float32),
    }
    fold = rng.integers(-1, 2, shape)
    values["probability"][fold < 0] = np.nan
    path = cube.path.parent / "predictions.zarr"
    with predictions_writer(path, cube, HEADER) as writer:
        writer.fold("random", fold)
        writer.fields("random", "default", values)
        writer.thresholds("random", "default", 1, np.array([[0.3, 0.1], [0.2, 0.05]]))
    return values, fold, open_predictions(cube.path.parent)


def test_values_lie_where_they_were_written_and_nowhere_else(written, cube):
    values, fold, run = written
    for name, array in values.items():
        assert np.array_equal(run.field(name, "random", "default"), array, equal_nan=True)
    assert np.array_equal(run.fold("random"), fold)
    assert (run.fold("final") == -1).all()
    assert np.isnan(run.field("probability", "final", "default")).all()
    assert np.isnan(run.field("probability", "random", "zero")).all()
    assert run.has("random", "default")
    assert not run.has("final", "default")
    expected = values["probability"] * values["mean_percent"]
    assert np.array_equal(run.expected_percent("random", "default"), expected, equal_nan=True)
    assert np.array_equal(run.area_density, cube.root["area_density"].values, equal_nan=True)
    assert np.array_equal(run.mask, cube.root["mask"].values[0])
    assert run.grid.same_as(cube.grid)


def test_axes_are_records_and_codes_with_flags(written):
    _, _, run = written
    assert run.header == HEADER
    scheme = run.dataset["scheme"]
    assert scheme.attrs["flag_meanings"] == "random final"
    assert scheme.values.tolist() == [0, 1] == scheme.attrs["flag_values"]
    assert run.dataset["epoch"].attrs["flag_meanings"].split()[1] == "post_2015"
    assert run.synthetic
    assert run.epochs[0]["start"] == "2015-04-25"


def test_thresholds_are_kept_by_fold_criterion_and_level(written):
    _, _, run = written
    assert CRITERIA == ("f1", "mcc")
    found = run.threshold("random", "default", criterion="mcc", level=1)
    assert np.isnan(found[0])
    assert found[1] == np.float32(0.05)


def test_an_unknown_scheme_is_named(written):
    with pytest.raises(DataError, match="'rando'; expected one of random, final"):
        written[2].fold("rando")


def test_a_failed_write_leaves_the_earlier_store(cube, tmp_path):
    path = tmp_path / "predictions.zarr"
    with predictions_writer(path, cube, HEADER) as writer:
        writer.fold("random", np.zeros((len(cube.epochs), *cube.grid.shape)))
    with pytest.raises(KeyError), predictions_writer(path, cube, HEADER) as writer:
        writer.fields("random", "default", {"probabilty": np.zeros(1)})
    assert (open_predictions(path).fold("random") == 0).all()
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.zarr"]


def test_another_version_is_refused(written, cube, tmp_path):
    path = tmp_path / "predictions.zarr"
    with predictions_writer(path, cube, HEADER):
        pass
    zarr.open_group(path, mode="a", use_consolidated=False).attrs["layout_version"] = 99
    with pytest.raises(DataError, match="layout_version = 99"):
        open_predictions(path)
    stored = json.loads((path / "zarr.json").read_text())
    assert stored["attributes"]["layout_version"] == 99
