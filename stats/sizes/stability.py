"""Refits above higher cuts: what changes much when the smallest areas go is not identified."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stats.case_arrays import BoolArray, FloatArray
from stats.sizes.ascent import free_climb, limit_of
from stats.sizes.describe import describe
from stats.sizes.law import Law
from stats.sizes.quantities import natural, quantity_names
from stats.sizes.recording import RecordedAreas, Recording

FACTOR = 2.0
"""An identified quantity stays within this factor over the cuts."""
RAISED = (1.25, 1.5, 2.0)
QUANTILES = (0.05, 0.1, 0.2)
_LEAST, _SHARE = 30.0, 0.5


@dataclass(frozen=True, kw_only=True)
class CutFits:
    """Estimates above higher cuts.

    Attributes:
        lower_m2: (cut,) lower limits tried [m2].
        n: (cut,) total weight above each.
        limit: (cut,) limit of the family where each maximum lies, or None.
        converged: (cut,) proven.
        values: quantity -> (cut,) estimates, NaN where there is none.
    """

    lower_m2: FloatArray
    n: FloatArray
    limit: tuple[str | None, ...]
    converged: BoolArray
    values: dict[str, FloatArray]


def cuts_to_try(data: RecordedAreas, recording: Recording) -> FloatArray:
    """Lower limits [m2] at which enough areas are left: raised ones, or quantiles without one.

    Example:
        >>> from stats.sizes.recording import recorded_areas
        >>> setting = Recording(lower_m2=100.0)
        >>> cuts_to_try(recorded_areas(np.geomspace(100.0, 1e5, 200), setting), setting)
        array([125., 150., 200.])
    """
    log_x = np.asarray(data.log_x)
    weights = np.ones(log_x.size) if data.weights is None else np.asarray(data.weights)
    lower = recording.edges()[0]
    if recording.lower_m2 > 0.0:
        cuts = recording.lower_m2 * np.array(RAISED)
    else:
        order = np.argsort(log_x)
        share = np.cumsum(weights[order]) / weights.sum()
        places = np.minimum(np.searchsorted(share, QUANTILES), log_x.size - 1)
        cuts = np.exp(log_x[order][places])
    left = np.array([weights[log_x >= math.log(cut)].sum() for cut in cuts])
    enough = (left >= max(_LEAST, _SHARE * weights.sum())) & (cuts < recording.upper_m2)
    return np.unique(cuts[enough & (cuts > lower)])


def fits_above_cuts(
    law: Law, u: FloatArray, data: RecordedAreas, recording: Recording
) -> CutFits | None:
    """Refit above higher cuts, from the maximum `u`; None where no cut leaves enough areas."""
    cuts = cuts_to_try(data, recording)
    if cuts.size == 0:
        return None
    log_x, weights = np.asarray(data.log_x), np.asarray(data.weights)
    names = quantity_names(law, curve=data.curve_precision is not None)
    rows = []
    for cut in cuts:
        edge = Recording(
            lower_m2=float(cut), upper_m2=recording.upper_m2, pixel_m2=recording.pixel_m2
        ).edges()[0]
        kept = np.where(log_x >= math.log(edge), weights, 0.0)
        mine = data._replace(lower=np.asarray(edge), weights=kept)
        found = free_climb(law, u, mine)
        values = describe(law, found.u).values
        natural_values = [
            natural(law, name, float(v)) for name, v in zip(names, values, strict=True)
        ]
        rows.append(
            (kept.sum(), limit_of(law, np.asarray(found.u), mine), found.converged, natural_values)
        )
    n, limit, converged, table = zip(*rows, strict=True)
    columns = np.array(table).T
    return CutFits(
        lower_m2=cuts,
        n=np.array(n),
        limit=limit,
        converged=np.array(converged, dtype=bool),
        values=dict(zip(names, columns, strict=True)),
    )


def unstable(name: str, value: float, cuts: CutFits) -> str:
    """Why an estimate is not stable over the cuts; empty where it is.

    Example:
        >>> cuts = CutFits(
        ...     lower_m2=np.array([250.0, 300.0]),
        ...     n=np.array([98.0, 97.0]),
        ...     limit=(None, None),
        ...     converged=np.array([True, True]),
        ...     values={"rollover_m2": np.array([435.0, 260.0])},
        ... )
        >>> unstable("rollover_m2", 681.0, cuts)
        'from 681 to 260 between cuts'
    """
    for at, limit in zip(cuts.lower_m2, cuts.limit, strict=True):
        if limit is not None and name in ("beta", "t", "rollover_m2"):
            if limit == "frechet" and name == "rollover_m2":
                continue
            return f"the maximum above {at:g} m2 lies at the limit {limit}"
    values = np.append(cuts.values[name], value)
    if np.isnan(values).any():
        return "it does not exist at every cut"
    if values.min() < 0.0 < values.max():
        return f"it changes sign between cuts ({values.min():.3g} to {values.max():.3g})"
    size = np.abs(values)
    if size.max() > FACTOR * size.min():
        worst = values[int(np.argmax(np.abs(np.log(size / abs(value)))))]
        return f"from {value:.3g} to {worst:.3g} between cuts"
    return ""
