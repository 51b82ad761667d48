"""Gaussian fields: variance, correlation and anisotropy are the ones asked for."""

import numpy as np
import pytest

from hazard.world.fields import gaussian_field, regional_field, sample_region


def correlation(fields: list[np.ndarray], lag: int, axis: int) -> float:
    moved = [np.moveaxis(field, axis, 0) for field in fields]
    return float(np.mean([(f[:-lag] * f[lag:]).mean() for f in moved]))


def draws(**options: float) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [
        gaussian_field((120, 150), spacing_km=1.0, range_km=12.0, rng=rng, **options)
        for _ in range(60)
    ]


def test_exponential_correlation_falls_to_five_percent_at_the_range() -> None:
    fields = draws()
    assert np.mean([(f**2).mean() for f in fields]) == pytest.approx(1.0, abs=0.05)
    # The white cut-off of the lattice takes a little at short lags.
    for lag in (2, 4, 12):
        assert correlation(fields, lag, 1) == pytest.approx(np.exp(-3.0 * lag / 12.0), abs=0.05)


def test_stretch_lengthens_the_correlation_along_its_direction() -> None:
    fields = draws(stretch=4.0, angle_deg=0.0)
    assert correlation(fields, 8, 1) > correlation(fields, 8, 0) + 0.2


def test_regional_field_is_read_back_at_its_own_points() -> None:
    field = regional_field(range_km=20.0, rng=np.random.default_rng(0), spacing_km=1.0)
    found = sample_region(field, np.array([10.5]), np.array([20.5]), spacing_km=1.0)
    assert found[0] == pytest.approx(field[36, 26])
