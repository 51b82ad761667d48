"""Every variable of a study, declared once: name, unit, meaning, valid range and source.

Readers convert to these units at the door; nothing inside knows another. The cube checks each
layer against its declaration, so that a percent read as a share, or %g read as m/s2, stops there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

STANDARD_GRAVITY_M_S2 = 9.80665
PERCENT_G_TO_M_S2 = STANDARD_GRAVITY_M_S2 / 100.0
# Neighbourhoods [cells] of the records of earlier epochs, for networks and baselines alike; chosen
# as the settings of the trees were (`hazard.baselines.boosting.BoostingSettings`).
PAST_WINDOWS = (3, 5, 7, 9, 13, 21, 31)

Support = Literal["pixel", "cell", "trigger"]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One layer of the cube.

    Attributes:
        name: name in the cube and in files.
        unit: CF unit string; "1" is dimensionless.
        long_name: meaning in words, for axes and captions.
        valid: closed range of physically possible values.
        source: how it comes about, with author and year where there is one.
        support: nested pixel lattice, cell grid, or trigger grid.
        per_epoch: True where it changes from epoch to epoch.
        standard_name: CF standard name where one exists.
    """

    name: str
    unit: str
    long_name: str
    valid: tuple[float, float]
    source: str
    support: Support
    per_epoch: bool = False
    standard_name: str | None = None


def _table(*variables: Variable) -> dict[str, Variable]:
    return {variable.name: variable for variable in variables}


VARIABLES: dict[str, Variable] = _table(
    Variable(
        name="elevation_m", unit="m", long_name="elevation", valid=(-500.0, 9000.0),
        source="digital elevation model", support="pixel", standard_name="surface_altitude",
    ),
    Variable(
        name="slope_deg", unit="degree", long_name="slope", valid=(0.0, 90.0),
        source="Zevenbergen & Thorne (1987) on the elevation", support="pixel",
    ),
    Variable(
        name="northness", unit="1", long_name="northness, cos(aspect) (1 faces north)",
        valid=(-1.0, 1.0), source="aspect of steepest descent", support="pixel",
    ),
    Variable(
        name="eastness", unit="1", long_name="eastness, sin(aspect) (1 faces east)",
        valid=(-1.0, 1.0), source="aspect of steepest descent", support="pixel",
    ),
    Variable(
        name="profile_curvature", unit="m-1", long_name="profile curvature", valid=(-10.0, 10.0),
        source="Zevenbergen & Thorne (1987), directional", support="pixel",
    ),
    Variable(
        name="plan_curvature", unit="m-1", long_name="planform curvature", valid=(-10.0, 10.0),
        source="Zevenbergen & Thorne (1987), directional", support="pixel",
    ),
    Variable(
        name="twi", unit="1", long_name="topographic wetness index, ln(a / tan slope), a in m",
        valid=(-10.0, 40.0), source="Beven & Kirkby (1979) on D-infinity flow", support="pixel",
    ),
    Variable(
        name="stream_distance_m", unit="m", long_name="distance to the nearest stream",
        valid=(0.0, 1.0e6), source="channel network by contributing area", support="pixel",
    ),
    Variable(
        name="pga", unit="m s-2", long_name="peak ground acceleration, maximum over the events",
        valid=(0.0, 30.0), source="ShakeMap, or derived from intensity (named)",
        support="trigger",
    ),
    Variable(
        name="pga_sd", unit="m s-2",
        long_name="standard deviation of peak ground acceleration over the events",
        valid=(0.0, 30.0), source="spread over mainshock and aftershocks; needs >= 2 events",
        support="trigger",
    ),
    Variable(
        name="pga_ln_sigma", unit="1",
        long_name="standard deviation of ln PGA (uncertainty of the estimate)",
        valid=(0.0, 3.0), source="ShakeMap STDPGA, or the conversion's own sigma",
        support="trigger",
    ),
    Variable(
        name="mmi", unit="1", long_name="macroseismic intensity (modified Mercalli)",
        valid=(1.0, 12.0), source="ShakeMap", support="trigger",
    ),
    Variable(
        name="rain_max_mm_day", unit="mm day-1", long_name="maximum daily rainfall in the epoch",
        valid=(0.0, 2000.0), source="daily rainfall", support="trigger", per_epoch=True,
    ),
    Variable(
        name="rain_width_mm_day", unit="mm day-1",
        long_name="width of the 2.5-97.5 percentile range of daily rainfall in the epoch",
        valid=(0.0, 2000.0), source="daily rainfall", support="trigger", per_epoch=True,
    ),
    Variable(
        name="monsoons", unit="1", long_name="monsoons since the earthquake", valid=(0.0, 100.0),
        source="epoch dates, or the study's own count", support="trigger", per_epoch=True,
    ),
    Variable(
        name="area_density", unit="percent",
        long_name="landslide area density: new or reactivated landslide area per cell area",
        valid=(0.0, 100.0), source="landslide inventory", support="cell", per_epoch=True,
    ),
    Variable(
        name="observation_probability", unit="1",
        long_name="probability that a landslide in the cell is recorded",
        valid=(0.0, 1.0), source="estimate of the detection error", support="cell", per_epoch=True,
    ),
    Variable(
        name="false_alarms", unit="1", long_name="expected false alarms in the cell",
        valid=(0.0, 1e6), source="estimate of the detection error", support="cell", per_epoch=True,
    ),
)  # fmt: skip
