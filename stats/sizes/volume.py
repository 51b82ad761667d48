r"""Volume of landslides from their areas, by published scaling laws with all of their uncertainty.

.. math:: \log_{10} V = \log_{10} a + \gamma \log_{10} A + \varepsilon, \qquad
          \varepsilon \sim N(0, s^2), \quad A \text{ in m}^2, \ V \text{ in m}^3.

Three things make a total uncertain, and all are carried on: the regression parameters (correlated,
and shared by all landslides of a total, so they do not average out); the scatter s of single
landslides about the line (averages out, but lifts the total: the line is a median in log space, and
the mean of a log-normal law is :math:`\exp((s \ln 10)^2 / 2)` times its median); and, where many
landslides of a region depart from the line together, the shared part of that scatter.

Papers print the standard errors of :math:`\log_{10} a` and :math:`\gamma` and the number of
landslides n, seldom the scatter and never the correlation. Both follow from the theory of simple
regression once the standard deviation d of :math:`\log_{10} A` in the sample is known:
:math:`s = se_\gamma \sqrt{n}\, d`, the quadratic mean of :math:`\log_{10} A` is
:math:`q = se_a / se_\gamma`, and the correlation of the estimates is
:math:`-\sqrt{q^2 - d^2} / q`. The spread d is assumed here, as each law's note says; give your own
scatter where you know it.

The values below are those in common use. They were not compared with the papers, so each law says
`verified=False`. Those of Larsen et al. agree among themselves: n, exponent and standard error give
back coefficients of determination of 0.94, 0.97 and 0.91.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_finite
from stats.resampling.interval import Interval

LN10 = math.log(10.0)


@dataclass(frozen=True)
class AreaVolumeLaw:
    """A published law of landslide volume V [m3] = a A^gamma of area A [m2].

    Attributes:
        name: short name.
        title: what it was fitted to.
        coefficient_log10: log10 of a.
        coefficient_log10_se: its standard error.
        exponent: gamma.
        exponent_se: its standard error.
        n: number of landslides of the fit.
        area_log10_sd: standard deviation of log10 A among them (assumed, see the module).
        source: author, year, journal.
        doi: of the source.
        verified: whether the values were compared with the paper.
        note: where the values come from and what is assumed.
    """

    name: str
    title: str
    coefficient_log10: float
    coefficient_log10_se: float
    exponent: float
    exponent_se: float
    n: int
    area_log10_sd: float
    source: str
    doi: str
    verified: bool
    note: str

    @property
    def residual_log10_sd(self) -> float:
        """Scatter s of log10 V about the law, from the standard error of the exponent."""
        return self.exponent_se * math.sqrt(self.n) * self.area_log10_sd

    @property
    def correlation(self) -> float:
        """Correlation of the two estimates, negative where the areas lie above 1 m2."""
        q = self.coefficient_log10_se / self.exponent_se
        return -math.sqrt(max(q * q - self.area_log10_sd**2, 0.0)) / q

    def median_volume_m3(self, areas_m2: ArrayLike) -> FloatArray:
        """Volume of each landslide on the line itself, the median of the law.

        Example:
            >>> AREA_VOLUME_LAWS["guzzetti2009"].median_volume_m3([1000.0]).round()
            array([1657.])
        """
        areas = np.asarray(areas_m2, dtype=np.float64)
        return np.asarray(10.0**self.coefficient_log10 * areas**self.exponent)


_LARSEN = "Larsen, Montgomery & Korup 2010, Nature Geoscience 3, 247-251"
_LARSEN_DOI = "10.1038/ngeo776"
_ASSUMED = "values in common use, not compared with the paper; spread of log10 area assumed"

AREA_VOLUME_LAWS: Mapping[str, AreaVolumeLaw] = MappingProxyType(
    {
        law.name: law
        for law in (
            AreaVolumeLaw(
                "guzzetti2009",
                "landslides of the slide type, world",
                math.log10(0.074),
                0.040,
                1.450,
                0.0097,
                677,
                1.3,
                "Guzzetti, Ardizzone, Cardinali, Rossi & Valigi 2009, Earth and Planetary Science "
                "Letters 279, 222-229",
                "10.1016/j.epsl.2009.01.005",
                False,
                "coefficients agree in two secondary sources; standard errors derived from n = 677 "
                "and R2 = 0.97 (neither compared with the paper); spread of log10 area assumed",
            ),
            AreaVolumeLaw(
                "larsen2010_all",
                "all landslides, soil and bedrock",
                -0.836,
                0.015,
                1.332,
                0.005,
                4231,
                1.2,
                _LARSEN,
                _LARSEN_DOI,
                False,
                _ASSUMED,
            ),
            AreaVolumeLaw(
                "larsen2010_bedrock",
                "bedrock landslides",
                -0.73,
                0.06,
                1.35,
                0.01,
                604,
                1.3,
                _LARSEN,
                _LARSEN_DOI,
                False,
                _ASSUMED,
            ),
            AreaVolumeLaw(
                "larsen2010_soil",
                "soil landslides",
                -0.44,
                0.02,
                1.145,
                0.008,
                2136,
                0.7,
                _LARSEN,
                _LARSEN_DOI,
                False,
                _ASSUMED,
            ),
        )
    }
)


@dataclass(frozen=True)
class TotalVolume:
    """Volume of all landslides of an inventory.

    Attributes:
        volume_m3: expected total with its interval.
        median_line_m3: sum of the law's medians, without the lift by scatter: what is usually
            printed, too low by `lift`.
        lift: exp((s ln 10)^2 / 2).
        parameter_log10_sd: spread of log10 total from the parameters alone.
        scatter_log10_sd: spread of log10 total from the scatter alone.
        law: the law used.
        residual_log10_sd: the scatter s used.
        shared: share of the scatter's variance common to all landslides.
        notes: what a reader must know.
    """

    volume_m3: Interval
    median_line_m3: float
    lift: float
    parameter_log10_sd: float
    scatter_log10_sd: float
    law: AreaVolumeLaw
    residual_log10_sd: float
    shared: float
    notes: tuple[str, ...]


def law_of_volume(name: str) -> AreaVolumeLaw:
    """The law of that name.

    Example:
        >>> law_of_volume("larsen")
        Traceback (most recent call last):
        ValueError: area-volume law: found 'larsen'; expected one of guzzetti2009, larsen2010_all, \
