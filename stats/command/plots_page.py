"""One printed page of plots: fixed places, a title, a stamp where data are synthetic, one legend.

All families of plots draw on this page, so that fonts, colours and line styles mean the same
thing everywhere. A series is told by colour, line style and marker at once: colours are those of
Okabe & Ito (2008), "Color Universal Design", and the styles survive a black-and-white printer.
"""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")

COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8c6d31",
)  # fmt: skip
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STAMP = "SYNTHETIC: not observed data"
GRID_GREY = "#d9d9d9"


@dataclass(frozen=True, kw_only=True)
class SeriesStyle:
    """How one series looks on every page.

    Attributes:
        colour: of lines and markers.
        line: matplotlib line style.
        marker: matplotlib marker.
        width: line width [pt].
    """

    colour: str
    line: Any
    marker: str
    width: float


def styles_of(names: Sequence[str]) -> dict[str, SeriesStyle]:
    """A style for each name, in order; the first one, the subject, is drawn widest.

    Example:
        >>> styles = styles_of(["network", "climatology"])
        >>> styles["network"].width > styles["climatology"].width
        True
    """
    return {
        name: SeriesStyle(
            colour=COLOURS[i % len(COLOURS)],
            line=LINES[i % len(LINES)],
            marker=MARKERS[i % len(MARKERS)],
            width=2.2 if i == 0 else 1.2,
        )
        for i, name in enumerate(names)
    }


def pages_of(
    items: Sequence[Item], path: Path, *, per_page: int, title: str
) -> list[tuple[Path, str, Sequence[Item]]]:
    """Items shared out over pages: file, title and items of each.

    Args:
        items: what is drawn, in reading order.
        path: file of the first page; the next are ``STEM_2.png``, ``STEM_3.png``, ...
        per_page: items on a page.
        title: of the whole set; numbered where there is more than one page.

    Raises:
        ValueError: no items.

    Example:
        >>> pages = pages_of("abc", Path("a.png"), per_page=2, title="T")
        >>> [(file.name, title, len(items)) for file, title, items in pages]
        [('a.png', 'T (1 of 2)', 2), ('a_2.png', 'T (2 of 2)', 1)]
    """
    if not items:
        raise ValueError("nothing to draw")
    parts = [items[i : i + per_page] for i in range(0, len(items), per_page)]
    if len(parts) == 1:
        return [(path, title, parts[0])]
    return [
        (
            path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}"),
            f"{title} ({number} of {len(parts)})",
            part,
        )
        for number, part in enumerate(parts, start=1)
    ]


@contextmanager
def plot_page(
    path: Path,
    *,
    title: str,
    panels: int,
    columns: int,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    legend: Mapping[str, Any] | None = None,
    panel_width: float = 2.7,
    panel_height: float = 2.5,
    west: float = 0.75,
    south: float = 0.6,
    north: float = 0.4,
    east: float = 0.25,
    outer_west: float = 0.0,
    smooth: bool = False,
    dpi: int = 130,
) -> Iterator[list[Any]]:
    """Axes of one page; the file gets its name when the block ends without an error.

    Args:
        path: PNG file.
        title: of the page.
        panels: number of axes.
        columns: axes side by side.
        synthetic: stamp the page.
        notes: lines under the plots.
        legend: names and matplotlib handles of one legend for the whole page.
        panel_width: width of an axes [inch].
        panel_height: its height [inch].
        west: room on its left [inch].
        south: room under it [inch].
        north: room above it [inch].
        east: room on its right [inch].
        outer_west: room left of the first column alone [inch].
        smooth: True where colours run into each other, so that a palette would show steps.
        dpi: resolution of the file [dots per inch].

    Yields:
        The axes in reading order.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(1, min(columns, panels))
    rows = math.ceil(panels / columns)
    step_x, step_y = west + panel_width + east, north + panel_height + south
    # Wide enough for the title and the stamp side by side.
    title_width = 0.115 * len(title) + (3.3 if synthetic else 0.2)
    width = max(outer_west + columns * step_x, title_width, 5.0)
    notes = [line for note in notes for line in textwrap.wrap(note, int(width * 15))]
    entries = dict(legend or {})
    per_row = max(1, int((outer_west + columns * (west + panel_width + east)) // 1.9))
    legend_rows = math.ceil(len(entries) / per_row) if entries else 0
    foot = 0.1 + 0.18 * len(notes) + 0.22 * legend_rows + (0.1 if legend_rows else 0.0)
    head = 0.5
    height = rows * step_y + head + foot
    # Figure without pyplot: nothing global stays open, whatever the number of pages.
    figure = Figure(figsize=(width, height), dpi=dpi)
    FigureCanvasAgg(figure)
    axes = []
    for index in range(panels):
        row, column = divmod(index, columns)
        x = outer_west + column * step_x + west
        y = height - head - row * step_y - north - panel_height
        ax = figure.add_axes((x / width, y / height, panel_width / width, panel_height / height))
        ax.tick_params(labelsize=7)
        ax.set_axisbelow(True)
        ax.grid(color=GRID_GREY, linewidth=0.5)
        axes.append(ax)
    figure.text(0.01, 1 - 0.12 / height, title, fontsize=12, va="top", weight="bold")
    if synthetic:
        figure.text(
            0.99, 1 - 0.12 / height, STAMP, fontsize=11, va="top", ha="right", weight="bold",
            color="white", bbox={"facecolor": "#b30000", "edgecolor": "none", "pad": 3},
        )  # fmt: skip
    if entries:
        figure.legend(
            list(entries.values()), list(entries), loc="lower left",
            ncols=min(per_row, len(entries)),
            bbox_to_anchor=(0.005, (0.05 + 0.18 * len(notes)) / height), fontsize=8,
            frameon=False, handlelength=3.2,
        )  # fmt: skip
    if notes:
        figure.text(0.01, 0.05 / height, "\n".join(notes), fontsize=7.5, va="bottom")
    yield axes
    save_page(figure, path, title=title, smooth=smooth)


def save_page(figure: Any, path: Path, *, title: str, smooth: bool = False) -> None:
    """Write a figure beside its name, then move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(beside, format="png", metadata={"Title": title})
        if not smooth:
            _fewer_colours(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _fewer_colours(path: Path) -> None:
    """A palette of 256 colours: plots need no more, and the file is a third of the size."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    with Image.open(path) as image:
        title = image.info.get("Title", "")
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        dpi = image.info.get("dpi")

    text = PngInfo()
    text.add_text("Title", title)
    small.save(path, format="png", optimize=True, pnginfo=text, dpi=dpi or (100, 100))


def line_handle(style: SeriesStyle, *, marker: bool = False) -> Any:
    """A legend entry for a series."""
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], color=style.colour, linestyle=style.line, linewidth=style.width,
        marker=style.marker if marker else None, markersize=4,
    )  # fmt: skip


def patch_handle(colour: str) -> Any:
    """A legend entry for an area."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, edgecolor="none")


def number_text(value: float) -> str:
    """A value for a label: three decimals where it is small, none where it is large.

    Example:
        >>> number_text(0.5), number_text(12.34), number_text(12345.0), number_text(float("nan"))
        ('0.500', '12.3', '12345', 'n/a')
    """
    if np.isinf(value):
        return "infinite"
    if np.isnan(value):
        return "n/a"
    size = abs(value)
    return f"{value:.{0 if size >= 1000 else 1 if size >= 10 else 3}f}"
