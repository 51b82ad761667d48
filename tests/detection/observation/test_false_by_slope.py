"""False alarms by slope: intervals as wide as blocks differ, and functions that do not hold."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import detection_error as benchmark
from detection.observation.calibration import SLOPE_EDGES_DEG
from detection.observation.estimate import estimate
from detection.observation.false_by_slope import departures, false_by_slope, overdispersion
from detection.observation.model import NAMES


@pytest.fixture(scope="module")
def fitted():
    """A detection error, and other blocks of the same detector."""
    rng = np.random.default_rng(7)
    calibration = benchmark.calibration_of(rng, blocks=120)
    model = estimate(calibration, rng=rng, draws=60)
    return model, benchmark.calibration_of(rng, blocks=120)


def test_counts_ground_and_rates_add_up(fitted):
    model, checks = fitted
    rates = false_by_slope(checks, model)
    assert sum(r.count for r in rates) == checks.false_m2.size
    assert sum(r.ground_km2 for r in rates) == pytest.approx(checks.ground_km2.sum())
    assert sum(r.share for r in rates) == pytest.approx(1.0)
    for r in rates:
        assert r.rate == pytest.approx(r.count / r.ground_km2)
        assert r.low <= r.rate <= r.high
        assert r.low_deg in SLOPE_EDGES_DEG


def test_order_of_the_blocks_does_not_matter(fitted):
    model, checks = fitted
    order = np.random.default_rng(1).permutation(checks.block_names.size)
    shuffled = replace(
        checks, block_names=checks.block_names[order], ground_km2=checks.ground_km2[order]
    )
    for a, b in zip(false_by_slope(checks, model), false_by_slope(shuffled, model), strict=True):
        assert a.count == b.count
        assert (a.low, a.high) == pytest.approx((b.low, b.high))


@pytest.mark.parametrize("crowding", [1.0, 8.0])
def test_intervals_cover_the_rate_also_where_false_alarms_crowd(fitted, crowding):
    """Gamma-mixed Poisson counts of 60 blocks: the interval holds the rate in about 95 %."""
    model, checks = fitted
    rng = np.random.default_rng(11)
    ground = np.zeros((60, len(SLOPE_EDGES_DEG) - 1))
    ground[:, 2] = rng.uniform(0.5, 1.5, 60)
    inside, naive = 0, 0
    worlds = 400
    for _ in range(worlds):
        rate = 6.0 * rng.gamma(6.0 / crowding, crowding / 6.0, 60) if crowding > 1 else 6.0
        counts = rng.poisson(rate * ground[:, 2])
        names = np.arange(60)
        block = np.repeat(names, counts)
        world = replace(
            checks, ground_km2=ground, block_names=names, false_block=block,
            false_m2=np.full(block.size, 500.0), false_slope_deg=np.full(block.size, 25.0),
            reference_m2=np.empty(0), slope_deg=np.empty(0), block=np.empty(0, np.int64),
            outlines=np.empty(0, np.int64), members=np.empty(0, np.int64), ln_ratio=np.empty(0),
            evenness=np.empty(0),
        )  # fmt: skip
        (found,) = false_by_slope(world, model)
        inside += found.low <= 6.0 <= found.high
        half = 1.96 * np.sqrt(found.count) / found.ground_km2
        naive += abs(found.rate - 6.0) <= half
    assert 0.91 <= inside / worlds <= 0.99
    if crowding > 1:
        assert naive / worlds < 0.75


def test_a_function_that_holds_is_not_complained_of(fitted):
    model, checks = fitted
    assert departures(checks, model) == ()
    assert departures(None, model) == ()
    assert departures(replace(checks, with_terrain=False), model) == ()


def test_a_function_that_does_not_hold_is_named(fitted):
    """Three times as many false alarms as were, on slopes of 10 to 20 degrees alone."""
    model, checks = fitted
    gentle = np.flatnonzero((checks.false_slope_deg >= 10) & (checks.false_slope_deg < 20))
    more = np.concatenate([np.arange(checks.false_m2.size), gentle, gentle])
    crowded = replace(
        checks, false_m2=checks.false_m2[more], false_slope_deg=checks.false_slope_deg[more],
        false_block=checks.false_block[more],
    )  # fmt: skip
    (note,) = departures(crowded, model)
    assert "10 to 20 deg" in note
    assert "30 to 40 deg" not in note
    values = model.values.copy()
    values[NAMES.index("false_0")] += np.log(3.0)
    (note,) = departures(checks, replace(model, values=values))
    assert "20 to 30 deg" in note


def test_no_false_alarm_is_no_overdispersion():
    assert overdispersion(np.zeros(5), np.ones(5)) == 1.0
    assert overdispersion(np.array([3.0]), np.ones(1)) == 1.0
