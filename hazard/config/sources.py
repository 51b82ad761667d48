"""Where the data of a study come from: one section per kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hazard.config.study import Fraction, Positive
from hazard.config.validation import Section

Resampling = Literal["nearest", "bilinear", "cubic", "average"]


class ColumnsConfig(Section):
    """Names of an inventory's columns; absent ones are not read."""

    id: str | None = None
    """identity of a landslide"""
    date: str | None = None
    """day of the landslide or of the image that first shows it"""
    date_start: str | None = None
    """day after which it happened"""
    date_end: str | None = None
    """day by which it had happened"""
    year: str | None = None
    """year in which it was first seen (interval-censored)"""
    area: str | None = None
    """mapped area [m2]"""
    source: str | None = None
    """mapper or image"""
    confidence: str | None = None
    """confidence of the mapper, 0 to 1"""


class TargetSection(Section):
    """What every target may have."""

    observation: Path | None = None
    """netCDF of how likely a landslide of each cell and epoch was recorded, as detection writes it;
    absent: every landslide was, and nothing else"""


class DensityRasterTarget(TargetSection):
    """A ready raster of landslide area density, one band per epoch."""

    kind: Literal["density_raster"]
    """ready raster"""
    file: Path
    """raster in percent of the cell; nodata marks cells that were not mapped"""
    bands: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] | None = None
    """numbers of the bands of the epochs, from 1; absent: the file has one band per epoch. Bands
    that are not named are not read"""

    @model_validator(mode="after")
    def _each_band_once(self) -> DensityRasterTarget:
        bands = self.bands or ()
        if twice := sorted({band for band in bands if bands.count(band) > 1}):
            raise ValueError(f"found band {twice[0]} twice; expected one band per epoch")
        return self


class CumulativeTarget(TargetSection):
    """One inventory per epoch, each holding everything visible: differenced to increases."""

    kind: Literal["cumulative"]
    """everything visible at the end of each epoch"""
    files: Annotated[tuple[Path | None, ...], Field(min_length=1)]
    """one inventory per epoch, in order (FILE.zip/MEMBER.shp reads inside a zip); null: an epoch
    that nobody mapped"""
    baseline: Path | None = None
    """inventory before the event; absent: nothing was there, and the report says so"""
    observed: tuple[Path | None, ...] | None = None
    """polygons that were observed in each epoch; absent: everywhere"""
    mask: Path | None = None
    """raster of the mapped cells (non-zero); absent: every cell with elevation"""
    difference: Literal["cell_area", "geometry"] = "cell_area"
    """published difference of cell totals, or exact difference of footprints"""
    columns: ColumnsConfig = ColumnsConfig()
    """names of the columns"""
    minimum_area_m2: Positive | None = None
    """minimum mapping area [m2]; absent: the smallest polygon of each file"""


class DatedTarget(TargetSection):
    """One inventory whose polygons carry a date or a year."""

    kind: Literal["dated"]
    """polygons with dates"""
    file: Path
    """inventory (FILE.zip/MEMBER.shp reads inside a zip)"""
    columns: ColumnsConfig
    """names of the columns; one of date, date_start/date_end or year is needed"""
    mask: Path | None = None
    """raster of the mapped cells (non-zero); absent: every cell with elevation"""
    minimum_area_m2: Positive | None = None
    """minimum mapping area [m2]; absent: the smallest polygon"""

    @model_validator(mode="after")
    def _has_date(self) -> DatedTarget:
        c = self.columns
        if not (c.date or c.year or (c.date_start and c.date_end)):
            raise ValueError(
                "found no column of dates; expected `date`, `year`, or `date_start` and `date_end`"
            )
        return self


Target = Annotated[
    DensityRasterTarget | CumulativeTarget | DatedTarget, Field(discriminator="kind")
]


