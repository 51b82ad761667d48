"""Random numbers of one sample: which changes happen, how far, and the matrix of its affine map.

All numbers of a sample are drawn at once, as a table with a row for every change there is:
switching one change off leaves the draws of the others as they were.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from detection.augmentation.config import CHANGES, AugmentationConfig

SWITCH, EXTRA, VALUES = 0, 1, 2
_CHOICE = len(CHANGES)

Numbers = Float[Array, "change slot"]


def draw_numbers(key: PRNGKeyArray, bands: int = 1) -> Numbers:
    """Even numbers from 0 to 1: a row for every change, and one for the choice among them.

    Columns are the switch, one for whatever a change needs besides, and a value for every band.
    """
    return jax.random.uniform(key, (len(CHANGES) + 1, VALUES + bands))


def number(numbers: Numbers, name: str, slot: int) -> Float[Array, ""]:
    """One number of one change."""
    return numbers[CHANGES.index(name), slot]


def switches(config: AugmentationConfig, numbers: Numbers) -> dict[str, Bool[Array, ""]]:
    """Which of the possible changes happen to a sample.

    Example:
        >>> numbers = draw_numbers(jax.random.key(0))
        >>> on = switches(AugmentationConfig(vertical_flip=1.0), numbers)
        >>> {name: bool(value) for name, value in on.items()}
        {'vertical_flip': True}
    """
    if not config.exclusive:
        return {
            name: number(numbers, name, SWITCH) < probability
            for name, probability in config.shares.items()
        }
    choice = numbers[_CHOICE, SWITCH]
    found, start = {}, 0.0
    for name, share in config.shares.items():
        found[name] = (choice >= start) & (choice < start + share)
        start += share
    return found


def drawn(
    config: AugmentationConfig,
    numbers: Numbers,
    name: str,
    on: Bool[Array, ""],
    *,
    neutral: float,
    bands: int | None = None,
) -> Float[Array, "*band"]:
    """The value of a change (of every band), and `neutral` exactly where it does not happen."""
    change = config.change(name)
    low, high = change.low, change.high
    if name == "scale":
        low, high = math.log(low), math.log(high)
    row = numbers[CHANGES.index(name)]
    even = row[VALUES] if bands is None else row[VALUES : VALUES + bands]
    value = low + (high - low) * even
    if name == "scale":
        value = jnp.exp(value)
    return jnp.where(on, value, neutral)


def forward_matrix(
    config: AugmentationConfig, numbers: Numbers, on: dict[str, Bool[Array, ""]]
) -> Float[Array, "2 2"]:
    r"""Matrix of the affine map of a sample, from the patch as it is to the patch as it will be.

    Vectors are (column, row), rows downwards, from the centre of the patch. One matrix holds all:

    .. math:: M = R(\theta)\, Q\, H_x\, H_y\, s\, F

    with flips F, the scale s, the two shears H, quarter turns Q and the rotation R, in the order
    in which they happen from the right. An area grows by ``abs(det(M))``.

    Args:
        config: ranges.
        numbers: of the sample.
        on: `switches`.

    Example:
        >>> config = AugmentationConfig(horizontal_flip=1.0)
        >>> numbers = draw_numbers(jax.random.key(0))
        >>> forward_matrix(config, numbers, switches(config, numbers)).tolist()
        [[-1.0, 0.0], [0.0, 1.0]]
    """
    one, zero = jnp.ones(()), jnp.zeros(())

    def flip(name: str) -> Array:
        return jnp.where(on[name], -1.0, 1.0) if name in on else one

    def value(name: str, neutral: float) -> Array:
        if name not in on:
            return jnp.full((), neutral)
        return drawn(config, numbers, name, on[name], neutral=neutral)

    def matrix(a: Array, b: Array, c: Array, d: Array) -> Array:
        return jnp.stack([jnp.stack([a, b]), jnp.stack([c, d])])

    parts: list[Array] = []
    if "rotation_deg" in on:
        angle = jnp.deg2rad(value("rotation_deg", 0.0))
        parts.append(matrix(jnp.cos(angle), jnp.sin(angle), -jnp.sin(angle), jnp.cos(angle)))
    if "quarter_turn" in on:
        turns = jnp.floor(4 * number(numbers, "quarter_turn", EXTRA)).astype(jnp.int32)
        turns = jnp.where(on["quarter_turn"], turns, 0)
        # Whole numbers: the cosine of 90 degree would not be 0.
        cosine = jnp.asarray([1.0, 0.0, -1.0, 0.0])[turns]
        sine = jnp.asarray([0.0, 1.0, 0.0, -1.0])[turns]
        parts.append(matrix(cosine, sine, -sine, cosine))
    if "shear_x_deg" in on:
        parts.append(matrix(one, jnp.tan(jnp.deg2rad(value("shear_x_deg", 0.0))), zero, one))
    if "shear_y_deg" in on:
        parts.append(matrix(one, zero, jnp.tan(jnp.deg2rad(value("shear_y_deg", 0.0))), one))
    factor = value("scale", 1.0)
    columns, rows = flip("horizontal_flip"), flip("vertical_flip")
    total = matrix(factor * columns, zero, zero, factor * rows)
    for part in reversed(parts):
        # Written out: a product of matrices on a GPU may round to ten bits.
        total = (part[:, :, None] * total[None, :, :]).sum(axis=1)
    return total


def determinant(matrix: Float[Array, "2 2"]) -> Float[Array, ""]:
    """Signed factor on areas; negative for a mirror image."""
    return matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
