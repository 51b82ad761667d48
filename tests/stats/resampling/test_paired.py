"""Automatic blocks and paired differences: coverage where errors depend on each other in space.

Prints a table; docs/spatial.md quotes it. Run with:
    python -m pytest -s -m slow tests/stats/resampling/test_paired.py
"""

import numpy as np
import pytest
from scipy import fft
from statsmodels.stats.multitest import multipletests

from stats.case_arrays import UndefinedScoreError
from stats.resampling.block_bootstrap import draw_blocks, mean_of
from stats.resampling.block_length import automatic_block, block_of_field
from stats.resampling.paired import compare_forecasts
from stats.resampling.shifted_blocks import block_numbers, shifted_block_draws

SHAPE = (120, 180)  # cells of 1 km
MARGIN = 60


def smooth(rng, range_cells):
    """Unit variance; correlation exp(-d^2 / (4 s^2)) for smoothing by s cells, none for 0."""
    if not range_cells:
        return rng.standard_normal(SHAPE)
    shape = tuple(n + MARGIN for n in SHAPE)
    ky, kx = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    kernel = np.exp(-2.0 * (np.pi * range_cells) ** 2 * (ky**2 + kx**2))
    every = np.exp(
        -4.0 * (np.pi * range_cells) ** 2 * (ky**2 + fft.fftfreq(shape[1])[None, :] ** 2)
    )
    noise = fft.rfft2(rng.standard_normal(shape))
    return (fft.irfft2(noise * kernel, s=shape) / np.sqrt(every.mean()))[: SHAPE[0], : SHAPE[1]]


def study_mask():
    """An ellipse with a corner: rims of blocks are slivers."""
    y, x = np.indices(SHAPE)
    return (((y - 60) / 60) ** 2 + ((x - 90) / 90) ** 2 < 1.0) | ((x < 40) & (y > 60))


MASK = study_mask()
Y_M, X_M = (1000.0 * axis[MASK] for axis in np.indices(SHAPE))


@pytest.mark.nightly
@pytest.mark.slow
def test_paired_intervals_cover_whatever_the_range_and_cell_intervals_do_not():
    rng = np.random.default_rng(70)
    worlds, draws = 200, 320
    for range_km in (0.0, 1.5, 4.0):
        covered, naive, rejected, sides, widths = [], [], [], [], []
        for _ in range(worlds):
            # What both find hard cancels; each has smooth errors of its own.
            hard = rng.gamma(1.0, 1.0, SHAPE)
            terms = {
                name: (2.0 + hard + smooth(rng, range_km) + 0.5 * rng.standard_normal(SHAPE))[MASK]
                for name in ("model", "reference")
            }
            (found,) = compare_forecasts(
                terms, "reference", X_M, Y_M, cell_m=1000.0, rng=rng, draws=draws
            )
            covered.append(not found.difference.excludes(0.0))
            rejected.append(found.p_value <= 0.05)
            widths.append(found.difference.high - found.difference.low)
            sides.append(found.block.side_m / 1000.0)
            # The bootstrap of cells has the standard error of independent cells.
            naive.append(abs(found.difference.value) <= 1.96 * found.naive_sd)
        print(f"smoothing {range_km:g} km: side {np.mean(sides):4.1f} km, coverage "
              f"{np.mean(covered):.3f}, rejected {np.mean(rejected):.3f}, mean width "
              f"{np.mean(widths):.3f}; by cells, coverage {np.mean(naive):.3f}")  # fmt: skip
        # Binomial error over 200 worlds: 0.015.
        assert 0.90 <= np.mean(covered) <= 0.99
        assert abs(np.mean(rejected) - 0.05) <= 0.05
        if range_km:
            assert np.mean(naive) < 0.75


def test_the_naive_error_is_that_of_a_bootstrap_of_cells():
    rng = np.random.default_rng(6)
    terms = {"a": rng.gamma(1.0, 1.0, MASK.sum()), "b": rng.gamma(1.0, 1.0, MASK.sum())}
    (found,) = compare_forecasts(terms, "b", X_M, Y_M, cell_m=1000.0, rng=rng, draws=16)
    cells = draw_blocks(np.arange(MASK.sum()), draws=400, rng=rng)
    error = mean_of(terms["a"] - terms["b"], cells.block)(cells.multiplicity).std()
    assert found.naive_sd == pytest.approx(error, rel=0.12)


