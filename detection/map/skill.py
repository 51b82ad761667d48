"""What detection costs: hazard fitted on detected and on reference inventories, one truth.

All forecasts are held against the reference inventory, on the cells and epochs that all runs
forecast and that the reference saw. Differences are paired, case by case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hazard.errors import DataError
from stats.calibration.rates import correct_mean
from stats.case_arrays import BoolArray, FloatArray, UndefinedScoreError
from stats.command.predictions_read import HeldOut, open_held_out
from stats.laws.hurdle import hurdle_lognormal
from stats.resampling.block_bootstrap import (
    BlockDraws,
    Statistic,
    difference,
    draw_spatial_blocks,
    mean_of,
    ratio_of,
)
from stats.scores.brier import brier_terms
from stats.scores.logarithmic import log_terms
from stats.scores.ranking_by_block import areas_by_block

FULL_PERCENT = 100.0
SIDES = ("detected", "carried", "reference")
# Name of a difference -> the one side less the other.
DIFFERENCES = {
    "difference": ("detected", "reference"),
    "carried_difference": ("carried", "reference"),
    "gain": ("carried", "detected"),
}


def skill_rows(
    folders: Mapping[str, Path],
    *,
    scheme: str,
    block_m: float,
    draws: int,
    seed: int,
    level: float = 0.95,
    counts: Callable[[FloatArray, FloatArray], BoolArray] | None = None,
) -> list[dict[str, Any]]:
    """Scores of all forecasts and their paired differences, for every model of all runs.

    Args:
        folders: run folders of hazard.fit on "detected" inventories, on the same with the detection
            error "carried" on, and on "reference" inventories, whose landslides are the truth of
            all; without "carried" two are compared.
        scheme: how forecasts were held out, such as forward_chaining.
        block_m: side of the blocks that the bootstrap draws [m].
        draws: bootstrap draws.
        seed: of the draws.
        level: coverage of the intervals.
        counts: whether cells at (x_m, y_m) are scored; None: all are.

    Returns:
        Rows of model, score (auc, brier, log_score, log_score_corrected, area_ratio: expected over
        mapped area), side (detected, carried, reference, and the differences of `DIFFERENCES`),
        value, low, high, n, n_events, unit, n_units, and why a value is missing.

    Raises:
        DataError: runs on different lattices or epochs, or without common forecasts.
    """
    runs = {side: open_held_out(folders[side]) for side in SIDES if side in folders}
    _same_lattice(runs)
    truth = runs["reference"].root
    observed = np.asarray(truth["observed"][:], dtype=bool)
    density = np.asarray(truth["area_density"][:], dtype=np.float64)
    x, y = (np.asarray(truth[name][:], dtype=np.float64) for name in ("x", "y"))
    if counts is not None:
        east, north = np.meshgrid(x, y)
        observed &= counts(east.ravel(), north.ravel()).reshape(east.shape)
    rows: list[dict[str, Any]] = []
    for model in runs["reference"].model_names():
        if not all(
            scheme in run.scheme_names() and model in run.model_names()
            and run.covers(scheme, model) for run in runs.values()
        ):  # fmt: skip
            continue
        fields = {side: _true_fields(run, scheme, model) for side, run in runs.items()}
        where = observed & np.logical_and.reduce(
            [np.isfinite(f["probability"]) for f in fields.values()]
        )
        if not where.any():
            continue
        _, row, column = np.nonzero(where)
        drawn = draw_spatial_blocks(
            x[column], y[row], side_m=block_m, draws=draws, rng=np.random.default_rng(seed)
        )
        rows += _model_rows(model, fields, where, density, drawn, level)
    if not rows:
        raise DataError(
            folders["reference"], found=f"no model with forecasts of all runs under {scheme}",
            expected="some, on cells that the reference saw",
        )  # fmt: skip
    return rows


def _true_fields(run: HeldOut, scheme: str, model: str) -> dict[str, FloatArray]:
    """Probability of a true landslide, not of one that the detector records, with mu and sigma."""
    at = (
        [s["name"] for s in run.schemes].index(scheme),
        [m["name"] for m in run.models].index(model),
    )
    found = run.fields(scheme, model)
    return found | {"probability": np.asarray(run.root["probability"][at], dtype=np.float64)}


def _same_lattice(runs: Mapping[str, HeldOut]) -> None:
    truth = runs["reference"]
    for run in runs.values():
        same = run.epochs == truth.epochs and all(
            np.array_equal(run.root[name][:], truth.root[name][:]) for name in ("x", "y")
        )
        if not same:
            raise DataError(
                run.path, found="other cells or epochs than the run on reference inventories",
                expected="the same",
            )  # fmt: skip


def _model_rows(
    model: str,
    fields: Mapping[str, Mapping[str, FloatArray]],
    where: BoolArray,
    density: FloatArray,
    drawn: BlockDraws,
    level: float,
) -> list[dict[str, Any]]:
    event = density[where] > 0
    epoch = np.nonzero(where)[0]
    found: dict[str, dict[str, Statistic]] = {}
    for side in fields:
        law = hurdle_lognormal(
            np.clip(fields[side]["probability"][where], 0.0, 1.0), fields[side]["mu"][where],
            fields[side]["sigma"][where], upper=FULL_PERCENT,
        )  # fmt: skip
        p = np.asarray(law.probability, dtype=np.float64)
        corrected = p.copy()
        for number in np.unique(epoch):
            own = epoch == number
            rate = float(event[own].mean())
            if 0.0 < rate < 1.0 and 0.0 < p[own].mean() < 1.0:
                corrected[own] = correct_mean(p[own], rate).probability
        found[side] = {
            "auc": _auc(p, event, drawn),
            "brier": mean_of(brier_terms(p, event), drawn.block),
            "log_score": mean_of(log_terms(p, event), drawn.block),
            "log_score_corrected": mean_of(log_terms(corrected, event), drawn.block),
            "area_ratio": ratio_of(np.asarray(law.mean()), density[where], drawn.block),
        }
    rows = []
    for score in found["reference"]:
        statistics = {side: found[side][score] for side in found}
        statistics |= {
            name: difference(statistics[one], statistics[other])
            for name, (one, other) in DIFFERENCES.items()
            if one in found and other in found
        }
        for side, statistic in statistics.items():
            row: dict[str, Any] = {
                "model": model, "score": score, "side": side, "value": None, "low": None,
                "high": None, "n": int(where.sum()), "n_events": int(event.sum()),
                "unit": drawn.unit, "n_units": drawn.n_blocks, "note": "",
            }  # fmt: skip
            try:
                interval = drawn.interval(statistic, level=level)
            except UndefinedScoreError as error:
                row["note"] = str(error)
            else:
                row |= {"value": interval.value, "low": interval.low, "high": interval.high}
            rows.append(row)
    return rows


def _auc(p: FloatArray, event: BoolArray, drawn: BlockDraws) -> Statistic:
    def statistic(multiplicity: FloatArray) -> FloatArray:
        return areas_by_block(p, event, drawn.block, multiplicity)[0]

    return statistic
