"""Scenes are put into epochs by date; a landslide over the edge of two scenes is one."""

import datetime as dt

import numpy as np
import pytest
import shapely

from detection.map.epochs import across_edges, reference_epochs, seen_ground
from detection.map.scenes import epochs_of, with_reference
from detection.polygons.inventory import PolygonSettings
from detection.polygons.pixels import ArrayPixels
from detection.scenes.catalogue import ImageEntry, SceneEntry, read_catalogue, write_catalogue
from hazard.errors import DataError
from hazard.geo.grid import Grid
from tests.detection.scenes.made_files import (
    BANDS,
    CORNER,
    box_px,
    counts,
    write_polygons,
    write_raster,
)


def entry(folder, name, epoch, date, *, corner=CORNER, pre=None, region="here", **more):
    image = write_raster(folder / f"{name}.tif", counts(), corner=corner)
    earlier = None
    if pre is not None:
        earlier = ImageEntry(
            image=(write_raster(folder / f"{name}_pre.tif", counts(), corner=corner),), date=pre
        )
    return SceneEntry(
        name=name, region=region, epoch=epoch, date=date, bands=BANDS, unit="dn", image=(image,),
        pre=earlier, **more,
    )  # fmt: skip


def catalogue(folder, *entries):
    return read_catalogue(write_catalogue(folder, entries))


def day(month, number=1, year=2015):
    return dt.date(year, month, number)


def test_an_epoch_begins_behind_the_images_before_it(tmp_path):
    found = epochs_of(
        catalogue(
            tmp_path,
            entry(tmp_path, "b", "second", day(11)),
            entry(tmp_path, "a2", "first", day(5, 9), pre=day(4, 2)),
            entry(tmp_path, "a1", "first", day(5, 3), pre=day(3, 2)),
        )
    )
    assert [(e.name, e.start, e.end) for e in found] == [
        ("first", day(4, 3), day(5, 9)),
        ("second", day(5, 10), day(11)),
    ]
    assert [scene.name for scene in found[0].entries] == ["a1", "a2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": None}, "no date"),
        ({"date": day(5, 6)}, "do not overlap in time"),
        ({"region": "there"}, "one of them"),
    ],
)
def test_scenes_without_an_order_are_refused(tmp_path, change, message):
    more = {"date": day(11), "region": "here"} | change
    date = more.pop("date")
    with pytest.raises(DataError, match=message):
        epochs_of(
            catalogue(
                tmp_path,
                entry(tmp_path, "a1", "first", day(5, 3)),
                entry(tmp_path, "a2", "first", day(5, 9)),
                entry(tmp_path, "b", "second", date, **more),
            )
        )


def test_a_region_is_chosen_by_name(tmp_path):
    both = catalogue(
        tmp_path,
        entry(tmp_path, "a", "first", day(5)),
        entry(tmp_path, "b", "first", day(6), region="there"),
    )
    assert [e.entries[0].name for e in epochs_of(both, "there")] == ["b"]
    with pytest.raises(DataError, match="no region 'nowhere'"):
        epochs_of(both, "nowhere")


def test_a_reference_is_whole_or_none(tmp_path):
    known = entry(
        tmp_path, "a", "first", day(5),
        inventory=write_polygons(tmp_path / "a.gpkg", [box_px(2, 2, 8, 8)]),
    )  # fmt: skip
    unknown = entry(tmp_path, "b", "second", day(6))
    assert with_reference(epochs_of(catalogue(tmp_path, known)))
    assert not with_reference(epochs_of(catalogue(tmp_path, unknown)))
    with pytest.raises(DataError, match="no reference inventory"):
        with_reference(epochs_of(catalogue(tmp_path, known, unknown)))


def test_reference_polygons_and_rasters_become_epochs(tmp_path):
    mask = np.zeros((40, 50), np.uint8)
    mask[4:10, 5:12] = 1
    mask[30:, :] = 255
    drawn = entry(
        tmp_path, "a", "first", day(5),
        inventory=write_polygons(
            tmp_path / "a.gpkg", [box_px(2, 2, 8, 8), box_px(900, 900, 910, 910)]
        ),
        footprint=write_polygons(tmp_path / "ground.gpkg", [box_px(0, 0, 20, 100)]),
    )  # fmt: skip
    burnt = entry(
        tmp_path, "b", "second", day(6),
        truth=write_raster(tmp_path / "truth.tif", mask, nodata=255),
    )  # fmt: skip
    first, second = reference_epochs(
        epochs_of(catalogue(tmp_path, drawn, burnt)), settings=PolygonSettings()
    )
    assert [g.area for g in first.geometries] == [3600.0]
    # The footprint, within the scene of 40 x 50 pixels of 10 m.
    assert first.footprint.area == 20 * 50 * 100
    assert [g.area for g in second.geometries] == [4200.0]
    assert second.footprint.area == 30 * 50 * 100


def test_outlines_join_along_an_edge_and_not_at_a_corner():
    west = [shapely.box(0, 0, 2, 1), shapely.box(0, 5, 2, 6)]
    east = [shapely.box(2, 0, 3, 1), shapely.box(2, 6, 3, 7), shapely.box(3, 0, 4, 1)]
    found = across_edges([west, east])
    # Two outlines of one scene stay apart, even where they touch, unless a third joins them.
    assert sorted(g.area for g in found) == [1.0, 1.0, 2.0, 3.0]
    assert across_edges([[], []]).size == 0


def test_seen_ground_does_not_depend_on_the_strips():
    rng = np.random.default_rng(4)
    valid = rng.random((23, 17)) > 0.4
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 17 * 5, 23 * 5), cell_m=5)
    pixels = ArrayPixels(grid=grid, mask=np.zeros_like(valid), valid=valid)
    whole = seen_ground(pixels)
    assert whole.area == 25 * valid.sum()
    assert seen_ground(pixels, strip_rows=3).equals(whole)
