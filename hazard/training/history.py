"""From pooled values of an epoch to its record, and to the value that a stage watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hazard.training.curriculum import Stage
from hazard.training.evaluation import PooledTerms
from hazard.training.objective import combine
from hazard.training.records import EpochRecord

# Kept with the terms of the loss, so that it is averaged and saved like them.
GRADIENT_NORM = "gradient norm"


def epoch_record(
    stage: Stage, index: int, epoch: int, pooled: PooledTerms, values: Mapping[str, np.ndarray]
) -> EpochRecord:
    """The record of an epoch.

    Args:
        stage: the stage it belongs to.
        index: index of that stage.
        epoch: index of the epoch.
        pooled: training terms and gradient norms of all its steps.
        values: (member,) validation terms; empty without validation.
    """
    means = pooled.means()
    norm = means.pop(GRADIENT_NORM)
    return EpochRecord(
        stage=index,
        name=stage.name,
        epoch=epoch,
        loss=_plain(combine(means, stage.terms)),
        terms={name: _plain(value) for name, value in means.items()},
        validation=_plain(combine(values, stage.terms)) if values else None,
        validation_terms={name: _plain(value) for name, value in values.items()},
        grad_norm=_plain(norm),
    )


def monitored(stage: Stage, entry: EpochRecord) -> tuple[float, ...]:
    """The validation values by which a stage chooses and stops.

    Raises:
        ValueError: the stage monitors something that was not computed.
    """
    if stage.monitor == "loss" and entry.validation is not None:
        return entry.validation
    if stage.monitor not in entry.validation_terms:
        raise ValueError(
            f"stage {stage.name!r} monitors {stage.monitor!r}; "
            f"use loss or one of {', '.join(entry.validation_terms)}"
        )
    return entry.validation_terms[stage.monitor]


def _plain(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in np.atleast_1d(values))
