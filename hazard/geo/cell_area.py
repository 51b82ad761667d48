"""Exact landslide area and landslide counts per cell of a grid.

Overlapping polygons must not count twice in a cell. A union over the whole inventory is slow, and
almost all of it is wasted on polygons that meet nothing: pairs that share area are found with a
spatial index, joined to connected clusters, and only clusters of two or more are unioned.

The area of each polygon is then split over the cells. A polygon whose bounding box lies in one
cell gives it its whole area. One that covers a few cells is intersected with each of them in
double precision. One that covers many goes through exactextract, whose coverage fractions are
single precision (relative errors up to 1e-6 per polygon), and its fractions are rescaled to add up
to the polygon's area, so that totals hold to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hazard.errors import DataError
from hazard.geo.grid import FloatArray, Grid

Geometries = np.ndarray[Any, np.dtype[np.object_]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
CountRule = Literal["representative_point", "centroid", "largest_share"]

# Up to this many cells per polygon, double-precision intersections cost no more than exactextract.
_INTERSECTION_CELLS = 32
# Precision [m] of the second attempt where GEOS cannot union a cluster as it stands.
_FALLBACK_GRID_M = 1e-6


@dataclass(frozen=True, kw_only=True)
class ClusterUnion:
    """Polygons with the overlaps dissolved.

    Attributes:
        geometries: (cluster,) one geometry per cluster; interiors are disjoint.
        cluster: (n,) index into `geometries` of every input polygon.
        n_merged: clusters of two or more polygons.
        n_fallback: clusters that GEOS could union only after repair or snapping to 1e-6 units.
    """

    geometries: Geometries
    cluster: IntArray
    n_merged: int
    n_fallback: int


@dataclass(frozen=True, kw_only=True)
class CellShares:
    """The area of each polygon in each cell it meets, as a sparse table.

    Attributes:
        polygon: (k,) index of the polygon.
        cell: (k,) flat index ``row * columns + column``.
        area_m2: (k,) area of the polygon in the cell [m2].
    """

    polygon: IntArray
    cell: IntArray
    area_m2: FloatArray


def as_geometries(geometries: Any, source: object = "geometries") -> Geometries:
    """One-dimensional object array of polygons from a GeoSeries, GeoDataFrame or sequence.

    Raises:
        DataError: a geometry is missing, not polygonal, or has coordinates that are not finite.
    """
    if isinstance(geometries, gpd.GeoDataFrame):
        geometries = geometries.geometry
    if isinstance(geometries, gpd.GeoSeries):
        array = np.asarray(geometries.to_numpy(), dtype=object)
    else:
        array = np.empty(len(geometries), dtype=object)
        array[:] = list(geometries)
    kinds = shapely.get_type_id(array)
    wrong = np.flatnonzero(~np.isin(kinds, (3, 6)))
    if wrong.size:
        kind = array[wrong[0]].geom_type if kinds[wrong[0]] >= 0 else "no geometry"
        raise DataError(
            source, found=f"{kind} at position {wrong[0]}", expected="polygons or multipolygons"
        )
    if not np.isfinite(shapely.bounds(array)[~shapely.is_empty(array)]).all():
        raise DataError(
            source, found="coordinates that are not finite", expected="finite coordinates"
        )
    return array


def _robust_union(parts: Geometries) -> tuple[Any, bool]:
    """Union of overlapping polygons; the flag says that the plain way failed."""
    try:
        return shapely.union_all(parts), False
    except shapely.errors.GEOSException:
        valid = shapely.make_valid(parts, method="structure", keep_collapsed=False)
        try:
            return shapely.union_all(valid), True
        except shapely.errors.GEOSException:
            return shapely.union_all(valid, grid_size=_FALLBACK_GRID_M), True


def overlapping_pairs(geometries: Geometries) -> tuple[IntArray, IntArray]:
    """Indices (i < j) of the pairs of polygons that share area, not only a border.

    Example:
        >>> boxes = [shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3), shapely.box(3, 0, 4, 4)]
        >>> [a.tolist() for a in overlapping_pairs(as_geometries(boxes))]
        [[0], [1]]
    """
    first, second = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    upper = first < second
    first, second = first[upper], second[upper]
    share = ~shapely.touches(geometries[first], geometries[second])
    return first[share].astype(np.int64), second[share].astype(np.int64)


def union_clusters(geometries: Any) -> ClusterUnion:
    """Dissolve the overlaps: union of each cluster of polygons that share area.

    Polygons that only touch stay apart, which changes no area. Clusters come in the order of
    their first polygon.

    Args:
        geometries: (n,) valid polygons: GeoDataFrame, GeoSeries or a sequence.

    Raises:
        DataError: something else than polygons.

    Example:
        >>> result = union_clusters([shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1),
        ...                          shapely.box(5, 0, 6, 1)])
        >>> result.cluster.tolist(), shapely.area(result.geometries).tolist(), result.n_merged
        ([0, 0, 1], [3.0, 1.0], 1)
    """
    array = as_geometries(geometries)
    n = len(array)
    first, second = overlapping_pairs(array)
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n, n))
    n_clusters, label = connected_components(graph, directed=False) if n else (0, np.zeros(0, int))
    size = np.bincount(label, minlength=n_clusters)
    start = np.r_[0, np.cumsum(size)]
    order = np.argsort(label, kind="stable")
    out = array[order[start[:-1]]] if n else array
    fallbacks = 0
    for cluster in np.flatnonzero(size > 1):
        members = array[order[start[cluster] : start[cluster + 1]]]
        out[cluster], failed = _robust_union(members)
        fallbacks += failed
    return ClusterUnion(
        geometries=out,
        cluster=label.astype(np.int64),
        n_merged=int((size > 1).sum()),
        n_fallback=fallbacks,
    )


def _index_range(bounds: FloatArray, grid: Grid) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """First and last row, first and last column of cells under each (n, 4) bounding box."""
    left, _, _, top = grid.bounds
    width, height = grid.cell_size
    rows, cols = grid.shape
    col0 = np.floor((bounds[:, 0] - left) / width)
    col1 = np.ceil((bounds[:, 2] - left) / width) - 1
    row0 = np.floor((top - bounds[:, 3]) / height)
    row1 = np.ceil((top - bounds[:, 1]) / height) - 1

    def clip(index: FloatArray, size: int) -> IntArray:
        return np.clip(index, 0, size - 1).astype(np.int64)

    row0, col0 = clip(row0, rows), clip(col0, cols)
    return (
        row0, np.maximum(clip(row1, rows), row0), col0, np.maximum(clip(col1, cols), col0),
    )  # fmt: skip


def _clip_to_grid(array: Geometries, grid: Grid) -> Geometries:
    """Polygons cut at the outer edge of the grid; empty where they lie outside."""
    left, bottom, right, top = grid.bounds
    b = shapely.bounds(array)
    inside = (b[:, 0] >= left) & (b[:, 1] >= bottom) & (b[:, 2] <= right) & (b[:, 3] <= top)
    out = array.copy()
    if not inside.all():
        frame = shapely.box(left, bottom, right, top)
        # Empty geometries have NaN bounds and stay empty here.
        out[~inside] = shapely.intersection(array[~inside], frame)
    return out


def _shares_by_intersection(
    array: Geometries, polygon: IntArray, ranges: tuple[IntArray, ...], grid: Grid
) -> CellShares:
    """Areas by intersecting each polygon with each cell of its bounding box (float64)."""
    row0, row1, col0, col1 = (index[polygon] for index in ranges)
    width = col1 - col0 + 1
    n_cells = (row1 - row0 + 1) * width
    owner = np.repeat(np.arange(len(polygon)), n_cells)
    k = np.arange(n_cells.sum()) - np.repeat(np.cumsum(n_cells) - n_cells, n_cells)
    row = row0[owner] + k // width[owner]
    col = col0[owner] + k % width[owner]
    left, _, _, top = grid.bounds
    dx, dy = grid.cell_size
    boxes = shapely.box(
        left + col * dx, top - (row + 1) * dy, left + (col + 1) * dx, top - row * dy
    )
    area = shapely.area(shapely.intersection(array[polygon[owner]], boxes))
    met = area > 0
    return CellShares(
        polygon=polygon[owner[met]],
        cell=row[met] * grid.shape[1] + col[met],
        area_m2=area[met],
    )


def _adding_up(share: FloatArray, total: float) -> FloatArray:
    """Shares of cells, single precision, corrected to add up to `total` in double.

    Cells wholly covered are exact; the correction goes to the partly covered ones, or to all where
    those hold too little to take it.
    """
    full = share == 1.0
    partly = float(share[~full].sum())
    if partly > 0:
        factor = (total - int(full.sum())) / partly
        if abs(factor - 1.0) < 1e-3:
            return np.where(full, share, share * factor)
    return share * (total / share.sum())


def _shares_by_exactextract(array: Geometries, polygon: IntArray, grid: Grid) -> CellShares:
    """Areas by exactextract, rescaled so that each polygon's shares add up to its area."""
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    left, bottom, right, top = grid.bounds
    wkt = grid.crs.to_wkt()
    raster = NumPyRasterSource(
        np.zeros(grid.shape, dtype=np.uint8), left, bottom, right, top, srs_wkt=wkt
    )
    frame = gpd.GeoDataFrame({"polygon": polygon}, geometry=array[polygon], crs=grid.crs)
    table = exact_extract(
        raster, frame, ["cell_id", "coverage"], include_cols=["polygon"], output="pandas"
    )
    cells: list[IntArray] = []
    areas: list[FloatArray] = []
    for index, cell, coverage in zip(
        polygon, table["cell_id"], table["coverage"], strict=True
    ):  # rows come in the order of the frame
        share = np.asarray(coverage, dtype=np.float64)
        areas.append(
            _adding_up(share, float(shapely.area(array[index])) / grid.cell_area_m2)
            * grid.cell_area_m2
        )
        cells.append(np.asarray(cell, dtype=np.int64))
    return CellShares(
        polygon=np.repeat(polygon, [len(cell) for cell in cells]),
        cell=np.concatenate(cells),
        area_m2=np.concatenate(areas),
    )


