"""What is studied: the triggering event, the epochs, the grid."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hazard.config.validation import Section

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Season = Literal["coseismic", "pre-monsoon", "post-monsoon", "annual", "other"]


class EventConfig(Section):
    """The event that starts the series."""

    name: str
    """name for titles and captions"""
    date: dt.date
    """day of the event (UTC)"""
    magnitude: Annotated[float, Field(gt=0, lt=10)] | None = None
    """moment magnitude [-]"""


class EpochConfig(Section):
    """One slice of time: landslides that appeared after `start` and up to `end`."""

    name: str
    """name for titles, columns and file names"""
    start: dt.date
    """first day"""
    end: dt.date
    """last day (inclusive)"""
    season: Season = "other"
    """season of the images that close the epoch"""
    image_start: dt.date | None = None
    """first image used, where known"""
    image_end: dt.date | None = None
    """last image used, where known"""
    monsoons: Annotated[int, Field(ge=0)] | None = None
    """monsoons since the event; absent: counted from the dates"""

    @model_validator(mode="after")
    def _ordered(self) -> EpochConfig:
        if self.end < self.start:
            raise ValueError(f"`end` {self.end} is before `start` {self.start}")
        return self


class GridConfig(Section):
    """An explicit study grid; without it the grid is the target raster's."""

    crs: str
    """projected coordinate system in metres, such as EPSG:32645"""
    cell_m: Positive
    """cell size [m]"""
    bounds: tuple[float, float, float, float] | None = None
    """left, bottom, right, top [m]; absent: the extent of the elevation model"""


class ExtentConfig(Section):
    """Rows and columns of the target grid to keep, for quick runs on real data."""

    row0: Annotated[int, Field(ge=0)] = 0
    """first row kept (0 is the northernmost)"""
    rows: Annotated[int, Field(ge=1)]
    """number of rows"""
    col0: Annotated[int, Field(ge=0)] = 0
    """first column kept"""
    cols: Annotated[int, Field(ge=1)]
    """number of columns"""


class StudyConfig(Section):
    """Where and when."""

    event: EventConfig
    """the event that starts the series"""
    epochs: Annotated[tuple[EpochConfig, ...], Field(min_length=1)]
    """slices of time, in order"""
    epoch_dates: Literal["observed", "nominal"] = "observed"
    """whether the dates were read from the images or are the nominal season"""
    grid: GridConfig | None = None
    """study grid; absent: the target raster's"""
    extent: ExtentConfig | None = None
    """part of the grid to build; absent: all of it"""
    pixels_per_cell: Annotated[int, Field(ge=1, le=256)] = 32
    """pixels along one side of a cell in the nested lattice of predictors"""

    @model_validator(mode="after")
    def _epochs_in_order(self) -> StudyConfig:
        names = [epoch.name for epoch in self.epochs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"found epoch name {twice[0]!r} twice; expected distinct names")
        for before, after in zip(self.epochs[:-1], self.epochs[1:], strict=True):
            if after.start <= before.end:
                raise ValueError(
                    f"epoch {after.name!r} starts {after.start}, not after the end "
                    f"{before.end} of {before.name!r}; expected epochs in order without overlap"
                )
        return self
