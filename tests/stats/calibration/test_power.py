"""Power of the worm's envelope against planted faults of the law, each at two strengths.

``python -m pytest -s -m slow tests/stats/calibration/test_power.py`` prints the table of
docs/verification.md.
"""

import numpy as np
import pytest

from stats.calibration.worm import quantile_curve
from stats.laws.hurdle import Hurdle, hurdle_lognormal
from stats.laws.pareto import ExtendedGeneralisedPareto

CELLS, WORLDS = 1500, 40


def overconfident(strength, p, mu, rng):
    truth = hurdle_lognormal(p, mu, np.full(CELLS, 1.2))
    return hurdle_lognormal(p, mu, np.full(CELLS, 1.2 * strength)), truth.sample(rng)


def biased_total(strength, p, mu, rng):
    truth = hurdle_lognormal(p, mu, np.full(CELLS, 1.2))
    return hurdle_lognormal(p, mu - strength, np.full(CELLS, 1.2)), truth.sample(rng)


def wrong_tail(strength, p, mu, rng):
    """The tail index is told wrong, the scale chosen so that the median is right."""

    def law(xi):
        unit = ExtendedGeneralisedPareto(1.5, 1.0, xi).median()
        return Hurdle(p, ExtendedGeneralisedPareto(1.5, np.exp(mu) / unit, xi, 100.0))

    return law(0.7 - strength), law(0.7).sample(rng)


FAULTS = {
    "spread told too small": (overconfident, (0.9, 0.75)),
    "density told too small": (biased_total, (0.15, 0.5)),
    "tail told too light": (wrong_tail, (0.3, 0.7)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_the_stronger_fault_is_caught_in_four_of_five_worlds(name):
    plant, strengths = FAULTS[name]
    power = []
    for strength in strengths:
        caught = 0
        for seed in range(WORLDS):
            rng = np.random.default_rng([seed, 90])
            p, mu = rng.beta(1.0, 3.0, CELLS), rng.normal(0.0, 0.7, CELLS)
            law, y = plant(strength, p, mu, rng)
            caught += quantile_curve(law, y, rng=rng, draws=59).p_value <= 0.05
        power.append(caught / WORLDS)
    error = np.sqrt(power[1] * (1.0 - power[1]) / WORLDS)
    print(f"{name}: power {power[0]:.2f} at {strengths[0]}, {power[1]:.2f} +- {error:.2f} at "
          f"{strengths[1]}")  # fmt: skip
    assert power[1] >= 0.8
    assert power[1] > power[0]
