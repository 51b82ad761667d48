"""Getis-Ord statistics: agreement with esda, false discoveries, planted spots."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from stats.density.hot_spots import getis_ord, hot_spots
from stats.spatial.stencil import QUEEN, ROOK, distance_band


@pytest.mark.parametrize(("stencil", "rook"), [(QUEEN, False), (ROOK, True)])
def test_agrees_with_esda(stencil, rook):
    esda, libpysal = pytest.importorskip("esda"), pytest.importorskip("libpysal")
    rng = np.random.default_rng(0)
    field = rng.gamma(0.7, 2.0, (11, 14))
    weights = libpysal.weights.lat2W(11, 14, rook=rook)
    # esda's own weight for a cell of binary weights, starred, is 1.
    found = esda.getisord.G_Local(
        field.reshape(-1), weights, transform="B", star=True, permutations=0
    )
    assert getis_ord(field, stencil=stencil).reshape(-1) == pytest.approx(found.Zs, abs=1e-10)


def test_a_mask_is_as_if_the_rest_were_not_there():
    rng = np.random.default_rng(1)
    field = rng.normal(size=(9, 9))
    inside = np.ones((9, 9), bool)
    inside[6:] = False
    garbage = np.where(inside, field, 1e9)
    assert getis_ord(garbage, inside)[:6] == pytest.approx(getis_ord(field[:6]), abs=1e-12)
    assert np.isnan(getis_ord(garbage, inside)[6:]).all()


def test_false_discoveries_of_noise_stay_at_the_level():
    # With no real spot, any discovery is a false one: at most 5 % of maps may have some.
    # 400 maps: binomial standard error 0.011, so 0.08 is nearly three of them above 0.05.
    rng = np.random.default_rng(2)
    hits = np.array([hot_spots(rng.normal(size=(20, 20))).found.n_discovered for _ in range(400)])
    assert (hits > 0).mean() < 0.08
    raw = hot_spots(rng.normal(size=(20, 20)), control="none")
    assert raw.found.n_discovered > 0


def test_a_planted_spot_is_found_and_is_hot():
    rng = np.random.default_rng(3)
    field = rng.poisson(1.0, (30, 30)).astype(float)
    field[10:14, 10:14] += 4.0
    field[20:28, 20:28] = 0.0
    found = hot_spots(field, stencil=distance_band(2.0))
    assert found.hot[11:13, 11:13].all()
    assert found.cold[22:26, 22:26].mean() > 0.3
    assert not (found.hot & found.cold).any()
    assert not found.hot[20:28, 20:28].any()


def test_what_lies_outside_the_mask_is_no_test():
    rng = np.random.default_rng(5)
    inside = rng.random((20, 20)) < 0.7
    found = hot_spots(np.where(inside, rng.normal(size=(20, 20)), np.nan), inside)
    assert found.found.n_tests == inside.sum()
    assert not (found.hot | found.cold)[~inside].any()
    assert np.isnan(found.p_value[~inside]).all()


def test_permutations_hold_their_level_for_skewed_counts_where_the_normal_law_does_not():
    # Rare large counts: the upper normal tail is too light. Share of cells below 0.01, 30 maps.
    rng = np.random.default_rng(4)
    normal, dealt = [], []
    for _ in range(30):
        field = np.where(rng.random((15, 15)) < 0.03, rng.gamma(1.0, 30.0, (15, 15)), 0.0)
        normal.append((hot_spots(field).p_value < 0.01).mean())
        dealt.append(
            (
                hot_spots(field, chance="permutation", permutations=399, rng=rng).p_value < 0.01
            ).mean()
        )
    assert np.mean(normal) > 0.03
    assert np.mean(dealt) < 0.015


def test_scattered_landslides_are_judged_by_the_binomial_law():
    rng = np.random.default_rng(6)
    inside = rng.random((12, 12)) < 0.8
    counts = np.where(inside, rng.poisson(0.3, (12, 12)), 0).astype(float)
    found = hot_spots(counts, inside, chance="scatter")
    n, total = int(inside.sum()), counts.sum()
    for row, column in ((0, 0), (5, 5), (11, 3)):
        if not inside[row, column]:
            continue
        box = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        law = scipy_stats.binom(total, inside[box].sum() / n)
        k = counts[box].sum()
        p = min(1.0, 2 * min(law.sf(k - 1), law.cdf(k)))
        assert found.p_value[row, column] == pytest.approx(p, rel=1e-9)


def test_a_lone_landslide_is_no_hot_spot_of_scatter_but_is_one_of_the_normal_law():
    counts = np.zeros((15, 15))
    counts[7, 7] = counts[2, 12] = 1.0
    assert hot_spots(counts, chance="normal").hot.any()
    assert not hot_spots(counts, chance="scatter").hot.any()


def test_scatter_needs_counts():
    with pytest.raises(ValueError, match="whole counts"):
        hot_spots(np.random.default_rng(0).random((5, 5)), chance="scatter")


def test_permutations_need_a_generator():
    with pytest.raises(ValueError, match="expected rng"):
        hot_spots(np.random.default_rng(0).normal(size=(5, 5)), chance="permutation")
