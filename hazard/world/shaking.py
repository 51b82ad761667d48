"""Shaking of the mainshock and its largest aftershock, from rupture planes to ShakeMap files.

Rupture geometry: 25 April 2015, Mw 7.8, hypocentre 28.147 N 84.708 E (NEIC), strike 293, dip 7
(Global CMT, as used by the Earth Observatory of Singapore); unilateral towards the
east-south-east, about 150 km long (Avouac et al., 2015, as cited by Mitra et al., 2017); 12 May
2015, Mw 7.3, 27.809 N 86.066 E, 15 km deep, about 40 x 20 km (USGS event page us20002ejl).
Median: Boore & Atkinson (2008). Residuals within an event: exponential correlation with the range
of Jayaram & Baker (2009, doi:10.1002/eqe.922), 40.7 km for PGA where Vs30 is clustered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from pyproj import Transformer
from scipy import ndimage

from hazard.geo.gmice import mmi_from_pga
from hazard.geo.shakemap import ShakeEvent, ShakeMap
from hazard.variables import STANDARD_GRAVITY_M_S2
from hazard.world.attenuation import PGA, PGV, REFERENCE_VS30_M_S, ln_median
from hazard.world.domain import (
    CRS,
    STRIKE_DEG,
    Array,
    cell_grid,
    random_stream,
    region_axes_km,
    to_km,
)
from hazard.world.fields import gaussian_field, sample_region
from hazard.world.settings import WorldConfig

SPACING_KM = 1.0
CORRELATION_RANGE_KM = 40.7
# The sites share one kind of ground, so their residual is a little smaller than the published
# within-event standard deviation.
RESIDUAL_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class Rupture:
    """A rectangular thrust rupture.

    Attributes:
        event: the earthquake.
        dip_deg: dip to the north-north-east [deg].
        along_km: extent along the strike from the hypocentre, (west-north-west, east-south-east).
        updip_km: extent up dip from the hypocentre [km].
        downdip_km: extent down dip [km].
        event_term: the event's own deviation of ln PGA and ln PGV from the law.
    """

    event: ShakeEvent
    dip_deg: float
    along_km: tuple[float, float]
    updip_km: float
    downdip_km: float
    event_term: float


MAINSHOCK = Rupture(
    event=ShakeEvent(
        event_id="synthetic_mainshock",
        magnitude=7.8,
        depth_km=15.0,
        lat_deg=28.147,
        lon_deg=84.708,
        time=datetime(2015, 4, 25, 6, 11, 26, tzinfo=UTC),
        description="SYNTHETIC: rupture of the 2015 Gorkha mainshock, invented shaking",
        version="1",
        network="world",
        status="SYNTHETIC",
    ),
    dip_deg=7.0,
    along_km=(-10.0, 140.0),
    updip_km=45.0,
    downdip_km=20.0,
    event_term=-0.5,
)
AFTERSHOCK = Rupture(
    event=ShakeEvent(
        event_id="synthetic_aftershock",
        magnitude=7.3,
        depth_km=15.0,
        lat_deg=27.809,
        lon_deg=86.066,
        time=datetime(2015, 5, 12, 7, 5, 19, tzinfo=UTC),
        description="SYNTHETIC: rupture of the Mw 7.3 aftershock of 12 May 2015, invented shaking",
        version="1",
        network="world",
        status="SYNTHETIC",
    ),
    dip_deg=10.0,
    along_km=(-20.0, 20.0),
    updip_km=10.0,
    downdip_km=10.0,
    event_term=-0.2,
)
RUPTURES = {"mainshock": MAINSHOCK, "aftershock": AFTERSHOCK}


def joyner_boore_km(rupture: Rupture, x_km: Array, y_km: Array) -> Array:
    """Distance [km] to the surface projection of the rupture plane.

    Example:
        >>> x, y = epicentre_km(AFTERSHOCK)
        >>> float(joyner_boore_km(AFTERSHOCK, np.array([x]), np.array([y]))[0])
        0.0
    """
    x0, y0 = epicentre_km(rupture)
    strike = np.radians(STRIKE_DEG - 270.0)
    dx, dy = np.asarray(x_km) - x0, np.asarray(y_km) - y0
    along = dx * np.cos(strike) + dy * np.sin(strike)
    down = dx * np.sin(strike) - dy * np.cos(strike)
    flat = np.cos(np.radians(rupture.dip_deg))
    low, high = rupture.along_km
    outside_along = np.maximum(np.maximum(low - along, along - high), 0.0)
    outside_across = np.maximum(
        np.maximum(-rupture.updip_km * flat - down, down - rupture.downdip_km * flat), 0.0
    )
    return np.hypot(outside_along, outside_across)


def epicentre_km(rupture: Rupture) -> tuple[float, float]:
    """(km east, km south) of the epicentre, from the study's north-west corner."""
    forward = Transformer.from_crs("EPSG:4326", CRS, always_xy=True)
    x_m, y_m = forward.transform(rupture.event.lon_deg, rupture.event.lat_deg)
    x, y = to_km(np.array(x_m), np.array(y_m))
    return float(x), float(y)


