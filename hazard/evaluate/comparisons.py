"""Differences between forecasts on the same draws: gains, room to the ceiling, optimism."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hazard.evaluate.resample import NAN, Estimate, undefined
from hazard.evaluate.scoring import ALL, FEW, ScoreKey, Scores, orientation
from stats.case_arrays import FloatArray

COMPARED = frozenset(
    {
        "auc", "average_precision", "brier", "log_score", "f1", "mcc", "crps", "hurdle_log_score",
        "mae", "rmse", "pearson_r",
    }
)  # fmt: skip


def is_compared(key: ScoreKey, cell_km: float) -> bool:
    """True for scores whose differences are tabled: all cells, in cells, with a direction.

    Example:
        >>> is_compared(ScoreKey("auc", 0.0, mapping_unit_km=1.0), 1.0)
        True
        >>> is_compared(ScoreKey("observed_rate", 0.0, mapping_unit_km=1.0), 1.0)
        False
    """
    named = key.score in COMPARED or key.score.startswith("quantile_score")
    return named and key.subset == ALL and key.mapping_unit_km == cell_km


def _combine(
    first: Estimate, second: Estimate, function: Callable[[FloatArray, FloatArray], FloatArray]
) -> Estimate:
    """A function of two estimates, draw by draw; without a value where one has none."""
    for part in (first, second):
        if np.isnan(part.value):
            return undefined(part.note or "one of the two has no value", first.n)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(function(np.array([first.value]), np.array([second.value]))[0])
        draws = (
            None
            if first.draws is None or second.draws is None
            else function(first.draws, second.draws)
        )
    if np.isnan(value):
        return undefined("both scores are infinite", first.n)
    return Estimate(
        value=value, draws=draws, n=first.n, n_blocks=min(first.n_blocks, second.n_blocks)
    )


def gain(key: ScoreKey, model: Estimate, reference: Estimate) -> Estimate:
    """How much better the model is than the reference; positive is better for every score.

    Example:
        >>> better, worse = Estimate(value=0.1), Estimate(value=0.15)
        >>> round(gain(ScoreKey("brier", 0.0), better, worse).value, 3)
        0.05
    """
    sign = orientation(key.score)
    return _combine(model, reference, lambda m, r: sign * (m - r))


def gap_closed(key: ScoreKey, model: Estimate, reference: Estimate, ceiling: Estimate) -> Estimate:
    """Share of the room between reference and ceiling that the model closes.

    Example:
        >>> key = ScoreKey("auc", 0.0)
        >>> parts = (Estimate(value=v) for v in (0.87, 0.86, 0.89))
        >>> round(gap_closed(key, *parts).value, 3)
        0.333
    """
    won, room = gain(key, model, reference), gain(key, ceiling, reference)
    if not room.value > 0.0:
        return undefined("the ceiling is not above the reference here", model.n)
    share = _combine(won, room, lambda w, r: w / r)
    if room.draws is not None and not (room.draws[~np.isnan(room.draws)] > 0.0).all():
        note = "no interval: in some draws the ceiling is not above the reference"
        return replace(share, draws=None, note=note)
    return share


def best_of(key: ScoreKey, candidates: Mapping[str, Scores]) -> str | None:
    """Name of the candidate with the best value; None where none has one.

    Example:
        >>> key = ScoreKey("brier", 0.0)
        >>> best_of(key, {"a": {key: Estimate(value=0.2)}, "b": {key: Estimate(value=0.1)}})
        'b'
    """
    sign = orientation(key.score)
    values = {
        name: sign * scores[key].value
        for name, scores in candidates.items()
        if key in scores and not np.isnan(scores[key].value)
    }
    return max(values, key=lambda name: values[name]) if values else None


def mean_over_epochs(parts: Sequence[Scores]) -> Scores:
    """Mean of every score over epochs, draw by draw; without a value where an epoch has none.

    Example:
        >>> key = ScoreKey("auc", 0.0)
        >>> mean_over_epochs([{key: Estimate(value=0.8)}, {key: Estimate(value=0.6)}])[key].value
        0.7
    """
    keys = [key for key in parts[0] if all(key in part for part in parts)]
    return {key: _mean([part[key] for part in parts]) for key in keys}


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    note = f"mean of {len(estimates)} epochs; blocks are resampled, epochs are not"
    few = sum(FEW in e.note for e in estimates)
    if few:
        note += f"; {few} of them hold {FEW} cells with landslides"
    shared = set(estimates[0].note.split("; ")).intersection(
        *(e.note.split("; ") for e in estimates[1:])
    )
    # What holds for each epoch (few draws, a distance and no test) holds for their mean.
    note = "; ".join([note, *(p for p in estimates[0].note.split("; ") if p in shared and p)])
    missing = [e for e in estimates if np.isnan(e.value)]
    n = sum(e.n for e in estimates)
    if missing:
        return undefined(f"no value in {len(missing)} of {len(estimates)} epochs", n)
    draws = [e.draws for e in estimates if e.draws is not None]
    return Estimate(
        value=float(np.mean([e.value for e in estimates])),
        draws=np.mean(draws, axis=0) if len(draws) == len(estimates) else None,
        n=n,
        n_blocks=min(e.n_blocks for e in estimates),
        note=note if draws else f"{note}; no interval is made",
    )


def in_sample_rate(observed_rate: Estimate) -> dict[str, Estimate]:
    """Scores of the constant forecast at the rate of the test cells themselves.

    Args:
        observed_rate: share of cells with landslides.

    Returns:
        Brier score p(1 - p) and log score (entropy); nobody could have issued that forecast.

    Example:
        >>> round(in_sample_rate(Estimate(value=0.2))["brier"].value, 3)
        0.16
    """

    def brier(p: FloatArray) -> FloatArray:
        return p * (1.0 - p)

    def entropy(p: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = -p * np.log(p) - (1.0 - p) * np.log1p(-p)
        return np.where((p > 0.0) & (p < 1.0), inside, np.where(np.isnan(p), NAN, 0.0))

    return {
        name: Estimate(
            value=float(function(np.array([observed_rate.value]))[0]),
            draws=None if observed_rate.draws is None else function(observed_rate.draws),
            n=observed_rate.n,
            n_blocks=observed_rate.n_blocks,
            note="in-sample: the rate of the test cells themselves",
        )
        for name, function in (("brier", brier), ("log_score", entropy))
    }
