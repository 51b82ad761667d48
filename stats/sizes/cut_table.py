"""Size law against the cut: the same fit above ever higher lower limits, with intervals.

What changes with the cut is not a property of the landslides. Each row is a whole fit at its own
cut (truncated likelihood, profile intervals, stability over still higher cuts), so that each number
comes with its interval and the flag `identified`. Rows are not independent: they share their large
landslides. A cut that leaves too few areas makes a row without a fit that says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_finite
from stats.sizes.fit import Intervals, SizeFit, fit_sizes
from stats.sizes.quantities import Estimate
from stats.sizes.recording import Recording

QUANTITIES = ("alpha", "pdf_slope", "beta", "t", "rollover_m2")
"""Shown first, where the law has them; other parameters follow."""
FACTORS = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
MINIMUM_AREAS = 30

Progress = Callable[[int], None]


@dataclass(frozen=True)
class CutRow:
    """The fit above one cut.

    Attributes:
        cut_m2: lower limit of the recording [m2].
        n: areas at or above it.
        fit: the fit, or None.
        reason: why there is none; empty where there is.
    """

    cut_m2: float
    n: int
    fit: SizeFit | None
    reason: str

    @property
    def estimates(self) -> Mapping[str, Estimate]:
        """The quantities of the fit, those of `QUANTITIES` first; empty without a fit."""
        if self.fit is None:
            return {}
        found = self.fit.estimates
        first = [name for name in QUANTITIES if name in found]
        return {name: found[name] for name in (*first, *(k for k in found if k not in first))}

    def record(self) -> dict[str, float | int | str | bool | None]:
        """One flat row for a table: `<quantity>`, `_low`, `_high`, `_identified`, `_reason`."""
        row: dict[str, float | int | str | bool | None] = {
            "cut_m2": self.cut_m2,
            "n": self.n,
            "limit": None if self.fit is None else self.fit.limit,
            "converged": None if self.fit is None else self.fit.converged,
            "log_likelihood": None if self.fit is None else self.fit.log_likelihood,
            "reason": self.reason,
        }
        for name, estimate in self.estimates.items():
            row[name] = estimate.value
            row[f"{name}_low"] = estimate.low
            row[f"{name}_high"] = estimate.high
            row[f"{name}_identified"] = estimate.identified
            row[f"{name}_reason"] = estimate.reason
        return row


def default_cuts(
    areas_m2: ArrayLike, recording: Recording, *, minimum: int = MINIMUM_AREAS
) -> FloatArray:
    """Cuts to try: multiples of the lower limit, or quantiles where there is none.

    Args:
        areas_m2: (n,) areas [m2].
        recording: how they were recorded; whole pixels give cuts at whole pixels.
        minimum: fewest areas that a cut must leave.

    Example:
        >>> areas = np.geomspace(100.0, 1e5, 100)
        >>> default_cuts(areas, Recording(lower_m2=100.0))
        array([ 100.,  125.,  150.,  200.,  300.,  500.,  800., 1200., 2000.])
    """
    areas = as_finite("areas_m2", areas_m2)
    if recording.lower_m2 > 0.0:
        cuts = recording.lower_m2 * np.array(FACTORS)
    else:
        cuts = np.quantile(areas, SHARES)
        # Below the smallest area nothing is cut.
        cuts[0] = 0.0
    if recording.pixel_m2 is not None:
        cuts = np.ceil(cuts / recording.pixel_m2 - 1e-9) * recording.pixel_m2
    return np.array([c for c in np.unique(cuts) if (areas >= c).sum() >= minimum])


def cut_table(
    areas_m2: ArrayLike,
    law: str = "dps_extended",
    recording: Recording | None = None,
    *,
    cuts_m2: ArrayLike | None = None,
    minimum: int = MINIMUM_AREAS,
    intervals: Intervals | None = "profile",
    level: float = 0.95,
    progress: Progress | None = None,
) -> tuple[CutRow, ...]:
    """Fit a law above each of a list of cuts.

    Args:
        areas_m2: (n,) areas [m2], within the recording.
        law: name of the law.
        recording: how the areas were recorded; each row raises its lower limit.
        cuts_m2: lower limits to try, none below the recording's; `default_cuts` where None.
        minimum: fewest areas for a fit.
        intervals: as in `fit_sizes`.
        level: coverage of the intervals.
        progress: called with 1 after each cut.

    Returns:
        One row per cut, sorted upwards.

    Raises:
        ValueError: a cut below the recording's lower limit, not finite or negative; no cuts.

    Example:
        >>> areas = 300.0 * (1.0 + np.random.default_rng(0).pareto(1.5, 200))
        >>> rows = cut_table(
        ...     areas, "power", Recording(lower_m2=300.0), cuts_m2=[300.0, 1e5], intervals="delta"
        ... )
        >>> [row.n for row in rows], rows[1].reason
        ([200, 0], '0 areas at or above 100000 m2; at least 30 are needed')
    """
    setting = Recording() if recording is None else recording
    areas = as_finite("areas_m2", areas_m2)
    cuts = (
        default_cuts(areas, setting, minimum=minimum)
        if cuts_m2 is None
        else np.unique(as_finite("cuts_m2", cuts_m2))
    )
    if cuts.size == 0:
        raise ValueError(
            f"cut_table: found {areas.size} areas; no cut leaves at least {minimum} of them"
        )
    if cuts[0] < setting.lower_m2:
        raise ValueError(
            f"cuts_m2: found {cuts[0]:g}; expected none below the recording's lower limit of "
            f"{setting.lower_m2:g} m2"
        )
    rows = []
    for cut in cuts:
        rows.append(_row(areas, law, setting, float(cut), minimum, intervals, level))
        if progress is not None:
            progress(1)
    return tuple(rows)


def _row(
    areas: FloatArray,
    law: str,
    setting: Recording,
    cut: float,
    minimum: int,
    intervals: Intervals | None,
    level: float,
) -> CutRow:
    if not cut < setting.upper_m2:
        return CutRow(cut, 0, None, f"the upper limit is {setting.upper_m2:g} m2")
    here = replace(setting, lower_m2=cut)
    kept = areas[areas >= here.edges()[0]] if math.isfinite(cut) else areas[:0]
    if kept.size < minimum:
        reason = f"{kept.size} areas at or above {cut:.6g} m2; at least {minimum} are needed"
        return CutRow(cut, int(kept.size), None, reason)
    if np.unique(kept).size < 3:
        return CutRow(cut, int(kept.size), None, "fewer than 3 different areas")
    fit = fit_sizes(kept, law, here, intervals=intervals, level=level)
    return CutRow(cut, int(kept.size), fit, "")
