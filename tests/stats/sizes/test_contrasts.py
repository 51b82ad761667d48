"""Contrasts: sign, size, equivalence, and levels of factors that are compared like with like."""

import dataclasses

import numpy as np
import pytest

from stats.sizes.contrasts import (
    CHANGED,
    EQUAL,
    UNDECIDED,
    all_group_contrasts,
    difference,
    factor_contrast,
    group_contrast,
)
from stats.sizes.hierarchical_posterior import HierarchicalPosterior
from stats.sizes.priors import default_priors
from stats.sizes.recording import Recording

RNG = np.random.default_rng(1)


def posterior(alphas: list[float], labels: dict[str, tuple[str, ...]]) -> HierarchicalPosterior:
    """Groups with known posteriors: normal around the given exponents, sd 0.05."""
    groups = len(alphas)
    alpha = np.array(alphas) + 0.05 * RNG.normal(size=(2, 1000, groups))
    rollover = np.where(RNG.random((2, 1000, groups)) < 0.5, np.nan, 500.0)
    return HierarchicalPosterior(
        law="dps",
        names=tuple("abcdef"[:groups]),
        labels=labels,
        recordings=(Recording(),) * groups,
        n=(100,) * groups,
        priors=default_priors("dps"),
        coordinates=np.zeros((2, 1000, groups, 3)),
        draws={"alpha": alpha, "rollover_m2": rollover},
        typical={},
        between_sd={},
        curves={},
        estimates={},
        typical_estimates={},
        between_sd_estimates={},
        centred=np.zeros((groups, 3), dtype=bool),
        divergences=0,
        notes=(),
    )


@pytest.mark.parametrize(
    ("gap", "sd", "verdict"),
    [(0.5, 0.1, CHANGED), (-0.5, 0.1, CHANGED), (0.01, 0.03, EQUAL), (0.1, 0.2, UNDECIDED)],
)
def test_verdict_and_probabilities_of_normal_differences(
    gap: float, sd: float, verdict: str
) -> None:
    first = 1.4 + gap + sd / np.sqrt(2) * RNG.normal(size=40_000)
    second = 1.4 + sd / np.sqrt(2) * RNG.normal(size=40_000)
    found = difference(first, second)
    assert found.verdict == verdict
    assert found.difference == pytest.approx(gap, abs=0.005)
    assert found.high - found.low == pytest.approx(2 * 1.96 * sd, rel=0.04)
    assert (found.probability_above > 0.5) == (gap > 0)
    assert found.probability_of_direction == max(
        found.probability_above, 1.0 - found.probability_above
    )


def test_groups_are_compared_draw_by_draw() -> None:
    both = posterior([1.4, 1.4], {})
    shared = RNG.normal(size=(2, 1000, 1))
    moved = dataclasses.replace(both, draws={"alpha": both.draws["alpha"] + shared})
    # What is uncertain in common does not widen a difference.
    alone, joint = (group_contrast(p, "a", "b") for p in (both, moved))
    assert joint.high - joint.low == pytest.approx(alone.high - alone.low, rel=1e-9)
    assert len(all_group_contrasts(posterior([1.0, 1.2, 1.4], {}))) == 3


def test_levels_are_compared_within_combinations_of_the_other_factors() -> None:
    # Method "machine" lowers alpha by 0.3; the late epoch, mapped by machine only, has 1.0 less.
    labels = {
        "epoch": ("early", "early", "middle", "middle", "late"),
        "method": ("manual", "machine", "manual", "machine", "machine"),
    }
    found = posterior([1.8, 1.5, 1.6, 1.3, 0.5], labels)
    contrast = factor_contrast(found, "method", "machine", "manual")
    assert contrast.difference == pytest.approx(-0.3, abs=0.02)
    assert contrast.verdict == CHANGED
    epochs = factor_contrast(found, "epoch", "late", "early")
    # Compared among machine-mapped epochs only: 0.5 - 1.5, not 0.5 - mean(1.8, 1.5).
    assert epochs.difference == pytest.approx(-1.0, abs=0.02)


def test_levels_that_never_meet_cannot_be_told_apart() -> None:
    labels = {"epoch": ("early", "late"), "method": ("manual", "machine")}
    with pytest.raises(ValueError, match="cannot be told from the other factors"):
        factor_contrast(posterior([1.4, 1.6], labels), "epoch", "late", "early")


def test_draws_without_a_rollover_are_left_out_and_counted() -> None:
    found = group_contrast(posterior([1.4, 1.4], {}), "a", "b", "rollover_m2", equivalence=50.0)
    assert found.exists == pytest.approx(0.25, abs=0.05)
    assert found.difference == 0.0
    never = difference(np.full(10, np.nan), np.ones(10))
    assert never.exists == 0.0
    assert never.verdict == UNDECIDED


def test_bad_questions_are_refused_by_name() -> None:
    found = posterior([1.4, 1.6], {"epoch": ("early", "late")})
    with pytest.raises(ValueError, match="group: found 'z'"):
        group_contrast(found, "a", "z")
    with pytest.raises(ValueError, match="quantity: found 'kappa'"):
        group_contrast(found, "a", "b", "kappa")
    with pytest.raises(ValueError, match="factor: found 'region'"):
        factor_contrast(found, "region", "x", "y")
    with pytest.raises(ValueError, match="level of epoch: found 'never'"):
        factor_contrast(found, "epoch", "never", "early")
    with pytest.raises(ValueError, match=r"equivalence: found 0\.0"):
        difference([1.0, 2.0], [1.0, 2.0], equivalence=0.0)
    with pytest.raises(ValueError, match="found 2 of first, 3 of second"):
        difference([1.0, 2.0], [1.0, 2.0, 3.0])
