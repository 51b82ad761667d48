"""Reliability curves against their envelope: false alarms at the level, faults found."""

import numpy as np
import pytest

from stats.calibration.corp import corp_parts, reliability
from stats.calibration.reliability_envelope import reliability_envelope


@pytest.mark.slow
def test_calibrated_forecasts_raise_five_percent_false_alarms():
    rng = np.random.default_rng(80)
    p_values = []
    for _ in range(500):
        p = rng.beta(1.0, 4.0, 250)
        found = reliability_envelope(p, rng.random(250) < p, rng=rng, draws=59)
        outside = (found.frequency < found.low_all) | (found.frequency > found.high_all)
        assert not outside.any() or found.curve_p_value <= 0.05
        p_values.append((found.curve_p_value, found.miscalibration_p_value))
    alarms = np.mean(np.array(p_values) <= 0.05, axis=0)
    print(f"false alarms: curve {alarms[0]:.3f}, miscalibration {alarms[1]:.3f}; error 0.010")
    assert ((alarms >= 0.03) & (alarms <= 0.07)).all()


@pytest.mark.parametrize("fault", ["rate", "overconfident", "timid"])
def test_faults_are_found(fault):
    rng = np.random.default_rng(81)
    p = rng.beta(1.0, 4.0, 4000)
    y = rng.random(4000) < p
    odds = p / (1.0 - p)
    told = {"rate": 1.4 * odds, "overconfident": odds**1.5, "timid": odds**0.6}[fault]
    found = reliability_envelope(told / (1.0 + told), y, rng=rng, draws=99)
    assert found.miscalibration_p_value == pytest.approx(0.01)
    # The curve looks everywhere at once, the part at the score alone: it is the blunter test.
    assert found.curve_p_value <= 0.05
    assert ((found.frequency < found.low_all) | (found.frequency > found.high_all)).any()


def test_curve_and_miscalibration_are_those_of_corp_and_draws_can_be_handed_in():
    rng = np.random.default_rng(82)
    p = np.round(rng.random(300), 1)
    y = rng.random(300) < p
    drawn = rng.random((40, 300)) < p
    found = reliability_envelope(p, y, rng=rng, drawn=drawn, rule="log")
    curve = reliability(p, y)
    np.testing.assert_array_equal(found.forecast, curve.forecast)
    np.testing.assert_array_equal(found.frequency, curve.frequency)
    assert found.miscalibration == corp_parts(p, y, rule="log").miscalibration
    assert found.draws == 40
    with pytest.raises(ValueError, match="expected \\(19 or more, 300\\)"):
        reliability_envelope(p, y, rng=rng, drawn=drawn[:5])
