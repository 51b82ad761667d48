"""Contingency scores: scikit-learn, identities, undefined cases, thresholds by brute force."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays
from sklearn.metrics import (
    f1_score,
    jaccard_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from stats.case_arrays import UndefinedScoreError
from stats.scores.contingency import (
    ContingencyTable,
    choose_threshold,
    count_terms,
    f1_of_counts,
    iou_of_counts,
    mcc_of_counts,
)

COUNTS = some.tuples(*[some.integers(0, 10**6)] * 4)


@pytest.fixture
def forecast():
    rng = np.random.default_rng(10)
    score = rng.integers(0, 30, 3000) / 30.0
    return score, (rng.random(3000) < score**2).astype(int)


def test_scores_agree_with_scikit_learn(forecast):
    score, y = forecast
    table = ContingencyTable.of(score, y, threshold=0.5)
    alarm = score >= 0.5
    assert table.precision() == pytest.approx(precision_score(y, alarm))
    assert table.recall() == pytest.approx(recall_score(y, alarm))
    assert table.f1() == pytest.approx(f1_score(y, alarm))
    assert table.iou() == pytest.approx(jaccard_score(y, alarm))
    assert table.mcc() == pytest.approx(matthews_corrcoef(y, alarm))


@given(counts=COUNTS)
def test_iou_is_f1_over_two_minus_f1(counts):
    f1, iou = f1_of_counts(counts), iou_of_counts(counts)
    if sum(counts[:3]) == 0:
        assert np.isnan(f1)
        assert np.isnan(iou)
    else:
        assert iou == pytest.approx(f1 / (2.0 - f1))


@given(counts=COUNTS)
def test_mcc_ignores_which_class_is_called_the_event(counts):
    tp, fp, fn, tn = counts
    np.testing.assert_allclose(mcc_of_counts(counts), mcc_of_counts((tn, fn, fp, tp)))


def test_pooled_counts_of_chunks_are_the_counts_of_the_whole(forecast):
    score, y = forecast
    whole = ContingencyTable.of(score, y, threshold=0.4)
    parts = [ContingencyTable.of(score[i::4], y[i::4], threshold=0.4) for i in range(4)]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    assert total == whole
    # The mean over chunks is another number: the reason why counts are pooled.
    assert np.mean([p.f1() for p in parts]) != pytest.approx(whole.f1(), abs=1e-6)


def test_weights_are_repetitions(forecast):
    score, y = forecast
    w = np.random.default_rng(11).integers(0, 4, y.size)
    repeated = ContingencyTable.of(np.repeat(score, w), np.repeat(y, w), threshold=0.4)
    assert ContingencyTable.of(score, y, threshold=0.4, weights=w) == repeated


def test_undefined_scores_say_why():
    for table, score, reason in [
        (ContingencyTable(0, 0, 3, 5), "precision", "nothing is forecast"),
        (ContingencyTable(0, 3, 0, 5), "recall", "nothing happened"),
        (ContingencyTable(0, 0, 0, 5), "f1", "nothing is forecast and nothing happened"),
        (ContingencyTable(0, 0, 0, 5), "iou", "no forecast and no event"),
        (ContingencyTable(4, 5, 0, 0), "mcc", "a margin of the table is empty"),
    ]:
        with pytest.raises(UndefinedScoreError, match=reason):
            getattr(table, score)()


@given(
    score=arrays.arrays(np.float64, 12, elements=some.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])),
    y=arrays.arrays(np.bool_, 12),
    criterion=some.sampled_from(["f1", "mcc", "iou"]),
)
def test_chosen_threshold_is_the_best_of_all(score, y, criterion):
    assume(y.any())
    of_counts = {"f1": f1_of_counts, "mcc": mcc_of_counts, "iou": iou_of_counts}[criterion]
    values = {t: of_counts(count_terms(score >= t, y).sum(axis=0)) for t in np.unique(score)}
    defined = {t: v for t, v in values.items() if not np.isnan(v)}
    if not defined:
        with pytest.raises(UndefinedScoreError):
            choose_threshold(score, y, maximise=criterion)
        return
    best = max(defined.values())
    expected = max(t for t, v in defined.items() if v >= best - 1e-12)
    assert choose_threshold(score, y, maximise=criterion) == expected


def test_no_event_gives_no_threshold_and_missing_scores_are_errors():
    with pytest.raises(UndefinedScoreError, match="no event"):
        choose_threshold([0.1, 0.2], [0, 0], maximise="f1")
    with pytest.raises(ValueError, match="score: found 1 of 2"):
        ContingencyTable.of([np.nan, 0.2], [0, 1], threshold=0.1)
    with pytest.raises(ValueError, match="found shape"):
        f1_of_counts([1, 2, 3])