def test_the_side_grows_with_the_range_and_matches_the_known_covariance():
    rng = np.random.default_rng(0)
    sides = [
        np.mean([block_of_field(smooth(rng, s), MASK, cell_m=1.0).optimal_m for _ in range(5)])
        for s in (0.0, 1.0, 2.0, 3.0)
    ]
    assert sides[0] < 5.0
    # For smoothing s, E(|hx| + |hy|) = 4 s / sqrt(pi) under the covariance as a law of offsets.
    for found, s in zip(sides[1:], (1.0, 2.0, 3.0), strict=True):
        known = np.sqrt(4.0 * s / np.sqrt(np.pi)) * MASK.sum() ** 0.25
        assert found == pytest.approx(known, rel=0.15)


def test_dependence_beyond_the_study_is_said():
    rng = np.random.default_rng(1)
    trend = np.add.outer(np.arange(40.0), np.arange(40.0)) + rng.normal(size=(40, 40))
    found = block_of_field(trend, np.ones((40, 40), bool), cell_m=1.0)
    assert found.bounded
    assert found.n_blocks >= 12
    with pytest.raises(UndefinedScoreError, match="cells"):
        block_of_field(trend[:6, :6], np.ones((6, 6), bool), cell_m=1.0)


def test_epochs_of_a_place_lengthen_nothing_and_move_together():
    rng = np.random.default_rng(2)
    terms = smooth(rng, 2.0)[MASK]
    one = automatic_block(terms, X_M, Y_M, cell_m=1000.0)
    two = automatic_block(
        np.concatenate([terms, terms]), np.tile(X_M, 2), np.tile(Y_M, 2), cell_m=1000.0
    )
    assert one == two
    with pytest.raises(ValueError, match="off a lattice"):
        automatic_block(terms, X_M + rng.random(X_M.size) * 300.0, Y_M, cell_m=1000.0)


def test_several_lattices_make_the_standard_error_steadier():
    rng = np.random.default_rng(3)
    terms = smooth(rng, 2.0)[MASK]

    def errors(lattices):
        return [
            shifted_block_draws(
                lambda block: mean_of(terms, block), X_M, Y_M, side_m=25e3, rng=rng, draws=2400,
                lattices=lattices,
            ).draws.std()
            for _ in range(10)
        ]  # fmt: skip

    assert np.std(errors(12)) < 0.6 * np.std(errors(1))


def test_skill_and_difference_tell_the_same_and_many_forecasts_are_adjusted():
    rng = np.random.default_rng(4)
    hard = rng.gamma(1.0, 1.0, SHAPE)[MASK]
    terms = {"reference": hard} | {
        f"noise {i}": hard * (1.0 + 0.05 * rng.standard_normal(hard.size)) for i in range(5)
    }
    terms["good"] = 0.9 * hard + 0.05 * rng.standard_normal(hard.size) ** 2
    found = {
        one.first: one
        for one in compare_forecasts(
            terms, "reference", X_M, Y_M, cell_m=1000.0, rng=rng, draws=240, side_m=10e3
        )
    }
    good = found.pop("good")
    assert good.q_value < 0.01
    assert good.difference.high < 0.0 < good.skill.low
    assert good.skill.value == pytest.approx(1.0 - good.first_mean / good.second_mean)
    assert good.block is None
    every = [*found.values(), good]
    adjusted = multipletests([one.p_value for one in every], method="fdr_bh")[1]
    assert [one.q_value for one in every] == pytest.approx(adjusted)
    with pytest.raises(ValueError, match="expected 'zero'"):
        compare_forecasts(terms, "zero", X_M, Y_M, cell_m=1000.0, rng=rng)
    with pytest.raises(UndefinedScoreError, match="same amount"):
        compare_forecasts({"a": hard, "b": hard}, "a", X_M, Y_M, cell_m=1000.0, rng=rng, draws=16)


def test_blocks_are_numbered_without_gaps():
    rng = np.random.default_rng(5)
    number = block_numbers(X_M, Y_M, 17e3, (-3e3, -5e3))
    assert set(number) == set(range(number.max() + 1))
    pairs = np.unique(
        np.stack([np.floor((Y_M + 5e3) / 17e3), np.floor((X_M + 3e3) / 17e3)]), axis=1
    )
    assert number.max() + 1 == pairs.shape[1]
    with pytest.raises(ValueError, match="side"):
        shifted_block_draws(lambda b: mean_of(X_M, b), X_M, Y_M, side_m=0.0, rng=rng)
