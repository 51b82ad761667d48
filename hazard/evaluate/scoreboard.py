"""Rows of the scoreboard from the scores of all schemes, models and epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hazard.archive.predictions import LABEL, Header
from hazard.archive.records import ModelRecord, SchemeRecord
from hazard.evaluate.cases import Cases
from hazard.evaluate.comparisons import (
    best_of,
    gain,
    gap_closed,
    in_sample_rate,
    is_compared,
    mean_over_epochs,
)
from hazard.evaluate.resample import Estimate, undefined
from hazard.evaluate.rows import ALL_FOLDS, EPOCH_MEAN_NAME, NOT_RUN, Row, row_of
from hazard.evaluate.scoring import ScoreKey, Scores, orientation
from hazard.evaluate.settings import EvaluationSettings
from hazard.evaluate.thresholds import keeps_future_away

CLIMATOLOGICAL_LABEL = "hindcast with climatological rain"
CEILING_SCHEMES = ("same_epoch_blocks", "spatial_blocks")
OVER_BEST = "_gain_over_best"
DESIGNS = (
    "random", "spatial_blocks", "leave_one_epoch_out", "forward_chaining", "space_time_blocks",
)  # fmt: skip
MEAN = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """Scores kept for comparisons, and what makes them rows.

    Attributes:
        header: axes of the predictions.
        epochs: names of the epochs.
        settings: what was scored.
        synthetic: True where nothing was observed.
        cell_km: side of a cell.
        scores: by scheme, model and epoch; epoch -1 is the mean over epochs.
        cells: by the same, what cells were tested, as bytes; forecasts on other cells are not
            compared.
    """

    header: Header
    epochs: Sequence[str]
    settings: EvaluationSettings
    synthetic: bool
    cell_km: float
    scores: dict[tuple[str, str, int], Scores] = field(default_factory=dict)
    cells: dict[tuple[str, str, int], bytes] = field(default_factory=dict)

    def epoch_name(self, epoch: int) -> str:
        """Name of an epoch in the table."""
        return EPOCH_MEAN_NAME if epoch == MEAN else self.epochs[epoch]

    def label(self, scheme: SchemeRecord, model: str) -> str:
        """What the forecaster knew, and what the data are."""
        rain = any(m.name == model and m.rain == "climatological" for m in self.header.models)
        parts = [CLIMATOLOGICAL_LABEL if rain else LABEL]
        parts += ["in-sample"] * scheme.in_sample + ["training and test share cells"] * scheme.leaks
        return "; ".join(parts + ["SYNTHETIC"] * self.synthetic)

    def row(
        self, scheme: SchemeRecord, model: str, epoch: int, key: ScoreKey, estimate: Estimate,
        *, fold: str = ALL_FOLDS, score: str | None = None, reference: str = "", note: str = "",
    ) -> Row:  # fmt: skip
        """One row; `model` may also name what no model forecast, such as the ceiling."""
        return row_of(
            key, estimate, level=self.settings.level, unit=self.settings.resampled, score=score,
            scheme=scheme.name, fold=fold, epoch=self.epoch_name(epoch), model=model,
            reference=reference, label=self.label(scheme, model), note=note,
        )  # fmt: skip

    def add(
        self, scheme: SchemeRecord, model: str, parts: Mapping[int, Scores],
        cases: Mapping[int, Cases],
    ) -> Iterator[Row]:  # fmt: skip
        """Rows of one model under one scheme; what comparisons need is kept."""
        together = dict(parts)
        if len(parts) > 1:
            together[MEAN] = mean_over_epochs(list(parts.values()))
        for epoch, scores in together.items():
            for key, estimate in scores.items():
                yield self.row(scheme, model, epoch, key, estimate)
            where = (scheme.name, model, epoch)
            self.scores[where] = {
                key: estimate
                for key, estimate in scores.items()
                if is_compared(key, self.cell_km) or key.score == "observed_rate"
            }
            tested = [cases[e].cell for e in (parts if epoch == MEAN else [epoch])]
            self.cells[where] = b"|".join(cell.tobytes() for cell in tested)

    def compare(
        self, scheme: SchemeRecord, model: str, epoch: int, reference: tuple[str, str]
    ) -> Iterator[tuple[ScoreKey, Estimate]]:
        """Gains of a model over (scheme, model) of reference in one epoch."""
        here, there = (scheme.name, model, epoch), (*reference, epoch)
        if here not in self.scores or there not in self.scores:
            return
        same = self.cells[here] == self.cells[there]
        for key, estimate in self.scores[here].items():
            if orientation(key.score) and key in self.scores[there]:
                yield (
                    key,
                    gain(key, estimate, self.scores[there][key])
                    if same
                    else undefined("the two were not tested on the same cells", estimate.n),
                )

    def baselines(self) -> list[str]:
        """Names of the baselines, variants with other rain left out."""
        return [m.name for m in self.header.models if m.kind == "baseline" and not m.variant_of]


def comparison_rows(board: Board) -> Iterator[Row]:
    """Gains over baselines and over the best one, loss with climatological rain, ceiling."""
    best: list[Row] = []
    for scheme in board.header.schemes:
        for record in board.header.models:
            epochs = [e for s, m, e in board.scores if (s, m) == (scheme.name, record.name)]
            for epoch in epochs:
                if record.variant_of:
                    yield from _rain_rows(board, scheme, record, epoch)
                if record.kind != "baseline":
                    yield from _gain_rows(board, scheme, record.name, epoch)
                    best += _best_rows(board, scheme, record.name, epoch)
        yield from _in_sample_rows(board, scheme)
        if keeps_future_away(scheme.separates):
            yield from _ceiling_rows(board, scheme)
    n = sum(not np.isnan(row.low) for row in best)
    for row in best:
        note = f"{row.note}; one of {n} such intervals, not adjusted"
        yield row if np.isnan(row.low) else replace(row, note=note)


def _gain_rows(board: Board, scheme: SchemeRecord, model: str, epoch: int) -> Iterator[Row]:
    for baseline in board.baselines():
        for key, estimate in board.compare(scheme, model, epoch, (scheme.name, baseline)):
            yield board.row(
                scheme, model, epoch, key, estimate, score=f"{key.score}_gain", reference=baseline
            )


def _best_rows(board: Board, scheme: SchemeRecord, model: str, epoch: int) -> Iterator[Row]:
    candidates = {
        name: board.scores[scheme.name, name, epoch]
        for name in board.baselines()
        if (scheme.name, name, epoch) in board.scores
    }
    for key, estimate in board.scores[scheme.name, model, epoch].items():
        name = best_of(key, candidates) if orientation(key.score) else None
        if name is None:
            continue
        same = board.cells[scheme.name, model, epoch] == board.cells[scheme.name, name, epoch]
        difference = (
            gain(key, estimate, candidates[name][key])
            if same
            else undefined("the two were not tested on the same cells", estimate.n)
        )
        yield board.row(
            scheme, model, epoch, key, difference, score=f"{key.score}{OVER_BEST}",
            reference=name, note="reference: the best baseline on these very cells",
        )  # fmt: skip


def _rain_rows(
    board: Board, scheme: SchemeRecord, record: ModelRecord, epoch: int
) -> Iterator[Row]:
    for key, estimate in board.compare(
        scheme, record.name, epoch, (scheme.name, record.variant_of)
    ):
        yield board.row(
            scheme, record.name, epoch, key, estimate, score=f"{key.score}_rain_gain",
            reference=record.variant_of,
        )  # fmt: skip


def _in_sample_rows(board: Board, scheme: SchemeRecord) -> Iterator[Row]:
    """The constant at the rate of the test cells, once per epoch."""
    seen: set[int] = set()
    for (name, _, epoch), scores in board.scores.items():
        if name != scheme.name or epoch in seen or epoch == MEAN:
            continue
        seen.add(epoch)
        for key, rate in scores.items():
            if key.score == "observed_rate" and key.mapping_unit_km == board.cell_km:
                for score, estimate in in_sample_rate(rate).items():
                    yield board.row(
                        scheme, "in_sample_rate", epoch, replace(key, score=score), estimate
                    )


def _ceiling_rows(board: Board, scheme: SchemeRecord) -> Iterator[Row]:
    model = board.settings.ceiling_model
    source = next(
        (s for s in CEILING_SCHEMES if any((n, m) == (s, model) for n, m, _ in board.scores)), None
    )
    if source is None:
        yield Row(
            scheme=scheme.name, model="ceiling", score=NOT_RUN,
            note=f"no forecast of {model} under {' or '.join(CEILING_SCHEMES)}",
        )  # fmt: skip
        return
    tested = sorted({e for s, _, e in board.scores if s == scheme.name and e != MEAN})
    for epoch in tested:
        top = board.scores.get((source, model, epoch))
        if top is None:
            continue
        for key, estimate in top.items():
            if orientation(key.score):
                yield board.row(
                    scheme, "ceiling", epoch, key, estimate, reference=f"{model} of {source}",
                    note="same-epoch ceiling",
                )  # fmt: skip
        yield from _gap_rows(board, scheme, epoch, source)


def _gap_rows(board: Board, scheme: SchemeRecord, epoch: int, source: str) -> Iterator[Row]:
    model = board.settings.ceiling_model
    base, top = (scheme.name, model, epoch), (source, model, epoch)
    if base not in board.scores:
        return
    for record in board.header.models:
        here = (scheme.name, record.name, epoch)
        if here not in board.scores or record.kind == "baseline":
            continue
        same = board.cells[here] == board.cells[base] == board.cells[top]
        for key, estimate in board.scores[here].items():
            if not orientation(key.score) or key not in board.scores[top]:
                continue
            share = (
                gap_closed(key, estimate, board.scores[base][key], board.scores[top][key])
                if same
                else undefined("not tested on the same cells", estimate.n)
            )
            yield board.row(
                scheme, record.name, epoch, key, share, score=f"{key.score}_gap_closed",
                reference=f"{model} of {source}",
            )  # fmt: skip


def not_run_rows(board: Board) -> Iterator[Row]:
    """One row for everything that is absent, with the reason."""
    for absent in board.header.not_run:
        known = [s for s in board.header.schemes if s.name == absent.scheme]
        fold = ALL_FOLDS if absent.fold is None else fold_name(known, absent.fold)
        yield Row(
            scheme=absent.scheme, fold=fold, model=absent.model, score=NOT_RUN, note=absent.reason
        )
    told = {s.name for s in board.header.schemes} | {s.design for s in board.header.schemes}
    told |= {absent.scheme for absent in board.header.not_run}
    for design in DESIGNS:
        if design not in told:
            yield Row(scheme=design, score=NOT_RUN, note="not asked for by the configuration")


def fold_name(schemes: Sequence[SchemeRecord], number: int) -> str:
    """Name of a fold by its place on the axis of the predictions."""
    for scheme in schemes:
        if number < len(scheme.fold_names):
            return scheme.fold_names[number]
    return f"fold {number}"
