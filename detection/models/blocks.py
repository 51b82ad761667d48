"""Blocks that several networks share: plain, normalised and residual convolutions, attention."""

from __future__ import annotations

from typing import Any, Literal

from flax import nnx

from detection.models.layers import (
    BatchNorm,
    Convolution,
    Feature,
    TransposedConvolution,
    add,
    double,
    multiply,
    relu,
    sigmoid,
)

BlockKind = Literal["plain", "normalised", "residual"]


class ConvNorm(nnx.Module):
    """Convolution, batch norm, and a ReLU where asked for."""

    def __init__(
        self,
        bands: int,
        out: int,
        size: int,
        *,
        stride: int = 1,
        zeros: int | None = None,
        bias: bool = True,
        initialiser: str = "glorot_uniform",
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv = Convolution(
            bands, out, size, stride=stride, zeros=zeros, bias=bias, initialiser=initialiser,
            dtype=dtype, rngs=rngs,
        )  # fmt: skip
        self.norm = BatchNorm(out, dtype=dtype, rngs=rngs)

    def __call__(self, x: Feature, *, activate: bool = True) -> Feature:
        """(patch, y, x, band) -> (patch, y / stride, x / stride, band_)."""
        y = self.norm(self.conv(x))
        return relu(y) if activate else y


class ConvolutionBlock(nnx.Module):
    """3 x 3 convolutions, each followed by a ReLU, with batch norm between where normalised."""

    def __init__(
        self,
        bands: int,
        out: int,
        *,
        normalised: bool = True,
        convolutions: int = 2,
        initialiser: str = "glorot_uniform",
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        self.normalised = normalised
        layer = ConvNorm if normalised else Convolution
        self.layers = nnx.List(
            layer(
                bands if index == 0 else out, out, 3, initialiser=initialiser, dtype=dtype,
                rngs=rngs,
            )
            for index in range(convolutions)
        )  # fmt: skip

    def __call__(self, x: Feature) -> Feature:
        """(patch, y, x, band) -> (patch, y, x, band_)."""
        for layer in self.layers:
            x = layer(x) if self.normalised else relu(layer(x))
        return x


class ResidualBlock(nnx.Module):
    """Two 3 x 3 convolutions added to a shortcut; ReLU after the sum (He et al., 2016).

    The second convolution has no ReLU before the sum. The shortcut is the identity, or a
    convolution with batch norm where the shape changes or a projection is asked for.
    """

    def __init__(
        self,
        bands: int,
        out: int,
        *,
        stride: int = 1,
        projection_size: int = 1,
        project: bool = False,
        bias: bool = True,
        initialiser: str = "glorot_uniform",
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        kept: Any = {"bias": bias, "initialiser": initialiser, "dtype": dtype, "rngs": rngs}
        self.first = ConvNorm(bands, out, 3, stride=stride, **kept)
        self.second = ConvNorm(out, out, 3, **kept)
        self.project = project or stride != 1 or bands != out
        if self.project:
            self.shortcut = ConvNorm(bands, out, projection_size, stride=stride, **kept)

    def __call__(self, x: Feature) -> Feature:
        """(patch, y, x, band) -> (patch, y / stride, x / stride, band_)."""
        y = self.second(self.first(x), activate=False)
        return relu(add(y, self.shortcut(x, activate=False) if self.project else x))


def make_block(
    kind: BlockKind,
    bands: int,
    out: int,
    *,
    convolutions: int = 2,
    initialiser: str = "glorot_uniform",
    dtype: Any,
    rngs: nnx.Rngs,
) -> nnx.Module:
    """The block of a level."""
    if kind == "residual":
        return ResidualBlock(bands, out, initialiser=initialiser, dtype=dtype, rngs=rngs)
    return ConvolutionBlock(
        bands, out, normalised=kind == "normalised", convolutions=convolutions,
        initialiser=initialiser, dtype=dtype, rngs=rngs,
    )  # fmt: skip


class AttentionGate(nnx.Module):
    """Weights a skip by its agreement with a coarser gating signal (Oktay et al., 2018).

    The skip is brought to half its size by a 2 x 2 convolution and added to the gating signal,
    which a transposed convolution brings to the same size; ReLU, one band, sigmoid, nearest
    doubling; the product with the skip passes a 1 x 1 convolution and a batch norm.
    """

    def __init__(
        self,
        bands: int,
        gate_bands: int,
        between: int,
        *,
        upsample: int = 1,
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        """Make the layers.

        Args:
            bands: bands of the skip.
            gate_bands: bands of the gating signal.
            between: bands of the sum.
            upsample: half the side of the skip over the side of the gating signal.
            dtype: type of the computation.
            rngs: random keys.
        """
        kept: Any = {"dtype": dtype, "rngs": rngs}
        self.theta = Convolution(bands, between, 2, stride=2, **kept)
        self.phi = Convolution(gate_bands, between, 1, **kept)
        self.phi_up = TransposedConvolution(between, between, 3, stride=upsample, **kept)
        self.psi = Convolution(between, 1, 1, **kept)
        self.out = ConvNorm(bands, bands, 1, **kept)

    def __call__(self, x: Feature, gate: Feature) -> Feature:
        """Skip (patch, y, x, band) and gating signal -> (patch, y, x, band)."""
        both = relu(add(self.theta(x), self.phi_up(self.phi(gate))))
        weight = double(sigmoid(self.psi(both)))
        return self.out(multiply(x, weight), activate=False)
