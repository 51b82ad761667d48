"""The planted values: what the two worlds are made of (docs/world.md gives the table).

The first world's values were calibrated against the observed statistics of the first six Gorkha
epochs (benchmarks/world.py); the second world keeps them and changes the link and the size law.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hazard.world.settings import MAXIMUM_EPOCHS, WorldConfig

PerEpoch = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class SizeLaw:
    """Law of landslide areas in one epoch [m2], truncated to [lower_m2, upper_m2].

    `double_pareto`: exponents alpha and beta, scale t. `inverse_gamma`: rho, a and s.
    """

    kind: Literal["double_pareto", "inverse_gamma"]
    values: tuple[float, float, float]
    lower_m2: float
    upper_m2: float


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Everything planted; per-epoch values start with the coseismic epoch.

    Attributes:
        link: log: intensity = exp(score); softplus: a bend from exponential to linear growth.
        presence: share of mapped cells with at least one landslide source [1]; it sets the level.
        slope_centre_deg: slope at half of the slope effect [deg].
        slope_width_deg: logistic width of the slope effect [deg].
        slope_effect: effect of steep against flat ground on the score.
        hollow, wetness, stream, height, weak_rock, road, pga, rain: effects per unit of the driver.
        pga_slope: interaction of ln PGA with the slope effect.
        rain_hollow: interaction of rain with hollows.
        random, regional, epoch: standard deviations of the random effects in the score.
        legacy: effect of ln(1 + earlier landslides nearby), which halves with `legacy_half_life`.
        size_correlation: share of the variance of normal size scores that the place explains.
        size_relief: weight of the local relief in the place's size score.
    """

    link: Literal["log", "softplus"] = "log"
    presence: PerEpoch
    slope_centre_deg: float
    slope_width_deg: float
    slope_effect: PerEpoch
    hollow: float
    wetness: float
    stream: PerEpoch
    height: PerEpoch
    weak_rock: PerEpoch
    road: PerEpoch
    pga: PerEpoch
    pga_slope: float
    rain: PerEpoch
    rain_hollow: float
    random: PerEpoch
    regional: PerEpoch
    epoch: PerEpoch
    legacy: PerEpoch
    legacy_half_life_years: float
    short_range_km: float
    short_share: float
    middle_range_km: float
    regional_range_km: float
    epoch_range_km: float
    size_range_km: float
    size_correlation: PerEpoch
    size_relief: float
    sizes: tuple[SizeLaw, ...]
    baseline_presence: float
    mapper: MapperParameters


@dataclass(frozen=True, kw_only=True)
class MapperParameters:
    """How the mapper sees: per epoch, from the coseismic one on.

    Attributes:
        look: share of the earlier scars that are drawn anew in the epoch.
        patch_sd: how much of that decision is shared within an image patch, in normal scores.
        patch_range_km: range of the patches [km].
        partial: share of drawn outlines that are only partly visible in the season's images.
        patch_share: weight of the image patch, against chance, in which ones these are.
        visible: mean share of the bare ground that is drawn of a partly visible scar.
        visible_concentration: beta-law concentration of that share (large: little scatter).
        recovery_per_year: median rate at which bare ground grows over [1/year].
        recovery_log_sd: spread of its logarithm between landslides.
        redraw_log_sd: spread of a drawn outline's ln area.
        redraw_patch_share: share of its variance that the image patch explains.
    """

    look: PerEpoch
    patch_sd: float
    patch_range_km: float
    partial: PerEpoch
    patch_share: float
    visible: PerEpoch
    visible_concentration: float
    recovery_per_year: float
    recovery_log_sd: float
    redraw_log_sd: PerEpoch
    redraw_patch_share: float


def _double_pareto(alpha: float, beta: float, t: float) -> SizeLaw:
    return SizeLaw(kind="double_pareto", values=(alpha, beta, t), lower_m2=20.0, upper_m2=1.5e6)


