"""One panel of a page of sizes: an estimate and its interval against the cut."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stats.command.plots_page import COLOURS
from stats.command.sizes_fit import InventoryResult


def log_axes(ax: Any) -> None:
    """Logarithmic axes with a tick at every decade."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(base=10, numticks=10))
        axis.set_minor_formatter(NullFormatter())


def plain_decades(axis: Any) -> None:
    """Ticks at 1, 2 and 5 of every decade as plain numbers, for short logarithmic axes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def empty_panel(ax: Any, title: str, why: str) -> None:
    """A panel that says why there is nothing in it."""
    ax.set_title(title, fontsize=9)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(
        0.5, 0.5, why, transform=ax.transAxes, fontsize=7.5, ha="center", va="center", wrap=True
    )


def draw_against_cut(
    ax: Any, result: InventoryResult, name: str, label: str, *, log: bool = False
) -> None:
    """Draw one quantity of the first law against the cut, hollow where not identified."""
    title = f"{name.removesuffix('_m2')} against the cut"
    if len(result.cuts) < 2:
        empty_panel(ax, title, "no cuts were asked for")
        return
    found = [
        (cut.cut_m2, cut.n, cut.fit.estimates[name])
        for cut in result.cuts
        if cut.fit is not None and name in cut.fit.estimates
    ]
    drawn = [(cut, n, e) for cut, n, e in found if e.value is not None and e.value < 1e9]
    if not drawn:
        why = "no cut gives a value:\nthe fitted density has no rollover" if log else "no fit"
        empty_panel(ax, title, why)
        return
    values = np.array([e.value for _, _, e in drawn])
    bottom = 0.2 * values.min() if log else 0.0
    # One runaway estimate must not flatten the others.
    typical = float(np.median(values))
    top = (20.0 if log else 3.0) * typical
    finite_ends = [e.high for _, _, e in drawn if e.high <= top]
    top = min(top, 1.3 * max([*finite_ends, *values[values <= top], typical]))
    ax.set_xscale("log")
    if log:
        ax.set_yscale("log")
        plain_decades(ax.yaxis)
    for cut, n, estimate in drawn:
        value = float(estimate.value or math.nan)
        low, high = max(estimate.low, bottom), min(estimate.high, top)
        ax.plot([cut, cut], [low, high], color=COLOURS[0], linewidth=1.0)
        for end, edge in ((low, estimate.low), (high, estimate.high)):
            if math.isfinite(edge) and edge == end and edge > 0:
                ax.plot([cut], [end], marker="_", markersize=6, color=COLOURS[0])
        ax.plot(
            [cut], [min(value, top)], marker="o" if value <= top else "^", markersize=5,
            color=COLOURS[0],
            markerfacecolor=COLOURS[0] if estimate.identified else "white", zorder=5,
        )  # fmt: skip
        ax.annotate(
            f"{n}", (cut, 1.0), xycoords=("data", "axes fraction"), fontsize=6, ha="center",
            va="bottom",
        )  # fmt: skip
    ax.set_ylim(bottom if log else 0.0, top * 1.05)
    cuts = [cut.cut_m2 for cut in result.cuts]
    ax.set_xlim(0.85 * min(cuts), 1.18 * max(cuts))
    ax.set_xticks(cuts)
    ax.set_xticklabels([f"{cut:.0f}" for cut in cuts], rotation=45, ha="right")
    ax.minorticks_off()
    ax.set_xlabel("cut [m²]; above: number of areas", fontsize=8)
    ax.set_ylabel(label, fontsize=8)
    ax.set_title(f"{title}, {result.laws[0].name}", fontsize=9, pad=12)
