"""Exports: one file that reads back exactly, needs NumPy alone, and is refused when damaged."""

import contextlib
import json
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest

from hazard.cube.batches import Batches
from hazard.cube.export import export_batches, load_export
from hazard.cube.refit import refit
from hazard.errors import DataError
from stats.resampling.folds import TEST, TRAIN, FoldDesign
from stats.resampling.folds_random import random_folds
from tests.hazard.cube.planted_predictors import small_study

BLOCKED = (
    "xarray", "zarr", "rasterio", "geopandas", "shapely", "pyproj", "affine", "pandas", "pyogrio",
    "pydantic", "yaml", "typer", "rich", "matplotlib", "exactextract", "numba", "h5py", "jax",
    "scipy",
)  # fmt: skip


@pytest.fixture(scope="module")
def study():
    plain = small_study()
    return plain.with_role(np.full(plain.role.shape, TRAIN))


@pytest.fixture(scope="module")
def batches(study):
    return study.batches(notes={"study": "small", "synthetic": "no"})


@pytest.fixture(scope="module")
def design(batches):
    return random_folds(batches.weight[:, :-1] > 0, n_folds=3, seed=1, validation_share=0.2)


@pytest.fixture(scope="module")
def exported(batches, design, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "small.npz"
    export_batches(path, batches, designs={"random": design}, audits={"random": [{"kind": "a"}]})
    return path


def assert_same(one: Batches, other: Batches):
    for name, array in one.arrays().items():
        found = getattr(other, name)
        assert found.dtype == array.dtype, name
        assert np.array_equal(found, array), name
    plain = [
        {k: v for k, v in vars(b).items() if not isinstance(v, np.ndarray)} for b in (one, other)
    ]
    assert plain[0] == plain[1]


def test_an_export_reads_back_exactly(exported, batches, design):
    found = load_export(exported)
    assert_same(batches, found.batches)
    assert np.array_equal(found.designs["random"][..., :-1], design.role)
    assert not found.designs["random"][..., -1].any()
    attributes = found.design_attributes["random"]
    assert attributes["fold_names"] == list(design.fold_names)
    assert attributes["audit"] == [{"kind": "a"}]


def test_every_fold_can_be_made_from_one_export(exported, study, design):
    found = load_export(exported)
    for fold in range(design.n_folds):
        role = found.batches.to_grid(found.designs["random"][fold], fill=0)
        built = study.with_role(role).batches(notes=found.batches.notes)
        again = refit(found.batches, found.designs["random"][fold])
        assert again.standardisation.fitted_on == built.standardisation.fitted_on
        np.testing.assert_allclose(again.changing, built.changing, atol=2e-5)
        np.testing.assert_allclose(again.pixels, built.pixels, atol=2e-5)


def test_an_export_is_read_and_refitted_where_only_numpy_is_installed(exported):
    code = textwrap.dedent(
        f"""
        import sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {BLOCKED!r}:
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Blocked())
        from hazard.cube.export_reader import load_export
        from hazard.cube.gather import gather_pixels, patch_epoch_samples, shuffled_steps
        from hazard.cube.refit import refit
        import numpy as np

        export = load_export({str(exported)!r})
        fold = refit(export.batches, export.designs["random"][0])
        steps = shuffled_steps(np.random.default_rng(0), patch_epoch_samples(fold), 4)
        rows = fold.patch_cells[steps.sample[0, :, 0]]
        print(gather_pixels(fold.pixels, rows).shape)
        loaded = set(sys.modules) & set({BLOCKED!r})
        assert not loaded, loaded
        try:
            import xarray
        except ModuleNotFoundError:
            print("blocked")
        """
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:2] == ["(4, 12, 12, 5)", "blocked"]


def test_units_names_and_scaling_travel_as_plain_json(exported):
    with np.load(exported, allow_pickle=False) as archive:
        metadata = json.loads(archive["metadata"].tobytes())
    scalings = {s["name"]: s for s in metadata["standardisation"]["scalings"]}
    assert scalings["elevation_m"]["unit"] == "m"
    assert metadata["names"]["pixels"][:2] == ["elevation_m", "stream_distance_m"]
    assert metadata["names"]["pixels"][2].startswith("land_cover=")
    assert metadata["target_units"]["area_density"] == "percent"
    assert (metadata["format"], metadata["version"]) == ("hazard-batches", 1)


def test_a_failed_export_leaves_the_earlier_file_and_nothing_else(exported, batches, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(exported.read_bytes())
    bad = FoldDesign(name="bad", unit="cell", role=np.zeros((1, 2, 3), np.int8))
    with pytest.raises(ValueError, match="bad"):
        export_batches(path, batches, designs={"bad": bad})
    nan = {"random": {"value": float("nan")}}
    good = FoldDesign(
        name="random", unit="cell", role=np.full((1, 4, batches.n_cells), TEST, np.int8)
    )
    with pytest.raises(ValueError, match="JSON"):
        export_batches(path, batches, designs={"random": good}, audits=nan)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    assert path.read_bytes() == exported.read_bytes()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="folder"):
        export_batches(tmp_path / "folder", batches)


def rewritten(exported, path, change):
    with np.load(exported) as archive:
        arrays = {name: archive[name].copy() for name in archive.files}
    metadata = json.loads(arrays["metadata"].tobytes())
    change(arrays, metadata)
    listed = {n: [str(a.dtype), list(a.shape)] for n, a in arrays.items() if n != "metadata"}
    if metadata.get("arrays") is not None:
        metadata["arrays"] = listed
    if "metadata" in arrays:
        arrays["metadata"] = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    np.savez(path, **arrays)


def put(name, index, value):
    def change(arrays, metadata):
        arrays[name][index] = value

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda a, m: a.pop("metadata"), "no metadata"),
        (lambda a, m: a.pop("pixels"), "pixels"),
        (lambda a, m: m.update(format="other"), "another kind"),
        (lambda a, m: m.update(version=2), "format version 2"),
        (lambda a, m: m.update(arrays=None), "list says"),
        (lambda a, m: m.pop("names"), "incomplete metadata"),
        (lambda a, m: m["names"]["pixels"].pop(), "pixel_names"),
        (lambda a, m: m["standardisation"]["scalings"][0].update(sd=-1), "unusable scaling"),
        (lambda a, m: a.update(pixels=a["pixels"].astype(np.float64)), "float64"),
        (lambda a, m: a.update(weight=a["weight"][:, :-1]), r"area_density|weight"),
        (lambda a, m: a.update(cell_flat=a["cell_flat"][::-1].copy()), "out of order"),
        (lambda a, m: a.update(cell_flat=a["cell_flat"] + 10_000), "off the grid"),
        (put("static", (0, 0), np.nan), "static that are not finite"),
        (put("pixels", (0, 0, 0, 0), np.inf), "pixels that are not finite"),
        (put("patch_cells", (0, 0, 0), 9999), "rows out of range"),
        (put("weight", (0, 0), 0.5), "other than 0 and 1"),
        (put("role", (0, -1), 1), "padding"),
        (put("design_random", (0, 0, 0), 9), "codes outside"),
        (lambda a, m: a.pop("design_random"), "designs"),
        (lambda a, m: a.update(design_random=a["design_random"][..., :-1]), "design_random"),
    ],
)
def test_a_file_whose_content_does_not_fit_is_refused(exported, tmp_path, change, text):
    path = tmp_path / "changed.npz"
    rewritten(exported, path, change)
    with pytest.raises(DataError, match=text) as caught:
        load_export(path)
    assert str(path) in str(caught.value)


