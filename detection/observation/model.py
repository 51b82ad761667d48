r"""Detection error as functions of landslide size and slope, with draws of their parameters.

With :math:`x = \ln(A / 1000\,\mathrm{m}^2)` and :math:`s = (\mathrm{slope} - 30°) / 10°`

==============  ====================================================================
recall          :math:`\mathrm{logit}\, r = r_0 + r_A x + r_s s`, times the probability
                that the outline comes out above the minimum mapping area
split           :math:`\mathrm{logit}\, p = p_0 + p_A x`, of the landslides found
                by themselves and large enough for two outlines; into 2 + Poisson
                fragments large enough to be recorded; what lies above the minimum is
                shared out by a symmetric Dirichlet law
merged          :math:`\mathrm{logit}\, q = q_0 + q_A x`, of the landslides found, with
                neighbours, 2 + Poisson members
outline         :math:`\ln(\hat A / A) \sim N(b_0 + b_A x, \sigma_b)`, of landslides found
false alarms    :math:`\ln \phi = f_0 + f_s s` per km2; ln of area over the minimum is gamma
==============  ====================================================================

The logistic part of recall, at a slope, is a `stats.sizes.detection.DetectionCurve` as it stands.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from hazard.errors import DataError
from stats.case_arrays import FloatArray
from stats.sizes.detection import DetectionCurve, NotIdentifiedError

LAYOUT, LAYOUT_VERSION = "detection-error", 1
NAMES = (
    "recall_0", "recall_area", "recall_slope",
    "split_0", "split_area", "fragments", "concentration",
    "merge_0", "merge_area", "members",
    "ratio_0", "ratio_area", "ratio_sd",
    "false_0", "false_slope", "false_shape", "false_scale",
)  # fmt: skip
AREA_UNIT_M2, SLOPE_MIDDLE_DEG, SLOPE_UNIT_DEG = 1000.0, 30.0, 10.0


def size_coordinate(areas_m2: ArrayLike) -> FloatArray:
    """Size as ln(area / 1000 m2)."""
    return np.log(np.asarray(areas_m2, dtype=np.float64) / AREA_UNIT_M2)


def slope_coordinate(slope_deg: ArrayLike) -> FloatArray:
    """Slope as (slope - 30 deg) / 10 deg."""
    return (np.asarray(slope_deg, dtype=np.float64) - SLOPE_MIDDLE_DEG) / SLOPE_UNIT_DEG


def drawn_of(values: Mapping[str, Any], areas_m2: ArrayLike, minimum_m2: float) -> FloatArray:
    """Probability that the outline of a landslide comes out above the minimum mapping area.

    Example:
        >>> values = {"ratio_0": 0.0, "ratio_area": 0.0, "ratio_sd": 0.3}
        >>> drawn_of(values, [200.0, 2000.0], 200.0).round(3)
        array([0.5, 1. ])
    """
    x = size_coordinate(areas_m2)
    mean = values["ratio_0"] + values["ratio_area"] * x
    room = mean + x - math.log(minimum_m2 / AREA_UNIT_M2)
    return np.asarray(special.ndtr(room / values["ratio_sd"]))


def recall_of(
    values: Mapping[str, Any], areas_m2: ArrayLike, slope_deg: ArrayLike, minimum_m2: float
) -> FloatArray:
    """Probability that a landslide is recorded: seen, and drawn above the minimum."""
    seen = special.expit(
        values["recall_0"]
        + values["recall_area"] * size_coordinate(areas_m2)
        + values["recall_slope"] * slope_coordinate(slope_deg)
    )
    return np.asarray(seen * drawn_of(values, areas_m2, minimum_m2))


def false_rate_of(values: Mapping[str, Any], slope_deg: ArrayLike) -> FloatArray:
    """False alarms per km2."""
    return np.exp(values["false_0"] + values["false_slope"] * slope_coordinate(slope_deg))


@dataclass(frozen=True, eq=False, kw_only=True)
class ObservationModel:
    """Detection error with its uncertainty.

    Attributes:
        values: (parameter,) estimates in the order of `NAMES`.
        draws: (draw, parameter) of a bootstrap of held-out blocks.
        minimum_m2: smallest landslide of the inventories [m2].
        n_reference: reference landslides behind it.
        n_found: of them found.
        n_false: false alarms behind it.
        n_blocks: held-out blocks that were resampled.
        with_terrain: slope was known; else the slope terms are 0.
        synthetic: estimated on rendered images.
        notes: caveats, in words.
    """

    values: FloatArray
    draws: FloatArray
    minimum_m2: float
    n_reference: int
    n_found: int
    n_false: int
    n_blocks: int
    with_terrain: bool = True
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.shape != (len(NAMES),) or self.draws.shape[1:] != (len(NAMES),):
            raise ValueError(
                f"found shapes {self.values.shape} and {self.draws.shape}; expected "
                f"({len(NAMES)},) and (draw, {len(NAMES)})"
            )
        if not (np.isfinite(self.values).all() and np.isfinite(self.draws).all()):
            raise ValueError("found parameters that are not finite")

    def named(self, draw: int | None = None) -> dict[str, float]:
        """Parameters by name: the estimates, or those of a draw."""
        row = self.values if draw is None else self.draws[draw]
        return dict(zip(NAMES, row.tolist(), strict=True))

    def interval(self, name: str, level: float = 0.9) -> tuple[float, float]:
        """Percentile interval of a parameter."""
        column = self.draws[:, NAMES.index(name)]
        low, high = np.quantile(column, (0.5 - 0.5 * level, 0.5 + 0.5 * level))
        return float(low), float(high)

    def recall(self, areas_m2: ArrayLike, slope_deg: ArrayLike = SLOPE_MIDDLE_DEG) -> FloatArray:
        """Probability that a landslide of an area, at a slope, is recorded."""
        return recall_of(self.named(), areas_m2, slope_deg, self.minimum_m2)

    def recall_draws(self, areas_m2: ArrayLike, slope_deg: ArrayLike) -> FloatArray:
        """(draw, n) recall of n landslides under every draw."""
        columns = {name: self.draws[:, i : i + 1] for i, name in enumerate(NAMES)}
        return recall_of(
            columns, np.atleast_1d(areas_m2)[None], np.atleast_1d(slope_deg)[None], self.minimum_m2
        )

    def false_rate_per_km2(
        self, slope_deg: ArrayLike = SLOPE_MIDDLE_DEG, *, above_m2: ArrayLike | None = None
    ) -> FloatArray:
        """False alarms per km2 of ground of a slope, all or those larger than an area.

        Args:
            slope_deg: slopes.
            above_m2: areas, broadcast with the slopes; None: all above the minimum.
        """
        values = self.named()
        rate = false_rate_of(values, slope_deg)
        if above_m2 is None:
            return rate
        excess = np.maximum(np.log(np.asarray(above_m2) / self.minimum_m2), 0.0)
        share = special.gammaincc(values["false_shape"], excess / values["false_scale"])
        return np.asarray(rate * share)

    def detection_curve(self, slope_deg: float = SLOPE_MIDDLE_DEG) -> DetectionCurve:
        """The recall curve for a size likelihood, with the covariance of the draws.

        It models the logistic part of recall alone; splits, merges, outlines and false alarms it
        cannot (`detection.observation.carry` does).

        Raises:
            NotIdentifiedError: recall that does not rise with area.
        """
        rows = np.concatenate([self.values[None], self.draws])
        level = rows[:, 0] + rows[:, 2] * slope_coordinate(slope_deg)
        rise = rows[:, 1]
        if not (rise > 0.0).all():
            raise NotIdentifiedError(
                f"recall falls with area in {int((rise <= 0).sum())} of {len(rows)} draws; "
                "expected recall that rises with area"
            )
        ln_half = math.log(AREA_UNIT_M2) - level / rise
        spread = np.cov(np.stack([ln_half[1:], -np.log(rise[1:])]))
        return DetectionCurve(
            half_area_m2=float(np.exp(ln_half[0])),
            width=float(1.0 / rise[0]),
            covariance=(
                (float(spread[0, 0]), float(spread[0, 1])),
                (float(spread[1, 0]), float(spread[1, 1])),
            ),
            source="recall",
        )

    def to_json(self) -> dict[str, Any]:
        """The record that is exported with an inventory."""
        return {
            "layout": LAYOUT,
            "layout_version": LAYOUT_VERSION,
            "names": list(NAMES),
            "values": self.values.tolist(),
            "draws": self.draws.tolist(),
            "minimum_m2": self.minimum_m2,
            "n_reference": self.n_reference,
            "n_found": self.n_found,
            "n_false": self.n_false,
            "n_blocks": self.n_blocks,
            "with_terrain": self.with_terrain,
            "synthetic": self.synthetic,
            "notes": list(self.notes),
        }


def write_model(path: str | Path, model: ObservationModel) -> Path:
    """Write the record beside its name, then rename."""
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.part")
    beside.write_text(json.dumps(model.to_json(), allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(out)
    return out


def read_model(path: str | Path) -> ObservationModel:
    """Read a record.

    Raises:
        DataError: no such record, another layout, or a version that this code does not know.
    """
    expected = f"a {LAYOUT} record of version {LAYOUT_VERSION}"
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(path, found=f"no readable record ({error})", expected=expected) from error
    kind = (raw.get("layout"), raw.get("layout_version")) if isinstance(raw, dict) else None
    if kind != (LAYOUT, LAYOUT_VERSION) or raw.get("names") != list(NAMES):
        raise DataError(path, found=f"layout and version {kind}", expected=expected)
    rest = {k: v for k, v in raw.items() if k not in ("layout", "layout_version", "names")}
    try:
        return ObservationModel(
            **rest
            | {
                "values": np.asarray(raw["values"], dtype=np.float64),
                "draws": np.asarray(raw["draws"], dtype=np.float64),
                "notes": tuple(raw["notes"]),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(path, found=f"a broken record ({error})", expected=expected) from error
