"""Events, and epochs crossed with places: what their intervals cover, by simulation."""

import numpy as np
import pytest

from stats.case_arrays import UndefinedScoreError
from stats.resampling.block_bootstrap import draw_blocks, draw_epochs, mean_of
from stats.resampling.event_bootstrap import draw_epochs_and_blocks, draw_events


def test_intervals_over_events_cover_and_intervals_over_cells_do_not():
    rng = np.random.default_rng(0)
    event = np.repeat(np.arange(12), 50)
    covered = {"event": 0, "cell": 0}
    worlds = 300
    for _ in range(worlds):
        terms = rng.normal(size=12)[event] + rng.normal(size=event.size)
        for unit, drawn in (
            ("event", draw_events(event, draws=200, rng=rng)),
            ("cell", draw_blocks(np.arange(event.size), draws=200, rng=rng)),
        ):
            interval = drawn.interval(mean_of(terms, drawn.block))
            covered[unit] += not interval.excludes(0.0)
    # Binomial error: 0.013.
    assert covered["event"] / worlds == pytest.approx(0.95, abs=0.04)
    assert covered["cell"] / worlds < 0.5


def test_errors_of_epochs_and_of_places_need_both_drawn():
    rng = np.random.default_rng(1)
    epoch, block = (axis.ravel() for axis in np.indices((10, 24)))
    epoch, block = np.repeat(epoch, 4), np.repeat(block, 4)
    covered = {"both": 0, "epoch": 0, "block": 0}
    worlds = 300
    for _ in range(worlds):
        terms = rng.normal(size=10)[epoch] + 1.5 * rng.normal(size=24)[block]
        terms = terms + rng.normal(size=epoch.size)
        for unit, drawn in (
            ("both", draw_epochs_and_blocks(epoch, block, draws=200, rng=rng)),
            ("epoch", draw_epochs(epoch, draws=200, rng=rng)),
            ("block", draw_blocks(block, draws=200, rng=rng)),
        ):
            covered[unit] += not drawn.interval(mean_of(terms, drawn.block)).excludes(0.0)
    assert 0.92 <= covered["both"] / worlds <= 0.99
    assert covered["epoch"] / worlds < 0.85
    assert covered["block"] / worlds < 0.88


def test_a_case_counts_as_often_as_its_epoch_and_its_place_were_drawn():
    epoch, block = np.array([0, 0, 1, 2, 3, 4]), np.array([7, 8, 7, 7, 8, 8])
    drawn = draw_epochs_and_blocks(epoch, block, draws=50, rng=np.random.default_rng(2))
    assert drawn.n_units == 2
    again = np.random.default_rng(2)
    in_time = again.multinomial(5, np.full(5, 0.2), size=50)
    in_space = again.multinomial(2, np.full(2, 0.5), size=50)
    expected = in_time[:, epoch] * in_space[:, block - 7]
    assert (drawn.multiplicity[:, drawn.block] == expected).all()


def test_few_events_and_unequal_lengths_are_refused():
    rng = np.random.default_rng(3)
    with pytest.raises(UndefinedScoreError, match="4 events"):
        draw_events(np.arange(4), draws=9, rng=rng)
    with pytest.raises(UndefinedScoreError, match="3 epochs"):
        draw_epochs_and_blocks(np.arange(3), np.arange(3), draws=9, rng=rng)
    with pytest.raises(ValueError, match="same cases"):
        draw_epochs_and_blocks(np.arange(6), np.arange(5), draws=9, rng=rng)
