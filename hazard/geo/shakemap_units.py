"""Fields and units of ShakeMap grids: our name, our unit, the factor, and what is possible."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from hazard.variables import PERCENT_G_TO_M_S2, STANDARD_GRAVITY_M_S2

# Unit as written in the file -> (factor to ours, our unit). "1" is dimensionless.
ACCELERATION = {
    "pctg": (PERCENT_G_TO_M_S2, "m s-2"),
    "%g": (PERCENT_G_TO_M_S2, "m s-2"),
    "g": (STANDARD_GRAVITY_M_S2, "m s-2"),
}
SPEED = {"cms": (1.0, "cm s-1"), "cm/s": (1.0, "cm s-1")}
SITE = {"ms": (1.0, "m s-1"), "m/s": (1.0, "m s-1")}
INTENSITY = {"intensity": (1.0, "1"), "mmi": (1.0, "1")}
PLAIN = {"": (1.0, "1"), "1": (1.0, "1"), "ratio": (1.0, "1")}
LOGARITHM = dict.fromkeys(
    ("ln(pctg)", "ln(%g)", "ln(g)", "ln(cms)", "ln(cm/s)", "ln", ""), (1.0, "1")
)


def layer_name(field_name: str) -> str:
    """Our name of a ShakeMap field, with the unit where it is not SI.

    Example:
        >>> [layer_name(n) for n in ("PGA", "PGV", "PSA03", "STDPGA", "SVEL", "MMI", "SA(1.0)")]
        ['pga', 'pgv_cm_s', 'psa03', 'pga_ln_sigma', 'svel_m_s', 'mmi', 'sa_1_0']
    """
    name = re.sub(r"[^a-z0-9]+", "_", field_name.strip().lower()).strip("_")
    if name == "stdmmi":
        return "mmi_sigma"
    if name.startswith("std"):
        return name[3:].strip("_") + "_ln_sigma"
    return {"pgv": "pgv_cm_s", "svel": "svel_m_s", "vs30": "svel_m_s"}.get(name, name)


def unit_table(field_name: str) -> Mapping[str, tuple[float, str]]:
    """Units a ShakeMap field may be written in: text -> (factor, our unit).

    Example:
        >>> unit_table("PGV")["cms"], "pctg" in unit_table("STDPGA")
        ((1.0, 'cm s-1'), False)
    """
    name = field_name.strip().upper()
    if name == "STDMMI":
        return INTENSITY | PLAIN
    if name.startswith("STD"):
        return LOGARITHM
    if name.startswith(("PGA", "PSA", "SA")):
        return ACCELERATION
    if name.startswith("PGV"):
        return SPEED
    if name in ("SVEL", "VS30"):
        return SITE
    if name == "MMI":
        return INTENSITY
    if name == "URAT":
        return PLAIN
    return ACCELERATION | SPEED | SITE | INTENSITY | PLAIN


def possible_range(name: str) -> tuple[float, float]:
    """Physically possible range of a converted layer; STD fields are bounded as spreads."""
    if name.endswith("_sigma"):
        return 0.0, 10.0
    if name.startswith(("pga", "psa", "sa_")):
        return 0.0, 100.0
    return {"mmi": (0.0, 12.0), "pgv_cm_s": (0.0, 2000.0), "svel_m_s": (0.0, 5000.0)}.get(
        name, (-math.inf, math.inf)
    )
