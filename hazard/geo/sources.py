"""Open raster files (anything GDAL reads, and CF netCDF) behind one windowed reader.

A source answers two questions: what is in the file (`RasterInfo`), and what are the values and the
validity of a window of one band, north-up. Every failure of a decoder is a `DataError` that names
the file: truncated files open well and fail only when a window is read, so both steps are guarded.

Validity of a source pixel is decided here and nowhere else. A pixel is invalid where

* its value is not finite (as float32 for continuous data), or
* it equals the nodata value: the `nodata` argument where given, else the file's own, or
* the file's per-dataset mask or alpha band says so.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from hazard.errors import DataError
from hazard.geo.grid import Block, Grid

AnyArray = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
PathLike = str | os.PathLike[str]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
NETCDF3_SIGNATURE = b"CDF"


@dataclass(frozen=True, kw_only=True)
class RasterInfo:
    """What a raster file says about itself.

    Attributes:
        path: the file.
        crs: coordinate system, None where the file has none.
        transform: affine map from (column, row) corners to (x, y); row 0 is the northernmost also
            where the file stores rows from south to north.
        shape: (rows, columns).
        count: number of bands.
        dtype: type of the stored numbers.
        nodata: the file's nodata value, None where it has none.
        band_names: description of each band, "" where absent.
        units: unit of each band, "" where absent.
        scales: factor from stored to physical value, per band.
        offsets: addend from stored to physical value, per band.
    """

    path: str
    crs: CRS | None
    transform: Affine
    shape: tuple[int, int]
    count: int
    dtype: str
    nodata: float | None
    band_names: tuple[str, ...]
    units: tuple[str, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def grid(self) -> Grid:
        """The file's own grid; DataError where it has no coordinate system or is rotated."""
        if self.crs is None:
            raise DataError(self.path, found="no coordinate system", expected="one in the file")
        t = self.transform
        if t.b != 0 or t.d != 0 or t.a <= 0 or t.e >= 0 or not all(map(math.isfinite, t)):
            raise DataError(
                self.path,
                found=f"a rotated, mirrored or empty transform {tuple(t)[:6]}",
                expected="rows along x and columns along y (warp the file first)",
            )
        return Grid(crs=self.crs, transform=t, shape=self.shape)


class Source(Protocol):
    """An open raster file."""

    @property
    def info(self) -> RasterInfo:
        """What the file says about itself."""
        ...

    def read_raw(
        self, window: Block, bands: Sequence[int]
    ) -> list[tuple[AnyArray, BoolArray | None]]:
        """Stored numbers of a window, north-up, and the file's explicit mask (None: all valid), of
        every band that is asked for.
        """
        ...


@contextmanager
def decoding(path: object, expected: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a broken file into a DataError that names the file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            path, found=f"unreadable content ({reason[:200]})", expected=expected
        ) from (error)


class GdalSource:
    """A file read through GDAL."""

    def __init__(self, dataset: Any, path: str) -> None:
        self._dataset = dataset
        transform, self._south_up = dataset.transform, False
        if transform.e > 0 and transform.b == 0 == transform.d:
            # Rows stored from south to north: count them from the north instead.
            self._south_up = True
            top = transform.f + dataset.height * transform.e
            transform = Affine(transform.a, 0, transform.c, 0, -transform.e, top)
        crs = CRS.from_wkt(dataset.crs.to_wkt()) if dataset.crs else None
        self._info = RasterInfo(
            path=path,
            crs=crs,
            transform=transform,
            shape=(dataset.height, dataset.width),
            count=dataset.count,
            dtype=dataset.dtypes[0] if dataset.count else "none",
            nodata=dataset.nodata if dataset.count else None,
            band_names=tuple(name or "" for name in dataset.descriptions),
            units=tuple(unit or "" for unit in dataset.units),
            scales=tuple(map(float, dataset.scales)),
            offsets=tuple(map(float, dataset.offsets)),
        )

    @property
    def info(self) -> RasterInfo:
        """What the file says about itself."""
        return self._info

    def read_raw(
        self, window: Block, bands: Sequence[int]
    ) -> list[tuple[AnyArray, BoolArray | None]]:
        """Stored numbers of a window, north-up, and the per-dataset mask or alpha, by band."""
        dataset, rows = self._dataset, self._info.shape[0]
        row0 = rows - window.row1 if self._south_up else window.row0
        gdal_window = Window(window.col0, row0, window.shape[1], window.shape[0])
        if len({dataset.dtypes[band - 1] for band in bands}) == 1:
            # Pixel by pixel, as most images are stored, a block holds all bands: decode it once.
            stack = list(dataset.read(list(bands), window=gdal_window))
        else:
            stack = [dataset.read(band, window=gdal_window) for band in bands]
        found: list[tuple[AnyArray, BoolArray | None]] = []
        for values, mask in zip(stack, self._masks(bands, gdal_window), strict=True):
            if self._south_up:
                values, mask = values[::-1], None if mask is None else mask[::-1]
            found.append((values, mask))
        return found

    def _masks(self, bands: Sequence[int], window: Window) -> list[BoolArray | None]:
        """What the file's own mask or alpha band says of a window, rows as they are stored."""
        dataset, alpha, alpha_band = self._dataset, None, None
        # GDAL forgets the alpha band where a nodata value is set too: ask for it by colour.
        if ColorInterp.alpha in dataset.colorinterp:
            alpha_band = dataset.colorinterp.index(ColorInterp.alpha) + 1
            if set(bands) != {alpha_band}:
                alpha = dataset.read(alpha_band, window=window) > 0
        # One mask serves all bands of a dataset, and so does alpha: each is read once.
        masked = [band for band in bands if self._has_mask(band)]
        own = dataset.read_masks(masked[0], window=window) > 0 if masked else None
        found: list[BoolArray | None] = []
        for band in bands:
            mask = own if band in masked else None
            if alpha is not None and band != alpha_band:
                mask = alpha if mask is None else mask & alpha
            found.append(mask)
        return found

    def _has_mask(self, band: int) -> bool:
        """Whether the file holds a mask of its own, other than alpha, that covers a band."""
        flags = self._dataset.mask_flag_enums[band - 1]
        return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _existing(path: PathLike) -> str:
    """The path as text; DataError where it is missing, a folder, or empty."""
    text = os.fspath(path)
    if text.startswith("/vsi"):  # inside an archive: GDAL looks for it
        return text
    file = Path(text)
    if not file.exists():
        raise DataError(text, found="no such file", expected="a raster file")
    if file.is_dir():
        raise DataError(text, found="a folder", expected="a raster file")
    if file.stat().st_size == 0:
        raise DataError(text, found="an empty file", expected="a raster file")
    return text


