"""Maps are the archive's arrays, the right way up, in three formats, and say what they are."""

import numpy as np
import pytest
import rasterio

from hazard.archive.predictions import Header, open_predictions, predictions_writer
from hazard.archive.records import ModelRecord, SchemeRecord
from hazard.geo.store import open_netcdf, open_zarr
from hazard.predict.quantities import QUANTITIES, hazard_maps
from hazard.predict.styles import style_text
from hazard.predict.write import map_name, write_maps
from tests.hazard.small_cube import write_small_cube

HEADER = Header(
    schemes=(
        SchemeRecord(name="random", title="random", design="random", unit="cell"),
        SchemeRecord(name="spatial_blocks", title="blocks", design="spatial_blocks", unit="block"),
        SchemeRecord(name="final", title="all", design="", unit="none", in_sample=True),
    ),
    models=(
        ModelRecord(name="default", title="network", kind="network"),
        ModelRecord(name="zero", title="zero", kind="baseline"),
    ),
    members=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    cube = write_small_cube(folder)
    shape = (len(cube.epochs), *cube.grid.shape)
    rng = np.random.default_rng(0)
    # Values that tell row, column and epoch apart: a flip or a turn cannot go unseen.
    epoch, row, col = np.indices(shape)
    p = (epoch * 10_000 + row * 100 + col) / 50_000
    fields = {
        "probability": p, "mean_percent": 1 + p, "probability_spread": p / 10,
        "mean_percent_spread": p / 5, "expected_spread": p / 3, "disagreement": 0 * p,
    }  # fmt: skip
    tested = rng.random(shape) < 0.8
    with predictions_writer(folder / "predictions.zarr", cube, HEADER) as writer:
        writer.fields("final", "default", fields)
        held = {name: np.where(tested, v, np.nan) for name, v in fields.items()}
        held["probability_spread"] = np.full(shape, np.nan)
        writer.fields("spatial_blocks", "default", held)
    write_maps(folder, held_out_scheme="spatial_blocks")
    return folder, open_predictions(folder), fields, tested


def test_a_map_lies_as_its_array_does(made):
    folder, run, fields, _ = made
    for number, epoch in enumerate(run.epochs):
        path = folder / "maps" / "final" / map_name("susceptibility", number, epoch["name"])
        with rasterio.open(path) as file:
            values = file.read(1)
            grid = run.grid
            assert file.transform == grid.transform
            assert file.crs == grid.crs.to_wkt()
            # Through coordinates, not through array order.
            for row, col in ((0, 0), (3, 11), (17, 23)):
                x, y = grid.x[col], grid.y[row]
                sampled = next(file.sample([(x, y)]))[0]
                expected = fields["probability"][number, row, col] if run.mask[row, col] else np.nan
                assert sampled == pytest.approx(expected, nan_ok=True)
        expected = np.where(run.mask, fields["probability"][number], np.nan)
        assert values == pytest.approx(expected, nan_ok=True, rel=1e-6)


def test_hazard_is_the_product_and_says_that_it_is_no_probability(made):
    folder, run, fields, _ = made
    path = folder / "maps" / "final" / map_name("hazard", 2, run.epochs[2]["name"])
    with rasterio.open(path) as file:
        product = fields["probability"][2] * fields["mean_percent"][2]
        assert file.read(1)[run.mask] == pytest.approx(product[run.mask], rel=1e-6)
        assert file.units == ("percent",)
        assert "no probability" in file.tags(1)["long_name"]
        tags = file.tags()
    assert tags["in_sample"] == "1"
    assert tags["epoch"] == "pre 2016"
    assert tags["SYNTHETIC"].startswith("yes")


def test_masked_cells_and_untested_ones_are_missing(made):
    folder, run, _, tested = made
    path = folder / "maps" / "held_out" / map_name("area_density", 1, run.epochs[1]["name"])
    with rasterio.open(path) as file:
        assert np.isnan(file.nodata)
        assert np.array_equal(np.isfinite(file.read(1)), tested[1] & run.mask)
        assert file.tags()["in_sample"] == "0"
        assert file.tags()["scheme"] == "spatial_blocks"
    # One member has no spread: no map pretends that it had.
    assert not list((folder / "maps" / "held_out").glob("susceptibility_spread*"))
    assert not list((folder / "maps" / "held_out").glob("disagreement*"))


def test_the_three_formats_hold_the_same(made):
    folder, run, _, _ = made
    store = open_zarr(folder / "maps.zarr")
    with open_netcdf(folder / "maps.nc") as file:
        assert set(file.data_vars) == set(store.data_vars)
        assert {f"final_{q.name}" for q in QUANTITIES} <= set(store.data_vars)
        for name in store.data_vars:
            assert np.array_equal(file[name].values, store[name].values, equal_nan=True)
            for number, epoch in enumerate(run.epochs):
                source, quantity = ("final", name.removeprefix("final_"))
                if not name.startswith("final_"):
                    source, quantity = "held_out", name.removeprefix("held_out_")
                tif = folder / "maps" / source / map_name(quantity, number, epoch["name"])
                with rasterio.open(tif) as raster:
                    assert np.array_equal(raster.read(1), file[name].values[number], equal_nan=True)
        assert file.attrs["Conventions"] == "CF-1.8"
        assert file.attrs["title"].startswith("SYNTHETIC: ")
        assert file["final_hazard"].attrs["units"] == "percent"


def test_each_map_has_a_style_of_its_name_over_one_scale(made):
    folder, _, _, _ = made
    for tif in (folder / "maps").rglob("*.tif"):
        assert tif.with_suffix(".qml").is_file()
    texts = {p.read_text() for p in (folder / "maps" / "final").glob("hazard_0*.qml")}
    assert len(texts) == 1


def test_a_scheme_that_was_not_run_gives_way_to_one_that_was(made):
    _, run, _, _ = made
    found = hazard_maps(run, held_out_scheme="spatial_blocks")
    assert [(m.source, m.scheme, m.in_sample) for m in found] == [
        ("final", "final", True), ("held_out", "spatial_blocks", False),
    ]  # fmt: skip
    # The scheme random holds no forecast here.
    for absent in ("unknown", "random"):
        other = hazard_maps(run, held_out_scheme=absent)
        assert [(m.source, m.scheme) for m in other] == [
            ("final", "final"), ("held_out", "spatial_blocks"),
        ]  # fmt: skip


def test_styles_are_readable_xml_and_end_where_told():
    from xml.etree import ElementTree

    for scale in ("probability", "percent", "spread"):
        root = ElementTree.fromstring(style_text(unit="percent", scale=scale, largest=4.0))
        items = [float(item.get("value")) for item in root.iter("item")]
        assert items == sorted(items)
        assert (items[0], items[-1]) == (0.0, 4.0)
