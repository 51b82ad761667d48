"""The likelihood of each way of recording against brute integration of the law."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from stats.sizes.detection import DetectionCurve
from stats.sizes.recording import Recording, check_areas, log_likelihood

THETA = (1.4, 2.3, 800.0)
LAW = stats.burr(c=1.4, d=2.3 / 1.4, scale=800.0)
AREAS = np.array([300.0, 450.0, 775.0, 5000.0])
CURVE = DetectionCurve(half_area_m2=400.0, width=0.3)


def mass(low: float, high: float, curve: DetectionCurve | None) -> float:
    """Integral of density times curve, in ln area, in pieces."""

    def integrand(z: float) -> float:
        x = math.exp(z)
        return float(LAW.pdf(x)) * x * (1.0 if curve is None else float(curve(x)))

    edges = np.linspace(math.log(max(low, 1e-3)), math.log(min(high, 1e12)), 60)
    return sum(
        integrate.quad(integrand, a, b, epsabs=0.0, epsrel=1e-12)[0]
        for a, b in itertools.pairwise(edges)
    )


@pytest.mark.parametrize("curve", [None, CURVE])
@pytest.mark.parametrize(("low", "high"), [(0.0, math.inf), (100.0, math.inf), (100.0, 1e4)])
def test_exact_areas(low: float, high: float, curve: DetectionCurve | None) -> None:
    expected = LAW.logpdf(AREAS).sum() - AREAS.size * math.log(mass(low, high, curve))
    if curve is not None:
        expected += np.log(curve(AREAS)).sum()
    setting = Recording(lower_m2=low, upper_m2=high, detection=curve)
    found = log_likelihood("dps", np.array(THETA), AREAS, setting)
    assert float(found) == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize("curve", [None, CURVE])
@pytest.mark.parametrize("high", [math.inf, 1e4])
def test_whole_pixels(high: float, curve: DetectionCurve | None) -> None:
    setting = Recording(lower_m2=100.0, upper_m2=high, pixel_m2=25.0, detection=curve)
    low, up = setting.edges()
    assert (low, up) == (87.5, 10012.5 if math.isfinite(high) else math.inf)
    total = mass(low, up, curve)
    expected = sum(math.log(mass(a - 12.5, a + 12.5, curve) / total) for a in AREAS)
    found = log_likelihood("dps", np.array(THETA), AREAS, setting)
    assert float(found) == pytest.approx(expected, abs=2e-8)


def test_small_pixels_lead_to_the_density() -> None:
    pixel = 1e-3
    binned = log_likelihood("dps", np.array(THETA), AREAS, Recording(pixel_m2=pixel))
    exact = log_likelihood("dps", np.array(THETA), AREAS, Recording())
    assert float(binned) - AREAS.size * math.log(pixel) == pytest.approx(float(exact), abs=1e-6)


def test_weights_count_areas() -> None:
    repeated = log_likelihood("dps", np.array(THETA), np.repeat(AREAS, 3), Recording())
    once = log_likelihood("dps", np.array(THETA), AREAS, Recording(), np.full(4, 3.0))
    assert float(repeated) == pytest.approx(float(once), rel=1e-12)


@pytest.mark.parametrize(
    ("areas", "said"),
    [
        ([500.0, np.nan, np.inf], "2 of 3 areas not finite"),
        ([500.0, 0.0, -3.0], "2 of 3 areas not above 0"),
        ([500.0, 250.0], r"1 of 2 areas below 300 m2 \(smallest 250\)"),
        ([500.0, 2e6], r"1 of 2 areas above 1e\+06 m2 \(largest 2e\+06\)"),
        ([500.0, 600.0], "found 2 areas, 2 of them different; expected at least 5"),
        ([500.0] * 9, "found 9 areas, 1 of them different"),
        ([[500.0, 600.0]], "2 dimensions"),
    ],
)
def test_bad_areas_are_counted_and_named(areas: list, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_areas(areas, Recording(lower_m2=300.0, upper_m2=1e6), least=5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lower_m2": -1.0}, r"found limits \[-1.0, inf\]"),
        ({"lower_m2": 500.0, "upper_m2": 400.0}, "0 <= lower_m2 < upper_m2"),
        ({"pixel_m2": 0.0}, "pixel_m2: found 0.0"),
    ],
)
def test_bad_recordings_are_refused(given: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Recording(**given)
