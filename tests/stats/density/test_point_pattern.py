"""Pair statistics: known laws, brute force, levels of the envelopes."""

import numpy as np
import pytest

from stats.case_arrays import UndefinedScoreError
from stats.density.point_pattern import pair_statistics, poisson_envelope, set_covariance
from stats.density.window import Window

SIDE, CELL = 40e3, 1e3
R = np.array([0.5e3, 1e3, 2e3, 3e3])


def square():
    return Window(inside=np.ones((40, 40), bool), west_m=0.0, north_m=SIDE, cell_m=CELL)


def ragged():
    inside = np.ones((40, 40), bool)
    inside[:14, :20], inside[30:, 33:] = False, False
    return Window(inside=inside, west_m=0.0, north_m=SIDE, cell_m=CELL)


def uniform(window, n, rng):
    rows, columns = np.nonzero(window.inside)
    at = rng.integers(rows.size, size=n)
    x = (columns[at] + rng.random(n)) * CELL
    return x, SIDE - (rows[at] + rng.random(n)) * CELL


def thomas(rng, parents=60, mean=8, sd=700.0):
    """Clusters of Poisson size around parents, wrapped so that no edge thins them."""
    number = rng.poisson(mean, rng.poisson(parents))
    centre = np.repeat(rng.uniform(0, SIDE, (number.size, 2)), number, axis=0)
    return ((centre + rng.normal(0, sd, centre.shape)) % SIDE).T


def test_set_covariance_is_the_overlap_counted():
    window = ragged()
    found = set_covariance(window)
    a = window.inside
    assert found[39, 39] == a.sum() * CELL**2
    assert found[39 + 3, 39 - 5] == (a[3:, :-5] & a[:-3, 5:]).sum() * CELL**2


def test_agrees_with_the_double_sum():
    window, rng = ragged(), np.random.default_rng(0)
    x, y = uniform(window, 60, rng)
    field = np.where(window.inside, rng.uniform(0.5, 2.0, window.inside.shape), 0.0)
    found = pair_statistics(x, y, window, distance_m=R, intensity_per_km2=field)
    row, column, _ = window.cells_of(x, y)
    at = field[row, column] / 1e6
    at *= (1 / at).sum() / (window.area_km2 * 1e6)
    covariance = set_covariance(window)
    k = np.zeros(R.size)
    for i in range(60):
        for j in range(60):
            if i == j or np.hypot(x[j] - x[i], y[j] - y[i]) > R[-1]:
                continue
            u, v = (x[j] - x[i]) / CELL + 39, (y[j] - y[i]) / CELL + 39
            a, b = int(np.floor(v)), int(np.floor(u))
            p, q = v - a, u - b
            overlap = (
                (1 - p) * (1 - q) * covariance[a, b] + p * (1 - q) * covariance[a + 1, b]
                + (1 - p) * q * covariance[a, b + 1] + p * q * covariance[a + 1, b + 1]
            )  # fmt: skip
            near = np.hypot(x[j] - x[i], y[j] - y[i]) <= R
            k += near / (at[i] * at[j] * overlap)
    assert found.k_m2 == pytest.approx(k, rel=1e-10)


def test_poisson_points_have_k_of_a_disc_and_g_of_one_in_any_window():
    rng = np.random.default_rng(1)
    for window in (square(), ragged()):
        found = [
            pair_statistics(*uniform(window, 400, rng), window, distance_m=R) for _ in range(60)
        ]
        k = np.mean([f.k_m2 for f in found], axis=0) / (np.pi * R**2)
        g = np.mean([f.g for f in found], axis=0)
        assert k == pytest.approx(np.ones(R.size), abs=0.03)
        assert g[1:] == pytest.approx(np.ones(R.size - 1), abs=0.03)


def test_an_inhomogeneous_poisson_process_is_not_called_clustered():
    rng = np.random.default_rng(2)
    window = square()
    field = np.broadcast_to(np.linspace(0.02, 0.5, 40), (40, 40))
    right, naive = [], []
    for _ in range(40):
        cell = rng.choice(1600, size=400, p=(field / field.sum()).reshape(-1))
        x = (cell % 40 + rng.random(400)) * CELL
        y = SIDE - (cell // 40 + rng.random(400)) * CELL
        right.append(pair_statistics(x, y, window, distance_m=R, intensity_per_km2=field).k_m2)
        naive.append(pair_statistics(x, y, window, distance_m=R).k_m2)
    # Half a kilometre holds few pairs of the sparse end, each of great weight: too noisy to judge.
    right, naive = (np.array(v)[:, 1:] / (np.pi * R[1:] ** 2) for v in (right, naive))
    error = right.std(axis=0, ddof=1) / np.sqrt(len(right))
    assert (error < 0.05).all()
    assert (np.abs(right.mean(axis=0) - 1.0) < 3.0 * error).all()
    assert (naive.mean(axis=0) > 1.2).all()


def test_the_k_function_of_thomas_clusters_is_its_known_one():
    rng, sd, parents = np.random.default_rng(3), 700.0, 60
    found = [
        pair_statistics(*thomas(rng, parents, sd=sd), square(), distance_m=R).k_m2
        for _ in range(80)
    ]
    known = np.pi * R**2 + (1 - np.exp(-(R**2) / (4 * sd**2))) * SIDE**2 / parents
    assert np.mean(found, axis=0) == pytest.approx(known, rel=0.08)


@pytest.mark.slow
def test_the_envelope_holds_its_level_and_finds_clusters():
    # 200 patterns of 80 points at level 0.05: binomial standard error 0.015.
    rng = np.random.default_rng(4)
    window = ragged()
    r = np.array([1e3, 2e3, 3e3])
    alarms = [
        poisson_envelope(
            *uniform(window, 80, rng), window, distance_m=r, rng=rng, simulations=39
        ).p_value
        <= 0.05
        for _ in range(200)
    ]
    assert 0.01 <= np.mean(alarms) <= 0.10
    x, y = thomas(rng, 20, 6)
    assert poisson_envelope(x, y, square(), distance_m=r, rng=rng).p_value <= 0.02


def test_bad_input_is_refused():
    window = ragged()
    with pytest.raises(ValueError, match="outside the window"):
        pair_statistics([1.0, 35e3], [SIDE - 1.0, 20e3], window, distance_m=R)
    with pytest.raises(UndefinedScoreError):
        pair_statistics([30e3], [20e3], window, distance_m=R)
    with pytest.raises(ValueError, match="rising"):
        pair_statistics([30e3, 31e3], [20e3, 20e3], window, distance_m=[2e3, 1e3])
    with pytest.raises(ValueError, match="not above 0"):
        pair_statistics(
            [30e3, 31e3], [20e3, 20e3], window, distance_m=R,
            intensity_per_km2=np.zeros((40, 40)),
        )  # fmt: skip
