"""How much better random folds make a model look than spatial blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from hazard.archive.records import SchemeRecord
from hazard.evaluate.cases import Cases, ModelFields
from hazard.evaluate.comparisons import gain, mean_over_epochs
from hazard.evaluate.resample import BlockTable, undefined
from hazard.evaluate.rows import NOT_RUN, Row
from hazard.evaluate.scoreboard import MEAN, Board
from hazard.evaluate.scoring import ScoreKey, Scores, orientation, presence_scores
from stats.resampling.block_bootstrap import mean_of
from stats.scores.crps import crps_terms

RANDOM, BLOCKED = "random", "spatial_blocks"
SUFFIX = "_random_minus_blocked"
NOTE = "positive: random folds flatter the model"

Read = Callable[[str, str], ModelFields]
ScoreCases = Callable[[Cases], Scores]


def optimism_rows(board: Board, table: BlockTable, read: Read) -> Iterator[Row]:
    """Score under random folds minus score under spatial blocks, on the cells both test.

    The sign is such that positive means that random folds flatter the model.

    Args:
        board: header and names.
        table: resamples.
        read: from scheme and model to the forecasts.
    """
    schemes = {s.design or s.name: s for s in board.header.schemes}
    for design in (RANDOM, BLOCKED):
        if design not in schemes:
            yield Row(
                scheme=RANDOM, score=NOT_RUN, reference=BLOCKED,
                note=f"no gap between random and blocked skill: {design} was not run",
            )  # fmt: skip
            return
    for record in board.header.models:
        yield from _model_rows(board, table, read, schemes[RANDOM], schemes[BLOCKED], record.name)


def _model_rows(
    board: Board, table: BlockTable, read: Read, random: SchemeRecord, blocked: SchemeRecord,
    model: str,
) -> Iterator[Row]:  # fmt: skip
    run = {(s, e) for s, m, e in board.scores if m == model and e != MEAN}
    epochs = sorted(e for s, e in run if s == random.name and (blocked.name, e) in run)
    if not epochs:
        return
    score = partial(_scores, table=table, cell_km=board.cell_km)
    gaps = paired_gaps(read(random.name, model), read(blocked.name, model), epochs, score)
    if not gaps:
        key = ScoreKey("auc", 0.0, mapping_unit_km=board.cell_km)
        gaps[epochs[0]] = {key: undefined("random folds and blocks test no cell in common")}
    yield from gap_rows(board, random, blocked, model, gaps, suffix=SUFFIX, note=NOTE)


def paired_gaps(
    first: ModelFields, second: ModelFields, epochs: Sequence[int], score: ScoreCases
) -> dict[int, Scores]:
    """By how much the first forecasts are better, on the cells and epochs that both test.

    Args:
        first: forecasts of one scheme.
        second: forecasts of another.
        epochs: epochs that both were run on.
        score: scores of a set of cases.

    Returns:
        Gains by epoch, and their mean where there is more than one epoch with shared cells.
    """
    gaps: dict[int, Scores] = {}
    for epoch in epochs:
        pair = shared_cells(first.cases(epoch), second.cases(epoch))
        if pair is not None:
            a, b = (score(cases) for cases in pair)
            gaps[epoch] = {key: gain(key, a[key], b[key]) for key in a if orientation(key.score)}
    if len(gaps) > 1:
        gaps[MEAN] = mean_over_epochs(list(gaps.values()))
    return gaps


def gap_rows(
    board: Board, first: SchemeRecord, second: SchemeRecord, model: str,
    gaps: Mapping[int, Scores], *, suffix: str, note: str,
) -> Iterator[Row]:  # fmt: skip
    """Rows of `paired_gaps`, at home with the first scheme."""
    for epoch, scores in gaps.items():
        for key, estimate in scores.items():
            yield board.row(
                first, model, epoch, key, estimate, score=f"{key.score}{suffix}",
                reference=second.name, note=note,
            )  # fmt: skip


def shared_cells(first: Cases | None, second: Cases | None) -> tuple[Cases, Cases] | None:
    """Both forecasts on the cells that both test; None where there is none."""
    if first is None or second is None:
        return None
    both = np.intersect1d(first.cell, second.cell)
    if not both.size:
        return None
    return first.take(np.isin(first.cell, both)), second.take(np.isin(second.cell, both))


def _scores(cases: Cases, table: BlockTable, cell_km: float) -> Scores:
    block = table.block[cases.cell]
    found = presence_scores(
        cases.probability, cases.present(0.0), block, table, threshold_percent=0.0,
        mapping_unit_km=cell_km,
    )  # fmt: skip
    crps = mean_of(crps_terms(cases.law, cases.density), block)
    found[ScoreKey("crps", mapping_unit_km=cell_km)] = table.estimate(crps, block)
    return found
