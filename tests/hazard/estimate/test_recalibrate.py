"""Scores become probabilities and densities become laws, with planted truth."""

import numpy as np
import pytest

from hazard.estimate.curricula import undo_of
from hazard.estimate.errors import CannotFitError
from hazard.estimate.recalibrate import fit_density_map, fit_logistic_map
from hazard.training.published import published_curriculum


def test_a_distorted_score_is_made_straight():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 6, 40_000)
    present = rng.random(p.size) < p
    logit = np.log(p / (1 - p))
    score = 1 / (1 + np.exp(-(2.5 * logit + 1.0)))
    found = fit_logistic_map(score, present)
    assert found(score) == pytest.approx(p, abs=0.02)


def test_an_anticorrelated_score_is_not_turned_round():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.1, 0.9, 5000)
    found = fit_logistic_map(1 - p, rng.random(p.size) < p)
    assert found.slope == 0


def test_separable_cells_stay_finite():
    found = fit_logistic_map(np.array([0.1, 0.9]), np.array([False, True]))
    assert np.isfinite([found.intercept, found.slope]).all()


@pytest.mark.parametrize("present", [[], [True, True]])
def test_one_kind_of_cells_is_refused(present):
    with pytest.raises(CannotFitError, match="too few kinds"):
        fit_logistic_map(np.full(len(present), 0.5), np.array(present, dtype=bool))


def test_densities_get_their_law():
    rng = np.random.default_rng(2)
    predicted = np.exp(rng.normal(-1, 1, 20_000))
    observed = np.exp(0.5 + 0.8 * np.log(predicted) + rng.normal(0, 1.2, predicted.size))
    found = fit_density_map(predicted, observed)
    assert (found.intercept, found.slope, found.sigma) == pytest.approx((0.5, 0.8, 1.2), abs=0.05)


def test_a_dead_density_has_the_spread_of_the_observed():
    observed = np.exp(np.random.default_rng(3).normal(0, 1, 500))
    found = fit_density_map(np.zeros(500), observed)
    assert found.slope == 0
    assert found.sigma == pytest.approx(np.log(observed).std(ddof=1))


def test_the_last_stage_that_trains_presence_decides_what_is_undone():
    stages = published_curriculum(presence_loss="weighted_cross_entropy", joint_epochs=0)
    assert undo_of(stages).class_weight == 5.0
    assert undo_of(published_curriculum(susceptibility_epochs=0, joint_epochs=0)).kind == "nothing"
