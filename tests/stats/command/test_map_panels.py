"""Maps show what is there: zero, missing and extremes are told apart, and nothing is hidden."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from stats.command.map_panels import (
    _COLOUR_MAPS,
    CLASS_COLOURS,
    MISSING_GREY,
    ZERO_COLOUR,
    MapPanel,
    colour_limits,
    draw_map_pages,
    scale_bar_km,
    thin,
)

EXTENT = (300_000.0, 3_100_000.0, 340_000.0, 3_130_000.0)


def panel(values, kind="sequential", **options):
    return MapPanel(
        values=np.asarray(values, float), extent_m=EXTENT, title="planted", unit="m", kind=kind,
        **options,
    )  # fmt: skip


def colours_of(path):
    pixels = (imread(path)[..., :3] * 255).round().astype(int)
    found, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(c): int(n) for c, n in zip(found.tolist(), counts, strict=True)}


def near(found, colour, tolerance=2):
    """Pixels whose colour is that one up to rounding."""
    return sum(
        n
        for c, n in found.items()
        if max(abs(a - b) for a, b in zip(c, colour, strict=True)) <= tolerance
    )


def rgb(colour):
    return tuple(round(255 * part) for part in to_rgb(colour))


def test_zero_missing_and_small_densities_have_colours_of_their_own(tmp_path):
    values = np.full((30, 40), 5.0)
    values[:10] = np.nan
    values[10:20] = 0.0
    values[25:] = 1e-6  # far below the scale, and yet not zero
    (page,) = draw_map_pages([panel(values, "log")], tmp_path / "a.png", title="t")
    found = colours_of(page)
    lowest = rgb(colormaps[_COLOUR_MAPS["log"]](0.125))
    # Each band covers a good part of a map of some 390 x 290 pixels.
    for colour in (rgb(MISSING_GREY), rgb(ZERO_COLOUR), lowest):
        assert near(found, colour) > 10_000, colour


@pytest.mark.parametrize("name", sorted(set(_COLOUR_MAPS.values()) | {"cividis", "Blues"}))
def test_no_colour_map_holds_the_grey_of_missing(name):
    steps = (colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255).round()
    distance = np.abs(steps - np.array(rgb(MISSING_GREY))).max(axis=1)
    assert distance.min() > 8


def test_a_synthetic_page_is_stamped_and_a_real_one_is_not(tmp_path):
    one = panel(np.arange(12).reshape(3, 4))
    (real,) = draw_map_pages([one], tmp_path / "real.png", title="t")
    (stamped,) = draw_map_pages([one], tmp_path / "stamped.png", title="t", synthetic=True)
    assert rgb("#b30000") not in colours_of(real)
    assert colours_of(stamped)[rgb("#b30000")] > 1000


def test_limits_of_densities_span_three_decades_below_the_largest():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(10_000) < 0.2, rng.lognormal(-1, 1.8, 10_000), 0.0)
    low, high = colour_limits(values, "log")
    assert high == pytest.approx(np.percentile(values[values > 0], 99.5))
    assert low == pytest.approx(high / 1000)


def test_robust_limits_ignore_a_wild_value_but_not_a_two_valued_layer():
    values = np.concatenate([np.linspace(0, 1, 1000), [1e6]])
    assert colour_limits(values, "sequential")[1] < 1.1
    rare = np.zeros(1000)
    rare[0] = 7.0
    assert colour_limits(rare, "sequential") == (0.0, 7.0)


@pytest.mark.parametrize("kind", ["sequential", "diverging", "log", "classes", "flag"])
@pytest.mark.parametrize("values", [np.full((3, 4), np.nan), np.zeros((3, 4)), np.ones((3, 4))])
def test_empty_and_constant_layers_are_drawn(tmp_path, kind, values):
    (page,) = draw_map_pages([panel(values, kind)], tmp_path / "a.png", title="t")
    assert page.stat().st_size > 1000


def test_diverging_limits_are_symmetric_about_zero():
    low, high = colour_limits(np.array([-5.0, 1.0, 2.0]), "diverging")
    assert low == -high


def test_panels_go_on_as_many_pages_as_they_need(tmp_path):
    panels = [panel(np.arange(12).reshape(3, 4))] * 10
    pages = draw_map_pages(panels, tmp_path / "cube.png", title="t", notes=["absent: x"])
    assert [page.name for page in pages] == ["cube.png", "cube_2.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cube.png", "cube_2.png"]
    with pytest.raises(ValueError, match="no panels"):
        draw_map_pages([], tmp_path / "none.png", title="t")


def test_classes_keep_one_colour_each(tmp_path):
    values = np.repeat([[2.0, 7.0, 20.0, np.nan]], 3, axis=0)
    (page,) = draw_map_pages([panel(values, "classes")], tmp_path / "a.png", title="t")
    found = colours_of(page)
    for colour in CLASS_COLOURS[:3]:
        assert found.get(rgb(colour), 0) > 10_000


def test_a_failed_drawing_leaves_the_page_before(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"earlier")
    with pytest.raises(KeyError):
        draw_map_pages([panel(np.ones((2, 2)), colour_map="no such map")], path, title="t")
    assert path.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_scale_bars_are_round_and_about_a_quarter_of_the_map():
    for width in np.geomspace(500, 5e6, 60):
        length = scale_bar_km(float(width))
        assert 0.09 <= length * 1000 / width <= 0.2501
        assert round(length / 10 ** np.floor(np.log10(length)), 6) in (1, 2, 5)


def test_thinning_keeps_values_and_never_averages():
    values = np.arange(10_000.0).reshape(100, 100)
    small = thin(values, maximum=30)
    assert max(small.shape) <= 30
    assert np.isin(small, values).all()
