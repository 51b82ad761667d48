"""What ``python -m stats.density`` was asked for, checked before anything is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from stats.command.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DensitySettings:
    """Settings of a run.

    Attributes:
        inventories: as the command line names them, in order of time.
        out: folder of the results.
        window: file of the ground that was looked at, or None.
        epochs: names; empty for those of the files.
        years: lengths of the epochs [years]; empty where unknown, one for all, or one for each.
        cell_m: side of a cell [m].
        bandwidth_m: of the kernel [m]; None chooses by likelihood.
        adaptive: narrow kernels where landslides crowd.
        radius_m: of the neighbourhood of a hot spot [m]; None for two cells.
        crs: metric coordinate system of the maps, or None.
        level: coverage of intervals.
        seed: of everything random.
        html: build the page.
        simulations: simulated patterns behind envelopes of pairs; 0 leaves pairs out.
        dpi: resolution of the figures [dots per inch].
        reference: inventories of the same epochs to subtract, such as manual ones; empty for none.
        key: of whoever asks, kept in the record; says whether a folder is still good.
        title: of the page.
    """

    inventories: tuple[str, ...]
    out: Path
    window: Path | None = None
    epochs: tuple[str, ...] = ()
    years: tuple[float, ...] = ()
    cell_m: float = 500.0
    bandwidth_m: float | None = None
    adaptive: bool = False
    radius_m: float | None = None
    crs: str | None = None
    level: float = 0.95
    seed: int = 0
    html: bool = True
    simulations: int = 99
    dpi: int = 130
    reference: tuple[str, ...] = ()
    key: str = ""
    title: str = "Landslide densities"


def numbers_of(option: str, text: str | None) -> tuple[float, ...]:
    """Numbers between commas.

    Raises:
        UsageError: something else.

    Example:
        >>> numbers_of("--years", "0.5,1")
        (0.5, 1.0)
    """
    if text is None:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option}: found {text!r}; expected numbers between commas") from None
    return found


def check_settings(settings: DensitySettings) -> DensitySettings:
    """The settings themselves, if they can be met.

    Raises:
        UsageError: names the option, what was found and what was expected.
    """
    for option, value in (
        ("--cell", settings.cell_m), ("--bandwidth", settings.bandwidth_m),
        ("--radius", settings.radius_m),
    ):  # fmt: skip
        if value is not None and not (math.isfinite(value) and value > 0.0):
            raise UsageError(f"{option}: found {value}; expected metres above 0")
    if settings.bandwidth_m is not None and settings.bandwidth_m < settings.cell_m:
        raise UsageError(
            f"--bandwidth: found {settings.bandwidth_m:g} m; expected at least the side of a cell, "
            f"{settings.cell_m:g} m (--cell)"
        )
    if settings.radius_m is not None and settings.radius_m < settings.cell_m:
        raise UsageError(
            f"--radius: found {settings.radius_m:g} m; expected at least the side of a cell, "
            f"{settings.cell_m:g} m (--cell)"
        )
    if not 0.0 < settings.level < 1.0:
        raise UsageError(f"--level: found {settings.level}; expected a number between 0 and 1")
    fewest = math.ceil(1.0 / (1.0 - settings.level) - 1e-9) - 1
    if settings.simulations and settings.simulations < fewest:
        raise UsageError(
            f"--simulations: found {settings.simulations}; expected 0, or {fewest} and more for a "
            f"level of {settings.level:g}"
        )
    if any(not (math.isfinite(y) and y > 0.0) for y in settings.years):
        raise UsageError(f"--years: found {settings.years}; expected lengths above 0")
    return settings
