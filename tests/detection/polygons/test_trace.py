"""Outlines: no cut into strips shows, and independent tools draw the same."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rasterio.features import geometry_mask, shapes
from scipy import ndimage
from shapely.geometry import shape

from detection.polygons.outlines import polygons_of, smooth, whole_outline
from detection.polygons.pixels import ArrayPixels
from detection.polygons.trace import trace
from hazard.geo.grid import Grid

EIGHT = np.ones((3, 3))


def pixels(mask, valid=None, probability=None):
    grid = Grid(crs="EPSG:32645", transform=Affine(3, 0, 0, 0, -3, 0), shape=mask.shape)
    return ArrayPixels(grid=grid, mask=mask, valid=valid, probability=probability)


def facts_of(region):
    return (
        region.row, region.column, region.pixels, region.steps_sum, region.steps_min,
        region.cut_off, region.outline.wkb,
    )  # fmt: skip


masks = arrays.arrays(
    np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans()
)


@settings(max_examples=150)
@given(
    mask=masks,
    rows=st.integers(1, 6),
    connectivity=st.sampled_from([4, 8]),
    seed=st.integers(0, 99),
)
def test_any_cut_into_strips_gives_the_same_landslides(mask, rows, connectivity, seed):
    rng = np.random.default_rng(seed)
    source = pixels(mask, rng.random(mask.shape) < 0.9, rng.random(mask.shape))
    whole = trace(source, connectivity=connectivity)
    cut = trace(source, connectivity=connectivity, strip_rows=rows)
    assert [facts_of(r) for r in cut] == [facts_of(r) for r in whole]


@settings(max_examples=100)
@given(mask=masks, connectivity=st.sampled_from([4, 8]))
def test_outlines_are_valid_and_hold_the_pixels_of_the_labels(mask, connectivity):
    structure = EIGHT if connectivity == 8 else None
    labels, count = ndimage.label(mask, structure=structure)
    regions = trace(pixels(mask), connectivity=connectivity, strip_rows=3)
    assert len(regions) == count
    for region in regions:
        assert shapely.is_valid(region.outline)
        inside = ~geometry_mask([region.outline], mask.shape, Affine.identity())
        label = labels[region.row, region.column]
        np.testing.assert_array_equal(inside, labels == label)
        assert region.pixels == np.count_nonzero(labels == label)
        rows, columns = np.nonzero(labels == label)
        assert (region.row, region.column) == (rows[0], columns[0])


def test_one_piece_equals_the_shapes_of_rasterio():
    noise = np.random.default_rng(3).standard_normal((90, 70))
    mask = ndimage.gaussian_filter(noise, 2) > 0.05
    ours = {region.outline.wkb for region in trace(pixels(mask), strip_rows=7)}
    drawn = [shape(g) for g, _ in shapes(mask.astype(np.uint8), mask=mask, connectivity=4)]
    assert len(ours) == len(drawn) > 20
    for polygon in drawn:
        assert any(shapely.equals(polygon, shapely.from_wkb(w)) for w in ours)


def test_corners_join_only_with_connectivity_8():
    mask = np.eye(4, dtype=bool)
    assert len(trace(pixels(mask))) == 4
    (region,) = trace(pixels(mask), connectivity=8, strip_rows=1)
    assert region.pixels == 4
    assert len(polygons_of(region.outline)) == 4


def test_an_arch_over_many_strips_is_one_landslide_with_a_hole():
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    mask[3:6, 3:6] = False
    (region,) = trace(pixels(mask), strip_rows=2)
    assert region.outline.equals(
        shapely.difference(shapely.box(1, 1, 8, 8), shapely.box(3, 3, 6, 6))
    )
    mask[7] = False
    mask[1:8, 4] = False  # two legs now
    assert len(trace(pixels(mask), strip_rows=2)) == 2


def test_what_borders_on_the_unseen_or_the_edge_is_cut_off():
    mask = np.zeros((8, 8), dtype=bool)
    mask[1:3, 1:3] = mask[5:7, 1:3] = mask[2:4, 7] = True
    valid = np.ones((8, 8), dtype=bool)
    valid[4, 2] = False
    inner, edge, below = trace(pixels(mask, valid), strip_rows=5)
    assert (inner.cut_off, edge.cut_off, below.cut_off) == (False, True, True)


def test_a_pixel_that_was_not_seen_is_no_landslide():
    mask = np.ones((3, 3), dtype=bool)
    valid = mask.copy()
    valid[1, 1] = False
    (region,) = trace(pixels(mask, valid))
    assert region.pixels == 8


def test_sums_are_those_of_the_whole_landslide():
    mask = np.zeros((6, 4), dtype=bool)
    mask[1:5, 1:3] = True
    probability = np.linspace(0.5, 0.9, 24).reshape(6, 4)
    (region,) = trace(pixels(mask, probability=probability), strip_rows=1)
    steps = np.rint(probability[mask] * 10_000)
    assert (region.steps_sum, region.steps_min) == (steps.sum(), steps.min())


def test_what_is_too_small_is_left_out_but_not_what_grows_over_a_seam():
    mask = np.zeros((6, 6), dtype=bool)
    mask[0:4, 0] = True
    mask[1, 4] = True
    (region,) = trace(pixels(mask), strip_rows=2, minimum_px=4)
    assert region.pixels == 4


@settings(max_examples=100)
@given(mask=masks, connectivity=st.sampled_from([4, 8]))
def test_smoothing_stays_within_half_a_pixel_and_makes_no_overlap(mask, connectivity):
    regions = trace(pixels(mask), connectivity=connectivity)
    smoothed = [smooth(region.outline) for region in regions]
    for region, changed in zip(regions, smoothed, strict=True):
        assert changed.is_valid
        assert shapely.hausdorff_distance(region.outline.boundary, changed.boundary) < 0.5
        rings = sum(1 + len(part.interiors) for part in polygons_of(region.outline))
        assert abs(changed.area - region.outline.area) <= 0.5 * rings + 1e-12
    total = shapely.union_all(smoothed).area
    assert total == pytest.approx(sum(changed.area for changed in smoothed))


def test_a_seam_leaves_no_vertex():
    joined = whole_outline([shapely.box(0, 0, 2, 3), shapely.box(0, 3, 2, 5)])
    assert len(joined.exterior.coords) == 5


@pytest.mark.parametrize("wrong", [{"connectivity": 6}, {"strip_rows": 0}, {"minimum_px": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        trace(pixels(np.ones((2, 2), dtype=bool)), **wrong)
