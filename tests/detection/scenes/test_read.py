import datetime as dt

import numpy as np
import pytest
import shapely

from detection.patches.cut import cut_entry, cut_patches
from detection.scenes.catalogue import ImageEntry, SceneEntry
from detection.scenes.read import read_scene, scene_grid
from hazard.errors import DataError
from hazard.geo.grid import Block
from tests.detection.scenes.made_files import (
    BANDS,
    CORNER,
    UTM,
    box_px,
    counts,
    write_polygons,
    write_raster,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("scenes")
    post, pre = counts(), counts(seed=1)
    pre[:, :, :20] = 65535
    cloud = np.zeros((40, 50), np.uint8)
    cloud[:5, :5] = 1
    write_raster(base / "post.tif", post)
    write_raster(base / "pre.tif", pre, nodata=65535)
    write_raster(base / "cloud.tif", cloud)
    for band, name in enumerate(BANDS):
        write_raster(base / f"{name}.tif", post[band])
    write_raster(base / "dem.tif", np.linspace(0, 900, 2000, dtype=np.float32).reshape(40, 50))
    write_polygons(base / "slides.gpkg", [box_px(10, 10, 20, 15), box_px(30, 40, 38, 48)])
    write_polygons(base / "looked_at.gpkg", [box_px(0, 0, 40, 30)])
    return base


def entry(folder, **changes):
    settings = {
        "name": "a-1", "region": "a", "epoch": "1", "date": dt.date(2015, 5, 1), "bands": BANDS,
        "image": (folder / "post.tif",), "unit": "1", "scale": 1e-4, "sensor": "made",
    }  # fmt: skip
    return SceneEntry(**{**settings, **changes})


def full(folder, **changes):
    return entry(
        folder, cloud=folder / "cloud.tif", elevation=folder / "dem.tif",
        inventory=folder / "slides.gpkg", footprint=folder / "looked_at.gpkg",
        pre=ImageEntry(image=(folder / "pre.tif",), scale=1e-4, date=dt.date(2014, 1, 1)),
        **changes,
    )  # fmt: skip


def test_values_come_in_the_declared_unit_and_zero_is_a_value(folder):
    scene = read_scene(entry(folder))
    np.testing.assert_allclose(scene.image, counts().transpose(1, 2, 0) * 1e-4, rtol=1e-6)
    assert scene.valid.all()
    assert (scene.image == 0).any()
    assert scene.truth is None


def test_everything_a_scene_names_is_read_and_masked(folder):
    scene = read_scene(full(folder))
    assert not scene.valid[:5, :5].any()
    assert scene.valid.sum() == 2000 - 25
    assert scene.truth.sum() == 50 + 64
    assert scene.truth[10:20, 10:15].all()
    np.testing.assert_array_equal(scene.known, np.broadcast_to(np.arange(50) < 30, (40, 50)))
    assert not scene.pre_valid[:, :20].any()
    assert scene.pre_valid[:, 20:].all()
    assert scene.elevation_m[39, 49] == 900


def test_bands_are_found_by_name_whatever_their_order(folder):
    whole = read_scene(entry(folder))
    some = read_scene(entry(folder), bands=("nir", "red"))
    np.testing.assert_array_equal(some.image, whole.image[..., [3, 2]])
    assert some.bands == ("nir", "red")
    order = ("red", "nir", "blue", "green")
    apart = entry(folder, bands=order, image=tuple(folder / f"{band}.tif" for band in order))
    np.testing.assert_array_equal(read_scene(apart, bands=BANDS).image, whole.image)
    with pytest.raises(DataError, match="expected swir to be among them"):
        read_scene(entry(folder), bands=("swir",))


def test_windows_are_parts_of_the_whole(folder):
    whole = read_scene(full(folder))
    window = Block(row0=7, row1=33, col0=3, col1=45)
    part = read_scene(full(folder), window=window)
    assert part.grid.same_as(whole.grid.crop(window))
    for name in ("image", "valid", "truth", "known", "pre", "pre_valid", "elevation_m"):
        np.testing.assert_array_equal(
            getattr(part, name), getattr(whole, name)[window.slices], err_msg=name
        )
    with pytest.raises(DataError, match="shape"):
        read_scene(full(folder), window=Block(row0=0, row1=41, col0=0, col1=50))


def test_cutting_strip_by_strip_gives_what_cutting_whole_gives(folder):
    steps = []
    strips = cut_entry(full(folder), 16, 12, progress=steps.append)
    whole = cut_patches(read_scene(full(folder)), 16, 12)
    assert strips.origin == whole.origin
    for name in ("image", "valid", "truth", "known", "pre", "elevation_m"):
        np.testing.assert_array_equal(getattr(strips, name), getattr(whole, name))
    assert sum(steps) == 3
    with pytest.raises(DataError, match="40 x 50 pixels"):
        cut_entry(full(folder), 64, 64)


def test_nodata_of_the_catalogue_beats_that_of_the_file(folder):
    plain = read_scene(entry(folder, nodata=0))
    zero = (counts() == 0).any(axis=0)
    np.testing.assert_array_equal(plain.valid, ~zero)
    assert zero.any()
    kept = read_scene(entry(folder, image=(folder / "pre.tif",), nodata=float("nan")))
    assert kept.valid.all()


def test_what_a_mask_does_not_know_was_not_seen(folder, tmp_path):
    codes = np.zeros((40, 50), np.uint8)
    codes[:3], codes[3:7] = 1, 255
    path = write_raster(tmp_path / "mask.tif", codes, nodata=255)
    assert read_scene(entry(folder, cloud=path)).valid.sum() == 33 * 50
    assert read_scene(entry(folder, valid=path)).valid.sum() == 3 * 50


def test_a_raster_of_landslides_knows_where_nobody_looked(folder, tmp_path):
    codes = np.zeros((40, 50), np.uint8)
    codes[5:9, 5:9], codes[:, 40:] = 255, 9
    path = write_raster(tmp_path / "truth.tif", codes, nodata=9)
    scene = read_scene(entry(folder, truth=path, footprint=folder / "looked_at.gpkg"))
    assert scene.truth.sum() == 16
    assert scene.known.sum() == 40 * 30
    assert read_scene(entry(folder, truth=path)).known.sum() == 40 * 40


def test_degrees_are_warped_only_where_asked(folder, tmp_path):
    path = write_raster(tmp_path / "degrees.tif", counts(), crs="EPSG:4326", pixel=1e-4,
                        corner=(86.0, 28.0))  # fmt: skip
    with pytest.raises(DataError, match="found coordinate system 'WGS 84'"):
        read_scene(entry(folder, image=(path,)))
    warped = read_scene(entry(folder, image=(path,), grid={"crs": "EPSG:32645", "pixel_m": 10}))
    assert warped.grid.cell_size == (10, 10)
    assert 0.9 < warped.valid.mean() <= 1
    assert warped.image[warped.valid].mean() == pytest.approx(counts().mean() * 1e-4, rel=0.01)


def test_an_inventory_in_another_system_lands_in_the_same_place(folder, tmp_path):
    frame_crs = "EPSG:4326"
    import geopandas as gpd

    slides = gpd.GeoSeries([box_px(10, 10, 20, 15)], crs=UTM).to_crs(frame_crs)
    path = write_polygons(tmp_path / "degrees.gpkg", slides, crs=frame_crs)
    scene = read_scene(entry(folder, inventory=path))
    assert scene.truth[10:20, 10:15].all()
    assert scene.truth.sum() == 50
    assert scene.known.all()


def test_an_inventory_of_another_place_is_refused(folder, tmp_path):
    far = write_polygons(tmp_path / "far.gpkg", [shapely.box(0, 3e6, 100, 3e6 + 100)])
    with pytest.raises(DataError, match=r"far\.gpkg: found 1 landslides, all outside"):
        read_scene(entry(folder, inventory=far))


@pytest.mark.parametrize(
    ("raster", "changes", "message"),
    [
        ({}, {"bands": ("blue", "green", "red")}, "found 4 bands; expected 3"),
        ({}, {"scale": 1.0}, "median value of 29.* give scene 'a-1'"),
        ({"names": BANDS[::-1]}, {}, "found bands named nir, red, green, blue"),
        ({"units": ("dn",) * 4}, {"scale": 1.0}, "found unit 'dn'; expected '1'"),
        ({"scale": 1e-4}, {}, "applied twice"),
        ({"crs": None}, {}, "no coordinate system"),
    ],
)
def test_files_that_contradict_the_catalogue_are_refused(
    folder, tmp_path, raster, changes, message
):
    path = write_raster(tmp_path / "image.tif", counts(), **raster)
    with pytest.raises(DataError, match=message):
        read_scene(entry(folder, image=(path,), **changes))


def test_a_file_that_scales_itself_needs_no_scale(folder, tmp_path):
    path = write_raster(tmp_path / "image.tif", counts(), scale=1e-4, names=BANDS)
    scene = read_scene(entry(folder, image=(path,), scale=1.0))
    np.testing.assert_allclose(scene.image, read_scene(entry(folder)).image, rtol=1e-6)


def test_files_of_different_grids_are_refused_or_warped(folder, tmp_path):
    shifted = write_raster(tmp_path / "nir.tif", counts()[3], corner=(CORNER[0] + 5, CORNER[1]))
    images = tuple(folder / f"{band}.tif" for band in BANDS[:3])
    with pytest.raises(DataError, match=r"nir\.tif: found .* expected the grid of"):
        read_scene(entry(folder, image=(*images, shifted)))
    warped = read_scene(entry(folder, image=(*images, shifted), grid={"crs": UTM, "pixel_m": 10}))
    assert warped.valid.sum() >= 40 * 49


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_broken_files_are_named(folder, tmp_path, share):
    whole = (folder / "post.tif").read_bytes()
    broken = tmp_path / "broken.tif"
    broken.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"broken\.tif"):
        read_scene(entry(folder, image=(broken,)))


def test_text_in_place_of_an_image_is_named(folder, tmp_path):
    text = tmp_path / "image.tif"
    text.write_text("not an image")
    with pytest.raises(DataError, match=r"image\.tif: found unreadable content"):
        scene_grid(entry(folder, image=(text,)))
