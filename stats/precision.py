"""float64 for `stats` without a global flag: one decorator at every public door.

JAX computes in float32 unless told otherwise, and a global switch would promote the networks of
the same process. Formulas therefore name no dtype; the public fit and score functions enter
`in_float64`, which casts in, computes, and returns NumPy arrays (a float64 JAX array that leaves
the context would silently become float32).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def _cast_in(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) and np.issubdtype(value.dtype, np.floating):
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, jax.Array) and np.issubdtype(value.dtype, np.floating):
        return np.asarray(value, dtype=np.float64)
    return value


def _cast_out(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, jax.Array) else value


def in_float64(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in double precision: float inputs become float64, JAX outputs NumPy.

    Worker threads do not inherit the mode, so a function handed to a thread must itself carry
    the decorator. Generators are refused: a suspended one would leak the mode.

    Raises:
        TypeError: `function` is a generator function.

    Example:
        >>> import jax.numpy as jnp
        >>> square = in_float64(lambda x: jnp.asarray(x) ** 2)
        >>> square(np.float32(3.0)).dtype, jnp.asarray(1.0).dtype
        (dtype('float64'), dtype('float32'))
    """
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"{function.__name__} is a generator; return a list instead of yielding")

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.enable_x64(True):
            result = function(*jax.tree.map(_cast_in, args), **jax.tree.map(_cast_in, kwargs))
            return jax.tree.map(_cast_out, result)

    return wrapped
