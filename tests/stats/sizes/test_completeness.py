"""Completeness-corrected numbers: coverage, extrapolation and refusals."""

import numpy as np
import pytest

from stats.sizes import double_pareto
from stats.sizes.completeness import completeness_draws, corrected_number
from stats.sizes.detection import DetectionCurve
from stats.sizes.recording import Recording

LAW = (1.4, 2.3, 800.0)


def test_intervals_cover_the_number_that_happened_and_the_rate() -> None:
    rng = np.random.default_rng(1)
    theta = np.tile(LAW, (2000, 1))
    share = float(completeness_draws("dps", theta[:1], Recording(lower_m2=600.0), 100.0)[0])
    hits = []
    for _ in range(400):
        rate = 300.0
        happened = rng.poisson(rate)
        counted = rng.binomial(happened, share)
        found = corrected_number("dps", theta, counted, Recording(lower_m2=600.0), 100.0, rng=rng)
        hits.append(
            [
                found.number[0] <= happened <= found.number[2],
                found.expected[0] <= rate <= found.expected[2],
            ]
        )
    # 400 worlds: the standard error of 95 % is 1.1 points; whole numbers cover a little more.
    covered = np.mean(hits, axis=0)
    assert np.all((covered > 0.92) & (covered < 0.985))


def test_uncertainty_of_the_law_widens_the_interval() -> None:
    rng = np.random.default_rng(2)
    exact = np.tile(LAW, (4000, 1))
    spread = exact * np.exp(0.1 * rng.normal(size=exact.shape))
    recording = Recording(lower_m2=600.0)
    narrow, wide = (
        corrected_number("dps", theta, 400, recording, 100.0, rng=rng) for theta in (exact, spread)
    )
    assert wide.number[2] - wide.number[0] > 1.5 * (narrow.number[2] - narrow.number[0])
    assert wide.number_draws.shape == (4000,)


def test_nothing_is_corrected_at_the_limit_itself() -> None:
    theta = np.tile(LAW, (100, 1))
    found = corrected_number(
        "dps", theta, 50, Recording(lower_m2=600.0), 600.0, rng=np.random.default_rng(1)
    )
    assert found.number == (50.0, 50.0, 50.0)
    assert found.notes == ()
    assert found.completeness[1] == pytest.approx(1.0)


def test_a_detection_curve_lowers_completeness() -> None:
    rng = np.random.default_rng(3)
    curve = DetectionCurve(half_area_m2=500.0, width=0.5)
    areas = double_pareto.sample(300_000, *LAW, rng=rng, lower=100.0)
    found = completeness_draws(
        "dps",
        np.array([LAW]),
        Recording(lower_m2=100.0, detection=curve),
        100.0,
        curve=np.log([[500.0, 0.5]]),
    )
    assert found[0] == pytest.approx(curve(areas).mean(), abs=0.003)


def test_impossible_questions_are_refused() -> None:
    rng = np.random.default_rng(1)
    recording = Recording(lower_m2=600.0)
    log_limit = np.array([[1.4, 0.0, 800.0]])
    with pytest.raises(ValueError, match="no finite mass"):
        corrected_number("dps_extended", log_limit, 10, recording, 0.0, rng=rng)
    with pytest.raises(ValueError, match="expected 0 <= reference <= 600 m2"):
        corrected_number("dps", np.array([LAW]), 10, recording, 700.0, rng=rng)
    with pytest.raises(ValueError, match="counted: found 0"):
        corrected_number("dps", np.array([LAW]), 0, recording, 100.0, rng=rng)
    with pytest.raises(ValueError, match="level: found 2"):
        corrected_number("dps", np.array([LAW]), 5, recording, 100.0, rng=rng, level=2.0)
    found = corrected_number("dps", np.array([LAW] * 9), 5, recording, 100.0, rng=rng)
    assert "extrapolated" in found.notes[0]
