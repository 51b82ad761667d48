"""A deep residual U-Net on two dates and topography with deep supervision.

After Prakash et al. (2021, doi:10.1038/s41598-021-89015-8). The layer diagram of the paper's
supplement fixes blocks and widths; the two printed numbers of parameters, 18,196,053 and
20,753,365, then leave one choice each: biases in all convolutions, side outputs by 1 x 1
convolutions, and projections of 1 x 1 in the first case, 3 x 3 in the second. Nothing published
tells the dropout rates, nor whether the skip at 1/16 leaves before the dropout; here it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flax import nnx

from detection.models.base import (
    ComputeType,
    Network,
    at_least_one,
    compute_dtype,
    read_inputs,
)
from detection.models.blocks import ConvNorm, ResidualBlock
from detection.models.layers import (
    Convolution,
    Dropout,
    Feature,
    as_logit,
    double,
    interpolate,
    join,
    max_pool,
)

BLOCKS_PER_DECODER_LEVEL = 3


@dataclass(frozen=True, kw_only=True)
class BiTemporalConfig:
    """Settings of the bi-temporal network; the defaults are the published network.

    Attributes:
        bands: bands of the later image.
        pre_bands: bands of the earlier image.
        topography_bands: bands of the topography (hillshade and slope), or 0.
        width: bands of the finest stage, a multiple of 8; dates get 3/8 of it each in the stem,
            topography the rest.
        blocks: residual blocks of the four stages.
        projection_size: side of the kernels in shortcuts, 3 or 1.
        dropout: rate after the third stage; not published.
        spatial_dropout: rate of whole bands before the logit; not published.
        compute: type of the computation.
    """

    bands: int = 3
    pre_bands: int = 3
    topography_bands: int = 2
    width: int = 64
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    projection_size: int = 3
    dropout: float = 0.2
    spatial_dropout: float = 0.1
    compute: ComputeType = "float32"

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bands of every array that the network reads, in the order of the stems."""
        dates = {"pre": self.pre_bands, "image": self.bands}
        return {**dates, "topography": self.topography_bands} if self.topography_bands else dates

    @property
    def size_multiple(self) -> int:
        """The sides of a patch must be multiples of this [px]."""
        return 32

    @property
    def shares(self) -> Mapping[str, int]:
        """Bands of the stem that each input gets."""
        if not self.topography_bands:
            return {"pre": self.width // 2, "image": self.width // 2}
        date = 3 * self.width // 8
        return {"pre": date, "image": date, "topography": self.width - 2 * date}

    @property
    def widths(self) -> tuple[int, ...]:
        """Bands of the four stages; the last is as wide as the third."""
        return (self.width, 2 * self.width, 4 * self.width, 4 * self.width)


def residual_stack(
    number: int, bands: int, out: int, stride: int, config: BiTemporalConfig, kept: Any
) -> nnx.List:
    """Residual blocks, the first with a projection whatever its shapes."""
    return nnx.List(
        ResidualBlock(
            bands if i == 0 else out, out, stride=stride if i == 0 else 1, project=i == 0,
            projection_size=config.projection_size, **kept,
        )
        for i in range(number)
    )  # fmt: skip


def run(blocks: Any, x: Feature) -> Feature:
    """One block after another."""
    for block in blocks:
        x = block(x)
    return x


class Stems(nnx.Module):
    """7 x 7 convolutions with stride 2 of every input, and residual blocks at full resolution."""

    def __init__(self, config: BiTemporalConfig, kept: Any) -> None:
        self.half = nnx.Dict()
        self.full = nnx.Dict()
        for name, bands in config.inputs.items():
            share = config.shares[name]
            self.half[name] = ConvNorm(bands, share, 7, stride=2, zeros=3, **kept)
            self.full[name] = residual_stack(3, bands, share, 1, config, kept)

    def __call__(self, found: Mapping[str, Feature]) -> tuple[Feature, Feature]:
        """Inputs by name -> maps at full and at half resolution."""
        half = [self.half[name](x) for name, x in found.items()]
        return join(*(run(self.full[name], x) for name, x in found.items())), join(*half)


class ResidualEncoder(nnx.Module):
    """Stems, a 3 x 3 max pooling and the first three stages."""

    def __init__(self, config: BiTemporalConfig, kept: Any) -> None:
        self.stems = Stems(config, kept)
        above = (config.width, *config.widths)
        self.stages = nnx.List(
            residual_stack(
                config.blocks[i], above[i], config.widths[i], 1 if i == 0 else 2, config, kept
            )
            for i in range(3)
        )

    def __call__(self, found: Mapping[str, Feature]) -> list[Feature]:
        """Inputs by name -> maps at strides 1, 2, 4, 8, 16."""
        full, half = self.stems(found)
        maps, x = [full, half], max_pool(half, 3, before=1)
        for stage in self.stages:
            x = run(stage, x)
            maps.append(x)
        return maps


class ResidualDecoder(nnx.Module):
    """Nearest doubling, joining with the skip, residual blocks; five levels."""

    def __init__(self, config: BiTemporalConfig, kept: Any) -> None:
        w = config.width
        below = (4 * w, 4 * w, 2 * w, w, w)
        skips = (4 * w, 2 * w, w, w, w)
        self.levels = nnx.List(
            residual_stack(BLOCKS_PER_DECODER_LEVEL, b + s, s, 1, config, kept)
            for b, s in zip(below, skips, strict=True)
        )

    def __call__(self, x: Feature, skips: list[Feature]) -> list[Feature]:
        """Bridge and skips, finest first -> maps of all levels, coarsest first."""
        maps = []
        for blocks, skip in zip(self.levels, reversed(skips), strict=True):
            x = run(blocks, join(double(x), skip))
            maps.append(x)
        return maps


class SupervisedHead(nnx.Module):
    """1 x 1 convolutions of every level of the decoder, brought to the image's size."""

    def __init__(self, config: BiTemporalConfig, kept: Any) -> None:
        w = config.width
        self.sides = nnx.List(Convolution(b, 1, 1, **kept) for b in (4 * w, 2 * w, w, w))
        self.dropout = Dropout(config.spatial_dropout, whole_bands=True)
        self.logit = Convolution(w, 1, 1, **kept)

    def __call__(self, maps: list[Feature], rngs: nnx.Rngs | None) -> dict[str, Feature]:
        """Maps of the decoder, coarsest first -> logits by name."""
        factors = (16, 8, 4, 2)
        found = {
            f"logit_{factor}": as_logit(interpolate(side(x), factor))
            for factor, side, x in zip(factors, self.sides, maps[:4], strict=True)
        }
        return {**found, "logit": as_logit(self.logit(self.dropout(maps[4], rngs=rngs)))}


class BiTemporalUNet(Network):
    """All five logits have the size of the image; four are interpolated from coarser levels."""

    def __init__(self, config: BiTemporalConfig, rngs: nnx.Rngs) -> None:
        at_least_one(bands=config.bands, pre_bands=config.pre_bands, width=config.width)
        if config.width % 8 or len(config.blocks) != 4 or config.projection_size not in (1, 3):
            raise ValueError(
                f"width {config.width}, blocks {config.blocks}, projection_size "
                f"{config.projection_size}; use a multiple of 8, four numbers, and 1 or 3"
            )
        kept: Any = {"dtype": compute_dtype(config.compute), "rngs": rngs}
        self.config = config
        self.encoder = ResidualEncoder(config, kept)
        self.dropout = Dropout(config.dropout)
        self.bridge = residual_stack(
            config.blocks[3], config.widths[2], config.widths[3], 2, config, kept
        )
        self.decoder = ResidualDecoder(config, kept)
        self.head = SupervisedHead(config, kept)

    def __call__(
        self, batch: Mapping[str, Feature], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Feature]:
        """``logit_16``, ``logit_8``, ``logit_4``, ``logit_2``, ``logit``, all of full size."""
        skips = self.encoder(read_inputs(batch, self.config))
        x = run(self.bridge, self.dropout(skips[-1], rngs=rngs))
        return self.head(self.decoder(x, skips), rngs)
