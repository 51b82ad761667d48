"""Errors that come back: caught where planted, quiet where residuals only share neighbours."""

import numpy as np
import pytest
from scipy import ndimage
from scipy import stats as scipy_stats

from stats.laws.hurdle import hurdle_lognormal
from stats.residuals.cases import ForecastCases
from stats.residuals.persistence import persistence

SIDE = 30


def cases(epochs=2, keep=None):
    y, x = (np.tile(a.ravel() * 1e3, epochs) for a in np.mgrid[:SIDE, :SIDE])
    epoch = np.repeat(np.arange(epochs), SIDE * SIDE)
    kept = np.ones(x.size, dtype=bool) if keep is None else keep
    n = int(kept.sum())
    law = hurdle_lognormal(np.full(n, 0.3), np.zeros(n), np.ones(n))
    return ForecastCases(
        law=law, value=np.zeros(n), epoch=epoch[kept], x_m=x[kept], y_m=y[kept], cell_m=1e3
    )


def smooth(rng):
    field = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.0)
    return (field / field.std()).ravel()


def test_neighbours_that_are_wrong_together_do_not_look_like_errors_that_come_back():
    rng, study = np.random.default_rng(0), cases()
    p = [
        persistence(study, np.concatenate([smooth(rng), smooth(rng)]), block_m=5e3)[0].p_value
        for _ in range(400)
    ]
    alarms = np.sum(np.array(p) <= 0.05)
    assert alarms <= scipy_stats.binom(400, 0.05).ppf(0.999)
    assert alarms >= scipy_stats.binom(400, 0.05).ppf(0.0005)
    # Cells as blocks would raise an alarm far too often: the check can fail.
    naive = [
        persistence(study, np.concatenate([smooth(rng), smooth(rng)]), block_m=1e3)[0].p_value
        for _ in range(100)
    ]
    assert np.mean(np.array(naive) <= 0.05) > 0.15


def test_a_place_that_is_wrong_twice_is_found_in_the_pair_of_epochs_that_shares_it():
    rng = np.random.default_rng(1)
    place = smooth(rng)
    parts = [place + rng.normal(size=place.size), place + rng.normal(size=place.size), smooth(rng)]
    found = persistence(cases(3), np.concatenate(parts), block_m=5e3)
    assert [(f.first, f.second) for f in found] == [(0, 1), (1, 2)]
    assert found[0].correlation == pytest.approx(
        np.corrcoef(parts[0], parts[1])[0, 1], rel=1e-12
    )  # fmt: skip
    assert found[0].p_value < 0.001
    assert found[1].p_value > 0.05


def test_only_cells_with_a_residual_in_both_epochs_count():
    rng = np.random.default_rng(2)
    keep = rng.random(2 * SIDE * SIDE) < 0.7
    study = cases(keep=keep)
    residual = rng.normal(size=study.n)
    residual[:5] = np.nan
    both = keep.reshape(2, -1).all(axis=0)
    lost = np.flatnonzero(keep[: SIDE * SIDE])[:5]
    both[lost] = False
    assert persistence(study, residual, block_m=5e3)[0].n == both.sum()
    few = cases(keep=np.tile(np.arange(SIDE * SIDE) < 4, 2))
    assert persistence(few, np.ones(few.n), block_m=5e3) == ()
