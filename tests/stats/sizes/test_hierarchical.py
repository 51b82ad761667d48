"""The hierarchical fit: crossed factors, mixed recordings, centring, refusals."""

from typing import Any

import jax
import numpy as np
import pytest

from stats.sizes import double_pareto
from stats.sizes.contrasts import CHANGED, factor_contrast
from stats.sizes.hierarchical import fit_hierarchical
from stats.sizes.hierarchical_posterior import BETWEEN_GROUPS
from stats.sizes.hierarchy_density import (
    Hierarchy,
    Kind,
    choose_centring,
    dimension,
    log_posterior_of_groups,
    separate_modes,
    unpack,
)
from stats.sizes.recording import RecordedAreas, Recording
from stats.sizes.size_groups import SizeGroup, design_of
from tests.stats.sizes.posterior_worlds import prior_moments

RNG = np.random.default_rng(5)


def areas(n: int, alpha: float, lower: float = 100.0) -> np.ndarray:
    return double_pareto.sample(n, alpha, 2.3, 800.0, rng=RNG, lower=lower)


def plain_hierarchy(centred: float, groups: int = 3, n: int = 50) -> Hierarchy:
    law = "dps_extended"
    mean, sd, group_sd = prior_moments(law)
    rows = np.log([areas(n, 1.4) for _ in range(groups)])
    data = RecordedAreas(rows, np.ones((groups, n)), None, np.full(groups, 100.0))
    design = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    shape = (groups, 3)
    location = np.broadcast_to(mean, shape) + 0.1
    return Hierarchy(
        (Kind(np.arange(groups), data),), mean, sd, group_sd, design, np.ones((1, 2)),
        np.full(shape, centred), location, np.full(shape, 0.2),
    )  # fmt: skip


def test_centred_and_non_centred_positions_have_one_density() -> None:
    # The same effects, written both ways: densities differ by the Jacobian of the change alone.
    free, centred = plain_hierarchy(0.0), plain_hierarchy(1.0)
    centred = centred._replace(kinds=free.kinds)
    with jax.enable_x64(True):
        density = log_posterior_of_groups("dps_extended")
        gaps = []
        for seed in range(4):
            position = 0.4 * np.random.default_rng(seed).normal(size=dimension(free))
            effects, _ = unpack(position, free)
            other = position.copy()
            other[-9:] = ((effects.group - centred.location) / centred.scale).ravel()
            np.testing.assert_allclose(unpack(other, centred)[0].group, effects.group)
            jacobian = 3 * float(effects.log_tau[-1].sum()) - 9 * np.log(0.2)
            gaps.append(float(density(position, free) - density(other, centred)) - jacobian)
    assert np.ptp(gaps) < 1e-8


def test_score_of_a_hierarchy_agrees_with_differences() -> None:
    data = plain_hierarchy(0.0)
    with jax.enable_x64(True):
        density = log_posterior_of_groups("dps_extended")
        position = 0.3 * np.random.default_rng(1).normal(size=dimension(data))
        score = np.asarray(jax.grad(density)(position, data))
        step = 1e-5
        for i in range(position.size):
            move = step * np.eye(position.size)[i]
            slope = (density(position + move, data) - density(position - move, data)) / (2 * step)
            assert score[i] == pytest.approx(float(slope), rel=1e-5, abs=1e-5)


def test_separate_modes_have_no_slope_and_the_spread_of_their_curvature() -> None:
    mean, sd, _ = prior_moments("dps_extended")
    rows = np.log([areas(n, 1.4) for n in (4000, 4000)])
    kind = Kind(np.arange(2), RecordedAreas(rows, np.ones(rows.shape), None, np.full(2, 100.0)))
    starts = np.tile(mean, (2, 1))
    modes, spreads = separate_modes("dps_extended", (kind,), mean, sd, starts)
    np.testing.assert_allclose(np.exp(modes[:, 0]), 1.4, rtol=0.1)
    # 1 / sqrt(n) times what a hundred areas leave open: 3 to 4 % at 3,000 areas.
    assert np.all((spreads[:, 0] > 0.015) & (spreads[:, 0] < 0.05))


def test_a_group_that_knows_is_centred_and_one_that_does_not_is_not() -> None:
    modes = np.array([[0.1], [0.5], [0.3], [0.4]])
    spreads = np.array([[0.01], [0.01], [0.3], [0.09]])
    np.testing.assert_array_equal(
        choose_centring(modes, spreads, np.array([0.3])).ravel(), [True, True, False, False]
    )


def test_factors_with_one_level_or_a_level_per_group_get_no_effects() -> None:
    groups = [
        SizeGroup(name=str(i), areas_m2=[1.0], labels={"year": str(i), "law": "x", "half": h})
        for i, h in enumerate("aabb")
    ]
    labels, design, of_column, crossed = design_of(groups, ("year", "law", "half"))
    assert crossed == ["half"]
    assert set(labels) == {"year", "law", "half"}
    np.testing.assert_array_equal(design, [[1, 0], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(of_column, [[1, 1]])


@pytest.mark.slow
@pytest.mark.nightly
def test_methods_are_compared_across_epochs_with_mixed_recordings() -> None:
    groups = []
    for epoch in ("2015", "2016", "2017", "2018"):
        for method, alpha in (("manual", 1.4), ("machine", 1.9)):
            sizes, recording = areas(400, alpha), Recording(lower_m2=100.0)
            if method == "machine":
                sizes = 25.0 * np.rint(areas(400, alpha) / 25.0)
                recording = Recording(lower_m2=100.0, pixel_m2=25.0)
            labels = {"epoch": epoch, "method": method}
            groups.append(
                SizeGroup(
                    name=f"{epoch} {method}", areas_m2=sizes[sizes >= 100.0],
                    recording=recording, labels=labels,
                )
            )  # fmt: skip
    found = fit_hierarchical(groups, factors=("epoch", "method"), draws=1000, warmup=800)
    assert not [note for note in found.notes if "R-hat" in note]
    contrast = factor_contrast(found, "method", "machine", "manual")
    assert contrast.verdict == CHANGED
    assert contrast.low < 0.5 < contrast.high
    terms = {term for term, _ in found.between_sd}
    assert terms == {"epoch", "method", BETWEEN_GROUPS}
    of_alpha = {t: found.between_sd_estimates[t, "ln alpha"].median for t in terms}
    assert of_alpha["method"] > 2.0 * of_alpha["epoch"]
    assert found.theta("2016 manual").shape == (4000, 3)
    assert found.estimates["2016 manual", "rollover_m2"].unit == "m2"


GOOD = areas(50, 1.4)
CUT = Recording(lower_m2=100.0)


@pytest.mark.parametrize(
    ("groups", "changes", "message"),
    [
        ([("a", GOOD)], {}, "expected two or more"),
        ([("a", GOOD), ("a", GOOD)], {}, "each once"),
        ([("a", GOOD), ("b", [1.0, 2.0])], {}, "group b: areas_m2"),
        ([("a", GOOD), ("b", GOOD)], {"factors": ("epoch",)}, "no label for a, b"),
        ([("a", GOOD), ("b", GOOD)], {"law": "dp"}, "group a: law: found dp with no upper"),
        ([("a", GOOD), ("b", GOOD)], {"draws": 1}, "draws: found 1"),
    ],
)
def test_bad_groups_are_refused_by_name(
    groups: list[tuple[str, Any]], changes: dict[str, Any], message: str
) -> None:
    records = [SizeGroup(name=n, areas_m2=a, recording=CUT) for n, a in groups]
    with pytest.raises(ValueError, match=message):
        fit_hierarchical(records, **changes)
