"""Objectives over several outputs, and the published recipes."""

import jax.numpy as jnp
import numpy as np
import pytest

from detection.losses.presets import (
    LOSS_PRESETS,
    adsms_terms,
    bitemporal_terms,
    detection_objective,
    loss_preset,
    over_outputs,
)
from detection.losses.terms import DETECTION_TERMS
from detection.models.registry import MODELS
from hazard.training.objective import LossTerm

NETWORK = {"adsms": "adsms_unet", "bitemporal": "bitemporal_residual_unet"}


def outputs_and_batch(name, side=16):
    rng = np.random.default_rng(0)
    outputs = {
        spec.name: jnp.asarray(rng.normal(size=(2, side // spec.stride, side // spec.stride)))
        for spec in MODELS[name].outputs
    }
    mask = jnp.asarray(rng.random((2, side, side)) < 0.3, jnp.float32)
    return outputs, {"mask": mask, "weight": jnp.ones_like(mask)}


@pytest.mark.parametrize("preset", LOSS_PRESETS)
def test_presets_use_every_output_of_their_network(preset):
    name = NETWORK.get(preset, "unet")
    outputs, batch = outputs_and_batch(name)
    scored = detection_objective(loss_preset(preset))(outputs, batch)
    used = {term.options.get("output", "logit") for term in loss_preset(preset)}
    assert used == set(outputs)
    assert float(scored.loss) > 0


def test_adsms_adds_three_focal_terms_and_one_plain():
    outputs, batch = outputs_and_batch("adsms_unet")
    expected = sum(
        DETECTION_TERMS["focal_tversky"](outputs, batch, output=name, smooth=1e-7).value
        for name in ("logit_8", "logit_4", "logit_2")
    )
    expected += DETECTION_TERMS["tversky"](outputs, batch).value
    scored = detection_objective(adsms_terms())(outputs, batch)
    assert float(scored.loss) == pytest.approx(float(expected), rel=1e-6)


def test_the_bitemporal_sum_has_the_printed_factors():
    outputs, batch = outputs_and_batch("bitemporal_residual_unet")
    expected = 0.0
    for name in outputs:
        one = 0.2 * DETECTION_TERMS["cross_entropy"](outputs, batch, output=name).value
        one += 0.8 * DETECTION_TERMS["focal_tversky"](outputs, batch, output=name).value
        expected += (5.0 if name == "logit" else 1.0) * one
    scored = detection_objective(bitemporal_terms())(outputs, batch)
    assert float(scored.loss) == pytest.approx(float(expected), rel=1e-6)


def test_the_two_readings_of_rasuwa_weigh_false_alarms_more():
    for name in ("rasuwa_text", "rasuwa_code"):
        (term,) = loss_preset(name)
        assert term.options["false_positive_weight"] > term.options["false_negative_weight"]


def test_over_outputs_multiplies_factors():
    found = over_outputs([LossTerm(term="dice", factor=0.5)], {"logit": 3.0, "logit_2": 1.0})
    assert [(t.options["output"], t.factor) for t in found] == [("logit", 1.5), ("logit_2", 0.5)]
    with pytest.raises(ValueError, match="no outputs"):
        over_outputs([LossTerm(term="dice")], {})


def test_unknown_losses_are_refused():
    with pytest.raises(ValueError, match="loss 'lovasz'; use one of default, adsms"):
        loss_preset("lovasz")
    with pytest.raises(ValueError, match="loss 'mse'; use one of cross_entropy, dice"):
        detection_objective([LossTerm(term="mse")])
