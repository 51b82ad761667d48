"""How much better a split that leaks makes a model look than honest ones, on the same cells."""

from __future__ import annotations

from collections.abc import Iterator

from hazard.archive.records import SchemeRecord
from hazard.evaluate.optimism import Read, ScoreCases, gap_rows, paired_gaps
from hazard.evaluate.rows import NOT_RUN, Row
from hazard.evaluate.scoreboard import MEAN, Board

SUFFIX = "_leaking_minus_honest"
NOTE = "positive: the leak flatters the model"


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
    gaps = paired_gaps(read(leaking.name, model), read(honest.name, model), epochs, score)
    yield from gap_rows(board, leaking, honest, model, gaps, suffix=SUFFIX, note=NOTE)
