"""Shaking: the published law at hand-worked points, the rupture, files that read back."""

from pathlib import Path

import numpy as np
import pytest

from hazard.geo.shakemap import read_shakemap
from hazard.variables import VARIABLES
from hazard.world.attenuation import PGA, PGV, ln_median
from hazard.world.build import WorldStudy
from hazard.world.domain import region_axes_km
from hazard.world.fields import gaussian_field
from hazard.world.settings import WorldConfig
from hazard.world.shaking import (
    AFTERSHOCK,
    CORRELATION_RANGE_KM,
    MAINSHOCK,
    epicentre_km,
    joyner_boore_km,
    vs30_m_s,
)


def test_rock_median_is_the_sum_worked_by_hand() -> None:
    # M 7, 20 km, rock: e4 + (c1 + 2.5 c2) ln R + c3 (R - 1), R = sqrt(20^2 + 1.35^2).
    r = np.hypot(20.0, 1.35)
    expected = -0.50970 + (-0.66050 + 2.5 * 0.11970) * np.log(r) - 0.01151 * (r - 1.0)
    found = ln_median(PGA, magnitude=7.0, distance_km=np.array(20.0), vs30_m_s=np.array(760.0))
    assert float(found) == pytest.approx(expected, abs=1e-12)


def test_magnitude_scaling_below_the_hinge() -> None:
    at_hinge = ln_median(PGA, magnitude=6.75, distance_km=np.array(0.0), vs30_m_s=np.array(760.0))
    below = ln_median(PGA, magnitude=5.75, distance_km=np.array(0.0), vs30_m_s=np.array(760.0))
    ln_r = np.log(1.35)
    path = 0.11970 * ln_r
    assert float(at_hinge - below) == pytest.approx(0.28805 + 0.10164 + path, abs=1e-9)


def test_soft_ground_amplifies_weak_shaking_and_less_so_strong_shaking() -> None:
    def ratio(distance: float) -> float:
        soft, rock = (
            ln_median(PGA, magnitude=7.0, distance_km=np.array(distance), vs30_m_s=np.array(v))
            for v in (250.0, 760.0)
        )
        return float(np.exp(soft - rock))

    assert ratio(150.0) > 1.4 > ratio(0.0)
    # The site term is continuous where its branches meet.
    r = np.linspace(1.0, 300.0, 4000)
    curve = ln_median(PGV, magnitude=7.0, distance_km=r, vs30_m_s=np.full(r.shape, 300.0))
    assert np.abs(np.diff(curve)).max() < 0.12


def test_rupture_lies_where_it_was() -> None:
    x, y = epicentre_km(MAINSHOCK)
    # Kathmandu (27.72 N, 85.32 E) lay above the rupture; 60 km south-south-west did not.
    assert joyner_boore_km(MAINSHOCK, np.array([x + 60.0]), np.array([y + 40.0]))[0] < 10.0
    assert joyner_boore_km(MAINSHOCK, np.array([x - 30.0]), np.array([y + 110.0]))[0] > 50.0
    xx, yy = np.meshgrid(np.arange(-50.0, 300.0), np.arange(-50.0, 300.0))
    inside = (joyner_boore_km(MAINSHOCK, xx, yy) == 0.0).sum()
    assert inside == pytest.approx(150.0 * 65.0 * np.cos(np.radians(7.0)), rel=0.03)
    small = (joyner_boore_km(AFTERSHOCK, xx, yy) == 0.0).sum()
    assert small == pytest.approx(40.0 * 20.0 * np.cos(np.radians(10.0)), rel=0.1)


def test_residuals_keep_the_published_correlation() -> None:
    y, x = region_axes_km(1.0)
    rng = np.random.default_rng(0)
    products = []
    for _ in range(40):
        field = gaussian_field(
            (y.size, x.size), spacing_km=1.0, range_km=CORRELATION_RANGE_KM, rng=rng
        )
        products.append((field[:, :-10] * field[:, 10:]).mean() / (field**2).mean())
    assert np.mean(products) == pytest.approx(np.exp(-30.0 / CORRELATION_RANGE_KM), abs=0.08)


def test_vs30_is_soft_on_plains_and_rock_in_mountains() -> None:
    flat = vs30_m_s(np.zeros((20, 20)), 1.0)
    steep = vs30_m_s(np.add.outer(np.arange(20) * 400.0, np.zeros(20)), 1.0)
    assert flat.max() == pytest.approx(250.0)
    assert steep[10, 10] == pytest.approx(760.0)


def test_files_read_back_in_si_units_and_say_synthetic(study: WorldStudy) -> None:
    main, after = (read_shakemap(path) for path in study.shakemaps)
    assert (main.event.magnitude, after.event.magnitude) == (7.8, 7.3)
    assert main.event.status == after.event.status == "SYNTHETIC"
    low, high = VARIABLES["pga"].valid
    for shakemap in (main, after):
        assert low < shakemap.layers["pga"].min() < shakemap.layers["pga"].max() < high
        assert shakemap.layers["pga_ln_sigma"].max() < 1.0
    left, bottom, right, top = 84.9, 27.3, 86.2, 28.4
    assert main.lon[0] < left + 1.0
    assert main.lon[-1] > right - 1.0
    assert main.lat[-1] < top
    assert main.lat[0] > bottom
    assert main.layers["pga"].mean() > after.layers["pga"].mean()


def test_full_study_is_covered_by_the_lattice(tmp_path: Path) -> None:
    from pyproj import Transformer

    from hazard.world.domain import cell_grid
    from hazard.world.shaking import build_shakemaps

    config = WorldConfig(pixels_per_cell=4)
    y, x = region_axes_km(1.0)
    maps = build_shakemaps(config, np.zeros((y.size, x.size)))
    left, bottom, right, top = cell_grid(config).bounds
    back = Transformer.from_crs("EPSG:32645", "EPSG:4326", always_xy=True)
    lon, lat = back.transform([left, right, left, right], [bottom, bottom, top, top])
    shakemap = maps["mainshock"]
    assert shakemap.lon[0] < min(lon)
    assert shakemap.lon[-1] > max(lon)
    assert shakemap.lat[-1] < min(lat)
    assert shakemap.lat[0] > max(lat)
