"""Exponent and total area as detected, with the error carried on, and of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from detection.observation.carry import carry, recorded_exponents
from detection.observation.model import ObservationModel
from stats.case_arrays import FloatArray
from stats.sizes.totals import total_area

QUANTITIES = ("alpha", "total_m2")
LEAST = 20
# No landslide stands for more than fifty.
LEAST_RECALL = 0.02


@dataclass(frozen=True, eq=False, kw_only=True)
class SizeRows:
    """What `size_rows` finds.

    Attributes:
        rows: quantity, way (detected, carried, reference), value, low, high, level, n.
        notes: caveats, and why something is missing.
    """

    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def size_rows(
    detected_m2: ArrayLike,
    slope_deg: ArrayLike,
    model: ObservationModel,
    *,
    ground_km2: ArrayLike,
    rng: np.random.Generator,
    reference_m2: ArrayLike | None = None,
    draws: int = 200,
    level: float = 0.9,
) -> SizeRows:
    """Exponent above the model's minimum and total area, in every way that there is.

    "detected" takes the inventory as it is (the exponent resamples landslides, the total is
    compound Poisson); "carried" is `carry`; "reference" is the landslides themselves: their total
    is a sum, their exponent resamples them.

    Args:
        detected_m2: (n,) detected areas, none below `model.minimum_m2` [m2].
        slope_deg: (n,) slopes there.
        model: detection error of that detector, from other ground.
        ground_km2: (class,) ground looked at by slope class.
        rng: of everything.
        reference_m2: areas of the reference landslides on that ground; None: nothing is known.
        draws: of every interval.
        level: nominal coverage.
    """
    areas = np.asarray(detected_m2, dtype=np.float64)
    least = model.minimum_m2
    if areas.size < LEAST:
        note = f"{areas.size} detected landslides of {least:g} m2 or more; {LEAST} are needed"
        return SizeRows(rows=(), notes=(note,))
    rows = _plain("detected", areas, least, rng, draws, level)
    found = carry(
        areas, model, slope_deg=slope_deg, ground_km2=ground_km2, rng=rng, draws=draws, level=level
    )
    notes = list(found.notes)
    rows += [
        {"quantity": one.quantity, "way": "carried", "value": one.value, "low": one.low,
         "high": one.high, "level": level, "n": areas.size}
        for one in (found.alpha, found.total_m2)
    ]  # fmt: skip
    if reference_m2 is not None:
        truth = np.asarray(reference_m2, dtype=np.float64)
        if truth.size < LEAST:
            notes.append(f"{truth.size} reference landslides; {LEAST} are needed to compare")
        else:
            own = _plain("reference", truth, least, rng, draws, level)
            # What fell is known; what another such event would bring is not asked for.
            own[1] |= {"low": None, "high": None}
            rows += own
    return SizeRows(rows=tuple(rows), notes=tuple(notes))


def _plain(
    way: str,
    areas: FloatArray,
    least: float,
    rng: np.random.Generator,
    draws: int,
    level: float,
) -> list[dict[str, Any]]:
    tail = (0.5 - 0.5 * level, 0.5 + 0.5 * level)
    resampled = recorded_exponents(rng.choice(areas, (draws, areas.size)), least, None)
    low, high = np.quantile(resampled, tail).tolist()
    alpha = float(recorded_exponents(areas[None], least, None)[0])
    total = total_area(areas, rng=rng, draws=max(1000, draws), level=level).expected_m2
    shared = {"way": way, "level": level, "n": areas.size}
    return [
        {"quantity": "alpha", "value": alpha, "low": low, "high": high, **shared},
        {"quantity": "total_m2", "value": float(areas.sum()), "low": total.low, "high": total.high,
         **shared},
    ]  # fmt: skip


def true_sizes(
    detected_m2: ArrayLike, slope_deg: ArrayLike, model: ObservationModel, *, count: int = 200
) -> FloatArray:
    """(count,) quantiles of the true sizes behind detected ones: each stands for 1 / recall.

    Where a reference is at hand its own sizes are better: outlines, splits and merges are not
    undone here.

    Args:
        detected_m2: (n,) detected areas.
        slope_deg: (n,) slopes there.
        model: detection error.
        count: number of quantiles.

    Raises:
        ValueError: no areas.
    """
    areas = np.sort(np.asarray(detected_m2, dtype=np.float64))
    if not areas.size:
        raise ValueError("found no detected landslide; expected some")
    slopes = np.asarray(slope_deg, dtype=np.float64)[np.argsort(detected_m2)]
    weight = 1.0 / np.maximum(model.recall(areas, slopes), LEAST_RECALL)
    share = (np.cumsum(weight) - 0.5 * weight) / weight.sum()
    return np.interp((np.arange(count) + 0.5) / count, share, areas)
