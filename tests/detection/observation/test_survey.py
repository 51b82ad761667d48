"""Gains of two inventories, matched epoch by epoch on held-out ground."""

import datetime as dt

import numpy as np
import pytest
import shapely
from pyproj import CRS

from detection.inventory.epoch_map import EpochMap
from detection.inventory.ground import as_geometries
from detection.inventory.records import TrackingSettings
from detection.inventory.track import track
from detection.observation.against_truth import size_rows, true_sizes
from detection.observation.by_epoch import epoch_factors
from detection.observation.calibration import of_blocks, pooled
from detection.observation.estimate import estimate
from detection.observation.layer import observation_layer
from detection.observation.model import NAMES, ObservationModel
from detection.observation.survey import (
    Survey,
    as_seen,
    calibrate_series,
    gained,
    gains_on,
    seen_pixels,
)
from hazard.errors import DataError
from hazard.geo.grid import Grid

UTM = CRS("EPSG:32645")
GROUND = shapely.box(0, 0, 4000, 2000)
PIXELS = Grid.from_bounds(UTM, GROUND.bounds, cell_m=50)
SLOPE = np.where(PIXELS.x < 2000, 15.0, 35.0)[None].repeat(PIXELS.shape[0], axis=0)


def series(*epochs, tolerance_m=0.0):
    """Epochs of (boxes, footprint)."""
    maps = [
        EpochMap(
            name=f"e{year}", start=dt.date(year, 1, 1), end=dt.date(year, 12, 31), crs=UTM,
            geometries=as_geometries([shapely.box(*box) for box in boxes]), footprint=footprint,
            pixel_m=10.0,
        )
        for year, (boxes, footprint) in enumerate(epochs, start=2015)
    ]  # fmt: skip
    return track(maps, settings=TrackingSettings(tolerance_m=tolerance_m))


def square(x, y, side=40):
    return (x, y, x + side, y + side)


def survey(*found, block_m=1000.0):
    seen = np.logical_and.reduce([seen_pixels(one, PIXELS) for one in found])
    return Survey(pixels=PIXELS, slope_deg=SLOPE, seen=seen, block_m=block_m)


def calibrated(*given, **options):
    return pooled(calibrate_series(*given, **options))


A, B, C = square(110, 110), square(2510, 510), square(3510, 1510)
FALSE = square(1510, 1510, 20)


def test_a_landslide_is_one_gain_in_the_epoch_that_first_shows_it():
    grown = (110, 110, 150, 210)
    found = series(([A, B], GROUND), ([grown, B, C], GROUND))
    first, second = (shapely.area(gained(p, minimum_m2=200.0)) for p in found.epochs)
    assert sorted(first) == [1600.0, 1600.0]
    # Grown by 60 m; persistent ground is no gain, and small gains do not count.
    assert sorted(second) == [1600.0, 2400.0]
    assert shapely.area(gained(found.epochs[1], minimum_m2=2000.0)).tolist() == [2400.0]


def test_a_landslide_under_cloud_is_no_miss_and_no_late_find():
    clear = GROUND - shapely.box(2000, 0, 4000, 1000)
    reference = series(([A, B], GROUND), ([A, B], GROUND))
    detected = series(([A], clear), ([A, B], GROUND))
    seen = as_seen(reference, detected)
    ground = survey(detected, reference)
    whole = np.ones(PIXELS.shape, dtype=bool)
    found = calibrated(detected, seen, ground, whole, minimum_m2=200.0)
    assert (found.reference_m2.size, int(found.found.sum()), found.false_m2.size) == (2, 2, 0)
    # With what the reference knew at once, it would be missed in one epoch and false in the next.
    naive = calibrated(detected, reference, ground, whole, minimum_m2=200.0)
    assert naive.false_m2.size == 1
    assert found.ground_km2.sum() == pytest.approx(8.0 + 8.0 - 2.0)


