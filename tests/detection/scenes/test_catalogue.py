import contextlib
import datetime as dt

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detection.scenes.catalogue import ImageEntry, SceneEntry, read_catalogue, write_catalogue
from hazard.errors import ConfigError, DataError

PLAIN = {
    "name": "a-1",
    "region": "a",
    "epoch": "1",
    "image": "a.tif",
    "bands": ["red"],
    "unit": "1",
}


def write(folder, *scenes, **top):
    for scene in scenes:
        images = scene["image"]
        for name in [images] if isinstance(images, str) else images:
            (folder / name).touch()
    (folder / "scenes.yaml").write_text(yaml.safe_dump({"scenes": list(scenes), **top}))
    return folder


def test_the_folder_and_the_file_read_alike_and_paths_are_placed(tmp_path):
    write(tmp_path, PLAIN)
    by_folder, by_file = read_catalogue(tmp_path), read_catalogue(tmp_path / "scenes.yaml")
    assert by_folder == by_file
    assert by_folder.entry("a-1").image == (tmp_path / "a.tif",)
    with pytest.raises(DataError, match="no scene 'b'; expected one of a-1"):
        by_folder.entry("b")


def test_what_is_written_reads_back(tmp_path):
    for name in ("post.tif", "pre.tif", "cloud.tif", "dem.tif", "i.gpkg", "f.gpkg"):
        (tmp_path / name).touch()
    entry = SceneEntry(
        name="a-1", region="a", epoch="1", image=(tmp_path / "post.tif",),
        bands=("blue", "nir"), unit="1", scale=1e-4, date=dt.date(2015, 5, 1),
        pre=ImageEntry(image=(tmp_path / "pre.tif",), date=dt.date(2014, 1, 2), nodata=0),
        cloud=tmp_path / "cloud.tif", elevation=tmp_path / "dem.tif",
        inventory=tmp_path / "i.gpkg", footprint=tmp_path / "f.gpkg", synthetic=True,
    )  # fmt: skip
    other = SceneEntry(
        name="a-2", region="a", epoch="2", bands=("blue", "nir"), unit="1",
        image=(tmp_path / "post.tif", tmp_path / "pre.tif"),
    )  # fmt: skip
    written = write_catalogue(tmp_path, [entry, other])
    assert read_catalogue(tmp_path).entries == (entry, other)
    assert str(tmp_path) not in written.read_text()
    assert len(entry.files()) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bands": ["red", "red"]}, "band 'red' twice"),
        ({"bnads": ["red"]}, "did you mean 'bands'"),
        ({"scale": 0}, "scale 0"),
        ({"inventory": "i.gpkg", "truth": "t.tif"}, "expected one of them"),
        ({"footprint": "f.gpkg"}, "a footprint without"),
        ({"date": "2015-05-01", "pre": {"image": "p.tif", "date": "2016-01-01"}}, "a day before"),
        ({"grid": {"crs": "EPSG:32645", "pixel_m": -3}}, "greater than 0"),
    ],
)
def test_contradictions_are_told(tmp_path, change, message):
    write(tmp_path, {**PLAIN, **change})
    with pytest.raises(ConfigError, match=message):
        read_catalogue(tmp_path)


def test_names_are_unique_and_other_layouts_refused(tmp_path):
    write(tmp_path, PLAIN, PLAIN)
    with pytest.raises(ConfigError, match="scene 'a-1' twice"):
        read_catalogue(tmp_path)
    write(tmp_path, PLAIN, layout_version=2)
    with pytest.raises(ConfigError, match="layout_version"):
        read_catalogue(tmp_path)


def test_files_that_are_not_there_are_named(tmp_path):
    write(tmp_path, PLAIN)
    (tmp_path / "a.tif").unlink()
    with pytest.raises(DataError, match=r"scene 'a-1': found no file .*a\.tif"):
        read_catalogue(tmp_path)
    with pytest.raises(DataError, match=r"no scenes\.yaml"):
        read_catalogue(tmp_path / "nowhere")


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=5),
    st.lists(st.text(max_size=3), max_size=2), st.dictionaries(st.text(max_size=3), st.none()),
)  # fmt: skip


@given(st.sampled_from([*SceneEntry.model_fields, "other"]), VALUES)
def test_no_value_of_any_key_ends_in_anything_but_a_clear_error(tmp_path_factory, key, value):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "a.tif").touch()
    text = yaml.safe_dump({"scenes": [{**PLAIN, key: value}]})
    (folder / "scenes.yaml").write_text(text, encoding="utf-8")
    with contextlib.suppress(ConfigError, DataError):
        assert len(read_catalogue(folder)) == 1


@given(st.text(max_size=60))
def test_no_text_ends_in_anything_but_a_clear_error(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "scenes.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises((ConfigError, DataError)):
        read_catalogue(folder)
