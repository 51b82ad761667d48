"""U-Nets: three published variants and their common design, plain, residual, with attention.

The variants differ where papers say nothing: in batch norm, in how the decoder grows and in how it
ends. `UNetConfig.variant` names them after the public code that they follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flax import nnx

from detection.models.base import (
    ComputeType,
    Network,
    at_least_one,
    compute_dtype,
    read_inputs,
)
from detection.models.blocks import AttentionGate, BlockKind, ConvNorm, make_block
from detection.models.layers import (
    Convolution,
    Feature,
    TransposedConvolution,
    as_logit,
    double,
    join,
    max_pool,
    relu,
)

Variant = Literal["symmetric", "large_scale", "nepal", "hr_gldd"]
LEVELS = 4


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Settings of the U-Nets without attention.

    Attributes:
        bands: bands of the image.
        filters: bands of the finest level; each level below has twice as many.
        variant: ``symmetric`` has batch norm everywhere and a decoder as wide as the encoder;
            ``large_scale``, ``nepal`` and ``hr_gldd`` follow the public code of Bhuyan et al.
            (2023), of the Rasuwa study and of HR-GLDD (Meena et al., 2023).
        compute: type of the computation.
    """

    bands: int = 4
    filters: int = 16
    variant: Variant = "symmetric"
    compute: ComputeType = "float32"

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bands of every array that the network reads."""
        return {"image": self.bands}

    @property
    def size_multiple(self) -> int:
        """The sides of a patch must be multiples of this [px]."""
        return 2**LEVELS


@dataclass(frozen=True, kw_only=True)
class PyramidConfig:
    """Settings of the residual and attention U-Nets.

    Attributes:
        bands: bands of the image.
        filters: bands of the finest level; each level below has twice as many.
        compute: type of the computation.
    """

    bands: int = 4
    filters: int = 16
    compute: ComputeType = "float32"

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bands of every array that the network reads."""
        return {"image": self.bands}

    @property
    def size_multiple(self) -> int:
        """The sides of a patch must be multiples of this [px]."""
        return 2**LEVELS


@dataclass(frozen=True, kw_only=True)
class Design:
    """What distinguishes one U-Net from another.

    Attributes:
        bands: bands of the image.
        widths: bands of the levels, finest first, and of the bridge.
        up_widths: bands after each upsampling, coarsest first.
        encoder: kind of block in the encoder,
        bridge: in the bridge,
        decoder: and in the decoder.
        decoder_convolutions: convolutions of each level of the decoder, coarsest first.
        resized: upsample by nearest neighbours, a 2 x 2 convolution and a ReLU instead of by a
            transposed 2 x 2 convolution.
        gated: attention gates on all skips but the finest.
        two_band_end: a 3 x 3 convolution to two bands and a ReLU before the logit.
        initialiser: of the kernels.
    """

    bands: int
    widths: tuple[int, ...]
    up_widths: tuple[int, ...]
    encoder: BlockKind = "normalised"
    bridge: BlockKind = "normalised"
    decoder: BlockKind = "normalised"
    decoder_convolutions: tuple[int, ...] = (2, 2, 2, 2)
    resized: bool = False
    gated: bool = False
    two_band_end: bool = False
    initialiser: str = "glorot_uniform"


class Encoder(nnx.Module):
    """Blocks with a max pooling after each."""

    def __init__(self, design: Design, dtype: Any, rngs: nnx.Rngs) -> None:
        above = (design.bands, *design.widths)
        self.levels = nnx.List(
            make_block(
                design.encoder, above[level], design.widths[level],
                initialiser=design.initialiser, dtype=dtype, rngs=rngs,
            )
            for level in range(LEVELS)
        )  # fmt: skip

    def __call__(self, x: Feature) -> tuple[Feature, list[Feature]]:
        """The image -> what the bridge reads, and the skips, finest first."""
        skips = []
        for block in self.levels:
            skips.append(block(x))
            x = max_pool(skips[-1])
        return x, skips


class Level(nnx.Module):
    """One level of a decoder: upsampling, joining with the skip, convolutions."""

    def __init__(self, design: Design, index: int, bands: int, dtype: Any, rngs: nnx.Rngs) -> None:
        skip, up = design.widths[LEVELS - 1 - index], design.up_widths[index]
        kept: Any = {"dtype": dtype, "rngs": rngs}
        self.resized = design.resized
        self.gated = design.gated and index < LEVELS - 1
        if self.gated:
            self.signal = ConvNorm(bands, bands, 1, **kept)
            self.gate = AttentionGate(skip, bands, skip, **kept)
        layer = Convolution(bands, up, 2, initialiser=design.initialiser, **kept)
        self.up = layer if design.resized else TransposedConvolution(bands, up, 2, **kept)
        self.block = make_block(
            design.decoder, skip + up, skip, convolutions=design.decoder_convolutions[index],
            initialiser=design.initialiser, **kept,
        )  # fmt: skip

    def __call__(self, x: Feature, skip: Feature) -> Feature:
        """(patch, y, x, band) and a skip of twice the size -> the size of the skip."""
        if self.gated:
            skip = self.gate(skip, self.signal(x))
        up = relu(self.up(double(x))) if self.resized else self.up(x)
        return self.block(join(skip, up))


