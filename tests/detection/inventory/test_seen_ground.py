"""A footprint cut into pieces answers as the whole one does."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from detection.inventory import seen_ground
from detection.inventory.epoch_map import footprint_of_mask
from detection.inventory.seen_ground import SeenGround
from hazard.geo.grid import Grid

SIDE, PIXEL_M = 64, 10.0
GRID = Grid(crs="EPSG:32645", transform=Affine(PIXEL_M, 0, 3e5, 0, -PIXEL_M, 3e6),
            shape=(SIDE, SIDE))  # fmt: skip
GROUND = footprint_of_mask(np.random.default_rng(0).random(GRID.shape) < 0.7, GRID)
# Beyond the ground on all sides, too.
PLACE = st.floats(-100.0, SIDE * PIXEL_M + 100.0)


@pytest.fixture(autouse=True)
def many_pieces(monkeypatch):
    """Pieces of few corners, so that small ground is cut often."""
    monkeypatch.setattr(seen_ground, "FEW_CORNERS", 64)


@given(corners=st.tuples(PLACE, PLACE, PLACE, PLACE))
def test_what_was_seen_of_a_part_is_its_intersection_with_the_whole(corners):
    x0, x1, y0, y1 = corners
    part = shapely.box(3e5 + min(x0, x1), 3e6 - max(y0, y1), 3e5 + max(x0, x1), 3e6 - min(y0, y1))
    if part.area < 1e-3:
        return
    seen = SeenGround(GROUND)
    inside, outside = seen.of(part), seen.beyond(part)
    assert inside.area == pytest.approx(part.intersection(GROUND).area, abs=1e-6)
    assert outside.area == pytest.approx(part.difference(GROUND).area, abs=1e-6)
    assert inside.symmetric_difference(part.intersection(GROUND)).area < 1e-6


def test_small_parts_are_held_against_small_pieces():
    seen = SeenGround(GROUND)
    part = shapely.box(3e5 + 100, 3e6 - 130, 3e5 + 130, 3e6 - 100)
    piece = seen._about(part)
    assert shapely.get_num_coordinates(piece) < 0.05 * shapely.get_num_coordinates(GROUND)
    assert seen.of(part).area == pytest.approx(part.intersection(GROUND).area)


def test_a_part_seen_whole_stays_as_it_is():
    part = shapely.box(1, 1, 2, 2)
    assert SeenGround(shapely.box(0, 0, 9, 9)).of(part) is part
    assert SeenGround(None).of(part) is part


def test_an_empty_footprint_saw_nothing():
    seen, part = SeenGround(shapely.Polygon()), shapely.box(0, 0, 1, 1)
    assert seen.of(part).is_empty
    assert seen.beyond(part).equals(part)
