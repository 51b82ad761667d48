"""A susceptibility and a density network side by side, with the names a curriculum freezes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flax import nnx
from jaxtyping import Array

from hazard.models.base import ComputeType
from hazard.models.described_density import DescribedDensity, DescribedDensityConfig
from hazard.models.described_susceptibility import (
    DescribedSusceptibility,
    DescribedSusceptibilityConfig,
)
from hazard.models.reference_density import ReferenceDensity, ReferenceDensityConfig
from hazard.models.reference_susceptibility import (
    ReferenceSusceptibility,
    ReferenceSusceptibilityConfig,
)


@dataclass(frozen=True, kw_only=True)
class PairConfig:
    """Settings of the published pair.

    Attributes:
        bands: predictors per pixel.
        pixels_per_cell: pixels along one side of a cell; 32 as published.
        compute: type of the computation.
    """

    bands: int = 13
    pixels_per_cell: int = 32
    compute: ComputeType = "float32"


class Pair(nnx.Module):
    """Both networks on the same pixels; each is a part that can be frozen."""

    def __init__(self, susceptibility: nnx.Module, density: nnx.Module) -> None:
        self.susceptibility = susceptibility
        self.density = density

    def __call__(
        self, batch: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Array]:
        """`logit` of the one and `density` of the other."""
        return {**self.susceptibility(batch, rngs=rngs), **self.density(batch, rngs=rngs)}


def build_reference(config: PairConfig, rngs: nnx.Rngs) -> Pair:
    """The published pair as its code has it.

    Raises:
        ValueError: other than 32 pixels per cell: the strides of the encoder multiply to 32.
    """
    if config.pixels_per_cell != 32:
        raise ValueError(f"{config.pixels_per_cell} pixels per cell; the reference has 32")
    return Pair(
        ReferenceSusceptibility(
            ReferenceSusceptibilityConfig(bands=config.bands, compute=config.compute), rngs
        ),
        ReferenceDensity(ReferenceDensityConfig(bands=config.bands, compute=config.compute), rngs),
    )


def build_described(config: PairConfig, rngs: nnx.Rngs) -> Pair:
    """The pair as the paper's text describes it."""
    f = config.pixels_per_cell
    return Pair(
        DescribedSusceptibility(
            DescribedSusceptibilityConfig(
                bands=config.bands, pixels_per_cell=f, compute=config.compute
            ),
            rngs,
        ),
        DescribedDensity(
            DescribedDensityConfig(bands=config.bands, pixels_per_cell=f, compute=config.compute),
            rngs,
        ),
    )