class Decoder(nnx.Module):
    """Levels from the bridge to the resolution of the image."""

    def __init__(self, design: Design, dtype: Any, rngs: nnx.Rngs) -> None:
        below = tuple(reversed(design.widths))
        self.levels = nnx.List(
            Level(design, index, below[index], dtype, rngs) for index in range(LEVELS)
        )

    def __call__(self, x: Feature, skips: list[Feature]) -> Feature:
        """Output of the bridge and skips, finest first -> features of the image's size."""
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            x = level(x, skip)
        return x


class Head(nnx.Module):
    """The logit, after a narrow passage where the design has one."""

    def __init__(self, design: Design, dtype: Any, rngs: nnx.Rngs) -> None:
        bands = design.widths[0]
        self.narrow = design.two_band_end
        if self.narrow:
            self.two = Convolution(
                bands, 2, 3, initialiser=design.initialiser, dtype=dtype, rngs=rngs
            )
        self.logit = Convolution(2 if self.narrow else bands, 1, 1, dtype=dtype, rngs=rngs)

    def __call__(self, x: Feature) -> Feature:
        """(patch, y, x, band) -> (patch, y, x)."""
        return as_logit(self.logit(relu(self.two(x)) if self.narrow else x))


class UNet(Network):
    """Four levels and a bridge (Ronneberger et al., 2015, doi:10.1007/978-3-319-24574-4_28)."""

    def __init__(self, config: Any, design: Design, rngs: nnx.Rngs) -> None:
        dtype = compute_dtype(config.compute)
        self.config = config
        self.encoder = Encoder(design, dtype, rngs)
        self.bridge = make_block(
            design.bridge, design.widths[LEVELS - 1], design.widths[LEVELS],
            initialiser=design.initialiser, dtype=dtype, rngs=rngs,
        )  # fmt: skip
        self.decoder = Decoder(design, dtype, rngs)
        self.head = Head(design, dtype, rngs)

    def __call__(
        self, batch: Mapping[str, Feature], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Feature]:
        """``logit``, of the image's size; `rngs` is not used."""
        del rngs
        x, skips = self.encoder(read_inputs(batch, self.config)["image"])
        return {"logit": self.head(self.decoder(self.bridge(x), skips))}


def build_unet(config: UNetConfig, rngs: nnx.Rngs) -> UNet:
    """A U-Net in the variant that the settings name.

    Raises:
        ValueError: an unknown variant, or settings below 1.
    """
    at_least_one(bands=config.bands, filters=config.filters)
    widths = pyramid(config.filters)
    mirrored = tuple(reversed(widths[:LEVELS]))
    designs = {
        "symmetric": Design(bands=config.bands, widths=widths, up_widths=mirrored),
        "large_scale": Design(
            bands=config.bands, widths=widths, up_widths=mirrored, bridge="plain",
            decoder="plain", decoder_convolutions=(2, 2, 1, 2), initialiser="glorot_normal",
        ),
        # The public code writes these widths down, whatever the number of filters.
        "nepal": Design(bands=config.bands, widths=widths, up_widths=(128, 64, 32, 16)),
        "hr_gldd": Design(
            bands=config.bands, widths=widths, up_widths=mirrored, encoder="plain",
            bridge="plain", decoder="plain", resized=True, two_band_end=True,
            initialiser="glorot_normal",
        ),
    }  # fmt: skip
    if config.variant not in designs:
        raise ValueError(f"variant {config.variant!r}; use one of {', '.join(designs)}")
    return UNet(config, designs[config.variant], rngs)


def build_pyramid(config: PyramidConfig, rngs: nnx.Rngs, *, residual: bool, gated: bool) -> UNet:
    """The symmetric U-Net with residual blocks, attention gates, or both."""
    at_least_one(bands=config.bands, filters=config.filters)
    widths = pyramid(config.filters)
    kind: BlockKind = "residual" if residual else "normalised"
    design = Design(
        bands=config.bands, widths=widths, up_widths=tuple(reversed(widths[:LEVELS])),
        encoder=kind, bridge=kind, decoder=kind, gated=gated,
    )  # fmt: skip
    return UNet(config, design, rngs)


def pyramid(filters: int) -> tuple[int, ...]:
    """Bands of the levels and of the bridge.

    Example:
        >>> pyramid(16)
        (16, 32, 64, 128, 256)
    """
    return tuple(filters * 2**level for level in range(LEVELS + 1))
