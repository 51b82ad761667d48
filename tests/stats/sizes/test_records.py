"""Minimum mapping area, pixels and slivers: planted, by property, and on the real inventories."""

import math
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.sizes import double_pareto as dps
from stats.sizes.records import GAP_LEVEL, find_gap, gap_p_value, read_record
from stats.sizes.whole_pixels import find_pixels


def mapped(n, seed, *, lower=275.0, law=(1.4, 2.3, 800.0)):
    return dps.sample(n, *law, rng=np.random.default_rng(seed), lower=lower)


# The gap


@pytest.mark.parametrize("n", [12, 100, 3000])
@pytest.mark.parametrize("slivers", [[0.2], [0.001, 3.0], [1e-6, 1e-6, 1.0, 4.0, 10.0]])
def test_slivers_below_a_sharp_edge_are_counted_and_named(n, slivers):
    if len(slivers) > max(1, 0.05 * n):
        slivers = slivers[:1]
    areas = mapped(n, 3)
    record = read_record(np.r_[areas, slivers])
    assert record.minimum_from == "gap"
    assert record.minimum_mapping_area_m2 == areas.min()
    assert record.slivers_m2 == tuple(slivers)
    assert record.gap is not None
    assert record.gap.p_value < GAP_LEVEL
    assert record.n_below == len(slivers)
    assert record.n_fit == n - 1
    kept = record.in_fit(np.r_[areas, slivers])
    assert kept.sum() == n - 1
    assert not kept[np.argmin(areas)]
    assert not kept[n:].any()
    assert any("sliver" in line for line in record.notes)


def test_a_smooth_left_limb_is_rarely_taken_for_a_gap():
    """At the level of the test, whatever the limb: 3,000 samples, binomial error 0.4 %."""
    rng = np.random.default_rng(11)
    found = [
        find_gap(dps.sample(n, 1.4, beta, 800.0, rng=rng)) is not None
        for n in (12, 100, 1000)
        for beta in (0.7, 1.0, 2.3, 20.0)
        for _ in range(250)
    ]
    assert np.mean(found) < 0.03


def test_a_gap_needs_both_a_sharp_edge_and_width():
    wide, narrow = math.log(1000.0), math.log(5.0)
    assert gap_p_value(1, 100, wide) < 1e-6
    assert gap_p_value(1, 0, narrow) > 0.05
    assert gap_p_value(1, 3, wide) > gap_p_value(1, 30, wide)
    assert gap_p_value(1, 30, narrow) > gap_p_value(1, 30, wide)


def test_neighbouring_pixels_are_no_gap():
    areas = np.r_[np.full(400, 1.0), 25.0 * np.arange(1.0, 4000.0)]
    assert find_gap(areas, pixel_m2=25.0) is None
    # Broken once by leaving the pixel out: the step from 1 to 25 is then a gap of its own.
    assert find_gap(np.r_[1.0, np.repeat(25.0, 50), np.repeat(50.0, 50)]) is not None


# Pixels


@pytest.mark.parametrize("pixel", [0.25, 9.0, 25.0, 56.25, 100.0, 225.0, 900.0])
@pytest.mark.parametrize("share", [0.6, 0.96, 1.0])
def test_the_pixel_is_found_and_not_its_double_or_half(pixel, share):
    rng = np.random.default_rng(5)
    count = np.ceil(mapped(800, 1, lower=5.0) / 40.0) + 4
    areas = pixel * count
    edited = rng.random(areas.size) >= share
    areas[edited] *= rng.uniform(0.9, 1.1, edited.sum())
    found = find_pixels(areas)
    assert found is not None
    assert found.area_m2 == pytest.approx(pixel, rel=1e-9)
    assert found.share == pytest.approx(share, abs=0.06)


def test_rounded_pixels_are_refined():
    # Pixels of 3.125 m, areas written with one decimal: 9.765625 m2.
    count = np.ceil(mapped(2000, 2) / 10.0)
    found = find_pixels(np.round(9.765625 * count, 1))
    assert found is not None
    assert found.area_m2 == pytest.approx(9.765625, rel=1e-4)


def test_continuous_areas_have_no_pixel():
    assert [find_pixels(mapped(n, s)) for n in (3, 12, 100, 3000) for s in range(10)] == [None] * 40


def test_small_quanta_are_named_and_do_not_bin():
    record = read_record(np.round(mapped(500, 4)))
    assert record.pixels is not None
    assert record.pixels.area_m2 == 1.0
    assert record.pixel_m2 is None
    assert record.lower_m2 == record.minimum_mapping_area_m2


