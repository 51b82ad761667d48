"""One run of ``python -m stats.residuals``: read forecasts, make the section, write it whole."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stats.case_arrays import IntArray, UndefinedScoreError
from stats.command.errors import DataError, UsageError
from stats.command.frame import Session
from stats.command.pages import write_page
from stats.command.predictions_read import FORWARD, HeldOut, cases_of, open_held_out
from stats.command.predictors_read import predictors_of
from stats.command.residuals_figures import draw_figures
from stats.command.residuals_page import page_parts
from stats.command.residuals_words import plain_words
from stats.command.whole_folder import (
    FIGURES,
    HTML,
    build_page,
    check_replaceable,
    listed_files,
    whole_folder,
    write_json,
    write_rows,
)
from stats.residuals.cases import ForecastCases
from stats.residuals.section import ResidualSection, residual_section

LAYOUT, LAYOUT_VERSION = "stats-residuals", 2
RECORD, PAGE = "residuals.json", "residuals.md"
# References that say something about skill, where the run has them.
USUAL = ("climatology", "persistence_mean", "logistic", "lightgbm")


@dataclass(frozen=True, kw_only=True)
class ResidualsSettings:
    """Settings of a run.

    Attributes:
        run: run folder of hazard.fit.
        out: folder of the results.
        scheme: how data were held out; None for forward chaining, else the first scheme.
        model: forecaster; None for the first network, else the first model.
        references: forecasters to hold it against; None for the usual baselines of the run.
        draws: simulated outcomes behind each envelope.
        level: coverage.
        seed: of everything random.
        html: build the page.
        dpi: resolution of the figures [dots per inch].
        key: of whoever asks, kept in the record; says whether a folder is still good.
    """

    run: Path
    out: Path
    scheme: str | None = None
    model: str | None = None
    references: tuple[str, ...] | None = None
    draws: int = 199
    level: float = 0.95
    seed: int = 0
    html: bool = True
    dpi: int = 130
    key: str = ""


class NoSectionError(DataError):
    """A run whose forecasts cannot be looked at this way, and why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualsRun:
    """A finished run.

    Attributes:
        settings: of the run, with scheme, model and references as they were chosen.
        title: of the study.
        synthetic: nothing in it was observed.
        cases: what was looked at.
        section: what was found.
    """

    settings: ResidualsSettings
    title: str
    synthetic: bool
    cases: ForecastCases
    section: ResidualSection


def run_residuals(settings: ResidualsSettings, talk: Session) -> ResidualsRun:
    """Make the residual section of one model of a run and write its folder.

    Args:
        settings: of the run.
        talk: log and progress.

    Raises:
        UsageError: a scheme, model or reference that the run does not have, a folder that is not
            ours to replace.
        DataError: no run folder, or one of another layout.
        NoSectionError: a forecast that called impossible what came.
    """
    check_replaceable(settings.out, record=RECORD, layout=LAYOUT, built=HTML)
    held_out = open_held_out(settings.run)
    chosen = _chosen(settings, held_out)
    assert chosen.scheme is not None  # _chosen leaves nothing open
    assert chosen.model is not None
    with talk.reporter.task("residuals", 3) as advance:
        cases, numbers, extent = cases_of(
            held_out, chosen.scheme, chosen.model, chosen.references or (), predictors_of
        )
        advance(1)
        try:
            section = residual_section(
                cases, rng=np.random.default_rng(chosen.seed), draws=chosen.draws,
                level=chosen.level,
            )  # fmt: skip
        except UndefinedScoreError as reason:
            raise NoSectionError(
                held_out.path, found=f"{chosen.model}: {reason}", expected="a forecast that "
                "calls nothing impossible",
            ) from None  # fmt: skip
        advance(1)
        found = ResidualsRun(
            settings=chosen, title=held_out.title, synthetic=held_out.synthetic, cases=cases,
            section=section,
        )  # fmt: skip
        with whole_folder(chosen.out, record=RECORD, layout=LAYOUT, built=HTML) as folder:
            _write(found, folder, numbers, extent)
        advance(1)
    for text in section.notes:
        talk.log.info(text)
    return found


