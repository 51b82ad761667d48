"""The MyST page of a run: ``density.md`` with its figures, whole by itself or in a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stats.command.density_words import density_words
from stats.command.pages import escape, figure, heading, note, table

if TYPE_CHECKING:
    from stats.command.density_run import Change, DensityRun

HEADER = (
    "epoch", "n", "total [km2]", "min [m2]", "max [m2]", "mean [m2]", "per km2", "per km2 and year",
    "area density [%]", "bandwidth [m]",
)  # fmt: skip
SHORT = ("epoch", "n", "total [km2]", "per km2", "area density [%]")  # of a terminal
_CAPTIONS = {
    "density": (
        "Kernel density of landslides [1/km2], one colour scale for all epochs, logarithmic where "
        "they differ much."
    ),
    "area": (
        "Share of the ground that lies in landslides, the area of each at its inner point and "
        "smoothed by the kernels of the map above [%]."
    ),
    "hot_spots": (
        "Where more landslides lie near each other (hot), or fewer (cold), than an even scatter of "
        "as many would give: binomial law of the number in a neighbourhood, false discovery rate "
        "5 %."
    ),
    "pairs": (
        "L(r) - r and the pair correlation of landslides, against Poisson processes whose "
        "intensity is a wide kernel estimate of the same landslides. Above the envelope landslides "
        "lie closer together than the broad pattern of the study explains."
    ),
    "change": (
        "Change of the rate between neighbouring epochs, log2 of the ratio, where it is discovered "
        "at a false discovery rate of 5 %; rates that began or ended stand at the ends."
    ),
}


def table_rows(run: DensityRun, columns: Sequence[str] = HEADER) -> list[list[str]]:
    """Rows of the table of densities, in the columns asked for."""
    rows = []
    for epoch in run.epochs:
        r = epoch.row
        year = f"{r.per_km2_year:.3g}" if math.isfinite(epoch.points.years) else ""
        cells = (
                r.epoch, f"{r.n:,}", f"{r.total_m2 / 1e6:.4g}", _size(r.minimum_m2),
                _size(r.maximum_m2), _size(r.mean_m2),
                f"{r.per_km2:.3g} ({r.per_km2_low:.3g} to {r.per_km2_high:.3g})", year,
                f"{r.area_percent:.3g} ({r.area_percent_low:.3g} to {_end(r.area_percent_high)})",
                f"{epoch.density.bandwidth_m:,.0f}",
        )  # fmt: skip
        named = dict(zip(HEADER, cells, strict=True))
        rows.append([named[name] for name in columns])
    return rows


def page_parts(run: DensityRun, figures: Mapping[str, str]) -> list[str]:
    """The parts of ``density.md``.

    Args:
        run: what was found.
        figures: paths of the figures relative to the page, by name.
    """
    level = f"{100 * run.settings.level:g} %"
    parts = [heading(run.settings.title)]
    if run.synthetic:
        parts.append(note("SYNTHETIC: nothing on this page was observed.", kind="warning"))
    parts.append(
        f"{run.window.area_km2:,.1f} km2 in cells of {run.window.cell_m:g} m; window: "
        f"{escape(run.window_from)}. Numbers stand with {level} intervals of a Poisson law, areas "
        f"with {level} intervals by resampling a Poisson number of landslides: landslides that "
        "came in one storm are not independent, and tell less than these say.\n"
    )
    parts.append(heading("In plain words", 2))
    parts.append("\n".join(f"- {escape(line)}" for line in density_words(run)) + "\n")
    parts.append(heading("Numbers and areas", 2))
    parts.append(table(HEADER, table_rows(run)))
    outside = [f"{e.points.name}: {e.outside}" for e in run.epochs if e.outside]
    if outside:
        parts.append(note(f"Outside the window and left out: {', '.join(outside)}."))
    chosen = sorted({e.bandwidth_from for e in run.epochs})
    parts.append(f"Bandwidths: {escape('; '.join(chosen))}.\n")
    if run.differences:
        parts += _differences(run)
    for name, path in figures.items():
        if not name.startswith(("pairs", "change")):
            parts.append(figure(path, _CAPTIONS[name.split(" ")[0]]))
    parts += _pairs(run, figures)
    if run.changes:
        parts.append(heading("Change from epoch to epoch", 2))
        unit = "per year" if run.changes[0].per_year else "per epoch, lengths being unknown"
        parts.append(
            f"Ratios of rates ({unit}), with exact {level} intervals; the p-value is a mid-p. "
            "Blocks are two kernels wide.\n"
        )
        parts.append(
            table(
                ["from", "to", "ratio", "p", "blocks tested", "up", "down"],
                [_change_row(change) for change in run.changes],
            )
        )
        parts += [figure(p, _CAPTIONS["change"]) for n, p in figures.items()
                  if n.startswith("change")]  # fmt: skip
    return parts


def _differences(run: DensityRun) -> list[str]:
    """Predicted minus reference, as the multi-temporal papers table it."""
    rows = [
        [
            d.epoch, f"{r.n:,}", f"{r.total_m2 / 1e6:.4g}", f"{d.n:+,}", f"{d.total_m2 / 1e6:+.4g}",
            f"{d.per_km2:+.3g}", f"{d.area_percent:+.3g}", _ratio(d.n_ratio), _ratio(d.total_ratio),
        ]
        for d, r in zip(run.differences, run.reference_rows, strict=True)
    ]  # fmt: skip
    return [
        heading("Against the reference inventories", 2),
        "This inventory minus the reference over the same ground. Both map the same landslides, so "
        "the intervals above say nothing about the difference.\n",
        table(
            ["epoch", "n of the reference", "its total [km2]", "n", "total [km2]", "per km2",
             "area density [%]", "ratio of n", "ratio of totals"],
            rows,
        ),
    ]  # fmt: skip


def _pairs(run: DensityRun, figures: Mapping[str, str]) -> list[str]:
    """K function and pair correlation, where there were enough landslides."""
    rows = []
    for epoch in run.epochs:
        p = epoch.pairs
        if p is None:
            continue
        thinned = f" of {p.thinned_from:,}" if p.thinned_from > p.n else ""
        rows.append(
            [
                epoch.points.name, f"{p.n:,}{thinned}", f"{p.kernel_m / 1000.0:.3g}",
                f"{float(p.correlation.observed[0]):.3g}", f"{p.correlation.p_value:.2g}",
                f"{p.spread.p_value:.2g}",
                f"{p.reach_m / 1000.0:.2g}" if p.reach_m else "not above",
            ]
        )  # fmt: skip
    if not rows:
        return []
    return [
        heading("Do landslides crowd beyond their broad pattern?", 2),
        "K and pair correlation with an inhomogeneous intensity: a kernel estimate of the same "
        "landslides, wide enough to hold the broad pattern alone. Where the intensity is made from "
        "the points themselves the test is cautious. Tables at all distances: pairs.csv.\n",
        table(
            ["epoch", "n", "kernel [km]", "g at the smallest distance", "p of g", "p of L",
             "closer than Poisson up to [km]"],
            rows,
        ),
        *(figure(path, _CAPTIONS["pairs"]) for name, path in figures.items()
          if name.startswith("pairs")),
    ]  # fmt: skip


def _ratio(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "no reference"


def _change_row(change: Change) -> list[object]:
    w, found = change.whole, change.found.discovered
    ratio = float(w.ratio)
    text = "no landslides" if math.isnan(ratio) else f"{ratio:.3g}"
    return [
        change.first, change.second,
        f"{text} ({float(w.low):.3g} to {_end(float(w.high))})", f"{float(w.p_value):.2g}",
        change.found.n_tests, int((found & (change.cells.ratio > 1)).sum()),
        int((found & (change.cells.ratio < 1)).sum()),
    ]  # fmt: skip


def _size(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else ""


def _end(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "open"
