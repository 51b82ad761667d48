"""The susceptibility block as the paper's text describes it: a U-Net on a ResNet18 encoder.

The text leaves open how the decoder ends; here the decoder climbs back to full resolution with
the usual widths 256, 128, 64, 32, 16, a 3 x 3 convolution gives one logit per pixel, and the mean
over the pixels of a cell is the logit of the cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from hazard.models.base import ComputeType, compute_dtype
from hazard.models.doubled_convolution import doubled_convolution
from hazard.models.keras_layers import batch_norm, convolution
from hazard.models.max_pooling import max_pool

REDUCTION = 32


@dataclass(frozen=True, kw_only=True)
class DescribedSusceptibilityConfig:
    """Settings of the U-Net of the paper's text.

    Attributes:
        bands: predictors per pixel.
        pixels_per_cell: pixels along one side of a cell.
        encoder_widths: channels of the four stages of the encoder.
        decoder_widths: channels of the five stages of the decoder, coarsest first.
        compute: type of the computation.
    """

    bands: int = 13
    pixels_per_cell: int = 32
    encoder_widths: tuple[int, ...] = (64, 128, 256, 512)
    decoder_widths: tuple[int, ...] = (256, 128, 64, 32, 16)
    compute: ComputeType = "float32"


class ConvNorm(nnx.Module):
    """Convolution without bias, batch norm, and a ReLU where asked for."""

    def __init__(
        self, bands: int, out: int, size: int, stride: int, dtype: object, rngs: nnx.Rngs
    ) -> None:
        self.conv = convolution(
            bands, out, size, stride=stride, padding="SAME", bias=False, dtype=dtype, rngs=rngs
        )
        self.norm = batch_norm(out, dtype=dtype, rngs=rngs)

    def __call__(self, x: Float[Array, "patch y x band"], relu: bool = True) -> Array:
        """(patch, y, x, band) -> (patch, y / stride, x / stride, band_)."""
        y = self.norm(self.conv(x))
        return nnx.relu(y) if relu else y

    def of_doubled(self, x: Float[Array, "patch y x band"], skip: Array | None) -> Array:
        """The same of `x`, doubled by its nearest neighbours and joined with `skip`."""
        kernel = self.conv.kernel[...]
        x = jnp.asarray(x, self.conv.dtype)
        return nnx.relu(self.norm(doubled_convolution(x, skip, kernel)))


class BasicBlock(nnx.Module):
    """Two 3 x 3 convolutions added to a shortcut (He et al., 2016)."""

    def __init__(self, bands: int, out: int, stride: int, dtype: object, rngs: nnx.Rngs) -> None:
        self.first = ConvNorm(bands, out, 3, stride, dtype, rngs)
        self.second = ConvNorm(out, out, 3, 1, dtype, rngs)
        self.project = stride != 1 or bands != out
        if self.project:
            self.short = ConvNorm(bands, out, 1, stride, dtype, rngs)

    def __call__(self, x: Float[Array, "patch y x band"]) -> Array:
        """(patch, y, x, band) -> (patch, y / stride, x / stride, band_)."""
        y = self.second(self.first(x), relu=False)
        return nnx.relu(y + (self.short(x, relu=False) if self.project else x))


class UpBlock(nnx.Module):
    """Nearest-neighbour doubling, joined with the encoder, two 3 x 3 convolutions."""

    def __init__(self, bands: int, skip: int, out: int, dtype: object, rngs: nnx.Rngs) -> None:
        self.first = ConvNorm(bands + skip, out, 3, 1, dtype, rngs)
        self.second = ConvNorm(out, out, 3, 1, dtype, rngs)

    def __call__(self, x: Float[Array, "patch y x band"], skip: Array | None) -> Array:
        """(patch, y, x, band) and a skip of twice the size -> (patch, 2 y, 2 x, band_)."""
        return self.second(self.first.of_doubled(x, skip))


class DescribedSusceptibility(nnx.Module):
    """(patch, n f, n f, band) -> logits (patch, n, n) through full resolution."""

    def __init__(self, config: DescribedSusceptibilityConfig, rngs: nnx.Rngs) -> None:
        dtype = compute_dtype(config.compute)
        self.pixels_per_cell = config.pixels_per_cell
        widths = config.encoder_widths
        if len(widths) != 4 or len(config.decoder_widths) != 5:
            raise ValueError("a ResNet18 U-Net has four encoder and five decoder widths")
        self.stem = ConvNorm(config.bands, widths[0], 7, 2, dtype, rngs)
        bands = widths[0]
        for stage, width in enumerate(widths):
            for index in range(2):
                stride = 2 if stage > 0 and index == 0 else 1
                setattr(self, f"down{stage}_{index}", BasicBlock(bands, width, stride, dtype, rngs))
                bands = width
        skips = (widths[2], widths[1], widths[0], widths[0], 0)
        for stage, (skip, width) in enumerate(zip(skips, config.decoder_widths, strict=True)):
            setattr(self, f"up{stage}", UpBlock(bands, skip, width, dtype, rngs))
            bands = width
        self.head = convolution(bands, 1, 3, padding="SAME", dtype=dtype, rngs=rngs)

    def pixel_logit(self, pixels: Float[Array, "patch y x band"]) -> Float[Array, "patch y x"]:
        """One logit per pixel, before the cells are averaged."""
        if pixels.shape[1] % REDUCTION or pixels.shape[2] % REDUCTION:
            raise ValueError(
                f"patches of {pixels.shape[1]} x {pixels.shape[2]} pixels; "
                f"use multiples of {REDUCTION}"
            )
        x = self.stem(pixels)
        skips = [x]
        x = max_pool(x, 3, 2, "SAME")
        for stage in range(4):
            for index in range(2):
                x = getattr(self, f"down{stage}_{index}")(x)
            skips.append(x)
        skips.pop()
        for stage in range(5):
            x = getattr(self, f"up{stage}")(x, skips.pop() if skips else None)
        return jnp.asarray(self.head(x)[..., 0], jnp.float32)

    def __call__(
        self, batch: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Array]:
        """Logit of presence per cell; `rngs` is not used."""
        del rngs
        logit = self.pixel_logit(batch["pixels"])
        patch, rows, cols = logit.shape
        f = self.pixels_per_cell
        cells = logit.reshape(patch, rows // f, f, cols // f, f)
        return {"logit": jnp.mean(cells, axis=(2, 4))}
