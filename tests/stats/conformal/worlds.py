"""Small worlds of zero-inflated density, and forecasts of them that are wrong in known ways.

Cells lie on a square grid in a few epochs. Presence and density follow a hurdle lognormal law whose
spread grows with a smooth predictor x, the rain of the epoch; the forecast knows the centre and
believes in one spread. Its transform is then uniform nowhere, and how it is not depends on x.
Errors of neighbouring cells depend on each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage, special

from stats.laws.hurdle import Hurdle, hurdle_lognormal

SIDE = 30
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class World:
    """Forecast and truth of every cell; arrays are (epoch, cell)."""

    law: Hurdle
    value: Array
    x: Array
    block: Array

    def part(self, where: Array) -> "World":
        return World(self.law.take(where), self.value[where], self.x[where], self.block[where])


def smooth_fields(n: int, rng: np.random.Generator, length: float) -> Array:
    """(n, cell) standard normal fields with covariance exp(-d^2 / (4 length^2)), on a torus."""
    k = np.fft.fftfreq(SIDE)
    power = np.exp(-2.0 * (np.pi * length) ** 2 * (k[:, None] ** 2 + k[None, :] ** 2))
    noise = np.fft.fft2(rng.standard_normal((n, SIDE, SIDE)))
    field = np.fft.ifft2(noise * power).real
    return (field / np.sqrt(np.mean(power**2))).reshape(n, -1)


def make_world(
    rng: np.random.Generator,
    *,
    shift: Array,
    gradient: float = 0.0,
    epoch_sd: float = 0.0,
) -> World:
    """A world of ``len(shift)`` epochs.

    Args:
        rng: source of randomness.
        shift: (epoch,) mean of x in each epoch.
        gradient: rise of x from the west to the east edge, in standard deviations.
        epoch_sd: spread of an effect of the epoch that no predictor knows.
    """
    n = len(shift)
    east = np.tile(np.linspace(-0.5, 0.5, SIDE), (SIDE, 1)).reshape(-1)
    x = np.asarray(shift)[:, None] + gradient * east + smooth_fields(n, rng, 3.0)
    unseen = epoch_sd * rng.standard_normal((n, 1))
    p = special.expit(-0.6 + 0.4 * x + unseen)
    centre = 0.2 + 0.3 * x
    spread = 0.7 * np.exp(0.55 * np.clip(x, -2.0, 3.0))
    u = special.ndtr(smooth_fields(n, rng, 1.5))
    z = special.ndtr(smooth_fields(n, rng, 1.5))
    truth = hurdle_lognormal(p, centre + unseen, spread)
    value = np.where(u < p, truth.positive.quantile(z), 0.0)
    told = hurdle_lognormal(special.expit(-0.6 + 0.4 * x), centre, np.full(x.shape, 0.8))
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    block = np.broadcast_to(row // 6 * 10 + column // 6, x.shape)
    return World(told, value, x, block)


def east_half(world: World) -> Array:
    """(epoch, cell) whether a cell lies in the eastern half."""
    return np.broadcast_to(np.arange(SIDE * SIDE) % SIDE >= SIDE // 2, world.value.shape)


def seen_from(known: Array, field: Array) -> Array:
    """(epoch, cell) a field as its known cells show it: a kernel mean, towards 0 far from them."""
    weight = known.reshape(-1, SIDE, SIDE).astype(float)
    smooth = {"sigma": (0.0, 1.0, 1.0), "mode": "constant", "truncate": 3.0}
    above = ndimage.gaussian_filter(field.reshape(weight.shape) * weight, **smooth)
    return (above / (ndimage.gaussian_filter(weight, **smooth) + 0.02)).reshape(field.shape)
