"""Posterior predictive checks against replicates that are simulated one by one."""

import numpy as np
import pytest

from stats.sizes import double_pareto
from stats.sizes.detection import DetectionCurve
from stats.sizes.predictive_checks import compare, predictive_checks, share_detected
from stats.sizes.recording import Recording

LAW = (1.4, 2.3, 800.0)
DRAWS = 3000
THETA = np.tile(LAW, (DRAWS, 1))
ABOVE = (1e3, 1e4)


def simulated(n: int, recording: Recording, rng: np.random.Generator) -> np.ndarray:
    """(replicate, statistic) largest, median and shares of recorded inventories of size n."""
    rows = []
    low, _ = recording.edges()
    replicates, drawn = 1500, 4 * n
    every = double_pareto.sample(replicates * drawn, *LAW, rng=rng, lower=low)
    for areas in every.reshape(replicates, drawn):
        if recording.detection is not None:
            areas = areas[rng.random(areas.size) < recording.detection(areas)]
        assert areas.size >= n
        areas = areas[:n]
        if recording.pixel_m2 is not None:
            areas = np.rint(areas / recording.pixel_m2) * recording.pixel_m2
        middle = np.partition(areas, (n + 1) // 2 - 1)[(n + 1) // 2 - 1]
        rows.append([areas.max(), middle, *(np.mean(areas > a) for a in ABOVE)])
    return np.array(rows)


@pytest.mark.parametrize(
    "recording",
    [
        Recording(lower_m2=100.0),
        Recording(lower_m2=100.0, pixel_m2=50.0),
        Recording(lower_m2=100.0, detection=DetectionCurve(half_area_m2=600.0, width=0.4)),
    ],
    ids=["cut", "pixels", "curve"],
)
def test_order_statistics_and_counts_are_those_of_whole_replicates(recording: Recording) -> None:
    rng = np.random.default_rng(3)
    n = 151
    curve = None
    if recording.detection is not None:
        centre = np.log([recording.detection.half_area_m2, recording.detection.width])
        curve = np.tile(centre, (DRAWS, 1))
    sample = simulated(n, recording, rng)
    areas = double_pareto.sample(n, *LAW, rng=rng, lower=recording.edges()[0])
    found = predictive_checks("dps", THETA, areas, recording, curve=curve, above_m2=ABOVE, rng=rng)
    for check, column in zip(found, sample.T, strict=False):
        # Quantiles of whole counts (and of whole pixels) may differ by one of them.
        unit = 1.01 / n if "share" in check.statistic else recording.pixel_m2 or 0.0
        # The largest of so many is itself uncertain.
        shares = (0.08, 0.04, 0.35 if "largest" in check.statistic else 0.05)
        expected = np.quantile(column, [0.025, 0.5, 0.975])
        for got, value, rel in zip(
            (check.low, check.median, check.high), expected, shares, strict=True
        ):
            assert abs(got - value) <= max(unit, rel * value), (check, expected)


def test_p_values_are_uniform_under_the_law_and_small_off_it() -> None:
    rng = np.random.default_rng(4)
    recording = Recording(lower_m2=100.0)
    p_values = []
    every = double_pareto.sample(300 * 100, *LAW, rng=rng, lower=100.0)
    for areas in every.reshape(300, 100):
        checks = predictive_checks("dps", THETA[:400], areas, recording, rng=rng)
        p_values.append([c.p_value for c in checks[:2]])
    rejected = np.mean(np.array(p_values) < 0.05, axis=0)
    # 300 worlds: the standard error of 5 % is 1.3 points.
    assert np.all(np.abs(rejected - 0.05) < 0.035)
    steep = double_pareto.sample(2000, 1.9, 2.3, 800.0, rng=rng, lower=100.0)
    worst = min(c.p_value for c in predictive_checks("dps", THETA, steep, recording, rng=rng))
    assert worst < 0.01


def test_ties_count_half_and_the_smallest_p_value_is_one_replicate() -> None:
    assert compare("x", 1.0, np.ones(50)).p_value == 1.0
    assert compare("x", 9.0, np.ones(50)).p_value == 1.0 / 50


def test_share_detected_is_the_integral_of_the_curve() -> None:
    rng = np.random.default_rng(5)
    curve = DetectionCurve(half_area_m2=500.0, width=0.5)
    areas = double_pareto.sample(400_000, *LAW, rng=rng, lower=100.0)
    at = np.log([[500.0, 0.5]])
    found = share_detected("dps", THETA[:1], Recording(lower_m2=100.0), at)[0]
    assert found == pytest.approx(curve(areas).mean(), abs=0.002)


def test_a_detection_curve_must_be_given() -> None:
    recording = Recording(detection=DetectionCurve(half_area_m2=600.0, width=0.4))
    with pytest.raises(ValueError, match="curve: found None"):
        predictive_checks(
            "dps", THETA[:10], np.array([900.0]), recording, rng=np.random.default_rng(1)
        )
