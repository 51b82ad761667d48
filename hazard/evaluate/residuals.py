"""Residuals in space: what a forecast leaves behind, and whether neighbours share it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hazard.evaluate.cases import Cases
from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.spatial.moran import moran_rook

MORAN_COLUMNS = (
    "scheme", "model", "epoch", "residual", "moran", "expected", "sd", "z", "n", "pairs", "note",
)  # fmt: skip


def on_lattice(
    cases: Cases, values: FloatArray, shape: tuple[int, int], fill: float = np.nan
) -> FloatArray:
    """(y, x) values of the cases, `fill` elsewhere."""
    lattice = np.full(shape[0] * shape[1], fill, dtype=np.float64)
    lattice[cases.cell] = values
    return lattice.reshape(shape)


def residual_percent(cases: Cases) -> FloatArray:
    """(case,) observed minus expected density [percent of the cell]."""
    return cases.density - cases.expected_percent


def moran_rows(cases: Cases, shape: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """Moran's I of residuals of presence, of standardised ones, and of density.

    The standardised score residual is (y - p) / sqrt(p (1 - p)); a forecast that holds a p of 0
    or 1 has none.
    """
    p, y = cases.probability, cases.present(0.0).astype(np.float64)
    spread = np.sqrt(p * (1.0 - p))
    certain = bool((spread == 0.0).any())
    standardised = np.zeros(0) if certain else (y - p) / spread
    for name, values in (
        ("presence", y - p),
        ("presence_standardised", standardised),
        ("density_percent", residual_percent(cases)),
    ):
        if not values.size:
            yield {
                "residual": name, "n": cases.n,
                "note": "the forecast holds probabilities of 0 or 1",
            }  # fmt: skip
            continue
        lattice = on_lattice(cases, values, shape)
        try:
            found = moran_rook(lattice, np.isfinite(lattice))
        except UndefinedScoreError as error:
            yield {"residual": name, "n": cases.n, "note": str(error)}
            continue
        yield {
            "residual": name, "moran": found.value, "expected": found.expected, "sd": found.sd,
            "z": found.z, "n": found.n, "pairs": found.pairs, "note": "",
        }  # fmt: skip
