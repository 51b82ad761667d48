"""A 3 x 3 convolution of a doubled image, without doubling it.

Nearest-neighbour doubling repeats every pixel in a square of 2 x 2. A 3 x 3 kernel laid on the
doubled image sees only 2 x 2 different pixels of the image itself, so taps that fall on one pixel
can be added before the convolution instead of after it: in each direction an even place reads
(w0, w1 + w2) from the pixel before and its own, an odd place (w0 + w1, w2) from its own and the
next. Four 2 x 2 convolutions of the small image, one per phase, interleaved, are the 3 x 3
convolution of the large one, with 4 / 9 of its multiplications. Parameters stay the 3 x 3 kernel;
outputs and gradients are equal up to rounding. Measured on CPUs (benchmarks/training.py), and used
there alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LAYOUT = ("NHWC", "HWIO", "NHWC")
# Below this many output bands one convolution makes all four phases: matrix products with few
# columns are slow. Its border of one more pixel costs more than that on small images of many bands.
JOINT_BANDS = 32


def double(x: Float[Array, "patch y x band"]) -> Float[Array, "patch y_ x_ band"]:
    """Nearest-neighbour doubling: (patch, y, x, band) -> (patch, 2 y, 2 x, band).

    Example:
        >>> double(jnp.array([[[[1.0], [2.0]]]]))[0, :, :, 0]
        Array([[1., 1., 2., 2.],
               [1., 1., 2., 2.]], dtype=float32)
    """
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def doubled_convolution(
    x: Float[Array, "patch y x band"],
    skip: Float[Array, "patch y_ x_ band_skip"] | None,
    kernel: Float[Array, "3 3 band_all band_out"],
) -> Float[Array, "patch y_ x_ band_out"]:
    """3 x 3 convolution, zeros around, of `x` doubled and joined with `skip` along the bands.

    Args:
        x: (patch, y, x, band).
        skip: (patch, 2 y, 2 x, band_skip), or None.
        kernel: of the joined image, the bands of `x` first.

    Returns:
        (patch, 2 y, 2 x, band_out), of the type of `x`.

    Example:
        >>> ones = jnp.ones((1, 1, 1, 1))
        >>> doubled_convolution(ones, None, jnp.ones((3, 3, 1, 1)))[0, :, :, 0]
        Array([[4., 4.],
               [4., 4.]], dtype=float32)
    """
    if jax.default_backend() == "cpu":
        return folded_doubled_convolution(x, skip, kernel)
    return plain_doubled_convolution(x, skip, kernel)


def folded_doubled_convolution(
    x: Float[Array, "patch y x band"],
    skip: Float[Array, "patch y_ x_ band_skip"] | None,
    kernel: Float[Array, "3 3 band_all band_out"],
) -> Float[Array, "patch y_ x_ band_out"]:
    """The same by the four phases; arguments as `doubled_convolution`."""
    bands = x.shape[-1]
    phases = _phase_kernels(kernel[:, :, :bands])
    make = _joint if kernel.shape[-1] < JOINT_BANDS else _apart
    out = _interleave(make(x, [[k.astype(x.dtype) for k in row] for row in phases]))
    if skip is None:
        return out
    return out + _convolve(skip, kernel[:, :, bands:].astype(x.dtype), "SAME")


def plain_doubled_convolution(
    x: Float[Array, "patch y x band"],
    skip: Float[Array, "patch y_ x_ band_skip"] | None,
    kernel: Float[Array, "3 3 band_all band_out"],
) -> Float[Array, "patch y_ x_ band_out"]:
    """The same as it is defined: double, join, convolve."""
    joined = double(x) if skip is None else jnp.concatenate([double(x), skip], axis=-1)
    return _convolve(joined, kernel.astype(x.dtype), "SAME")


def _convolve(x: Array, kernel: Array, padding: str | tuple[tuple[int, int], ...]) -> Array:
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=LAYOUT)


def _phase_kernels(kernel: Array) -> list[list[Array]]:
    """2 x 2 kernels of the phases, by (row, column)."""

    def halves(k: Array) -> tuple[Array, Array]:
        return jnp.stack([k[0], k[1] + k[2]]), jnp.stack([k[0] + k[1], k[2]])

    return [[half.swapaxes(0, 1) for half in halves(row.swapaxes(0, 1))] for row in halves(kernel)]


def _apart(x: Array, kernels: list[list[Array]]) -> list[list[Array]]:
    """Phase (p, q) by a convolution of its own: pixels before for 0, after for 1."""
    return [
        [_convolve(x, kernel, ((1 - p, p), (1 - q, q))) for q, kernel in enumerate(row)]
        for p, row in enumerate(kernels)
    ]


def _joint(x: Array, kernels: list[list[Array]]) -> list[list[Array]]:
    """All phases by one convolution, one pixel wider, of which each takes its window."""
    rows, cols = x.shape[1:3]
    all_kernels = jnp.concatenate([kernel for row in kernels for kernel in row], axis=-1)
    # Padded beforehand: with padding inside the convolution the gradient of a kernel of two
    # pixels leaves the fast library, 40 times slower.
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    wide = jnp.split(_convolve(padded, all_kernels, "VALID"), 4, axis=-1)
    return [[wide[2 * p + q][:, p : p + rows, q : q + cols] for q in (0, 1)] for p in (0, 1)]


def _interleave(phases: list[list[Array]]) -> Array:
    """Phases (p, q), each (patch, y, x, band), to (patch, 2 y, 2 x, band)."""
    patch, rows, cols, band = phases[0][0].shape
    nested = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
    return nested.reshape(patch, 2 * rows, 2 * cols, band)
