"""No-U-Turn sampling of a compiled log density, in as many threads as there are cores.

The transition and its adaptation are numpyro's; here they are wrapped so that data are arguments
of the compilation. Chains of one data set, or one chain for each of many data sets, run on a
single compilation, and a later fit of the same shape compiles nothing. An execution on the CPU
releases Python's lock, so threads run truly side by side: no host devices need be set before JAX
starts, and the draws do not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from stats.case_arrays import BoolArray, FloatArray
from stats.precision import in_float64

LogDensity = Callable[[jax.Array, Any], jax.Array]


class Chains(NamedTuple):
    """Draws of several chains (or of one chain for each of several data sets).

    Attributes:
        z: (chain, draw, d) positions.
        diverging: (chain, draw) energy error above 1,000: the integrator lost the density.
        steps: (chain, draw) gradients per transition.
        accept: (chain, draw) mean acceptance probability of a transition.
    """

    z: FloatArray
    diverging: BoolArray
    steps: np.ndarray[Any, np.dtype[np.int64]]
    accept: FloatArray


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one_chain(
    log_density: LogDensity,
    settings: tuple[int, int, int, bool, float],
    start: jax.Array,
    key: jax.Array,
    data: Any,
) -> tuple[Any, ...]:
    # Late: whatever imports the fits must start without numpyro, and faster.
    from numpyro.infer.hmc import hmc

    warmup, draws, thin, dense, target = settings

    def potential(*arguments: Any) -> Callable[[jax.Array], jax.Array]:
        return lambda z: -log_density(z, arguments[0])

    init, step = hmc(potential_fn_gen=potential, algo="NUTS")
    state = init(
        start,
        warmup,
        dense_mass=dense,
        target_accept_prob=target,
        model_args=(data,),
        rng_key=key,
    )

    def advance(_: Any, current: Any) -> Any:
        return step(current, (data,), {})

    def draw(current: Any, _: Any) -> tuple[Any, Any]:
        current = jax.lax.fori_loop(0, thin, advance, current)
        return current, (current.z, current.diverging, current.num_steps, current.accept_prob)

    state = jax.lax.fori_loop(0, warmup, advance, state)
    return jax.lax.scan(draw, state, None, length=draws)[1]


def _block(
    log_density: LogDensity, settings: tuple[int, int, int, bool, float], shared: bool
) -> Callable[..., Any]:
    """(starts, keys, data) -> draws, chain after chain."""

    def run(starts: jax.Array, keys: jax.Array, data: Any) -> Any:
        if shared:
            return jax.lax.map(
                lambda c: _one_chain(log_density, settings, c[0], c[1], data), (starts, keys)
            )
        return jax.lax.map(
            lambda c: _one_chain(log_density, settings, c[0], c[1], c[2]), (starts, keys, data)
        )

    return run


# Compiled once, before the threads start; kept by function and shapes, the oldest dropped.
_COMPILED: OrderedDict[Any, Any] = OrderedDict()
_KEPT = 32


def _compiled(
    log_density: LogDensity,
    settings: tuple[int, int, int, bool, float],
    shared: bool,
    arguments: tuple[Any, ...],
) -> Any:
    leaves, structure = jax.tree.flatten(arguments)
    shapes = tuple((np.shape(leaf), str(np.asarray(leaf).dtype)) for leaf in leaves[2:])
    name = (log_density, settings, shared, structure, np.shape(leaves[0]), shapes)
    if name not in _COMPILED:
        block = jax.jit(_block(log_density, settings, shared))
        _COMPILED[name] = block.lower(*arguments).compile()
        while len(_COMPILED) > _KEPT:
            _COMPILED.popitem(last=False)
    _COMPILED.move_to_end(name)
    return _COMPILED[name]


@in_float64
def run_chains(
    log_density: LogDensity,
    starts: FloatArray,
    data: Any,
    *,
    seed: int,
    warmup: int = 500,
    draws: int = 1000,
    thin: int = 1,
    dense: bool = True,
    target_accept: float = 0.8,
    shared: bool = True,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Chains:
    """Sample `log_density` from each start.

    Args:
        log_density: (z (d,), data) -> log density up to a constant, traceable. Pass the same
            function object again to use its compilation again.
        starts: (chain, d) first positions.
        data: pytree of arrays, shared by all chains, or with a leading chain axis.
        seed: of the draws.
        warmup: adaptation transitions, dropped.
        draws: kept transitions of each chain.
        thin: transitions per kept draw.
        dense: adapt a full mass matrix instead of a diagonal one.
        target_accept: acceptance probability that the step size is adapted to.
        shared: `data` have no chain axis.
        threads: chains at a time; None for the available cores.
        progress: called with the number of chains that ended.

    Returns:
        The draws, in the order of `starts`.

    Example:
        >>> normal = lambda z, scale: -0.5 * ((z / scale) ** 2).sum()
        >>> chains = run_chains(normal, np.zeros((2, 1)), 3.0, seed=1, warmup=200, draws=2000)
        >>> bool(abs(chains.z.std() / 3.0 - 1.0) < 0.1), int(chains.diverging.sum())
        (True, 0)
    """
    positions = np.asarray(starts, dtype=np.float64)
    n = positions.shape[0]
    workers = max(1, min(threads or available_cores(), n))
    size = -(-n // workers)
    keys = jax.random.split(jax.random.key(seed), n)
    # Blocks of one size share a compilation: the last one is filled up with repeats.
    blocks = [np.minimum(np.arange(i, i + size), n - 1) for i in range(0, n, size)]

    def part(rows: Any) -> tuple[Any, ...]:
        own = data if shared else jax.tree.map(lambda leaf: np.asarray(leaf)[rows], data)
        return positions[rows], keys[rows], own

    settings = (warmup, draws, thin, dense, target_accept)
    compiled = _compiled(log_density, settings, shared, part(blocks[0]))

    def run(arguments: Any) -> Any:
        # A thread does not inherit the mode of the one that started it.
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, compiled(*arguments))

    results = []
    with ThreadPoolExecutor(workers) as pool:
        for rows, ended in zip(blocks, pool.map(run, map(part, blocks)), strict=True):
            results.append(ended)
            if progress is not None:
                progress(np.unique(rows).size)
    leaves = [np.concatenate(parts)[:n] for parts in zip(*results, strict=True)]
    return Chains(*leaves)