def cell_shares(
    geometries: Any,
    grid: Grid,
    *,
    intersection_cells: int = _INTERSECTION_CELLS,
    progress: Callable[[int], None] | None = None,
) -> CellShares:
    """Area of every polygon in every cell [m2], each polygon on its own.

    Args:
        geometries: (n,) valid polygons in the grid's coordinate system.
        grid: a grid in metres.
        intersection_cells: polygons whose bounding box covers more cells go through exactextract.
        progress: called with the number of polygons done since the last call.

    Returns:
        Sparse table; parts outside the grid are left out.

    Raises:
        DataError: not polygons, or a grid without metres.
    """
    grid.require_metres("landslide areas")
    array = _clip_to_grid(as_geometries(geometries), grid)
    whole_area = shapely.area(array)
    keep = np.flatnonzero(whole_area > 0)
    bounds = shapely.bounds(array)
    bounds[whole_area <= 0] = grid.bounds[0], grid.bounds[1], grid.bounds[0], grid.bounds[1]
    ranges = _index_range(bounds, grid)
    n_cells = (ranges[1] - ranges[0] + 1) * (ranges[3] - ranges[2] + 1)

    inside = keep[n_cells[keep] == 1]
    parts = [
        CellShares(
            polygon=inside,
            cell=ranges[0][inside] * grid.shape[1] + ranges[2][inside],
            area_m2=whole_area[inside],
        )
    ]
    if progress is not None:
        progress(len(array) - len(keep) + len(inside))
    some = keep[(n_cells[keep] > 1) & (n_cells[keep] <= intersection_cells)]
    many = keep[n_cells[keep] > max(1, intersection_cells)]
    # Chunks keep the table of boxes, and exactextract's lists, small.
    for indices, chunk in ((some, 20_000), (many, 2_000)):
        for begin in range(0, len(indices), chunk):
            polygon = indices[begin : begin + chunk]
            parts.append(
                _shares_by_intersection(array, polygon, ranges, grid)
                if indices is some
                else _shares_by_exactextract(array, polygon, grid)
            )
            if progress is not None:
                progress(len(polygon))
    return CellShares(
        polygon=np.concatenate([part.polygon for part in parts]),
        cell=np.concatenate([part.cell for part in parts]),
        area_m2=np.concatenate([part.area_m2 for part in parts]),
    )


