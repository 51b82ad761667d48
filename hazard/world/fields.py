"""Gaussian random fields on a lattice, by the fast Fourier transform."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import fft, ndimage

from hazard.world.domain import Array, region_axes_km


def gaussian_field(
    shape: tuple[int, int],
    *,
    spacing_km: float,
    range_km: float,
    rng: np.random.Generator,
    smoothness: float = 0.5,
    stretch: float = 1.0,
    angle_deg: float = 0.0,
) -> Array:
    r"""A stationary Matern field of mean 0 and variance 1.

    The spectral density in the plane is :math:`(\kappa^2 + |k|^2)^{-\nu - 1}`; for
    :math:`\nu = 1/2` the correlation is :math:`\exp(-\kappa h)` and `range_km` is the distance
    where it falls to 0.05 (:math:`\kappa = 3 / b`). The transform is periodic, so the field is
    drawn on a torus longer by three ranges and cropped.

    Args:
        shape: (rows, columns).
        spacing_km: lattice spacing [km].
        range_km: practical range b [km].
        rng: random generator.
        smoothness: Matern smoothness nu [1].
        stretch: factor by which the range is longer along `angle_deg` [1].
        angle_deg: direction of the stretch, clockwise from east (rows run south).

    Returns:
        (y, x) float64.

    Example:
        >>> field = gaussian_field((64, 64), spacing_km=1.0, range_km=5.0,
        ...                        rng=np.random.default_rng(0))
        >>> field.shape, bool(0.5 < field.std() < 1.5)
        ((64, 64), True)
    """
    pad = int(np.ceil(3.0 * range_km * max(stretch, 1.0) / spacing_km))
    rows, cols = (fft.next_fast_len(n + min(pad, n), real=True) for n in shape)
    ky = fft.fftfreq(rows, spacing_km)[:, None] * 2.0 * np.pi
    kx = fft.rfftfreq(cols, spacing_km)[None, :] * 2.0 * np.pi
    angle = np.radians(angle_deg)
    along = (kx * np.cos(angle) + ky * np.sin(angle)) * stretch
    across = -kx * np.sin(angle) + ky * np.cos(angle)
    kappa = 3.0 / range_km
    density = (kappa**2 + along**2 + across**2) ** (-smoothness - 1.0)
    density[0, 0] = 0.0
    # rfft keeps half of the plane: interior columns count twice in the variance.
    weight = np.full(kx.shape[1], 2.0)
    weight[0] = 1.0
    if cols % 2 == 0:
        weight[-1] = 1.0
    amplitude = np.sqrt(density / (density * weight).sum() * rows * cols)
    noise = fft.rfft2(rng.standard_normal((rows, cols)), norm="ortho")
    field = fft.irfft2(noise * amplitude, s=(rows, cols), norm="ortho")
    return np.ascontiguousarray(field[: shape[0], : shape[1]])


def regional_field(
    *,
    range_km: float,
    rng: np.random.Generator,
    spacing_km: float = 0.5,
    smoothness: float = 0.5,
    stretch: float = 1.0,
    angle_deg: float = 0.0,
) -> Array:
    """A `gaussian_field` over the whole region, at `spacing_km`."""
    y, x = region_axes_km(spacing_km)
    return gaussian_field(
        (y.size, x.size),
        spacing_km=spacing_km,
        range_km=range_km,
        rng=rng,
        smoothness=smoothness,
        stretch=stretch,
        angle_deg=angle_deg,
    )


def sample_region(
    field: Array, x_km: Array, y_km: Array, *, spacing_km: float = 0.5, order: Literal[1, 3] = 1
) -> Array:
    """Values of a regional (y, x) field at points, by spline interpolation of `order`.

    Args:
        field: (y, x) on `region_axes_km(spacing_km)`.
        x_km: points east of the study's north-west corner [km].
        y_km: points south of it [km], same shape.
        spacing_km: the field's spacing [km].
        order: 1 bilinear, 3 cubic.

    Returns:
        Values in the shape of `x_km`.
    """
    y, x = region_axes_km(spacing_km)
    rows = (np.asarray(y_km) - y[0]) / spacing_km
    cols = (np.asarray(x_km) - x[0]) / spacing_km
    return ndimage.map_coordinates(field, [rows, cols], order=order, mode="nearest")


def sample_axes(
    field: Array, x_km: Array, y_km: Array, *, spacing_km: float = 0.5, order: Literal[1, 3] = 1
) -> Array:
    """`sample_region` on the mesh of (x,) and (y,) axes: returns (y, x)."""
    yy, xx = np.meshgrid(y_km, x_km, indexing="ij")
    return sample_region(field, xx, yy, spacing_km=spacing_km, order=order)
