"""Figures of the residual section: maps, curves and panels, drawn from what one call found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stats.case_arrays import FloatArray, IntArray
from stats.command.map_panels import MapPanel, draw_map_pages
from stats.command.plots_curves import Curve, CurvePanel, draw_curve_pages
from stats.command.plots_residuals import (
    CoveragePanel,
    NormalPanel,
    TransformPanel,
    draw_coverage_pages,
    draw_normal_pages,
    draw_transform_pages,
)
from stats.command.plots_scores import ForestPanel, draw_forest_pages
from stats.command.plots_structure import StructurePanel, draw_structure_pages
from stats.spatial.residuals import presence_residuals

if TYPE_CHECKING:
    from stats.calibration.worm import QuantileCurve
    from stats.command.residuals_run import ResidualsRun

Extent = tuple[float, float, float, float]
# A handful of cells with large scores must not take all colours of a map.
SHOWN_PERCENT = 98.0
COVERAGE_LEVEL = 0.8
TITLES = {"crps": "CRPS", "log": "log score"}
UNITS = {"crps": "percent of the cell", "log": "nat"}


def draw_figures(
    run: ResidualsRun, folder: Path, numbers: IntArray, extent: Extent, *, dpi: int = 130
) -> dict[str, Path]:
    """Draw everything into a folder.

    Args:
        run: what was found.
        folder: of the figures.
        numbers: (epoch, y, x) number of each case, -1 where there is none.
        extent: of the lattice [m]: left, bottom, right, top.
        dpi: resolution [dots per inch].

    Returns:
        Files by name; the second page of a figure is "NAME 2", and so on.
    """
    drawn: dict[str, Path] = {}

    def add(name: str, draw: Callable[..., list[Path]], panels: object, **options: object) -> None:
        if not panels:
            return
        pages = draw(
            panels, folder / f"{name}.png", synthetic=run.synthetic, dpi=dpi, **options
        )  # fmt: skip
        for number, path in enumerate(pages):
            drawn[name if number == 0 else f"{name} {number + 1}"] = path

    add("differences", draw_forest_pages, _forest(run), columns=2,
        title="Score differences to references", subjects=[])  # fmt: skip
    maps = _planes(run, numbers)
    for score in run.section.differences:
        add(f"difference_{score}", draw_map_pages, _difference_maps(run, score, maps, extent),
            title=f"{TITLES[score]}, forecast less {run.section.best}")  # fmt: skip
    add("reliability", draw_curve_pages, _reliability(run), kind="reliability",
        title="Reliability of presence")  # fmt: skip
    add("pit", draw_transform_pages, _pits(run), title="Randomised transform (PIT)")
    add("worm", draw_normal_pages, _worms(run), kind="worm",
        title="Worm plots of quantile residuals")  # fmt: skip
    add("structure", draw_structure_pages, _structures(run),
        title="Do neighbours share their residuals?")  # fmt: skip
    add("presence", draw_map_pages, _presence_maps(run, maps, extent),
        title="Standardised score residuals of presence")  # fmt: skip
    add("coverage", draw_coverage_pages, _coverage(run),
        title=f"Coverage of {100 * COVERAGE_LEVEL:g} % intervals, by expected density")  # fmt: skip
    return drawn


def _planes(run: ResidualsRun, numbers: IntArray) -> Mapping[str, IntArray]:
    """(y, x) numbers of cases by name of the epoch, in the order of the epochs."""
    found = {}
    for plane in numbers:
        held = plane[plane >= 0]
        if held.size:
            found[str(run.cases.epoch[held[0]])] = plane
    return found


def _on(plane: IntArray, terms: FloatArray) -> FloatArray:
    return np.where(plane >= 0, terms[np.maximum(plane, 0)], np.nan)


def _presence_maps(
    run: ResidualsRun, maps: Mapping[str, IntArray], extent: Extent
) -> list[MapPanel]:
    residual = presence_residuals(run.cases.law.probability, run.cases.value > 0).value
    return [
        MapPanel(
            values=_on(plane, residual), extent_m=extent, title=name, unit="standard deviations",
            kind="diverging", limits=(-3.0, 3.0),
        )
        for name, plane in maps.items()
    ]  # fmt: skip


def _difference_maps(
    run: ResidualsRun, score: str, maps: Mapping[str, IntArray], extent: Extent
) -> list[MapPanel]:
    section = run.section
    if score not in section.best_terms or score not in section.terms:
        return []
    gap = section.terms[score] - section.best_terms[score]
    if not np.isfinite(gap).all() or not gap.any():
        return []
    end = float(np.percentile(np.abs(gap), SHOWN_PERCENT)) or float(np.abs(gap).max())
    return [
        MapPanel(
            values=_on(plane, gap), extent_m=extent, title=name, unit=UNITS[score],
            kind="diverging", limits=(-end, end),
        )
        for name, plane in maps.items()
    ]  # fmt: skip


def _forest(run: ResidualsRun) -> list[ForestPanel]:
    return [
        ForestPanel(
            title=f"{TITLES[score]} [{UNITS[score]}]", names=[d.second for d in rows],
            values=np.array([d.difference.value for d in rows]),
            low=np.array([d.difference.low for d in rows]),
            high=np.array([d.difference.high for d in rows]),
            better="low", reference=0.0, reference_label="no difference",
        )
        for score, rows in run.section.differences.items()
        if len(rows) == max(len(r) for r in run.section.differences.values())
    ]  # fmt: skip


def _reliability(run: ResidualsRun) -> list[CurvePanel]:
    return [
        CurvePanel(
            title=str(epoch),
            curves=[
                Curve(
                    name="isotonic frequency, and where a calibrated forecast's would lie",
                    x=r.forecast, y=r.frequency, low=r.low_all, high=r.high_all,
                )
            ],
            note=f"p of the curve {r.curve_p_value:.3g}\nmiscalibration {r.miscalibration:.3g}, "
            f"p {r.miscalibration_p_value:.3g}",
        )
        for epoch, r in run.section.reliability.items()
    ]  # fmt: skip


def _pits(run: ResidualsRun) -> list[TransformPanel]:
    return [
        TransformPanel(
            title=str(epoch),
            edges=h.edges,
            share=h.share,
            low=h.low_all,
            high=h.high_all,
            note=f"n = {h.n:,}, p of the whole {h.p_value:.3g}",
        )
        for epoch, h in run.section.pits.items()
    ]


def _worms(run: ResidualsRun) -> list[NormalPanel]:
    def panel(title: str, w: QuantileCurve) -> NormalPanel:
        return NormalPanel(
            title=title, normal=w.normal, residual=w.residual, low=w.low, high=w.high,
            low_all=w.low_all, high_all=w.high_all,
            note=f"n = {w.n:,}, p of the whole curve {w.p_value:.3g}",
        )  # fmt: skip

    panels = [panel("all cases", run.section.worm)]
    if len(run.section.worms) > 1:
        panels += [panel(str(epoch), w) for epoch, w in run.section.worms.items()]
    return panels


def _structures(run: ResidualsRun) -> list[StructurePanel]:
    panels = []
    for one in run.section.structures:
        c, v, e = one.structure.correlogram, one.structure.variogram, one.structure.envelopes
        km = run.cases.cell_m / 1000.0
        moran = one.structure.moran
        for kind, curve, flat, envelope in (
            ("correlogram", c.value, c.expected, e.correlogram if e else None),
            ("variogram", v.gamma, v.variance, e.variogram if e else None),
        ):
            note = f"Moran's I of neighbours {moran.value:.3f}, z = {moran.z:.1f}"
            if kind == "variogram":
                note = "" if envelope is None else f"p of the whole curve {envelope.p_value:.2g}"
            panels.append(
                StructurePanel(
                    title=f"{one.epoch}: {kind}", kind="correlogram" if kind == "correlogram"
                    else "variogram",
                    distance_km=c.distance * km, value=curve, flat=flat,
                    low=None if envelope is None else envelope.low,
                    high=None if envelope is None else envelope.high,
                    low_all=None if envelope is None else envelope.band_low,
                    high_all=None if envelope is None else envelope.band_high,
                    range_km=one.range_m / 1000.0 if one.range_m > 0 and not one.beyond else None,
                    note=note,
                )
            )  # fmt: skip
    return panels


def _coverage(run: ResidualsRun) -> list[CoveragePanel]:
    panels = []
    for epoch in run.cases.epochs:
        rows = [
            r for r in run.section.coverage
            if r.labels["epoch"] == epoch and r.level == COVERAGE_LEVEL
        ]  # fmt: skip
        panels.append(
            CoveragePanel(
                title=str(epoch), strata=_strata([int(r.labels["decile"]) for r in rows]),
                level=COVERAGE_LEVEL, covered=np.array([r.covered for r in rows]),
                implied=np.array([r.implied for r in rows]),
            )
        )  # fmt: skip
    return panels


def _strata(numbers: list[int]) -> list[str]:
    """Names of classes of the expected density, from the lowest to the highest."""
    names = [str(n + 1) for n in numbers]
    if len(names) > 1:
        names[0], names[-1] = "lowest", "highest"
    return names
