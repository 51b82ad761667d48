"""Figures of a detection error: the fitted functions over what was counted on held-out blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from detection.observation.calibration import Calibration
from detection.observation.false_by_slope import LEAST_SHARE, false_by_slope
from detection.observation.model import NAMES, ObservationModel, false_rate_of, size_coordinate
from stats.case_arrays import BoolArray, FloatArray
from stats.command.plots_page import COLOURS, patch_handle, plot_page
from stats.command.sizes_plot_cuts import log_axes
from stats.sizes.empirical import share_interval

LEVEL = 0.9
CLASSES = 8


def draw_observation(model: ObservationModel, calibration: Calibration, path: Path) -> Path:
    """Draw recall, splits and merges, outlines, and false alarms with their bands.

    Args:
        model: fitted detection error.
        calibration: what it was fitted to.
        path: PNG file.
    """
    c = calibration
    found = c.found
    top = float(np.quantile(c.reference_m2, 0.999)) * 1.2
    area = np.geomspace(c.minimum_m2, max(top, 10 * c.minimum_m2), 120)
    x = size_coordinate(area)
    slope = float(c.slope_deg.mean()) if c.with_terrain else 30.0
    with plot_page(
        path, title="Detection error on held-out blocks", panels=4, columns=2, panel_width=3.6,
        panel_height=2.5, west=0.85, south=0.65, synthetic=model.synthetic,
        legend={"recall, outline, false alarms": patch_handle(COLOURS[0]),
                "split": patch_handle(COLOURS[3]), "merged": patch_handle(COLOURS[1])},
        notes=[
            f"{model.n_reference} reference landslides, {model.n_found} found, {model.n_false} "
            f"false alarms, {model.n_blocks} blocks. Bands: {100 * LEVEL:g} % of a bootstrap of "
            f"blocks, at a slope of {slope:.0f} deg. Points: counts with 95 % intervals, of shares "
            "as if landslides were found independently, of false alarms as wide as blocks differ."
        ],
    ) as axes:  # fmt: skip
        _band(axes[0], area, model.recall_draws(area, np.full(area.size, slope)), COLOURS[0])
        _shares(axes[0], c.reference_m2, found, COLOURS[0])
        axes[0].set_ylabel("share found [-]", fontsize=8)
        for name, outcome, among, colour in (
            ("split", c.outlines > 1, found & (c.members == 1), COLOURS[3]),
            ("merge", c.members > 1, found, COLOURS[1]),
        ):
            level, rise = (model.draws[:, NAMES.index(f"{name}_{k}")] for k in ("0", "area"))
            _band(axes[1], area, special.expit(level[:, None] + rise[:, None] * x), colour)
            _shares(axes[1], c.reference_m2[among], outcome[among], colour)
        axes[1].set_ylabel("share of those found [-]", fontsize=8)
        level, rise = (model.draws[:, NAMES.index(f"ratio_{k}")] for k in ("0", "area"))
        clean = (c.outlines == 1) & (c.members == 1)
        axes[2].plot(
            c.reference_m2[clean], np.exp(c.ln_ratio[clean]), "o", color="#808080", markersize=2,
            alpha=0.4, markeredgewidth=0,
        )  # fmt: skip
        _band(axes[2], area, np.exp(level[:, None] + rise[:, None] * x), COLOURS[0])
        axes[2].set_ylabel("detected / reference area [-]", fontsize=8)
        for ax in axes[:3]:
            ax.set_xlabel("landslide area [m²]", fontsize=8)
        log_axes(axes[2])
        for ax in axes[:2]:
            ax.set_xscale("log")
            ax.set_ylim(0.0, 1.0)
        _false(axes[3], model, c)
    return path


def _band(ax: Any, at: FloatArray, draws: FloatArray, colour: str) -> None:
    low, middle, high = np.quantile(draws, (0.5 - 0.5 * LEVEL, 0.5, 0.5 + 0.5 * LEVEL), axis=0)
    ax.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(at, middle, color=colour, linewidth=1.4)


def _shares(ax: Any, areas: FloatArray, outcome: BoolArray, colour: str) -> None:
    """Shares in classes of about equally many landslides."""
    if not areas.size:
        return
    order = np.argsort(areas)
    for part in np.array_split(order, min(CLASSES, areas.size)):
        k, n = int(outcome[part].sum()), part.size
        low, high = share_interval(k, n)
        at = float(np.exp(np.log(areas[part]).mean()))
        ax.plot([at, at], [float(low), float(high)], color=colour, linewidth=0.8)
        ax.plot([at], [k / n], "o", color=colour, markersize=3.5)


def _false(ax: Any, model: ObservationModel, c: Calibration) -> None:
    slope = np.linspace(0.0, 50.0, 60)
    rates = np.stack([false_rate_of(model.named(d), slope) for d in range(len(model.draws))])
    _band(ax, slope, rates, COLOURS[0])
    counted = false_by_slope(c, model)
    for one in counted:
        ax.plot([one.middle_deg] * 2, [one.low, one.high], color=COLOURS[0], linewidth=0.8)
        ax.plot([one.middle_deg], [one.rate], "o", color=COLOURS[0], markersize=3.5)
    # The interval of almost no ground reaches far above all that matters.
    highest = max(one.high for one in counted if one.share > LEAST_SHARE)
    ax.set_ylim(0.0, 1.1 * max(highest, float(np.quantile(rates, 0.95, axis=0).max())))
    ax.set_xlabel("slope [°]", fontsize=8)
    ax.set_ylabel("false alarms [1/km²]", fontsize=8)
