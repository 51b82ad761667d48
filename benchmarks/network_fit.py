"""A network as an entry of the benchmarks that compare models on patches.

`network_fit(...)` is a function of (training, validation) patches that returns a function from
patches to probabilities, as `benchmarks.real_patches.MODELS` wants it. Large patches are cut into
smaller ones for training, so that a batch holds many places; prediction is of whole patches, since
the networks are convolutions alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from detection.augmentation.hook import make_hook
from detection.augmentation.presets import augmentation
from detection.patches.patch_set import PatchSet
from detection.training.fit_network import Imbalance, Inputs, NetworkChoice, fit_network
from detection.training.model import predict_patches
from detection.training.recipes import recipe
from hazard.training.programs import ProgramCache

Fit = Callable[[PatchSet, PatchSet], Callable[[PatchSet], np.ndarray]]


def tiles(patches: PatchSet, size_px: int, stride_px: int) -> PatchSet:
    """Smaller patches of every patch, row by row; their origins count from the patch's own."""
    side = patches.image.shape[1]
    corners = range(0, side - size_px + 1, stride_px)
    places = [(i, r, c) for i in range(len(patches)) for r in corners for c in corners]

    def cut(values: np.ndarray | None) -> Any:
        if values is None:
            return None
        return np.stack([values[i, r : r + size_px, c : c + size_px] for i, r, c in places])

    names = ("image", "valid", "truth", "known", "pre", "pre_valid", "elevation_m")
    origin = tuple(
        replace(patches.origin[i], row=patches.origin[i].row + r,
                column=patches.origin[i].column + c)
        for i, r, c in places
    )  # fmt: skip
    changes = {name: cut(getattr(patches, name)) for name in names}
    return replace(patches, origin=origin, **changes)


def network_fit(
    seed: int,
    *,
    name: str = "default",
    settings: Mapping[str, Any] | None = None,
    indices: Sequence[str] = (),
    size_px: int = 64,
    stride_px: int = 64,
    tiles_seen: int = 6000,
    batch_size: int = 16,
    positive_share: float | None = None,
    tell: Callable[[str], None] | None = None,
) -> Fit:
    """The default recipe and augmentation on tiles of the training patches.

    Validation patches are not used here: the benchmark chooses the threshold on them.

    Args:
        seed: of everything random.
        name: of the network.
        settings: its settings.
        indices: spectral indices beside the bands.
        size_px: side of a training tile [px].
        stride_px: step between them [px].
        tiles_seen: tiles that pass in all; small sets pass more often.
        batch_size: tiles per step.
        positive_share: share of tiles with landslide among the draws.
        tell: called with a line per training.
    """
    cache, hook = ProgramCache(), make_hook(augmentation("default"))

    def fit(training: PatchSet, validation: PatchSet) -> Callable[[PatchSet], np.ndarray]:
        del validation
        start = time.perf_counter()
        cut = tiles(training, size_px, stride_px)
        fitted = fit_network(
            NetworkChoice(name=name, settings=dict(settings or {})), cut, None,
            recipe=replace(
                recipe("default"), epochs=max(1, round(tiles_seen / len(cut))),
                batch_size=batch_size,
            ),
            inputs=Inputs(indices=tuple(indices)), augment=hook, seed=seed, cache=cache,
            imbalance=Imbalance(positive_share=positive_share),
        )  # fmt: skip
        if tell is not None:
            loss = fitted.history[-1].loss[0]
            tell(f"{len(cut)} tiles, loss {loss:.3f}, {time.perf_counter() - start:.0f} s")
        return lambda patches: predict_patches(fitted.model, patches, batch_size=1)

    return fit
