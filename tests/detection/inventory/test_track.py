"""Hand-made cases of the bookkeeping, and sums that close whatever is drawn."""

import dataclasses
import datetime as dt

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from detection.inventory.records import BEFORE, VISIBLE, TrackingSettings
from detection.inventory.tables import areas_table, failure_interval, landslide_table
from detection.inventory.track import track
from hazard.errors import DataError
from tests.detection.inventory.hand_made import areas, epoch

PREVIOUS = TrackingSettings(memory="previous")


def test_four_polygons_new_grown_kept_and_healed():
    """The four fates of a landslide between two dates whose maps differ in extent."""
    first = epoch(2015, (0, 0, 100, 100), (200, 0, 300, 100), (400, 0, 500, 100),
                  footprint=(-50, -50, 550, 150))  # fmt: skip
    second = epoch(2016, (0, 0, 100, 100), (200, 0, 350, 100), (600, 0, 640, 50),
                   footprint=(-100, -100, 900, 400))  # fmt: skip
    found = track([first, second])
    assert areas(found.epochs[1]) == {
        "new": 2000.0, "expanded": 5000.0, "persistent": 20000.0, "recovered": 10000.0,
    }  # fmt: skip
    states = landslide_table(found).query("epoch == '2016'").set_index("landslide_id")["state"]
    assert states.to_dict() == {1: "persistent", 2: "expanded", 3: "recovered", 4: "appeared"}
    assert found.crs == CRS("EPSG:32645")
    # The second image is larger: nobody had looked where the new landslide lies.
    new = found.epochs[1]
    assert new.account["first_sight_m2"] == 2000.0
    assert failure_interval(new, 0, found) is None
    assert failure_interval(new, 1, found) == (dt.date(2016, 1, 1), dt.date(2016, 12, 31))


def test_a_landslide_behind_cloud_for_one_epoch_is_not_new_when_it_reappears():
    slide, cloud = (0, 0, 100, 100), (500, 0, 900, 400)
    epochs = [epoch(2015, slide), epoch(2016, footprint=cloud), epoch(2017, slide)]
    found = track(epochs)
    assert areas(found.epochs[1]) == {"unobserved": 10000.0}
    assert areas(found.epochs[2]) == {"persistent": 10000.0}
    assert found.n_landslides == 1
    # The published subtraction knows the previous date only.
    published = track(epochs, settings=PREVIOUS)
    assert areas(published.epochs[2]) == {"new": 10000.0}
    assert published.n_landslides == 2


def test_a_half_hidden_landslide_is_split_between_kept_and_unobserved():
    found = track([epoch(2015, (0, 0, 100, 100)),
                   epoch(2016, (0, 0, 100, 100), footprint=(0, 0, 50, 100))])  # fmt: skip
    assert areas(found.epochs[1]) == {"persistent": 5000.0, "unobserved": 5000.0}
    assert found.epochs[1].account["outside_footprint_m2"] == 5000.0


def test_healed_ground_that_fails_again_is_reactivated_and_keeps_its_number():
    slide = (0, 0, 100, 100)
    found = track([epoch(2015, slide), epoch(2016), epoch(2017, slide)])
    assert areas(found.epochs[1]) == {"recovered": 10000.0}
    assert areas(found.epochs[2]) == {"reactivated": 10000.0}
    assert found.epochs[2].landslide.tolist() == [1]
    assert found.epochs[2].account["ever_m2"] == 10000.0


def test_a_landslide_missed_on_one_date_is_new_only_to_the_published_rule():
    """A detector that misses a landslide once makes a false new one, by subtraction alone."""
    slide = (0, 0, 100, 100)
    epochs = [epoch(2015, slide), epoch(2016), epoch(2017, slide)]
    assert "new" not in areas(track(epochs).epochs[2])
    assert areas(track(epochs, settings=PREVIOUS).epochs[2]) == {"new": 10000.0}


@pytest.mark.parametrize("shift", [(5.0, 0.0), (5.0, 5.0), (-3.0, 4.0)])
def test_misregistration_within_the_tolerance_is_no_change(shift):
    outline = shapely.union(shapely.box(0, 0, 200, 60), shapely.box(60, 60, 120, 300))
    moved = shapely.transform(outline, lambda xy: xy + np.array(shift))
    quiet = track([epoch(2015, outline), epoch(2016, moved)],
                  settings=TrackingSettings(tolerance_m=5.0))  # fmt: skip
    assert areas(quiet.epochs[1]) == {"persistent": round(outline.area, 3)}
    assert quiet.epochs[1].account["seam_gained_m2"] > 500.0
    loud = track([epoch(2015, outline), epoch(2016, moved)])
    assert {"expanded", "recovered"} <= set(areas(loud.epochs[1]))


