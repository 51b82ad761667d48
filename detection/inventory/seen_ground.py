"""The ground that an epoch saw, asked for small parts of it.

A footprint follows cloud and shadow pixel by pixel and has a hundred thousand corners; a landslide
lies on a few of them. So the footprint is cut in four, and the quarters again, wherever a landslide
asks for it. Quarters overlap by a quarter of their parent's side, so that what lies across the edge
of one lies inside another, and the answer is that of the whole footprint.
"""

from __future__ import annotations

from typing import Any

import shapely

from detection.inventory.overlay import EMPTY, difference, intersection

FEW_CORNERS = 2048
"""A piece with so few is not cut further."""
_LOW, _HIGH = 0.375, 0.625
_Box = tuple[float, float, float, float]


class SeenGround:
    """A footprint that many small parts are held against.

    Args:
        footprint: polygons; None: all the ground there is.

    Example:
        >>> seen = SeenGround(shapely.box(0, 0, 10, 10))
        >>> part = shapely.box(8, 0, 12, 1)
        >>> seen.of(part).area, seen.beyond(part).area
        (2.0, 2.0)
        >>> SeenGround(None).beyond(part).area
        0.0
    """

    def __init__(self, footprint: Any) -> None:
        self.everything = footprint is None
        bounds: _Box = (0.0, 0.0, 0.0, 0.0)
        empty = footprint is None or footprint.is_empty
        self._whole = _Piece(footprint, bounds if empty else footprint.bounds)

    def of(self, part: Any) -> Any:
        """What of a part was seen; the part itself where that is all of it."""
        if self.everything:
            return part
        about = self._about(part)
        return part if shapely.covers(about, part) else intersection(part, about)

    def beyond(self, part: Any) -> Any:
        """What of a part was not seen."""
        return EMPTY if self.everything else difference(part, self._about(part))

    def _about(self, part: Any) -> Any:
        """Ground that is the footprint's wherever the part lies."""
        if part.is_empty or self._whole.ground.is_empty:
            return EMPTY
        return self._whole.around(part.bounds)


class _Piece:
    """The footprint within a box, and its quarters, made when they are asked for."""

    def __init__(self, ground: Any, box: _Box) -> None:
        self.ground, self.box = ground, box
        self.few = ground is None or shapely.get_num_coordinates(ground) <= FEW_CORNERS
        self.quarters: dict[tuple[bool, bool], _Piece] = {}

    def around(self, bounds: _Box) -> Any:
        piece = self
        while not piece.few and (chosen := piece.quarter(bounds)) is not None:
            piece = chosen
        return piece.ground

    def quarter(self, bounds: _Box) -> _Piece | None:
        """The quarter that holds these bounds, as far as they lie in the box; None if none does."""
        x0, y0, x1, y1 = self.box
        east = _half(max(bounds[0], x0), min(bounds[2], x1), x0, x1)
        north = _half(max(bounds[1], y0), min(bounds[3], y1), y0, y1)
        if east is None or north is None:
            return None
        if (east, north) not in self.quarters:
            (low_x, high_x), (low_y, high_y) = _ends(x0, x1, east), _ends(y0, y1, north)
            box = (low_x, low_y, high_x, high_y)
            self.quarters[east, north] = _Piece(intersection(self.ground, shapely.box(*box)), box)
        return self.quarters[east, north]


def _ends(low: float, high: float, upper: bool) -> tuple[float, float]:
    side = high - low
    return (low + _LOW * side, high) if upper else (low, low + _HIGH * side)


def _half(first: float, last: float, low: float, high: float) -> bool | None:
    """Whether an interval lies in the upper part (True) or the lower one; None: in neither."""
    for upper in (False, True):
        start, end = _ends(low, high, upper)
        if start <= first and last <= end:
            return upper
    return None
