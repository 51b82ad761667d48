"""What densities of several epochs say, in plain words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stats.command.density_run import Change, DensityRun


def density_words(run: DensityRun) -> list[str]:
    """A few sentences: when most failed, what changed, where and how closely landslides lie."""
    return [*_most(run), *(_change(c) for c in run.changes), *_spots(run), *_pairs(run)]


def _most(run: DensityRun) -> list[str]:
    rows = [e.row for e in run.epochs]
    most = max(rows, key=lambda r: r.per_km2)
    if not most.n:
        return ["No landslide lies inside the window."]
    area = max(rows, key=lambda r: r.area_percent)
    lines = [
        f"Most landslides came in {most.epoch}: {most.n:,}, {most.per_km2:.3g} per km2 "
        f"({most.per_km2_low:.3g} to {most.per_km2_high:.3g})."
    ]
    if area.epoch != most.epoch:
        share = f"{area.area_percent:.3g} % of the ground"
        lines.append(f"The most area failed in {area.epoch}: {share}.")
    return lines


def _change(change: Change) -> str:
    whole = change.whole
    ratio, low, high = float(whole.ratio), float(whole.low), float(whole.high)
    per = "per year" if change.per_year else "per epoch"
    start = f"From {change.first} to {change.second} the number {per}"
    if math.isnan(ratio):
        return f"{start} stayed at none."
    end = f"{high:.2g}" if math.isfinite(high) else "open"
    held = f"times the earlier one ({low:.2g} to {end})"
    if low <= 1.0 <= high:
        return f"{start} is not seen to change: {ratio:.2g} {held}."
    up = int((change.found.discovered & (change.cells.ratio > 1)).sum())
    down = int((change.found.discovered & (change.cells.ratio < 1)).sum())
    where = (
        f" It rose in {up} and fell in {down} of {change.found.n_tests} blocks."
        if up or down else ""
    )  # fmt: skip
    return f"{start} {'rose' if ratio > 1 else 'fell'}: {ratio:.2g} {held}.{where}"


def _spots(run: DensityRun) -> list[str]:
    ground = float(run.window.inside.sum())
    hot = [
        f"{e.points.name} ({100.0 * float(e.spots.hot.sum()) / ground:.2g} %)"
        for e in run.epochs if e.spots is not None and e.spots.hot.any()
    ]  # fmt: skip
    if not hot:
        return ["Nowhere more landslides gather than an even scatter would bring together."]
    return [f"Hot spots, with the share of the ground that they take: {', '.join(hot)}."]


def _pairs(run: DensityRun) -> list[str]:
    close = [
        f"{e.points.name} (up to {e.pairs.reach_m / 1000.0:.2g} km)"
        for e in run.epochs if e.pairs is not None and e.pairs.reach_m > 0.0
    ]  # fmt: skip
    if not close:
        return []
    return [
        f"Landslides lie closer together than the broad pattern explains in {', '.join(close)}: "
        "they are not independent, and intervals of numbers that take them as such are too narrow."
    ]