def cell_landslide_area(
    geometries: Any,
    grid: Grid,
    *,
    union: bool = True,
    progress: Callable[[int], None] | None = None,
) -> FloatArray:
    """Landslide area per cell, (y, x) float64 [m2].

    Args:
        geometries: (n,) valid polygons in the grid's coordinate system.
        grid: a grid in metres.
        union: count ground under several polygons once; False adds every polygon's area.
        progress: called with the number of polygons done since the last call.

    Raises:
        DataError: not polygons, or a grid without metres.

    Example:
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 200, 100), cell_m=100)
        >>> two = [shapely.box(50, 0, 150, 10), shapely.box(50, 0, 150, 10)]
        >>> cell_landslide_area(two, grid).tolist()
        [[500.0, 500.0]]
        >>> cell_landslide_area(two, grid, union=False).tolist()
        [[1000.0, 1000.0]]
    """
    array = union_clusters(geometries).geometries if union else geometries
    shares = cell_shares(array, grid, progress=progress)
    total = np.bincount(
        shares.cell, weights=shares.area_m2, minlength=grid.shape[0] * grid.shape[1]
    )
    return total.astype(np.float64).reshape(grid.shape)


def cell_landslide_count(
    geometries: Any, grid: Grid, *, by: CountRule = "representative_point"
) -> IntArray:
    """Number of landslides per cell, (y, x) int64; each polygon counts in one cell at most.

    Args:
        geometries: (n,) valid polygons in the grid's coordinate system.
        grid: a grid in metres.
        by: the cell of a polygon: of a point inside it, of its centroid (which may lie outside
            a curved runout), or the one that holds most of its area (ties: the lower index).
            Points on a shared border belong to the cell below or to the right. Polygons whose
            point lies outside the grid are not counted.

    Example:
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 200, 100), cell_m=100)
        >>> cell_landslide_count([shapely.box(80, 0, 180, 10)], grid).tolist()
        [[0, 1]]
    """
    array = as_geometries(geometries)
    rows, cols = grid.shape
    if by == "largest_share":
        shares = cell_shares(array, grid)
        order = np.lexsort((shares.cell, -shares.area_m2, shares.polygon))
        _, best = np.unique(shares.polygon[order], return_index=True)
        flat = shares.cell[order[best]]
    else:
        grid.require_metres("landslide counts")
        point = shapely.centroid(array) if by == "centroid" else shapely.point_on_surface(array)
        left, _, _, top = grid.bounds
        dx, dy = grid.cell_size
        # get_x refuses empty points, and so empty polygons are left out first.
        point = point[~shapely.is_empty(point)]
        col = np.floor((shapely.get_x(point) - left) / dx)
        row = np.floor((top - shapely.get_y(point)) / dy)
        inside = (col >= 0) & (col < cols) & (row >= 0) & (row < rows)
        flat = row[inside].astype(np.int64) * cols + col[inside].astype(np.int64)
    return np.bincount(flat, minlength=rows * cols).reshape(rows, cols).astype(np.int64)