def test_the_rewriting_itself_breaks_nothing(exported, batches, tmp_path):
    rewritten(exported, tmp_path / "same.npz", lambda a, m: None)
    assert_same(batches, load_export(tmp_path / "same.npz").batches)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"not an archive" * 100, b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'"],
    ids=["empty", "short", "text", "broken npy"],
)
def test_another_kind_of_file_is_refused(content, tmp_path):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"other\.npz"):
        load_export(path)


def test_missing_files_folders_and_plain_arrays_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_export(tmp_path / "absent.npz")
    with pytest.raises(DataError, match="a folder"):
        load_export(tmp_path)
    np.save(tmp_path / "plain.npy", np.zeros(3))
    with pytest.raises(DataError, match="single array"):
        load_export(tmp_path / "plain.npy")
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("metadata.npy", "no array")
    with pytest.raises(DataError, match=r"text\.npz"):
        load_export(tmp_path / "text.npz")


def test_a_pickle_in_the_archive_is_refused_and_not_run(exported, tmp_path):
    with np.load(exported) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["pixels"] = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "pickle.npz", **arrays)
    with pytest.raises(DataError, match="allow_pickle=False"):
        load_export(tmp_path / "pickle.npz")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(exported, tmp_path, share):
    content = exported.read_bytes()
    path = tmp_path / "cut.npz"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"cut\.npz"):
        load_export(path)


def test_a_flipped_value_is_refused(exported, batches, tmp_path):
    content = bytearray(exported.read_bytes())
    content[content.index(batches.pixels.tobytes()[:64])] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(bytes(content))
    with pytest.raises(DataError, match="CRC"):
        load_export(tmp_path / "flipped.npz")


@pytest.mark.parametrize("seed", range(25))
def test_a_flipped_byte_is_refused_or_harmless(exported, batches, tmp_path, seed):
    content = bytearray(exported.read_bytes())
    at = int(np.random.default_rng(seed).integers(len(content)))
    content[at] ^= 0xFF
    path = tmp_path / "flipped.npz"
    path.write_bytes(bytes(content))
    # Bytes of the archive's own bookkeeping (times, padding) carry nothing of ours.
    with contextlib.suppress(DataError):
        assert_same(batches, load_export(path).batches)
