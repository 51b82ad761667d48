"""Conventional, combined and leave-one-inventory-out training side by side, region by region.

Conventional: trained on the region itself, from scratch. Combined: trained on all regions at once.
Leave one out: trained on all regions but this one. The chain stands beside them, after its last
stage. All are scored on the same ground; differences to conventional training are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

from detection.chain.plan import ChainPlan
from detection.chain.scores import Estimate, Scope, ScoreTable, mean_of_estimates
from detection.chain.transfer import MEAN

DESIGNS = {
    "conventional": "the region alone, from scratch",
    "combined": "all regions at once",
    "left_out": "all regions but this one",
    "chain": "the chain after its last stage",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class DesignScore:
    """One design on one region.

    Attributes:
        design: key of `DESIGNS`.
        region: where; `MEAN` for the mean over regions.
        scope: on the event epoch, or on the others.
        score: the measure of the table.
        gain: score minus that of conventional training; None for that itself, and without it.
    """

    design: str
    region: str
    scope: Scope
    score: Estimate
    gain: Estimate | None


def design_scores(plan: ChainPlan, table: ScoreTable, scope: Scope) -> tuple[DesignScore, ...]:
    """All designs on all regions that have epochs in `scope`, and their means.

    Designs that were not planned for every region are left out.
    """
    positions = [k for k, region in enumerate(plan.order) if table.epochs(region, scope)]
    found: list[DesignScore] = []
    reference: dict[str, Estimate] = {}
    for design in DESIGNS:
        names = [_training(plan, design, k) for k in positions]
        if not names or None in names:
            continue
        rows = []
        for k, name in zip(positions, names, strict=True):
            region = plan.order[k]
            found_score = table.score(str(name), region, table.epochs(region, scope))
            if design == "conventional":
                reference[region] = found_score
            gain = None
            if design != "conventional" and region in reference:
                gain = found_score - reference[region]
            rows.append(
                DesignScore(design=design, region=region, scope=scope, score=found_score, gain=gain)
            )
        found += rows
        gains = [row.gain for row in rows if row.gain is not None]
        if len(rows) > 1:
            found.append(
                DesignScore(
                    design=design, region=MEAN, scope=scope,
                    score=mean_of_estimates([row.score for row in rows]),
                    gain=mean_of_estimates(gains) if len(gains) == len(rows) else None,
                )
            )  # fmt: skip
    return tuple(found)


def _training(plan: ChainPlan, design: str, position: int) -> str | None:
    if design == "chain":
        return plan.stages(plan.variants[0].name)[-1].name
    if design == "combined":
        return "combined" if plan.has("combined") else None
    kind = "scratch" if design == "conventional" else "left_out"
    names = [t.name for t in plan.trainings if (t.kind, t.position) == (kind, position)]
    return names[0] if names else None
