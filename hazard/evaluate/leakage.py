"""How much better a split that leaks makes a model look than honest ones, on the same cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hazard.archive.records import SchemeRecord
from hazard.evaluate.cases import Cases, ModelFields
from hazard.evaluate.comparisons import gain, mean_over_epochs
from hazard.evaluate.optimism import shared_cells
from hazard.evaluate.rows import NOT_RUN, Row
from hazard.evaluate.scoreboard import MEAN, Board
from hazard.evaluate.scoring import Scores, orientation

SUFFIX = "_leaking_minus_honest"
NOTE = "positive: the leak flatters the model"

Read = Callable[[str, str], ModelFields]
ScoreCases = Callable[[Cases], Scores]


def leak_rows(board: Board, read: Read, score: ScoreCases) -> Iterator[Row]:
    """Score under every split that leaks minus score under every honest one, model by model.

    Both are taken on the cells that both schemes test, epoch by epoch, and on the same draws; the
    sign is such that positive means that the leak flatters the model. Nothing where no scheme
    leaks.

    Args:
        board: header, names and what was scored.
        read: from scheme and model to the forecasts.
        score: all scores of a set of cases.
    """
    for leaking in (s for s in board.header.schemes if s.leaks):
        for record in board.header.models:
            run = {(s, e) for s, m, e in board.scores if m == record.name and e != MEAN}
            if not any(s == leaking.name for s, _ in run):
                continue
            rows = [
                row
                for honest in board.header.schemes
                if not (honest.leaks or honest.in_sample)
                for row in _rows(board, read, score, leaking, honest, record.name, run)
            ]
            if not rows:
                rows = [
                    Row(
                        scheme=leaking.name, model=record.name, score=NOT_RUN,
                        note="no gap to honest skill: no honest scheme tested this model on the "
                        "same cells",
                    )
                ]  # fmt: skip
            yield from rows


def _rows(
    board: Board, read: Read, score: ScoreCases, leaking: SchemeRecord, honest: SchemeRecord,
    model: str, run: set[tuple[str, int]],
) -> Iterator[Row]:  # fmt: skip
    epochs = sorted(e for s, e in run if s == leaking.name and (honest.name, e) in run)
    if not epochs:
        return
    first, second = read(leaking.name, model), read(honest.name, model)
    gaps: dict[int, Scores] = {}
    for epoch in epochs:
        pair = shared_cells(first.cases(epoch), second.cases(epoch))
        if pair is not None:
            a, b = (score(cases) for cases in pair)
            gaps[epoch] = {key: gain(key, a[key], b[key]) for key in a if orientation(key.score)}
    if len(gaps) > 1:
        gaps[MEAN] = mean_over_epochs(list(gaps.values()))
    for epoch, scores in gaps.items():
        for key, estimate in scores.items():
            yield board.row(
                leaking, model, epoch, key, estimate, score=f"{key.score}{SUFFIX}",
                reference=honest.name, note=NOTE,
            )  # fmt: skip