class TerrainConfig(Section):
    """Elevation and what is derived from it."""

    elevation: Path
    """digital elevation model [m], GeoTIFF or netCDF"""
    nodata: float | None = None
    """value that marks voids where the file does not say"""
    resampling: Resampling = "bilinear"
    """from the file's pixels to ours; `cubic` where ours are much finer, `average` where coarser"""
    stream_threshold_km2: Positive = 1.0
    """contributing area at which a channel begins [km2]"""
    fill_holes_m: Positive = 50_000.0
    """elevation holes are filled from the nearest elevation up to this far [m], and counted"""


class ShakemapShaking(Section):
    """ShakeMap grids, one per event."""

    kind: Literal["shakemap"]
    """USGS ShakeMap grid.xml"""
    events: Annotated[tuple[Path, ...], Field(min_length=1)]
    """grid.xml or grid.xml.gz of the mainshock and large aftershocks"""


class IntensityShaking(Section):
    """Bands of macroseismic intensity, converted to PGA and marked as derived."""

    kind: Literal["mmi_contours"]
    """polygons of equal intensity"""
    file: Path
    """inventory of intensity bands"""
    field: str = "value"
    """column of the band's intensity [MMI]"""
    stations: Path | None = None
    """strong-motion stations on which the conversion is checked"""


Shaking = Annotated[ShakemapShaking | IntensityShaking, Field(discriminator="kind")]

RainMethod = Literal["auto", "nearest", "inverse_distance", "thin_plate", "kriging"]


class PointRain(Section):
    """A table of daily rain at points."""

    kind: Literal["points"]
    """table of points"""
    file: Path
    """parquet or csv"""
    time: str = "time"
    """column of the day"""
    longitude: str = "longitude"
    """column of the longitude [degree east]"""
    latitude: str = "latitude"
    """column of the latitude [degree north]"""
    value: str = "precip"
    """column of the rain [mm/day]"""
    station: str | None = None
    """column that names the point; absent: its coordinates"""
    method: RainMethod = "auto"
    """interpolation; `auto` takes the lowest leave-one-out error and says which"""
    minimum_days: Fraction = 0.9
    """share of an epoch's days that must be present"""


class GriddedRain(Section):
    """Daily rain on a grid: a CF netCDF, or GeoTIFFs with one band or one file per day."""

    kind: Literal["netcdf", "geotiff"]
    """format of the grid"""
    file: Path
    """netCDF file, GeoTIFF of many bands, or folder of daily GeoTIFFs"""
    variable: str | None = None
    """netCDF variable; absent: the only one with time, and its unit must be a rain rate"""
    first_day: str | None = None
    """day of the first band of a GeoTIFF of many bands (ISO)"""
    pattern: str | None = None
    """date pattern of file names in a folder, such as chirps_%Y%m%d.tif"""
    minimum_days: Fraction = 0.9
    """share of an epoch's days that must be present"""


Rain = Annotated[PointRain | GriddedRain, Field(discriminator="kind")]


class ExtraLayer(Section):
    """One more layer for the cell grid, such as lithology, land cover or a censored slope."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """name in the cube"""
    file: Path
    """raster, or polygons with `field`"""
    unit: str
    """CF unit; "1" for classes"""
    long_name: str
    """meaning in words"""
    values: Literal["continuous", "classes"] = "continuous"
    """classes are resampled to the nearest and never averaged"""
    field: str | None = None
    """column of a polygon file that holds the value"""
    support: Literal["cell", "pixel"] = "cell"
    """grid on which it is stored"""
    resampling: Resampling = "bilinear"
    """from the file's pixels to ours"""
    censored_below: float | None = None
    """nodata means "not above this value", not missing: stored as this value with a flag"""

    @model_validator(mode="after")
    def _classes_stay_whole(self) -> ExtraLayer:
        if self.values == "classes" and self.resampling != "nearest":
            raise ValueError(
                f"found resampling {self.resampling!r} for classes; expected 'nearest'"
            )
        return self
