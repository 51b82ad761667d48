"""What a fit may learn from, given which cell-epochs it will be asked about.

Features that change with the epoch (season, rain, time since the event) and cells without any
record of earlier epochs both let a model tell the training epochs apart. Where every test epoch is
among the training epochs, in other places, that is knowledge; where the test epoch is a new one, it
says nothing, and a line or a tree that leans on it fails without warning.
"""

from __future__ import annotations

import numpy as np

from hazard.baselines.contract import BoolArray, TrainingCells
from hazard.cube.cell_features import PAST_PREFIX
from hazard.cube.past import EPOCHS_ON_RECORD
from stats.resampling.folds import TEST, TRAIN

# Test cells without a record, at the edges of a mapped area, may be too few to train any for.
_FEW = 0.05


def knows_test_epochs(cells: TrainingCells) -> bool:
    """True where each epoch of the test part has training cells too."""
    tested = (cells.role == TEST).any(axis=1)
    return not (tested & ~(cells.role == TRAIN).any(axis=1)).any()


def offered_names(
    cells: TrainingCells, changing: bool | None, *, past_epochs: bool = True
) -> list[str]:
    """Names of the features that a fit may read.

    Args:
        cells: training cells.
        changing: whether features that change with the epoch, other than past records, are among
            them; None where the test epochs are known.
        past_epochs: whether the length of the record, which counts time, is among them in any case.
    """
    features = cells.features
    if knows_test_epochs(cells) if changing is None else changing:
        return list(features.names)
    left_out = () if past_epochs else (EPOCHS_ON_RECORD,)
    return [
        name for name, changes in zip(features.names, features.changing, strict=True)
        if not changes or (name.startswith(PAST_PREFIX) and name not in left_out)
    ]  # fmt: skip


def rows_with_record(cells: TrainingCells, first_epochs: bool | None) -> BoolArray:
    """(case,) True for the training cells that a fit learns from.

    Args:
        cells: training cells.
        first_epochs: whether those without a record of earlier epochs are among them; None where
            test cells have none either. They always are where the others do not suffice.
    """
    every = np.ones(cells.density().size, dtype=bool)
    if not cells.features.has_past:
        return every
    count = cells.features.column(EPOCHS_ON_RECORD)
    if first_epochs is None:
        test = cells.role == TEST
        first_epochs = not test.any() or float(np.mean(count[test] == 0)) > _FEW
    if first_epochs:
        return every
    recorded = count[cells.role == TRAIN] > 0
    enough = np.unique(cells.density()[recorded & cells.presence()]).size >= 2
    return recorded if enough else every
