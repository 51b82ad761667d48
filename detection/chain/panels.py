"""Patches of test ground with what the stages of the chain make of them, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy import ndarray

from detection.chain.regions import RegionPatches
from detection.patches.patch_set import PatchSet
from detection.training.model import DetectionModel, predict_patches

PER_REGION = 2


def panel_arrays(
    data: Mapping[str, RegionPatches],
    stages: Sequence[DetectionModel],
    *,
    batch_size: int,
    per_region: int = PER_REGION,
) -> dict[str, ndarray]:
    """Image, truth and probabilities of a few patches per region.

    Of every region the patches of test ground in its last epoch with the median and the largest
    share of landslide: neither the best nor the worst maps are picked.

    Args:
        data: patches by region, in the order of the chain.
        stages: models of the chain, stage by stage.
        batch_size: patches per program.
        per_region: number of patches.

    Returns:
        ``region`` and ``epoch`` (panel,) numbers in the order of the chain and of the region's
        epochs; ``rgb`` (panel, y, x, 3) from 0 to 1; ``truth``, ``counted`` (panel, y, x);
        ``probability`` (panel, stage, y, x); ``threshold`` (stage,).
    """
    rgb, truth, counted, probability = [], [], [], []
    region_number, epoch_number = [], []
    for number, region in enumerate(data.values()):
        epoch = region.epochs[-1]
        patches, _, unseen = region.to_score(epoch)
        where = np.flatnonzero(unseen)
        share = (patches.truth & patches.counted).mean(axis=(1, 2))[where]
        order = where[np.argsort(share, kind="stable")]
        # From the median up to the largest, evenly.
        ranks = np.linspace((order.size - 1) // 2, order.size - 1, per_region).round().astype(int)
        chosen = patches.select(order[np.unique(ranks)])
        rgb.append(natural_colours(chosen))
        truth.append(chosen.truth)
        counted.append(chosen.counted)
        maps = [predict_patches(model, chosen, batch_size=batch_size) for model in stages]
        probability.append(np.stack(maps, axis=1))
        region_number += [number] * len(chosen)
        epoch_number += [len(region.epochs) - 1] * len(chosen)
    return {
        "region": np.array(region_number), "epoch": np.array(epoch_number),
        "rgb": np.concatenate(rgb).astype(np.float32), "truth": np.concatenate(truth),
        "counted": np.concatenate(counted),
        "probability": np.concatenate(probability).astype(np.float32),
        "threshold": np.array([model.threshold.threshold for model in stages]),
    }  # fmt: skip


def natural_colours(patches: PatchSet) -> ndarray:
    """(patch, y, x, 3) red, green and blue from 0 to 1; the first bands where these are not named.

    Stretched between the 1 and 99 percent values of the pixels that were seen, one stretch for all
    patches and bands, so that colours compare.
    """
    wanted = [patches.bands.index(b) for b in ("red", "green", "blue") if b in patches.bands]
    if len(wanted) < 3:
        wanted = [min(i, len(patches.bands) - 1) for i in range(3)]
    values = patches.image[..., wanted].astype(np.float64)
    seen = values[patches.valid]
    if seen.size == 0:
        return np.zeros(values.shape)
    low, high = np.percentile(seen, [1.0, 99.0])
    stretched = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    return np.where(patches.valid[..., None], stretched, 0.7)
