"""What makes two trainings the same, so that a checkpoint is never resumed by another one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array

from hazard.errors import UserError
from hazard.training.checkpoint import CheckpointFolder
from hazard.training.curriculum import Stage, curriculum_to_json
from hazard.training.records import TrainingSettings


def identity(
    curriculum: Sequence[Stage],
    settings: TrainingSettings,
    params: Mapping[str, Array],
    arrays: Mapping[str, Array],
    samples: Sequence[np.ndarray],
) -> dict[str, Any]:
    """Curriculum, seed and members as they are; network, data and samples as digests.

    Data are compared by names, shapes and the samples that count, not by their values.
    """
    return {
        "curriculum": json.loads(json.dumps(curriculum_to_json(curriculum))),
        "seed": settings.seed,
        "members": settings.members,
        "network": _digest({name: list(value.shape) for name, value in params.items()}),
        "data": _digest([[n, list(v.shape), str(v.dtype)] for n, v in sorted(arrays.items())]),
        "samples": [_digest(numbers.tolist()) for numbers in samples],
    }


def check_identity(checkpoints: CheckpointFolder, record: Mapping[str, Any]) -> dict[str, Any]:
    """The newest checkpoint's record, if it belongs to the training that `record` describes.

    Raises:
        UserError: it belongs to another one; the message names what differs.
    """
    found = checkpoints.record()
    before, now = found.get("training", {}), record["training"]
    different = [key for key in now if before.get(key) != now[key]]
    if different:
        raise UserError(
            f"{checkpoints.folder}: found a checkpoint of another training (different: "
            f"{', '.join(different)}); expected one with the same settings, or an empty folder"
        )
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
