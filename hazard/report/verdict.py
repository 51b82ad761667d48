"""What the numbers say, in plain words: who wins, by how much, and how sure that is.

Every sentence is made from rows of the scoreboard. A win or a loss is one whose paired interval
excludes 0; everything else is named as not told apart, whatever the sign of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hazard.archive.names import FEWEST_POSITIVES
from hazard.report.evaluation import CEILING, MEAN
from hazard.report.leak_comparison import leak_lines
from hazard.report.page import absent
from hazard.report.score_names import HEADLINE, RANKING, TOTALS, ScoreColumn, interval_text
from hazard.report.scoreboard import (
    CLOSED,
    OPTIMISM,
    OVER_BEST,
    Found,
    SchemeScores,
    all_differences,
    scheme_scores,
)
from hazard.report.scores_tables import main_scheme
from hazard.report.source import Source
from stats.command.pages import escape

if TYPE_CHECKING:
    import pandas as pd

FEWEST_EPOCHS = 5
OUTCOMES = ("better", "worse", "not told apart")
TOO_FEW = "too few landslides"


@dataclass(frozen=True, kw_only=True)
class Duel:
    """The subject against the best baseline by one score in one epoch.

    Attributes:
        epoch: name.
        score: title of the score.
        gain: difference, positive where the subject is better.
        opponent: title of the best baseline.
        few: True where the epoch holds too few landslides to conclude anything.
    """

    epoch: str
    score: str
    gain: Found
    opponent: str
    few: bool = False

    @property
    def outcome(self) -> str:
        """``better``, ``worse``, ``not told apart`` or, of a few epoch, ``too few landslides``."""
        if self.few:
            return TOO_FEW
        return {1: "better", -1: "worse", 0: "not told apart"}[self.gain.certain]


def duels_of(source: Source, scheme: str, columns: Sequence[ScoreColumn] = HEADLINE) -> list[Duel]:
    """The subject against the best baseline, epoch by epoch and score by score."""
    board, subject = source.evaluation.scoreboard, source.subject
    if board is None or subject is None:
        return []
    scores = scheme_scores(board, scheme)
    duels = []
    for epoch in scores.in_order(source.epoch_names):
        for column in columns:
            found = scores.find(column, model=subject, epoch=epoch, suffix=OVER_BEST)
            if found is not None and not math.isnan(found.value):
                duels.append(
                    Duel(
                        epoch=epoch, score=column.title, gain=found,
                        opponent=source.model_label(found.reference),
                        few=scores.is_few(epoch),
                    )
                )  # fmt: skip
    return duels


def verdict_parts(source: Source) -> list[str]:
    """Paragraphs for the front page and the page of scores."""
    board, subject = source.evaluation.scoreboard, source.subject
    scheme = main_scheme(source)
    if board is None:
        return [absent("A verdict", "there is no scoreboard")]
    if subject is None or scheme is None:
        return [absent("A verdict", "the scoreboard holds no held-out scores of a model")]
    kind = "network" if source.models[subject].kind == "network" else "model"
    name = source.model_label(subject)
    lines = []
    scores = scheme_scores(board, scheme)
    every = duels_of(source, scheme)
    duels = [duel for duel in every if not duel.few]
    if duels:
        whose = name if name == kind else f"{kind} ({name})"
        lines += _duel_lines(source, scheme, duels, f"The {whose}")
    elif every:
        lines.append(
            f"No verdict: every test epoch under {source.scheme_title(scheme)} holds too few "
            "landslides."
        )
    else:
        lines.append(
            f"{name} was not compared with a baseline under {source.scheme_title(scheme)}: the "
            "scoreboard has no paired differences."
        )
    lines += [
        f"{epoch} holds {scores.positives(epoch)} cells with landslides, fewer than "
        f"{FEWEST_POSITIVES}: its scores stand in the tables and are not counted here."
        for epoch in scores.in_order(source.epoch_names)
        if scores.is_few(epoch)
    ]
    lines += _ceiling_lines(source, scores, subject)
    lines += _total_lines(source, scores, subject)
    lines += _optimism_lines(board, subject)
    lines += leak_lines(source)
    lines += _reach_lines(source, scores)
    return ["\n".join(f"- {escape(line)}" for line in lines) + "\n"]


def _duel_lines(source: Source, scheme: str, duels: list[Duel], name: str) -> list[str]:
    count = {word: sum(d.outcome == word for d in duels) for word in OUTCOMES}
    epochs = list(dict.fromkeys(d.epoch for d in duels))
    scores = ", ".join(dict.fromkeys(d.score for d in duels))
    verdict = _verdict(count["better"], count["worse"], count["not told apart"])
    lines = [
        f"{name} {verdict}. Under {source.scheme_title(scheme)}, {len(epochs)} test "
        f"{'epoch' if len(epochs) == 1 else 'epochs'}, by {scores}: better in {count['better']}, "
        f"worse in {count['worse']}, not told apart in {count['not told apart']} of {len(duels)} "
        "comparisons. Better and worse are said where the interval of the paired difference "
        "excludes 0; intervals are not adjusted for their number. The opponent is the best "
        "baseline of each epoch and score."
    ]
    for epoch in epochs:
        texts = []
        for word in OUTCOMES:
            here = [_duel_text(d) for d in duels if d.epoch == epoch and d.outcome == word]
            if here:
                texts.append(f"{word}: {'; '.join(here)}")
        lines.append(f"{epoch}. {'. '.join(t[0].upper() + t[1:] for t in texts)}.")
    if source.models[source.subject or ""].kind != "network":
        lines.append("No network was run; the comparison is among baselines.")
    return lines


def _verdict(better: int, worse: int, open_: int) -> str:
    """What the counts say.

    Example:
        >>> _verdict(0, 3, 5), _verdict(0, 0, 8)
        ('loses to a baseline', 'is not told apart from the best baseline')
    """
    if worse and better:
        return "beats the best baseline in some comparisons and loses to it in others"
    if worse:
        return "loses to a baseline"
    if better:
        return "beats the best baseline" + (" in some comparisons" if open_ else " throughout")
    return "is not told apart from the best baseline"


def _duel_text(duel: Duel) -> str:
    gain = duel.gain
    place = "ahead of" if gain.value > 0 else "behind"
    size = interval_text(abs(gain.value), *_ends(gain))
    return f"{duel.score}, {place} {duel.opponent} by {size}"


def _ends(gain: Found) -> tuple[float, float]:
    """Ends of the interval of the size of a difference, which is positive as it is told."""
    return (gain.low, gain.high) if gain.value > 0 else (-gain.high, -gain.low)


def _ceiling_lines(source: Source, scores: SchemeScores, subject: str) -> list[str]:
    lines = []
    base = source.model_label(source.evaluation.ceiling_model)
    for epoch in scores.in_order(source.epoch_names):
        own = scores.find(RANKING[0], model=subject, epoch=epoch)
        top = scores.find(RANKING[0], model=CEILING, epoch=epoch)
        if own is None or top is None or math.isnan(own.value) or math.isnan(top.value):
            continue
        if scores.is_few(epoch):
            continue
        line = f"{epoch}: AUC {own.text}, ceiling {top.text}"
        closed = scores.find(RANKING[0], model=subject, epoch=epoch, suffix=CLOSED)
        if closed is not None and not math.isnan(closed.value):
            line += f"; share of the room above {base} that is closed: {closed.text}"
            if closed.value < 0:
                line += f" (negative: it is behind {base})"
        if own.high < 0.5:
            line += (
                "; below 0.5 it ranks cells with landslides behind those without: what held in "
                "the training epochs, where they were mapped included, does not hold here"
            )
        if own.value > top.value:
            line += "; a forecast above the ceiling is suspect: look for a leak"
        lines.append(f"{line}.")
    return lines


def _total_lines(source: Source, scores: SchemeScores, subject: str) -> list[str]:
    texts = []
    for epoch in scores.in_order(source.epoch_names):
        ratio = scores.find(TOTALS[2], model=subject, epoch=epoch)
        if ratio is not None and not math.isnan(ratio.value):
            texts.append(f"{ratio.text} in {epoch}")
    if not texts:
        return []
    return [f"Predicted over observed total area (1 is right): {'; '.join(texts)}."]


def _optimism_lines(board: pd.DataFrame, subject: str) -> list[str]:
    return [
        f"Random folds make its AUC look better than spatial blocks by {found.text}; scores under "
        "random folds are no measure of skill at new places."
        for _, model, epoch, found in all_differences(board, RANKING[0], OPTIMISM)
        if model == subject and epoch == MEAN and not math.isnan(found.value)
    ]


def _reach_lines(source: Source, scores: SchemeScores) -> list[str]:
    n_epochs = len(scores.in_order(source.epoch_names))
    lines = ["Intervals are within the epoch that was tested: other places, the same time."]
    if n_epochs < FEWEST_EPOCHS:
        lines.append(
            f"{n_epochs} test {'epoch is' if n_epochs == 1 else 'epochs are'} fewer than "
            f"{FEWEST_EPOCHS}: no claim about future epochs follows."
        )
    return lines
