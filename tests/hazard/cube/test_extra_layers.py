"""Further layers: classes and polygons on cells or pixels, holes filled, flags taken back."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from hazard.config.schema import load_config
from hazard.cube.build import build_cube
from hazard.cube.layout import FILLED_ELEVATION, FILLED_EXTRA, FLAG_FILLED, NO_CLASS, open_cube
from hazard.cube.sources import resolve_sources
from hazard.errors import DataError
from hazard.geo.cog import write_cog
from tests.hazard.cube import small_study as small

PIXELS = small.GRID.refine(small.FACTOR)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The small study, with a class raster that has a hole and a layer of polygons."""
    folder = tmp_path_factory.mktemp("extra")
    small.write_study(folder)
    classes = np.full(PIXELS.shape, 3, np.uint8)
    classes[:, 32:] = 7
    classes[20:24, 20:28] = 0
    write_cog(
        folder / "rock.tif", classes, PIXELS, names=["rock"], units=["1"], nodata=0,
        valid=classes > 0,
    )  # fmt: skip
    left, bottom, right, top = small.GRID.bounds
    middle = (left + right) / 2
    polygons = [shapely.box(left, bottom, middle, top), shapely.box(middle, bottom, right, top)]
    frame = gpd.GeoDataFrame({"age": [1.5, 4.0]}, geometry=polygons, crs=small.CRS)
    frame.to_file(folder / "age.gpkg", driver="GPKG", engine="pyogrio")
    return folder


def layer(study, name, file, **options):
    return {
        "name": name, "file": str(study / file), "unit": "1", "long_name": f"planted {name}",
        "resampling": "nearest", **options,
    }  # fmt: skip


def build(study, run, layers):
    config = load_config(small.write_config(run, {**small.study_values(study), "layers": layers}))
    return build_cube(resolve_sources(config, run), run)


def rock(study, support):
    return layer(study, "rock", "rock.tif", values="classes", support=support)


def test_classes_on_pixels_keep_their_codes_and_holes_take_the_nearest(study, tmp_path):
    result = build(study, tmp_path, [rock(study, "pixel")])
    cube = open_cube(result.path)
    values = cube.pixels["rock"].values
    assert values.dtype == np.int16
    assert set(np.unique(values)) == {3, 7}
    flagged = (cube.pixels["filled"].values & FILLED_EXTRA) > 0
    expected = np.zeros(PIXELS.shape, bool)
    expected[20:24, 20:28] = True
    np.testing.assert_array_equal(flagged, expected)
    row = next(r for r in result.summary.layers if r.layer == "rock")
    assert (row.filled, row.missing) == (32, 0)


def test_a_layer_that_goes_takes_its_flags_with_it_and_leaves_the_others(study, tmp_path):
    build(study, tmp_path, [rock(study, "pixel")])
    again = build(study, tmp_path, [])
    assert again.built == ("layers",)
    cube = open_cube(again.path)
    assert "rock" not in cube.pixels
    flags = cube.pixels["filled"].values
    assert not (flags & FILLED_EXTRA).any()
    assert (flags & FILLED_ELEVATION).any()


def test_classes_on_cells_are_flagged_per_layer(study, tmp_path):
    cube = open_cube(build(study, tmp_path, [rock(study, "cell")]).path)
    assert cube.cells["rock"].attrs["_FillValue"] == NO_CLASS
    filled = (cube.cells["rock_flag"].values & FLAG_FILLED) > 0
    expected = np.zeros(small.GRID.shape, bool)
    expected[5, 5:7] = True
    np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize("support", ["cell", "pixel"])
def test_polygons_give_the_value_of_the_one_under_the_centre(study, tmp_path, support):
    wanted = layer(study, "age", "age.gpkg", field="age", support=support)
    cube = open_cube(build(study, tmp_path, [wanted]).path)
    values = (cube.cells if support == "cell" else cube.pixels)["age"].values
    half = values.shape[1] // 2
    assert (values[:, :half] == 1.5).all()
    assert (values[:, half:] == 4.0).all()


def test_polygons_without_a_field_are_refused(study, tmp_path):
    with pytest.raises(DataError, match=r"layers\.age\.field"):
        build(study, tmp_path, [layer(study, "age", "age.gpkg")])


@pytest.mark.parametrize("name", ["slope_deg", "filled", "rock_flag"])
def test_names_that_the_cube_uses_are_refused(study, tmp_path, name):
    with pytest.raises(DataError, match="another layer"):
        build(study, tmp_path, [layer(study, name, "rock.tif")])


def test_coarse_trigger_cells_reach_over_the_edge_and_cover_the_mask(study, tmp_path):
    values = {**small.study_values(study), "layers": []}
    values["cube"] = {**values["cube"], "trigger_factor": 5}
    config = load_config(small.write_config(tmp_path, values))
    cube = open_cube(build_cube(resolve_sources(config, tmp_path), tmp_path).path)
    assert cube.trigger_grid.shape == (3, 4)
    assert cube.trigger_grid.cell_size == (5000.0, 5000.0)
    assert np.isfinite(cube.triggers["rain_max_mm_day"].values).all()
