"""Intervals from blocks hold the score of other ground about as often as they say."""

import numpy as np
import pytest
from sklearn import metrics

from detection.evaluate.run import evaluate_patches
from detection.evaluate.settings import EvaluationSettings
from tests.detection.evaluate.planted import cut, scene

SCENES, SHAPE, THRESHOLD, LEVEL = 120, (256, 256), 0.7, 0.9


@pytest.mark.nightly
def test_intervals_hold_the_scores_of_much_more_ground():
    much = [scene(1000 + i, shape=SHAPE) for i in range(40)]
    truth, probability = (np.concatenate([s[k].ravel() for s in much]) for k in (0, 1))
    wanted = {
        "f1": metrics.f1_score(truth, probability >= THRESHOLD),
        "average_precision": metrics.average_precision_score(truth, probability),
    }
    held = dict.fromkeys(wanted, 0)
    for number in range(SCENES):
        patches, forecast = cut({("a", "a", "1"): scene(5000 + number, shape=SHAPE)})
        found = evaluate_patches(
            forecast, patches, THRESHOLD, settings=EvaluationSettings(draws=200, level=LEVEL)
        )
        assert len(found.unit_keys) == 64
        for name, value in wanted.items():
            score = found.score(name)
            held[name] += score.low <= value <= score.high
    print({name: f"{number} of {SCENES}" for name, number in held.items()})
    slack = 3 * np.sqrt(LEVEL * (1 - LEVEL) / SCENES)
    for name, number in held.items():
        assert abs(number / SCENES - LEVEL) < slack, name
