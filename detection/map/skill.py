"""What detection costs: hazard fitted on detected and on reference inventories, one truth.

Both forecasts are held against the reference inventory, on the cells and epochs that both runs
forecast and that the reference saw. The difference is paired, case by case.
"""

from __future__ import annotations

from collections.abc import Mapping
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
SIDES = ("detected", "reference")


def skill_rows(
    detected: Path,
    reference: Path,
    *,
    scheme: str,
    block_m: float,
    draws: int,
    seed: int,
    level: float = 0.95,
) -> list[dict[str, Any]]:
    """Scores of both forecasts and their paired difference, for every model of both runs.

    Args:
        detected: run folder of hazard.fit on detected inventories.
        reference: the same on reference inventories; its landslides are the truth of both.
        scheme: how forecasts were held out, such as forward_chaining.
        block_m: side of the blocks that the bootstrap draws [m].
        draws: bootstrap draws.
        seed: of the draws.
        level: coverage of the intervals.

    Returns:
        Rows of model, score (auc, brier, log_score, log_score_corrected, area_ratio: expected over
        mapped area), side (detected, reference, difference: detected - reference), value, low,
        high, n, n_events, unit, n_units, and why a value is missing.

    Raises:
        DataError: runs on different lattices or epochs, or without common forecasts.
    """
    runs = {"detected": open_held_out(detected), "reference": open_held_out(reference)}
    _same_lattice(runs)
    truth = runs["reference"].root
    observed = np.asarray(truth["observed"][:], dtype=bool)
    density = np.asarray(truth["area_density"][:], dtype=np.float64)
    x, y = (np.asarray(truth[name][:], dtype=np.float64) for name in ("x", "y"))
    rows: list[dict[str, Any]] = []
    for model in runs["reference"].model_names():
        if not all(
            scheme in run.scheme_names() and model in run.model_names()
            and run.covers(scheme, model) for run in runs.values()
        ):  # fmt: skip
            continue
        fields = {side: run.fields(scheme, model) for side, run in runs.items()}
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
            reference, found=f"no model with forecasts of both runs under {scheme}",
            expected="some, on cells that the reference saw",
        )  # fmt: skip
    return rows


def _same_lattice(runs: Mapping[str, HeldOut]) -> None:
    one, other = runs["detected"], runs["reference"]
    same = one.epochs == other.epochs and all(
        np.array_equal(one.root[name][:], other.root[name][:]) for name in ("x", "y")
    )
    if not same:
        raise DataError(
            one.path, found="other cells or epochs than the run on reference inventories",
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
    for side in SIDES:
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
    for score, of_reference in found["reference"].items():
        statistics = {
            "detected": found["detected"][score], "reference": of_reference,
            "difference": difference(found["detected"][score], of_reference),
        }  # fmt: skip
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
