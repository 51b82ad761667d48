"""Scores under a known probability: the oracle is best, and its score is estimated without bias."""

import numpy as np
import pytest
from scipy.special import entr
from scipy.stats import binom

from stats.case_arrays import UndefinedScoreError
from stats.scores.known_probability import entropy_of_counts, expected_log_terms, regret_share
from stats.scores.logarithmic import log_terms


def entropy(q: np.ndarray) -> np.ndarray:
    return entr(q) + entr(1.0 - q)


def test_expected_score_is_the_mean_over_outcomes() -> None:
    rng = np.random.default_rng(0)
    p, q = rng.uniform(0.05, 0.95, (2, 20))
    outcomes = rng.random((200_000, 20)) < q
    mean = log_terms(np.broadcast_to(p, outcomes.shape), outcomes).reshape(-1, 20).mean(axis=0)
    np.testing.assert_allclose(expected_log_terms(p, q), mean, atol=0.02)


def test_the_known_probability_itself_scores_best() -> None:
    q = np.linspace(0.0, 1.0, 21)
    best = expected_log_terms(q, q)
    np.testing.assert_allclose(best, entropy(q), atol=1e-12)
    for other in (0.01, 0.3, 0.99):
        assert (expected_log_terms(np.full(21, other), q) >= best - 1e-12).all()


def test_certainty_about_what_can_happen_costs_infinity_and_about_the_certain_nothing() -> None:
    assert expected_log_terms([0.0, 1.0, 0.0, 1.0], [0.1, 0.9, 0.0, 1.0]).tolist() == [
        np.inf, np.inf, 0.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize("trials", [10, 100, 400])
def test_entropy_of_counts_has_the_bias_that_is_stated(trials: int) -> None:
    counts = np.arange(trials + 1)
    q = np.linspace(0.0, 1.0, 1001)
    expected = binom.pmf(counts, trials, q[:, None]) @ entropy_of_counts(counts, trials)
    bias = expected - entropy(q)
    assert bias.max() < 1e-9
    assert bias.min() > -0.3 / trials
    # Away from 0 and 1 nothing is left, where the entropy of the frequency is off by 1 / (2 N).
    inside = (q > 10.0 / trials) & (q < 1.0 - 10.0 / trials)
    if inside.any():
        assert np.abs(bias[inside]).max() < 1e-4 / trials
        plain = binom.pmf(counts, trials, q[:, None]) @ entropy(counts / trials) - entropy(q)
        assert plain[inside].max() < -0.45 / trials


def test_regret_is_a_share_of_the_gap() -> None:
    assert regret_share(0.2, 0.2, 0.6) == 0.0
    assert regret_share(0.6, 0.2, 0.6) == pytest.approx(1.0)
    assert regret_share(0.8, 0.2, 0.6) == pytest.approx(1.5)
    with pytest.raises(UndefinedScoreError, match="climatology"):
        regret_share(0.3, 0.2, 0.2)


def test_more_events_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="of 5 trials"):
        entropy_of_counts([6], 5)
