"""Rows of the tables of a study of transfer: plain values, ready for CSV and for the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detection.chain.counts import SceneCounts
from detection.chain.designs import design_scores
from detection.chain.plan import ChainPlan
from detection.chain.regions import RegionPatches
from detection.chain.scores import Estimate, Ground, Measure, Scope, ScoreTable
from detection.chain.transfer import matrix, transfer_numbers, verdict
from detection.patches.split_record import ROLES

Row = dict[str, Any]


def matrix_names(plan: ChainPlan) -> tuple[str, ...]:
    """Trainings that are scored on all regions: all but those on few data."""
    return tuple(t.name for t in plan.trainings if t.share == 1.0)


def matrix_rows(plan: ChainPlan, tables: Sequence[ScoreTable], *, level: float) -> list[Row]:
    """Every training on every region, event epoch and others, on unseen and on all ground.

    On all ground the event epoch is left out: it would be the ground of its training.
    """
    rows = []
    for table in tables:
        for cell in matrix(plan, table, matrix_names(plan)):
            if table.ground == "all" and cell.scope == "event":
                continue
            planned = plan[cell.training]
            rows.append(
                {
                    "training": cell.training, "kind": planned.kind, "variant": planned.variant,
                    "position": planned.position, "region": cell.region, "scope": cell.scope,
                    "ground": table.ground, "measure": table.measure, "seen": int(cell.seen),
                    **estimate_row(cell.score, level),
                }
            )  # fmt: skip
    return rows


def transfer_rows(plan: ChainPlan, tables: Sequence[ScoreTable], *, level: float) -> list[Row]:
    """All transfer numbers; of regions without other epochs, on the event epoch."""
    rows = []
    for table in tables:
        for scope in scopes_of(table):
            for number in transfer_numbers(plan, table, scope):
                rows.append(
                    {
                        "quantity": number.quantity, "variant": number.variant,
                        "region": number.region, "scope": scope, "ground": table.ground,
                        "measure": table.measure,
                        **estimate_row(number.first, level, "first"),
                        **estimate_row(number.second, level, "second"),
                        **estimate_row(number.difference, level, "difference"),
                        "verdict": verdict(number, level),
                    }
                )  # fmt: skip
    return rows


def design_rows(plan: ChainPlan, tables: Sequence[ScoreTable], *, level: float) -> list[Row]:
    """Conventional, combined, leave-one-out and chain, side by side."""
    rows = []
    for table in tables:
        for scope in scopes_of(table):
            for score in design_scores(plan, table, scope):
                row = {
                    "design": score.design, "region": score.region, "scope": scope,
                    "ground": table.ground, "measure": table.measure,
                    **estimate_row(score.score, level),
                }  # fmt: skip
                gain = score.gain
                row |= estimate_row(gain, level, "gain") if gain is not None else {}
                rows.append(row)
    return rows


def split_rows(data: Mapping[str, RegionPatches]) -> list[Row]:
    """Where every patch lies and what its ground is for."""
    names = {code: name for name, code in ROLES.items()}
    return [
        {
            "scene": origin.scene, "region": region.name, "epoch": origin.epoch,
            "row": origin.row, "column": origin.column, "role": names[int(role)],
        }
        for region in data.values()
        for origin, role in zip(region.patches.origin, region.role, strict=True)
    ]  # fmt: skip


def scopes_of(table: ScoreTable) -> tuple[Scope, ...]:
    """What a table can be scored on: on all ground, epochs that nobody trained on alone."""
    others = any(table.epochs(region, "other") for region in table.regions)
    scopes: tuple[Scope, ...] = ("other",) if others else ()
    return scopes if table.ground == "all" else (*scopes, "event")


def estimate_row(estimate: Estimate, level: float, name: str = "score") -> Row:
    """Value, interval and number of blocks; empty where there is none.

    Example:
        >>> import numpy as np
        >>> one = Estimate(value=0.5, draws=np.linspace(0.4, 0.6, 11), n=50, unit="m block")
        >>> estimate_row(one, 0.95)
        {'score': 0.5, 'score_low': 0.404236, 'score_high': 0.595764, 'n_blocks': 50}
    """
    interval = estimate.interval(level)
    ends = (math.nan, math.nan) if interval is None else (interval.low, interval.high)
    values = dict(zip((name, f"{name}_low", f"{name}_high"), (estimate.value, *ends), strict=True))
    shown = {k: "" if math.isnan(v) else round(v, 6) for k, v in values.items()}
    return {**shown, "n_blocks": estimate.n}


def ground_tables(
    scenes: Iterable[SceneCounts], event_epochs: dict[str, str], *, draws: int, seed: int, unit: str
) -> tuple[ScoreTable, ...]:
    """F1 and MCC on unseen ground, and on all that was mapped."""
    grounds: tuple[Ground, ...] = ("unseen", "all")
    measures: tuple[Measure, ...] = ("f1", "mcc")
    kept = tuple(scenes)
    return tuple(
        ScoreTable(
            kept, event_epochs, draws=draws, seed=seed, ground=ground, unit=unit, measure=measure
        )
        for ground in grounds
        for measure in measures
    )
