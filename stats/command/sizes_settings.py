"""What one run of ``python -m stats.sizes`` was asked to do, checked before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from stats.command.errors import UsageError

# Names on the command line and the laws of the engine: under a detection limit the Double Pareto
# Simplified law is fitted in its extended family (beta >= -alpha).
LAW_NAMES = {
    "dps": "dps_extended",
    "dp": "dp",
    "ig": "ig",
    "lognormal": "lognormal",
    "power": "power",
    "gpd": "gpd",
    "egpd": "egpd",
}
LAW_TITLES = {
    "dps": "Double Pareto Simplified, extended under truncation",
    "dp": "Double Pareto (Stark & Hovius), both ends fixed",
    "ig": "inverse gamma, three parameters",
    "lognormal": "lognormal",
    "power": "power law (Pareto)",
    "gpd": "generalised Pareto",
    "egpd": "extended generalised Pareto",
}
UNITS = ("m2", "km2", "ha")


@dataclass(frozen=True, kw_only=True)
class SizesSettings:
    """Settings of a run.

    Attributes:
        inventories: as named on the command line.
        reference: reference inventories, one for each inventory or one for all; empty for none.
        cutoff_m2: minimum mapping area for all; None: of each, from its file or areas.
        pixel_m2: pixel area for all; None: found in the areas; 0: areas are exact.
        laws: names of `LAW_NAMES`; the first is the one whose details are drawn.
        bayes: also sample the posterior.
        cuts: multiples of the minimum for the table against the cut; empty for none.
        draws: simulated inventories behind each p-value, and bootstrap refits behind each band;
            0: neither.
        level: coverage of intervals.
        seed: of everything random.
        unit: of tables of areas.
        crs: coordinate system of vector files that state none.
        least_overlap: part of the smaller outline that two must share to match.
        html: build the page into HTML.
        out: folder of the results.
    """

    inventories: tuple[str, ...]
    reference: tuple[str, ...] = ()
    cutoff_m2: float | None = None
    pixel_m2: float | None = None
    laws: tuple[str, ...] = ("dps",)
    bayes: bool = False
    cuts: tuple[float, ...] = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
    draws: int = 199
    level: float = 0.95
    seed: int = 0
    unit: str = "m2"
    crs: str | None = None
    least_overlap: float = 0.1
    html: bool = True
    out: Path


def parse_cutoff(text: str) -> float | None:
    """``auto`` or an area in m2.

    Example:
        >>> parse_cutoff("auto"), parse_cutoff("250")
        (None, 250.0)
    """
    if text.strip().lower() == "auto":
        return None
    value = _number("--cutoff", text, "auto, or an area in m2 above 0")
    if not value > 0.0:
        raise UsageError(f"--cutoff: found {text!r}; expected auto, or an area in m2 above 0")
    return value


def parse_laws(text: str) -> tuple[str, ...]:
    """Names of laws, separated by commas, each once.

    Example:
        >>> parse_laws("dps, ig")
        ('dps', 'ig')
    """
    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in LAW_NAMES:
            from stats.command.vector_file import did_you_mean

            hint = did_you_mean(name, LAW_NAMES)
            raise UsageError(f"--law: found {name!r}{hint}; expected of {', '.join(LAW_NAMES)}")
    if not names:
        raise UsageError(f"--law: found none; expected one or more of {', '.join(LAW_NAMES)}")
    return names


def parse_cuts(text: str) -> tuple[float, ...]:
    """``none``, or multiples of the minimum mapping area, 1 or more.

    Example:
        >>> parse_cuts("1,1.5,2"), parse_cuts("none")
        ((1.0, 1.5, 2.0), ())
    """
    if text.strip().lower() == "none":
        return ()
    expected = "none, or multiples of the minimum mapping area such as 1,1.5,2"
    values = sorted({_number("--cuts", part, expected) for part in text.split(",")})
    if values[0] < 1.0:
        raise UsageError(
            f"--cuts: found {values[0]:g}; expected 1 or more: nothing was mapped below"
        )
    return tuple(dict.fromkeys([1.0, *values]))


def _number(option: str, text: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{option}: found {text!r}; expected {expected}")
    return value


def check_settings(settings: SizesSettings) -> SizesSettings:
    """The settings, or a UsageError that names what cannot be.

    Raises:
        UsageError: numbers out of range, or references that do not pair with the inventories.
    """
    if settings.unit not in UNITS:
        raise UsageError(f"--unit: found {settings.unit!r}; expected one of {', '.join(UNITS)}")
    if not 0.5 <= settings.level < 1.0:
        raise UsageError(f"--level: found {settings.level:g}; expected a share from 0.5 to below 1")
    least = max(20, math.ceil(2.0 / (1.0 - settings.level) - 1e-9))
    if settings.draws != 0 and settings.draws < least:
        raise UsageError(
            f"--draws: found {settings.draws}; expected {least} or more at level "
            f"{settings.level:g}, or 0 for no p-values and bands"
        )
    if settings.pixel_m2 is not None and not settings.pixel_m2 >= 0.0:
        raise UsageError(f"--pixel: found {settings.pixel_m2:g}; expected an area in m2, or 0")
    if not 0.0 <= settings.least_overlap <= 1.0:
        raise UsageError(f"--least-overlap: found {settings.least_overlap:g}; expected 0 to 1")
    return settings