def _chosen(settings: ResidualsSettings, held_out: HeldOut) -> ResidualsSettings:
    schemes = held_out.scheme_names()
    if not schemes:
        raise UsageError(f"{settings.run}: found no scheme that holds data out")
    scheme = settings.scheme or (FORWARD if FORWARD in schemes else schemes[0])
    if scheme not in schemes:
        raise UsageError(f"--scheme: found {scheme!r}; expected one of {', '.join(schemes)}")
    models = [m for m in held_out.model_names() if held_out.covers(scheme, m)]
    networks = [m for m in held_out.model_names("network") if m in models]
    model = settings.model or next(iter([*networks, *models]), None)
    if model is None or model not in models:
        raise UsageError(f"--model: found {model!r}; expected one of {', '.join(models)}")
    references = settings.references
    if references is None:
        references = tuple(m for m in USUAL if m in models and m != model)
    for name in references:
        if name not in models or name == model:
            rest = ", ".join(m for m in models if m != model)
            raise UsageError(f"--references: found {name!r}; expected some of {rest}")
    return ResidualsSettings(
        **{**asdict(settings), "scheme": scheme, "model": model, "references": references}
    )


def tables_of(section: ResidualSection) -> dict[str, list[dict[str, Any]]]:
    """Rows of every table, by the name of its file."""
    differences = [
        {
            "score": score, "reference": d.second, "difference": d.difference.value,
            "low": d.difference.low, "high": d.difference.high, "p_value": d.p_value,
            "blocks": d.difference.unit, "n": d.n,
            "hering_genton_p": section.ability[score, d.second].p_value()
            if (score, d.second) in section.ability else math.nan, "note": d.note,
        }
        for score, rows in section.differences.items() for d in rows
    ]  # fmt: skip
    structure = [
        {
            "epoch": s.epoch, "moran": s.structure.moran.value, "z": s.structure.moran.z,
            "p_value": s.p_value, "q_value": s.q_value, "range_m": s.range_m,
            "range_beyond_reach": s.beyond,
        }
        for s in section.structures
    ]  # fmt: skip
    reliability = [
        {
            "epoch": epoch, "miscalibration": r.miscalibration,
            "miscalibration_p": r.miscalibration_p_value, "curve_p": r.curve_p_value,
            "worm_p": section.worms[epoch].p_value, "pit_p": section.pits[epoch].p_value,
        }
        for epoch, r in section.reliability.items()
    ]  # fmt: skip
    coverage = [
        {**row.labels, **{k: v for k, v in asdict(row).items() if k != "labels"},
         "fault": row.fault}
        for row in section.coverage
    ]  # fmt: skip
    return {
        "scores": section.scores.rows(), "differences": differences, "structure": structure,
        "reliability": reliability, "tests": [asdict(t) for t in section.tests],
        "persistence": [asdict(p) for p in section.persistence],
        "block_tests": [asdict(t) for t in section.block_tests],
        "coverage": coverage, "totals": [asdict(t) for t in section.totals],
    }  # fmt: skip


def _write(
    run: ResidualsRun, folder: Path, numbers: IntArray, extent: tuple[float, float, float, float]
) -> None:
    (folder / FIGURES).mkdir()
    for name, rows in tables_of(run.section).items():
        write_rows(folder / f"{name}.csv", rows)
    figures = draw_figures(run, folder / FIGURES, numbers, extent, dpi=run.settings.dpi)
    parts = page_parts(run, {name: f"{FIGURES}/{path.name}" for name, path in figures.items()})
    write_page(folder / PAGE, parts)
    if run.settings.html:
        build_page(folder, parts, project="Residuals")
    settings = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(run.settings).items()}
    record = {
        "layout": LAYOUT, "layout_version": LAYOUT_VERSION,
        "written": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "synthetic": run.synthetic, "title": run.title, "n": run.cases.n, "settings": settings,
        "best": run.section.best, "plain_words": plain_words(run),
        "predictors": sorted(run.cases.predictors),
        "notes": list(run.section.notes), "files": listed_files(folder, html=run.settings.html),
    }  # fmt: skip
    write_json(folder / RECORD, record)


def print_summary(run: ResidualsRun) -> None:
    """What the section says in plain words, and where it is."""
    from rich.console import Console

    console = Console()
    if run.synthetic:
        console.print("[bold white on red] SYNTHETIC [/] nothing here was observed")
    for line in plain_words(run):
        console.print(f"- {line}", highlight=False, markup=False)
    console.print(f"written to {run.settings.out}", highlight=False)
