"""Freezing by named parts: refused where nothing would train, proven where it was done.

Freezing in JAX is easily done by half: an optimiser that leaves out a part does not stop its batch
norms from moving their running statistics. The loop of `hazard.training` keeps both; here both are
compared after the fact, array by array, bit by bit, and the result goes into the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.training.functional import Variables, check_parts, in_parts


@dataclass(frozen=True, kw_only=True)
class FreezeRecord:
    """What a training with frozen parts did to the arrays.

    Attributes:
        frozen: the parts.
        frozen_arrays: arrays in them: parameters and running statistics.
        frozen_statistics: how many of these are running statistics.
        frozen_changed: names of frozen arrays that differ in any bit; empty where all is well.
        trainable_parameters: numbers that could move.
        total_parameters: trainable numbers of the whole network.
        moved_arrays: arrays outside of the frozen parts that moved.
    """

    frozen: tuple[str, ...]
    frozen_arrays: int
    frozen_statistics: int
    frozen_changed: tuple[str, ...]
    trainable_parameters: int
    total_parameters: int
    moved_arrays: int


def check_frozen(names: Sequence[str], frozen: Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters that are left to train.

    Args:
        names: names of all parameters of the network.
        frozen: parts to be frozen.

    Raises:
        ValueError: a part that is not there, or nothing left to train. (A published loop over
            layers stopped at a name that no layer had, and froze the whole network.)

    Example:
        >>> check_frozen(["encoder/kernel", "head/kernel"], ["encoder"])
        ('head/kernel',)
        >>> check_frozen(["encoder/kernel", "head/kernel"], ["encoder", "head"])
        Traceback (most recent call last):
        ValueError: frozen encoder, head leaves nothing to train; leave at least one part out
    """
    check_parts(tuple(names), tuple(frozen))
    left = tuple(name for name in names if not in_parts(name, tuple(frozen)))
    if not left:
        raise ValueError(
            f"frozen {', '.join(frozen)} leaves nothing to train; leave at least one part out"
        )
    return left


def compare_frozen(before: Variables, after: Variables, frozen: Sequence[str]) -> FreezeRecord:
    """Which arrays changed between two states of a network.

    Args:
        before: the weights that a training started from.
        after: the weights it ended with.
        frozen: parts that should not have changed.

    Raises:
        ValueError: states of different networks, or frozen parts that `check_frozen` refuses.

    Example:
        >>> old = Variables({"a/w": np.zeros(2), "b/w": np.zeros(3)}, {"a/mean": np.zeros(1)})
        >>> new = Variables({"a/w": np.zeros(2), "b/w": np.ones(3)}, {"a/mean": np.ones(1)})
        >>> record = compare_frozen(old, new, ["a"])
        >>> record.frozen_changed, record.trainable_parameters, record.moved_arrays
        (('a/mean',), 3, 1)
    """
    left = set(check_frozen(tuple(before.params), frozen))
    parts = tuple(frozen)
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for one, other in ((before.params, after.params), (before.stats, after.stats)):
        if _shapes(one) != _shapes(other):
            raise ValueError("states of two different networks; compare those of one")
        pairs |= {name: (np.asarray(one[name]), np.asarray(other[name])) for name in one}
    changed = {name for name, (a, b) in pairs.items() if a.tobytes() != b.tobytes()}
    held = [name for name in pairs if in_parts(name, parts)]
    return FreezeRecord(
        frozen=parts,
        frozen_arrays=len(held),
        frozen_statistics=sum(name in before.stats for name in held),
        frozen_changed=tuple(sorted(changed.intersection(held))),
        trainable_parameters=sum(int(np.asarray(before.params[n]).size) for n in left),
        total_parameters=sum(int(np.asarray(v).size) for v in before.params.values()),
        moved_arrays=len(changed.difference(held)),
    )


def _shapes(arrays: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(np.asarray(value).shape) for name, value in arrays.items()}
