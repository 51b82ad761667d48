"""What a fit would do, and about what it would cost; nothing is written, nothing heavy imported."""

from __future__ import annotations

import math
from pathlib import Path

from detection.config.schema import DetectionConfig

# Pixels of training patches per second and pass on two idle cores. default: about 20 patches of
# 64 px per processor second with two dates, topography and augmentation; unet: 6.8 patches of
# 128 px per second with 32 filters, without augmentation, taken for fewer filters too.
PIXELS_PER_SECOND = {"default": 1.6e5, "unet": 1.1e5}
COMPILE_SECONDS = 20.0
REPORT_SECONDS = 60.0


def fit_lines(config: DetectionConfig, run: Path) -> list[str]:
    """The dry run in words."""
    lines = [f"{config.title}", f"Would write to {run}", "Would read:"]
    if config.data is None:
        section = config.embedded
        scenes = len(section.regions) * section.sites * section.epochs
        lines.append(
            f"  the embedded scenes (synthetic): {scenes} of {section.size_px} x "
            f"{section.size_px} px at {section.pixel_m:g} m; regions {', '.join(section.regions)}"
        )
    else:
        there = "" if config.data.exists() else "  (NOT THERE)"
        lines.append(f"  {config.data} as {config.source.layout}{there}")
    lines.append(
        f"  cut into {config.patches.size_px} px patches, split by {config.split.by}"
        + ("" if config.patches.keep_empty else "; patches without landslide are left out")
    )
    lines.append("Would train:")
    seconds, unknown = REPORT_SECONDS, []
    pixels = _training_pixels(config)
    for network in config.networks:
        training = config.training_of(network)
        epochs = training.epochs
        lines.append(
            f"  {network.title}: {network.name}, recipe {training.recipe}"
            + ("" if epochs is None else f", {epochs} epochs")
            + (f", {training.members} members" if training.members > 1 else "")
        )
        rate = PIXELS_PER_SECOND.get(network.name)
        if rate is None or epochs is None or pixels is None:
            unknown.append(network.title)
        else:
            seconds += COMPILE_SECONDS + epochs * pixels * training.members / rate
    if config.grid is not None:
        grid = config.grid
        number = math.prod(len(v) or 1 for v in (grid.learning_rate, grid.batch_size, grid.filters))
        lines.append(f"  a grid of {number} combinations before")
    lines.append(f"Would compare with: {', '.join(config.baselines) or 'nothing'}")
    if unknown:
        lines.append(f"No estimate of the time: none is measured for {', '.join(unknown)} here")
    else:
        but = " without the grid" if config.grid is not None else ""
        lines.append(f"Estimated{but}: about {max(1, round(seconds / 60))} min on two idle cores")
    return lines


def _training_pixels(config: DetectionConfig) -> float | None:
    """Pixels of the training patches of one pass; None where the files decide it."""
    if config.data is not None:
        return None
    section, cut = config.embedded, config.patches
    stride = cut.train_stride_px or cut.stride_px
    per_side = -(-(section.size_px - cut.size_px) // stride) + 1
    scenes = len(section.regions) * section.sites * section.epochs
    # About a third of the patches lie inside training blocks.
    return 0.35 * scenes * per_side**2 * cut.size_px**2
