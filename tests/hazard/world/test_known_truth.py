"""The known probability: the closed form where that holds, planted calibration, and its errors."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hazard.errors import DataError
from hazard.world.known_truth import known_truth, read_known_truth, write_known_truth
from hazard.world.parameters import GORKHA_LIKE, SizeLaw
from hazard.world.replay import EpochPlayer, Streams, state_before
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation, simulate_observed
from hazard.world.truth import detected_share, presence_probability
from stats.calibration.linear import regression_line
from stats.scores.known_probability import entropy_of_counts, expected_log_terms
from tests.hazard.world.conftest import SMALL

EIGHT = (0.0,) * 8
# Landslides of 9 to 11 m, all in one cell, without room to dispute; a mapper who adds nothing.
TINY = SizeLaw(kind="double_pareto", values=(1.6, 1.7, 90.0), lower_m2=80.0, upper_m2=120.0)
PLAIN = dataclasses.replace(
    GORKHA_LIKE,
    sizes=(TINY,) * 8,
    size_correlation=EIGHT,
    mapper=dataclasses.replace(
        GORKHA_LIKE.mapper, look=EIGHT, partial=EIGHT, redraw_log_sd=EIGHT,
        recovery_per_year=0.0, recovery_log_sd=0.0,
    ),
)  # fmt: skip
PLAIN_CONFIG = WorldConfig(
    extent_cells=(16, 20), pixels_per_cell=4, seed=4, n_epochs=3, misregistration_m=0.0,
    minimum_mapping_area_m2=20.0, detection_half_area_m2=90.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> Simulation:
    return simulate_observed(PLAIN_CONFIG, parameters=PLAIN)


def test_new_mapped_sources_have_the_closed_forms_probability(plain: Simulation) -> None:
    # 0.6 of these landslides are found: a share that the closed form has to know.
    assert 0.3 < detected_share(PLAIN_CONFIG, TINY) < 0.8
    play = EpochPlayer(PLAIN_CONFIG, PLAIN, plain.ground, plain.drivers)
    rng, replays = np.random.default_rng(3), 300
    for epoch in (0, 2):
        state = state_before(PLAIN_CONFIG, PLAIN, plain, epoch)
        hits = np.zeros(plain.ground.mapped.shape)
        for _ in range(replays):
            played = play.play(state, epoch, plain.intensities[epoch], Streams.of(rng))
            hits += played.found_sources > 0
        closed = presence_probability(PLAIN_CONFIG, PLAIN, plain)[epoch]
        error = np.sqrt(closed * (1 - closed) / replays)
        z = (hits / replays - closed) / error
        assert abs((hits / replays - closed).sum()) < 4.0 * np.sqrt((error**2).sum())
        # Cells are independent binomials: the mean square of z is 1 within its own error.
        assert (z**2).mean() == pytest.approx(1.0, abs=5.0 * np.sqrt(2.0 / z.size))


def test_a_plain_mapper_adds_to_the_closed_form_only_what_spills_over(plain: Simulation) -> None:
    truth = known_truth(
        PLAIN_CONFIG, plain, epochs=[1], n_replays=300, knowledge="intensity", parameters=PLAIN
    )
    closed = presence_probability(PLAIN_CONFIG, PLAIN, plain)[1]
    mapped = truth.mapped
    excess = truth.probability[0][mapped].mean() / closed[mapped].mean()
    # A square of 10 m reaches over the border of a 1 km cell in 2 cases of 100.
    assert 0.99 < excess < 1.05
    line = regression_line(closed[mapped], truth.probability[0][mapped])
    assert line.slope == pytest.approx(1.0, abs=0.05)


def test_the_closed_form_is_not_what_the_mapper_shows(small: Simulation) -> None:
    truth = known_truth(SMALL, small, epochs=[4], n_replays=20)
    closed = presence_probability(SMALL, GORKHA_LIKE, small)[4]
    mapped = truth.mapped
    assert truth.probability[0][mapped].mean() > 1.5 * closed[mapped].mean()


@pytest.fixture(scope="module")
def state_truth(small: Simulation):
    return known_truth(SMALL, small, epochs=[6, 7], n_replays=100)


@pytest.mark.slow
@pytest.mark.nightly
def test_replays_of_another_seed_come_at_the_known_frequencies(
    small: Simulation, state_truth
) -> None:
    fresh = known_truth(SMALL, small, epochs=[6, 7], n_replays=100, seed=1)
    mapped, n = state_truth.mapped, state_truth.n_replays
    a, b = (t.events[:, mapped] / n for t in (state_truth, fresh))
    pooled = (a + b) / 2.0
    for low, high in ((0.02, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.98)):
        part = (pooled > low) & (pooled <= high)
        squares = (b - a)[part] ** 2 * n / (2.0 * pooled * (1.0 - pooled))[part]
        # Two binomials of one probability; neighbours share images, so the room is wide.
        assert squares.mean() == pytest.approx(1.0, abs=8.0 * np.sqrt(2.0 / part.sum())), low
    assert (fresh.probability[:, mapped].mean(axis=1)) == pytest.approx(
        state_truth.probability[:, mapped].mean(axis=1), rel=0.1
    )


@pytest.mark.slow
def test_the_oracle_beats_the_climatology_and_more_knowledge_is_better(
    small: Simulation, state_truth
) -> None:
    mapped = state_truth.mapped
    entropy = {}
    for knowledge in ("state", "intensity", "drivers"):
        truth = (
            state_truth
            if knowledge == "state"
            else known_truth(SMALL, small, epochs=[7], n_replays=20, knowledge=knowledge)
        )
        entropy[knowledge] = entropy_of_counts(truth.events[-1, mapped], truth.n_replays).mean()
    known = state_truth.probability[-1, mapped]
    climatology = expected_log_terms(np.full(known.size, known.mean()), known).mean()
    assert entropy["intensity"] < entropy["state"] < entropy["drivers"] < climatology


def test_same_seed_same_replays_and_more_of_them_begin_alike(small: Simulation) -> None:
    ten = known_truth(SMALL, small, epochs=[2], n_replays=10, batches=10)
    again = known_truth(SMALL, small, epochs=[2], n_replays=10, batches=10)
    twenty = known_truth(SMALL, small, epochs=[2], n_replays=20, batches=20)
    np.testing.assert_array_equal(ten.hits, again.hits)
    np.testing.assert_array_equal(ten.hits, twenty.hits[:10])
    other = known_truth(SMALL, small, epochs=[2], n_replays=10, seed=9)
    assert not np.array_equal(ten.hits, other.hits)
    assert np.isnan(ten.probability[:, ~ten.mapped]).all()


def test_mean_density_is_that_of_the_replays(small: Simulation) -> None:
    truth = known_truth(SMALL, small, epochs=[7], n_replays=50, batches=5)
    mean = np.nanmean(truth.density_percent)
    seen = np.nanmean(small.density_percent[7])
    # Sizes are heavy-tailed: the order of magnitude is what one epoch can tell.
    assert 0.3 < mean / seen < 3.0
    assert ((truth.density_percent > 0) == (truth.probability > 0)).all()


def test_known_truth_is_kept_in_a_file(small: Simulation, tmp_path: Path) -> None:
    two = [
        known_truth(SMALL, small, epochs=[1, 3], n_replays=4, batches=2, knowledge=knowledge)
        for knowledge in ("state", "intensity")
    ]
    write_known_truth(tmp_path / "known.nc", SMALL, two)
    found = read_known_truth(tmp_path / "known.nc", SMALL)
    assert set(found) == {"state", "intensity"}
    for truth in two:
        kept = found[truth.knowledge]
        assert (kept.epochs, kept.n_replays) == ((1, 3), 4)
        np.testing.assert_array_equal(kept.hits, truth.hits)
        np.testing.assert_allclose(kept.probability, truth.probability)
        np.testing.assert_allclose(kept.density_percent, truth.density_percent, rtol=1e-6)
    with pytest.raises(DataError, match="another world"):
        read_known_truth(tmp_path / "known.nc", SMALL.model_copy(update={"seed": 12}))


@pytest.mark.parametrize(
    ("epochs", "replays", "word"), [([8], 10, "epochs"), ([], 10, "epochs"), ([1], 15, "batches")]
)
def test_what_cannot_be_replayed_is_refused(
    small: Simulation, epochs: list[int], replays: int, word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        known_truth(SMALL, small, epochs=epochs, n_replays=replays)


@pytest.mark.nightly
@pytest.mark.slow
def test_worlds_come_out_as_often_as_their_oracle_says() -> None:
    slopes, excess = [], []
    for seed in range(1, 9):
        config = WorldConfig(extent_cells=(24, 24), pixels_per_cell=4, seed=seed)
        world = simulate_observed(config)
        truth = known_truth(config, world, epochs=[5, 6, 7], n_replays=100)
        p = truth.probability[:, truth.mapped].ravel()
        y = world.density_percent[5:, truth.mapped].ravel() > 0
        # Noise in the regressor shrinks the slope by the share of its variance.
        noise = (truth.standard_error[:, truth.mapped] ** 2).mean()
        slopes.append(regression_line(p, y.astype(float)).slope / (1.0 - noise / p.var()))
        excess.append(y.mean() - p.mean())
    for values, wanted in ((slopes, 1.0), (excess, 0.0)):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - wanted) < 4.0 * error
    assert np.std(slopes, ddof=1) < 0.2
