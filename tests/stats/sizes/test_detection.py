"""Detection curves: what makes one known, and what is refused."""

import numpy as np
import pytest

from stats.sizes.detection import (
    DetectionCurve,
    NotIdentifiedError,
    curve_from_matches,
    curve_from_prior,
    curve_from_recall,
    free_curve,
)
from stats.sizes.recording import Recording

TRUTH = DetectionCurve(half_area_m2=400.0, width=0.5)


def test_matches_of_a_second_inventory_give_the_curve_within_its_errors() -> None:
    rng = np.random.default_rng(3)
    offs = []
    for _ in range(200):
        areas = np.exp(rng.normal(6.5, 1.0, 600))
        curve = curve_from_matches(areas, rng.random(600) < TRUTH(areas))
        off = np.log([curve.half_area_m2 / 400.0, curve.width / 0.5])
        offs.append(off / np.sqrt(np.diagonal(np.array(curve.covariance))))
    # Standardised errors of 200 fits: sd 1 +- 0.05.
    np.testing.assert_allclose(np.std(offs, axis=0), 1.0, atol=0.2)
    np.testing.assert_allclose(np.mean(offs, axis=0), 0.0, atol=0.25)


def test_recall_at_two_areas_fixes_the_curve() -> None:
    few = curve_from_recall([200.0, 800.0], [0.2, 0.8], [50, 50])
    many = curve_from_recall([200.0, 800.0], [0.2, 0.8], [5000, 5000])
    assert few.half_area_m2 == pytest.approx(400.0, rel=1e-4)
    assert few.width == pytest.approx(np.log(2.0) / np.log(4.0), rel=1e-4)
    ratio = np.array(few.covariance) / np.array(many.covariance)
    assert ratio[0, 0] == pytest.approx(100.0, rel=1e-3)


def test_a_curve_without_information_is_refused_as_not_identified() -> None:
    with pytest.raises(NotIdentifiedError, match="no second inventory, known recall or prior; not"):
        Recording(lower_m2=100.0, detection=free_curve())


@pytest.mark.parametrize(
    ("areas", "matched", "said"),
    [
        ([100.0, 200.0, 300.0], [1, 1, 1], "3 of 3 landslides matched; not identified"),
        ([100.0, 200.0, 300.0], [0, 0, 0], "0 of 3 landslides matched"),
        ([100.0, 200.0, 300.0, 400.0], [1, 1, 0, 0], "expected recall that rises"),
        ([100.0, 200.0, 300.0, 400.0], [0, 0, 1, 1], "misses and finds overlapping"),
    ],
)
def test_matches_that_tell_nothing_are_refused(areas: list, matched: list, said: str) -> None:
    with pytest.raises(NotIdentifiedError, match=said):
        curve_from_matches(areas, matched)


def test_recall_at_one_area_is_refused() -> None:
    with pytest.raises(NotIdentifiedError, match="recall known at 1 area"):
        curve_from_recall([200.0, 200.0], [0.2, 0.3], [50, 50])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"half_area_m2": -1.0, "width": 0.5}, "half_area_m2: found -1.0"),
        ({"half_area_m2": 400.0, "width": np.nan}, "width: found nan"),
        (
            {"half_area_m2": 400.0, "width": 0.5, "covariance": ((1.0, 2.0), (2.0, 1.0))},
            "positive definite",
        ),
    ],
)
def test_bad_curves_are_refused(given: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DetectionCurve(**given)
    with pytest.raises(ValueError, match="sd_ln_width: found 0"):
        curve_from_prior(half_area_m2=400.0, width=0.4, sd_ln_half_area=0.3, sd_ln_width=0.0)
