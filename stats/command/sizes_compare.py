"""A predicted inventory against its reference: sizes, laws above a common cut, matched outlines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stats.command.sizes_fit import recording_of
from stats.command.sizes_input import Areas
from stats.command.sizes_settings import LAW_NAMES, SizesSettings
from stats.command.sizes_table import finite
from stats.sizes.comparison import (
    AreaSummary,
    Difference,
    Residuals,
    difference_of_fits,
    residuals,
    summarise_areas,
)
from stats.sizes.empirical import share_interval
from stats.sizes.fit import SizeFit, fit_sizes
from stats.sizes.matching import KINDS
from stats.sizes.records import read_record

if TYPE_CHECKING:
    import pandas as pd

    from stats.command.object_matching import ObjectMatching

RECALL_EDGES_M2 = (0.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, np.inf)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What one pair of inventories shows.

    Attributes:
        predicted: the inventory judged.
        reference: what it is judged by.
        sizes: summaries of both, all areas.
        cut_m2: common cut: the larger of the two minimum mapping areas.
        pixels_m2: pixel area of each, None where areas count as exact.
        fits: fits above the common cut, or None where one could not be made.
        differences: of exponent and rollover.
        failure: why there are no differences; empty where there are.
        matched: matched outlines, or None for tables of areas.
        residuals: by "1:1" and "all groups", where there are any.
        recall: per class of reference area: lower and upper edge, n, found, share and interval.
    """

    predicted: Areas
    reference: Areas
    sizes: tuple[AreaSummary, AreaSummary]
    cut_m2: float
    pixels_m2: tuple[float | None, float | None]
    fits: tuple[SizeFit, SizeFit] | None
    differences: tuple[Difference, ...]
    failure: str
    matched: ObjectMatching | None
    residuals: dict[str, Residuals]
    recall: list[dict[str, Any]]


def compare(predicted: Areas, reference: Areas, settings: SizesSettings) -> Comparison:
    """Compare two inventories of the same ground.

    Raises:
        DataError: outlines in different places, or in degrees.
    """
    matched = None
    if predicted.table is not None and reference.table is not None:
        from stats.command.object_matching import match_inventories

        matched = match_inventories(
            predicted.table, reference.table, least_overlap=settings.least_overlap
        )
    records = [
        read_record(
            areas.areas_m2,
            minimum_mapping_area_m2=settings.cutoff_m2 or areas.stated_minimum_m2,
            pixel_m2=settings.pixel_m2,
        )
        for areas in (predicted, reference)
    ]
    cut = max(r.minimum_mapping_area_m2 for r in records)
    fits, differences, failure = _differences(predicted, reference, cut, matched, settings)
    return Comparison(
        predicted=predicted,
        reference=reference,
        sizes=(summarise_areas(predicted.areas_m2), summarise_areas(reference.areas_m2)),
        cut_m2=cut,
        pixels_m2=(records[0].pixel_m2, records[1].pixel_m2),
        fits=fits,
        differences=differences,
        failure=failure,
        matched=matched,
        residuals={} if matched is None else _residuals(matched),
        recall=[] if matched is None else recall_by_size(matched),
    )


def _differences(
    predicted: Areas,
    reference: Areas,
    cut: float,
    matched: ObjectMatching | None,
    settings: SizesSettings,
) -> tuple[tuple[SizeFit, SizeFit] | None, tuple[Difference, ...], str]:
    law = LAW_NAMES[settings.laws[0]]
    fits, used, groups = [], [], []
    try:
        for side, areas in enumerate((predicted, reference)):
            record = read_record(
                areas.areas_m2, minimum_mapping_area_m2=cut, pixel_m2=settings.pixel_m2
            )
            inside = record.in_fit(areas.areas_m2)
            recording, kept = recording_of(record, law, areas.areas_m2[inside])
            fits.append(fit_sizes(kept, law, recording, level=settings.level, stability=False))
            used.append(kept)
            if matched is not None:
                group = matched.matching.predicted_group, matched.matching.reference_group
                groups.append(group[side][inside])
        same = all(len(g) == len(u) for g, u in zip(groups, used, strict=False))
        paired = (
            {"predicted_group": groups[0], "reference_group": groups[1]} if groups and same else {}
        )
        differences = difference_of_fits(
            fits[0], used[0], fits[1], used[1], level=settings.level,
            rng=np.random.default_rng([settings.seed, 7]), draws=max(200, settings.draws), **paired,
        )  # fmt: skip
    except ValueError as error:
        return None, (), str(error).removeprefix("areas_m2: ")
    return (fits[0], fits[1]), differences, ""


