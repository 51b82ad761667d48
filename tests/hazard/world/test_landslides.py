"""Landslides: sizes follow the planted law, footprints run downhill and keep apart."""

import numpy as np
import pytest
import shapely
from scipy import ndimage, stats
from shapely.affinity import rotate

from hazard.geo.grid import Grid
from hazard.world.domain import pixel_grid
from hazard.world.footprints import descent, draw_aspect, footprints, scaled
from hazard.world.landslides import CLEARANCE_M, _clashes, law_cdf, law_quantile
from hazard.world.parameters import ALTERNATIVE, GORKHA_LIKE
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation, simulate_observed
from tests.hazard.world.conftest import SMALL


@pytest.mark.parametrize("parameters", [GORKHA_LIKE, ALTERNATIVE])
def test_quantile_and_cdf_of_every_planted_law_agree(parameters: object) -> None:
    u = np.linspace(0.01, 0.99, 50)
    for law in parameters.sizes:  # type: ignore[attr-defined]
        np.testing.assert_allclose(law_cdf(law, law_quantile(law, u)), u, atol=1e-9)


def test_areas_of_an_epoch_follow_the_planted_law(small: Simulation) -> None:
    slides = small.landslides
    n_dropped = sum(slides.n_dropped)
    assert n_dropped < 0.15 * slides.area_m2.size
    # Sizes are clustered by place, so the KS distance is compared with a fixed bound, not a
    # p-value that supposes independence. Epochs with many landslides only.
    for epoch in (0, 1):
        area = slides.area_m2[slides.epoch == epoch]
        distance = stats.kstest(area, lambda x, e=epoch: law_cdf(GORKHA_LIKE.sizes[e], x)).statistic
        assert distance < 0.08, (epoch, area.size)


def test_footprints_have_the_drawn_area_and_are_valid(small: Simulation) -> None:
    slides = small.landslides
    np.testing.assert_allclose(shapely.area(slides.polygon), slides.area_m2, rtol=1e-9)
    assert shapely.is_valid(slides.polygon).all()


def test_footprints_keep_apart(small: Simulation) -> None:
    tree = shapely.STRtree(small.landslides.polygon)
    a, b = tree.query(small.landslides.polygon, predicate="dwithin", distance=14.9)
    assert (a == b).all()


def test_footprints_run_down_the_terrain(small: Simulation) -> None:
    z = small.ground.terrain.elevation_m
    grid = pixel_grid(SMALL)
    large = small.landslides.polygon[small.landslides.area_m2 > 15_000.0]
    rings = shapely.get_coordinates(large).reshape(len(large), -1, 2)
    # Stations run down one flank to the toe (point 7) and back: crown is between 0 and 14.
    crown, toe = (rings[:, 0] + rings[:, 14]) / 2, rings[:, 7]

    def height(points: np.ndarray) -> np.ndarray:
        cols = (points[:, 0] - grid.transform.c) / grid.transform.a - 0.5
        rows = (points[:, 1] - grid.transform.f) / grid.transform.e - 0.5
        return ndimage.map_coordinates(z, [rows, cols], order=1, mode="nearest")

    assert len(large) > 50
    assert (height(crown) > height(toe)).mean() > 0.95


def test_straight_slope_gives_a_straight_landslide_of_the_asked_ratio() -> None:
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 4000, 4000), cell_m=50)
    plane = np.repeat(np.linspace(2000.0, 0.0, 80)[:, None], 80, axis=1)
    polygon = footprints(
        np.array([2000.0]),
        np.array([3000.0]),
        np.array([40_000.0]),
        np.array([3.0]),
        descent(plane, grid),
        np.zeros((1, 2, 7)),
    )
    left, bottom, right, top = shapely.bounds(polygon)[0]
    assert (top - bottom) / (right - left) == pytest.approx(3.0, rel=0.15)
    assert top < 3050.0


def test_aspect_ratios_are_mostly_those_of_tian_and_others() -> None:
    area = np.full(20_000, 3000.0)
    aspect = draw_aspect(area, np.random.default_rng(0))
    assert ((aspect > 1.6) & (aspect < 3.6)).mean() > 0.75


def test_scaling_keeps_the_centroid_and_multiplies_the_area() -> None:
    shape = np.array([shapely.Polygon([(0, 0), (4, 1), (5, 5), (1, 3)])])
    out = scaled(shape, np.array([0.5]), 3.0, -2.0)
    assert shapely.area(out)[0] == pytest.approx(shapely.area(shape)[0] / 4.0)
    moved = shapely.get_coordinates(shapely.centroid(out))[0]
    assert moved == pytest.approx(shapely.get_coordinates(shapely.centroid(shape))[0] + [3, -2])


def test_slopes_inside_landslides_are_steeper_than_outside(small: Simulation) -> None:
    from rasterio.features import rasterize

    z = small.ground.terrain.elevation_m.astype(float)
    dy, dx = np.gradient(z, SMALL.pixel_m)
    slope = np.degrees(np.arctan(np.hypot(dx, dy)))
    inside = rasterize(
        [(p, 1) for p in small.landslides.polygon],
        out_shape=z.shape,
        transform=pixel_grid(SMALL).transform,
    )
    assert slope[inside == 1].mean() > slope[inside == 0].mean() + 2.5
    assert (slope[inside == 1] < 5.0).mean() < 0.05


def test_the_alternative_world_has_another_law_and_link() -> None:
    config = WorldConfig(extent_cells=(16, 16), pixels_per_cell=4, seed=1, kind="alternative")
    world = simulate_observed(config)
    first = simulate_observed(WorldConfig(extent_cells=(16, 16), pixels_per_cell=4, seed=1))
    assert ALTERNATIVE.link != GORKHA_LIKE.link
    assert {law.kind for law in ALTERNATIVE.sizes} == {"inverse_gamma"}
    assert world.landslides.area_m2.size != first.landslides.area_m2.size
    np.testing.assert_array_equal(
        world.ground.terrain.elevation_m, first.ground.terrain.elevation_m
    )


@pytest.mark.parametrize("crowd", [0.3, 3.0, 10.0, 30.0, 3000.0])
def test_clashes_are_those_of_every_pair(crowd):
    """The quick search finds what comparing all with all finds, one after the other."""
    rng = np.random.default_rng(4)
    x, y = rng.uniform(0.0, 3000.0 / np.sqrt(crowd), (2, 120))
    size = np.sort(rng.uniform(5.0, 40.0, 120))[::-1]
    # Long and slanting: boxes around them meet where they do not.
    bars = shapely.box(x, y, x + 5.0 * size, y + 0.5 * size)
    polygon = np.array(
        [rotate(b, t) for b, t in zip(bars, rng.uniform(0, 180, 120), strict=True)], dtype=object
    )
    settled = np.zeros(120, dtype=bool)
    settled[40:60] = True
    waiting, standing = np.flatnonzero(~settled[:100]), polygon[100:]
    taken = [*polygon[settled], *standing]
    expected = []
    for k in waiting:
        near = any(polygon[k].distance(other) <= CLEARANCE_M for other in taken)
        expected.append(near)
        if not near:
            taken.append(polygon[k])
    found = _clashes(polygon, waiting, settled, standing)
    np.testing.assert_array_equal(found, expected)
    assert found.all() == (crowd == 3000.0)


def test_without_neighbours_nothing_clashes():
    far = shapely.box([0.0, 1e4], [0.0, 0.0], [9.0, 1e4 + 9], [9.0, 9.0])
    none = np.empty(0, dtype=object)
    assert not _clashes(far, np.arange(2), np.zeros(2, dtype=bool), none).any()
