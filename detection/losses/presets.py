"""Objectives as lists of terms: one output, several outputs, and the published recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from detection.losses.terms import DETECTION_TERMS
from hazard.training.objective import LossTerm, Objective, make_objective


def detection_objective(terms: Sequence[LossTerm]) -> Objective:
    """The weighted sum of the terms.

    Raises:
        ValueError: no terms, or an unknown one.

    Example:
        >>> import jax.numpy as jnp
        >>> mask = jnp.array([[[1.0] * 15 + [0.0] * 5]])
        >>> hits = jnp.array([[[1.0] * 10 + [0.0] * 5 + [1.0] * 2 + [0.0] * 3]])
        >>> batch = {"mask": mask, "weight": jnp.ones_like(mask)}
        >>> objective = detection_objective([LossTerm(term="focal_tversky")])
        >>> round(float(objective({"logit": 100 * (2 * hits - 1)}, batch).loss), 4)
        0.3761
    """
    return make_objective(terms, DETECTION_TERMS)


def over_outputs(terms: Sequence[LossTerm], factors: Mapping[str, float]) -> tuple[LossTerm, ...]:
    """The same terms for several outputs: deep supervision.

    Args:
        terms: loss of one output.
        factors: factor of each output by its name.

    Raises:
        ValueError: no outputs.

    Example:
        >>> chosen = over_outputs([LossTerm(term="dice", factor=0.5)], {"logit_2": 1, "logit": 4})
        >>> [(term.options["output"], term.factor) for term in chosen]
        [('logit_2', 0.5), ('logit', 2.0)]
    """
    if not factors:
        raise ValueError("no outputs; name at least one")
    return tuple(
        replace(term, factor=term.factor * factor, options={**term.options, "output": output})
        for output, factor in factors.items()
        for term in terms
    )


def adsms_terms(*, published_smooth: bool = True) -> tuple[LossTerm, ...]:
    """Focal Tversky (power 0.75) of the three side outputs, Tversky of the last, equal factors.

    Args:
        published_smooth: the published notebook adds 1e-7 in the focal terms and 1 in the last;
            otherwise 1 in all.
    """
    weights = {"false_negative_weight": 0.7, "false_positive_weight": 0.3}
    focal = LossTerm(
        term="focal_tversky",
        options={**weights, "exponent": 0.75, "smooth": 1e-7 if published_smooth else 1.0},
    )
    last = LossTerm(term="tversky", options={**weights, "output": "logit"})
    sides = dict.fromkeys(("logit_8", "logit_4", "logit_2"), 1.0)
    return (*over_outputs([focal], sides), last)


def bitemporal_terms(
    *,
    false_negative_weight: float = 0.7,
    false_positive_weight: float = 0.3,
    exponent: float = 0.75,
    factors: Mapping[str, float] | None = None,
) -> tuple[LossTerm, ...]:
    """0.2 cross-entropy + 0.8 focal Tversky of every output, the last one five times.

    The paper prints these factors, and not the three settings of the focal Tversky loss.
    """
    both = (
        LossTerm(term="cross_entropy", factor=0.2),
        LossTerm(
            term="focal_tversky",
            factor=0.8,
            options={
                "false_negative_weight": false_negative_weight,
                "false_positive_weight": false_positive_weight,
                "exponent": exponent,
            },
        ),
    )
    outputs = {"logit": 5.0} | {f"logit_{s}": 1.0 for s in (2, 4, 8, 16)}
    return over_outputs(both, outputs if factors is None else factors)


LOSS_PRESETS: Mapping[str, tuple[LossTerm, ...]] = {
    "default": (
        LossTerm(term="cross_entropy", factor=0.5),
        LossTerm(term="dice", factor=0.5),
    ),
    "adsms": adsms_terms(),
    "bitemporal": bitemporal_terms(),
    # The two studies weigh the two errors in opposite ways under one letter.
    "rasuwa_text": (
        LossTerm(
            term="tversky",
            options={"false_negative_weight": 0.3, "false_positive_weight": 0.7, "smooth": 1e-7},
        ),
    ),
    "rasuwa_code": (
        LossTerm(
            term="tversky",
            options={"false_negative_weight": 0.15, "false_positive_weight": 0.85, "smooth": 1e-7},
        ),
    ),
    "hr_gldd": (LossTerm(term="dice"),),
}
"""Published objectives, and the default, by name."""


def loss_preset(name: str) -> tuple[LossTerm, ...]:
    """The terms of a preset.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> [term.term for term in loss_preset("hr_gldd")]
        ['dice']
    """
    if name not in LOSS_PRESETS:
        raise ValueError(f"loss {name!r}; use one of {', '.join(LOSS_PRESETS)}")
    return LOSS_PRESETS[name]
