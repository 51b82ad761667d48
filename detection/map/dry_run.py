"""What a run would do; nothing is rendered, mapped or written."""

from __future__ import annotations

from pathlib import Path

from detection.config.map import SIDE_TITLES, MapConfig
from detection.map.folder import COMPARISON, FIT, INVENTORY, MAPS, OUTLINES, REPORT
from detection.map.scenes import epochs_of, with_reference
from detection.scenes.catalogue import read_catalogue


def map_lines(config: MapConfig, run: Path) -> list[str]:
    """Lines for the user; data that are named are looked at.

    Raises:
        DataError: scenes that cannot be used.
    """
    if config.data is None:
        e = config.embedded
        known = True
        lines = [
            f"Would render {e.sites * e.epochs} SYNTHETIC scenes of {e.regions[0]}, {e.size_px} x "
            f"{e.size_px} pixels of {e.pixel_m:g} m."
        ]
    else:
        epochs = epochs_of(read_catalogue(config.data), config.region)
        known = with_reference(epochs)
        lines = [f"Would map {sum(len(epoch.entries) for epoch in epochs)} scenes:"]
        lines += [
            f"  {epoch.name}: {epoch.start} to {epoch.end}, "
            f"{', '.join(entry.name for entry in epoch.entries)}"
            for epoch in epochs
        ]
    if config.model is not None:
        lines.append(f"Model: {config.model}")
    elif config.fit is not None:
        lines.append(f"Would train a model by {config.fit.config} into {run / FIT}.")
    others = [*(() if config.fit is None else config.fit.ensemble), *map(str, config.ensemble)]
    if others:
        lines.append(f"Its probabilities would be averaged with those of {', '.join(others)}.")
    if config.mapping.scheduler is not None:
        lines.append(f"Would map by dask: {config.mapping.scheduler}.")
    lines.append(f"Would write {', '.join(str(run / n) for n in (MAPS, OUTLINES, INVENTORY))}.")
    if known:
        lines.append(f"Would compare with the reference inventories in {run / COMPARISON}.")
    if config.error.model is not None:
        lines.append(f"Detection error: {config.error.model}")
    elif known and config.may_calibrate:
        lines.append(
            f"Would estimate the detection error on {100 * config.error.share:g} % of the ground "
            "that the network never saw."
        )
    if config.hazard is not None:
        sides = config.hazard.sides(
            with_error=config.error.model is not None or (known and config.may_calibrate),
            with_reference=known,
        )
        lines.append(
            f"Would run hazard.fit {config.hazard.config} on "
            f"{'; '.join(SIDE_TITLES[side] for side in sides)}."
        )
    return [*lines, f"Report: {run / REPORT / 'html' / 'index.html'}"]
