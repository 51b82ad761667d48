r"""The bookkeeping: epochs in order of time, each against what is known of the ground so far.

Every piece of ground is never bare, bare when last seen, or healed (bare once, and not when last
seen). With the visible ground V, the seen ground F, the bare ground B and the healed ground H,

==============  ====================================================================
new, expanded   :math:`V \setminus (B \cup H)`, seams taken away; expanded where the outline shares
                enough ground with an earlier landslide
reactivated     :math:`V \cap H`, seams taken away
persistent      :math:`V \cap B`, and seams lost
recovered       :math:`(B \cap F) \setminus V`, seams taken away
unobserved      :math:`B \setminus F`: it stays bare, because nobody looked
==============  ====================================================================

so that new + expanded + reactivated + persistent is the visible ground, and persistent + recovered
+ unobserved what was bare before. A seam keeps the state that it had: the visible ground is the
mapped one less the seams gained plus the seams lost. Seams never join the memory, so a landslide
that creeps by less than the tolerance per epoch is found once it has crept far enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely

from detection.inventory.epoch_map import EpochMap, Geometries, check_epoch_maps
from detection.inventory.ground import Ground, as_geometries, dissolved
from detection.inventory.overlay import EMPTY, difference, intersection, union, without_slivers
from detection.inventory.records import (
    STATUSES,
    EpochParts,
    MultiTemporal,
    Status,
    TrackingSettings,
)
from detection.inventory.seen_ground import SeenGround
from stats.case_arrays import FloatArray, IntArray

Progress = Callable[[int], None]


def track(
    epochs: Sequence[EpochMap],
    *,
    settings: TrackingSettings | None = None,
    baseline: EpochMap | None = None,
    progress: Progress | None = None,
) -> MultiTemporal:
    """Follow landslides through the epochs.

    Args:
        epochs: in order of time, in one metric coordinate system.
        settings: how they are compared.
        baseline: what was there before the first epoch; None: nothing is known, and everything
            that the first epoch shows is new, all of it first sight.
        progress: called with 1 after each epoch.

    Raises:
        DataError: epochs that do not fit together.
        ArithmeticError: areas that do not add up, which no input should bring about.

    Example:
        >>> import datetime as dt
        >>> from pyproj import CRS
        >>> def epoch(year, *boxes):
        ...     return EpochMap(name=str(year), start=dt.date(year, 1, 1),
        ...         end=dt.date(year, 12, 31), crs=CRS("EPSG:32645"),
        ...         geometries=as_geometries([shapely.box(*b) for b in boxes]))
        >>> found = track([epoch(2015, (0, 0, 40, 10)), epoch(2016, (20, 0, 60, 10))])
        >>> {s: found.epochs[1].area_m2(s) for s in ("expanded", "persistent", "recovered")}
        {'expanded': 200.0, 'persistent': 200.0, 'recovered': 200.0}
    """
    chosen = settings or TrackingSettings()
    check_epoch_maps([*([] if baseline is None else [baseline]), *epochs])
    state = _Series(chosen, baseline)
    out = []
    for epoch in epochs:
        out.append(state.take(epoch))
        if progress is not None:
            progress(1)
    found = MultiTemporal(
        epochs=tuple(out), settings=chosen, baseline=baseline, n_landslides=state.n_landslides,
        crs=epochs[0].crs,
    )  # fmt: skip
    if gaps := found.gaps():
        raise ArithmeticError("areas do not add up: " + "; ".join(gaps))
    return found


class _Series:
    """What is known after each epoch."""

    def __init__(self, settings: TrackingSettings, baseline: EpochMap | None) -> None:
        self.settings = settings
        self.ground = Ground()
        self.number: list[int] = []
        self.n_landslides = 0
        self.seen: list[SeenGround] = []
        self.coarsest = 0.0
        # Its ground was looked at, but it is no epoch: last_seen calls it -1.
        self.baseline_seen: SeenGround | None = None
        if baseline is not None:
            self.baseline_seen = SeenGround(baseline.footprint)
            self._coarsest_with(baseline)
            outlines, _, _ = dissolved(baseline.geometries, self.baseline_seen)
            for outline in outlines:
                self._appear(outline)

    def _appear(self, geometry: Any) -> int:
        self.n_landslides += 1
        self.number.append(self.n_landslides)
        return self.ground.add(geometry)

    def _coarsest_with(self, epoch: EpochMap) -> None:
        self.coarsest = max(self.coarsest, epoch.pixel_m or 0.0)

    def take(self, epoch: EpochMap) -> EpochParts:
        self._coarsest_with(epoch)
        tolerance = self.settings.tolerance_m
        if tolerance is None:
            tolerance = self.settings.tolerance_px * self.coarsest
        seen = SeenGround(epoch.footprint)
        outlines, outside, shared = dissolved(epoch.geometries, seen)
        step = _Step(self, epoch, seen, outlines, tolerance)
        before, healed = self.ground.area()
        step.match()
        step.gain()
        step.lose()
        step.store()
        after, still_healed = self.ground.area()
        account = {
            "mapped_m2": float(shapely.area(outlines).sum()),
            "visible_m2": after - step.area["unobserved"],
            "before_m2": before,
            "ever_before_m2": before + healed,
            "ever_m2": after + still_healed,
            **{f"{status}_m2": step.area[status] for status in STATUSES},
            "first_sight_m2": step.first_sight_m2,
            "seam_gained_m2": step.seam_gained,
            "seam_lost_m2": step.seam_lost,
            "outside_footprint_m2": outside,
            "mapped_twice_m2": shared,
            "tolerance_m": tolerance,
            "n_mapped": float(len(epoch.geometries)),
            "n_outlines": float(len(outlines)),
            **{f"n_{status}": float(len(step.landslides[status])) for status in STATUSES},
        }
        parts = step.parts(account)
        self.seen.append(seen)
        if self.settings.memory == "previous":
            self._forget(step)
        return parts

    def _forget(self, step: _Step) -> None:
        """Keep what this epoch shows, and its landslides' numbers; nothing else was ever there."""
        kept = Ground()
        number = []
        for k in range(len(self.ground)):
            hidden = step.unobserved.get(k, EMPTY)
            left = difference(self.ground.bare[k], hidden) if hidden.area else self.ground.bare[k]
            if left.area > 0.0:
                kept.add(left)
                number.append(self.number[k])
        self.ground, self.number = kept, number


