"""The loop: stages, epochs and steps; looks at losses, validates, saves, resumes.

All that decides is either in the checkpoint or a function of the seed: the order of samples of
(seed, member, stage, epoch) and the key of (seed, member, stage, step). So a run that is killed
and resumed takes the same steps as one that is not.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from hazard.training.checkpoint import CheckpointFolder
from hazard.training.curriculum import Stage
from hazard.training.data import Source, epoch_order
from hazard.training.ensemble import build_members, member_mode, member_seed
from hazard.training.evaluation import PooledTerms, active_samples, pooled_score
from hazard.training.functional import Variables, functional
from hazard.training.history import GRADIENT_NORM, epoch_record, monitored
from hazard.training.identity import check_identity, identity
from hazard.training.objective import TERMS, Term, combine
from hazard.training.pace import Pace
from hazard.training.programs import (
    BatchHook,
    ProgramCache,
    StagePrograms,
    default_steps_per_call,
    stage_keys,
)
from hazard.training.records import (
    EpochRecord,
    NonFiniteLossError,
    ProgressCallback,
    Trained,
    TrainingSettings,
)
from hazard.training.sharding import DataParallel
from hazard.training.step import StepInfo, TrainState
from hazard.training.stopping import Stopping


def train(
    build: Callable[[nnx.Rngs], nnx.Module],
    curriculum: Sequence[Stage],
    source: Source,
    validation: Source | None = None,
    *,
    settings: TrainingSettings | None = None,
    table: Mapping[str, Term] | None = None,
    initial: Variables | None = None,
    checkpoints: CheckpointFolder | None = None,
    resume: bool = False,
    record: Mapping[str, Any] | None = None,
    parallel: DataParallel | None = None,
    augment: BatchHook | None = None,
    cache: ProgramCache | None = None,
    progress: ProgressCallback | None = None,
) -> Trained:
    """Train members of one network through a curriculum.

    Args:
        build: network from random keys; called once per member.
        curriculum: stages, in order.
        source: training samples.
        validation: samples for early stopping; they must share nothing with `source`.
        settings: `TrainingSettings()` where None: members, seed, pace of looks and checkpoints.
        table: loss terms by name, `hazard.training.objective.TERMS` where None.
        initial: variables to start from, stacked over members, instead of fresh ones.
        checkpoints: where to save; nothing is saved where None.
        resume: go on from the newest checkpoint; from the start where there is none.
        record: plain JSON kept in every checkpoint (configuration, standardisation).
        parallel: devices that share each batch.
        augment: random change of training batches on the device.
        cache: programs of earlier trainings, for folds that differ in their weights alone.
        progress: called at every look at the losses.

    Returns:
        Variables stacked over members, and the history.

    Raises:
        NonFiniteLossError: the loss is NaN or infinite.
        UserError: the checkpoint is of another training.
        ValueError: a stage watches validation values and there is no validation source, or has no
            sample that counts.
    """
    return _Training(
        build, tuple(curriculum), source, validation, settings or TrainingSettings(), table,
        checkpoints, dict(record or {}), parallel, augment,
        ProgramCache() if cache is None else cache, progress,
    ).run(initial, resume)  # fmt: skip


class _Training:
    def __init__(
        self,
        build: Callable[[nnx.Rngs], nnx.Module],
        curriculum: tuple[Stage, ...],
        source: Source,
        validation: Source | None,
        settings: TrainingSettings,
        table: Mapping[str, Term] | None,
        checkpoints: CheckpointFolder | None,
        record: dict[str, Any],
        parallel: DataParallel | None,
        augment: BatchHook | None,
        cache: ProgramCache,
        progress: ProgressCallback | None,
    ) -> None:
        for stage in curriculum:
            if stage.watches and validation is None:
                raise ValueError(f"stage {stage.name!r} stops early; give a validation source")
            if parallel is not None:
                parallel.check_batch(stage.batch_size)
        self.curriculum, self.source, self.validation = curriculum, source, validation
        self.settings, self.checkpoints = settings, checkpoints
        self.table = TERMS if table is None else table
        self.parallel, self.progress = parallel, progress
        self.seeds = [member_seed(settings.seed, m) for m in range(settings.members)]
        self.template, self.fresh = build_members(
            build, members=settings.members, seed=settings.seed
        )
        self.arrays = self._place(dict(source.arrays))
        self.validation_arrays = {} if validation is None else self._place(dict(validation.arrays))
        self.programs = [self._compile(stage, cache, augment) for stage in curriculum]
        self.samples = self._active(source, self.arrays)
        self.validation_samples = (
            [] if validation is None else self._active(validation, self.validation_arrays)
        )
        self.record = {**record, "training": self._identity()}
        self.history: list[EpochRecord] = []
        self.best_epochs: list[list[int]] = []
        self.taken = 0
        self.saved_at, self.saved_steps = time.monotonic(), 0
        self.pace = Pace(curriculum, [s.size for s in self.samples], settings.members)

    # -- the course of a training -----------------------------------------------------------

    def run(self, initial: Variables | None, resume: bool) -> Trained:
        variables = self._place(self.fresh if initial is None else initial)
        found = None
        if resume and self.checkpoints is not None and self.checkpoints.newest is not None:
            found = check_identity(self.checkpoints, self.record)
            self.history = [EpochRecord.from_json(item) for item in found["history"]]
            self.best_epochs = found["best_epochs"]
            self.taken = self.saved_steps = int(found["taken"])
        first = 0 if found is None else int(found["stage"])
        if found is not None and first == len(self.curriculum):
            variables = self._restore({"variables": variables})["variables"]
        for index in range(first, len(self.curriculum)):
            variables = self._stage(index, variables, found if index == first else None)
        if found is None or first < len(self.curriculum):
            self._save(len(self.curriculum), {"variables": variables}, {}, force=True)
        return Trained(
            apply=functional(self.template),
            variables=variables,
            history=tuple(self.history),
            best_epochs=tuple(tuple(epochs) for epochs in self.best_epochs),
        )

    def _stage(self, index: int, variables: Variables, found: Any) -> Variables:
        stage = self.curriculum[index]
        programs = self.programs[index]
        # Steps consume the state they are given: what is kept must be a copy.
        state, best = programs.start(variables), jax.tree.map(jnp.copy, variables)
        stopping, pooled = Stopping.start(self.settings.members), PooledTerms()
        epoch, batch = 0, 0
        if found is not None:
            tree = self._restore({"state": state, "best": best})
            state, best = tree["state"], tree["best"]
            stopping = Stopping(**{k: tuple(v) for k, v in found["stopping"].items()})
            pooled = PooledTerms.from_json(found["pooled"])
            epoch, batch = int(found["epoch"]), int(found["batch"])
        watched = self.validation is not None
        while epoch < stage.epochs and not stopping.all_stopped:
            self.pace.begin(batch)
            state = self._epoch(index, epoch, batch, programs, state, best, stopping, pooled)
            values = self._validate(index, epoch, programs, state)
            entry = epoch_record(stage, index, epoch, pooled, values)
            self.history.append(entry)
            if watched:
                watched_values = monitored(stage, entry)
                went_on = jnp.asarray([not s for s in stopping.stopped])
                stopping, better = stopping.update(watched_values, epoch, stage)
                take = jnp.asarray(better) if stage.restore_best else went_on
                best = programs.choose(take, state.variables, best)
                scale = jnp.asarray(stopping.rate_scale, jnp.float32)
                state = state._replace(rate_scale=self._place(scale))
                self.pace.metric = float(np.mean(watched_values))
            epoch, batch, pooled = epoch + 1, 0, PooledTerms()
            host = self._host(epoch, 0, stopping, pooled)
            self._save(index, {"state": state, "best": best}, host)
        restored = watched and stage.epochs > 0
        keep = restored and stage.restore_best
        self.best_epochs.append(list(stopping.best_epoch) if keep else [-1] * self.settings.members)
        return best if restored else state.variables

    def _epoch(
        self,
        index: int,
        epoch: int,
        batch: int,
        programs: StagePrograms,
        state: TrainState,
        best: Variables,
        stopping: Stopping,
        pooled: PooledTerms,
    ) -> TrainState:
        indices, counted = self._orders(index, epoch)
        # One transfer per epoch; cutting a batch from it happens on the device.
        keys = self._place(stage_keys(self.seeds, index))
        per_call = self.settings.steps_per_call or default_steps_per_call()
        waiting: list[tuple[int, StepInfo]] = []
        steps = indices.shape[0]
        while batch < steps:
            part = slice(batch, min(batch + per_call, steps))
            state, info = programs.steps(state, self.arrays, indices[part], counted[part], keys)
            waiting.append((batch, info))
            self.taken += part.stop - batch
            batch = part.stop
            due = self._due() and batch < steps
            if len(waiting) >= self.settings.look_every or batch == steps or due:
                self._look(index, epoch, waiting, indices, pooled, batch, steps)
                waiting = []
            if due:
                host = self._host(epoch, batch, stopping, pooled)
                self._save(index, {"state": state, "best": best}, host)
        return state

    # -- looks ---------------------------------------------------------------------------------

    def _look(
        self,
        index: int,
        epoch: int,
        waiting: list[tuple[int, StepInfo]],
        indices: np.ndarray,
        pooled: PooledTerms,
        batch: int,
        steps: int,
    ) -> None:
        stage = self.curriculum[index]
        counted, losses = 0.0, []
        for (first, _), info in zip(
            waiting, jax.device_get([info for _, info in waiting]), strict=True
        ):
            bad = np.argwhere(~np.isfinite(info.loss))
            if bad.size:
                step, member = (int(n) for n in bad[0])
                raise NonFiniteLossError(
                    stage=stage.name,
                    epoch=epoch,
                    step=first + step,
                    member=member,
                    value=float(info.loss[step, member]),
                    samples=[int(s) for s in indices[first + step, member]],
                )
            pooled.add(info.terms)
            norm = np.asarray(info.grad_norm)
            pooled.add({GRADIENT_NORM: (norm, np.ones_like(norm))})
            losses.append(np.asarray(info.loss).reshape(-1))
            counted += float(np.sum(next(iter(info.terms.values())).weight))
        report = self.pace.look(
            index, epoch, batch, steps, float(np.mean(np.concatenate(losses))), counted
        )
        if self.progress is not None:
            self.progress(report)

    def _validate(
        self, index: int, epoch: int, programs: StagePrograms, state: TrainState
    ) -> dict[str, np.ndarray]:
        if self.validation is None:
            return {}
        stage = self.curriculum[index]
        size = self.settings.evaluation_batch or stage.batch_size
        values = pooled_score(
            programs.score,
            state.variables,
            self.validation_arrays,
            self.validation_samples[index],
            size,
        )
        for member, value in enumerate(combine(values, stage.terms)):
            if not np.isfinite(value):
                raise NonFiniteLossError(
                    stage=stage.name, epoch=epoch, step=-1, member=member, value=float(value),
                    samples=[],
                )  # fmt: skip
        return values

    # -- checkpoints -----------------------------------------------------------------------------

    def _due(self) -> bool:
        if self.checkpoints is None:
            return False
        every = self.settings.save_every_steps
        by_steps = every is not None and self.taken - self.saved_steps >= every
        return by_steps or time.monotonic() - self.saved_at >= self.settings.save_every_s

    def _host(
        self, epoch: int, batch: int, stopping: Stopping, pooled: PooledTerms
    ) -> dict[str, Any]:
        return {
            "epoch": epoch,
            "batch": batch,
            "stopping": dataclasses.asdict(stopping),
            "pooled": pooled.to_json(),
        }

    def _save(
        self, index: int, tree: Mapping[str, Any], host: dict[str, Any], *, force: bool = False
    ) -> None:
        if self.checkpoints is None or not (force or self._due()):
            return
        newest = self.checkpoints.newest
        self.checkpoints.save(
            0 if newest is None else newest + 1,
            tree,
            {
                **self.record,
                **host,
                "stage": index,
                "taken": self.taken,
                "best_epochs": self.best_epochs,
                "history": [vars(entry) for entry in self.history],
            },
        )
        self.saved_at, self.saved_steps = time.monotonic(), self.taken

    def _restore(self, template: Mapping[str, Any]) -> dict[str, Any]:
        assert self.checkpoints is not None
        return self._place(self.checkpoints.arrays(dict(template)))

    # -- data ------------------------------------------------------------------------------------

    def _orders(self, index: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        size = self.curriculum[index].batch_size
        orders = [
            epoch_order(self.samples[index], size, seed=(seed, index, epoch)) for seed in self.seeds
        ]
        return (
            np.stack([order.indices for order in orders], axis=1),
            np.stack([order.counted for order in orders], axis=1),
        )

    def _active(self, source: Source, arrays: Mapping[str, Any]) -> list[np.ndarray]:
        found = []
        for stage, programs in zip(self.curriculum, self.programs, strict=True):
            samples = active_samples(programs.active, arrays, source.size)
            if samples.size == 0:
                raise ValueError(f"stage {stage.name!r}: no sample has anything that counts")
            found.append(samples)
        return found

    def _compile(
        self, stage: Stage, cache: ProgramCache, augment: BatchHook | None
    ) -> StagePrograms:
        return cache.stage(
            self.template,
            stage,
            table=self.table,
            gather=self.source.gather,
            validation_gather=None if self.validation is None else self.validation.gather,
            members=self.settings.members,
            mode=member_mode(self.settings.member_mode),
            parallel=self.parallel,
            augment=augment,
        )

    def _identity(self) -> dict[str, Any]:
        return identity(
            self.curriculum, self.settings, self.fresh.params, self.arrays, self.samples
        )

    def _place(self, tree: Any) -> Any:
        return tree if self.parallel is None else self.parallel.replicate(tree)