def _residuals(matched: ObjectMatching) -> dict[str, Residuals]:
    kind = matched.matching.kind
    out = {}
    for name, chosen in (
        ("1:1", kind == KINDS.index("1:1")),
        ("all groups", kind < KINDS.index("missed")),
    ):
        if chosen.any():
            out[name] = residuals(
                matched.group_predicted_m2[chosen], matched.group_reference_m2[chosen]
            )
    return out


def recall_by_size(matched: ObjectMatching) -> list[dict[str, Any]]:
    """Share of the reference landslides found, per class of area, with exact 95 % intervals."""
    area = matched.reference_m2
    found = np.ones(area.size, dtype=bool)
    found[matched.matching.missed] = False
    rows = []
    for low, high in itertools.pairwise(RECALL_EDGES_M2):
        inside = (area >= low) & (area < high)
        n, k = int(inside.sum()), int((inside & found).sum())
        if not n:
            continue
        ends = share_interval(k, n)
        rows.append(
            {
                "area_from_m2": low,
                "area_to_m2": high,
                "n": n,
                "found": k,
                "recall": k / n,
                "low": float(ends[0]),
                "high": float(ends[1]),
            }
        )
    return rows


def comparison_record(found: Comparison) -> dict[str, Any]:
    """One comparison for ``comparison.json``; what does not exist is null."""
    record: dict[str, Any] = {
        "predicted": str(found.predicted.source),
        "reference": str(found.reference.source),
        "label": found.predicted.label,
        "sizes": {
            side: {k: finite(v) for k, v in asdict(s).items()}
            for side, s in zip(("predicted", "reference"), found.sizes, strict=True)
        },
        "common_cut_m2": found.cut_m2,
        "law": None if found.fits is None else found.fits[0].law,
        "differences": [
            {k: finite(v) if isinstance(v, float) else v for k, v in asdict(d).items()}
            for d in found.differences
        ],
        "failure": found.failure,
        "matching": None,
    }
    if found.matched is None:
        return record
    groups = found.matched.matching
    shared = float(found.matched.group_shared_m2.sum())
    predicted = float(found.matched.group_predicted_m2.sum())
    reference = float(found.matched.group_reference_m2.sum())
    record["matching"] = {
        "least_overlap": groups.least_overlap,
        "groups": {kind: groups.count(kind) for kind in KINDS},
        "n_missed": int(groups.missed.size),
        "n_false": int(groups.false.size),
        "recall": _share(len(groups.reference_group) - groups.missed.size, groups.reference_group),
        "precision": _share(
            len(groups.predicted_group) - groups.false.size, groups.predicted_group
        ),
        "predicted_m2": predicted,
        "reference_m2": reference,
        "shared_m2": shared,
        "iou": finite(shared / (predicted + reference - shared)),
        "residuals": {name: asdict(r) for name, r in found.residuals.items()},
        "recall_by_size": [{k: finite(v) for k, v in row.items()} for row in found.recall],
    }
    return record


def _share(count: int, group: Any) -> float | None:
    return count / len(group) if len(group) else None


def epoch_table(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Count, total, minimum, maximum, mean and median area per pair, for ``epochs.csv``."""
    return [
        {
            "epoch": found.predicted.label,
            **{f"predicted_{k}": v for k, v in asdict(found.sizes[0]).items()},
            **{f"reference_{k}": v for k, v in asdict(found.sizes[1]).items()},
        }
        for found in comparisons
    ]


def tables_of(found: Comparison) -> dict[str, pd.DataFrame]:
    """The lists of one comparison: matches, missed, false; empty for tables of areas."""
    if found.matched is None:
        return {}
    from stats.command.object_matching import pair_table, unmatched_table

    return {
        "matches": pair_table(found.matched),
        "missed": unmatched_table(found.matched, "missed"),
        "false": unmatched_table(found.matched, "false"),
    }