larsen2010_bedrock, larsen2010_soil
    """
    if name not in AREA_VOLUME_LAWS:
        known = ", ".join(AREA_VOLUME_LAWS)
        raise ValueError(f"area-volume law: found {name!r}; expected one of {known}")
    return AREA_VOLUME_LAWS[name]


def total_volume(
    areas_m2: ArrayLike,
    law: str | AreaVolumeLaw,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
    residual_log10_sd: float | None = None,
    shared: float = 0.0,
) -> TotalVolume:
    """Total volume of the mapped landslides, with the uncertainty of the law.

    The areas are taken as they are: this is the volume of these landslides, not of what the same
    trigger might have brought.

    Args:
        areas_m2: (n,) areas, at least one.
        law: name in `AREA_VOLUME_LAWS`, or a law of your own.
        rng: source of the draws.
        draws: number of draws of parameters and scatter.
        level: nominal coverage.
        residual_log10_sd: scatter of log10 V; the law's own where None, 0 for none.
        shared: share of the scatter's variance that all landslides of the inventory have in common,
            0 (independent, as the regression assumes) to 1.

    Raises:
        ValueError: no areas, an area not above 0, an unknown law, a negative scatter, a share
            outside [0, 1].

    Example:
        >>> total = total_volume([1e3, 1e4], "larsen2010_all", rng=np.random.default_rng(0))
        >>> round(total.median_line_m3), round(total.lift, 2)
        (32491, 1.5)
    """
    areas = as_finite("areas_m2", areas_m2)
    if areas.ndim != 1 or areas.size == 0:
        raise ValueError(f"areas_m2: found shape {areas.shape}; expected one dimension, not empty")
    if areas.min() <= 0.0:
        raise ValueError(f"areas_m2: found a smallest area of {areas.min():g}; expected above 0")
    if not 0.0 <= shared <= 1.0:
        raise ValueError(f"shared: found {shared}; expected within [0, 1]")
    chosen = law_of_volume(law) if isinstance(law, str) else law
    s = chosen.residual_log10_sd if residual_log10_sd is None else float(residual_log10_sd)
    if not (math.isfinite(s) and s >= 0.0):
        raise ValueError(f"residual_log10_sd: found {s}; expected a finite number of 0 or more")

    line = chosen.median_volume_m3(areas)
    mean_log = float(line @ np.log10(areas) / line.sum())
    coefficient, exponent = _parameters(chosen, rng, draws)
    own, common = s * math.sqrt(1.0 - shared), s * math.sqrt(shared)
    by_parameters, by_scatter = np.empty(draws), np.empty(draws)
    for i in range(draws):
        drawn = 10.0 ** coefficient[i] * areas ** exponent[i]
        factor = np.exp(LN10 * (own * rng.standard_normal(areas.size) + common * rng.normal()))
        by_parameters[i] = drawn.sum()
        by_scatter[i] = drawn @ factor
    lift = math.exp(0.5 * (s * LN10) ** 2)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(by_scatter, [tail, 100.0 - tail])
    value = float(line.sum()) * lift
    ratio = np.log10(by_scatter / by_parameters)
    notes = [] if chosen.verified else [f"{chosen.name}: not verified ({chosen.note})"]
    notes.append(
        f"the mean of log area, weighted by volume, lies at {10.0**mean_log:.3g} m2; outside the "
        "areas of its sample the law is an extrapolation"
    )
    return TotalVolume(
        Interval(value, float(low), float(high), areas.size, "draw of the law", level, draws),
        float(line.sum()),
        lift,
        float(np.std(np.log10(by_parameters), ddof=1)),
        float(np.std(ratio, ddof=1)),
        chosen,
        s,
        shared,
        tuple(notes),
    )


def _parameters(
    law: AreaVolumeLaw, rng: np.random.Generator, draws: int
) -> tuple[FloatArray, FloatArray]:
    """Correlated draws of log10 a and gamma."""
    first, second = rng.standard_normal((2, draws))
    r = law.correlation
    coefficient = law.coefficient_log10 + law.coefficient_log10_se * first
    mixed = r * first + math.sqrt(1.0 - r * r) * second
    return coefficient, law.exponent + law.exponent_se * mixed
