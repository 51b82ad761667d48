"""A published ground-motion law: Boore and Atkinson (2008).

Boore, D. M. and Atkinson, G. M. (2008), Earthquake Spectra 24(1), 99-138,
doi:10.1193/1.2830434: tables 3, 6, 7 and 8. Distances are Joyner-Boore distances [km], Vs30 in
m/s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hazard.world.domain import Array

REFERENCE_MAGNITUDE = 4.5
REFERENCE_VS30_M_S = 760.0


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """One row of the tables: distance (c1-c3, h), magnitude (e4-e7, mh), site, spread."""

    c1: float
    c2: float
    c3: float
    h_km: float
    e_reverse: float
    e5: float
    e6: float
    e7: float
    mh: float
    b_lin: float
    b1: float
    b2: float
    within: float
    between: float


PGA = Coefficients(
    c1=-0.66050, c2=0.11970, c3=-0.01151, h_km=1.35, e_reverse=-0.50970, e5=0.28805,
    e6=-0.10164, e7=0.0, mh=6.75, b_lin=-0.36, b1=-0.64, b2=-0.14, within=0.502, between=0.260,
)  # fmt: skip
PGV = Coefficients(
    c1=-0.87370, c2=0.10060, c3=-0.00334, h_km=2.54, e_reverse=5.08210, e5=0.18322,
    e6=-0.12736, e7=0.0, mh=8.5, b_lin=-0.60, b1=-0.50, b2=-0.06, within=0.500, between=0.256,
)  # fmt: skip


def _rock(c: Coefficients, magnitude: float, distance_km: Array) -> Array:
    over = magnitude - c.mh
    source = c.e_reverse + (c.e5 * over + c.e6 * over**2 if over <= 0.0 else c.e7 * over)
    r = np.hypot(distance_km, c.h_km)
    path = (c.c1 + c.c2 * (magnitude - REFERENCE_MAGNITUDE)) * np.log(r) + c.c3 * (r - 1.0)
    return source + path


def _site(c: Coefficients, vs30_m_s: Array, pga_rock_g: Array) -> Array:
    linear = c.b_lin * np.log(vs30_m_s / REFERENCE_VS30_M_S)
    v1, v2 = 180.0, 300.0
    slope = np.where(
        vs30_m_s <= v1,
        c.b1,
        np.where(
            vs30_m_s <= v2,
            (c.b1 - c.b2) * np.log(vs30_m_s / v2) / np.log(v1 / v2) + c.b2,
            np.where(
                vs30_m_s < REFERENCE_VS30_M_S,
                c.b2 * np.log(vs30_m_s / REFERENCE_VS30_M_S) / np.log(v2 / REFERENCE_VS30_M_S),
                0.0,
            ),
        ),
    )
    a1, a2, low = 0.03, 0.09, 0.06
    dx, dy = np.log(a2 / a1), slope * np.log(a2 / low)
    bend = np.log(np.clip(pga_rock_g, a1, a2) / a1)
    cubic = (3 * dy - slope * dx) / dx**2 * bend**2 - (2 * dy - slope * dx) / dx**3 * bend**3
    soft = slope * np.log(low / 0.1) + cubic
    return linear + np.where(pga_rock_g > a2, slope * np.log(pga_rock_g / 0.1), soft)


def ln_median(c: Coefficients, *, magnitude: float, distance_km: Array, vs30_m_s: Array) -> Array:
    """Natural logarithm of the median of a reverse-faulting event: PGA in g, PGV in cm/s.

    Example:
        >>> rock = np.array([760.0])
        >>> pga_g = np.exp(ln_median(PGA, magnitude=7.0, distance_km=np.array([20.0]),
        ...                          vs30_m_s=rock))
        >>> float(pga_g[0].round(3))
        0.163
    """
    pga_rock_g = np.exp(_rock(PGA, magnitude, distance_km))
    return _rock(c, magnitude, distance_km) + _site(c, vs30_m_s, pga_rock_g)
