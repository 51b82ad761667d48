"""Local Moran's I against esda, direct sums and exhaustive dealing."""

import itertools

import numpy as np
import pytest

from stats.spatial.local_moran import local_moran, local_moran_permutation
from stats.spatial.stencil import QUEEN, ROOK, distance_band


def world(seed, shape=(9, 10), share=0.85):
    rng = np.random.default_rng(seed)
    return rng.gamma(1, 1, shape), rng.random(shape) < share


@pytest.mark.parametrize("standardise", ["row", "binary"])
def test_agrees_with_esda(standardise):
    esda = pytest.importorskip("esda")
    libpysal = pytest.importorskip("libpysal")
    values, _ = world(0)
    weights = libpysal.weights.lat2W(*values.shape, rook=False)
    other = esda.Moran_Local(
        values.ravel(), weights, transformation="R" if standardise == "row" else "B", permutations=0
    )
    found = local_moran(values, stencil=QUEEN, standardise=standardise)
    assert found.value.ravel() == pytest.approx(other.Is, rel=1e-10)
    assert (found.quadrant.ravel() == other.q).all()


@pytest.mark.parametrize("standardise", ["row", "binary"])
def test_conditional_and_total_moments_are_those_of_every_dealing(standardise):
    values = np.array([[0.3, 2.0, -1.0, 0.1], [1.0, 0.0, 5.0, 0.0]])
    valid = np.array([[True, True, True, False], [True, True, True, False]])
    found = local_moran(values, valid, standardise=standardise)
    cells = np.argwhere(valid)
    held = values[valid]
    every = np.array(list(itertools.permutations(held)))
    lattice = np.zeros((len(every), *values.shape))
    lattice[:, cells[:, 0], cells[:, 1]] = every - held.mean()
    total = ((held - held.mean()) ** 2).sum()
    for number, (r, c) in enumerate(cells):
        near = [(r + a, c + b) for a, b in ROOK.offsets.tolist()
                if 0 <= r + a < 2 and 0 <= c + b < 4 and valid[r + a, c + b]]  # fmt: skip
        weight = 1.0 / len(near) if standardise == "row" else 1.0
        lag = sum(weight * lattice[:, a, b] for a, b in near)
        local = (held.size - 1) * lattice[:, r, c] * lag / total
        kept = every[:, number] == held[number]
        assert found.value[r, c] == pytest.approx(local[0])
        assert found.expected[r, c] == pytest.approx(local[kept].mean(), abs=1e-12)
        assert found.sd[r, c] == pytest.approx(local[kept].std(), abs=1e-12)
        assert found.expected_total[r, c] == pytest.approx(local.mean(), abs=1e-12)
        assert found.sd_total[r, c] == pytest.approx(local.std(), abs=1e-12)


def test_dealings_are_conditional_on_each_cell():
    """Against samples without replacement from the others, cell by cell."""
    values, valid = world(1, (6, 6))
    found = local_moran_permutation(values, valid, permutations=3000, rng=np.random.default_rng(2))
    rng = np.random.default_rng(5)
    z = np.where(valid, values - values[valid].mean(), 0.0)
    for r, c in np.argwhere(valid)[::3]:
        others = z[valid & (np.indices(z.shape) != np.array([r, c])[:, None, None]).any(axis=0)]
        near = [z[r + a, c + b] for a, b in ROOK.offsets.tolist()
                if 0 <= r + a < 6 and 0 <= c + b < 6 and valid[r + a, c + b]]  # fmt: skip
        if not near:
            continue
        lags = rng.permuted(np.tile(others, (3000, 1)), axis=1)[:, : len(near)].sum(axis=1)
        share = np.mean(z[r, c] * lags >= z[r, c] * sum(near) - 1e-12)
        # Both shares have a standard error of at most 0.0092.
        assert found.greater[r, c] == pytest.approx(share, abs=0.05)


def test_the_swap_gives_every_cell_its_own_value_back():
    """Three cells in a row: conditional on the middle, both neighbours are the two others."""
    values = np.array([[1.0, 5.0, 2.0, 9.0]])
    found = local_moran_permutation(
        values, permutations=6000, rng=np.random.default_rng(3), standardise="binary"
    )
    z = values[0] - values.mean()
    for cell, near in ((0, (1,)), (1, (0, 2)), (2, (1, 3)), (3, (2,))):
        others = [z[j] for j in range(4) if j != cell]
        lags = [sum(chosen) for chosen in itertools.permutations(others, len(near))]
        observed = z[cell] * sum(z[j] for j in near)
        share = np.mean([z[cell] * lag >= observed - 1e-12 for lag in lags])
        assert found.greater[0, cell] == pytest.approx(share, abs=0.03)


def test_a_planted_cluster_is_found_and_noise_is_not():
    rng = np.random.default_rng(4)
    field = rng.normal(size=(60, 60))
    noise = local_moran(field, stencil=distance_band(2.0)).discoveries()
    field[20:28, 20:28] += 2.0
    found = local_moran(field, stencil=distance_band(2.0))
    shown = found.discoveries()
    core = np.zeros(field.shape, dtype=bool)
    core[18:30, 18:30] = True
    assert noise.n_discovered <= 2
    assert shown.discovered[22:26, 22:26].mean() > 0.5
    assert (shown.discovered & ~core).sum() <= max(2, 0.15 * shown.n_discovered)
    assert (found.quadrant[22:26, 22:26] == 1).mean() > 0.8


def test_cells_alone_or_at_the_mean_are_not_tested():
    valid = np.array([[True, True, False, True], [True, False, False, False]])
    found = local_moran(np.array([[1.0, 2.0, 0.0, 3.0], [4.0, 0.0, 0.0, 0.0]]), valid)
    assert not found.defined[0, 3]
    assert np.isnan(found.value[0, 3])
    assert found.quadrant[0, 3] == 0
