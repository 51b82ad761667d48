"""Values of a trained network over a whole source: pooled losses, and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from hazard.training.data import Source, epoch_order
from hazard.training.ensemble import MemberMode, count_members, over_members
from hazard.training.functional import Functional, Variables

# Batches in flight before the host waits; more would only hold memory.
IN_FLIGHT = 4


class PooledTerms:
    """Means of loss terms over batches: sums of value x weight over sums of weight, in float64.

    Exact for means over elements. For overlap losses, which are no means, it is the mean of the
    batches' values.
    """

    def __init__(self) -> None:
        self.sums: dict[str, np.ndarray] = {}
        self.weights: dict[str, np.ndarray] = {}

    def add(self, terms: Mapping[str, Any]) -> None:
        """Take in terms of one batch or of several; the last axis is `member`."""
        for name, (value, weight) in terms.items():
            v, w = np.asarray(value, np.float64), np.asarray(weight, np.float64)
            members = v.shape[-1]
            summed = (v * w).reshape(-1, members).sum(axis=0)
            self.sums[name] = self.sums.get(name, 0.0) + summed
            self.weights[name] = self.weights.get(name, 0.0) + w.reshape(-1, members).sum(axis=0)

    def means(self) -> dict[str, np.ndarray]:
        """(member,) pooled value of every term; 0 where nothing counted."""
        return {
            name: self.sums[name] / np.where(self.weights[name] > 0, self.weights[name], 1.0)
            for name in self.sums
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values; floats survive JSON exactly."""
        return {name: [self.sums[name].tolist(), self.weights[name].tolist()] for name in self.sums}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PooledTerms:
        """The sums behind `to_json`."""
        pooled = cls()
        for name, (sums, weights) in values.items():
            pooled.sums[name] = np.asarray(sums, np.float64)
            pooled.weights[name] = np.asarray(weights, np.float64)
        return pooled


def active_samples(
    active: Callable[..., Any], arrays: Mapping[str, Array], size: int, *, batch_size: int = 256
) -> np.ndarray:
    """Numbers of the samples in which anything counts in a stage; the others are never visited.

    Args:
        active: see `hazard.training.programs.StagePrograms`.
        arrays: arrays of the source.
        size: number of its samples.
        batch_size: samples looked at in one call.
    """
    order = epoch_order(np.arange(size), min(batch_size, size), seed=None)
    found = np.zeros(size, dtype=bool)
    for indices in order.indices:
        found[indices] = np.asarray(active(arrays, indices))
    return np.flatnonzero(found)


def pooled_score(
    score: Callable[..., Any],
    variables: Variables,
    arrays: Mapping[str, Array],
    samples: np.ndarray,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """(member,) pooled terms over samples, each counted once."""
    pooled = PooledTerms()
    order = epoch_order(samples, batch_size, seed=None)
    waiting: list[Any] = []
    for indices, counted in zip(order.indices, order.counted, strict=True):
        waiting.append(score(variables, arrays, indices, counted))
        if len(waiting) >= IN_FLIGHT:
            pooled.add(jax.device_get(waiting.pop(0)))
    for terms in jax.device_get(waiting):
        pooled.add(terms)
    return pooled.means()


def predict(
    apply: Functional,
    variables: Variables,
    source: Source,
    *,
    batch_size: int,
    outputs: Sequence[str] | None = None,
    samples: np.ndarray | None = None,
    mode: MemberMode = "auto",
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Outputs of all members, batch by batch, with running statistics and without dropout.

    Args:
        apply: the network.
        variables: its arrays, stacked over members.
        source: samples.
        batch_size: samples per program; one shape, so that it compiles once.
        outputs: names of outputs; all where None.
        samples: numbers of samples in the order wanted; all where None.
        mode: how members are computed.
        progress: called with the number of samples done.

    Yields:
        sample numbers (sample,) and outputs (member, sample, ...).
    """
    members = count_members(variables)

    gather = source.gather

    def one(variables: Variables, arrays: Any, indices: Array) -> dict[str, Array]:
        found, _ = apply(variables, gather(arrays, indices), train=False)
        return {name: found[name] for name in (outputs or found)}

    run = jax.jit(over_members(one, members, mode=mode, shared=(1, 2)))
    chosen = np.arange(source.size) if samples is None else np.asarray(samples)
    order = epoch_order(chosen, min(batch_size, chosen.size), seed=None)
    for indices, counted in zip(order.indices, order.counted, strict=True):
        used = int(counted.sum())
        found = jax.device_get(run(variables, source.arrays, indices))
        yield indices[:used], {name: value[:, :used] for name, value in found.items()}
        if progress is not None:
            progress(used)