def test_late_finds_are_false_alarms_of_the_later_epoch():
    reference = series(([A, B], GROUND), ([A, B], GROUND))
    detected = series(([A], GROUND), ([A, B], GROUND))
    whole = np.ones(PIXELS.shape, dtype=bool)
    found = calibrated(detected, reference, survey(detected, reference), whole, minimum_m2=200.0)
    assert (found.reference_m2.size, int(found.found.sum()), found.false_m2.size) == (2, 1, 1)
    assert found.slope_deg.tolist() == [15.0, 35.0]
    assert found.false_slope_deg.tolist() == [35.0]


def test_blocks_are_the_same_ground_in_every_epoch_and_can_be_dealt_out():
    reference = series(([A, B], GROUND), ([A, B, C], GROUND))
    detected = series(([A, FALSE], GROUND), ([A, FALSE, C], GROUND))
    ground = survey(detected, reference)
    allowed = np.ones(PIXELS.shape, dtype=bool)
    allowed[PIXELS.y > 1000] = PIXELS.x > 1000
    x, y, label = ground.points(allowed)
    found = calibrated(detected, reference, ground, allowed, minimum_m2=200.0)
    # Of 8 blocks one is not allowed.
    assert np.array_equal(found.block_names, np.unique(label))
    assert found.block_names.size == 7
    assert found.ground_km2.sum() == pytest.approx(2 * 7.0)
    parts = [of_blocks(found, [b]) for b in found.block_names]
    for name in ("reference_m2", "false_m2"):
        assert sum(getattr(part, name).size for part in parts) == getattr(found, name).size
    assert sum(p.ground_km2.sum() for p in parts) == pytest.approx(14.0)
    (of_c,) = label[np.hypot(x - 3525, y - 1525) < 20]
    own = of_blocks(found, [of_c])
    assert (own.reference_m2.tolist(), own.found.tolist()) == ([1600.0], [True])
    assert own.false_m2.size == 0


def test_what_lies_on_other_ground_still_tells_whether_its_partner_was_found():
    # A detected outline whose point lies outside finds a landslide whose own lies inside.
    reference = series(([(960, 500, 1000, 540)], GROUND))
    detected = series(([(960, 500, 1200, 540)], GROUND))
    allowed = np.broadcast_to(PIXELS.x < 1000, PIXELS.shape)
    found = calibrated(detected, reference, survey(detected, reference), allowed, minimum_m2=200.0)
    assert found.found.tolist() == [True]
    assert found.ln_ratio[0] == pytest.approx(np.log(6.0))


def test_no_reference_landslide_at_all_is_refused():
    detected = series(([A], GROUND))
    empty = series(([], GROUND))
    whole = np.ones(PIXELS.shape, dtype=bool)
    with pytest.raises(DataError, match="no reference landslide"):
        calibrated(detected, empty, survey(detected, empty), whole, minimum_m2=200.0)


def test_gains_are_counted_where_both_looked():
    half = shapely.box(0, 0, 2000, 2000)
    found = series(([A, B], GROUND), ([A, B, C], GROUND))
    other = series(([A], half), ([A], GROUND))
    areas, slopes = gains_on(
        found, survey(found, other), np.ones(PIXELS.shape, dtype=bool), minimum_m2=200.0
    )
    assert (areas.tolist(), slopes.tolist()) == ([1600.0, 1600.0], [15.0, 35.0])


