"""Which scenes a run maps, in which epochs they lie, and what is known of the ground there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from detection.scenes.catalogue import Catalogue, SceneEntry
from hazard.errors import DataError

DAY = dt.timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class EpochScenes:
    """The scenes that close one epoch.

    Attributes:
        name: of the epoch.
        start: first day: the one after the images before.
        end: last day: that of its last image.
        entries: its scenes, by name.
    """

    name: str
    start: dt.date
    end: dt.date
    entries: tuple[SceneEntry, ...]


def epochs_of(catalogue: Catalogue, region: str | None = None) -> tuple[EpochScenes, ...]:
    """The scenes of one region by epoch, in order of time.

    An epoch ends with its last image and begins on the day after the images before: after those of
    the epoch before, and for the first one after its earlier images (`pre`), where their date is
    known, else on the day of its first image.

    Args:
        catalogue: the scenes.
        region: which of the regions; None where there is one.

    Raises:
        DataError: several regions, no such region, a scene without a date, or epochs whose images
            overlap in time.
    """
    regions = sorted({entry.region for entry in catalogue.entries})
    if region is None and len(regions) > 1:
        raise DataError(
            catalogue.path, found=f"regions {', '.join(regions)}", expected="`region`: one of them"
        )
    chosen = [e for e in catalogue.entries if region in (None, e.region)]
    if not chosen:
        raise DataError(
            catalogue.path, found=f"no region {region!r}", expected=f"one of {', '.join(regions)}"
        )
    for entry in chosen:
        if entry.date is None:
            raise DataError(
                f"{catalogue.path}, scene {entry.name!r}", found="no date",
                expected="the day of its image, by which epochs are put in order",
            )  # fmt: skip
    groups: dict[str, list[SceneEntry]] = {}
    for entry in sorted(chosen, key=_order):
        groups.setdefault(entry.epoch, []).append(entry)
    return _in_time(catalogue, groups)


def _order(entry: SceneEntry) -> tuple[dt.date, str]:
    assert entry.date is not None
    return entry.date, entry.name


def _in_time(catalogue: Catalogue, groups: dict[str, list[SceneEntry]]) -> tuple[EpochScenes, ...]:
    found: list[EpochScenes] = []
    for name, entries in groups.items():
        days = _days(entries)
        if found and days[0] <= found[-1].end:
            raise DataError(
                catalogue.path,
                found=f"an image of {days[0]} in epoch {name!r} and one of {found[-1].end} in "
                f"{found[-1].name!r}",
                expected="epochs whose images do not overlap in time",
            )
        if found:
            start = found[-1].end + DAY
        else:
            earlier = [e.pre.date for e in entries if e.pre is not None and e.pre.date is not None]
            start = max(earlier) + DAY if earlier else days[0]
        found.append(EpochScenes(name=name, start=start, end=days[-1], entries=tuple(entries)))
    return tuple(found)


def _days(entries: Sequence[SceneEntry]) -> list[dt.date]:
    return sorted(entry.date for entry in entries if entry.date is not None)


def with_reference(epochs: Sequence[EpochScenes]) -> bool:
    """Whether every scene has an inventory (or a raster) of what is there.

    Raises:
        DataError: some have one and others do not.
    """
    entries = [entry for epoch in epochs for entry in epoch.entries]
    known = [e.name for e in entries if e.inventory is not None or e.truth is not None]
    if known and len(known) < len(entries):
        lacking = next(e.name for e in entries if e.name not in known)
        raise DataError(
            f"scene {lacking!r}", found="no reference inventory, and others have one",
            expected="one for each scene, or none",
        )  # fmt: skip
    return bool(known)