def test_bins_begin_half_a_pixel_below_the_first_whole_one():
    areas = 25.0 * np.ceil(mapped(500, 4) / 25.0)
    assert read_record(areas).lower_m2 == areas.min() - 12.5
    # A stated minimum of 310 m2 lets in 13 pixels (325 m2) and more.
    assert read_record(areas, minimum_mapping_area_m2=310.0).lower_m2 == 312.5
    assert read_record(areas, minimum_mapping_area_m2=325.0).lower_m2 == 312.5
    exact = read_record(areas, pixel_m2=0.0, minimum_mapping_area_m2=310.0)
    assert exact.pixel_m2 is None
    assert exact.lower_m2 == 310.0


# Properties


@settings(max_examples=60)
@given(
    areas=st.lists(st.floats(1e-3, 1e7), min_size=1, max_size=60),
    factor=st.sampled_from([2.0**k for k in range(-8, 9)]),
    seed=st.integers(0, 99),
)
def test_order_changes_nothing_and_counts_add_up(areas, factor, seed):
    areas = np.asarray(areas)
    record = read_record(areas)
    shuffled = np.random.default_rng(seed).permutation(areas)
    assert read_record(shuffled) == record
    assert record.n_below + record.n_spent + record.n_fit == record.n == areas.size
    assert int(record.in_fit(shuffled).sum()) == record.n_fit
    step = record.pixel_m2 or 0.0
    assert record.lower_m2 <= max(record.minimum_mapping_area_m2, step)
    assert record.n_below <= max(1, 0.05 * areas.size)
    scaled = find_gap(areas * factor)
    plain = find_gap(areas)
    assert (scaled is None) == (plain is None)


@given(given_m2=st.floats(300.0, 2000.0))
def test_a_given_minimum_is_taken_as_it_is(given_m2):
    areas = mapped(200, 8)
    record = read_record(areas, minimum_mapping_area_m2=given_m2)
    assert record.minimum_from == "given"
    assert record.minimum_mapping_area_m2 == record.lower_m2 == given_m2
    assert record.n_fit == (areas >= given_m2).sum()


@pytest.mark.parametrize(
    ("areas", "options", "message"),
    [
        ([], {}, "no areas"),
        ([1.0, np.nan], {}, "not finite"),
        ([1.0, 0.0], {}, "above 0"),
        ([1.0, 2.0], {"minimum_mapping_area_m2": 5.0}, "none of 2 above a minimum of 5"),
        ([1.0, 2.0], {"minimum_mapping_area_m2": -1.0}, "minimum_mapping_area_m2"),
        ([1.0, 2.0], {"pixel_m2": np.inf}, "pixel_m2"),
    ],
)
def test_wrong_areas_are_refused(areas, options, message):
    with pytest.raises(ValueError, match=message):
        read_record(areas, **options)


def test_equal_areas_are_counted():
    record = read_record(np.r_[mapped(50, 1), mapped(3, 1)])
    assert record.n_equal == 3
    assert "3 areas equal an earlier one: possible duplicates, kept" in record.notes


# Real inventories


def years(data_dir, name):
    with zipfile.ZipFile(data_dir / "inventories" / name) as archive:
        return sorted(n for n in archive.namelist() if n.endswith(".shp"))


@pytest.mark.data
def test_china_2009_is_mapped_in_pixels_of_25_m2_with_one_sliver(data_dir):
    from stats.command.inventory_table import read_inventory_table

    table = read_inventory_table(data_dir / "inventories" / "China.zip", member="2009")
    record = read_record(table.frame["area_m2"])
    assert record.pixel_m2 == 25.0
    assert record.pixels is not None
    assert record.pixels.share == pytest.approx(0.963, abs=0.001)
    assert record.minimum_from == "gap"
    assert record.minimum_mapping_area_m2 == pytest.approx(275.0)
    assert [round(a, 1) for a in record.slivers_m2] == [0.2]
    assert record.n_fit == 10_334


@pytest.mark.data
@pytest.mark.parametrize("name", ["China.zip", "Nepal.zip"])
def test_the_other_inventories_begin_at_their_smallest_polygon(data_dir, name):
    from stats.command.inventory_table import read_inventory_table

    for member in years(data_dir, name):
        if member == "China/2009.shp":
            continue
        table = read_inventory_table(data_dir / "inventories" / name, member=member)
        record = read_record(table.frame["area_m2"])
        assert record.minimum_from == "smallest area"
        assert record.pixel_m2 is None
        assert record.minimum_mapping_area_m2 > 250.0
