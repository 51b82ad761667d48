"""Score a run: from `predictions.zarr` to the scoreboard and the tables of the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.archive.names import CRITERIA, SCOREBOARD_CSV, SCOREBOARD_PARQUET
from hazard.archive.predictions import LABEL, Predictions, open_predictions
from hazard.archive.records import SchemeRecord
from hazard.errors import DataError
from hazard.evaluate.cases import Array, Cases, read_model
from hazard.evaluate.law_scores import law_scores
from hazard.evaluate.leakage import leak_rows
from hazard.evaluate.optimism import optimism_rows
from hazard.evaluate.resample import BlockTable, block_table
from hazard.evaluate.residuals import MORAN_COLUMNS, moran_rows, on_lattice, residual_percent
from hazard.evaluate.rows import Row, frame_of, write_arrays, write_table
from hazard.evaluate.scoreboard import Board, comparison_rows, fold_name, not_run_rows
from hazard.evaluate.scoring import (
    ScoreKey,
    Scores,
    alarm_scores,
    density_scores,
    presence_scores,
    with_few_noted,
)
from hazard.evaluate.settings import EvaluationSettings, settings_of
from hazard.evaluate.tables import (
    ASSOCIATION_COLUMNS,
    CLASS_COLUMNS,
    CONFUSION_COLUMNS,
    CURVE_COLUMNS,
    DENSITY_EDGES_PERCENT,
    SUSCEPTIBILITY_EDGES,
    TOTAL_COLUMNS,
    association_rows,
    class_rows,
    confusion_codes,
    confusion_row,
    curve_rows,
    density_susceptibility,
    total_row,
)
from hazard.evaluate.thresholds import Cut, Thresholds, keeps_future_away
from hazard.evaluate.units import unit_scores
from hazard.geo.beside import write_beside
from stats.command.progress import Reporter, SilentReporter
from stats.scores.contingency import Criterion

if TYPE_CHECKING:
    from hazard.config.schema import HazardConfig

EVALUATION_FOLDER = "evaluation"
ROW_COLUMNS = tuple(item.name for item in fields(Row))
CONFUSION_CODES = {
    "not tested": 0, "true positive": 1, "true negative": 2, "false positive": 3,
    "false negative": 4,
}  # fmt: skip


@dataclass(kw_only=True, eq=False)
class _Tables:
    """Everything that is written at the end."""

    rows: list[Row] = field(default_factory=list)
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    maps: dict[str, dict[str, Array]] = field(default_factory=dict)
    counts: dict[str, Array] = field(default_factory=dict)

    def add(self, table: str, found: Iterator[dict[str, Any]], **columns: str) -> None:
        self.records.setdefault(table, []).extend({**columns, **record} for record in found)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Study:
    """What every part of the evaluation needs."""

    predictions: Predictions
    settings: EvaluationSettings
    table: BlockTable
    board: Board
    cell_km: float
    cell_area_km2: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.predictions.grid.shape


def evaluate_run(run_folder: Path, config: HazardConfig, progress: Reporter | None = None) -> None:
    """Write the scoreboard and the tables of `evaluation/` of a run folder.

    Args:
        run_folder: holds `predictions.zarr`; see docs/run_folder.md and docs/evaluation.md.
        config: section `fit.evaluation` and the seed are used.
        progress: shows the work; None shows nothing.

    Raises:
        DataError: no readable predictions, or none in them.
    """
    evaluate_predictions(open_predictions(run_folder), run_folder, settings_of(config), progress)


def evaluate_predictions(
    predictions: Predictions, folder: Path, settings: EvaluationSettings,
    progress: Reporter | None = None,
) -> None:  # fmt: skip
    """Score opened predictions; see `evaluate_run`.

    Args:
        predictions: forecasts beside observations.
        folder: where the tables go.
        settings: what is scored.
        progress: shows the work.
    """
    start = time.monotonic()
    study = _study(predictions, settings)
    tasks = [
        (scheme, model.name)
        for scheme in predictions.header.schemes
        for model in predictions.header.models
        if predictions.has(scheme.name, model.name)
    ]
    if not tasks:
        raise DataError(predictions.path, found="no forecast", expected="at least one")
    tables = _Tables()
    reporter = progress or SilentReporter()
    with reporter.task("score forecasts", len(tasks)) as advance:
        for scheme, model in tasks:
            _score_model(study, scheme, model, tables)
            advance(1)
    with reporter.task("compare forecasts", 3) as advance:
        tables.rows += comparison_rows(study.board)
        advance(1)
        read = partial(read_model, predictions)
        tables.rows += optimism_rows(study.board, study.table, read)
        tables.rows += leak_rows(study.board, read, partial(_presence_and_density, study))
        tables.rows += not_run_rows(study.board)
        advance(1)
        _write(study, folder, tables, start)
        advance(1)


def _study(predictions: Predictions, settings: EvaluationSettings) -> _Study:
    grid = predictions.grid
    width, height = grid.cell_size
    cell_km = float(np.sqrt(width * height)) / 1000.0
    return _Study(
        predictions=predictions,
        settings=settings,
        table=block_table(grid, predictions.mask, settings),
        board=Board(
            header=predictions.header,
            epochs=[str(epoch["name"]) for epoch in predictions.epochs],
            settings=settings,
            synthetic=predictions.synthetic,
            cell_km=cell_km,
        ),
        cell_km=cell_km,
        cell_area_km2=grid.cell_area_m2 / 1e6,
    )


def _score_model(study: _Study, scheme: SchemeRecord, model: str, tables: _Tables) -> None:
    """All scores and tables of one model under one scheme."""
    forecasts = read_model(study.predictions, scheme.name, model)
    by_epoch: dict[int, Cases] = {}
    for epoch in range(len(study.board.epochs)):
        cases = forecasts.cases(epoch)
        if cases is not None:
            by_epoch[epoch] = cases
    if not by_epoch:
        return
    thresholds = Thresholds(
        by_epoch,
        forward=keeps_future_away(scheme.separates),
        stored=_stored_thresholds(study.predictions, scheme.name, model),
    )
    cuts: dict[tuple[int, float, Criterion], Cut] = {
        (epoch, level, criterion): thresholds.cut(epoch, level_percent=level, criterion=criterion)
        for epoch in by_epoch
        for level in study.settings.thresholds_percent
        for criterion in ("f1", "mcc")
    }

    def one(epoch: int) -> Scores:
        return _epoch_scores(study, by_epoch[epoch], epoch, cuts)

    with ThreadPoolExecutor(max_workers=2) as pool:
        scores = dict(zip(by_epoch, pool.map(one, by_epoch), strict=True))
    tables.rows += study.board.add(scheme, model, scores, by_epoch)
    for epoch, cases in by_epoch.items():
        tables.rows += _fold_rows(study, scheme, model, epoch, cases)
        _epoch_tables(study, scheme, model, epoch, cases, scores[epoch], cuts, tables)


def _stored_thresholds(
    predictions: Predictions, scheme: str, model: str
) -> Callable[[Criterion, float], Array | None]:
    levels = predictions.header.levels_percent

    def stored(criterion: Criterion, level: float) -> Array | None:
        if criterion not in CRITERIA or level not in levels:
            return None
        return predictions.threshold(scheme, model, criterion=criterion, level=levels.index(level))

    return stored


def _epoch_scores(
    study: _Study, cases: Cases, epoch: int, cuts: dict[tuple[int, float, Criterion], Cut]
) -> Scores:
    block = study.table.block[cases.cell]
    found: Scores = {}
    for level in study.settings.thresholds_percent:
        probability, outcome = cases.exceedance(level), cases.present(level)
        found |= presence_scores(
            probability, outcome, block, study.table, threshold_percent=level,
            mapping_unit_km=study.cell_km, corp_draws=study.settings.corp_draws,
        )  # fmt: skip
        found |= alarm_scores(
            probability, outcome, block, study.table, f1_cut=cuts[epoch, level, "f1"],
            mcc_cut=cuts[epoch, level, "mcc"], threshold_percent=level,
            mapping_unit_km=study.cell_km,
        )  # fmt: skip
    found |= density_scores(
        cases, block, study.table, study.settings, cell_area_km2=study.cell_area_km2,
        cell_km=study.cell_km,
    )  # fmt: skip
    found |= law_scores(cases, block, study.table, cell_km=study.cell_km)
    for side_km in study.settings.mapping_units_km:
        side = round(side_km / study.cell_km)
        if side >= 2:
            found |= unit_scores(
                cases, block, study.table, side=side, cell_km=study.cell_km, shape=study.shape
            )
    return with_few_noted(found, cases)


def _presence_and_density(study: _Study, cases: Cases) -> Scores:
    """Scores of any increase and of its density, as they are compared between schemes."""
    block = study.table.block[cases.cell]
    return presence_scores(
        cases.probability, cases.present(0.0), block, study.table, threshold_percent=0.0,
        mapping_unit_km=study.cell_km,
    ) | density_scores(
        cases, block, study.table, study.settings, cell_area_km2=study.cell_area_km2,
        cell_km=study.cell_km,
    )  # fmt: skip


def _fold_rows(
    study: _Study, scheme: SchemeRecord, model: str, epoch: int, cases: Cases
) -> Iterator[Row]:
    """Ranking and proper scores of the folds that share an epoch, without intervals."""
    numbers = np.unique(cases.fold)
    if numbers.size < 2:
        return
    once = BlockTable(block=study.table.block, multiplicity=study.table.multiplicity[:1])
    for number in numbers:
        part = cases.take(cases.fold == number)
        scores = presence_scores(
            part.probability, part.present(0.0), once.block[part.cell], once,
            threshold_percent=0.0, mapping_unit_km=study.cell_km,
        )  # fmt: skip
        for key, estimate in scores.items():
            if key.score in ("auc", "average_precision", "brier", "log_score"):
                without = type(estimate)(value=estimate.value, n=estimate.n, note=estimate.note)
                yield study.board.row(
                    scheme, model, epoch, key, without, fold=fold_name([scheme], int(number)),
                    note="one fold: no interval",
                )  # fmt: skip


def _epoch_tables(
    study: _Study, scheme: SchemeRecord, model: str, epoch: int, cases: Cases, scores: Scores,
    cuts: dict[tuple[int, float, Criterion], Cut], tables: _Tables,
) -> None:  # fmt: skip
    where = {"scheme": scheme.name, "model": model, "epoch": study.board.epochs[epoch]}
    settings, header = study.settings, study.predictions.header
    block = study.table.block[cases.cell]
    first = cuts[epoch, settings.thresholds_percent[0], "f1"]
    codes = confusion_codes(cases, first)
    tables.add("curves", curve_rows(cases, block, study.table, settings), **where)
    tables.add("confusion", iter([confusion_row(codes, first)]), **where)
    total = {
        name: scores[ScoreKey(f"total_{name}", mapping_unit_km=study.cell_km)]
        for name in ("predicted_km2", "observed_km2", "ratio")
    }
    row = total_row(total["predicted_km2"], total["observed_km2"], total["ratio"], settings)
    tables.add("totals", iter([row]), **where)
    tables.add("classes", class_rows(cases, settings, cell_area_km2=study.cell_area_km2), **where)
    tables.add("moran", moran_rows(cases, study.shape), **where)
    at = (header.model_code(model), epoch)
    maps = tables.maps.setdefault(scheme.name, _empty_maps(study))
    maps["confusion"][at] = on_lattice(cases, codes.astype(np.float64), study.shape, 0.0)
    maps["residual_percent"][at] = on_lattice(cases, residual_percent(cases), study.shape)
    if not tables.counts:
        size = (
            len(header.schemes), len(header.models), len(study.board.epochs),
            DENSITY_EDGES_PERCENT.size - 1, SUSCEPTIBILITY_EDGES.size - 1,
        )  # fmt: skip
        for name in ("expected_counts", "observed_counts"):
            tables.counts[name] = np.zeros(size, dtype=np.int32)
    here = (header.scheme_code(scheme.name), *at)
    for name, counted in zip(
        ("expected_counts", "observed_counts"), density_susceptibility(cases), strict=True
    ):
        tables.counts[name][here] = counted


def _empty_maps(study: _Study) -> dict[str, Array]:
    shape = (len(study.predictions.header.models), len(study.board.epochs), *study.shape)
    return {
        "confusion": np.zeros(shape, dtype=np.uint8),
        "residual_percent": np.full(shape, np.nan, dtype=np.float32),
    }


def _write(study: _Study, folder: Path, tables: _Tables, start: float) -> None:
    """Everything beside its final name first; the scoreboard last."""
    predictions, settings = study.predictions, study.settings
    target = folder / EVALUATION_FOLDER
    tables.add(
        "association",
        association_rows(
            predictions.area_density, predictions.observed & predictions.mask, study.board.epochs,
            settings.thresholds_percent,
        ),
    )  # fmt: skip
    for name, columns in (
        ("curves", CURVE_COLUMNS), ("confusion", CONFUSION_COLUMNS), ("totals", TOTAL_COLUMNS),
        ("classes", CLASS_COLUMNS), ("moran", MORAN_COLUMNS), ("association", ASSOCIATION_COLUMNS),
    ):  # fmt: skip
        write_table(target / f"{name}.parquet", frame_of(tables.records.get(name, []), columns))
    axes = {
        "models": np.array([m.name for m in predictions.header.models]),
        "epochs": np.array(study.board.epochs),
    }
    for scheme, arrays in tables.maps.items():
        write_arrays(target / f"maps_{scheme}.npz", {**axes, **arrays})
    write_arrays(
        target / "density_susceptibility.npz",
        {
            "schemes": np.array([s.name for s in predictions.header.schemes]),
            **axes,
            "susceptibility_edges": SUSCEPTIBILITY_EDGES,
            "density_edges_percent": DENSITY_EDGES_PERCENT,
            **tables.counts,
        },
    )
    board = frame_of(tables.rows, ROW_COLUMNS)
    write_table(folder / SCOREBOARD_CSV, board)
    write_table(folder / SCOREBOARD_PARQUET, board)
    record = {
        "label": LABEL,
        "synthetic": predictions.synthetic,
        "settings": asdict(settings),
        "unit": settings.resampled,
        "blocks": int(study.table.multiplicity.shape[1]),
        "confusion_codes": CONFUSION_CODES,
        "rows": len(tables.rows),
        "seconds": round(time.monotonic() - start, 1),
    }
    with write_beside(target / "evaluation.json") as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
