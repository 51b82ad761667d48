r"""Weakly informative priors of the size laws, stated with their units.

Every prior is an independent normal on the coordinates of a law: logarithms of exponents and of
areas, chosen so that the limits of the family are straight directions. For the Double Pareto
Simplified law these are

.. math:: \ln\alpha, \qquad \ln\beta \;\text{ or, under truncation, }\; \ln(\alpha + \beta),
          \qquad \ln m, \quad m = t\,(1 + \beta/\alpha)^{1/\alpha}
          \;\text{ or }\; t\,(2 + \beta/\alpha)^{1/\alpha} .

Only the extended law, which truncation makes proper, gives beta <= 0 a chance. The location m, not
t, has the prior: towards the Frechet limit (beta to infinity) t runs to 0 while m and the rollover
stay, so that a prior on t would decide where the rollover may be.

What the defaults allow before any data, as 95 % intervals: alpha 0.5 to 3.8 (slopes of the density
-1.5 to -4.8; published ones lie between -1.4 and -3.4), beta -1.8 to 24, a rollover anywhere from
7 to 14,000 m2 (published ones lie between 400 and 7,000 m2: Malamud et al., 2004; Hurst et al.,
2013), and no rollover in 35 % of the draws. `implied` computes it for any priors:

>>> found = implied("dps_extended")
>>> for name in ("alpha", "beta", "rollover_m2"):
...     print(name, *(f"{value:.1g}" for value in found.quantiles[name]))
alpha 0.5 1 4
beta -2 2 2e+01
rollover_m2 7 5e+02 1e+04
>>> round(found.without_rollover, 2)
0.35

All areas are in m2. An inventory in other units, or of other things, needs its own priors:
`Prior` records in the order of `coordinates(law)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.law import law_named


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Normal prior of one coordinate, and how far groups may differ in it.

    Attributes:
        coordinate: what is normal, as a formula of the law's parameters.
        mean: of the coordinate.
        sd: of the coordinate.
        unit: of what the logarithm is taken of.
        group_sd: scale of the half-normal prior of the standard deviation between groups, used
            by the hierarchical fit.
    """

    coordinate: str
    mean: float
    sd: float
    unit: str
    group_sd: float

    def __post_init__(self) -> None:
        for name in ("sd", "group_sd"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"prior of {self.coordinate}: found {name} {value}; expected > 0")
        if not math.isfinite(self.mean):
            raise ValueError(f"prior of {self.coordinate}: found mean {self.mean}; expected finite")

    def __str__(self) -> str:
        """As it stands in tables, with the 95 % range of what the logarithm is taken of."""
        low, high = self.mean - 1.96 * self.sd, self.mean + 1.96 * self.sd
        text = f"{self.coordinate} ~ Normal({self.mean:.3g}, {self.sd:.3g})"
        if self.coordinate.startswith("ln "):
            inner = self.coordinate.removeprefix("ln ")
            unit = "" if self.unit == "1" else f" {self.unit}"
            text += f": {inner} {math.exp(low):.2g} to {math.exp(high):.2g}{unit} (95 %)"
        return text


def _ln(inner: str, centre: float, sd: float, unit: str, group_sd: float) -> Prior:
    return Prior(
        coordinate=f"ln {inner}", mean=math.log(centre), sd=sd, unit=unit, group_sd=group_sd
    )


def _location(inner: str, centre: float = 2000.0) -> Prior:
    return _ln(inner, centre, 1.5, "m2", 0.5)


_ALPHA = _ln("alpha", 1.4, 0.5, "1", 0.3)
_BETA = _ln("beta", 2.3, 1.0, "1", 0.5)
_XI = _ln("(xi + 1/2)", 1.2, 0.35, "1", 0.2)
_DPS = (_ALPHA, _BETA, _location("(t (1 + beta/alpha)^(1/alpha))", 1500.0))

_DEFAULTS: dict[str, tuple[Prior, ...]] = {
    "dps": _DPS,
    "dp": _DPS,
    "dps_extended": (
        _ALPHA,
        _ln("(alpha + beta)", 3.7, 1.0, "1", 0.5),
        _location("(t (2 + beta/alpha)^(1/alpha))"),
    ),
    "ig": (
        _ln("rho", 1.4, 0.5, "1", 0.3),
        _location("(a / (1 + rho))", 1000.0),
        _location("(-s)", 200.0),
    ),
    "power": (_ALPHA,),
    "lognormal": (
        Prior(coordinate="mu", mean=math.log(1000.0), sd=2.0, unit="ln m2", group_sd=0.5),
        _ln("sigma", 1.2, 0.5, "1", 0.3),
    ),
    "gpd": (_location("sigma", 1000.0), _XI),
    "egpd": (_ln("kappa", 2.0, 1.0, "1", 0.5), _location("(sigma (1 + kappa)^xi)"), _XI),
}


