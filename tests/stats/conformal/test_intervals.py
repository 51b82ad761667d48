"""Intervals in one call: the parts one by one, the record, and rules combined."""

import numpy as np
import pytest

from stats.conformal.intervals import conformal_intervals
from stats.conformal.rules import conformal_rule
from stats.conformal.scores import conformal_interval, conformity_scores
from stats.laws.hurdle import hurdle_lognormal

N = 3000


@pytest.fixture(scope="module")
def forecast():
    rng = np.random.default_rng(70)
    told = hurdle_lognormal(rng.uniform(0.1, 0.9, N), rng.normal(size=N), np.full(N, 0.6))
    truth = hurdle_lognormal(told.probability, told.positive.mu, 1.2 * np.ones(N))
    return told, truth.sample(rng)


def test_one_call_is_scores_rule_and_interval(forecast):
    law, y = forecast
    old, new = np.arange(N) < 2000, np.arange(N) >= 2000
    found = conformal_intervals(
        law.take(old), y[old], law.take(new), level=0.9, side="central",
        rng=np.random.default_rng(1),
    )  # fmt: skip
    score = conformity_scores(law.take(old), y[old], side="central", rng=np.random.default_rng(1))
    t = conformal_rule(score, level=0.9).thresholds(size=1000)
    np.testing.assert_array_equal(found.threshold, t)
    low, high = conformal_interval(law.take(new), t, side="central")
    np.testing.assert_array_equal(found.low, low)
    np.testing.assert_array_equal(found.high, high)
    terms = found.coverage(law.take(new), y[new])
    # The narrow law by itself covers far less than it says; the rule mends it.
    assert terms["randomised"].mean() == pytest.approx(0.9, abs=0.03)
    assert (terms["closed"] >= terms["randomised"] - 1e-12).all()
    q = law.take(new).quantile(0.05), law.take(new).quantile(0.95)
    seen = y[new] > 0
    assert np.mean((q[0] <= y[new]) & (y[new] <= q[1]), where=seen) < terms["closed"][seen].mean()


def test_rules_combine_and_the_weakest_stratum_speaks(forecast):
    law, y = forecast
    old, new = np.arange(N) < 2000, np.arange(N) >= 2000
    wet = np.where(law.positive.mu > 0.5, "wet", "dry")
    epoch = np.arange(N) % 12
    # Only five epochs have calibration cells that are wet.
    live = old & ((wet == "dry") | (epoch < 5))
    found = conformal_intervals(
        law.take(live), y[live], law.take(new), level=0.9, side="upper",
        rng=np.random.default_rng(2), stratum=(wet[live], wet[new]), unit=epoch[live],
        unit_name="epoch", weight=(np.ones(int(live.sum())), np.ones(int(new.sum()))),
    )  # fmt: skip
    assert found.rule.method == "Mondrian, blocked, weighted"
    np.testing.assert_array_equal(np.isinf(found.high), wet[new] == "wet")
    assert "needs 9 exchangeable calibration epochs, and 5 promise at most 83.3 %" in (
        found.statement
    )
