"""The loop: it learns, stops, restores, reports, refuses what is not finite, and compiles once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hazard.errors import UserError
from hazard.training.checkpoint import CheckpointFolder
from hazard.training.data import device_source, epoch_order, take_batch
from hazard.training.evaluation import predict
from hazard.training.functional import functional
from hazard.training.loop import train
from hazard.training.objective import LossTerm
from hazard.training.optimiser import OptimiserConfig
from hazard.training.programs import ProgramCache
from hazard.training.published import published_curriculum
from hazard.training.records import NonFiniteLossError, TrainingSettings
from tests.hazard.training.small_network import (
    SmallNetwork,
    log_loss_stage,
    planted,
    planted_source,
)

SOURCE, OTHER = planted_source(40), planted_source(24, seed=1)


def small(rngs):
    return SmallNetwork(rngs, dropout=0.0)


def test_training_approaches_the_planted_log_loss():
    data = planted(600)
    truth = 2.0 * data["x"][..., 0] - 1.0
    best = np.mean(np.logaddexp(0, truth) - data["presence"] * truth)
    start = np.mean(data["presence"])
    constant = -(start * np.log(start) + (1 - start) * np.log(1 - start))
    stage = log_loss_stage(epochs=12, batch_size=32)
    result = train(small, [stage], device_source(data), planted_source(600, seed=9))
    final = result.history[-1].validation[0]
    assert final < best + 0.15 * (constant - best)
    assert [entry.epoch for entry in result.history] == list(range(12))


def test_scanned_steps_are_the_steps_of_the_loop():
    """Nine samples in batches of two: five steps, in calls of one, or of two, two and one."""
    source = planted_source(9)
    stage = log_loss_stage(batch_size=2, epochs=2)
    runs = [
        train(small, [stage], source, settings=TrainingSettings(steps_per_call=n)) for n in (1, 2)
    ]
    for name, value in runs[0].variables.params.items():
        np.testing.assert_allclose(value, runs[1].variables.params[name], atol=1e-6)
    np.testing.assert_allclose(runs[0].history[1].loss, runs[1].history[1].loss, rtol=1e-5)


def test_stopping_restores_the_best_epoch():
    stage = log_loss_stage(
        epochs=30, patience=2, optimiser=OptimiserConfig(learning_rate=0.5, clip_norm=None)
    )
    result = train(small, [stage], SOURCE, OTHER)
    values = [entry.validation[0] for entry in result.history]
    assert len(values) < 30
    best = result.best_epochs[0][0]
    assert best == int(np.argmin(values)) == len(values) - 3
    apply = functional(small(nnx.Rngs(0)))
    parts = predict(apply, result.variables, OTHER, batch_size=24, outputs=["logit"])
    logit = np.concatenate([outputs["logit"][0] for _, outputs in parts]).astype(np.float64)
    presence = planted(24, seed=1)["presence"]
    found = np.mean(np.logaddexp(0.0, logit) - presence * logit)
    assert found == pytest.approx(values[best], abs=1e-5)
    assert abs(found - values[-1]) > 1e-3, "the last epoch would have passed too"


def test_a_member_stops_as_if_it_were_alone():
    stage = log_loss_stage(
        epochs=20, patience=1, optimiser=OptimiserConfig(learning_rate=0.3, clip_norm=None)
    )
    both = train(small, [stage], SOURCE, OTHER, settings=TrainingSettings(members=2))
    alone = train(small, [stage], SOURCE, OTHER, settings=TrainingSettings(members=1))
    assert both.best_epochs[0][0] == alone.best_epochs[0][0]
    for name, value in alone.variables.params.items():
        np.testing.assert_allclose(value[0], both.variables.params[name][0], atol=1e-4)


def test_stopping_without_validation_is_refused():
    with pytest.raises(ValueError, match="'presence' stops early; give a validation source"):
        train(small, [log_loss_stage(patience=2)], SOURCE)


def test_a_plateau_lowers_the_rate():
    stage = log_loss_stage(
        epochs=4, plateau_patience=1, plateau_factor=1e-6, plateau_floor=0.0, least_gain=100.0,
        optimiser=OptimiserConfig(learning_rate=1.0, clip_norm=None), restore_best=False,
    )  # fmt: skip
    values = [e.validation[0] for e in train(small, [stage], SOURCE, OTHER).history]
    flat = log_loss_stage(
        epochs=4, optimiser=OptimiserConfig(learning_rate=1.0, clip_norm=None), restore_best=False
    )
    free = [e.validation[0] for e in train(small, [flat], SOURCE, OTHER).history]
    assert values != free


@pytest.mark.parametrize("steps_per_call", [1, 3])
def test_a_loss_that_is_not_finite_names_stage_step_and_batch(steps_per_call, tmp_path):
    data = planted(20)
    data["x"][13, 0, 0, 0] = np.nan
    settings = TrainingSettings(steps_per_call=steps_per_call, save_every_steps=1)
    with (
        CheckpointFolder(tmp_path) as checkpoints,
        pytest.raises(NonFiniteLossError, match="stage 'presence', epoch 0, step") as caught,
    ):
        train(
            small, [log_loss_stage(batch_size=4)], device_source(data),
            settings=settings, checkpoints=checkpoints,
        )  # fmt: skip
    assert 13 in caught.value.samples
    assert len(caught.value.samples) == 4
    with CheckpointFolder(tmp_path) as checkpoints:
        newest = checkpoints.newest
        saved = 0 if newest is None else checkpoints.record()["batch"]
    assert saved <= caught.value.step


def test_a_validation_loss_that_is_not_finite_is_named_too():
    data = planted(20)
    data["x"][3] = np.inf
    with pytest.raises(NonFiniteLossError, match="epoch 0, validation"):
        train(small, [log_loss_stage()], SOURCE, device_source(data))


def test_folds_of_equal_shapes_compile_once():
    cache = ProgramCache()
    arrays = planted(40)
    losses = []
    for fold in range(2):
        weight = np.zeros_like(arrays["weight"])
        weight[fold::2] = 1.0
        source = device_source({**arrays, "weight": weight})
        losses.append(train(small, [log_loss_stage()], source, source, cache=cache).history[-1])
    assert len(cache) == 1
    (programs,) = cache._programs.values()
    assert programs.steps._cache_size() == 1
    assert programs.score._cache_size() == 1
    assert losses[0].loss != losses[1].loss


def test_samples_without_weight_are_never_visited():
    arrays = planted(40)
    arrays["weight"][10:] = 0.0
    arrays["x"][10:] = np.nan
    part = {name: value[:10] for name, value in arrays.items()}
    results = [train(small, [log_loss_stage()], device_source(d)) for d in (arrays, part)]
    for name, value in results[0].variables.params.items():
        np.testing.assert_allclose(value, results[1].variables.params[name], atol=1e-6)


def test_nothing_to_count_is_refused():
    arrays = planted(8)
    arrays["density"][:] = 0.0
    stage = log_loss_stage(subset="positive", terms=(LossTerm(term="mae"),))
    with pytest.raises(ValueError, match="no sample has anything that counts"):
        train(small, [stage], device_source(arrays))


def test_frozen_parts_survive_a_whole_stage_bit_identically():
    first = train(small, [log_loss_stage()], SOURCE)
    stage = log_loss_stage(name="tune", frozen=("body",))
    second = train(small, [stage], SOURCE, OTHER, initial=first.variables)
    for part in ("params", "stats"):
        before, after = getattr(first.variables, part), getattr(second.variables, part)
        for name, value in before.items():
            same = np.asarray(value).tobytes() == np.asarray(after[name]).tobytes()
            assert same == (name.startswith("body/")) or name.startswith("amount/"), name


def test_the_published_stages_run_on_any_pair_of_parts():
    """The curriculum is data: stages are run by name of part, whatever the network."""
    stages = published_curriculum(
        batch_size=16, susceptibility_epochs=1, log_epochs=1, positive_epochs=1, all_epochs=1,
        joint_epochs=1,
    )  # fmt: skip
    renamed = {"susceptibility": "presence", "density": "amount"}
    names = []
    variables = None
    for stage in stages[:4]:
        own = log_loss_stage(
            name=stage.name, terms=stage.terms, epochs=1, subset=stage.subset,
            target_transform=stage.target_transform, batch_size=stage.batch_size,
            frozen=tuple(renamed[part] for part in stage.frozen),
        )  # fmt: skip
        result = train(small, [own], SOURCE, OTHER, initial=variables)
        variables = result.variables
        names.append(result.history[0].name)
    assert names == ["susceptibility", "density_log", "density_positive", "density_all"]


def test_progress_tells_where_training_stands():
    seen = []
    train(
        small, [log_loss_stage(epochs=2), log_loss_stage(name="more", epochs=1)], SOURCE, OTHER,
        settings=TrainingSettings(members=2, look_every=2), progress=seen.append,
    )  # fmt: skip
    last = seen[-1]
    assert (last.stage, last.stages, last.name) == (1, 2, "more")
    assert (last.epoch, last.step, last.steps) == (0, 5, 5)
    assert seen[0].metric is None
    assert last.metric is not None
    assert last.seconds_left == 0.0
    assert seen[0].seconds_left > 0
    assert all(p.samples_per_s > 0 and np.isfinite(p.loss) for p in seen)
    # Every sample has four elements that count; the last of five batches is full here.
    assert last.cells_per_s == pytest.approx(4 * last.samples_per_s, rel=1e-4)


def test_an_augmentation_sees_every_batch_with_another_key():
    def jitter(batch, key):
        return {**batch, "x": batch["x"] + jax.random.normal(key, batch["x"].shape)}

    plain = train(small, [log_loss_stage()], SOURCE)
    noisy = train(small, [log_loss_stage()], SOURCE, augment=jitter)
    assert plain.history[-1].loss != noisy.history[-1].loss


def test_orders_hold_every_sample_once_and_change_with_the_epoch():
    samples = np.array([4, 8, 15, 16, 23, 42])
    orders = [epoch_order(samples, 4, seed=(1, epoch)) for epoch in range(2)]
    for order in orders:
        used = order.indices[order.counted > 0]
        assert sorted(used.tolist()) == samples.tolist()
        assert set(order.indices.reshape(-1)) <= set(samples)
    assert not np.array_equal(orders[0].indices, orders[1].indices)
    np.testing.assert_array_equal(orders[0].indices, epoch_order(samples, 4, seed=(1, 0)).indices)


def test_places_that_fill_a_batch_have_no_weight_of_any_output():
    arrays = {
        "weight": jnp.ones((3, 2)),
        "weight_coarse": jnp.ones((3, 1)),
        "weights_of_rocks": jnp.ones((3, 1)),
    }
    source = device_source(arrays)
    order = epoch_order(np.arange(3), 2, seed=None)
    batch = take_batch(source.gather, source.arrays, order.indices[1], order.counted[1])
    assert batch["weight"].tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert batch["weight_coarse"].tolist() == [[1.0], [0.0]]
    assert batch["weights_of_rocks"].tolist() == [[1.0], [1.0]]


def test_a_monitor_must_be_computed():
    with pytest.raises(ValueError, match="monitors 'mae'; use loss or one of log_loss"):
        train(small, [log_loss_stage(monitor="mae")], SOURCE, OTHER)


def test_a_source_must_say_what_counts():
    with pytest.raises(ValueError, match="weight"):
        device_source({"x": jnp.zeros((3, 1))})
    with pytest.raises(ValueError, match="equal lengths"):
        device_source({"x": jnp.zeros((3, 1)), "weight": jnp.zeros((2, 1))})


def test_another_training_does_not_resume(tmp_path):
    with CheckpointFolder(tmp_path) as checkpoints:
        train(small, [log_loss_stage(epochs=1)], SOURCE, checkpoints=checkpoints)
        with pytest.raises(UserError, match=r"another training .different: curriculum"):
            train(small, [log_loss_stage(epochs=2)], SOURCE, checkpoints=checkpoints, resume=True)
        with pytest.raises(UserError, match="different: seed"):
            train(
                small, [log_loss_stage(epochs=1)], SOURCE, checkpoints=checkpoints, resume=True,
                settings=TrainingSettings(seed=1),
            )  # fmt: skip


def test_a_finished_training_resumes_to_itself(tmp_path):
    with CheckpointFolder(tmp_path) as checkpoints:
        done = train(small, [log_loss_stage()], SOURCE, OTHER, checkpoints=checkpoints)
        newest = checkpoints.newest
        again = train(
            small, [log_loss_stage()], SOURCE, OTHER, checkpoints=checkpoints, resume=True
        )
        assert checkpoints.newest == newest
    assert again.history == done.history
    assert again.best_epochs == done.best_epochs
    for name, value in done.variables.params.items():
        np.testing.assert_array_equal(value, again.variables.params[name])
