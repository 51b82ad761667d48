"""Detected and reference inventories of several epochs, compared one by one and all together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from detection.comparison.agreement import DRAWS, Fragmentation, agreement, fragmentation
from hazard.errors import DataError
from stats.command.area_table import Source
from stats.command.inventory_record import InventoryTable
from stats.command.object_matching import match_inventories
from stats.command.sizes_compare import Comparison, compare, recall_by_size
from stats.command.sizes_fit import recording_of
from stats.command.sizes_input import Areas
from stats.command.sizes_settings import LAW_NAMES, SizesSettings
from stats.density.tables import DensityDifference, DensityRow, density_differences, density_table
from stats.resampling.interval import Interval
from stats.sizes.comparison import (
    Difference,
    difference_of_fits,
    residuals,
    summarise_areas,
)
from stats.sizes.fit import fit_sizes
from stats.sizes.matching import KINDS
from stats.sizes.records import read_record


@dataclass(frozen=True, eq=False, kw_only=True)
class EpochPair:
    """One epoch as detected and as in the reference.

    Attributes:
        name: of the epoch.
        start: first day.
        end: last day.
        detected: detected landslides.
        reference: reference landslides.
        footprint: ground that both looked at, in the coordinate system of `detected`; landslides
            without a point of theirs in it are left out. None: all of it.
        footprint_km2: area of that ground where `footprint` is None [km2].
    """

    name: str
    start: dt.date
    end: dt.date
    detected: InventoryTable
    reference: InventoryTable
    footprint: Any = None
    footprint_km2: float | None = None

    @property
    def study_km2(self) -> float:
        """Area that was looked at [km2]."""
        if self.footprint is not None:
            return float(self.footprint.area) / 1e6
        if self.footprint_km2 is None:
            raise DataError(
                f"epoch {self.name!r}", found="no footprint", expected="footprint or footprint_km2"
            )
        return self.footprint_km2


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How inventories are compared.

    Attributes:
        least_overlap: part of the smaller outline that two must share to match.
        law: law fitted to the sizes, as in `stats.command.sizes_settings.LAW_NAMES`.
        cutoff_m2: minimum mapping area of both; None: from files or areas.
        pixel_m2: pixel area; None: found in the areas; 0: areas are exact.
        least_for_fit: landslides that both inventories must have for a size law to be fitted.
        draws: bootstrap draws.
        level: coverage of intervals.
        bandwidth_m: of the density maps [m].
        seed: of everything random.
    """

    least_overlap: float = 0.1
    law: str = "dps"
    cutoff_m2: float | None = None
    pixel_m2: float | None = None
    least_for_fit: int = 20
    draws: int = DRAWS
    level: float = 0.95
    bandwidth_m: float = 1000.0
    seed: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class EpochComparison:
    """What one epoch shows.

    Attributes:
        pair: the inventories, without what lies outside the footprint.
        comparison: matched outlines, sizes, residuals, fits and differences of exponents.
        fragmentation: what was split and merged.
        agreement: ratios with intervals; empty where an inventory is, or where all landslides hang
            together in one group.
        n_outside: detected and reference landslides left out, outside the footprint.
    """

    pair: EpochPair
    comparison: Comparison
    fragmentation: Fragmentation
    agreement: dict[str, Interval]
    n_outside: tuple[int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class SeriesComparison:
    """A series of epochs, detected and reference.

    Attributes:
        epochs: each epoch.
        detected: density table of the detected inventories.
        reference: density table of the reference ones.
        differences: detected minus reference, per epoch.
        pooled: differences of exponent and rollover over all epochs together; empty where no fit
            could be made.
        pooled_failure: why not; empty where there are some.
        settings: how they were compared.
        synthetic: images were rendered.
    """

    epochs: tuple[EpochComparison, ...]
    detected: tuple[DensityRow, ...]
    reference: tuple[DensityRow, ...]
    differences: tuple[DensityDifference, ...]
    pooled: tuple[Difference, ...]
    pooled_failure: str
    settings: ComparisonSettings
    synthetic: bool


def compare_series(
    pairs: Sequence[EpochPair],
    *,
    settings: ComparisonSettings | None = None,
    synthetic: bool = False,
    progress: Callable[[int], None] | None = None,
) -> SeriesComparison:
    """Compare detected with reference inventories, epoch by epoch.

    Args:
        pairs: one per epoch, in order of time.
        settings: how.
        synthetic: True where images were rendered; stamped on every figure.
        progress: called with 1 after each epoch.

    Raises:
        DataError: no epochs, or inventories of different places.
    """
    if not pairs:
        raise DataError("epochs", found="none", expected="one or more")
    chosen = settings or ComparisonSettings()
    epochs = []
    for number, pair in enumerate(pairs):
        epochs.append(_compare_epoch(pair, chosen, number, synthetic=synthetic))
        if progress is not None:
            progress(1)
    rows = [
        density_table(
            [np.asarray(getattr(e.pair, side).frame["area_m2"], np.float64) for e in epochs],
            epochs=[e.pair.name for e in epochs],
            days=[float((e.pair.end - e.pair.start).days + 1) for e in epochs],
            study_km2=[e.pair.study_km2 for e in epochs],
            level=chosen.level,
            rng=np.random.default_rng([chosen.seed, 1]),
        )
        for side in ("detected", "reference")
    ]
    pooled, failure = _pooled(epochs, chosen)
    return SeriesComparison(
        epochs=tuple(epochs),
        pooled=pooled,
        pooled_failure=failure,
        detected=rows[0],
        reference=rows[1],
        differences=density_differences(*rows),
        settings=chosen,
        synthetic=synthetic,
    )


def _compare_epoch(
    pair: EpochPair, settings: ComparisonSettings, number: int, *, synthetic: bool
) -> EpochComparison:
    inside, n_outside = _inside(pair)
    found = _matched(inside, settings, number, synthetic=synthetic)
    assert found.matched is not None
    # An interval of one group says nothing; everything may hang together in one.
    some = len(inside.detected) and len(inside.reference) and found.matched.matching.kind.size > 1
    ratios = {}
    if some:
        ratios = agreement(
            found.matched, rng=np.random.default_rng([settings.seed, 2, number]),
            draws=settings.draws, level=settings.level,
        )  # fmt: skip
    return EpochComparison(
        pair=inside,
        comparison=found,
        fragmentation=fragmentation(found.matched),
        agreement=ratios,
        n_outside=n_outside,
    )


def _matched(
    pair: EpochPair, settings: ComparisonSettings, number: int, *, synthetic: bool
) -> Comparison:
    """Matched outlines, and size laws where there are landslides enough."""
    ours = _areas(pair.detected, pair.name, synthetic=synthetic)
    theirs = _areas(pair.reference, f"{pair.name} reference", synthetic=synthetic)
    least = min(ours.areas_m2.size, theirs.areas_m2.size)
    if least >= settings.least_for_fit:
        asked = SizesSettings(
            inventories=(pair.name,), laws=(settings.law,), cutoff_m2=settings.cutoff_m2,
            pixel_m2=settings.pixel_m2, draws=settings.draws, level=settings.level,
            seed=settings.seed + number, least_overlap=settings.least_overlap, out=Path("."),
        )  # fmt: skip
        return compare(ours, theirs, asked)
    matched = match_inventories(pair.detected, pair.reference, least_overlap=settings.least_overlap)
    kind = matched.matching.kind
    residual = {}
    for name, chosen in (
        ("1:1", kind == KINDS.index("1:1")),
        ("all groups", kind < KINDS.index("missed")),
    ):
        if chosen.any():
            residual[name] = residuals(
                matched.group_predicted_m2[chosen], matched.group_reference_m2[chosen]
            )
    every = np.concatenate([ours.areas_m2, theirs.areas_m2])
    return Comparison(
        predicted=ours,
        reference=theirs,
        sizes=(summarise_areas(ours.areas_m2), summarise_areas(theirs.areas_m2)),
        cut_m2=settings.cutoff_m2 or float(every.min(initial=np.inf)),
        pixels_m2=(None, None),
        fits=None,
        differences=(),
        failure=f"{least} landslides in one inventory; {settings.least_for_fit} are needed",
        matched=matched,
        residuals=residual,
        recall=recall_by_size(matched),
    )


def _pooled(
    epochs: Sequence[EpochComparison], settings: ComparisonSettings
) -> tuple[tuple[Difference, ...], str]:
    """Exponent and rollover of all epochs together; groups of landslides are drawn whole."""
    sides: list[list[np.ndarray[Any, Any]]] = [[], []]
    groups: list[list[np.ndarray[Any, Any]]] = [[], []]
    first = 0
    for entry in epochs:
        matched = entry.comparison.matched
        assert matched is not None
        match = matched.matching
        for side, (areas, group) in enumerate(
            (
                (entry.comparison.predicted.areas_m2, match.predicted_group),
                (entry.comparison.reference.areas_m2, match.reference_group),
            )
        ):
            sides[side].append(areas)
            groups[side].append(group + first)
        first += match.kind.size
    least = min(sum(areas.size for areas in side) for side in sides)
    if least < settings.least_for_fit:
        return (), f"{least} landslides in one inventory; {settings.least_for_fit} are needed"
    law = LAW_NAMES[settings.law]
    cut = max(e.comparison.cut_m2 for e in epochs if np.isfinite(e.comparison.cut_m2))
    fits, used, drawn = [], [], []
    try:
        for mine, members in zip(sides, groups, strict=True):
            every, number = np.concatenate(mine), np.concatenate(members)
            record = read_record(every, minimum_mapping_area_m2=cut, pixel_m2=settings.pixel_m2)
            inside = record.in_fit(every)
            recording, kept = recording_of(record, law, every[inside])
            if kept.size != inside.sum():
                raise ValueError(f"law {settings.law!r} spends an area on its upper end")
            fits.append(fit_sizes(kept, law, recording, level=settings.level, stability=False))
            used.append(kept)
            drawn.append(number[inside])
        return difference_of_fits(
            fits[0], used[0], fits[1], used[1], predicted_group=drawn[0],
            reference_group=drawn[1], rng=np.random.default_rng([settings.seed, 3]),
            draws=max(200, settings.draws), level=settings.level,
        ), ""  # fmt: skip
    except ValueError as error:
        return (), str(error)


def _areas(table: InventoryTable, label: str, *, synthetic: bool) -> Areas:
    stated = table.minimum_mapping_area_m2
    return Areas(
        label=label,
        source=Source(path=Path(table.path), name=table.member),
        areas_m2=np.asarray(table.frame["area_m2"], dtype=np.float64),
        stated_minimum_m2=(
            stated
            if table.minimum_mapping_area_from != "smallest polygon" and np.isfinite(stated)
            else None
        ),
        sha256="",
        table=table,
        synthetic=synthetic,
        notes=table.notes,
    )


def _inside(pair: EpochPair) -> tuple[EpochPair, tuple[int, int]]:
    """The pair within its footprint, and how many landslides of each side were left out."""
    reference = pair.reference
    if reference.crs != pair.detected.crs:
        reference = replace(
            reference, frame=reference.frame.to_crs(pair.detected.crs), crs=pair.detected.crs
        )
    if pair.footprint is None:
        return replace(pair, reference=reference), (0, 0)
    shapely.prepare(pair.footprint)
    kept, out = [], []
    for table in (pair.detected, reference):
        points = shapely.point_on_surface(np.asarray(table.frame.geometry.to_numpy(), object))
        held = shapely.contains(pair.footprint, points)
        kept.append(replace(table, frame=table.frame[held].reset_index(drop=True)))
        out.append(int((~held).sum()))
    return replace(pair, detected=kept[0], reference=kept[1]), (out[0], out[1])
