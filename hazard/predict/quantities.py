"""The mapped quantities of a run, on the full lattice for every epoch.

Susceptibility is the probability of landslides in cell and epoch; area density is E[density |
density > 0]; hazard is their product, the expected density: an amount of area [percent of the cell
per epoch], no probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hazard.archive.names import FINAL_SCHEME
from hazard.archive.predictions import Predictions

Array = np.ndarray[Any, np.dtype[Any]]
Source = Literal["final", "held_out"]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One mapped quantity.

    Attributes:
        name: in file and variable names.
        unit: CF unit.
        long_name: meaning in words.
        scale: key of the colour scale.
    """

    name: str
    unit: str
    long_name: str
    scale: Literal["probability", "percent", "spread"]


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        name="susceptibility", unit="1", scale="probability",
        long_name="susceptibility: probability of landslides in the cell and epoch",
    ),
    Quantity(
        name="area_density", unit="percent", scale="percent",
        long_name="area density where there are landslides, E[density | density > 0]",
    ),
    Quantity(
        name="hazard", unit="percent", scale="percent",
        long_name="hazard: expected area density, percent of the cell per epoch (no probability)",
    ),
    Quantity(
        name="susceptibility_spread", unit="1", scale="spread",
        long_name="standard deviation of the susceptibility over the members",
    ),
    Quantity(
        name="area_density_spread", unit="percent", scale="spread",
        long_name="standard deviation of the area density over the members",
    ),
    Quantity(
        name="hazard_spread", unit="percent", scale="spread",
        long_name="standard deviation of the expected area density over the members",
    ),
    Quantity(
        name="disagreement", unit="1", scale="probability",
        long_name="share of pairs of members on different sides of the base rate",
    ),
)  # fmt: skip

_FIELDS = {
    "susceptibility": "probability",
    "area_density": "mean_percent",
    "susceptibility_spread": "probability_spread",
    "area_density_spread": "mean_percent_spread",
    "hazard_spread": "expected_spread",
    "disagreement": "disagreement",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class HazardMaps:
    """All quantities of one source.

    Attributes:
        source: ``final`` or ``held_out``.
        scheme: name of the scheme.
        model: name of the model.
        in_sample: True where the model saw the cells that it maps.
        values: (epoch, y, x) float32 by name of the quantity; NaN outside the study mask, and
            where the scheme tests nothing. A spread that does not exist (one member) is absent.
        epochs: epochs as the archive has them.
    """

    source: Source
    scheme: str
    model: str
    in_sample: bool
    values: dict[str, Array]
    epochs: list[dict[str, Any]]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Those that are there, in their order."""
        return tuple(q for q in QUANTITIES if q.name in self.values)


def hazard_maps(
    run: Predictions, *, held_out_scheme: str, model: str | None = None
) -> list[HazardMaps]:
    """Maps of the final model and of one held-out scheme.

    Args:
        run: opened predictions.
        held_out_scheme: scheme of the held-out maps; where it was not run, the first that was.
        model: name; None for the first model that the scheme has.
    """  # fmt: skip
    names = [s.name for s in run.header.schemes]
    honest = [s.name for s in run.header.schemes if not s.in_sample]
    wanted = [model] if model is not None else [m.name for m in run.header.models]
    # The scheme asked for comes first; the sort is stable, so the others keep their order.
    candidates: dict[Source, list[str]] = {
        "final": [FINAL_SCHEME] if FINAL_SCHEME in names else [],
        "held_out": sorted(honest, key=lambda name: name != held_out_scheme),
    }
    found = []
    for source, schemes in candidates.items():
        there = ((s, m) for s in schemes for m in wanted if run.has(s, m))
        chosen = next(there, None)
        if chosen is not None:
            found.append(_maps(run, source, *chosen))
    return found


def _maps(run: Predictions, source: Source, scheme: str, model: str) -> HazardMaps:
    values = {q: run.field(field, scheme, model) for q, field in _FIELDS.items()}
    values["hazard"] = run.expected_percent(scheme, model).astype(np.float32)
    for name, array in values.items():
        # What lies outside the mask is missing whatever a model says of it.
        values[name] = np.where(run.mask, array, np.nan).astype(np.float32)
    kept = {name: array for name, array in values.items() if np.isfinite(array).any()}
    if "susceptibility_spread" not in kept:
        kept.pop("disagreement", None)
    record = run.header.schemes[run.header.scheme_code(scheme)]
    return HazardMaps(
        source=source, scheme=scheme, model=model, in_sample=record.in_sample, values=kept,
        epochs=run.epochs,
    )  # fmt: skip
