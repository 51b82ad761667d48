import numpy as np
import pytest

from detection.training.threshold import choose_threshold


def drawn(seed=0, number=4000):
    rng = np.random.default_rng(seed)
    truth = rng.random(number) < 0.1
    probability = np.clip(rng.normal(0.3 + 0.25 * truth, 0.15), 0, 1)
    return probability.astype(np.float32), truth, rng.random(number) < 0.8


def test_the_choice_is_the_best_f1_of_all_thresholds():
    p, truth, counted = drawn()
    choice = choose_threshold(p, truth, counted)

    def f1(threshold):
        above = (p.astype(float) >= threshold)[counted]
        hits = (above & truth[counted]).sum()
        return 2 * hits / (above.sum() + truth[counted].sum())

    everywhere = [f1(k / 200) for k in range(1, 200)]
    assert choice.f1 >= max(everywhere)
    assert f1(choice.threshold) == pytest.approx(choice.f1)
    low, high = sorted((choice.precision, choice.recall))
    assert low <= choice.f1 <= high


def test_mcc_is_made_large():
    p, truth, counted = drawn(1)
    choice = choose_threshold(p, truth, counted, measure="mcc")

    def mcc(threshold):
        above = (p.astype(float) >= threshold)[counted]
        return np.corrcoef(above, truth[counted])[0, 1]

    best = max(mcc(k / 100) for k in range(1, 80))
    assert mcc(choice.threshold) >= best


def test_pixels_that_do_not_count_change_nothing():
    p, truth, counted = drawn(2)
    spoiled = np.where(counted, p, np.nan)
    assert choose_threshold(spoiled, truth, counted) == choose_threshold(p, truth, counted)


def test_no_landslide_and_no_probability_are_told():
    p, truth, counted = drawn()
    with pytest.raises(ValueError, match="no landslide"):
        choose_threshold(p, np.zeros_like(truth), counted)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        choose_threshold(p + 1, truth, counted)
