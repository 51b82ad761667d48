"""The published susceptibility network, as its code has it: a ResNet-50 with a 4 x 4 head.

The text calls it a U-Net with a ResNet18 backbone; the code has no decoder. 128 x 128 pixels come
out as 4 x 4 cells, because the strides multiply to 32. With 13 bands it has 23,556,931 trainable
parameters, the number that is printed beside the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from hazard.models.base import ComputeType, compute_dtype
from hazard.models.keras_layers import batch_norm, convolution, zero_pad
from hazard.models.max_pooling import max_pool

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
EXPANSION = 4


@dataclass(frozen=True, kw_only=True)
class ReferenceSusceptibilityConfig:
    """Settings of the published susceptibility network.

    Attributes:
        bands: predictors per pixel.
        compute: type of the computation.
    """

    bands: int = 13
    compute: ComputeType = "float32"


class Bottleneck(nnx.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions with batch norms, added to a shortcut.

    The stride sits in the first 1 x 1 convolution and in the projection, as in the first version
    of ResNet that Keras carries (He et al., 2016, doi:10.1109/CVPR.2016.90).
    """

    def __init__(
        self, bands: int, width: int, stride: int, project: bool, dtype: object, rngs: nnx.Rngs
    ) -> None:
        out = EXPANSION * width
        self.conv_in = convolution(bands, width, 1, stride=stride, dtype=dtype, rngs=rngs)
        self.norm_in = batch_norm(width, dtype=dtype, rngs=rngs)
        self.conv_mid = convolution(width, width, 3, padding="SAME", dtype=dtype, rngs=rngs)
        self.norm_mid = batch_norm(width, dtype=dtype, rngs=rngs)
        self.conv_out = convolution(width, out, 1, dtype=dtype, rngs=rngs)
        self.norm_out = batch_norm(out, dtype=dtype, rngs=rngs)
        self.project = project
        if project:
            self.conv_short = convolution(bands, out, 1, stride=stride, dtype=dtype, rngs=rngs)
            self.norm_short = batch_norm(out, dtype=dtype, rngs=rngs)

    def __call__(self, x: Float[Array, "patch y x band"]) -> Float[Array, "patch y_ x_ band_"]:
        """(patch, y, x, band) -> (patch, y / stride, x / stride, 4 width)."""
        y = nnx.relu(self.norm_in(self.conv_in(x)))
        y = nnx.relu(self.norm_mid(self.conv_mid(y)))
        y = self.norm_out(self.conv_out(y))
        short = self.norm_short(self.conv_short(x)) if self.project else x
        return nnx.relu(y + short)


class ReferenceSusceptibility(nnx.Module):
    """(patch, 128, 128, band) -> logits (patch, 4, 4).

    Zero-pad 3, convolution 4 x 4 with stride 2 to 64, batch norm, ReLU, max-pool 3 with stride 2;
    four bottleneck stages; zero-pad 1, convolution 3 x 3 to one channel, ReLU, batch norm, and a
    sigmoid that callers apply to the logits returned here.
    """

    def __init__(self, config: ReferenceSusceptibilityConfig, rngs: nnx.Rngs) -> None:
        dtype = compute_dtype(config.compute)
        self.stem = convolution(config.bands, 64, 4, stride=2, dtype=dtype, rngs=rngs)
        self.stem_norm = batch_norm(64, dtype=dtype, rngs=rngs)
        bands = 64
        for stage, (number, width) in enumerate(STAGES):
            for index in range(number):
                name = f"stage{stage + 1}_block{index + 1}"
                stride = 2 if stage > 0 and index == 0 else 1
                block = Bottleneck(bands, width, stride, index == 0, dtype, rngs)
                setattr(self, name, block)
                bands = EXPANSION * width
        self.head = convolution(bands, 1, 3, dtype=dtype, rngs=rngs)
        self.head_norm = batch_norm(1, dtype=dtype, rngs=rngs)

    def __call__(
        self, batch: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Array]:
        """Logit of presence per cell; `rngs` is not used."""
        del rngs
        x = zero_pad(batch["pixels"], 3)
        x = max_pool(nnx.relu(self.stem_norm(self.stem(x))), 3, 2)
        for stage, (number, _) in enumerate(STAGES):
            for index in range(number):
                x = getattr(self, f"stage{stage + 1}_block{index + 1}")(x)
        x = self.head_norm(nnx.relu(self.head(zero_pad(x, 1))))
        return {"logit": jnp.asarray(x[..., 0], jnp.float32)}
