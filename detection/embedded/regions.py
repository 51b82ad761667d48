"""Four regions that differ in terrain, vegetation, colour, sky and hemisphere.

They borrow coordinates, latitude and the dates of known earthquakes, so that the sun and the
seasons are right, and nothing else: the ground is made up. Reflectances are typical of published
spectral libraries, rounded; order blue, green, red, near infrared.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

BANDS = ("blue", "green", "red", "nir")
Spectrum = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Region:
    """How a region looks.

    Attributes:
        name: key of the region.
        crs: projected coordinate system of its scenes.
        origin_m: (easting, northing) of the north-west corner of its world.
        latitude_deg: latitude of the sun's position; negative south.
        event: day of the earthquake.
        relief: factor on the world's relief [1].
        base_m: lowest elevation [m].
        treeline_m: where forest gives way to grass [m].
        rockline_m: where grass gives way to scree and rock [m].
        snowline_m: mean line of the snow in the coldest month [m].
        size_factor: factor on the scale of the landslide areas [1].
        conifer, broadleaf, shrub, grass, dry_grass: reflectance of the vegetation.
        bare: mean reflectance of bare ground of every kind (scars, soil, gravel, rock).
        rock: mean reflectance of weathered rock.
        water: reflectance of rivers.
        deciduous: share of the broadleaf canopy that falls in winter.
        dryness: how far grass dries out in the dry season [1].
        dry_month: month of the driest vegetation.
        forest: forest's share below the treeline, about.
        farmland: share of the ground that is farmed, the gentlest, about.
        farm_slope_deg: steepest farmed ground [deg].
        parcel_m: sides of a field [m].
        terraced: fields follow the contours.
        clearings: share of the forest in blocks that are felled from time to time.
        clearing_m: sides of such a block [m].
        outcrops: share of rock on ridges and steep ground, about.
        eroded: share of degraded, half-bare ground.
        roads: roads per 2.5 km of scene.
        floodplain_m: half-width of valley floors at 1 km2 of drained area [m].
        gravel: width of gravel against water [1].
        haze: mean path radiance in blue, as reflectance.
        cloud: mean share of cloud.
        recovery_years: time until half of a scar has grown over, median.
    """

    name: str
    crs: str
    origin_m: tuple[float, float]
    latitude_deg: float
    event: dt.date
    relief: float
    base_m: float
    treeline_m: float
    rockline_m: float
    snowline_m: float
    size_factor: float
    conifer: Spectrum
    broadleaf: Spectrum
    shrub: Spectrum
    grass: Spectrum
    dry_grass: Spectrum
    bare: Spectrum
    rock: Spectrum
    water: Spectrum
    deciduous: float
    dryness: float
    dry_month: int
    forest: float
    farmland: float
    farm_slope_deg: float
    parcel_m: tuple[float, float]
    terraced: bool
    clearings: float
    clearing_m: tuple[float, float]
    outcrops: float
    eroded: float
    roads: float
    floodplain_m: float
    gravel: float
    haze: float
    cloud: float
    recovery_years: float


NEPAL_LIKE = Region(
    name="nepal_like",
    crs="EPSG:32645",
    origin_m=(312_000.0, 3_122_000.0),
    latitude_deg=28.1,
    event=dt.date(2015, 4, 25),
    relief=0.85,
    base_m=1100.0,
    treeline_m=2900.0,
    rockline_m=3600.0,
    snowline_m=3300.0,
    size_factor=1.6,
    conifer=(0.022, 0.036, 0.028, 0.215),
    broadleaf=(0.026, 0.050, 0.034, 0.300),
    shrub=(0.042, 0.070, 0.062, 0.245),
    grass=(0.048, 0.088, 0.070, 0.330),
    dry_grass=(0.075, 0.115, 0.145, 0.255),
    bare=(0.110, 0.148, 0.182, 0.245),
    rock=(0.120, 0.145, 0.165, 0.205),
    water=(0.075, 0.095, 0.080, 0.045),
    deciduous=0.45,
    dryness=0.75,
    dry_month=3,
    forest=0.55,
    farmland=0.34,
    farm_slope_deg=32.0,
    parcel_m=(35.0, 70.0),
    terraced=True,
    clearings=0.06,
    clearing_m=(70.0, 110.0),
    outcrops=0.07,
    eroded=0.1,
    roads=2.5,
    floodplain_m=9.0,
    gravel=2.2,
    haze=0.035,
    cloud=0.05,
    recovery_years=7.0,
)

WENCHUAN_LIKE = Region(
    name="wenchuan_like",
    crs="EPSG:32648",
    origin_m=(352_000.0, 3_452_000.0),
    latitude_deg=31.1,
    event=dt.date(2008, 5, 12),
    relief=0.9,
    base_m=900.0,
    treeline_m=3200.0,
    rockline_m=3900.0,
    snowline_m=3000.0,
    size_factor=2.0,
    conifer=(0.020, 0.032, 0.025, 0.200),
    broadleaf=(0.024, 0.048, 0.030, 0.335),
    shrub=(0.036, 0.066, 0.050, 0.270),
    grass=(0.045, 0.085, 0.062, 0.345),
    dry_grass=(0.070, 0.105, 0.125, 0.240),
    bare=(0.135, 0.160, 0.178, 0.215),
    rock=(0.130, 0.148, 0.160, 0.190),
    water=(0.055, 0.085, 0.070, 0.030),
    deciduous=0.60,
    dryness=0.55,
    dry_month=1,
    forest=0.75,
    farmland=0.38,
    farm_slope_deg=31.0,
    parcel_m=(30.0, 55.0),
    terraced=True,
    clearings=0.14,
    clearing_m=(80.0, 120.0),
    outcrops=0.08,
    eroded=0.09,
    roads=2.0,
    floodplain_m=8.0,
    gravel=2.8,
    haze=0.050,
    cloud=0.07,
    recovery_years=6.0,
)

PAPUA_LIKE = Region(
    name="papua_like",
    crs="EPSG:32754",
    origin_m=(732_000.0, 9_352_000.0),
    latitude_deg=-5.9,
    event=dt.date(2018, 2, 26),
    relief=0.75,
    base_m=700.0,
    treeline_m=3500.0,
    rockline_m=4200.0,
    snowline_m=6000.0,
    size_factor=2.4,
    conifer=(0.020, 0.040, 0.026, 0.300),
    broadleaf=(0.022, 0.050, 0.028, 0.370),
    shrub=(0.032, 0.070, 0.044, 0.345),
    grass=(0.045, 0.095, 0.066, 0.375),
    dry_grass=(0.060, 0.105, 0.100, 0.300),
    bare=(0.095, 0.140, 0.200, 0.285),
    rock=(0.150, 0.172, 0.190, 0.235),
    water=(0.085, 0.120, 0.125, 0.075),
    deciduous=0.05,
    dryness=0.35,
    dry_month=8,
    forest=0.85,
    farmland=0.4,
    farm_slope_deg=30.0,
    parcel_m=(40.0, 50.0),
    terraced=False,
    clearings=0.16,
    clearing_m=(60.0, 90.0),
    outcrops=0.05,
    eroded=0.1,
    roads=1.2,
    floodplain_m=10.0,
    gravel=3.0,
    haze=0.055,
    cloud=0.07,
    recovery_years=4.0,
)

KAIKOURA_LIKE = Region(
    name="kaikoura_like",
    crs="EPSG:32760",
    origin_m=(212_000.0, 5_312_000.0),
    latitude_deg=-42.3,
    event=dt.date(2016, 11, 14),
    relief=0.60,
    base_m=80.0,
    treeline_m=1000.0,
    rockline_m=1500.0,
    snowline_m=1200.0,
    size_factor=1.8,
    conifer=(0.024, 0.038, 0.030, 0.235),
    broadleaf=(0.026, 0.046, 0.034, 0.280),
    shrub=(0.040, 0.064, 0.058, 0.230),
    grass=(0.050, 0.092, 0.072, 0.350),
    dry_grass=(0.080, 0.122, 0.145, 0.285),
    bare=(0.150, 0.178, 0.202, 0.248),
    rock=(0.145, 0.165, 0.180, 0.215),
    water=(0.065, 0.085, 0.070, 0.035),
    deciduous=0.15,
    dryness=0.60,
    dry_month=2,
    forest=0.45,
    farmland=0.26,
    farm_slope_deg=27.0,
    parcel_m=(90.0, 150.0),
    terraced=False,
    clearings=0.1,
    clearing_m=(110.0, 170.0),
    outcrops=0.07,
    eroded=0.08,
    roads=2.0,
    floodplain_m=14.0,
    gravel=4.0,
    haze=0.025,
    cloud=0.06,
    recovery_years=6.0,
)

REGIONS = {r.name: r for r in (NEPAL_LIKE, WENCHUAN_LIKE, PAPUA_LIKE, KAIKOURA_LIKE)}