def _inverse_gamma(rho: float, a: float, s: float) -> SizeLaw:
    return SizeLaw(kind="inverse_gamma", values=(rho, a, s), lower_m2=20.0, upper_m2=1.5e6)


_MAPPER = MapperParameters(
    look=(0.05, 0.20, 0.28, 0.32, 0.50, 0.47, 0.48, 0.42),
    patch_sd=2.5,
    patch_range_km=4.0,
    partial=(0.60, 0.45, 0.15, 0.25, 0.02, 0.35, 0.05, 0.30),
    patch_share=0.5,
    visible=(0.50, 0.50, 0.80, 0.50, 0.85, 0.50, 0.85, 0.50),
    visible_concentration=5.0,
    recovery_per_year=0.03,
    recovery_log_sd=1.0,
    redraw_log_sd=(0.08, 0.12, 0.08, 0.25, 0.02, 0.30, 0.04, 0.25),
    redraw_patch_share=0.9,
)

GORKHA_LIKE = Parameters(
    presence=(0.186, 0.150, 0.07, 0.052, 0.075, 0.035, 0.055, 0.045),
    slope_centre_deg=22.0,
    slope_width_deg=4.5,
    slope_effect=(2.6, 2.2, 1.8, 1.2, 1.8, 1.2, 1.8, 1.2),
    hollow=-0.15,
    wetness=-0.10,
    stream=(0.2, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5),
    height=(0.6, 0.0, 0.0, -0.3, 0.0, -0.3, 0.0, -0.3),
    weak_rock=(0.9, 0.8, 0.6, 0.4, 0.6, 0.4, 0.6, 0.4),
    road=(0.3, 0.7, 0.9, 1.1, 0.9, 1.1, 0.9, 1.1),
    pga=(1.0, 0.3, 0.2, 0.0, 0.2, 0.0, 0.1, 0.0),
    pga_slope=0.3,
    rain=(0.0, 0.35, 0.15, 0.35, 0.15, 0.35, 0.15, 0.35),
    rain_hollow=0.10,
    random=(1.7, 1.2, 0.9, 1.1, 1.0, 1.1, 1.0, 1.1),
    regional=(1.3, 1.4, 0.8, 0.0, 0.8, 0.0, 0.5, 0.0),
    epoch=(1.1, 1.3, 1.3, 1.2, 1.2, 1.4, 1.2, 1.2),
    legacy=(0.0, 0.25, 0.40, 0.30, 0.30, 0.25, 0.25, 0.20),
    legacy_half_life_years=2.0,
    short_range_km=3.0,
    short_share=0.7,
    middle_range_km=15.0,
    regional_range_km=75.0,
    epoch_range_km=2.5,
    size_range_km=9.0,
    size_correlation=(0.6, 0.6, 0.45, 0.9, 0.3, 0.97, 0.4, 0.9),
    size_relief=0.5,
    sizes=(
        _double_pareto(1.60, 1.7, 5000.0),
        _double_pareto(1.40, 1.5, 3300.0),
        _double_pareto(1.75, 1.4, 1700.0),
        _double_pareto(1.30, 1.4, 2400.0),
        _double_pareto(1.50, 1.5, 2500.0),
        _double_pareto(1.20, 1.6, 2900.0),
        _double_pareto(1.50, 1.4, 1900.0),
        _double_pareto(1.30, 1.4, 2400.0),
    ),
    baseline_presence=0.05,
    mapper=_MAPPER,
)

ALTERNATIVE = replace(
    GORKHA_LIKE,
    link="softplus",
    sizes=(
        _inverse_gamma(1.40, 1900.0, -150.0),
        _inverse_gamma(1.40, 1600.0, -130.0),
        *[_inverse_gamma(1.45, 1150.0, -100.0)] * (MAXIMUM_EPOCHS - 2),
    ),
)


def parameters_of(config: WorldConfig) -> Parameters:
    """The planted values of a configured world."""
    return ALTERNATIVE if config.kind == "alternative" else GORKHA_LIKE
