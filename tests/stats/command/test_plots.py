"""Pages of plots: the stamp, the number of pages, what is drawn where, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from stats.command.map_panels import MapPanel, draw_map_pages
from stats.command.plots_bars import draw_matrix, draw_totals
from stats.command.plots_curves import Curve, CurvePanel, draw_curve_pages
from stats.command.plots_histograms import HistogramPanel, draw_histogram_pages
from stats.command.plots_page import STAMP, plot_page, styles_of
from stats.command.plots_scores import ForestPanel, draw_forest_pages

STAMP_RED = (0xB3, 0, 0)
LINE = np.linspace(0.0, 1.0, 5)


def has_colour(path, colour, *, tolerance=12):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=int)
    return bool((np.abs(pixels - np.array(colour)).max(axis=-1) <= tolerance).any())


def curve_panel(title="a"):
    return CurvePanel(title=title, curves=[Curve(name="model", x=LINE, y=LINE**0.5)])


def histogram_panel():
    return HistogramPanel(title="a", counts=np.eye(3), x_edges=np.geomspace(0.1, 100, 4),
                          y_edges=np.geomspace(0.1, 100, 4), line_x=np.array([1.0, 10.0]),
                          line_y=np.array([2.0, 5.0]))  # fmt: skip


def forest_panel(names=("a", "b"), values=(0.7, np.nan)):
    array = np.array(values)
    return ForestPanel(title="AUC", names=names, values=array, low=array - 0.1, high=array + 0.1,
                       better="high", reference=0.9, reference_label="ceiling")  # fmt: skip


DRAWN = {
    "roc": lambda path, s: draw_curve_pages(
        [curve_panel()], path, kind="roc", title="T", synthetic=s)[0],
    "capture": lambda path, s: draw_curve_pages(
        [curve_panel()], path, kind="capture", title="T", synthetic=s)[0],
    "reliability": lambda path, s: draw_curve_pages(
        [curve_panel()], path, kind="reliability", title="T", synthetic=s)[0],
    "histogram": lambda path, s: draw_histogram_pages(
        [histogram_panel()], path, title="T", x_label="x", y_label="y", diagonal=True,
        line_label="mean", synthetic=s)[0],
    "totals": lambda path, s: draw_totals(
        path, title="T", groups=["a"], observed=np.array([1.0]),
        predicted={"m": np.array([2.0])}, unit="km", synthetic=s),
    "matrix": lambda path, s: draw_matrix(
        path, title="T", names=["a", "b"], values=np.array([[np.nan, 0.5], [0.5, np.nan]]),
        label="phi", synthetic=s),
    "forest": lambda path, s: draw_forest_pages([forest_panel()], path, title="T", synthetic=s)[0],
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_the_stamp_is_there_where_it_belongs_and_nowhere_else(name, tmp_path):
    draw = DRAWN[name]
    assert has_colour(draw(tmp_path / "synthetic.png", True), STAMP_RED)
    assert not has_colour(draw(tmp_path / "observed.png", False), STAMP_RED)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["observed.png", "synthetic.png"]
    assert STAMP.startswith("SYNTHETIC")


def test_panels_fill_pages_in_order(tmp_path):
    panels = [curve_panel(str(i)) for i in range(7)]
    files = draw_curve_pages(panels, tmp_path / "roc.png", kind="roc", title="T", columns=2, rows=2)
    assert [f.name for f in files] == ["roc.png", "roc_2.png"]
    assert all(f.is_file() for f in files)


def test_an_error_while_drawing_leaves_no_file(tmp_path):
    def break_off():
        with plot_page(tmp_path / "a.png", title="T", panels=1, columns=1):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        break_off()
    assert not list(tmp_path.iterdir())


def test_series_differ_without_colour():
    styles = styles_of([str(i) for i in range(8)])
    assert len({str(s.line) for s in styles.values()}) == 8
    assert len({s.marker for s in styles.values()}) == 8


def test_one_absurd_model_does_not_flatten_the_others(tmp_path):
    """Its value is written at the right and its mark stands at the edge."""
    from stats.command.plots_scores import _limits

    values = np.array([0.25, 0.26, 0.27, 0.28, 50.0])
    low, high = _limits(values, values - 0.01, values + 0.01, None)
    assert low < 0.24
    assert 0.29 < high < 1.0
    panel = forest_panel(names=tuple("abcde"), values=tuple(values))
    assert draw_forest_pages([panel], tmp_path / "a.png", title="T")[0].is_file()


def test_what_cannot_be_drawn_is_refused(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_curve_pages([], path, kind="roc", title="T")
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_histogram_pages([], path, title="T", x_label="x", y_label="y")
    with pytest.raises(ValueError, match="expected a square"):
        draw_matrix(path, title="T", names=["a"], values=np.zeros((2, 2)), label="phi")
    with pytest.raises(ValueError, match="different names"):
        draw_forest_pages([forest_panel(), forest_panel(names=("a", "c"))], path, title="T")


def test_a_class_keeps_its_colour_where_others_are_missing(tmp_path):
    """Codes 1 and 4 with colours of their own; a panel without code 1 still draws 4 in its own."""
    panel = MapPanel(
        values=np.full((4, 4), 4.0), extent_m=(0, 0, 4000, 4000), title="", unit="1",
        kind="classes", class_colours={1: "#0072B2", 4: "#a50026"},
    )  # fmt: skip
    file = draw_map_pages([panel], tmp_path / "a.png", title="T")[0]
    with Image.open(file) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=int)
    red = (np.abs(pixels - np.array([0xA5, 0, 0x26])).max(axis=-1) <= 4).mean()
    blue = (np.abs(pixels - np.array([0, 0x72, 0xB2])).max(axis=-1) <= 4).mean()
    assert red > 20 * blue > 0
