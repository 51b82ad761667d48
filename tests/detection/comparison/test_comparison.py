"""A detected inventory against its reference: counts by hand, intervals, tables and figures."""

import datetime as dt
import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

from detection.comparison.agreement import agreement, fragmentation
from detection.comparison.series import ComparisonSettings, EpochPair, compare_series
from detection.comparison.write import write_comparison
from hazard.errors import DataError
from stats.command.inventory_table import read_inventory_table
from stats.command.inventory_write import write_inventory
from stats.command.object_matching import match_inventories
from stats.sizes.double_pareto import sample

SQUARE = (0.0, 0.0, 10_000.0, 10_000.0)


def table(folder, name, boxes, crs="EPSG:32645"):
    shapes = [b if isinstance(b, shapely.Geometry) else shapely.box(*b) for b in boxes]
    frame = gpd.GeoDataFrame(geometry=shapes, crs=crs)
    path = write_inventory(folder / f"{name}.gpkg", frame, minimum_mapping_area_m2=100.0)
    return read_inventory_table(path, allow_empty=True)


REFERENCE = [
    (0, 0, 100, 100),  # found as it is
    (300, 0, 400, 100),  # split in two
    (600, 0, 700, 100), (710, 0, 800, 100),  # merged into one
    (900, 900, 950, 950),  # missed
]  # fmt: skip
DETECTED = [
    (0, 0, 100, 120),
    (300, 0, 345, 100), (355, 0, 400, 100),
    (600, 0, 800, 100),
    (2000, 2000, 2040, 2040),  # false
]  # fmt: skip


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    out = []
    for year, shift in ((2015, 0.0), (2016, 3000.0)):

        def moved(boxes, shift=shift):
            return [(a + shift, b + shift, c + shift, d + shift) for a, b, c, d in boxes]

        out.append(
            EpochPair(
                name=str(year), start=dt.date(year, 1, 1), end=dt.date(year, 12, 31),
                detected=table(folder, f"d{year}", moved(DETECTED)),
                reference=table(folder, f"r{year}", [*moved(REFERENCE), (-500, 0, -400, 50)]),
                footprint=shapely.box(*SQUARE),
            )
        )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def compared(pairs):
    return compare_series(pairs, settings=ComparisonSettings(draws=200))


def test_splits_and_merges_are_counted_by_landslide(compared):
    found = compared.epochs[0].fragmentation
    assert found.groups == {"1:1": 1, "1:n": 1, "n:1": 1, "n:m": 0, "missed": 1, "false": 1}
    assert (found.split, found.merged, found.found) == (1, 2, 4)
    assert (found.fragments, found.members) == (2.0, 2.0)
    assert found.split_area_share == pytest.approx(1e4 / 3.9e4)
    assert found.merged_area_share == pytest.approx(1.9e4 / 3.9e4)


def test_ratios_are_of_numbers_and_areas_inside_the_footprint(compared):
    entry = compared.epochs[0]
    assert entry.n_outside == (0, 1)
    a = entry.agreement
    assert a["number_ratio"].value == 1.0
    assert a["area_ratio"].value == pytest.approx(42_600 / 41_500)
    assert (a["recall"].value, a["precision"].value) == (0.8, 0.8)
    assert a["iou"].value == pytest.approx(3.8e4 / (42_600 + 41_500 - 3.8e4))
    assert a["recall"].low < 0.8 < a["recall"].high
    assert a["iou"].unit == "group of matched landslides"


def test_densities_are_per_area_looked_at_and_per_year(compared):
    ours, theirs = compared.detected[0], compared.reference[0]
    assert (ours.n, theirs.n, ours.study_km2) == (5, 5, 100.0)
    assert ours.per_km2 == 0.05
    assert compared.differences[0].total_m2 == pytest.approx(42_600 - 41_500)


def test_too_few_landslides_for_an_exponent_are_said_so(compared):
    assert compared.pooled == ()
    assert compared.pooled_failure == "10 landslides in one inventory; 20 are needed"
    assert compared.epochs[0].comparison.fits is None


