"""Capture curves and hazard classes: limits, ties, additivity, brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from stats.case_arrays import UndefinedScoreError
from stats.scores.capture import capture_curve, class_edges, hazard_classes
from stats.scores.ranking import roc_auc


def test_perfect_and_empty_forecasts_are_the_limits():
    slid = np.array([0.0, 0.0, 0.0, 1.0])
    assert capture_curve(slid, slid, kind="success").captured(0.25) == 1.0
    flat = capture_curve(np.zeros(4), slid, kind="success")
    assert flat.area_under() == pytest.approx(0.5)
    np.testing.assert_allclose(flat.captured([0.1, 0.6]), [0.1, 0.6])


def test_area_under_follows_from_roc_for_presence_and_equal_areas():
    rng = np.random.default_rng(15)
    score = rng.integers(0, 40, 2000) / 40
    y = rng.random(2000) < 0.5 * score
    rate = y.mean()
    expected = (1.0 - rate) * roc_auc(score, y) + 0.5 * rate
    curve = capture_curve(score, y, kind="prediction")
    assert curve.area_under() == pytest.approx(expected)
    assert curve.kind == "prediction"


def test_area_weights_count_cells_by_their_area():
    curve = capture_curve([2.0, 1.0], [1.0, 1.0], kind="success", area=[3.0, 1.0])
    assert curve.captured(0.75) == pytest.approx(0.5)


@given(
    score=arrays.arrays(np.float64, 12, elements=some.sampled_from([0.0, 0.1, 0.4, 0.8, 1.0])),
    slid=arrays.arrays(np.float64, 12, elements=some.floats(0.0, 5.0)),
    seed=some.integers(0, 99),
)
def test_curve_rises_from_0_to_1_whatever_the_order_of_cells(score, slid, seed):
    slid[0] = 1.0
    curve = capture_curve(score, slid, kind="success")
    assert (np.diff(curve.area_share) > 0).all()
    assert (np.diff(curve.landslide_share) >= 0).all()
    assert curve.landslide_share[[0, -1]] == pytest.approx([0.0, 1.0])
    order = np.random.default_rng(seed).permutation(12)
    again = capture_curve(score[order], slid[order], kind="success")
    np.testing.assert_allclose(again.landslide_share, curve.landslide_share)


def test_classes_hold_the_shares_they_were_cut_for_on_the_training_cells():
    rng = np.random.default_rng(16)
    score, slid = rng.random(5000), rng.gamma(0.3, size=5000)
    curve = capture_curve(score, slid, kind="success")
    edges = class_edges(curve, (0.05, 0.15, 0.3, 0.6), of="area")
    classes = hazard_classes(score, slid, edges)
    assert len(classes) == 5
    shares = [c.area_share for c in classes]
    assert shares == pytest.approx([0.4, 0.3, 0.15, 0.1, 0.05], abs=1e-3)
    top = class_edges(curve, (0.5, 0.9), of="landslides")
    captured = [c.landslide_share for c in hazard_classes(score, slid, top)]
    assert captured == pytest.approx([0.1, 0.4, 0.5], abs=5e-3)


def test_class_shares_sum_to_one_and_count_by_hand():
    classes = hazard_classes([0.1, 0.5, 0.5, 0.9], [0, 1, 2, 3], [0.5, 0.95], area=[1, 1, 1, 2])
    assert [c.landslide for c in classes] == [0.0, 6.0, 0.0]
    assert [c.area for c in classes] == [1.0, 4.0, 0.0]
    assert sum(c.landslide_share for c in classes) == 1.0
    assert classes[1].ratio == pytest.approx(1.25)
    assert classes[2].ratio is None


def test_tied_classes_no_landslides_and_bad_shares_are_refused():
    curve = capture_curve([1.0, 1.0, 1.0, 0.0], [1.0] * 4, kind="success")
    with pytest.raises(ValueError, match="tied scores"):
        class_edges(curve, (0.2, 0.4), of="area")
    with pytest.raises(ValueError, match="expected increasing numbers"):
        class_edges(curve, (0.4, 0.2), of="area")
    with pytest.raises(UndefinedScoreError, match="needs landslides"):
        capture_curve([1.0, 2.0], [0.0, 0.0], kind="success")
    with pytest.raises(ValueError, match="landslide: found a minimum of -1"):
        capture_curve([1.0, 2.0], [0.0, -1.0], kind="success")
