"""All networks that a configuration can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flax import nnx

from hazard.models.base import ArraySpec, ModelEntry, config_from_mapping
from hazard.models.default import DefaultConfig, DefaultNetwork
from hazard.models.pair import PairConfig, build_described, build_reference

_PIXELS = ArraySpec(
    name="pixels",
    axes=("patch", "y", "x", "band"),
    meaning="standardised predictors on the nested lattice, one sample per patch and epoch",
)
_LOGIT = ArraySpec(name="logit", axes=("patch", "y", "x"), meaning="log odds of presence")
_PUBLISHED_DENSITY = ArraySpec(
    name="density", axes=("patch", "y", "x"), meaning="area density on the scale of its target"
)
_CELL = ("patch", "epoch", "y", "x")

MODELS: Mapping[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="default",
            title="towers for cells with a record, terrain and triggers for those without",
            config=DefaultConfig,
            build=DefaultNetwork,
            inputs=(
                ArraySpec(
                    name="pixels", axes=("patch", "y", "x", "band"),
                    meaning="standardised terrain on the nested lattice (pixel_bands > 0)",
                ),
                ArraySpec(
                    name="cells", axes=("patch", "y", "x", "band"),
                    meaning="standardised static layers on cells with halo (cell_bands > 0)",
                ),
                ArraySpec(
                    name="epochs", axes=("patch", "epoch", "y", "x", "band"),
                    meaning="standardised triggers with halo, epochs `fresh` (epoch_bands > 0)",
                ),
                ArraySpec(
                    name="past", axes=("patch", "epoch", "y", "x", "band"),
                    meaning="standardised records of earlier epochs, or 0 (past_bands > 0)",
                ),
                ArraySpec(
                    name="fresh", axes=("patch", "epoch"),
                    meaning="numbers of the epochs in `epochs`; absent where these are all",
                ),
                ArraySpec(
                    name="valid", axes=("patch", "y", "x"),
                    meaning="1 where a cell of patch or halo is mapped, 0 elsewhere",
                ),
            ),
            outputs=(
                ArraySpec(name="logit", axes=_CELL, meaning="log odds of presence"),
                ArraySpec(
                    name="law", axes=(*_CELL, "parameter"),
                    meaning="unconstrained parameters of the positive law",
                ),
                ArraySpec(
                    name="density", axes=_CELL, meaning="E[density | density > 0] [percent]"
                ),
            ),
            parts=("terrain", "static_in", "epoch_in", "norm_out", "presence", "density", "record"),
            source="this project",
        ),
        ModelEntry(
            name="reference",
            title="ResNet-50 with a 4 x 4 head, and a convolution + dense density network",
            config=PairConfig,
            build=build_reference,
            inputs=(_PIXELS,),
            outputs=(_LOGIT, _PUBLISHED_DENSITY),
            parts=("susceptibility", "density"),
            source="public code of the ensemble neural network of Dahal et al.",
        ),
        ModelEntry(
            name="described",
            title="U-Net on a ResNet18 encoder, and a density block of six dense sub-blocks",
            config=PairConfig,
            build=build_described,
            inputs=(_PIXELS,),
            outputs=(_LOGIT, _PUBLISHED_DENSITY),
            parts=("susceptibility", "density"),
            source="text of the paper on the ensemble neural network of Dahal et al.",
        ),
    )
}  # fmt: skip


def model_entry(name: str) -> ModelEntry:
    """The entry of a network.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> model_entry("reference").parts
        ('susceptibility', 'density')
    """
    if name not in MODELS:
        raise ValueError(f"model {name!r}; use one of {', '.join(MODELS)}")
    return MODELS[name]


def build_model(name: str, settings: Mapping[str, Any], rngs: nnx.Rngs) -> nnx.Module:
    """A network from its name and settings, as configurations and checkpoints hold them.

    Raises:
        ValueError: an unknown name or key, or a setting that the network refuses.
    """
    entry = model_entry(name)
    return entry.build(config_from_mapping(entry.config, settings, f"model {name}"), rngs)
