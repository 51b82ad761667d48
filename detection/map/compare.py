"""Detected against reference inventories, epoch by epoch, on the ground that both looked at."""

from __future__ import annotations

from pathlib import Path

import shapely

from detection.comparison.series import (
    ComparisonSettings,
    EpochPair,
    SeriesComparison,
    compare_series,
)
from detection.config.map import MapConfig
from detection.inventory.records import MultiTemporal
from detection.inventory.write import file_names
from hazard.errors import DataError
from stats.command.frame import Session
from stats.command.inventory_record import STANDARD_MAP
from stats.command.inventory_table import read_inventory_table


def compare_inventories(
    config: MapConfig,
    detected: tuple[MultiTemporal, Path],
    reference: tuple[MultiTemporal, Path],
    session: Session,
) -> SeriesComparison:
    """Compare the written inventories of what was visible on the images of each epoch.

    Sizes are compared above the smallest landslide that the detection keeps.

    Args:
        config: of the run.
        detected: the detected inventory and its folder.
        reference: the reference inventory and its folder.
        session: log and progress.

    Raises:
        DataError: no ground that both looked at.
    """
    names = [file_names(found) for found, _ in (detected, reference)]
    pairs = []
    for number, (ours, theirs) in enumerate(
        zip(detected[0].epochs, reference[0].epochs, strict=True)
    ):
        grounds = [part.epoch.footprint for part in (ours, theirs)]
        known = [ground for ground in grounds if ground is not None]
        common = shapely.intersection_all(known)
        if common.is_empty:
            raise DataError(
                f"epoch {ours.epoch.name!r}", found="no ground that detection and reference share",
                expected="some",
            )  # fmt: skip
        tables = [
            read_inventory_table(
                folder / "visible" / names[side][number], columns=STANDARD_MAP, allow_empty=True
            )
            for side, (_, folder) in enumerate((detected, reference))
        ]
        pairs.append(
            EpochPair(
                name=ours.epoch.name, start=ours.epoch.start, end=ours.epoch.end,
                detected=tables[0], reference=tables[1], footprint=common,
            )
        )  # fmt: skip
    settings = ComparisonSettings(
        cutoff_m2=config.polygons.minimum_area_m2 or None, least_for_fit=config.least_for_fit,
        bandwidth_m=config.bandwidth_m, seed=config.seed,
    )  # fmt: skip
    with session.reporter.task("compare with the reference", len(pairs)) as advance:
        return compare_series(
            pairs, settings=settings, synthetic=config.is_synthetic, progress=advance
        )
