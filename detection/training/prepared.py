"""A network that eats raw values: the preparation and the network as one module.

Trained, stored and run as one, so that no model is ever given values that were standardised by
other numbers, and indices and topography follow whatever augmentation did to the raw patch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flax import nnx
from jaxtyping import Array

from detection.models.base import Network
from detection.models.registry import build_model, model_entry
from detection.patches.preparation import Preparation, prepare

PART = "network"
"""Where the network's arrays lie: ``network/encoder/...``."""


class PreparedNetwork(nnx.Module):
    """Raw arrays of a batch -> logits by name.

    Attributes:
        network: what is trained.
        preparation: fixed; it has no arrays of its own.
    """

    def __init__(self, network: Network, preparation: Preparation) -> None:
        self.network = network
        self.preparation = preparation

    def __call__(
        self, batch: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, Array]:
        """Logits (patch, y, x) by name of output."""
        return self.network(prepare(self.preparation, batch), rngs=rngs)


def network_settings(
    name: str, settings: Mapping[str, Any], preparation: Preparation
) -> dict[str, Any]:
    """Settings with the numbers of bands that the preparation gives.

    A network that reads the later image alone is given that alone, whatever else there is.

    Args:
        name: of the network.
        settings: of the user, without numbers of bands.
        preparation: what the network will be fed by.

    Raises:
        ValueError: an unknown network or setting, bands given by hand, or a network that needs an
            input which the preparation does not make.

    Example:
        >>> rule = Preparation(bands=("red", "nir"), unit="1", indices=("ndvi",), topography=(),
        ...     pixel_m=3.0, mean=(0.1, 0.3, 0.5), scale=(0.1, 0.1, 0.2), use_pre=False)
        >>> network_settings("unet", {"filters": 8}, rule)
        {'filters': 8, 'bands': 3}
    """
    keys = {"image": "bands", "pre": "pre_bands", "topography": "topography_bands"}
    config = model_entry(name).config
    given = preparation.inputs
    # JSON and YAML know lists alone; settings compare equal however they came.
    chosen = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    for key in keys.values():
        if key in chosen:
            raise ValueError(f"model {name}: {key} follows from the preparation; leave it out")
    for array, key in keys.items():
        if key in getattr(config, "__dataclass_fields__", {}):
            chosen[key] = given.get(array, 0)
    if name == "bitemporal_residual_unet" and "pre" not in given:
        raise ValueError(f"model {name}: it compares two dates; use patches with an earlier image")
    return chosen


def build_prepared(
    name: str, settings: Mapping[str, Any], preparation: Preparation, rngs: nnx.Rngs
) -> PreparedNetwork:
    """The module from a network's name, its whole settings, and the preparation."""
    return PreparedNetwork(build_model(name, settings, rngs), preparation)


def frozen_names(parts: Sequence[str]) -> tuple[str, ...]:
    """Names that `hazard.training` freezes by, from names of parts of a network.

    Example:
        >>> frozen_names(["encoder"])
        ('network/encoder',)
    """
    return tuple(part if part.startswith(f"{PART}/") else f"{PART}/{part}" for part in parts)
