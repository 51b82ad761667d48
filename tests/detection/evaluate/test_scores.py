"""Pooled scores: every pixel once, exact ties, intervals, protocols, sites, differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from detection.evaluate.comparison import paired_difference
from detection.evaluate.pixels import Pixels, average_precision
from detection.evaluate.record import ALL, POSITIVES
from detection.evaluate.run import evaluate_patches
from detection.evaluate.settings import EvaluationSettings
from detection.evaluate.units import Units
from detection.patches.patch_set import PatchSet
from hazard.errors import DataError
from stats.resampling.block_bootstrap import draw_blocks
from stats.scores.ranking_by_block import areas_by_block
from tests.detection.evaluate.planted import SIZE, cut, scene, two_regions

FEW = EvaluationSettings(draws=200)


@pytest.fixture(scope="module")
def regions():
    return two_regions()


@pytest.fixture(scope="module")
def evaluation(regions):
    patches, probability = regions
    return evaluate_patches(probability, patches, 0.4, model="one", settings=FEW)


def test_pooled_scores_agree_with_scikit_learn(regions, evaluation):
    patches, probability = regions
    truth, mapped = patches.truth.ravel(), probability.ravel() >= 0.4
    wanted = {
        "precision": metrics.precision_score(truth, mapped),
        "recall": metrics.recall_score(truth, mapped),
        "f1": metrics.f1_score(truth, mapped),
        "iou": metrics.jaccard_score(truth, mapped),
        "mcc": metrics.matthews_corrcoef(truth, mapped),
        "average_precision": metrics.average_precision_score(
            truth, probability.ravel().astype(np.float32)
        ),
    }
    for name, value in wanted.items():
        assert evaluation.score(name).value == pytest.approx(value, abs=1e-7), name
        score = evaluation.score(name)
        assert score.low < score.value < score.high
    assert evaluation.protocol().pixels == truth.size
    assert evaluation.protocol().base_rate == pytest.approx(truth.mean())


@pytest.mark.parametrize("stride", [8, 16, 20])
def test_overlapping_patches_count_a_pixel_once(stride):
    whole = {("a", "a", "1"): scene(3, shape=(72, 72))}
    apart, _ = cut(whole, stride=SIZE)
    patches, probability = cut(whole, stride=stride)
    assert len(patches) > len(apart)
    found = evaluate_patches(probability, patches, 0.5, settings=FEW)
    side = SIZE + stride * ((72 - SIZE) // stride)
    truth, forecast = (field[:side, :side] for field in whole["a", "a", "1"])
    assert found.protocol().pixels == side**2
    assert found.protocol().counts[0] == int((truth & (forecast >= 0.5)).sum())


def test_a_pixel_of_several_patches_has_the_mean_of_their_probabilities():
    truth = np.zeros((32, 48), bool)
    truth[:, 10:30] = True
    patches, _ = cut({("a", "a", "1"): (truth, truth * 1.0)}, stride=16)
    # 0.5 in columns 0 to 15, 0.4 where both patches lie, 0.3 in columns 32 to 47.
    forecast = np.stack([np.full((SIZE, SIZE), p) for p in (0.5, 0.3)])
    counts = [evaluate_patches(forecast, patches, t).protocol().counts for t in (0.45, 0.35)]
    assert counts[0] == (32 * 6, 32 * 10, 32 * 14, 32 * 18)
    assert counts[1] == (32 * 20, 32 * 12, 0, 32 * 16)


def test_what_does_not_count_enters_nothing(regions):
    rng = np.random.default_rng(1)
    valid = rng.random((96, 128)) > 0.3
    patches, probability = two_regions(valid=valid)
    strange = np.where(patches.valid, probability, np.nan)
    found = evaluate_patches(strange, patches, 0.4, settings=FEW)
    truth, mapped = patches.truth[patches.valid], probability[patches.valid] >= 0.4
    assert found.protocol().pixels == int(patches.valid.sum())
    assert found.score("f1").value == pytest.approx(metrics.f1_score(truth, mapped))


def test_patches_without_landslides_are_kept_and_left_out_in_a_row_of_its_own(regions, evaluation):
    patches, probability = regions
    positive = patches.truth.any(axis=(1, 2))
    assert 0 < (~positive).sum() < len(patches)
    every, few = evaluation.protocol(ALL), evaluation.protocol(POSITIVES)
    assert (every.patches, few.patches) == (len(patches), int(positive.sum()))
    truth, mapped = patches.truth[positive].ravel(), probability[positive].ravel() >= 0.4
    assert few.scores["f1"].value == pytest.approx(metrics.f1_score(truth, mapped))
    assert few.counts[0] == every.counts[0]
    assert few.scores["precision"].value > every.scores["precision"].value
    assert few.scores["recall"].value == every.scores["recall"].value


def test_the_best_f1_is_kept_apart_from_the_scores(evaluation):
    protocol = evaluation.protocol()
    assert protocol.ceiling.f1 >= protocol.scores["f1"].value
    assert "ceiling" not in protocol.scores
    at_best = evaluate_patches(*reversed(two_regions()), protocol.ceiling.threshold, settings=FEW)
    assert at_best.score("f1").value == pytest.approx(protocol.ceiling.f1)


def test_blocks_of_all_epochs_of_a_region_are_drawn_together(regions, evaluation):
    patches, probability = regions
    # 3 x 4 blocks of 32 pixels in each of two regions, the first with two epochs.
    assert len(evaluation.unit_keys) == 24
    assert evaluation.unit == "160 m block"
    assert evaluation.unit_counts.sum() == evaluation.protocol().pixels
    names = {"patch": "piece of ground"}
    for unit, number in (("patch", 3), ("scene", 3), ("region", 2)):
        made = evaluate_patches(
            probability, patches, 0.4, settings=EvaluationSettings(unit=unit, draws=50)
        )
        assert (len(made.unit_keys), made.unit) == (number, names.get(unit, unit))
    wide = evaluate_patches(
        probability, patches, 0.4, settings=EvaluationSettings(block_m=320.0, draws=50)
    )
    assert len(wide.unit_keys) == 8


def test_patches_that_came_cut_are_pieces_of_their_own(regions):
    patches, probability = regions
    kept = patches.select([0, 1, 2])
    origin = tuple(type(o)(**{**vars(o), "row": 0, "column": 0}) for o in kept.origin)
    loose = PatchSet(**{**vars(kept), "origin": origin})
    found = evaluate_patches(probability[:3], loose, 0.4, settings=FEW)
    assert found.unit == "patch"
    assert len(found.unit_keys) == 3
    assert found.protocol().pixels == 3 * SIZE**2
    with pytest.raises(ValueError, match="draw patches, not blocks"):
        evaluate_patches(probability[:3], loose, 0.4, settings=EvaluationSettings(unit="block"))


def test_sites_have_scores_of_their_own(regions, evaluation):
    patches, probability = regions
    assert [site.name for site in evaluation.sites] == ["hill", "dale"]
    for site in evaluation.sites:
        kept = [origin.region == site.name for origin in patches.origin]
        truth, mapped = patches.truth[kept].ravel(), probability[kept].ravel() >= 0.4
        assert site.scores["f1"].value == pytest.approx(metrics.f1_score(truth, mapped))
        assert site.landslide_pixels == int(truth.sum())
    by_epoch = evaluate_patches(
        probability, patches, 0.4, settings=EvaluationSettings(sites="region_epoch", draws=50)
    )
    assert [site.name for site in by_epoch.sites] == ["hill 1", "hill 2", "dale 1"]


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), levels=st.integers(2, 40), units=st.integers(2, 9))
def test_average_precision_is_exact_with_ties_and_its_draws_follow_the_exact_ones(
    seed, levels, units
):
    rng = np.random.default_rng(seed)
    truth = rng.random(400) < 0.2
    truth[:2] = True, False
    probability = np.clip(rng.integers(0, levels, 400) / levels + 0.2 * truth, 0, 1)
    unit = rng.integers(0, units, 400)
    drawn = draw_blocks(np.arange(units), draws=40, rng=rng)
    made = Units(keys=tuple("abcdefghi"[:units]), name="u", of_pixels=(), draws=drawn, level=0.9)
    score, curve, _ = average_precision(
        Pixels(probability=probability, truth=truth, unit=unit), made
    )
    assert score.value == pytest.approx(metrics.average_precision_score(truth, probability))
    assert curve is not None
    exact = areas_by_block(probability, truth, unit, made.multiplicity)[1]
    if not score.note:
        # Few distinct probabilities: nothing is lost by gathering them.
        wanted = drawn.interval(lambda m: exact[:1] if len(m) == 1 else exact[1:], level=0.9)
        assert (score.low, score.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_a_model_beside_itself_differs_by_nothing_and_a_better_one_is_seen(regions, evaluation):
    patches, probability = regions
    same = paired_difference(evaluation, evaluation)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    better = evaluate_patches(
        np.where(patches.truth, np.maximum(probability, 0.6), probability), patches, 0.4,
        model="two", settings=FEW,
    )  # fmt: skip
    gain = paired_difference(better, evaluation)
    assert gain.value == pytest.approx(better.score().value - evaluation.score().value)
    assert gain.low > 0
    # Two intervals side by side overlap where the paired one is clear of zero.
    assert better.score().low < evaluation.score().high
    half = evaluate_patches(probability[:12], patches.select(range(12)), 0.4, settings=FEW)
    with pytest.raises(ValueError, match="other patches"):
        paired_difference(evaluation, half)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), threshold=st.floats(0.05, 0.95))
def test_f1_lies_between_precision_and_recall_and_iou_follows_from_it(seed, threshold):
    patches, probability = cut({("a", "a", "1"): scene(seed, shape=(64, 32))})
    found = evaluate_patches(probability, patches, threshold, settings=EvaluationSettings(draws=5))
    scores = {name: score.value for name, score in found.protocol().scores.items()}
    if np.isnan(scores["precision"]):
        assert found.score("precision").note == "nothing is mapped"
        return
    low, high = sorted((scores["precision"], scores["recall"]))
    assert low - 1e-12 <= scores["f1"] <= high + 1e-12
    assert scores["iou"] == pytest.approx(scores["f1"] / (2 - scores["f1"]))
    assert -1 <= scores["mcc"] <= 1


def test_scores_without_landslides_say_why_they_are_missing():
    patches, probability = cut({("a", "a", "1"): (np.zeros((64, 64), bool), np.zeros((64, 64)))})
    found = evaluate_patches(probability, patches, 0.5)
    assert [p.name for p in found.protocols] == ["all"]
    assert np.isnan(found.score("f1").value)
    assert found.score("recall").note == "no landslide among these pixels"
    assert found.protocol().curve is None


def test_input_that_cannot_be_scored_is_refused(regions):
    patches, probability = regions
    with pytest.raises(DataError, match="of 36864 pixels that count outside 0 to 1"):
        evaluate_patches(probability * np.nan, patches, 0.5)
    with pytest.raises(DataError, match="shape"):
        evaluate_patches(probability[:2], patches, 0.5)
    nothing = PatchSet(**{**vars(patches), "valid": np.zeros_like(patches.valid)})
    with pytest.raises(DataError, match="seen and mapped"):
        evaluate_patches(probability, nothing, 0.5)
    with pytest.raises(ValueError, match=r"threshold 1\.5"):
        evaluate_patches(probability, patches, 1.5)
    other, forecast = cut({("a", "a", "1"): scene(3, shape=(32, 48))}, stride=16)
    truth = other.truth.copy()
    truth[1] = ~truth[1]
    with pytest.raises(DataError, match="another truth in the patch at row 0, column 16"):
        evaluate_patches(forecast, PatchSet(**{**vars(other), "truth": truth}), 0.5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"draws": 0}, "0 draws"),
        ({"level": 1.0}, "level 1.0"),
        ({"block_m": -1.0}, "block_m"),
        ({"object_overlap": 0.0}, "object_overlap"),
        ({"size_edges": (10.0, 20.0)}, "from 0 on"),
        ({"size_edges": (0.0, 20.0, 20.0)}, "rising"),
    ],
)
def test_settings_without_sense_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        EvaluationSettings(**changes)
