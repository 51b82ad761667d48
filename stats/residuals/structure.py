"""Spatial structure of the presence score residuals of every epoch, and the block that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.residuals.cases import ForecastCases
from stats.spatial.block_size import BlockSize, cross_validation_block
from stats.spatial.discovery import adjusted_p_values
from stats.spatial.lags import lag_classes
from stats.spatial.moran import normal_tail
from stats.spatial.structure import Structure, spatial_structure


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochStructure:
    """Spatial structure of the presence score residuals of one epoch.

    Attributes:
        epoch: which.
        structure: Moran's I, correlogram, variogram, envelopes where asked for.
        p_value: one-sided, of Moran's I under the normal law.
        q_value: the same, adjusted over the epochs.
        range_m: distance beyond which neighbours no longer resemble each other [m]; the longest
            distance looked at where they still do.
        beyond: whether the range lies beyond the longest distance.
    """

    epoch: Any
    structure: Structure
    p_value: float
    q_value: float
    range_m: float
    beyond: bool


def epoch_structures(
    cases: ForecastCases,
    residual: FloatArray,
    *,
    lags: int,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[tuple[EpochStructure, ...], list[str]]:
    """Structure of every epoch whose residuals vary, and a note for each other one.

    Args:
        cases: of the residuals.
        residual: (case,) standardised residuals; NaN where there is none.
        lags: classes of one cell each, fewer where the lattice is smaller.
        permutations: dealings behind the envelopes; 0 makes none.
        rng: of the dealings.
    """
    found: list[tuple[Any, Structure, float, float, bool]] = []
    notes: list[str] = []
    for epoch in cases.epochs:
        values, inside = cases.lattice(residual, epoch)
        classes = lag_classes(max(1, min(lags, min(values.shape) - 1)))
        try:
            one = spatial_structure(
                values, inside, classes=classes, permutations=permutations, rng=rng
            )[0]
        except UndefinedScoreError as reason:
            notes.append(f"{epoch}: no spatial structure ({reason})")
            continue
        try:
            reach, beyond = one.correlogram.range(), False
        except UndefinedScoreError:
            reach, beyond = float(np.nanmax(one.correlogram.distance)), True
            notes.append(
                f"{epoch}: residuals still resemble each other at the longest distance looked at, "
                f"{reach * cases.cell_m / 1000.0:.3g} km"
            )
        found.append((epoch, one, normal_tail(one.moran.z), reach * cases.cell_m, beyond))
    if not found:
        return (), notes
    q = adjusted_p_values([row[2] for row in found])
    return tuple(
        EpochStructure(
            epoch=epoch, structure=one, p_value=p, q_value=float(adjusted), range_m=reach,
            beyond=beyond,
        )
        for (epoch, one, p, reach, beyond), adjusted in zip(found, q, strict=True)
    ), notes  # fmt: skip


def block_of(cases: ForecastCases, structures: tuple[EpochStructure, ...]) -> BlockSize | None:
    """Block side for cross-validation; None where no epoch has a structure."""
    if not structures:
        return None
    mask = np.any([cases.lattice(cases.value, e)[1] for e in cases.epochs], axis=0)
    return cross_validation_block(
        {str(s.epoch): s.range_m for s in structures}, mask, cell_m=cases.cell_m
    )
