"""K members behind one interface: vmapped over stacked arrays, or unrolled in one program.

A member is an entry of a leading axis on every array. On a GPU one vmapped program is fastest; on
a CPU vmapped convolutions take about twice as long as the same ones written out, so members are
unrolled there. Both ways compute the same members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from hazard.training.functional import Variables, variables_of

MemberMode = Literal["auto", "vmap", "unroll"]


def member_mode(mode: MemberMode = "auto", platform: str | None = None) -> MemberMode:
    """Resolve ``auto``: unrolled on a CPU, vmapped elsewhere.

    Example:
        >>> member_mode("auto", "cpu"), member_mode("auto", "gpu")
        ('unroll', 'vmap')
    """
    if mode not in ("auto", "vmap", "unroll"):
        raise ValueError(f"members {mode!r}; use auto, vmap or unroll")
    if mode != "auto":
        return mode
    return "unroll" if (platform or jax.default_backend()) == "cpu" else "vmap"


def stack_members(members: Sequence[Any]) -> Any:
    """Equal trees as one tree with a leading axis `member`."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def take_member(stacked: Any, member: int) -> Any:
    """One member's own tree."""
    return jax.tree.map(lambda leaf: leaf[member], stacked)


def count_members(stacked: Any) -> int:
    """Length of the leading axis."""
    return int(jax.tree.leaves(stacked)[0].shape[0])


def member_seed(seed: int, member: int) -> int:
    """Seed of one member: distinct for members and for neighbouring seeds.

    Example:
        >>> member_seed(3, 0) == member_seed(2, 1)
        False
    """
    return int(np.random.SeedSequence((seed, member)).generate_state(1)[0])


def build_members(
    build: Callable[[nnx.Rngs], nnx.Module], *, members: int, seed: int
) -> tuple[nnx.Module, Variables]:
    """A module as template, and stacked variables of `members` differently seeded networks."""
    modules = [build(nnx.Rngs(member_seed(seed, member))) for member in range(members)]
    return modules[0], stack_members([variables_of(module) for module in modules])


def over_members(
    function: Callable[..., Any],
    members: int,
    *,
    mode: MemberMode = "auto",
    shared: Sequence[int] = (),
) -> Callable[..., Any]:
    """Lift a function of one member to stacked arguments.

    Args:
        function: pure function of positional arguments.
        members: number of members.
        mode: vmap or unroll; auto chooses by the backend.
        shared: positions of arguments without a member axis.

    Example:
        >>> twice = over_members(lambda x, c: x * c, 2, mode="unroll", shared=(1,))
        >>> twice(jnp.array([1.0, 2.0]), 3.0)
        Array([3., 6.], dtype=float32)
    """
    if member_mode(mode) == "vmap" and members > 1:

        def vmapped(*arguments: Any) -> Any:
            axes = [None if i in shared else 0 for i in range(len(arguments))]
            return jax.vmap(function, in_axes=axes)(*arguments)

        return vmapped

    def unrolled(*arguments: Any) -> Any:
        results = []
        for member in range(members):
            own = [
                value if i in shared else take_member(value, member)
                for i, value in enumerate(arguments)
            ]
            results.append(function(*own))
        return stack_members(results)

    return unrolled


class EnsembleSummary(NamedTuple):
    """What the members say together.

    Attributes:
        mean: mean over members.
        spread: sample standard deviation over members (0 for one member).
        disagreement: share of pairs of members on different sides of the threshold.
    """

    mean: Array
    spread: Array
    disagreement: Array


def summarise_members(
    values: Float[Array, "member ..."], *, threshold: float = 0.5
) -> EnsembleSummary:
    """Mean, spread and disagreement of members.

    Args:
        values: one quantity of every member, for example the probability of presence.
        threshold: a member votes yes above it.

    Example:
        >>> summary = summarise_members(jnp.array([[0.2], [0.4], [0.9]]))
        >>> [round(float(part[0]), 3) for part in summary]
        [0.5, 0.361, 0.667]
    """
    members = values.shape[0]
    mean = jnp.mean(values, axis=0)
    squares = jnp.sum(jnp.square(values - mean[None]), axis=0)
    spread = jnp.sqrt(squares / max(members - 1, 1))
    yes = jnp.sum(values > threshold, axis=0).astype(mean.dtype)
    pairs = max(members * (members - 1) / 2, 1)
    return EnsembleSummary(mean, spread, yes * (members - yes) / pairs)
