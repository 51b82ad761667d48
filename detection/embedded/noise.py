"""Random fields of the renderer: rough fields and streaks along a direction."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from scipy import fft

Array = np.ndarray[Any, np.dtype[Any]]

PARTS = ("ground", "cover", "scars", "colour", "weather", "sensor", "site", "dates", "elevation")


def stream(seed: int, region: str, part: str, *index: int) -> np.random.Generator:
    """The independent generator of one part of one region, from the one root seed.

    Example:
        >>> a, b = (stream(1, "nepal_like", "cover", 2).random() for _ in range(2))
        >>> a == b != stream(1, "papua_like", "cover", 2).random()
        True
    """
    key = (zlib.crc32(region.encode()), PARTS.index(part), *index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def rough_field(
    shape: tuple[int, int], scale_px: float, rng: np.random.Generator, *, slope: float = 2.2
) -> Array:
    r"""A random field of mean 0 and variance 1, rough below `scale_px`.

    Power falls as :math:`(1 + (k \ell)^2)^{-slope / 2}` with the wave number k and
    :math:`\ell` the scale over :math:`2 \pi`, so detail runs down to the pixel.

    Args:
        shape: (rows, columns).
        scale_px: largest wavelength [px].
        rng: random generator.
        slope: fall of the power; 2 is ragged, 4 is smooth.

    Returns:
        (y, x) float32.

    Example:
        >>> field = rough_field((64, 64), 16.0, np.random.default_rng(0))
        >>> field.shape, abs(float(field.std()) - 1) < 1e-3
        ((64, 64), True)
    """
    # The transform is periodic: a torus longer by one scale, cropped.
    rows, cols = (fft.next_fast_len(n + int(min(scale_px, n)), real=True) for n in shape)
    ky = fft.fftfreq(rows)[:, None]
    kx = fft.rfftfreq(cols)[None, :]
    power = (1.0 + (ky**2 + kx**2) * scale_px**2) ** (-slope / 2.0)
    power[0, 0] = 0.0
    white = rng.standard_normal((rows, cols), dtype=np.float32)
    field = fft.irfft2(fft.rfft2(white) * np.sqrt(power).astype(np.float32), s=(rows, cols))
    field = field[: shape[0], : shape[1]].astype(np.float32)
    field -= field.mean()
    return np.asarray(field / max(float(field.std()), 1e-12), dtype=np.float32)


def streaks(noise: Array, down: tuple[Array, Array], *, half_length_px: int) -> Array:
    """Noise averaged along the lines of a direction field (line integral convolution).

    After Cabral & Leedom (1993, SIGGRAPH, doi:10.1145/166117.166151): every pixel follows the
    direction both ways for `half_length_px` and takes the mean of what it meets.

    Args:
        noise: (y, x) white or fine noise.
        down: unit direction (rows, columns), each (y, x).
        half_length_px: steps of one pixel each way.

    Returns:
        (y, x) float32 of mean 0 and variance 1.
    """
    rows, cols = noise.shape
    total = noise.astype(np.float32).copy()
    start = np.indices(noise.shape, dtype=np.float32)
    for sign in (1.0, -1.0):
        y, x = start[0].copy(), start[1].copy()
        for _ in range(half_length_px):
            r = np.clip(y + 0.5, 0, rows - 1).astype(np.int32)
            c = np.clip(x + 0.5, 0, cols - 1).astype(np.int32)
            y += np.float32(sign) * down[0][r, c]
            x += np.float32(sign) * down[1][r, c]
            r = np.clip(y + 0.5, 0, rows - 1).astype(np.int32)
            c = np.clip(x + 0.5, 0, cols - 1).astype(np.int32)
            total += noise[r, c]
    total -= total.mean()
    return np.asarray(total / max(float(total.std()), 1e-12), dtype=np.float32)


def soft_step(value: Array, low: float | Array, high: float | Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between (float32).

    Example:
        >>> soft_step(np.array([0.0, 1.0, 2.0]), 0.0, 2.0).tolist()
        [0.0, 0.5, 1.0]
    """
    t = np.clip((value - low) / (np.asarray(high) - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)
