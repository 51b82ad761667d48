"""Cases of gridded arrays: what counts, where it lies, and what is refused."""

import numpy as np
import pytest

from stats.laws.hurdle import hurdle_lognormal
from stats.residuals.cases import cases_on_lattice
from stats.residuals.section import residual_section

SHAPE = (2, 14, 16)


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    p, mu = rng.uniform(0.1, 0.6, SHAPE), rng.normal(-0.5, 0.3, SHAPE)
    law = hurdle_lognormal(p.ravel(), mu.ravel(), np.ones(p.size))
    return p, mu, law.sample(rng).reshape(SHAPE), rng


def test_prediction_observation_mask_and_fold_give_the_whole_section_in_one_call():
    p, mu, seen, rng = arrays()
    mask = np.ones(SHAPE[1:], dtype=bool)
    mask[:3, :4] = False
    fold = np.arange(SHAPE[2]) // 8 + np.zeros(SHAPE[1:], int)
    cases = cases_on_lattice(
        (p, mu, 1.0), seen, mask, fold, cell_m=1e3, epochs=["wet", "dry"],
        references={"flat": (0.3, -0.5, 1.2)},
        predictors={"slope": rng.random(SHAPE[1:]), "rain": rng.random(SHAPE)},
    )  # fmt: skip
    found = residual_section(cases, rng=rng, draws=39, lags=5, permutations=19)
    assert found.scores.n.sum() == 2 * mask.sum()
    assert set(found.reliability) == set(found.pits) == set(found.worms) == {"wet", "dry"}
    asked = {t.against for t in found.tests}
    assert asked >= {"slope", "rain", "forecast", "forecast, fold 1", "epoch", "overall"}
    assert found.best == "flat"
    assert len(found.structures) == 2
    assert found.structures[0].structure.envelopes is not None
    assert found.totals
    assert found.coverage


def test_cells_lie_where_they_stand_in_the_array_with_north_on_top():
    p, mu, seen, _ = arrays()
    cases = cases_on_lattice((p, mu, 1.0), seen, cell_m=500.0)
    assert cases.y_m.max() == SHAPE[1] * 500.0 - 250.0
    north = cases.value[(cases.epoch == 0) & (cases.y_m == cases.y_m.max())]
    np.testing.assert_array_equal(north, seen[0, 0])
    east = cases.value[(cases.epoch == 1) & (cases.x_m == cases.x_m.max())]
    np.testing.assert_array_equal(east, seen[1, :, -1])


def test_a_single_epoch_may_be_flat_and_holes_are_left_out_without_a_mask():
    p, mu, seen, _ = arrays()
    hole = seen[0].copy()
    hole[2, 3] = np.nan
    cases = cases_on_lattice((p[0], mu[0], 1.0), hole, cell_m=1e3)
    assert cases.n == hole.size - 1
    with pytest.raises(ValueError, match="1 of them without"):
        cases_on_lattice((p[0], mu[0], 1.0), hole, np.ones(hole.shape, bool), cell_m=1e3)


def test_shapes_that_do_not_fit_are_refused():
    p, mu, seen, _ = arrays()
    with pytest.raises(ValueError, match="prediction: found 2 arrays"):
        cases_on_lattice((p, mu), seen, cell_m=1e3)
    with pytest.raises(ValueError, match="mask: found"):
        cases_on_lattice((p, mu, 1.0), seen, np.ones((3, 3), bool), cell_m=1e3)
    with pytest.raises(ValueError, match="epochs: found 3 names"):
        cases_on_lattice((p, mu, 1.0), seen, cell_m=1e3, epochs=["a", "b", "c"])
    with pytest.raises(ValueError, match="observed: found"):
        cases_on_lattice((p, mu, 1.0), seen.ravel(), cell_m=1e3)