def vs30_m_s(elevation_m: Array, spacing_km: float) -> Array:
    """Vs30 [m/s] from the topographic gradient: soft plains, rock in the mountains.

    Log-linear in the 1 km gradient between 250 m/s (0.0005) and 760 m/s (0.14 and more), the ends
    of the table of Wald & Allen (2007, doi:10.1785/0120060267) for active regions, approximately.
    """
    dy, dx = np.gradient(ndimage.gaussian_filter(elevation_m.astype(np.float64), 1.0))
    gradient = np.hypot(dx, dy) / (spacing_km * 1000.0)
    share = np.log(np.clip(gradient, 5e-4, 0.14) / 5e-4) / np.log(0.14 / 5e-4)
    return 250.0 * (REFERENCE_VS30_M_S / 250.0) ** share


def build_shakemaps(config: WorldConfig, regional_elevation_m: Array) -> dict[str, ShakeMap]:
    """The two events' maps on a longitude-latitude lattice of about 1 km over the study.

    Args:
        config: the world's settings.
        regional_elevation_m: (y, x) elevation of the 1 km region [m].

    Returns:
        "mainshock" and "aftershock", with layers pga [m/s2], pgv_cm_s, mmi, pga_ln_sigma and
        svel_m_s.
    """
    y_km, x_km = region_axes_km(SPACING_KM)
    xx, yy = np.meshgrid(x_km, y_km)
    vs30 = vs30_m_s(regional_elevation_m, SPACING_KM)
    lon, lat, at_x, at_y = _lonlat_lattice(config)
    maps = {}
    for index, (name, rupture) in enumerate(RUPTURES.items()):
        rng = random_stream(config, "shaking", index=index)
        distance = joyner_boore_km(rupture, xx, yy)
        residual = gaussian_field(
            (y_km.size, x_km.size), spacing_km=SPACING_KM, range_km=CORRELATION_RANGE_KM, rng=rng
        )
        fields = {}
        for layer, law in (("pga", PGA), ("pgv_cm_s", PGV)):
            median = ln_median(
                law, magnitude=rupture.event.magnitude, distance_km=distance, vs30_m_s=vs30
            )
            fields[layer] = median + rupture.event_term + RESIDUAL_SHARE * law.within * residual
        pga = STANDARD_GRAVITY_M_S2 * np.exp(
            sample_region(fields["pga"], at_x, at_y, spacing_km=SPACING_KM)
        )
        pgv = np.exp(sample_region(fields["pgv_cm_s"], at_x, at_y, spacing_km=SPACING_KM))
        maps[name] = ShakeMap(
            event=rupture.event,
            lon=lon,
            lat=lat,
            layers={
                "pga": pga,
                "pgv_cm_s": pgv,
                "mmi": np.clip(mmi_from_pga(pga), 1.0, 10.0),
                "pga_ln_sigma": np.full(pga.shape, np.hypot(PGA.within, PGA.between)),
                "svel_m_s": sample_region(vs30, at_x, at_y, spacing_km=SPACING_KM),
            },
            units={
                "pga": "m s-2", "pgv_cm_s": "cm s-1", "mmi": "1", "pga_ln_sigma": "1",
                "svel_m_s": "m s-1",
            },
        )  # fmt: skip
    return maps


def _lonlat_lattice(config: WorldConfig) -> tuple[Array, Array, Array, Array]:
    """Axes (lon increasing, lat decreasing) and the region's coordinates of their mesh [km]."""
    left, bottom, right, top = cell_grid(config).bounds
    back = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    west, south, east, north = back.transform_bounds(left, bottom, right, top, densify_pts=21)
    step = 1.0 / 120.0
    lon = np.arange(np.floor((west - 0.05) / step), np.ceil((east + 0.05) / step) + 1) * step
    lat = np.arange(np.ceil((north + 0.05) / step), np.floor((south - 0.05) / step) - 1, -1) * step
    forward = Transformer.from_crs("EPSG:4326", CRS, always_xy=True)
    x_m, y_m = forward.transform(*np.meshgrid(lon, lat))
    x, y = to_km(x_m, y_m)
    return lon, lat, x, y
