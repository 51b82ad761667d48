"""Records of a multi-temporal inventory: settings, parts on the ground, and their account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from detection.inventory.epoch_map import EpochMap, Geometries
from stats.case_arrays import FloatArray, IntArray

Status = Literal["new", "expanded", "reactivated", "persistent", "recovered", "unobserved"]
STATUSES: tuple[Status, ...] = (
    "new", "expanded", "reactivated", "persistent", "recovered", "unobserved",
)  # fmt: skip
VISIBLE: tuple[Status, ...] = ("new", "expanded", "reactivated", "persistent")
BEFORE: tuple[Status, ...] = ("persistent", "recovered", "unobserved")
Memory = Literal["everything", "previous"]
ROUNDING = 1e-6
"""Areas of an epoch add up to within this share of themselves."""


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """How epochs are compared.

    Attributes:
        memory: "everything", each epoch against all that was ever seen; or "previous", against
            the previous date alone, the published subtraction, which takes a landslide that cloud
            hid for one epoch for a new one.
        tolerance_m: seams up to this wide between two outlines are no change [m]; None:
            `tolerance_px` times the coarsest pixel so far.
        tolerance_px: see there.
        minimum_part_m2: separate pieces of a change smaller than this are no change [m2]. Whole
            landslides are not judged by it.
        least_overlap: share of the smaller outline that a landslide and an earlier one must have in
            common to be the same.

    Raises:
        ValueError: a value outside its range.
    """

    memory: Memory = "everything"
    tolerance_m: float | None = None
    tolerance_px: float = 1.0
    minimum_part_m2: float = 0.0
    least_overlap: float = 0.1

    def __post_init__(self) -> None:
        lowest = min(self.tolerance_m or 0.0, self.tolerance_px, self.minimum_part_m2)
        if lowest < 0.0 or not 0.0 < self.least_overlap <= 1.0:
            raise ValueError(
                f"found {self}; expected tolerances and areas of 0 or more, 0 < least_overlap <= 1"
            )
        if self.memory not in ("everything", "previous"):
            raise ValueError(f"memory: found {self.memory!r}; expected 'everything' or 'previous'")


@dataclass(frozen=True, eq=False, kw_only=True)
class EpochParts:
    """What one epoch came to: disjoint parts of the ground, each of one landslide and one status.

    Attributes:
        epoch: what was mapped.
        status: (part,) index into `STATUSES`.
        landslide: (part,) number of the landslide, the same through all epochs; from 1.
        geometry: (part,) polygons; parts of an epoch do not overlap.
        first_sight: (part,) share of the part that no earlier epoch looked at; 0 for parts that
            are not new, expanded or reactivated.
        last_seen: (part,) index of the latest earlier epoch that saw most of the part; -1 for none
            and for parts that are not new, expanded or reactivated.
        objects: landslide -> number of mapped outlines that it shows in.
        partners: landslide -> other landslides that one mapped outline covers together with it.
        account: areas [m2] and counts, see `areas_table`.
    """

    epoch: EpochMap
    status: IntArray
    landslide: IntArray
    geometry: Geometries
    first_sight: FloatArray
    last_seen: IntArray
    objects: Mapping[int, int]
    partners: Mapping[int, tuple[int, ...]]
    account: Mapping[str, float]

    def of(self, *statuses: Status) -> Geometries:
        """(k,) parts of some statuses."""
        wanted = [STATUSES.index(status) for status in statuses]
        return self.geometry[[code in wanted for code in self.status.tolist()]]

    def area_m2(self, *statuses: Status) -> float:
        """Summed area of the parts of some statuses [m2]."""
        return float(sum(self.account[f"{status}_m2"] for status in statuses))


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiTemporal:
    """A multi-temporal inventory.

    Attributes:
        epochs: one entry per epoch, in order of time.
        settings: how they were compared.
        baseline: what was there before the first epoch, or None.
        n_landslides: landslides that were told apart, those of the baseline included.
        crs: coordinate system of all geometries.
    """

    epochs: tuple[EpochParts, ...]
    settings: TrackingSettings
    baseline: EpochMap | None
    n_landslides: int
    crs: Any

    def gaps(self) -> list[str]:
        """Sums that do not close to within `ROUNDING`, in words; empty where all do."""
        found = []
        for parts in self.epochs:
            a = parts.account
            sums = {
                "visible": (a["visible_m2"], parts.area_m2(*VISIBLE)),
                "before": (a["before_m2"], parts.area_m2(*BEFORE)),
                "mapped": (
                    a["mapped_m2"], a["visible_m2"] + a["seam_gained_m2"] - a["seam_lost_m2"],
                ),
                "ever seen": (
                    a["ever_m2"], a["ever_before_m2"] + parts.area_m2("new", "expanded"),
                ),
            }  # fmt: skip
            for name, (whole, total) in sums.items():
                if abs(whole - total) > ROUNDING * max(whole, total, 1.0):
                    found.append(
                        f"epoch {parts.epoch.name!r}: {name} {whole:.6f} m2, parts {total:.6f} m2"
                    )
        return found
