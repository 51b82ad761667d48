"""The size laws by name, and what all of them share.

`LAWS` maps the names used in tables, files and on the command line to frozen records of pure JAX
functions (`stats.sizes.laws.family.Law`). A law truncated to (lower, upper) needs no code of its
own: its density is kernel over mass.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax

from stats.sizes.laws.dps import DP, DPS, DPS_EXTENDED
from stats.sizes.laws.family import Law, Parameter
from stats.sizes.laws.gpd import EGPD, GPD
from stats.sizes.laws.ig import IG
from stats.sizes.laws.lognormal import LOGNORMAL
from stats.sizes.laws.power import POWER

__all__ = ["LAWS", "Law", "Parameter", "law_named", "log_density"]

_ALL = (DPS, DPS_EXTENDED, DP, IG, POWER, LOGNORMAL, GPD, EGPD)
LAWS: Mapping[str, Law] = MappingProxyType({law.name: law for law in _ALL})


def law_named(name: str) -> Law:
    """The law of that name.

    Raises:
        ValueError: no law has it; the message lists those that exist.

    Example:
        >>> law_named("dps").names
        ('alpha', 'beta', 't')
    """
    if name not in LAWS:
        raise ValueError(f"law: found {name!r}; expected one of {', '.join(LAWS)}")
    return LAWS[name]


def log_density(law: Law, x: Any, theta: Any, lower: Any, upper: Any) -> jax.Array:
    """Log density of the law truncated to (lower, upper), for x inside; traceable.

    Args:
        law: family.
        x: areas inside (lower, upper), any shape.
        theta: (k,) parameters.
        lower: lower end, 0 for none.
        upper: upper end, infinity for none.

    Returns:
        Array in the shape of x [ln of 1/unit of x].

    Example:
        >>> value = log_density(law_named("dps"), 800.0, [1.4, 2.3, 800.0], 0.0, float("inf"))
        >>> round(float(value), 3)
        -7.684
    """
    return law.log_kernel(x, theta) - law.log_mass(lower, upper, theta)
