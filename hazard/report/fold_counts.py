"""How many cells with landslides the folds of a run hold in training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.archive.names import FEWEST_POSITIVES
from hazard.report.page import sentence
from hazard.report.source import Source
from stats.command.pages import heading, table
from stats.resampling.folds import TEST, TRAIN, VALIDATION

ROLE = "role_"
PARTS = (("training", TRAIN), ("validation", VALIDATION), ("test", TEST))
FEWEST_VALIDATION = 10
"""Below so many cells with landslides a validation part says little about when to stop."""


@dataclass(frozen=True, kw_only=True)
class FoldCount:
    """Cell-epochs of one fold and those among them with landslides, by part.

    Attributes:
        scheme: name.
        fold: name.
        cells: by part.
        positives: by part.
    """

    scheme: str
    fold: str
    cells: dict[str, int]
    positives: dict[str, int]

    @property
    def remark(self) -> str:
        """What the numbers forbid; empty where they forbid nothing."""
        found = []
        for part in ("training", "test"):
            if self.positives[part] < FEWEST_POSITIVES:
                found.append(f"{part}: fewer than {FEWEST_POSITIVES} cells with landslides")
        if self.cells["validation"] and self.positives["validation"] < FEWEST_VALIDATION:
            found.append(
                f"validation: fewer than {FEWEST_VALIDATION} cells with landslides, so early "
                "stopping and recalibration have little to go by"
            )
        return "; ".join(found)


def fold_counts(source: Source) -> list[FoldCount]:
    """Counts of every fold that was run of every design that is stored with the cube."""
    presence = np.asarray(source.cube.root["presence"].values)
    observed = np.asarray(source.cube.root["observed"].values, dtype=bool)
    counts = []
    for name, record in source.schemes.items():
        stored = f"{ROLE}{record.design}"
        if not record.design or stored not in source.cube.folds:
            continue
        role: Any = source.cube.folds[stored]
        for number, fold in zip(record.folds, record.fold_names, strict=True):
            held = np.asarray(role[number].values)
            cells, positives = {}, {}
            for part, code in PARTS:
                at = (held == code) & observed
                cells[part], positives[part] = int(at.sum()), int((presence[at] == 1).sum())
            counts.append(FoldCount(scheme=name, fold=fold, cells=cells, positives=positives))
    return counts


def fold_parts(source: Source) -> list[str]:
    """A table of the counts; nothing where no stored design was run."""
    counts = fold_counts(source)
    if not counts:
        return []
    rows = [
        [source.scheme_label(count.scheme), count.fold,
         *(f"{count.positives[part]} of {count.cells[part]}" for part, _ in PARTS),
         count.remark or "-"]
        for count in counts
    ]  # fmt: skip
    return [
        heading("Landslides in the folds", 2),
        sentence("Cell-epochs with landslides, of all cell-epochs, in each part of each fold."),
        table(["scheme", "fold", *(part for part, _ in PARTS), "remark"], rows),
    ]