def test_growth_beyond_the_tolerance_keeps_its_corners():
    found = track([epoch(2015, (0, 0, 100, 100)), epoch(2016, (3, 0, 160, 100))],
                  settings=TrackingSettings(tolerance_m=5.0))  # fmt: skip
    assert areas(found.epochs[1]) == {"expanded": 6000.0, "persistent": 10000.0}
    assert found.epochs[1].account["seam_lost_m2"] == pytest.approx(300.0)


def test_creep_below_the_tolerance_is_found_once_it_adds_up():
    epochs = [epoch(2015 + i, (0, 0, 100 + 4 * i, 100)) for i in range(4)]
    found = track(epochs, settings=TrackingSettings(tolerance_m=5.0))
    grown = [round(parts.area_m2("expanded"), 3) for parts in found.epochs]
    assert grown == [0.0, 0.0, 800.0, 0.0]


def test_the_tolerance_follows_the_coarsest_pixel_so_far():
    epochs = [epoch(2015, (0, 0, 90, 90), pixel_m=3.0), epoch(2016, (0, 0, 90, 90), pixel_m=10.0),
              epoch(2017, (0, 0, 90, 90), pixel_m=3.0)]  # fmt: skip
    found = track(epochs)
    assert [p.account["tolerance_m"] for p in found.epochs] == [3.0, 10.0, 10.0]


def test_small_pieces_of_a_change_go_but_small_landslides_stay():
    first = epoch(2015, (0, 0, 100, 100))
    second = epoch(2016, shapely.union(shapely.box(0, 0, 100, 100), shapely.box(100, 40, 110, 50)),
                   (300, 0, 308, 8))  # fmt: skip
    found = track([first, second], settings=TrackingSettings(minimum_part_m2=200.0))
    assert areas(found.epochs[1]) == {"new": 64.0, "persistent": 10000.0}
    assert found.epochs[1].account["seam_gained_m2"] == 100.0


def test_landslides_that_grow_together_keep_their_numbers_and_name_each_other():
    found = track([epoch(2015, (0, 0, 100, 100), (200, 0, 260, 100)),
                   epoch(2016, (0, 0, 260, 100))])  # fmt: skip
    table = landslide_table(found).query("epoch == '2016'").set_index("landslide_id")
    assert table.partners.to_dict() == {1: "2", 2: "1"}
    assert table.expanded_m2.to_dict() == {1: 10000.0, 2: 0.0}
    assert table.persistent_m2.to_dict() == {1: 10000.0, 2: 6000.0}


def test_a_landslide_that_falls_apart_stays_one():
    found = track([epoch(2015, (0, 0, 300, 100)),
                   epoch(2016, (0, 0, 100, 100), (200, 0, 300, 100))])  # fmt: skip
    table = landslide_table(found).query("epoch == '2016'")
    assert (table.landslide_id.tolist(), table.objects.tolist()) == ([1], [2])
    assert table.state.tolist() == ["shrunk"]


def test_a_neighbour_that_overlaps_by_a_sliver_is_a_landslide_of_its_own():
    apart = track([epoch(2015, (0, 0, 100, 100)), epoch(2016, (98, 0, 200, 100))])
    assert areas(apart.epochs[1])["new"] == 10000.0
    assert apart.n_landslides == 2


def test_outlines_of_one_date_that_overlap_are_one():
    found = track([epoch(2015, (0, 0, 100, 100)), epoch(2016, (0, 0, 100, 100), (98, 0, 200, 100))])
    assert areas(found.epochs[1]) == {"expanded": 10000.0, "persistent": 10000.0}
    assert found.epochs[1].account["mapped_twice_m2"] == pytest.approx(200.0)


def test_lists_of_new_landslides_tell_nothing_of_what_is_not_on_them():
    found = track([epoch(2015, (0, 0, 100, 100)), epoch(2016, (300, 0, 400, 100), lists="new")])
    assert areas(found.epochs[1]) == {"new": 10000.0, "unobserved": 10000.0}


def test_a_baseline_makes_the_first_epoch_a_change():
    before = epoch(2014, (0, 0, 100, 100), footprint=(0, 0, 500, 500))
    first = epoch(2015, (0, 0, 100, 100), (200, 0, 300, 100), (600, 0, 700, 100))
    found = track([first], baseline=before)
    parts = found.epochs[0]
    assert areas(parts) == {"new": 20000.0, "persistent": 10000.0}
    assert parts.account["first_sight_m2"] == 10000.0
    spans = [failure_interval(parts, i, found) for i in range(2)]
    assert spans == [(dt.date(2015, 1, 1), dt.date(2015, 12, 31)), None]


