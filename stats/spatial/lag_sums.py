r"""Sums over all pairs of cells by offset, by fast Fourier transform: the engine of the room.

For values x on a mask m, centred to z, and every offset h of a window:

.. math:: N(h) = \sum_i m_i m_{i+h}, \quad
          P(h) = \sum_i z_i z_{i+h}, \quad
          S(h) = \sum_i m_i m_{i+h} (x_i - x_{i+h})^2
               = \sum_i \left(z_i^2 m_{i+h} + m_i z_{i+h}^2 - 2 z_i z_{i+h}\right).

With M, Z and Q the transforms of m, z and z^2 on a lattice padded by the reach of the window, N
and P are the inverse transforms of :math:`|M|^2` and :math:`|Z|^2`, and S that of
:math:`2\,\mathrm{Re}(\bar Q M) - 2 |Z|^2`: three transforms forth and back, whatever the number of
pairs. Counts are rounded and therefore exact. Correlogram, variogram and covariance are ratios of
these sums over classes of offsets.

D. Marcotte (1996), Computers & Geosciences 22, 1175-1186, doi:10.1016/S0098-3004(96)00026-X.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft

from stats.case_arrays import BoolArray, FloatArray
from stats.spatial.lags import LagClasses
from stats.spatial.lattice import as_masked, centred

ComplexArray = np.ndarray[Any, np.dtype[np.complex128]]

# Below this many cells threads cost more than they save.
_WORTH_THREADS = 2**18


@dataclass(frozen=True, eq=False)
class LagSums:
    """Sums over ordered pairs of valid cells by offset; an offset and its opposite both count.

    Attributes:
        n: number of cells.
        mean: mean of the values.
        sum_squares: sum of (x - mean)^2.
        sum_fourths: sum of (x - mean)^4.
        pairs: (dy, dx) N, number of pairs at each offset of the window.
        products: (dy, dx) P, sum of products of centred values.
        squared_differences: (dy, dx) S.
    """

    n: int
    mean: float
    sum_squares: float
    sum_fourths: float
    pairs: FloatArray
    products: FloatArray
    squared_differences: FloatArray

    @property
    def kurtosis(self) -> float:
        """Fourth moment over the squared second, n sum z^4 / (sum z^2)^2; 3 if normal."""
        return self.n * self.sum_fourths / self.sum_squares**2


@dataclass(frozen=True)
class Padded:
    """Transforms on a lattice padded so that offsets of the window never wrap around.

    Attributes:
        shape: (y, x) of the lattice.
        reach: largest offset along y and x.
        workers: threads of a transform; -1 takes all cores.
    """

    shape: tuple[int, int]
    reach: tuple[int, int]
    workers: int = -1

    @property
    def padded(self) -> tuple[int, int]:
        """Sizes of the padded lattice."""
        rows, columns = (s + r for s, r in zip(self.shape, self.reach, strict=True))
        return fft.next_fast_len(rows), fft.next_fast_len(columns, real=True)

    @property
    def threads(self) -> int:
        """Threads that a transform of this size takes."""
        rows, columns = self.padded
        return self.workers if rows * columns >= _WORTH_THREADS else 1

    def forward(self, lattice: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Transform of a (y, x) lattice; single precision stays single."""
        return fft.rfft2(lattice, s=self.padded, workers=self.threads)

    def window(self, spectrum: np.ndarray[Any, Any]) -> FloatArray:
        """(dy, dx) inverse transform at the offsets of the window only.

        Rows outside the window are dropped between the two axes, which saves most of the second.
        """
        rows, columns = self.padded
        down, right = self.reach
        half = fft.ifft(spectrum, axis=0, workers=self.threads)
        kept = half[np.arange(-down, down + 1) % rows]
        plane = fft.irfft(kept, n=columns, axis=1, workers=self.threads)
        return np.asarray(plane[:, np.arange(-right, right + 1) % columns], dtype=np.float64)

    def lattice(self, spectrum: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """(y, x) inverse transform, for sums around each cell."""
        plane = fft.irfft2(spectrum, s=self.padded, workers=self.threads)
        return plane[: self.shape[0], : self.shape[1]]


def fit_window(shape: tuple[int, int], classes: LagClasses) -> Padded:
    """Transforms with the reach that the classes need.

    Example:
        >>> from stats.spatial.lags import lag_classes
        >>> fit_window((100, 80), lag_classes(10)).padded
        (110, 90)
    """
    return Padded(shape, classes.reach)


@dataclass(frozen=True, eq=False)
class MaskSums:
    """What depends on the mask only, made once for all epochs that share it.

    Attributes:
        inside: (y, x) mask.
        plan: transforms.
        spectrum: transform of the mask.
        pairs: (dy, dx) number of pairs.
    """

    inside: BoolArray
    plan: Padded
    spectrum: ComplexArray
    pairs: FloatArray


def mask_sums(inside: BoolArray, plan: Padded) -> MaskSums:
    """Transform and pair counts of a mask.

    Example:
        >>> mask_sums(np.ones((3, 4), bool), Padded((3, 4), (1, 1))).pairs
        array([[ 6.,  8.,  6.],
               [ 9., 12.,  9.],
               [ 6.,  8.,  6.]])
    """
    spectrum = plan.forward(inside.astype(np.float64))
    return MaskSums(inside, plan, spectrum, np.rint(plan.window(power(spectrum))))


def power(spectrum: ComplexArray) -> FloatArray:
    """Squared modulus, without the square root of an absolute value."""
    return spectrum.real**2 + spectrum.imag**2


def cross(first: ComplexArray, second: ComplexArray) -> FloatArray:
    """Real part of the first's conjugate times the second."""
    return first.real * second.real + first.imag * second.imag


def sums_of(z: FloatArray, mask: MaskSums) -> tuple[FloatArray, FloatArray]:
    """Products and squared differences by offset of centred values that are 0 off the mask.

    Args:
        z: (y, x) centred values; scaled near 1 to keep their squares in range.
        mask: sums of their mask.

    Example:
        >>> plan = Padded((1, 3), (0, 1))
        >>> z = np.array([[-1.0, 0.0, 1.0]])
        >>> products, squares = sums_of(z, mask_sums(np.ones((1, 3), bool), plan))
        >>> (products + 0.0).round(12), squares.round(12) + 0.0
        (array([[0., 2., 0.]]), array([[2., 0., 2.]]))
    """
    own = power(mask.plan.forward(z))
    products = mask.plan.window(own)
    squares = cross(mask.plan.forward(z * z), mask.spectrum)
    squares -= own
    squares *= 2.0
    return products, np.maximum(mask.plan.window(squares), 0.0)


def lag_sums(
    values: ArrayLike,
    valid: ArrayLike | None,
    classes: LagClasses,
    *,
    mask: MaskSums | None = None,
    workers: int = -1,
) -> LagSums:
    """Pair sums of a (y, x) lattice at all offsets of the classes' window.

    Args:
        values: (y, x); what lies outside `valid` is ignored.
        valid: (y, x) True for cells that count; None counts the finite ones.
        classes: classes whose window is filled.
        mask: sums of the mask, where they are known already.
        workers: threads; -1 takes all cores.

    Raises:
        UndefinedScoreError: fewer than 4 cells, or constant values.

    Example:
        >>> from stats.spatial.lags import lag_classes
        >>> found = lag_sums([[1.0, 2.0, 4.0, np.nan, 3.0]], None, lag_classes(1))
        >>> found.n, found.pairs[1].round(9), found.squared_differences[1].round(9)
        (4, array([2., 4., 2.]), array([5., 0., 5.]))
    """
    x, inside = as_masked(values, valid, axes=(2,))
    z, n = centred(x, inside, "a sum over pairs")
    if mask is None:
        plan = Padded((x.shape[0], x.shape[1]), classes.reach, workers)
        mask = mask_sums(inside, plan)
    scale = float(np.abs(z).max())
    z /= scale
    products, squares = sums_of(z, mask)
    square = z * z
    return LagSums(
        n=n,
        mean=float(x[inside].mean()),
        sum_squares=float(square.sum()) * scale**2,
        sum_fourths=float(np.vdot(square, square)) * scale**4,
        pairs=mask.pairs,
        products=products * scale**2,
        squared_differences=squares * scale**2,
    )
