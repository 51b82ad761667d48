"""A Flax NNX module as a pure function of plain dictionaries of arrays.

Parameters and running statistics are flat dictionaries, ``{"stem/conv/kernel": array}``: freezing
by name, optimisers, ensembles and checkpoints then need no knowledge of the module. Everything
random comes in by a key, so a module holds no random state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

Arrays = dict[str, Array]
Path = tuple[str | int, ...]


class Variables(NamedTuple):
    """What a network has learned.

    Attributes:
        params: trainable arrays by name.
        stats: running statistics (batch norm) by name.
    """

    params: Arrays
    stats: Arrays


@dataclass(frozen=True)
class Functional:
    """A module without its arrays; calling it is pure.

    Attributes:
        training: graph with the behaviour of training, frozen parts excepted.
        inference: graph with running statistics and without dropout.
        paths: place of every name in the module.
    """

    training: Any
    inference: Any
    paths: Mapping[str, Path]

    def __call__(
        self,
        variables: Variables,
        batch: Mapping[str, Array],
        *,
        key: PRNGKeyArray | None = None,
        train: bool = False,
    ) -> tuple[dict[str, Array], Arrays]:
        """Outputs by name, and the running statistics after this batch.

        Args:
            variables: arrays, as `variables_of` gives them.
            batch: inputs by name.
            key: source of dropout; needed where `train`.
            train: behaviour of training.
        """
        graph = self.training if train else self.inference
        # A copy, because statistics are mutated: under grad or vmap the caller's arrays belong to
        # another level of tracing.
        module = nnx.merge(
            graph,
            _nested(variables.params, self.paths),
            _nested(variables.stats, self.paths),
            copy=True,
        )
        rngs = None if key is None else nnx.Rngs(dropout=key)
        outputs = module(batch, rngs=rngs)
        return dict(outputs), _flat(nnx.state(module, nnx.BatchStat))[0]


def variables_of(module: nnx.Module) -> Variables:
    """The arrays of a module, by name.

    Example:
        >>> layer = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
        >>> {name: value.shape for name, value in variables_of(layer).params.items()}
        {'bias': (3,), 'kernel': (2, 3)}
    """
    return Variables(
        _flat(nnx.state(module, nnx.Param))[0], _flat(nnx.state(module, nnx.BatchStat))[0]
    )


def functional(module: nnx.Module, *, frozen: Sequence[str] = ()) -> Functional:
    """Take a module's graph, once as it trains and once as it predicts.

    Args:
        module: its own arrays are left as they are; its mode is inference afterwards.
        frozen: names of parts (``"susceptibility"``, ``"stem/conv"``) that keep the behaviour of
            inference while the rest trains. Without that, frozen batch norms would go on moving
            their running statistics although no parameter changes.

    Raises:
        ValueError: a frozen name that is no part of the module.
    """
    paths = _flat(nnx.state(module, nnx.Param))[1] | _flat(nnx.state(module, nnx.BatchStat))[1]
    check_parts(tuple(paths), frozen)
    module.train()
    for path, part in nnx.iter_modules(module):
        if any(_inside(_name(path), name) for name in frozen):
            part.eval()
    training = _graph(module)
    module.eval()
    return Functional(training, _graph(module), paths)


def check_parts(names: Sequence[str], parts: Sequence[str]) -> None:
    """Refuse names of parts that hold no array.

    Raises:
        ValueError: such a part, with the parts there are.

    Example:
        >>> check_parts(("head/kernel",), ("head",))
    """
    for part in parts:
        if not any(_inside(name, part) for name in names):
            there = sorted({name.split("/")[0] for name in names})
            raise ValueError(f"no part {part!r} in the network; it has {', '.join(there)}")


def in_parts(name: str, parts: Sequence[str]) -> bool:
    """True where an array belongs to one of the parts.

    Example:
        >>> in_parts("head/kernel", ("head",)), in_parts("heads/kernel", ("head",))
        (True, False)
    """
    return any(_inside(name, part) for part in parts)


def count_parameters(build: Callable[[nnx.Rngs], nnx.Module]) -> int:
    """Trainable numbers of a network, without allocating any of them.

    Example:
        >>> count_parameters(lambda rngs: nnx.Linear(2, 3, rngs=rngs))
        9
    """
    shapes = nnx.eval_shape(lambda: build(nnx.Rngs(0)))
    leaves = jax.tree.leaves(nnx.state(shapes, nnx.Param))
    return sum(_size(leaf.shape) for leaf in leaves)


def cast_free(variables: Variables) -> bool:
    """True where every array is float32, as parameters and statistics must be."""
    return all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def _graph(module: nnx.Module) -> Any:
    return nnx.split(module, nnx.Param, nnx.BatchStat)[0]


def _inside(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}/")


def _name(path: Sequence[str | int]) -> str:
    return "/".join(str(step) for step in path)


def _flat(state: Any) -> tuple[Arrays, dict[str, Path]]:
    arrays: Arrays = {}
    paths: dict[str, Path] = {}

    def walk(node: Any, path: Path) -> None:
        if isinstance(node, dict):
            for step in sorted(node, key=str):
                walk(node[step], (*path, step))
        else:
            arrays[_name(path)] = node
            paths[_name(path)] = path

    walk(nnx.to_pure_dict(state), ())
    return arrays, paths


def _nested(arrays: Mapping[str, Array], paths: Mapping[str, Path]) -> dict[Any, Any]:
    nested: dict[Any, Any] = {}
    for name, value in arrays.items():
        node = nested
        *above, last = paths[name]
        for step in above:
            node = node.setdefault(step, {})
        node[last] = value
    return nested
