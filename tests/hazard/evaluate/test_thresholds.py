"""A threshold never saw a target of the cells it is applied to."""

import numpy as np
import pytest

from hazard.evaluate.cases import Cases
from hazard.evaluate.tables import (
    FALSE_POSITIVE,
    NOT_TESTED,
    TRUE_POSITIVE,
    confusion_codes,
)
from hazard.evaluate.thresholds import (
    EARLIER_EPOCHS,
    NONE,
    OTHER_FOLDS,
    STORED,
    Cut,
    Thresholds,
)


def cases(rng, fold, n=400):
    p = rng.random(n)
    density = np.where(rng.random(n) < p, rng.gamma(1, 1, n) + 0.01, 0.0)
    one = np.ones(n)
    return Cases(
        cell=np.arange(n), fold=np.broadcast_to(fold, n).astype(np.int64), density=density,
        probability=p, mu=0 * one, sigma=one, mean_percent=one, median_percent=one,
    )  # fmt: skip


def altered(original, where):
    """The same forecasts with the opposite outcomes at `where`."""
    density = np.where(where, np.where(original.density > 0, 0.0, 1.0), original.density)
    return Cases(**{**{k: getattr(original, k) for k in original.__dataclass_fields__},
                    "density": density})  # fmt: skip


def threshold(by_epoch, epoch, *, forward=False, criterion="f1", level=0.0, **more):
    chooser = Thresholds(by_epoch, forward=forward, **more)
    return chooser.cut(epoch, level_percent=level, criterion=criterion)


@pytest.mark.parametrize("criterion", ["f1", "mcc"])
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_targets_of_the_test_fold_do_not_move_its_threshold(criterion, level):
    rng = np.random.default_rng(0)
    by_epoch = {e: cases(rng, np.arange(400) % 3) for e in range(2)}
    before = threshold(by_epoch, 0, criterion=criterion, level=level)
    turned = {e: altered(c, c.fold == 1) for e, c in by_epoch.items()}
    after = threshold(turned, 0, criterion=criterion, level=level)
    tested = by_epoch[0].fold == 1
    assert (after.threshold[tested] == before.threshold[tested]).all()
    assert (after.threshold[~tested] != before.threshold[~tested]).all()
    assert before.note == OTHER_FOLDS


def test_forward_thresholds_look_back_alone():
    rng = np.random.default_rng(1)
    by_epoch = {e: cases(rng, e - 1) for e in (1, 2, 3)}
    before = threshold(by_epoch, 2, forward=True)
    later = {**by_epoch, 2: altered(by_epoch[2], by_epoch[2].cell >= 0),
             3: altered(by_epoch[3], by_epoch[3].cell >= 0)}  # fmt: skip
    assert threshold(later, 2, forward=True).threshold[0] == before.threshold[0]
    earlier = {**by_epoch, 1: altered(by_epoch[1], by_epoch[1].cell >= 0)}
    assert threshold(earlier, 2, forward=True).threshold[0] != before.threshold[0]
    assert before.note == EARLIER_EPOCHS


def test_without_other_folds_the_stored_threshold_is_taken_and_without_it_none():
    by_epoch = {1: cases(np.random.default_rng(2), 0), 2: cases(np.random.default_rng(3), 1)}
    stored = threshold(by_epoch, 1, forward=True, stored=lambda c, t: np.array([0.37, np.nan]))
    assert (stored.threshold == 0.37).all()
    assert stored.note == STORED
    missing = threshold(by_epoch, 1, forward=True, stored=lambda c, t: np.array([np.nan]))
    assert np.isnan(missing.threshold).all()
    assert missing.note == NONE


def test_the_first_forward_epoch_has_no_alarm_scores_without_a_stored_threshold(evaluated):
    at = {"scheme": "forward_chaining", "model": "default", "threshold_percent": 0.0}
    first = evaluated.row("f1", epoch="post 2015", **at)
    assert np.isnan(first["value"])
    assert first["note"] == NONE
    second = evaluated.row("f1", epoch="pre 2016", **at)
    assert second["value"] > 0
    assert second["note"] == EARLIER_EPOCHS


def test_forward_thresholds_ignore_other_places_of_the_same_epoch():
    rng = np.random.default_rng(4)
    by_epoch = {e: cases(rng, 2 * e + np.arange(400) % 2) for e in (1, 2)}
    before = threshold(by_epoch, 2, forward=True)
    same_epoch = {**by_epoch, 2: altered(by_epoch[2], by_epoch[2].fold == 5)}
    after = threshold(same_epoch, 2, forward=True)
    tested = by_epoch[2].fold == 4
    assert (after.threshold[tested] == before.threshold[tested]).all()


def test_alarm_maps_raise_an_alarm_at_the_threshold_itself():
    ten = cases(np.random.default_rng(5), 0, n=10)
    one = Cases(**{**{k: getattr(ten, k) for k in ten.__dataclass_fields__},
                   "probability": np.full(10, 0.5), "density": np.arange(10.0)})  # fmt: skip
    codes = confusion_codes(one, Cut(np.full(10, 0.5), ""))
    assert (codes[1:] == TRUE_POSITIVE).all()
    assert codes[0] == FALSE_POSITIVE
    none = confusion_codes(one, Cut(np.full(10, np.nan), ""))
    assert (none == NOT_TESTED).all()