class _Step:
    """One epoch against the ground."""

    def __init__(
        self,
        series: _Series,
        epoch: EpochMap,
        seen: SeenGround,
        outlines: Geometries,
        tolerance: float,
    ) -> None:
        self.series, self.epoch, self.seen = series, epoch, seen
        self.outlines, self.tolerance = outlines, tolerance
        self.ground = series.ground
        self.n_before = len(self.ground)
        self.records: list[tuple[Status, int, Any, float, int]] = []
        self.area = dict.fromkeys(STATUSES, 0.0)
        self.landslides: dict[str, set[int]] = {status: set() for status in STATUSES}
        self.seam_gained = self.seam_lost = self.first_sight_m2 = 0.0
        self.gains: list[tuple[int, Any]] = []
        self.reopened: list[tuple[int, Any]] = []
        self.recovered: dict[int, Any] = {}
        self.unobserved: dict[int, Any] = {}
        self.persistent: dict[int, Any] = {}
        self.members: dict[int, set[int]] = defaultdict(set)
        self.owners: dict[int, set[int]] = defaultdict(set)

    def match(self) -> None:
        """Which outline is which landslide: they share enough of the smaller one."""
        bare = self.ground.met_by(self.outlines, "bare")
        healed = self.ground.met_by(self.outlines, "healed")
        self.touched_bare: dict[int, list[int]] = defaultdict(list)
        self.touched_healed: dict[int, list[int]] = defaultdict(list)
        self.over: dict[int, list[int]] = defaultdict(list)
        common: dict[tuple[int, int], float] = defaultdict(float)
        for (outline, mine, area), touched in (
            (bare, self.touched_bare), (healed, self.touched_healed),
        ):  # fmt: skip
            for j, k, a in zip(outline.tolist(), mine.tolist(), area.tolist(), strict=True):
                touched[j].append(k)
                common[j, k] += a
                if touched is self.touched_bare:
                    self.over[k].append(j)
        size = shapely.area(self.outlines)
        ever = shapely.area(as_geometries(self.ground.bare)) + shapely.area(
            as_geometries(self.ground.healed)
        )
        self.main: dict[int, int] = {}
        best: dict[int, float] = {}
        for (j, k), a in sorted(common.items()):
            if a > 0.0 and a >= self.series.settings.least_overlap * min(size[j], ever[k]):
                self.members[k].add(j)
                self.owners[j].add(k)
                if a > best.get(j, 0.0):
                    best[j], self.main[j] = a, k

    def _cut(self, part: Any, cut: bool) -> Any:
        if not cut:
            return part
        return without_slivers(
            part, tolerance_m=self.tolerance,
            minimum_part_m2=self.series.settings.minimum_part_m2,
        )  # fmt: skip

    def gain(self) -> None:
        """Ground that was not bare when last seen: new, expanded or reactivated."""
        for j, outline in enumerate(self.outlines):
            near = self.touched_bare[j]
            added = difference(outline, union([self.ground.bare[k] for k in near]))
            kept = self._cut(added, bool(near))
            self.seam_gained += added.area - kept.area
            for k in self.touched_healed[j]:
                again = intersection(kept, self.ground.healed[k])
                if again.area > 0.0:
                    self.reopened.append((k, again))
                    self.members[k].add(j)
                    self._note("reactivated", k, again)
                kept = difference(kept, self.ground.healed[k])
            if kept.area <= 0.0:
                continue
            if j in self.main:
                self.gains.append((self.main[j], kept))
                self._note("expanded", self.main[j], kept)
            else:
                k = self.series._appear(kept)
                self.members[k].add(j)
                self.owners[j].add(k)
                self._note("new", k, kept)

    def lose(self) -> None:
        """Ground that was bare when last seen: still there, recovered, or not looked at."""
        for k in range(self.n_before):
            bare = self.ground.bare[k]
            if bare.area <= 0.0:
                continue
            mine = self.over.get(k, [])
            shown = union([self.outlines[j] for j in mine])
            seen = self.seen.of(bare)
            if self.epoch.lists == "new":
                # What is not on a list of new landslides may be there all the same.
                seen = intersection(seen, shown)
            hidden = difference(bare, seen) if seen is not bare else EMPTY
            gone = difference(seen, shown) if mine else seen
            kept = self._cut(gone, bool(mine))
            self.seam_lost += gone.area - kept.area
            still = difference(seen, kept) if kept.area else seen
            for status, part, store in (
                ("persistent", still, self.persistent),
                ("recovered", kept, self.recovered),
                ("unobserved", hidden, self.unobserved),
            ):
                if part.area > 0.0:
                    store[k] = part
                    self._note(status, k, part)  # type: ignore[arg-type]

    def store(self) -> None:
        """Bring the memory up to this epoch."""
        for k, part in self.recovered.items():
            self.ground.lose(k, part)
        for k, part in self.reopened:
            self.ground.reopen(k, part)
        for k, part in self.gains:
            self.ground.gain(k, part)

    def _note(self, status: Status, k: int, part: Any) -> None:
        first, last = 0.0, -1
        if status in ("new", "expanded", "reactivated"):
            first, last = self._seen_before(part)
            self.first_sight_m2 += first * part.area
        self.area[status] += part.area
        self.landslides[status].add(k)
        self.records.append((status, k, part, first, last))

    def _seen_before(self, part: Any) -> tuple[float, int]:
        """Share of a part that nobody looked at before, and the last epoch that saw most of it."""
        left, last = part, -1
        for s in range(len(self.series.seen) - 1, -1, -1):
            seen = self.series.seen[s]
            if last < 0 and seen.of(part).area >= 0.5 * part.area:
                last = s
            left = seen.beyond(left)
            if left.area <= 0.0:
                break
        if self.series.baseline_seen is not None:
            left = self.series.baseline_seen.beyond(left)
        return left.area / part.area, last

    def parts(self, account: dict[str, float]) -> EpochParts:
        number = self.series.number
        order = sorted(
            range(len(self.records)),
            key=lambda i: (STATUSES.index(self.records[i][0]), number[self.records[i][1]]),
        )
        chosen = [self.records[i] for i in order]
        partners: dict[int, set[int]] = defaultdict(set)
        for several in self.owners.values():
            for k in several if len(several) > 1 else ():
                partners[k] |= several - {k}
        codes: IntArray = np.array([STATUSES.index(r[0]) for r in chosen], dtype=np.int64)
        first: FloatArray = np.array([r[3] for r in chosen], dtype=np.float64)
        return EpochParts(
            epoch=self.epoch,
            status=codes,
            landslide=np.array([number[r[1]] for r in chosen], dtype=np.int64),
            geometry=as_geometries([r[2] for r in chosen]),
            first_sight=first,
            last_seen=np.array([r[4] for r in chosen], dtype=np.int64),
            objects={number[k]: len(js) for k, js in self.members.items() if js},
            partners={
                number[k]: tuple(sorted(number[i] for i in others))
                for k, others in partners.items()
            },
            account=account,
        )
