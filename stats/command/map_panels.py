"""Small multiples of maps: arrays in, PNG pages out.

Each panel carries its own colour bar with the unit; cells without a value are grey, which no colour
map used here contains. Limits are robust (2 to 98 percent of the values) and the colour bar shows
by its pointed ends that values lie beyond them. Densities, whose values span decades and are
mostly zero, get a logarithmic scale on which zero is told from small values and from "no value".
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
PanelKind = Literal["sequential", "diverging", "log", "classes", "flag"]

MISSING_GREY = "#b8b8b8"
ZERO_COLOUR = "#fbf7ef"
LOWER_PERCENT, UPPER_PERCENT = 2.0, 98.0
LOG_DECADES = 3.0
MAXIMUM_PIXELS = 700
# Okabe & Ito (2008), "Color Universal Design": told apart with every common colour vision.
CLASS_COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
    "#7a5195", "#8c6d31", "#a1d99b", "#de9ed6",
)  # fmt: skip
_COLOUR_MAPS: Mapping[str, str] = {
    "sequential": "viridis", "diverging": "PuOr_r", "log": "magma_r", "flag": "cividis",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MapPanel:
    """One map.

    Attributes:
        values: (y, x) values, row 0 in the north; NaN where there is none.
        extent_m: (left, bottom, right, top) of the outer edges [m].
        title: short title.
        unit: unit for the colour bar; "1" is dimensionless and not printed.
        kind: how values become colours: ``sequential``; ``diverging`` (symmetric about zero);
            ``log`` (zero drawn apart); ``classes`` (integer codes); ``flag`` (0 or 1).
        limits: colour limits; None takes robust ones from the values.
        labels: names of the codes of ``classes`` and ``flag``.
        colour_map: a matplotlib name in place of the kind's own.
        class_colours: colours of the codes of ``classes``, where they must be the same on every
            panel; absent: in the order of the codes that a panel holds.
    """

    values: FloatArray
    extent_m: tuple[float, float, float, float]
    title: str
    unit: str
    kind: PanelKind = "sequential"
    limits: tuple[float, float] | None = None
    labels: Mapping[int, str] | None = None
    colour_map: str | None = None
    class_colours: Mapping[int, str] | None = None


def colour_limits(values: FloatArray, kind: PanelKind) -> tuple[float, float]:
    """Limits that show where values differ, whatever a few extremes do.

    ``log``: from three decades below the 99.5 percent value of the positives (or their minimum,
    where that is higher) up to it. Otherwise the 2 and 98 percent values, symmetric about zero
    for ``diverging``, widened to the full range where they coincide.

    Args:
        values: any shape; NaN is left out.
        kind: see `MapPanel`.

    Example:
        >>> colour_limits(np.array([-1.0, 0.0, 0.0, 3.0]), "diverging")
        (-2.82, 2.82)
        >>> colour_limits(np.array([0.0, 0.0, 10.0]), "log")
        (0.01, 10.0)
    """
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if kind == "log":
        positive = finite[finite > 0]
        if positive.size == 0:
            return 1e-3, 1.0
        high = float(np.percentile(positive, 99.5))
        # A single value still needs a scale of some width.
        low = float(positive.min()) if positive.min() < high else high / 10**LOG_DECADES
        return max(low, high / 10**LOG_DECADES), high
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, [LOWER_PERCENT, UPPER_PERCENT]))
    if kind == "diverging":
        bound = max(abs(low), abs(high)) or float(np.abs(finite).max()) or 1.0
        return -bound, bound
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    if high <= low:
        margin = abs(low) * 0.01 or 0.5
        low, high = low - margin, high + margin
    return low, high


def thin(values: FloatArray, *, maximum: int = MAXIMUM_PIXELS) -> FloatArray:
    """Every n-th row and column, so that neither side has more than `maximum`.

    A map of six centimetres cannot show more; averaging would smear classes and streams.

    Example:
        >>> thin(np.arange(16.0).reshape(4, 4), maximum=2).tolist()
        [[0.0, 2.0], [8.0, 10.0]]
    """
    step = max(1, math.ceil(max(values.shape) / maximum))
    return values[::step, ::step]


def scale_bar_km(width_m: float) -> float:
    """Length of a scale bar [km]: 1, 2 or 5 times a power of ten, about a quarter of the map.

    Example:
        >>> scale_bar_km(220_000.0), scale_bar_km(24_000.0)
        (50.0, 5.0)
    """
    target = width_m / 1000.0 / 4.0
    power = 10.0 ** math.floor(math.log10(target))
    return float(max(f * power for f in (1.0, 2.0, 5.0) if f * power <= target * (1 + 1e-9)))


def draw_map_pages(
    panels: Sequence[MapPanel],
    path: Path,
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 3,
    rows: int = 3,
    dpi: int = 130,
) -> list[Path]:
    """Draw the panels on as many pages as they need.

    Args:
        panels: maps in reading order.
        path: PNG file of the first page; the next are ``STEM_2.png``, ``STEM_3.png``, ...
        title: title of every page.
        synthetic: stamp every page SYNTHETIC.
        notes: lines under the maps of the last page (what is absent, and why).
        columns: panels side by side.
        rows: rows of panels on a page.
        dpi: resolution of the file [dots per inch].

    Returns:
        The files written, each moved to its name only when whole.

    Raises:
        ValueError: no panels.
    """
    if not panels:
        raise ValueError("no panels to draw")
    per_page = columns * rows
    pages = [panels[i : i + per_page] for i in range(0, len(panels), per_page)]
    written: list[Path] = []
    for number, page in enumerate(pages, start=1):
        file = path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
        heading = title if len(pages) == 1 else f"{title} ({number} of {len(pages)})"
        last = number == len(pages)
        _draw_page(
            page, file, title=heading, synthetic=synthetic, columns=columns, dpi=dpi,
            notes=notes if last else (),
        )  # fmt: skip
        written.append(file)
    return written


def _draw_page(
    panels: Sequence[MapPanel],
    path: Path,
    *,
    title: str,
    synthetic: bool,
    columns: int,
    dpi: int,
    notes: Sequence[str],
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Four maps as a square, not three and one.
    columns = 2 if len(panels) == 4 and columns == 3 else min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    left, bottom, right, top = panels[0].extent_m
    # Fixed places, in inches: solving for them (constrained layout) took 4 s a page.
    aspect = min(max((top - bottom) / (right - left), 0.35), 2.0)
    map_width, west, east, above, below = 3.0, 0.62, 0.85, 0.32, 0.46
    map_height = map_width * aspect
    head, foot = 0.5, 0.1 + 0.17 * len(notes)
    panel_width, panel_height = west + map_width + east, above + map_height + below
    # Wide enough for the title and the stamp side by side.
    title_width = 0.125 * len(title) + (3.7 if synthetic else 0.2)
    width = max(columns * panel_width, title_width, 8.0)
    height = rows * panel_height + head + foot
    # Figure without pyplot: nothing global stays open, whatever the number of pages.
    figure = Figure(figsize=(width, height), dpi=dpi)
    FigureCanvasAgg(figure)
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        x = column * panel_width + west
        y = height - head - row * panel_height - above - map_height
        ax = figure.add_axes(
            (x / width, y / height, map_width / width, map_height / height), anchor="W"
        )
        bar = figure.add_axes(
            ((x + map_width + 0.1) / width, (y + 0.08 * map_height) / height,
             0.12 / width, 0.84 * map_height / height)
        )  # fmt: skip
        _draw_panel(figure, ax, bar, panel)
        if index == 0:
            _draw_north_arrow(ax)
        if column == 0:
            ax.set_ylabel("northing [km]", fontsize=7)
        if index + columns >= len(panels):
            ax.set_xlabel("easting [km]", fontsize=7)
    figure.text(0.01, 1 - 0.12 / height, title, fontsize=13, va="top", weight="bold")
    if synthetic:
        figure.text(
            0.99, 1 - 0.12 / height, "SYNTHETIC: not observed data", fontsize=13, va="top",
            ha="right", weight="bold", color="white",
            bbox={"facecolor": "#b30000", "edgecolor": "none", "pad": 3},
        )  # fmt: skip
    if notes:
        figure.text(0.01, 0.06 / height, "\n".join(notes), fontsize=8, va="bottom")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(beside, format="png", metadata={"Title": title})
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _draw_panel(figure: Any, ax: Any, bar_axes: Any, panel: MapPanel) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, Normalize
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = np.array(thin(panel.values), dtype=np.float64)
    finite = values[np.isfinite(values)]
    extend, unit = "neither", panel.unit
    ticks: list[float] | None = None
    tick_labels: list[str] | None = None
    norm: Any
    if panel.kind == "classes":
        codes = [int(code) for code in panel.class_colours or np.unique(finite)]
        palette = [CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(max(len(codes), 1))]
        if panel.class_colours is not None:
            palette = list(panel.class_colours.values())
        lookup = {code: position for position, code in enumerate(codes)}
        shown = np.full(values.shape, np.nan)
        for code, position in lookup.items():
            shown[values == code] = position
        values = shown
        colours: Any = ListedColormap(palette)
        norm = BoundaryNorm(np.arange(len(palette) + 1) - 0.5, len(palette))
        ticks = [float(position) for position in lookup.values()]
        names = panel.labels or {}
        tick_labels = [names.get(code, str(code)) for code in codes]
    elif panel.kind == "flag":
        colours = ListedColormap([ZERO_COLOUR, "#0072B2"])
        norm = BoundaryNorm([-0.5, 0.5, 1.5], 2)
        names = panel.labels or {0: "no", 1: "yes"}
        ticks, tick_labels = [0.0, 1.0], [names[0], names[1]]
    else:
        low, high = panel.limits or colour_limits(panel.values, panel.kind)
        colours = colormaps[panel.colour_map or _COLOUR_MAPS[panel.kind]]
        if panel.kind == "log":
            norm = LogNorm(low, high)
            # Without its palest eighth, which would pass for zero, and its near-black end, in which
            # the highest values could not be told apart.
            colours = ListedColormap(colours(np.linspace(0.125, 0.9, 256)))
            colours = colours.with_extremes(under=ZERO_COLOUR)
            # A logarithm of zero would count as "no value"; just below the scale it does not.
            # A hair above the limit: its logarithm may round to below that of the limit.
            values = np.where((values > 0) & (values < low * (1 + 1e-6)), low * (1 + 1e-6), values)
            values = np.where(values == 0, low * 0.1, values)
            extend = "both" if (finite > high).any() else "min"
        else:
            norm = Normalize(low, high)
            below, above = (finite < low).any(), (finite > high).any()
            extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[
                int(below), int(above)
            ]
    left, bottom, right, top = (edge / 1000.0 for edge in panel.extent_m)
    # The colour of what lies below the scale stays as it was set above.
    with_missing = colours.with_extremes(bad=MISSING_GREY)
    image = ax.imshow(
        np.ma.masked_invalid(values), cmap=with_missing, norm=norm, interpolation="nearest",
        extent=(left, right, bottom, top),
    )  # fmt: skip
    bar = figure.colorbar(image, cax=bar_axes, extend=extend)
    bar.ax.tick_params(labelsize=7)
    if ticks is not None:
        bar.set_ticks(ticks)
        bar.set_ticklabels(tick_labels or [])
        bar.ax.tick_params(length=0, which="both")
    if panel.kind == "log":
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        if norm.vmax < 100 * norm.vmin:
            # Whole decades alone would leave one label, or none.
            narrow = norm.vmax < 8 * norm.vmin
            subs = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0) if narrow else (1.0, 2.0, 5.0)
            bar.ax.yaxis.set_major_locator(LogLocator(base=10, subs=subs))
        bar.ax.text(0.5, -0.075, "0", fontsize=7, ha="center", va="top", transform=bar.ax.transAxes)
    if panel.kind in ("sequential", "diverging"):
        power = _small_power(norm.vmin, norm.vmax)
        if power:
            # Labels like 0.00075 would push each other off the page.
            bar.ax.yaxis.set_major_formatter(
                FuncFormatter(lambda value, _: f"{value / 10.0**power:g}")
            )
            factor = f"$10^{{{power}}}$"
            unit = f"{factor}{unit[1:]}" if unit.startswith("1/") else f"{factor} {unit}"
    if unit != "1":
        bar.set_label(unit, fontsize=8)
    ax.set_title(panel.title, fontsize=9)
    ax.tick_params(labelsize=7)
    ax.ticklabel_format(style="plain", useOffset=False)
    ax.locator_params(nbins=5)
    _draw_scale_bar(ax, left, bottom, right, top)


def _small_power(low: float, high: float) -> int:
    """Power of ten to take out of the labels of small numbers; 0 where none is needed."""
    largest = max(abs(low), abs(high))
    power = math.floor(math.log10(largest)) if largest > 0 else 0
    return power if power <= -2 else 0


def _draw_scale_bar(ax: Any, left: float, bottom: float, right: float, top: float) -> None:
    from matplotlib import patheffects

    length = scale_bar_km((right - left) * 1000.0)
    x0 = left + 0.04 * (right - left)
    y0 = bottom + 0.05 * (top - bottom)
    halo = [patheffects.withStroke(linewidth=3.5, foreground="white")]
    ax.plot(
        [x0, x0 + length], [y0, y0], color="black", linewidth=2, solid_capstyle="butt",
        path_effects=halo,
    )  # fmt: skip
    ax.text(
        x0 + length / 2, y0 + 0.02 * (top - bottom), f"{length:g} km", fontsize=7, ha="center",
        va="bottom", path_effects=halo,
    )  # fmt: skip
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)


def _draw_north_arrow(ax: Any) -> None:
    from matplotlib import patheffects

    halo = [patheffects.withStroke(linewidth=3, foreground="white")]
    # The arrow has a halo of its own: that of the letter does not reach it.
    arrow = {"arrowstyle": "-|>", "color": "black", "path_effects": halo}
    ax.annotate(
        "N", xy=(0.95, 0.96), xytext=(0.95, 0.82), xycoords="axes fraction", fontsize=9,
        ha="center", va="center", arrowprops=arrow, path_effects=halo,
    )  # fmt: skip
