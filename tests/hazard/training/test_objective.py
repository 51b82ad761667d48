"""Objectives as data."""

import jax.numpy as jnp
import pytest

from hazard.training.objective import LossTerm, make_objective, term_names

BATCH = {
    "presence": jnp.array([[1.0, 0.0]]),
    "density": jnp.array([[2.0, 0.0]]),
    "weight": jnp.ones((1, 2)),
}
OUT = {"logit": jnp.array([[0.0, 0.0]]), "density": jnp.array([[1.0, 1.0]])}


def test_terms_are_weighted_and_added():
    terms = [LossTerm(term="log_loss", factor=2.0), LossTerm(term="mse", factor=0.5)]
    scored = make_objective(terms)(OUT, BATCH)
    assert float(scored.loss) == pytest.approx(2 * 0.6931472 + 0.5 * 1.0, rel=1e-6)
    assert float(scored.terms["mse"].value) == 1.0


def test_the_same_term_twice_is_kept_apart():
    terms = [LossTerm(term="mae"), LossTerm(term="mae", options={"output": "other"})]
    scored = make_objective(terms)({**OUT, "other": jnp.zeros((1, 2))}, BATCH)
    assert set(scored.terms) == set(term_names(terms)) == {"mae_0", "mae_1"}


def test_deep_supervision_is_a_list_of_terms():
    """Side outputs with masks of their own, as segmentation networks have them."""
    coarse = {"coarse": jnp.zeros((1, 1))}
    terms = [
        LossTerm(term="focal_tversky"),
        LossTerm(
            term="dice",
            factor=0.5,
            options={"output": "coarse", "target": "coarse_mask", "weight": "coarse_weight"},
        ),
    ]
    batch = {**BATCH, "coarse_mask": jnp.ones((1, 1)), "coarse_weight": jnp.ones((1, 1))}
    assert float(make_objective(terms)({**OUT, **coarse}, batch).loss) > 0


def test_an_unknown_term_is_named():
    with pytest.raises(ValueError, match="loss 'tversky'; use one of dice"):
        make_objective([LossTerm(term="tversky")])
    with pytest.raises(ValueError, match="without terms"):
        make_objective([])
