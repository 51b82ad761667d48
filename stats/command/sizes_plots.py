"""Plots of a size fit: density, survival, Q-Q, P-P and the estimates against the cut.

The data are drawn twice, as density in bins of about equally many areas and as the survival of
every area, so that nothing of the tail hides in a bin. An estimate that is not identified is drawn
hollow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stats.command.plots_page import COLOURS, LINES, line_handle, plot_page, styles_of
from stats.command.sizes_fit import InventoryResult, LawResult
from stats.command.sizes_plot_cuts import draw_against_cut, empty_panel, log_axes
from stats.command.sizes_table import number
from stats.sizes.empirical import adaptive_density, empirical_survival
from stats.sizes.quantities import Estimate

DATA = "#303030"
CUT = "#606060"
ROLLOVER = "#009E73"
AREA_LABEL = "landslide area [m²]"


def draw_inventory(result: InventoryResult, path: Path, *, level: float = 0.95) -> Path:
    """Draw one page for one inventory.

    Args:
        result: its fits; the first law that was fitted is drawn with its band.
        path: PNG file.
        level: coverage of band and intervals, for the notes.
    """
    laws = [law for law in result.laws if law.fit is not None and law.curves is not None]
    styles = styles_of([law.name for law in laws])
    first = laws[0] if laws else None
    notes = _notes(result, first, level)
    legend: dict[str, Any] = {law.name: line_handle(styles[law.name]) for law in laws}
    legend |= _marks(first)
    with plot_page(
        path, title=result.areas.label, panels=6, columns=3, notes=notes, legend=legend,
        synthetic=result.areas.synthetic, panel_width=3.1, panel_height=2.7, west=0.85, east=0.6,
    ) as axes:  # fmt: skip
        _density(axes[0], result, laws, styles, first)
        _survival(axes[1], result, laws, styles, first)
        _quantiles(axes[2], first)
        draw_against_cut(axes[3], result, "alpha", "exponent alpha of the survival [-]")
        draw_against_cut(axes[4], result, "rollover_m2", "rollover [m²]", log=True)
        _shares(axes[5], first)
    return path


def _notes(result: InventoryResult, first: LawResult | None, level: float) -> list[str]:
    record = result.record
    notes = [
        f"{record.n_fit} of {record.n} areas are fitted, from a minimum mapping area of "
        f"{number(record.minimum_mapping_area_m2, 4)} m2 ({record.minimum_from}) on. Points: bins "
        f"of about equally many areas, with exact 95 % intervals of their counts; steps: every "
        "area.",
        *(f"Recording: {note}." for note in record.notes),
    ]
    if first is not None and first.curves is not None and first.curves.draws:
        notes.append(
            f"Band: pointwise {100 * level:g} % of {first.curves.draws} bootstrap refits of "
            f"{first.name}; of Q-Q and P-P: whole curves of simulated "
            "inventories, refitted. Hollow symbols: not identified; bars without a cap: open."
        )
    return notes


def _marks(first: LawResult | None) -> dict[str, Any]:
    from matplotlib.lines import Line2D

    marks = {"minimum mapping area": Line2D([], [], color=CUT, linewidth=1.0, linestyle=":")}
    rollover = None if first is None or first.fit is None else _rollover(first)
    if rollover is not None:
        marks["rollover"] = Line2D(
            [], [], color=ROLLOVER, linewidth=1.0, marker="v", markersize=5,
            markerfacecolor=ROLLOVER if rollover.identified else "white",
        )  # fmt: skip
    return marks


def _rollover(law: LawResult) -> Estimate | None:
    assert law.fit is not None
    found = law.fit.estimates.get("rollover_m2")
    return None if found is None or found.value is None else found


def _density(
    ax: Any, result: InventoryResult, laws: Sequence[LawResult], styles: Any, first: Any
) -> None:
    log_axes(ax)
    record, areas = result.record, result.fitted_m2
    data = adaptive_density(areas, lower_m2=record.lower_m2, pixel_m2=record.pixel_m2)
    tiny = data.density_per_m2 * 0.3
    ax.errorbar(
        data.centre_m2, data.density_per_m2,
        yerr=[
            data.density_per_m2 - np.maximum(data.low, tiny), data.high - data.density_per_m2
        ],
        fmt="o", color=DATA, markersize=3, linewidth=0.8, zorder=6,
    )  # fmt: skip
    # The width of each bin: the last one holds the whole tail.
    ax.hlines(
        data.density_per_m2, data.edges_m2[:-1], data.edges_m2[1:], color=DATA, linewidth=0.6,
        alpha=0.5, zorder=5,
    )  # fmt: skip
    for law in laws:
        curves, style = law.curves, styles[law.name]
        assert curves is not None
        if law is first:
            ax.fill_between(
                curves.area_m2, curves.density_low, curves.density_high, color=style.colour,
                alpha=0.2, linewidth=0,
            )  # fmt: skip
        ax.plot(
            curves.area_m2, curves.density_per_m2, color=style.colour, linestyle=style.line,
            linewidth=0.8 * style.width, zorder=4,
        )  # fmt: skip
    positive = data.density_per_m2[data.density_per_m2 > 0]
    ax.set_ylim(0.2 * positive.min(), 4.0 * max(data.high.max(), positive.max()))
    _mark_limits(ax, record.minimum_mapping_area_m2, first)
    ax.set_xlabel(AREA_LABEL, fontsize=8)
    ax.set_ylabel("probability density [1/m²]", fontsize=8)
    ax.set_title("density above the minimum", fontsize=9)
    n = areas.size
    right = ax.secondary_yaxis("right", functions=(lambda y: y * n, lambda y: y / n))
    right.set_ylabel("frequency density dN/dA [1/m²]", fontsize=7)
    right.tick_params(labelsize=6)


def _mark_limits(ax: Any, minimum: float, first: LawResult | None) -> None:
    ax.axvline(minimum, color=CUT, linewidth=1.0, linestyle=":")
    rollover = None if first is None or first.fit is None else _rollover(first)
    left, right = ax.get_xlim()
    ax.set_xlim(min(left, 0.7 * minimum), right)
    if rollover is None or rollover.value is None:
        return
    if rollover.value < 0.3 * minimum:
        return
    top = 0.94
    trans = ax.get_xaxis_transform()
    low, high = max(rollover.low, 0.3 * minimum), min(rollover.high, 1e3 * rollover.value)
    ax.plot([low, high], [top, top], color=ROLLOVER, linewidth=1.0, transform=trans)
    ax.plot(
        [rollover.value], [top], marker="v", markersize=6, color=ROLLOVER, transform=trans,
        markerfacecolor=ROLLOVER if rollover.identified else "white", linestyle="none", zorder=8,
    )  # fmt: skip
    ax.set_xlim(min(left, 0.7 * minimum, 0.8 * rollover.value), right)


def _survival(
    ax: Any, result: InventoryResult, laws: Sequence[LawResult], styles: Any, first: Any
) -> None:
    log_axes(ax)
    data = empirical_survival(result.fitted_m2)
    ax.fill_between(
        data.area_m2, np.maximum(data.low, 1e-9), data.high, step="pre", color=DATA, alpha=0.12,
        linewidth=0,
    )  # fmt: skip
    ax.step(data.area_m2, data.survival, where="pre", color=DATA, linewidth=1.0, zorder=6)
    for law in laws:
        curves, style = law.curves, styles[law.name]
        assert curves is not None
        if law is first:
            ax.fill_between(
                curves.area_m2, curves.survival_low, curves.survival_high, color=style.colour,
                alpha=0.2, linewidth=0,
            )  # fmt: skip
        ax.plot(
            curves.area_m2, curves.survival, color=style.colour, linestyle=style.line,
            linewidth=0.8 * style.width, zorder=4,
        )  # fmt: skip
    ax.set_ylim(0.3 * data.survival.min(), 1.6)
    _mark_limits(ax, result.record.minimum_mapping_area_m2, None)
    ax.set_xlabel(AREA_LABEL, fontsize=8)
    ax.set_ylabel("share of landslides at least as large [-]", fontsize=8)
    ax.set_title("empirical survival", fontsize=9)


def _quantiles(ax: Any, first: LawResult | None) -> None:
    if first is None or first.envelopes is None:
        empty_panel(ax, "Q-Q", _why(first))
        return
    curve = first.envelopes.qq
    log_axes(ax)
    ax.fill_between(
        curve.model, curve.simultaneous_low, curve.simultaneous_high, color=COLOURS[0], alpha=0.2,
        linewidth=0,
    )  # fmt: skip
    ends = [min(curve.observed[0], curve.model[0]), max(curve.observed[-1], curve.model[-1])]
    ax.plot(ends, ends, color="#505050", linewidth=0.8, linestyle=LINES[1])
    ax.plot(curve.model, curve.observed, "o", color=DATA, markersize=2.2, zorder=5)
    ax.set_ylim(0.6 * curve.observed[0], 5.0 * curve.observed[-1])
    ax.set_xlabel(f"quantile of {first.name} [m²]", fontsize=8)
    ax.set_ylabel(AREA_LABEL, fontsize=8)
    ax.set_title(f"Q-Q, {first.name}, simultaneous envelope; p {curve.p_value:.2f}", fontsize=7.5)


def _shares(ax: Any, first: LawResult | None) -> None:
    if first is None or first.envelopes is None:
        empty_panel(ax, "P-P", _why(first))
        return
    curve = first.envelopes.pp
    place = curve.model
    ax.fill_between(
        place, curve.simultaneous_low - place, curve.simultaneous_high - place, color=COLOURS[0],
        alpha=0.2, linewidth=0,
    )  # fmt: skip
    ax.axhline(0.0, color="#505050", linewidth=0.8, linestyle=LINES[1])
    ax.plot(place, curve.observed - place, color=DATA, linewidth=1.0)
    ax.set_xlim(0, 1)
    ax.set_xlabel("empirical share below [-]", fontsize=8)
    ax.set_ylabel("share of the fit below, less it [-]", fontsize=8)
    p = "" if first.goodness is None else _p_text(first)
    ax.set_title(f"P-P, {first.name}, detrended{p}", fontsize=7.5)


def _why(first: LawResult | None) -> str:
    """Why there are no envelopes."""
    if first is None:
        return "no law was fitted"
    return first.failure or "no inventories were simulated (--draws 0)"


def _p_text(law: LawResult) -> str:
    assert law.goodness is not None
    tests = law.goodness.tests
    return f"; p: KS {tests['ks'].p_value:.2f}, AD {tests['ad'].p_value:.2f}"