def _signature(path: str) -> bytes:
    if path.startswith("/vsi"):
        return b""
    try:
        with open(path, "rb") as stream:
            return stream.read(8)
    except OSError as error:
        raise DataError(path, found=f"{error.strerror}", expected="a readable file") from error


@contextmanager
def open_source(path: PathLike, *, variable: str | None = None) -> Iterator[Source]:
    """Open a GeoTIFF (or anything GDAL reads) or a CF netCDF file for windowed reading.

    Args:
        path: the file; GDAL's `/vsizip/` and `/vsigzip/` paths work.
        variable: netCDF variable; may be left out where only one lies on the grid.

    Raises:
        DataError: missing, empty or undecodable file.
    """
    text = _existing(path)
    signature = _signature(text)
    if signature == HDF5_SIGNATURE or signature[:3] == NETCDF3_SIGNATURE:
        from hazard.geo.netcdf_source import open_netcdf_source

        with open_netcdf_source(text, variable, classic=signature[:3] == b"CDF") as source:
            yield source
        return
    if variable is not None:
        raise DataError(text, found="not a netCDF file", expected=f"netCDF variable {variable!r}")
    expected = "a georeferenced raster (GeoTIFF or CF netCDF)"
    with decoding(text, expected), warnings.catch_warnings():
        # Ungeoreferenced images warn on opening; `RasterInfo.grid` refuses them in words.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = rasterio.open(text)
        try:
            gdal_source = GdalSource(dataset, text)
        except BaseException:
            dataset.close()
            raise
    with dataset:
        yield gdal_source


def checked_nodata(info: RasterInfo, nodata: float | None) -> float | None:
    """The nodata value that holds: the caller's where given (NaN: none), else the file's.

    Raises:
        DataError: the caller's value cannot occur in the file's integer type.
    """
    if nodata is None:
        return info.nodata
    dtype = np.dtype(info.dtype)
    if np.isfinite(nodata) and np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if nodata != int(nodata) or not limits.min <= nodata <= limits.max:
            raise DataError(
                info.path, found=f"nodata={nodata:g} asked for", expected=f"a value of {dtype}"
            )
    return nodata


def read_window(
    source: Source, window: Block, band: int, *, nodata: float | None, categorical: bool
) -> tuple[AnyArray, BoolArray]:
    """Physical values and validity of a window that lies inside the file.

    Args:
        source: open file.
        window: rows and columns, counted from the north-west corner.
        band: 1-based.
        nodata: see `checked_nodata`.
        categorical: keep integers (float64 exact); else scale, offset and float32.

    Returns:
        values, float32 with NaN where invalid (float64 where categorical), and valid.
    """
    (found,) = read_windows(source, window, (band,), nodata=nodata, categorical=categorical)
    return found


def read_windows(
    source: Source, window: Block, bands: Sequence[int], *, nodata: float | None, categorical: bool
) -> Iterator[tuple[AnyArray, BoolArray]]:
    """`read_window` of several bands, one after the other; the file is decoded once for all."""
    info = source.info
    with decoding(info.path, f"{info.dtype} values in rows {window.row0}-{window.row1}"):
        read = source.read_raw(window, bands)
    for band, (raw, mask) in zip(bands, read, strict=True):
        if raw.shape != window.shape or raw.dtype.kind not in "iufb":
            raise DataError(
                info.path,
                found=f"{raw.dtype} values of shape {raw.shape}",
                expected=f"real numbers of shape {window.shape}",
            )
        yield _physical(info, band, raw, mask, nodata=nodata, categorical=categorical)


def _physical(
    info: RasterInfo,
    band: int,
    raw: AnyArray,
    mask: BoolArray | None,
    *,
    nodata: float | None,
    categorical: bool,
) -> tuple[AnyArray, BoolArray]:
    """Stored numbers to values and validity."""
    missing = checked_nodata(info, nodata)
    scale, offset = info.scales[band - 1], info.offsets[band - 1]
    target = np.float64 if categorical else np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        if scale == 1 and offset == 0:
            values = raw.astype(target)
        else:
            values = (raw.astype(np.float64) * scale + offset).astype(target)
        valid = np.isfinite(values)
        if missing is not None and not math.isnan(missing):
            # Compared in the stored type: -3.4e38 is another number in float32 than in float64.
            same = raw == (
                np.asarray(missing).astype(raw.dtype) if raw.dtype.kind == "f" else missing
            )
            valid &= ~same
    if mask is not None:
        valid &= mask
    if not valid.all():
        values[~valid] = np.nan
    return values, valid


def require_band(info: RasterInfo, band: int) -> None:
    """Refuse a band that the file does not have."""
    if not 1 <= band <= info.count:
        raise DataError(
            info.path, found=f"{info.count} band(s)", expected=f"band {band} to be among them"
        )
