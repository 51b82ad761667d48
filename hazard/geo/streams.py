"""Topographic wetness index, channel network, and distance to the nearest stream."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hazard.errors import DataError
from hazard.geo.distance import distance_to_marked_m
from hazard.geo.kernels import BoolArray, Float32Array, in_row_bands, kernel

MINIMUM_TAN_SLOPE = 0.001
"""Floor of tan(slope) in the wetness index: 1 m per km, below the noise of a 30 m elevation."""


@kernel
def _twi_rows(specific: Any, slope_deg: Any, floor: float, row0: int, row1: int, twi: Any) -> int:
    bad = 0
    for r in range(row0, row1):
        for c in range(specific.shape[1]):
            a = np.float64(specific[r, c])
            tangent = math.tan(np.float64(slope_deg[r, c]) * (math.pi / 180.0))
            twi[r, c] = math.log(a / max(tangent, floor)) if tangent == tangent else np.nan
            if a <= 0.0:
                bad += 1
    return bad


def twi(
    specific_area_m: Any,
    slope_deg: Any,
    *,
    minimum_tan_slope: float = MINIMUM_TAN_SLOPE,
    threads: int | None = None,
) -> Float32Array:
    r"""Topographic wetness index ln(a / tan(slope)).

    .. math:: \mathrm{TWI} = \ln \frac{a}{\max(\tan\beta,\ t_{\min})}

    The specific catchment area `a` is in metres, so the index has a unit-dependent offset: with
    `a` in pixels it would be lower by ln(pixel size / 1 m). On flat ground tan(slope) is held at
    `minimum_tan_slope`; nothing else is clipped.

    Args:
        specific_area_m: (y, x) contributing area per contour width [m], positive or NaN.
        slope_deg: (y, x) slope [degree], NaN where unknown.
        minimum_tan_slope: floor of tan(slope).
        threads: at most so many threads; the result does not depend on it.

    Returns:
        (y, x) index [1]; NaN where either input is.

    Raises:
        ValueError: shapes that differ, an area that is not positive, or a floor that is not.

    References:
        Beven & Kirkby (1979), Hydrological Sciences Bulletin 24, 43-69,
        doi:10.1080/02626667909491834

    Example:
        >>> index = twi(np.array([[100.0, 100.0]]), np.array([[45.0, 0.0]]))
        >>> [round(float(value), 3) for value in index[0]]  # ln 100, and ln 100,000 on the flat
        [4.605, 11.513]
    """
    a, slope = np.asarray(specific_area_m), np.asarray(slope_deg)
    if a.ndim != 2 or a.shape != slope.shape:
        raise ValueError(f"specific area {a.shape} and slope {slope.shape} must both be (y, x)")
    if not minimum_tan_slope > 0.0:
        raise ValueError(f"minimum_tan_slope {minimum_tan_slope} must be positive")
    result = np.empty(a.shape, np.float32)
    if in_row_bands(
        a.shape,
        lambda r0, r1: _twi_rows(a, slope, float(minimum_tan_slope), r0, r1, result),
        threads,
    ):
        raise ValueError("specific catchment areas must be positive")
    return result


def channel_network(
    area_m2: Any, valid: Any, *, threshold_m2: float, source: object = "elevation"
) -> BoolArray:
    """Pixels whose contributing area reaches the threshold.

    Args:
        area_m2: (y, x) contributing area [m2], NaN where invalid.
        valid: (y, x) bool.
        threshold_m2: smallest contributing area of a channel [m2].
        source: name of the raster in error messages.

    Raises:
        DataError: no pixel reaches the threshold.
        ValueError: shapes that differ, or a threshold that is not positive.

    Example:
        >>> area = np.array([[900.0, 1800.0, 2700.0]])
        >>> channel_network(area, np.ones((1, 3), bool), threshold_m2=1000.0).tolist()
        [[False, True, True]]
    """
    area, mask = np.asarray(area_m2), np.asarray(valid)
    if area.ndim != 2 or area.shape != mask.shape or mask.dtype != np.bool_:
        raise ValueError(f"area {area.shape} and valid {mask.shape} must be (y, x), valid boolean")
    if not threshold_m2 > 0.0:
        raise ValueError(f"threshold_m2 {threshold_m2} must be positive")
    channels = area >= threshold_m2
    channels &= mask
    if not channels.any():
        largest = np.max(area, where=mask & ~np.isnan(area), initial=0.0)
        raise DataError(
            source,
            found=f"a largest contributing area of {largest:.6g} m2, so no channel",
            expected=f"at least one pixel that drains {threshold_m2:.6g} m2; "
            "lower the channel threshold or use a larger area",
        )
    return channels


def stream_distance_m(
    area_m2: Any,
    valid: Any,
    cell_size: tuple[float, float],
    *,
    threshold_m2: float,
    threads: int | None = None,
    source: object = "elevation",
) -> Float32Array:
    """Straight-line distance to the nearest channel pixel, between pixel centres.

    Exact for square and non-square pixels; measured across invalid pixels too. Takes six bytes
    per pixel beside its inputs, the result included.

    Args:
        area_m2: (y, x) contributing area [m2], NaN where invalid.
        valid: (y, x) bool.
        cell_size: (width, height) of a pixel [m].
        threshold_m2: smallest contributing area of a channel [m2].
        threads: at most so many threads; the result does not depend on it.
        source: name of the raster in error messages.

    Returns:
        (y, x) distance [m], 0 in channels, NaN where invalid.

    Raises:
        DataError: no pixel reaches the threshold (the message gives the largest area found).
        ValueError: shapes that differ, or a threshold that is not positive.

    Example:
        >>> area = np.array([[900.0, 900.0, 2700.0]])
        >>> valid = np.ones((1, 3), bool)
        >>> stream_distance_m(area, valid, (30.0, 30.0), threshold_m2=1000.0).tolist()
        [[60.0, 30.0, 0.0]]
    """
    channels = channel_network(area_m2, valid, threshold_m2=threshold_m2, source=source)
    distance = distance_to_marked_m(channels, cell_size, threads=threads)
    distance[~np.asarray(valid)] = np.nan
    return distance
