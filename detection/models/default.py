"""The default network: a small depthwise encoder, a light decoder, one or two dates.

Full resolution is dear and says little, so it gets two narrow convolutions alone; everything else
happens at half resolution and below. Encoder blocks are depthwise 3 x 3 or 5 x 5 convolutions with
two dense maps per pixel (Liu et al., 2022, doi:10.1109/CVPR52688.2022.01167), the decoder adds
skips instead of joining them. Norms look at one pixel: neither the batch, nor the size of a tile,
nor a frozen running statistic changes a prediction.

An earlier date passes the stem of the later one (the same weights), and both, with their
difference, are mixed at half resolution; topography has a stem of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
from flax import nnx

from detection.models.base import (
    ComputeType,
    Network,
    at_least_one,
    compute_dtype,
    read_inputs,
)
from detection.models.layers import (
    Convolution,
    DepthwiseConvolution,
    Feature,
    PixelNorm,
    add,
    as_logit,
    double,
    gelu,
    join,
    subtract,
)
from detection.models.span import Span


@dataclass(frozen=True, kw_only=True)
class DefaultConfig:
    """Settings of the default network.

    Attributes:
        bands: bands of the image.
        pre_bands: bands of an earlier image, in the same order, or 0.
        topography_bands: bands of the topography, or 0.
        widths: bands of the levels at strides 2, 4, 8, ...
        blocks: blocks of every level.
        kernel_sizes: sides of the depthwise kernels of every level.
        expansion: bands between the two dense maps of a block, in multiples of its width.
        decoder_width: bands of the decoder.
        detail_width: bands at full resolution.
        positive_share: share of landslide pixels that the untrained network predicts.
        compute: type of the computation.
    """

    bands: int = 4
    pre_bands: int = 0
    topography_bands: int = 0
    widths: tuple[int, ...] = (32, 64, 128, 192)
    blocks: tuple[int, ...] = (2, 2, 3, 2)
    kernel_sizes: tuple[int, ...] = (3, 3, 5, 5)
    expansion: int = 3
    decoder_width: int = 64
    detail_width: int = 16
    positive_share: float = 0.05
    compute: ComputeType = "float32"

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bands of every array that the network reads."""
        found = {"image": self.bands, "pre": self.pre_bands, "topography": self.topography_bands}
        return {name: bands for name, bands in found.items() if bands}

    @property
    def size_multiple(self) -> int:
        """The sides of a patch must be multiples of this [px]."""
        return 2 ** len(self.widths)


class DepthwiseBlock(nnx.Module):
    """Depthwise convolution, norm, two dense maps with a GELU between, added to the input."""

    def __init__(self, bands: int, size: int, expansion: int, kept: Any) -> None:
        self.depthwise = DepthwiseConvolution(bands, size, **kept)
        self.norm = PixelNorm(bands, **kept)
        self.widen = Convolution(bands, bands * expansion, 1, **kept)
        self.narrow = Convolution(bands * expansion, bands, 1, **kept)
        # Blocks begin small beside their input, so that deep stacks train from the first step.
        self.scale = nnx.Param(jnp.full(bands, 0.1, jnp.float32))
        self.dtype = kept["dtype"]

    def __call__(self, x: Feature) -> Feature:
        """Same shape."""
        y = self.narrow(gelu(self.widen(self.norm(self.depthwise(x)))))
        return add(x, y if isinstance(y, Span) else y * jnp.asarray(self.scale[...], self.dtype))


class Stem(nnx.Module):
    """Half resolution: a 3 x 3 convolution with stride 2 and a norm."""

    def __init__(self, bands: int, out: int, kept: Any) -> None:
        self.conv = Convolution(bands, out, 3, stride=2, **kept)
        self.norm = PixelNorm(out, **kept)

    def __call__(self, x: Feature) -> Feature:
        """(patch, y, x, band) -> (patch, y / 2, x / 2, band_)."""
        return self.norm(self.conv(x))


