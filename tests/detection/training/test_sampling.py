import numpy as np
import pytest

from detection.training.sampling import draws, has_landslide, prior_of
from tests.detection.training.made import made_patches


def test_every_patch_is_drawn_and_the_share_is_reached():
    positive = np.zeros(100, bool)
    positive[:7] = True
    drawn = draws(positive, positive_share=0.5, seed=3)
    assert set(drawn) == set(range(100))
    assert positive[drawn].mean() == pytest.approx(0.5, abs=0.005)
    times = np.bincount(drawn)[:7]
    assert times.max() - times.min() <= 1


def test_repeats_are_bounded_and_large_shares_are_left():
    positive = np.zeros(100, bool)
    positive[0] = True
    assert (draws(positive, positive_share=0.9, most_repeats=5) == 0).sum() == 5
    many = ~positive
    assert draws(many, positive_share=0.5).tolist() == list(range(100))
    assert draws(positive, positive_share=None).tolist() == list(range(100))
    with pytest.raises(ValueError, match="between 0 and 1"):
        draws(positive, positive_share=1.0)


def test_the_prior_counts_pixels_that_count():
    patches = made_patches(8, share=0.25)
    drawn = draws(has_landslide(patches), positive_share=0.5)
    prior = prior_of(patches, drawn, positive_weight=2.0)
    counted, truth = patches.counted, patches.truth & patches.counted
    assert (prior.patches, prior.positive_patches) == (8, 2)
    assert (prior.draws, prior.positive_draws) == (12, 6)
    assert prior.pixel_share == pytest.approx(truth.sum() / counted.sum())
    share = truth[drawn].sum() / counted[drawn].sum()
    assert prior.drawn_share == pytest.approx(share)
    # With cross-entropy a constant prediction p makes w s / p = (1 - s) / (1 - p).
    odds = 2.0 * share / (1 - share)
    own = prior.pixel_share / (1 - prior.pixel_share)
    assert prior.logit_shift == pytest.approx(np.log(odds / own))
