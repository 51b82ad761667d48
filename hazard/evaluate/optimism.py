"""How much better random folds make a model look than spatial blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hazard.archive.records import SchemeRecord
from hazard.evaluate.cases import Cases, ModelFields
from hazard.evaluate.comparisons import gain, mean_over_epochs
from hazard.evaluate.resample import BlockTable, undefined
from hazard.evaluate.rows import NOT_RUN, Row
from hazard.evaluate.scoreboard import MEAN, Board
from hazard.evaluate.scoring import ScoreKey, Scores, orientation, presence_scores
from stats.case_arrays import IntArray
from stats.resampling.block_bootstrap import mean_of
from stats.scores.crps import crps_terms

RANDOM, BLOCKED = "random", "spatial_blocks"
SUFFIX = "_random_minus_blocked"

Read = Callable[[str, str], ModelFields]


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
    first, second = read(random.name, model), read(blocked.name, model)
    gaps: dict[int, Scores] = {}
    for epoch in epochs:
        pair = shared_cells(first.cases(epoch), second.cases(epoch))
        if pair is None:
            continue
        a, b = (_scores(cases, table.block[cases.cell], table, board.cell_km) for cases in pair)
        gaps[epoch] = {key: gain(key, a[key], b[key]) for key in a if orientation(key.score)}
    if not gaps:
        key = ScoreKey("auc", 0.0, mapping_unit_km=board.cell_km)
        gaps[epochs[0]] = {key: undefined("random folds and blocks test no cell in common")}
    if len(gaps) > 1:
        gaps[MEAN] = mean_over_epochs(list(gaps.values()))
    for epoch, scores in gaps.items():
        for key, estimate in scores.items():
            yield board.row(
                random, model, epoch, key, estimate, score=f"{key.score}{SUFFIX}",
                reference=blocked.name, note="positive: random folds flatter the model",
            )  # fmt: skip


def shared_cells(first: Cases | None, second: Cases | None) -> tuple[Cases, Cases] | None:
    """Both forecasts on the cells that both test; None where there is none."""
    if first is None or second is None:
        return None
    both = np.intersect1d(first.cell, second.cell)
    if not both.size:
        return None
    return first.take(np.isin(first.cell, both)), second.take(np.isin(second.cell, both))


def _scores(cases: Cases, block: IntArray, table: BlockTable, cell_km: float) -> Scores:
    found = presence_scores(
        cases.probability, cases.present(0.0), block, table, threshold_percent=0.0,
        mapping_unit_km=cell_km,
    )  # fmt: skip
    crps = mean_of(crps_terms(cases.law, cases.density), block)
    found[ScoreKey("crps", mapping_unit_km=cell_km)] = table.estimate(crps, block)
    return found
