"""Rivers cut a rising range: flow routing and the implicit stream-power law, in O(pixels).

One step routes the flow (a flood from the outlets inward gives every pixel a receiver, lakes
included), adds up the drained area, lowers every pixel towards its receiver by the stream-power
law solved implicitly downstream to upstream (Braun & Willett, 2013, Geomorphology 180-181,
170-179), and lets hillslopes fail to their threshold angle. The result drains by construction. One
of eight neighbours receives all, chosen by the random rule Rho8 (Fairfield & Leymarie, 1991,
Water Resources Research 27(5), 709-717, doi:10.1029/90WR02658): no course is favoured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hazard.geo.kernels import kernel

Array = np.ndarray[Any, np.dtype[Any]]

# The flood pops pixels in bands of this height [m]; inside a band the order does not matter.
_BAND_M = 0.25
_FILL_M = 1e-3


@kernel
def _flood(
    z: Any, open_edges: Any, receiver: Any, order: Any, salt: Any
) -> int:  # pragma: no cover - compiled
    """Fill `z` in place; receivers (flat index, self at outlets) and pop order."""
    rows, cols = z.shape
    n = rows * cols
    low = z.min()
    n_bands = int((z.max() - low) / _BAND_M) + 4
    head = np.full(n_bands, -1, dtype=np.int32)
    following = np.full(n, -1, dtype=np.int32)
    state = np.zeros(n, dtype=np.uint8)
    flat = z.reshape(-1)
    for r in range(rows):
        for c in range(cols):
            edge = (
                (r == 0 and open_edges[0])
                or (r == rows - 1 and open_edges[1])
                or (c == 0 and open_edges[2])
                or (c == cols - 1 and open_edges[3])
            )
            if edge:
                i = r * cols + c
                band = int((flat[i] - low) / _BAND_M)
                following[i] = head[band]
                head[band] = i
                state[i] = 1
                receiver[i] = i
    count = 0
    for band in range(n_bands):
        while head[band] >= 0:
            i = head[band]
            head[band] = following[i]
            state[i] = 2
            order[count] = i
            count += 1
            r = i // cols
            c = i % cols
            # Rho8: 1 / (2 - u) instead of 1 / sqrt 2 on diagonals, u from the pixel's number.
            mixed = (np.uint64(i) + salt) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            diagonal = 1.0 / (2.0 - float(mixed >> np.uint64(11)) / 9007199254740992.0)
            steepest = 0.0
            for dr in range(-1, 2):
                for dc in range(-1, 2):
                    if dr == 0 and dc == 0:
                        continue
                    rr = r + dr
                    cc = c + dc
                    if rr < 0 or cc < 0 or rr >= rows or cc >= cols:
                        continue
                    j = rr * cols + cc
                    if state[j] == 2:
                        if receiver[i] != i:
                            drop = flat[i] - flat[j]
                            if dr != 0 and dc != 0:
                                drop *= diagonal
                            if drop > steepest:
                                steepest = drop
                                receiver[i] = j
                    elif state[j] == 0:
                        if flat[j] < flat[i] + _FILL_M:
                            flat[j] = flat[i] + _FILL_M
                        receiver[j] = i
                        target = int((flat[j] - low) / _BAND_M)
                        if target < band:
                            target = band
                        if target >= n_bands:
                            target = n_bands - 1
                        following[j] = head[target]
                        head[target] = j
                        state[j] = 1
    return count


@kernel
def _accumulate(receiver: Any, order: Any, area: Any) -> None:  # pragma: no cover - compiled
    for k in range(order.size - 1, -1, -1):
        i = order[k]
        j = receiver[i]
        if j != i:
            area[j] += area[i]


@kernel
def _carve(z: Any, raw: Any, receiver: Any, order: Any) -> None:  # pragma: no cover - compiled
    """Put `raw` into `z`, lowered along the flow where it would not fall: breached, not filled."""
    flat = z.reshape(-1)
    before = raw.reshape(-1)
    for i in range(flat.size):
        flat[i] = before[i]
    for k in range(order.size - 1, -1, -1):
        i = order[k]
        j = receiver[i]
        if j != i and flat[j] > flat[i] - _FILL_M:
            flat[j] = flat[i] - _FILL_M


@kernel
def _incise(
    z: Any,
    receiver: Any,
    order: Any,
    area: Any,
    rocks: Any,
    row0: float,
    col0: float,
    scale: float,
    years: float,
    exponent: float,
    spacing: float,
) -> None:  # pragma: no cover - compiled
    """Implicit stream power (slope exponent 1) and threshold slopes, outlets first."""
    cols = z.shape[1]
    flat = z.reshape(-1)
    last_row = rocks.shape[1] - 1.001
    last_col = rocks.shape[2] - 1.001
    for k in range(order.size):
        i = order[k]
        j = receiver[i]
        if i == j:
            continue
        step = abs(i - j)
        distance = spacing
        if step != 1 and step != cols:
            distance = spacing * 1.4142135623730951
        # The rocks come on a coarser grid: interpolated here, they cost no memory.
        y = min(max(row0 + (i // cols) * scale, 0.0), last_row)
        x = min(max(col0 + (i % cols) * scale, 0.0), last_col)
        r = int(y)
        c = int(x)
        y -= r
        x -= c
        w00 = (1.0 - y) * (1.0 - x)
        w01 = (1.0 - y) * x
        w10 = y * (1.0 - x)
        w11 = y * x
        value = np.empty(3)
        for m in range(3):
            value[m] = (
                w00 * rocks[m, r, c]
                + w01 * rocks[m, r, c + 1]
                + w10 * rocks[m, r + 1, c]
                + w11 * rocks[m, r + 1, c + 1]
            )
        factor = value[1] * area[i] ** exponent * years / distance
        height = (flat[i] + value[0] * years + factor * flat[j]) / (1.0 + factor)
        highest = flat[j] + value[2] * distance
        if height > highest:
            height = highest
        flat[i] = height


class Routing:
    """Receivers, order and drained area [m2] of a surface (flat indices)."""

    def __init__(self, receiver: Array, order: Array, area_m2: Array) -> None:
        self.receiver = receiver
        self.order = order
        self.area_m2 = area_m2


def route(
    z: Array,
    *,
    spacing_m: float,
    inflow_m2: Array | None = None,
    open_edges: tuple[bool, bool, bool, bool] = (True, True, True, True),
    salt: int = 0,
) -> Routing:
    """Fill `z` in place and route it to the open edges (north, south, west, east).

    Args:
        z: (y, x) elevation [m], float32, changed where a depression is filled.
        spacing_m: pixel side [m].
        inflow_m2: (y, x) area that enters from outside [m2], or None.
        open_edges: which edges let water out.
        salt: number that changes the random weight of diagonals.

    Returns:
        The routing; `area_m2` is (y, x) float32 and counts the pixel itself.
    """
    receiver = np.full(z.size, -1, dtype=np.int32)
    order = np.empty(z.size, dtype=np.int32)
    count = _flood(z, np.asarray(open_edges), receiver, order, np.uint64(salt))
    if count != z.size:
        raise RuntimeError(f"flow routing reached {count} of {z.size} pixels")
    area = np.full(z.shape, spacing_m**2, dtype=np.float32)
    if inflow_m2 is not None:
        area += inflow_m2
    _accumulate(receiver, order, area.reshape(-1))
    return Routing(receiver, order, area)


def evolve(
    z: Array,
    *,
    spacing_m: float,
    steps: int,
    years: float,
    rocks: Array,
    rocks_origin: tuple[float, float] = (0.0, 0.0),
    rocks_scale: float = 1.0,
    area_exponent: float = 0.5,
    inflow_m2: Array | None = None,
    open_edges: tuple[bool, bool, bool, bool] = (True, True, True, True),
    breach: bool = True,
) -> Routing:
    """Run `steps` of uplift and erosion on `z` in place; returns the last routing.

    Args:
        z: (y, x) float32 elevation [m].
        spacing_m: pixel side [m].
        steps: number of steps, at least 1.
        years: length of a step [year].
        rocks: (3, row, column) rock uplift [m/year], K of E = K A^m S [m^(1 - 2m)/year] and
            threshold gradient of hillslopes [1], on a lattice of their own.
        rocks_origin: (row, column) of the first pixel's centre on that lattice.
        rocks_scale: pixel side in units of that lattice.
        area_exponent: m [1].
        inflow_m2: (y, x) area that enters from outside [m2].
        open_edges: edges that let water out (north, south, west, east).
        breach: cut the sills of depressions in the first step instead of filling them.

    Example:
        >>> rocks = np.broadcast_to(np.array([1e-3, 1e-5, 0.5])[:, None, None], (3, 32, 32)).copy()
        >>> z = np.random.default_rng(0).random((32, 32)).astype(np.float32)
        >>> flow = evolve(z, spacing_m=500.0, steps=50, years=5e4, rocks=rocks)
        >>> bool(z.max() > 300.0), float(flow.area_m2.max()) > 2.5e6
        (True, True)
    """
    for step in range(steps):
        raw = z.copy() if breach and step == 0 else None
        flow = route(
            z, spacing_m=spacing_m, inflow_m2=inflow_m2, open_edges=open_edges, salt=step % 7
        )
        if raw is not None:
            _carve(z, raw, flow.receiver, flow.order)
            del raw
        _incise(
            z,
            flow.receiver,
            flow.order,
            flow.area_m2.reshape(-1),
            rocks,
            float(rocks_origin[0]),
            float(rocks_origin[1]),
            float(rocks_scale),
            years,
            area_exponent,
            spacing_m,
        )
    return flow
