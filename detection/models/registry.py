"""All networks that a configuration can name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from flax import nnx

from detection.models.adsms import (
    AdsmsConfig,
    AdsmsUNet,
    PublishedAttentionConfig,
    PublishedAttentionUNet,
)
from detection.models.base import ModelEntry, Network, Output, config_from_mapping
from detection.models.bitemporal import BiTemporalConfig, BiTemporalUNet
from detection.models.default import DefaultConfig, DefaultNetwork
from detection.models.unet import PyramidConfig, UNetConfig, build_pyramid, build_unet

_LOGIT = Output(name="logit", stride=1, meaning="log odds of landslide, or a score's logit")
_OWN = "this project; the HR-GLDD paper names it and publishes neither code nor layers"
_FOUR = ("encoder", "bridge", "decoder", "head")

MODELS: Mapping[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="default",
            title="depthwise encoder, additive decoder, one or two dates and topography",
            config=DefaultConfig,
            build=DefaultNetwork,
            outputs=(_LOGIT,),
            parts=("encoder", "decoder", "head"),
            source="this project",
        ),
        ModelEntry(
            name="unet",
            title="U-Net",
            config=UNetConfig,
            build=build_unet,
            outputs=(_LOGIT,),
            parts=_FOUR,
            source="Ronneberger et al. (2015); variants by the public code of three papers",
        ),
        ModelEntry(
            name="residual_unet",
            title="U-Net of residual blocks",
            config=PyramidConfig,
            build=partial(build_pyramid, residual=True, gated=False),
            outputs=(_LOGIT,),
            parts=_FOUR,
            source=_OWN,
        ),
        ModelEntry(
            name="attention_unet",
            title="U-Net with attention gates",
            config=PyramidConfig,
            build=partial(build_pyramid, residual=False, gated=True),
            outputs=(_LOGIT,),
            parts=_FOUR,
            source=_OWN,
        ),
        ModelEntry(
            name="attention_residual_unet",
            title="U-Net of residual blocks with attention gates",
            config=PyramidConfig,
            build=partial(build_pyramid, residual=True, gated=True),
            outputs=(_LOGIT,),
            parts=_FOUR,
            source=_OWN,
        ),
        ModelEntry(
            name="attention_unet_published",
            title="attention U-Net without convolutions in the decoder",
            config=PublishedAttentionConfig,
            build=PublishedAttentionUNet,
            outputs=(_LOGIT,),
            parts=_FOUR,
            source="public code of Bhuyan et al. (2023)",
        ),
        ModelEntry(
            name="adsms_unet",
            title="attention deep-supervision multi-scale U-Net",
            config=AdsmsConfig,
            build=AdsmsUNet,
            outputs=(
                *(
                    Output(name=f"logit_{s}", stride=s, meaning=f"side output at 1/{s}")
                    for s in (8, 4, 2)
                ),
                _LOGIT,
            ),
            parts=_FOUR,
            source="public code of Bhuyan et al. (2023)",
        ),
        ModelEntry(
            name="bitemporal_residual_unet",
            title="deep residual U-Net on two dates and topography, deep supervision",
            config=BiTemporalConfig,
            build=BiTemporalUNet,
            outputs=(
                *(
                    Output(name=f"logit_{s}", stride=1, meaning=f"interpolated from 1/{s}")
                    for s in (16, 8, 4, 2)
                ),
                _LOGIT,
            ),
            parts=_FOUR,
            source="layer diagram of Prakash et al. (2021), doi:10.1038/s41598-021-89015-8",
        ),
    )
}


def model_entry(name: str) -> ModelEntry:
    """The entry of a network.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> model_entry("adsms_unet").parts
        ('encoder', 'bridge', 'decoder', 'head')
    """
    if name not in MODELS:
        raise ValueError(f"model {name!r}; use one of {', '.join(MODELS)}")
    return MODELS[name]


def model_config(name: str, settings: Mapping[str, Any]) -> Any:
    """The settings of a network as its record.

    Raises:
        ValueError: an unknown name or key.

    Example:
        >>> model_config("default", {"bands": 3, "pre_bands": 3}).inputs
        {'image': 3, 'pre': 3}
    """
    return config_from_mapping(model_entry(name).config, settings, f"model {name}")


def build_model(name: str, settings: Mapping[str, Any], rngs: nnx.Rngs) -> Network:
    """A network from its name and settings, as configurations and checkpoints hold them.

    Raises:
        ValueError: an unknown name or key, or a setting that the network refuses.
    """
    return model_entry(name).build(model_config(name, settings), rngs)