def test_everything_is_written_and_figures_are_figures(compared, tmp_path):
    folder = write_comparison(tmp_path / "out", compared)
    rows = pd.read_csv(folder / "epochs.csv")
    assert rows.merged.tolist() == [2, 2]
    assert rows.detected_n.tolist() == [5, 5]
    matches = pd.read_csv(folder / "matches.csv")
    assert matches.groupby("epoch").size().tolist() == [5, 5]
    assert pd.read_csv(folder / "missed.csv").area_m2.tolist() == [2500.0, 2500.0]
    record = json.loads((folder / "comparison.json").read_text())
    assert record["epochs"][1]["fragmentation"]["groups"]["n:1"] == 1
    drawn = sorted(p.name for p in (folder / "figures").glob("*.png"))
    assert drawn == ["areas.png", "density.png", "residuals.png", "sizes.png", "trend.png"]
    for name in drawn:
        with Image.open(folder / "figures" / name) as image:
            assert min(image.size) > 300
            assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_an_epoch_without_landslides_on_one_side_is_compared(tmp_path):
    pair = EpochPair(
        name="2017", start=dt.date(2017, 1, 1), end=dt.date(2017, 12, 31),
        detected=table(tmp_path, "d", []), reference=table(tmp_path, "r", REFERENCE[:2]),
        footprint_km2=25.0,
    )  # fmt: skip
    with pytest.raises(DataError, match="footprint"):
        compare_series([EpochPair(**{**pair.__dict__, "footprint_km2": None})])
    found = compare_series([pair], settings=ComparisonSettings(draws=50))
    assert found.epochs[0].agreement == {}
    assert found.epochs[0].fragmentation.groups["missed"] == 2
    folder = write_comparison(tmp_path / "out", found)
    assert not (folder / "figures" / "residuals.png").exists()
    assert (folder / "figures" / "trend.png").exists()


def test_inventories_in_two_projections_are_compared_in_the_detected_one(tmp_path):
    ours = table(tmp_path, "d", [(500_000 + a, 3_100_000 + b, 500_000 + c, 3_100_000 + d)
                                 for a, b, c, d in DETECTED])  # fmt: skip
    theirs = table(tmp_path, "r", [(500_000 + a, 3_100_000 + b, 500_000 + c, 3_100_000 + d)
                                   for a, b, c, d in REFERENCE])  # fmt: skip
    degrees = theirs.frame.to_crs("EPSG:32646")
    other = read_inventory_table(write_inventory(tmp_path / "o.gpkg", degrees))
    one = fragmentation(match_inventories(ours, theirs))
    assert fragmentation(match_inventories(ours, other)).groups == one.groups


def test_a_ratio_of_numbers_covers_its_truth(tmp_path):
    """Random misses: the 90 % interval of recall holds the true one about nine times in ten."""
    rng = np.random.default_rng(5)
    held = 0
    places = [(i % 20 * 200.0, i // 20 * 200.0) for i in range(150)]
    reference = table(tmp_path, "r", [(x, y, x + 50, y + 50) for x, y in places])
    for world in range(40):
        kept = rng.random(150) < 0.7
        frame = reference.frame[kept].reset_index(drop=True)
        ours = read_inventory_table(write_inventory(tmp_path / f"d{world}.gpkg", frame))
        a = agreement(match_inventories(ours, reference), rng=rng, draws=200, level=0.9)["recall"]
        held += a.low <= 0.7 <= a.high
    assert 30 <= held <= 40


@pytest.mark.slow
def test_the_exponent_of_a_detector_that_shrinks_nothing_does_not_differ(tmp_path):
    rng = np.random.default_rng(7)
    sides = np.sqrt(sample(300, 1.6, 2.0, 800.0, rng=rng, lower=100.0))
    reference = [(i % 20 * 900.0, i // 20 * 900.0, i % 20 * 900.0 + s, i // 20 * 900.0 + s)
                 for i, s in enumerate(sides)]  # fmt: skip
    found = [box for box in reference if rng.random() < 0.9]
    pair = EpochPair(
        name="2015", start=dt.date(2015, 1, 1), end=dt.date(2015, 12, 31),
        detected=table(tmp_path, "d", found), reference=table(tmp_path, "r", reference),
        footprint_km2=400.0,
    )  # fmt: skip
    result = compare_series([pair], settings=ComparisonSettings(draws=200, pixel_m2=0.0))
    alpha = next(d for d in result.pooled if d.quantity == "alpha")
    assert alpha.low < 0.0 < alpha.high
    assert alpha.unit == "group of matched landslides"
    # Drawn together, what both hold cancels: far narrower than the spread of either exponent.
    assert alpha.high - alpha.low < 0.6
