"""Plots of a predicted against a reference inventory: densities, matched areas, what was missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stats.command.plots_page import COLOURS, GRID_GREY, patch_handle, plot_page
from stats.command.sizes_compare import Comparison
from stats.command.sizes_plot_cuts import log_axes
from stats.command.sizes_plots import AREA_LABEL
from stats.sizes.empirical import adaptive_density, empirical_survival
from stats.sizes.matching import KINDS

SIDES = (("predicted", COLOURS[1], "s"), ("reference", COLOURS[0], "o"))


def draw_comparison(found: Comparison, path: Path) -> Path:
    """Draw one page for one pair of inventories."""
    panels = 4 if found.matched is not None else 2
    groups = f"{found.predicted.label} against {found.reference.label}"
    with plot_page(
        path, title=groups, panels=panels, columns=2, panel_width=3.4, panel_height=2.7, west=0.85,
        synthetic=found.predicted.synthetic or found.reference.synthetic,
        legend={name: patch_handle(colour) for name, colour, _ in SIDES},
        notes=[
            f"Both above the common cut of {found.cut_m2:.4g} m2 in the upper panels. Intervals: "
            "exact 95 % of counts."
        ],
    ) as axes:  # fmt: skip
        most = 1
        for (_, colour, marker), areas, pixel in zip(
            SIDES,
            (found.predicted.areas_m2, found.reference.areas_m2),
            found.pixels_m2,
            strict=True,
        ):
            above = areas[areas >= found.cut_m2]
            if above.size:
                _both(axes[0], axes[1], above, found.cut_m2, pixel, colour, marker)
                most = max(most, above.size)
        axes[1].set_ylim(0.5, 2.0 * most)
        axes[0].set_ylabel("number density dN/dA [1/m²]", fontsize=8)
        axes[1].set_ylabel("landslides at least as large", fontsize=8)
        for ax, title in zip(axes, ("density", "cumulative number"), strict=False):
            ax.set_xlabel(AREA_LABEL, fontsize=8)
            ax.set_title(title, fontsize=9)
        if found.matched is not None:
            _scatter(axes[2], found)
            _recall(axes[3], found)
    return path


def _both(
    left: Any, right: Any, areas: Any, cut: float, pixel: float | None, colour: str, marker: str
) -> None:
    n = areas.size
    log_axes(left)
    log_axes(right)
    lower = cut if pixel is None else cut - 0.5 * pixel
    data = adaptive_density(areas, lower_m2=lower, pixel_m2=pixel)
    left.errorbar(
        data.centre_m2, n * data.density_per_m2,
        yerr=n * np.array([data.density_per_m2 - data.low, data.high - data.density_per_m2]),
        fmt=marker, color=colour, markersize=3.5, linewidth=0.8,
    )  # fmt: skip
    survival = empirical_survival(areas)
    right.fill_between(
        survival.area_m2, n * np.maximum(survival.low, 1e-9), n * survival.high, step="pre",
        color=colour, alpha=0.15, linewidth=0,
    )  # fmt: skip
    right.step(survival.area_m2, n * survival.survival, where="pre", color=colour, linewidth=1.2)


def _scatter(ax: Any, found: Comparison) -> None:
    assert found.matched is not None
    log_axes(ax)
    kind = found.matched.matching.kind
    handles = {}
    for at, (name, colour, marker) in enumerate(
        (
            ("1:1", COLOURS[2], "o"),
            ("1:n merged", COLOURS[1], "s"),
            ("n:1 split", COLOURS[3], "^"),
            ("n:m", COLOURS[4], "D"),
        )
    ):
        chosen = kind == at
        if chosen.any():
            handles[name] = ax.plot(
                found.matched.group_reference_m2[chosen], found.matched.group_predicted_m2[chosen],
                marker, color=colour, markersize=3.5, alpha=0.7, markeredgewidth=0,
            )[0]  # fmt: skip
    ends = np.array(ax.get_xlim() + ax.get_ylim())
    ends = np.array([ends.min(), ends.max()])
    ax.plot(ends, ends, color="#505050", linewidth=0.8, linestyle=(0, (4, 3)))
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    if handles:
        ax.legend(list(handles.values()), list(handles), fontsize=6.5, loc="upper left")
    else:
        ax.text(0.5, 0.5, "no landslide matches", transform=ax.transAxes, ha="center", fontsize=8)
    ax.set_xlabel("area of the reference landslides [m²]", fontsize=8)
    ax.set_ylabel("area of the predicted ones [m²]", fontsize=8)
    ax.set_title("matched groups", fontsize=9)


def _recall(ax: Any, found: Comparison) -> None:
    assert found.matched is not None
    rows = found.recall
    for at, row in enumerate(rows):
        ax.bar(at, row["recall"], color=COLOURS[0], width=0.7)
        ax.plot([at, at], [row["low"], row["high"]], color="#202020", linewidth=1.0)
        ax.text(at, 1.02, str(row["n"]), fontsize=6.5, ha="center", va="bottom")
    ax.set_ylim(0.0, 1.0)
    ax.grid(visible=False, axis="x")
    ax.grid(visible=True, axis="y", color=GRID_GREY)
    ax.set_xticks(range(len(rows)))
    ax.set_xticklabels([_class(row) for row in rows], rotation=40, ha="right", fontsize=7)
    ax.set_xlabel("area of the reference landslides [m²]; above: their number", fontsize=8)
    ax.set_ylabel("share found [-]", fontsize=8)
    count = found.matched.matching.count
    listed = ", ".join(f"{kind} {count(kind)}" for kind in KINDS[:4])
    ax.set_title(f"recall by size ({listed})", fontsize=7.5, pad=16)


def _class(row: dict[str, Any]) -> str:
    low, high = row["area_from_m2"], row["area_to_m2"]
    if low == 0:
        return f"< {high:,.0f}"
    return f">= {low:,.0f}" if np.isinf(high) else f"{low:,.0f} - {high:,.0f}"
