"""Space-time variogram against loops, and the level and power of the envelopes."""

import numpy as np
import pytest

from stats.spatial.envelope import envelope_of, permutation_envelopes, space_time_envelope
from stats.spatial.lags import lag_classes
from stats.spatial.space_time import space_time_variogram
from stats.spatial.structure import spatial_structure
from tests.stats.spatial.brute import smooth_noise


@pytest.mark.parametrize("one_mask", [True, False])
def test_every_lag_equals_the_loop_over_pairs(one_mask):
    rng = np.random.default_rng(0)
    values = rng.gamma(1, 1, (4, 8, 9))
    valid = rng.random(values.shape) < 0.8
    if one_mask:
        valid[:] = valid[0]
    classes = lag_classes(4)
    found = space_time_variogram(values, valid, classes=classes, epochs_apart=2)
    x, mean = np.where(valid, values, 0.0), values[valid].mean()
    cells = np.argwhere(np.ones((8, 9), bool))
    distance = np.hypot(*(cells[:, None] - cells[None]).transpose(2, 0, 1).astype(float))
    flat, held = x.reshape(4, -1), valid.reshape(4, -1)
    for apart in range(3):
        for k in range(5):
            near = distance == 0 if k == 0 else (distance >= k - 0.5) & (distance < k + 0.5)
            squares, products, count = 0.0, 0.0, 0
            for t in range(4 - apart):
                both = near & held[t][:, None] & held[t + apart][None]
                gap = flat[t][:, None] - flat[t + apart][None]
                own = (flat[t] - mean)[:, None] * (flat[t + apart] - mean)[None]
                squares, products = squares + (gap**2)[both].sum(), products + own[both].sum()
                count += both.sum()
            assert found.pairs[apart, k] == count / (2 if apart == 0 and k else 1)
            assert found.gamma[apart, k] == pytest.approx(0.5 * squares / count, abs=1e-10)
            expected = products / count / x[valid].var()
            assert found.correlation[apart, k] == pytest.approx(expected, abs=1e-10)


def test_an_epoch_level_is_variance_unless_it_is_removed():
    rng = np.random.default_rng(1)
    series = rng.normal(size=(3, 40, 40)) + np.array([0.0, 5.0, 10.0])[:, None, None]
    kept = space_time_variogram(series, classes=lag_classes(2))
    removed = space_time_variogram(series, classes=lag_classes(2), remove_epoch_means=True)
    assert kept.gamma[1, 0] == pytest.approx(13.5, rel=0.1)
    assert removed.gamma[1, 0] == pytest.approx(1.0, rel=0.1)
    assert removed.gamma[2, 2] == pytest.approx(1.0, rel=0.1)


def test_simultaneous_envelopes_hold_their_level_where_pointwise_ones_do_not():
    rng = np.random.default_rng(2)
    simultaneous, pointwise = 0, 0
    worlds = 300
    for _ in range(worlds):
        found = permutation_envelopes(
            rng.gamma(1, 1, (24, 24)), classes=lag_classes(8), permutations=39, rng=rng, workers=1
        ).correlogram
        simultaneous += found.p_value <= 0.05
        assert found.outside.any() == (found.p_value <= 0.05)
        pointwise += ((found.observed < found.low) | (found.observed > found.high)).any()
    # Binomial error: 0.013.
    assert simultaneous / worlds == pytest.approx(0.05, abs=0.038)
    assert pointwise / worlds > 0.15


def test_a_smooth_field_leaves_both_envelopes():
    rng = np.random.default_rng(3)
    field = smooth_noise(rng, (40, 40), 2.0)
    seen = []
    found = permutation_envelopes(
        field, classes=lag_classes(10), permutations=39, rng=rng, progress=seen.append
    )
    assert found.correlogram.p_value == found.variogram.p_value == 1 / 40
    assert found.correlogram.outside[:3].all()
    assert found.variogram.outside[:3].all()
    assert sum(seen) == 39


def test_what_is_dealt_decides_what_is_asked():
    """Places that keep their value: dependence in time, none in space."""
    rng = np.random.default_rng(4)
    place = rng.normal(size=(20, 20))
    series = np.stack([place + 0.5 * rng.normal(size=(20, 20)) for _ in range(3)])
    asked = {
        keep: space_time_envelope(
            series, classes=lag_classes(4), permutations=39, rng=rng, keep_histories=keep
        )
        for keep in (False, True)
    }
    assert asked[False].outside[1:, 0].all()
    assert asked[False].p_value == 1 / 40
    assert asked[True].p_value > 0.05
    holes = rng.random(series.shape) < 0.9
    with pytest.raises(ValueError, match="same mask"):
        space_time_envelope(series, holes, permutations=19, rng=rng, keep_histories=True)


def test_one_call_gives_every_epoch_its_own_structure():
    rng = np.random.default_rng(5)
    values = np.stack([rng.normal(size=(30, 30)), 7.0 + smooth_noise(rng, (30, 30), 2.0)])
    valid = np.ones(values.shape, dtype=bool)
    valid[1, :5] = False
    noise, smooth = spatial_structure(
        values, valid, classes=lag_classes(6), permutations=39, rng=rng
    )
    assert abs(noise.moran.z) < 4 < smooth.moran.z
    assert smooth.correlogram.n == smooth.variogram.n == 750
    assert smooth.envelopes is not None
    assert smooth.envelopes.correlogram.p_value == 1 / 40
    assert smooth.envelopes.correlogram.observed == pytest.approx(smooth.correlogram.value)
    assert smooth.envelopes.variogram.observed == pytest.approx(smooth.variogram.gamma)
    # A lone lattice and a shared mask give the same.
    alone = spatial_structure(values[1], valid[1], classes=lag_classes(6))[0]
    assert alone.moran == smooth.moran
    assert alone.correlogram.z == pytest.approx(smooth.correlogram.z)
    with pytest.raises(ValueError, match="rng"):
        spatial_structure(values, permutations=9)


def test_too_few_draws_are_refused():
    with pytest.raises(ValueError, match="too few"):
        envelope_of(np.zeros(3), np.ones((10, 3)))
