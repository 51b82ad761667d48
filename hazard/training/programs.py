"""The compiled programs of one stage: steps, validation, and the choice of the best variables."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from hazard.training.curriculum import Stage, change_batch
from hazard.training.data import WEIGHT, Gather, take_batch
from hazard.training.ensemble import MemberMode, over_members
from hazard.training.functional import Functional, Variables, functional
from hazard.training.objective import Term, make_objective
from hazard.training.optimiser import make_optimiser
from hazard.training.sharding import DataParallel
from hazard.training.step import StepInfo, TrainState, initial_state, make_step

BatchHook = Callable[[dict[str, Array], Array], dict[str, Array]]


@dataclass(frozen=True)
class StagePrograms:
    """Programs of one stage; every array has a leading axis `member`.

    Attributes:
        apply: the network with the stage's frozen parts.
        start: variables -> state before the first step.
        steps: (state, arrays, indices, counted, keys) -> (state, infos); indices are
            (step, member, sample), infos have the leading axes (step, member). The state handed
            in is consumed.
        active: (arrays, indices) -> (sample,) True where anything counts in this stage.
        score: (variables, arrays, indices, counted) -> terms of a validation batch.
        choose: (better, new, old) -> new variables where a member is better.
    """

    apply: Functional
    start: Callable[[Variables], TrainState]
    steps: Callable[..., tuple[TrainState, StepInfo]]
    active: Callable[..., Array]
    score: Callable[..., Any]
    choose: Callable[..., Variables]


def default_steps_per_call(platform: str | None = None) -> int:
    """Steps scanned in one program: 1 on a CPU.

    Example:
        >>> default_steps_per_call("cpu"), default_steps_per_call("gpu")
        (1, 32)
    """
    return 1 if (platform or jax.default_backend()) == "cpu" else 32


def compile_stage(
    template: nnx.Module,
    stage: Stage,
    *,
    gather: Gather,
    validation_gather: Gather | None,
    members: int,
    mode: MemberMode = "auto",
    table: Mapping[str, Term] | None = None,
    parallel: DataParallel | None = None,
    augment: BatchHook | None = None,
) -> StagePrograms:
    """Build the programs of a stage; compilation itself happens at the first call.

    Args:
        template: module whose graph is trained; its arrays are not used.
        stage: what is trained, and how.
        gather: how training batches are gathered.
        validation_gather: how validation batches are; None without validation.
        members: number of members.
        mode: how members are computed.
        table: loss terms by name.
        parallel: devices that share each batch.
        augment: changes a training batch by a random key, on the device.
    """
    apply = functional(template, frozen=stage.frozen)
    objective = make_objective(stage.terms, table)
    optimiser = make_optimiser(stage.optimiser)
    member_step = make_step(
        apply,
        objective,
        optimiser,
        frozen=stage.frozen,
        change_batch=lambda batch: change_batch(stage, batch),
    )

    def one_step(
        state: TrainState, arrays: Any, indices: Array, counted: Array, key: Array
    ) -> tuple[TrainState, StepInfo]:
        batch = take_batch(gather, arrays, indices, counted)
        if parallel is not None:
            batch = parallel.split(batch)
        if augment is not None:
            # Another stream than dropout's, which folds the step into the key itself.
            random = jax.random.fold_in(jax.random.fold_in(key, state.step), 1)
            batch = augment(batch, random)
        return member_step(state, batch, key)

    all_members = over_members(one_step, members, mode=mode, shared=(1,))

    def steps(
        state: TrainState, arrays: Any, indices: Array, counted: Array, keys: Array
    ) -> tuple[TrainState, StepInfo]:
        if indices.shape[0] == 1:
            # No scan around a single step: on a CPU it costs a factor of 25 with convolutions.
            after, info = all_members(state, arrays, indices[0], counted[0], keys)
            return after, jax.tree.map(lambda leaf: leaf[None], info)

        def scanned(carry: TrainState, batch: Any) -> tuple[TrainState, StepInfo]:
            return all_members(carry, arrays, *batch, keys)

        return jax.lax.scan(scanned, state, (indices, counted))

    def one_score(variables: Variables, arrays: Any, indices: Array, counted: Array) -> Any:
        assert validation_gather is not None
        batch = take_batch(validation_gather, arrays, indices, counted)
        if parallel is not None:
            batch = parallel.split(batch)
        changed = change_batch(stage, batch)
        outputs, _ = apply(variables, changed, train=False)
        return objective(outputs, changed).terms

    def active(arrays: Any, indices: Array) -> Array:
        everywhere = jnp.ones(indices.shape, jnp.float32)
        weight = change_batch(stage, take_batch(gather, arrays, indices, everywhere))[WEIGHT]
        return (weight.reshape(weight.shape[0], -1) > 0).any(axis=1)

    return StagePrograms(
        apply=apply,
        start=jax.jit(
            over_members(
                lambda variables: initial_state(variables, optimiser, stage.frozen),
                members,
                mode=mode,
            )
        ),
        steps=jax.jit(steps, donate_argnums=0),
        active=jax.jit(active),
        score=jax.jit(over_members(one_score, members, mode=mode, shared=(1, 2, 3))),
        choose=jax.jit(choose_members),
    )


class ProgramCache:
    """Programs of earlier trainings, so that folds and seeds of one design compile once.

    Programs are shared where network, stage, members and the functions involved are equal;
    arrays of equal shapes are then all that is needed for a compilation to be used again.
    """

    def __init__(self) -> None:
        self._programs: dict[Any, StagePrograms] = {}

    def __len__(self) -> int:
        return len(self._programs)

    def stage(
        self, template: nnx.Module, stage: Stage, *, table: Mapping[str, Term], **options: Any
    ) -> StagePrograms:
        """`compile_stage`, or what it returned for equal arguments."""
        graph = functional(template, frozen=stage.frozen)
        key = (
            graph.training,
            graph.inference,
            json.dumps(dataclasses.asdict(stage), sort_keys=True),
            tuple(table[term.term] for term in stage.terms if term.term in table),
            tuple(sorted(options.items(), key=lambda item: item[0])),
        )
        if key not in self._programs:
            self._programs[key] = compile_stage(template, stage, table=table, **options)
        return self._programs[key]


def choose_members(better: Array, new: Variables, old: Variables) -> Variables:
    """`new` for the members that are better, `old` for the others.

    Example:
        >>> one = Variables({"a": jnp.ones((2, 1))}, {})
        >>> zero = Variables({"a": jnp.zeros((2, 1))}, {})
        >>> choose_members(jnp.array([True, False]), one, zero).params["a"].tolist()
        [[1.0], [0.0]]
    """

    def choose(a: Array, b: Array) -> Array:
        mask = jax.lax.broadcast_in_dim(better, a.shape, (0,))
        return jnp.where(mask, a, b)

    return jax.tree.map(choose, new, old)


def stage_keys(seeds: Sequence[int], stage: int) -> Array:
    """(member,) keys of a stage: a function of seeds and stage, so nothing need be stored."""
    keys = [jax.random.fold_in(jax.random.key(seed), stage) for seed in seeds]
    return jnp.stack(keys)