class DepthwiseEncoder(nnx.Module):
    """Stems of the inputs, and levels of depthwise blocks."""

    def __init__(self, config: DefaultConfig, kept: Any) -> None:
        widths = config.widths
        self.stem = Stem(config.bands, widths[0], kept)
        self.two_dates, self.topography = bool(config.pre_bands), bool(config.topography_bands)
        parts = 1
        if self.two_dates:
            parts += 2
        if self.topography:
            self.topography_stem = Stem(config.topography_bands, widths[0], kept)
            parts += 1
        if parts > 1:
            self.mix = Convolution(parts * widths[0], widths[0], 1, **kept)
        self.mixed = parts > 1
        self.downs = nnx.List(
            nnx.List([PixelNorm(above, **kept), Convolution(above, width, 2, stride=2, **kept)])
            for above, width in pairwise(widths)
        )
        self.levels = nnx.List(
            nnx.List(DepthwiseBlock(width, size, config.expansion, kept) for _ in range(number))
            for width, size, number in zip(widths, config.kernel_sizes, config.blocks, strict=True)
        )

    def __call__(self, found: Mapping[str, Feature]) -> list[Feature]:
        """Inputs by name -> maps of all levels, finest first."""
        x = self.stem(found["image"])
        parts = [x]
        if self.two_dates:
            earlier = self.stem(found["pre"])
            parts += [earlier, subtract(x, earlier)]
        if self.topography:
            parts.append(self.topography_stem(found["topography"]))
        if self.mixed:
            x = self.mix(join(*parts))
        maps = []
        for level, blocks in enumerate(self.levels):
            if level:
                norm, down = self.downs[level - 1]
                x = down(norm(x))
            for block in blocks:
                x = block(x)
            maps.append(x)
        return maps


class AdditiveDecoder(nnx.Module):
    """Every level: nearest doubling plus the skip, then one depthwise block."""

    def __init__(self, config: DefaultConfig, kept: Any) -> None:
        d = config.decoder_width
        self.laterals = nnx.List(Convolution(width, d, 1, **kept) for width in config.widths)
        self.blocks = nnx.List(
            DepthwiseBlock(d, 3, config.expansion, kept) for _ in config.widths[1:]
        )
        self.detail = Convolution(sum(config.inputs.values()), config.detail_width, 3, **kept)
        self.last = Convolution(d, config.detail_width, 1, **kept)

    def __call__(self, maps: list[Feature], found: Mapping[str, Feature]) -> Feature:
        """Maps of the encoder, finest first, and the inputs -> features of full resolution."""
        sides = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        x = sides.pop()
        for block in self.blocks:
            x = block(add(double(x), sides.pop()))
        detail = self.detail(join(*found.values()))
        return join(double(self.last(x)), detail)


class DefaultNetwork(Network):
    """One logit per pixel of the image."""

    def __init__(self, config: DefaultConfig, rngs: nnx.Rngs) -> None:
        at_least_one(bands=config.bands, expansion=config.expansion)
        if not len(config.widths) == len(config.blocks) == len(config.kernel_sizes) > 0:
            raise ValueError(
                f"widths {config.widths}, blocks {config.blocks}, kernel_sizes "
                f"{config.kernel_sizes}; use one number per level in each"
            )
        if config.pre_bands not in (0, config.bands):
            raise ValueError(
                f"pre_bands {config.pre_bands} beside {config.bands} bands; both dates pass the "
                "same stem, so use the same bands"
            )
        if not 0.0 < config.positive_share < 1.0:
            raise ValueError(f"positive_share {config.positive_share}; use one between 0 and 1")
        kept: Any = {"dtype": compute_dtype(config.compute), "rngs": rngs}
        self.config = config
        self.encoder = DepthwiseEncoder(config, kept)
        self.decoder = AdditiveDecoder(config, kept)
        self.head = FineHead(config, kept)

    def __call__(
        self, batch: Mapping[str, Feature], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Feature]:
        """``logit``, of the image's size; `rngs` is not used."""
        del rngs
        found = read_inputs(batch, self.config)
        return {"logit": self.head(self.decoder(self.encoder(found), found))}


class FineHead(nnx.Module):
    """Norm, a 3 x 3 convolution and the logit, at full resolution."""

    def __init__(self, config: DefaultConfig, kept: Any) -> None:
        d = config.detail_width
        self.norm = PixelNorm(2 * d, **kept)
        self.conv = Convolution(2 * d, d, 3, **kept)
        self.logit = Convolution(d, 1, 1, **kept)
        # Landslides are rare: without this the first steps only learn how rare.
        odds = config.positive_share / (1.0 - config.positive_share)
        self.logit.bias[...] = jnp.full(1, jnp.log(odds), jnp.float32)

    def __call__(self, x: Feature) -> Feature:
        """(patch, y, x, band) -> (patch, y, x)."""
        return as_logit(self.logit(gelu(self.conv(gelu(self.norm(x))))))