def default_priors(law: str) -> tuple[Prior, ...]:
    """The weakly informative priors of a law, in the order of its coordinates.

    Raises:
        ValueError: no law has the name.

    Example:
        >>> print(default_priors("dps_extended")[0])
        ln alpha ~ Normal(0.336, 0.5): alpha 0.53 to 3.7 (95 %)
        >>> print(default_priors("dps_extended")[1].coordinate)
        ln (alpha + beta)
    """
    return _DEFAULTS[law_named(law).name]


def check_priors(law: str, priors: Sequence[Prior] | None) -> tuple[Prior, ...]:
    """`priors`, or the defaults for None.

    Raises:
        ValueError: wrong number of priors, or one for another coordinate.
    """
    expected = default_priors(law)
    if priors is None:
        return expected
    names = [p.coordinate for p in priors]
    if names != [p.coordinate for p in expected]:
        raise ValueError(
            f"priors of {law}: found {names}; expected {[p.coordinate for p in expected]}"
        )
    return tuple(priors)


def _lognormal_theta(z: Any) -> jax.Array:
    return jnp.stack([z[0], jnp.exp(z[1])])


def _lognormal_z(theta: Any) -> jax.Array:
    return jnp.stack([theta[0], jnp.log(theta[1])])


def to_theta(law: str) -> Callable[[Any], jax.Array]:
    """Map of the coordinates (k,) to the parameters (k,); traceable."""
    return _lognormal_theta if law == "lognormal" else law_named(law).constrain


def to_coordinates(law: str) -> Callable[[Any], jax.Array]:
    """Inverse of `to_theta`."""
    return _lognormal_z if law == "lognormal" else law_named(law).unconstrain


@in_float64
def theta_of(law: str, z: FloatArray) -> FloatArray:
    """Parameters (..., k) of coordinates (..., k)."""
    flat = np.reshape(z, (-1, np.shape(z)[-1]))
    return np.asarray(jax.vmap(to_theta(law))(flat)).reshape(np.shape(z))


@in_float64
def derived_of(law: str, theta: FloatArray) -> dict[str, FloatArray]:
    """Rollover [m2] and slope of the density of parameters (..., k); NaN where there is none."""
    family = law_named(law)
    flat = np.asarray(theta).reshape(-1, family.k)
    shape = np.shape(theta)[:-1]
    rollover = np.exp(np.asarray(jax.vmap(family.log_rollover)(flat))).reshape(shape)
    slope = -(np.asarray(jax.vmap(family.tail_exponent)(flat)) + 1.0).reshape(shape)
    found = {"rollover_m2": rollover, "pdf_slope": slope}
    return {name: values for name, values in found.items() if not np.all(np.isnan(values))}


@dataclass(frozen=True)
class Implied:
    """What priors say before any data.

    Attributes:
        quantiles: name -> 2.5 %, 50 % and 97.5 % quantile of each parameter, of `pdf_slope`, and
            of `rollover_m2` among the draws that have one.
        without_rollover: share of the draws whose density has no rollover; 1 where none has.
    """

    quantiles: dict[str, tuple[float, float, float]]
    without_rollover: float


def implied(
    law: str, priors: Sequence[Prior] | None = None, *, draws: int = 100_000, seed: int = 0
) -> Implied:
    """What priors say of the parameters, the rollover and the slope, before any data.

    Args:
        law: name of the law.
        priors: its priors; None for the defaults.
        draws: prior draws.
        seed: of the draws.

    Example:
        >>> bool(implied("dps_extended").quantiles["beta"][0] < 0.0)
        True
        >>> bool(implied("dps").quantiles["beta"][0] > 0.0)
        True
    """
    chosen = check_priors(law, priors)
    rng = np.random.default_rng(seed)
    spread = np.array([p.sd for p in chosen])
    z = np.array([p.mean for p in chosen]) + spread * rng.normal(size=(draws, len(chosen)))
    theta = theta_of(law, z)
    values = dict(zip(law_named(law).names, theta.T, strict=True)) | derived_of(law, theta)
    none = np.isnan(values.get("rollover_m2", np.full(draws, np.nan)))
    found = {}
    for name, v in values.items():
        low, middle, high = (float(q) for q in np.nanquantile(v, (0.025, 0.5, 0.975)))
        found[name] = (low, middle, high)
    return Implied(found, float(np.mean(none)))
