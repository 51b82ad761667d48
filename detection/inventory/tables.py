"""A multi-temporal inventory as tables: areas per epoch, and the history of each landslide."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import pandas as pd

from detection.inventory.epoch_map import EpochMap
from detection.inventory.records import BEFORE, STATUSES, VISIBLE, EpochParts, MultiTemporal

DAYS_PER_YEAR = 365.25


def areas_table(found: MultiTemporal) -> pd.DataFrame:
    """One row per epoch; areas in m2.

    Columns: epoch, start, end, years, sensor, lists; mapped_m2 (dissolved, within the footprint);
    visible_m2 = mapped_m2 - seam_gained_m2 + seam_lost_m2 = new_m2 + expanded_m2 + reactivated_m2 +
    persistent_m2; before_m2 = persistent_m2 + recovered_m2 + unobserved_m2; ever_m2, everything
    that was bare at some time, which grows by new_m2 + expanded_m2; first_sight_m2, the part of
    what is new, expanded or reactivated that no earlier epoch looked at; outside_footprint_m2 and
    mapped_twice_m2, mapped but not counted; tolerance_m; numbers of outlines and of landslides
    with a part of each status; and new, expanded and recovered area per year of the epoch.
    """
    rows = []
    for parts in found.epochs:
        epoch, a = parts.epoch, parts.account
        years = ((epoch.end - epoch.start).days + 1) / DAYS_PER_YEAR
        counts = {key: int(a[key]) for key in a if key.startswith("n_")}
        areas = {key: a[key] for key in a if not key.startswith("n_")}
        rows.append(
            {"epoch": epoch.name, "start": epoch.start, "end": epoch.end, "years": years,
             "sensor": epoch.sensor, "lists": epoch.lists}
            | areas | counts
            | {f"{s}_m2_per_year": a[f"{s}_m2"] / years for s in ("new", "expanded", "recovered")}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _state(areas: dict[str, float]) -> str:
    """One word for what a landslide did in an epoch."""
    if areas["new"]:
        return "appeared"
    if not any(areas[s] for s in VISIBLE):
        return "unobserved" if not areas["recovered"] else "recovered"
    if areas["expanded"] and areas["expanded"] >= areas["reactivated"]:
        return "expanded"
    if areas["reactivated"]:
        return "reactivated"
    return "shrunk" if areas["recovered"] else "persistent"


def landslide_table(found: MultiTemporal) -> pd.DataFrame:
    """One row per landslide and epoch in which anything of it is known; areas in m2.

    Columns: landslide_id, epoch, state ("appeared", "expanded", "reactivated", "persistent",
    "shrunk", "recovered", "unobserved"), one area per status, objects (mapped outlines that it
    shows in; more than one: it is split), partners (numbers of other landslides under one outline
    with it, joined by spaces: they have grown together).
    """
    rows = []
    for parts in found.epochs:
        sums: dict[int, dict[str, float]] = defaultdict(lambda: dict.fromkeys(STATUSES, 0.0))
        for code, number, geometry in zip(
            parts.status.tolist(), parts.landslide.tolist(), parts.geometry, strict=True
        ):
            sums[number][STATUSES[code]] += geometry.area
        for number in sorted(sums):
            rows.append(
                {"landslide_id": number, "epoch": parts.epoch.name, "state": _state(sums[number])}
                | {f"{status}_m2": area for status, area in sums[number].items()}
                | {
                    "objects": parts.objects.get(number, 0),
                    "partners": " ".join(map(str, parts.partners.get(number, ()))),
                }
            )
    return pd.DataFrame(
        rows,
        columns=["landslide_id", "epoch", "state", *(f"{s}_m2" for s in STATUSES), "objects",
                 "partners"],
    )  # fmt: skip


def failure_interval(
    parts: EpochParts, index: int, found: MultiTemporal
) -> tuple[dt.date, dt.date] | None:
    """First and last day on which a new, expanded or reactivated part can have failed.

    From the day after the last earlier epoch (or the baseline) that saw most of the part, to the
    end of the epoch. In the first epoch without a baseline the start of the epoch stands for it.
    None where nobody looked before: the part may be of any age.
    """
    last, epoch = int(parts.last_seen[index]), parts.epoch
    before: EpochMap | None = found.epochs[last].epoch if last >= 0 else None
    if before is None and found.baseline is not None and parts.first_sight[index] < 0.5:
        before = found.baseline
    if before is not None:
        return before.end + dt.timedelta(days=1), epoch.end
    if epoch is found.epochs[0].epoch and found.baseline is None:
        return epoch.start, epoch.end
    return None


def sums_in_words(found: MultiTemporal) -> list[str]:
    """The sums of each epoch as a reader would check them.

    Example: ``2016: visible 0.060 km2 = new 0.040 + ...; before 1.124 km2 = persistent ...``.
    """

    def line(parts: EpochParts, whole: str, statuses: Any) -> str:
        terms = " + ".join(f"{s} {parts.account[f'{s}_m2'] / 1e6:.4f}" for s in statuses)
        return f"{whole} {parts.account[f'{whole}_m2'] / 1e6:.4f} km2 = {terms}"

    return [
        f"{p.epoch.name}: {line(p, 'visible', VISIBLE)}; {line(p, 'before', BEFORE)}"
        for p in found.epochs
    ]