def test_a_new_landslide_is_dated_from_the_last_time_its_ground_was_seen():
    west, east = (0, 0, 500, 500), (400, 0, 900, 500)
    found = track([epoch(2015, footprint=west), epoch(2016, footprint=east),
                   epoch(2017, (0, 0, 50, 50), (600, 0, 650, 50))])  # fmt: skip
    parts = found.epochs[2]
    assert [failure_interval(parts, i, found)[0].year for i in range(2)] == [2016, 2017]
    assert parts.account["first_sight_m2"] == 0.0


def test_maps_on_different_grids_agree_on_what_is_common():
    """A map in 3 m pixels and one in 5 m pixels of the same landslides: no change but seams."""

    def stairs(pixel):
        cells = [shapely.box(x * pixel, y * pixel, (x + 1) * pixel, (y + 1) * pixel)
                 for x in range(60 // pixel * 3) for y in range(60 // pixel)
                 if abs(x * pixel - 90) / 90 + abs(y * pixel - 30) / 30 < 1]  # fmt: skip
        return shapely.union_all(cells)

    found = track([epoch(2015, stairs(3), pixel_m=3.0), epoch(2016, stairs(5), pixel_m=5.0)])
    assert set(areas(found.epochs[1])) == {"persistent"}


boxes = st.tuples(
    st.integers(0, 25), st.integers(0, 25), st.integers(1, 12), st.integers(1, 12)
).map(lambda b: (b[0] * 7.3, b[1] * 7.3, (b[0] + b[2]) * 7.3, (b[1] + b[3]) * 7.3))
years = st.lists(
    st.tuples(st.lists(boxes, max_size=6), st.none() | boxes, st.booleans()), min_size=1, max_size=4
)


@settings(max_examples=60)
@given(years, st.sampled_from([0.0, 3.0, 9.0]), st.sampled_from(["everything", "previous"]))
def test_areas_always_add_up_and_parts_never_overlap(drawn, tolerance, memory):
    epochs = [
        epoch(2001 + i, *shapes, footprint=seen, lists="new" if new else "visible")
        for i, (shapes, seen, new) in enumerate(drawn)
    ]
    found = track(epochs, settings=TrackingSettings(tolerance_m=tolerance, memory=memory,
                                                    minimum_part_m2=60.0))  # fmt: skip
    for parts, entry in zip(found.epochs, epochs, strict=True):
        a = parts.account
        mapped = shapely.union_all(entry.geometries)
        if entry.footprint is not None:
            mapped = shapely.intersection(mapped, entry.footprint)
        scale = max(a["mapped_m2"], a["before_m2"], 1.0)
        assert abs(a["mapped_m2"] - mapped.area) < 1e-6 * scale
        assert abs(a["visible_m2"] - parts.area_m2(*VISIBLE)) < 1e-6 * scale
        assert abs(a["before_m2"] - parts.area_m2(*BEFORE)) < 1e-6 * scale
        assert abs(shapely.union_all(parts.geometry).area - shapely.area(parts.geometry).sum()) < (
            1e-6 * scale
        )
    # What was visible or hidden after an epoch is what was there before the next.
    for before, after in zip(found.epochs[:-1], found.epochs[1:], strict=True):
        left = before.account["visible_m2"]
        left += before.account["unobserved_m2"] if memory == "everything" else 0.0
        assert after.account["before_m2"] == pytest.approx(left, rel=1e-6, abs=1e-6)


def test_sums_that_do_not_close_are_named():
    found = track([epoch(2015, (0, 0, 10, 10))])
    parts = found.epochs[0]
    broken = dataclasses.replace(parts, account=dict(parts.account) | {"new_m2": 99.0})
    assert "visible" in dataclasses.replace(found, epochs=(broken,)).gaps()[0]


def test_epochs_in_the_wrong_order_or_projection_are_refused():
    with pytest.raises(DataError, match="not after"):
        track([epoch(2016), epoch(2015)])
    other = dataclasses.replace(epoch(2016), crs=CRS("EPSG:32646"))
    with pytest.raises(DataError, match="one coordinate system"):
        track([epoch(2015), other])
    with pytest.raises(DataError, match="in metres"):
        dataclasses.replace(epoch(2016), crs=CRS("EPSG:4326"))


def test_the_table_gives_rates_per_year():
    table = areas_table(track([epoch(2015, (0, 0, 100, 100))]))
    assert table.new_m2_per_year[0] == pytest.approx(10000.0 * 365.25 / 365)