def test_an_epoch_of_more_false_alarms_is_told_from_the_others():
    rng = np.random.default_rng(1)
    places = [square(x, y) for x in range(100, 3900, 200) for y in range(100, 1900, 200)]
    false = [square(x + 100, y + 100, 20) for x, y, *_ in places]
    order = rng.permutation(len(places))
    first, second = ([places[i] for i in part] for part in np.array_split(order, 2))
    reference = series((first, GROUND), (first + second, GROUND))
    seen = [*first[: len(first) // 2]], [*second[::2]]
    alarms = [false[i] for i in order[:40]], [false[i] for i in order[40:50]]
    detected = series(
        (seen[0] + alarms[0], GROUND), (seen[0] + seen[1] + alarms[0] + alarms[1], GROUND)
    )
    whole = np.ones(PIXELS.shape, dtype=bool)
    parts = calibrate_series(
        detected, reference, survey(detected, reference), whole, minimum_m2=200.0
    )
    assert [part.false_m2.size for part in parts] == [40, 10]
    model = estimate(pooled(parts), rng=rng, draws=50)
    factors = epoch_factors(model, parts)
    assert factors.recall == pytest.approx([1.0, 1.0], abs=0.05)
    # 40 and 10 of 25 expected each, drawn towards 1 by five of five.
    assert factors.false == pytest.approx([45 / 30, 15 / 30], abs=0.05)
    layer = observation_layer(
        model, PIXELS, slope_deg=SLOPE, seen_share=np.ones((2, *PIXELS.shape)),
        areas_m2=[1600.0], epochs=["one", "two"], factors=factors,
    )  # fmt: skip
    ratio = layer["false_alarms"][0] / layer["false_alarms"][1]
    assert np.allclose(ratio, factors.false[0] / factors.false[1], rtol=1e-4)
    assert float(layer["observation_probability"].max()) <= 1.0


def half_blind(**changes):
    """Recall 1/2 everywhere, and nothing else wrong."""
    values = dict.fromkeys(NAMES, 0.0) | {
        "split_0": -30.0, "merge_0": -30.0, "fragments": 2.0, "members": 2.0,
        "concentration": 1.0, "ratio_sd": 1e-3, "ratio_0": 0.02, "false_0": -30.0,
        "false_shape": 1.0, "false_scale": 1.0,
    } | changes  # fmt: skip
    row = np.array([values[name] for name in NAMES])
    return ObservationModel(
        values=row, draws=np.tile(row, (60, 1)), minimum_m2=200.0, n_reference=400, n_found=200,
        n_false=0, n_blocks=40,
    )  # fmt: skip


def test_recall_that_does_not_rise_with_area_is_carried_by_simulation_alone():
    rng = np.random.default_rng(2)
    truth = 200.0 * rng.random(800) ** (-1 / 1.6)
    detected = truth[rng.random(800) < 0.5] * np.exp(0.02)
    found = size_rows(
        detected, np.full(detected.size, 30.0), half_blind(), ground_km2=np.full(5, 10.0),
        rng=rng, reference_m2=truth, draws=100,
    )  # fmt: skip
    rows = {(row["quantity"], row["way"]): row for row in found.rows}
    assert any("took no recall curve" in note for note in found.notes)
    total = rows["total_m2", "carried"]
    assert total["low"] < truth.sum() < total["high"]
    assert rows["total_m2", "detected"]["high"] < truth.sum()
    alpha = rows["alpha", "carried"]
    assert alpha["low"] < 1.6 < alpha["high"]
    assert rows["total_m2", "reference"]["low"] is None


def test_too_few_landslides_are_told():
    found = size_rows(
        [300.0] * 5, [30.0] * 5, half_blind(), ground_km2=np.ones(5),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found.rows == ()
    assert "5 detected landslides" in found.notes[0]


def test_true_sizes_weigh_what_is_seldom_found():
    areas, slopes = np.array([2000.0, 300.0] * 50), np.full(100, 30.0)
    even = true_sizes(areas, slopes, half_blind())
    assert (even < 1000).mean() == pytest.approx(0.5, abs=0.02)
    rare = half_blind(recall_area=2.0)
    found = true_sizes(areas, slopes, rare)
    odds = rare.recall(2000.0, 30.0) / rare.recall(300.0, 30.0)
    assert (found < 1000).mean() == pytest.approx(odds / (1 + odds), abs=0.02)
