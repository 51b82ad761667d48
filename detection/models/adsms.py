"""The attention deep-supervision multi-scale U-Net (ADSMS), and the attention U-Net beside it.

As published (Bhuyan et al., 2023; public code after Abraham & Khan, 2019,
doi:10.1109/ISBI.2019.8759329), which is irregular in five ways. Each is an option:

- the fourth level has 2 F bands instead of 8 F, and the transposed convolutions have F, 2 F, F, F
  instead of 8 F, 4 F, 2 F, F (`regular_widths`);
- the third gate takes its signal two levels below its skip, where the others take it one level
  below (`third_gate`);
- the finest skip passes no gate (`gate_finest`);
- the convolutions of the reduced images have no batch norm (`scale_norm`);
- the convolution blocks of the decoder feed the logits alone: the next level starts from what went
  into them (`decoder_through_blocks`).
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
from detection.models.blocks import AttentionGate, ConvNorm, ConvolutionBlock
from detection.models.layers import (
    Convolution,
    Feature,
    TransposedConvolution,
    as_logit,
    average_pool,
    join,
    max_pool,
    relu,
)

NORMAL = "glorot_normal"


@dataclass(frozen=True, kw_only=True)
class AdsmsConfig:
    """Settings of the ADSMS U-Net; the defaults are the published network.

    Attributes:
        bands: bands of the image.
        filters: bands of the finest level, F.
        multi_scale: reduced images join levels 2 to 4; without them it is the published attention
            U-Net with deep supervision.
        regular_widths: see the module,
        third_gate: ``coarse`` as published, or ``fine``,
        gate_finest: see the module,
        scale_norm: see the module,
        decoder_through_blocks: see the module.
        compute: type of the computation.
    """

    bands: int = 5
    filters: int = 32
    multi_scale: bool = True
    regular_widths: bool = False
    third_gate: Literal["coarse", "fine"] = "coarse"
    gate_finest: bool = False
    scale_norm: bool = False
    decoder_through_blocks: bool = False
    compute: ComputeType = "float32"

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bands of every array that the network reads."""
        return {"image": self.bands}

    @property
    def size_multiple(self) -> int:
        """The sides of a patch must be multiples of this [px]."""
        return 16

    @property
    def widths(self) -> tuple[int, ...]:
        """Bands of the four levels and of the bridge."""
        f = self.filters
        return (f, 2 * f, 4 * f, 8 * f if self.regular_widths else 2 * f, 16 * f)

    @property
    def up_widths(self) -> tuple[int, ...]:
        """Bands of the four transposed convolutions, coarsest first."""
        f = self.filters
        return (8 * f, 4 * f, 2 * f, f) if self.regular_widths else (f, 2 * f, f, f)


@dataclass(frozen=True, kw_only=True)
class PublishedAttentionConfig:
    """Settings of the attention U-Net of the same code: no blocks in the decoder, one logit.

    Attributes:
        bands: bands of the image.
        filters: bands of the finest level, F; the levels have F, F, 2 F, 2 F, the bridge 4 F.
        compute: type of the computation.
    """

    bands: int = 5
    filters: int = 32
    compute: ComputeType = "float32"

    multi_scale = False
    third_gate = "coarse"
    gate_finest = False
    scale_norm = False

    @property
    def inputs(self) -> Mapping[str, int]:
        """Bands of every array that the network reads."""
        return {"image": self.bands}

    @property
    def size_multiple(self) -> int:
        """The sides of a patch must be multiples of this [px]."""
        return 16

    @property
    def widths(self) -> tuple[int, ...]:
        """Bands of the four levels and of the bridge."""
        f = self.filters
        return (f, f, 2 * f, 2 * f, 4 * f)

    @property
    def up_widths(self) -> tuple[int, ...]:
        """Bands of the four transposed convolutions, coarsest first."""
        f = self.filters
        return (f, 2 * f, f, f)


class MultiScaleEncoder(nnx.Module):
    """Four levels; from the second on, the image of that size joins what comes from above."""

    def __init__(self, config: Any, dtype: Any, rngs: nnx.Rngs) -> None:
        kept: Any = {"dtype": dtype, "rngs": rngs}
        widths = config.widths
        self.multi_scale, self.scale_norm = config.multi_scale, config.scale_norm
        self.levels = nnx.List()
        self.scales = nnx.List()
        above = config.bands
        for level, width in enumerate(widths[:4]):
            extra = 0
            if level and config.multi_scale:
                extra = config.filters * 2**level
                layer = ConvNorm if config.scale_norm else Convolution
                self.scales.append(layer(config.bands, extra, 3, **kept))
            block = ConvolutionBlock(above + extra, width, initialiser=NORMAL, **kept)
            self.levels.append(block)
            above = width

    def __call__(self, image: Feature) -> tuple[Feature, list[Feature]]:
        """The image -> what the bridge reads, and the skips, finest first."""
        x, skips = image, []
        for level, block in enumerate(self.levels):
            if level and self.multi_scale:
                image = average_pool(image)
                scaled = self.scales[level - 1](image)
                x = join(scaled if self.scale_norm else relu(scaled), x)
            skips.append(block(x))
            x = max_pool(skips[-1])
        return x, skips


