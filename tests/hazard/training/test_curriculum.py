"""Curricula as data, the published one included."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from hazard.training.curriculum import (
    Stage,
    change_batch,
    curriculum_from_json,
    curriculum_to_json,
)
from hazard.training.objective import LossTerm
from hazard.training.published import default_curriculum, published_curriculum

MAE = (LossTerm(term="mae"),)


@pytest.mark.parametrize("loss", ["focal_tversky", "weighted_cross_entropy"])
def test_curricula_survive_json(loss):
    for curriculum in (published_curriculum(presence_loss=loss), default_curriculum()):
        text = json.dumps(curriculum_to_json(curriculum))
        assert curriculum_from_json(json.loads(text)) == curriculum


def test_the_published_curriculum_is_what_the_paper_says():
    stages = {stage.name: stage for stage in published_curriculum()}
    assert stages["susceptibility"].epochs == 500
    assert stages["susceptibility"].patience == 10
    assert stages["susceptibility"].frozen == ("density",)
    assert dict(stages["susceptibility"].terms[0].options) == {
        "false_negative_weight": 0.7,
        "false_positive_weight": 0.3,
        "exponent": 1.0,
    }
    first, second, third = (stages[f"density_{n}"] for n in ("log", "positive", "all"))
    assert (first.subset, first.target_transform, first.epochs) == ("positive", "log1p", 200)
    assert first.patience is not None
    assert (second.subset, second.target_transform, second.epochs) == ("positive", "identity", 200)
    assert second.patience is None
    assert (third.subset, third.target_transform) == ("all", "identity")
    assert {first.frozen, second.frozen, third.frozen} == {("susceptibility",)}
    assert stages["joint"].frozen == ()


def test_the_subset_is_taken_before_the_target_is_transformed():
    stage = Stage(name="a", terms=MAE, epochs=1, subset="positive", target_transform="log")
    batch = {
        "density": jnp.array([[0.0, 0.5, np.nan, 4.0]]),
        "weight": jnp.array([[1.0, 1.0, 0.0, 0.5]]),
    }
    changed = change_batch(stage, batch)
    np.testing.assert_allclose(changed["weight"], [[0.0, 1.0, 0.0, 0.5]])
    np.testing.assert_allclose(changed["density"][0, [1, 3]], np.log([0.5, 4.0]), rtol=1e-6)
    assert bool(jnp.isfinite(changed["density"]).all())
    assert batch["weight"][0, 0] == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"terms": ()}, "has no loss"),
        ({"subset": "some"}, "subset 'some'"),
        ({"target_transform": "sqrt"}, "target_transform 'sqrt'"),
        ({"target_transform": "log"}, "the log of zeros"),
        ({"batch_size": 0}, "batches of 0"),
    ],
)
def test_wrong_stages_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Stage(**{"name": "a", "terms": MAE, "epochs": 1, **values})


def test_unknown_and_missing_keys_are_named():
    good = curriculum_to_json([Stage(name="a", terms=MAE, epochs=1)])[0]
    with pytest.raises(ValueError, match="stage 0: unknown key 'epoch'"):
        curriculum_from_json([{**good, "epoch": 2}])
    with pytest.raises(ValueError, match="unknown key 'rate'"):
        curriculum_from_json([{**good, "optimiser": {"rate": 1}}])
    with pytest.raises(ValueError, match="epochs"):
        curriculum_from_json([{"name": "a", "terms": []}])
