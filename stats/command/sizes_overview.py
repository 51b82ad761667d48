"""All inventories of a run side by side: exponent and rollover with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stats.command.plots_page import COLOURS, plot_page
from stats.command.sizes_fit import InventoryResult
from stats.command.sizes_plot_cuts import plain_decades
from stats.sizes.quantities import Estimate


def draw_overview(results: Sequence[InventoryResult], path: Path, *, level: float = 0.95) -> Path:
    """Draw exponent and rollover of the first law for every inventory.

    Args:
        results: in reading order.
        path: PNG file.
        level: coverage of the intervals.
    """
    law = results[0].laws[0].name
    names = [f"{r.areas.label} ({r.record.n_fit})" for r in results]
    notes = [
        f"{law}, {100 * level:g} % profile intervals; n in brackets. Full: identified. Hollow: not "
        "identified; arrows: open intervals. A line without a symbol: the estimate ran off. "
        "Neither: the density has no rollover, or the inventory could not be fitted.",
    ]
    with plot_page(
        path, title="Exponent and rollover of every inventory", panels=2, columns=2, notes=notes,
        synthetic=any(r.areas.synthetic for r in results), panel_width=3.6,
        panel_height=max(1.6, 0.3 * len(results)), west=0.4,
        outer_west=0.08 * max(map(len, names)), east=0.3,
    ) as axes:  # fmt: skip
        for ax, quantity, label, log in (
            (axes[0], "alpha", "alpha of the survival [-]; density falls with alpha + 1", False),
            (axes[1], "rollover_m2", "rollover [m²]", True),
        ):
            found = [_estimate(r, quantity) for r in results]
            _forest(ax, found, log=log)
            ax.set_xlabel(label, fontsize=8)
            ax.set_yticks(range(len(results)))
            ax.set_yticklabels(names if ax is axes[0] else [], fontsize=7)
            ax.set_ylim(len(results) - 0.5, -0.5)
    return path


def _estimate(result: InventoryResult, quantity: str) -> Estimate | None:
    fit = result.laws[0].fit
    found = None if fit is None else fit.estimates.get(quantity)
    # Without a value an interval may still be closed on one side.
    return None if found is None or found.method == "none" else found


def _forest(ax: Any, estimates: Sequence[Estimate | None], *, log: bool) -> None:
    there = [e for e in estimates if e is not None and e.value is not None]
    bounds = [e for e in estimates if e is not None]
    closed = [v for e in bounds for v in (e.low, e.high) if math.isfinite(v) and v > 0]
    solid = [float(e.value or 0.0) for e in there if e.identified]
    values = solid or [float(e.value or 0.0) for e in there]
    if not values:
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", fontsize=8)
        return
    typical = sorted(values)[len(values) // 2]
    right = min(max([*closed, *values]), (30.0 if log else 4.0) * typical) * 1.1
    left = max(min([*closed, *values]) * 0.9, typical / 30.0) if log else 0.0
    if log:
        ax.set_xscale("log")
    for at, estimate in enumerate(estimates):
        if estimate is None:
            continue
        low, high = max(estimate.low, left), min(estimate.high, right)
        ax.plot([low, high], [at, at], color=COLOURS[0], linewidth=1.2)
        if estimate.low < left or (log and estimate.low <= 0):
            ax.plot([left], [at], marker="<", markersize=5, color=COLOURS[0], clip_on=False)
        if estimate.high > right:
            ax.plot([right], [at], marker=">", markersize=5, color=COLOURS[0], clip_on=False)
        if estimate.value is not None and left <= estimate.value <= right:
            ax.plot(
                [estimate.value], [at], marker="o", markersize=5, color=COLOURS[0], zorder=5,
                markerfacecolor=COLOURS[0] if estimate.identified else "white",
            )  # fmt: skip
    if log:
        plain_decades(ax.xaxis)
    ax.set_xlim(left, right)