class GatedDecoder(nnx.Module):
    """Transposed convolutions joined with gated skips; blocks only where they feed the next."""

    def __init__(self, config: Any, dtype: Any, rngs: nnx.Rngs, *, through: bool) -> None:
        kept: Any = {"dtype": dtype, "rngs": rngs}
        f, widths, ups = config.filters, config.widths, config.up_widths
        skips = tuple(reversed(widths[:4]))
        joined = tuple(up + skip for up, skip in zip(ups, skips, strict=True))
        # What a level hands on: its joined maps, or its block's output.
        self.through = through
        handed = tuple(8 * f // 2**i for i in range(4)) if through else joined
        self.coarse_third = config.third_gate == "coarse"
        self.gate_count = 4 if config.gate_finest else 3
        # Index of the map that gates each skip: 0 is the bridge, i the output of level i.
        self.sources = (0, 1, 1 if self.coarse_third else 2, 3)
        from_bands = (widths[4], *handed)
        self.signals = nnx.List()
        self.gates = nnx.List()
        for i in range(self.gate_count):
            gate_bands = from_bands[self.sources[i]]
            self.signals.append(ConvNorm(gate_bands, gate_bands, 1, initialiser=NORMAL, **kept))
            self.gates.append(
                AttentionGate(
                    skips[i], gate_bands, max(4 * f // 2**i, 1),
                    upsample=2 ** (i - self.sources[i]), **kept,
                )
            )  # fmt: skip
        self.ups = nnx.List(
            TransposedConvolution(bands, up, 3, **kept)
            for bands, up in zip(from_bands[:4], ups, strict=True)
        )

    def __call__(
        self, bridge: Feature, skips: list[Feature], blocks: Any
    ) -> tuple[list[Feature], list[Feature]]:
        """Joined maps of the four levels, coarsest first, and their blocks' outputs."""
        maps, joined, refined = [bridge], [], []
        for i, skip in enumerate(reversed(skips)):
            if i < self.gate_count:
                skip = self.gates[i](skip, self.signals[i](maps[self.sources[i]]))
            joined.append(join(relu(self.ups[i](maps[-1])), skip))
            if blocks is not None:
                refined.append(blocks[i](joined[-1]))
            maps.append(refined[-1] if self.through else joined[-1])
        return joined, refined


class SideHead(nnx.Module):
    """The convolution block of every level of the decoder, and its logit."""

    def __init__(self, config: Any, dtype: Any, rngs: nnx.Rngs) -> None:
        kept: Any = {"dtype": dtype, "rngs": rngs}
        skips = tuple(reversed(config.widths[:4]))
        outs = [8 * config.filters // 2**i for i in range(4)]
        self.blocks = nnx.List(
            ConvolutionBlock(up + skip, out, initialiser=NORMAL, **kept)
            for up, skip, out in zip(config.up_widths, skips, outs, strict=True)
        )
        self.logits = nnx.List(Convolution(out, 1, 1, **kept) for out in outs)

    def __call__(self, refined: list[Feature]) -> dict[str, Feature]:
        """Outputs of the blocks, coarsest first -> logits by name."""
        names = ("logit_8", "logit_4", "logit_2", "logit")
        return {
            name: as_logit(layer(x))
            for name, layer, x in zip(names, self.logits, refined, strict=True)
        }


class AdsmsUNet(Network):
    """Logits at 1/8, 1/4, 1/2 and the full resolution."""

    def __init__(self, config: AdsmsConfig, rngs: nnx.Rngs) -> None:
        at_least_one(bands=config.bands, filters=config.filters)
        if config.third_gate not in ("coarse", "fine"):
            raise ValueError(f"third_gate {config.third_gate!r}; use coarse or fine")
        dtype = compute_dtype(config.compute)
        self.config = config
        self.encoder = MultiScaleEncoder(config, dtype, rngs)
        self.bridge = ConvolutionBlock(
            config.widths[3], config.widths[4], initialiser=NORMAL, dtype=dtype, rngs=rngs
        )
        self.decoder = GatedDecoder(config, dtype, rngs, through=config.decoder_through_blocks)
        self.head = SideHead(config, dtype, rngs)

    def __call__(
        self, batch: Mapping[str, Feature], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Feature]:
        """``logit_8``, ``logit_4``, ``logit_2``, ``logit``; `rngs` is not used."""
        del rngs
        x, skips = self.encoder(read_inputs(batch, self.config)["image"])
        _, refined = self.decoder(self.bridge(x), skips, self.head.blocks)
        return self.head(refined)


class PublishedAttentionUNet(Network):
    """Attention gates without convolutions after the joins."""

    def __init__(self, config: PublishedAttentionConfig, rngs: nnx.Rngs) -> None:
        at_least_one(bands=config.bands, filters=config.filters)
        dtype = compute_dtype(config.compute)
        self.config = config
        self.encoder = MultiScaleEncoder(config, dtype, rngs)
        self.bridge = ConvolutionBlock(
            config.widths[3], config.widths[4], initialiser=NORMAL, dtype=dtype, rngs=rngs
        )
        self.decoder = GatedDecoder(config, dtype, rngs, through=False)
        bands = config.up_widths[3] + config.widths[0]
        self.head = Convolution(bands, 1, 1, dtype=dtype, rngs=rngs)

    def __call__(
        self, batch: Mapping[str, Feature], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Feature]:
        """``logit``, of the image's size; `rngs` is not used."""
        del rngs
        x, skips = self.encoder(read_inputs(batch, self.config)["image"])
        joined, _ = self.decoder(self.bridge(x), skips, None)
        return {"logit": as_logit(self.head(joined[-1]))}
