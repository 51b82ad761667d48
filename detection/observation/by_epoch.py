"""How an epoch departs from the detection error of all epochs together.

The first epoch of a series shows everything that looks like a landslide for the first time, old
fields and roads among it; later ones only what changes. So false alarms are many in the first and
few in the others, and what is new later is smaller and found less often, beyond what its size says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.observation.calibration import Calibration
from detection.observation.emulate import class_slopes_deg
from detection.observation.model import SLOPE_MIDDLE_DEG, ObservationModel
from stats.case_arrays import FloatArray

PRIOR_EVENTS = 5.0


@dataclass(frozen=True, eq=False, kw_only=True)
class EpochFactors:
    """Factors on recall and on the rate of false alarms.

    Attributes:
        recall: (epoch,) landslides found over those expected.
        false: (epoch,) false alarms over those expected.
    """

    recall: FloatArray
    false: FloatArray


def epoch_factors(model: ObservationModel, parts: Sequence[Calibration]) -> EpochFactors:
    """Counts over expectations of each epoch, drawn towards 1 as by five events as expected.

    Args:
        model: detection error of all epochs together.
        parts: what each epoch tells, of the ground that the model was estimated on.
    """
    recall, false = np.ones((2, len(parts)))
    for number, part in enumerate(parts):
        slope = part.slope_deg if part.with_terrain else np.full(part.found.size, SLOPE_MIDDLE_DEG)
        expected = float(model.recall(part.reference_m2, slope).sum())
        recall[number] = (part.found.sum() + PRIOR_EVENTS) / (expected + PRIOR_EVENTS)
        rates = model.false_rate_per_km2(class_slopes_deg())
        alarms = float((part.ground_km2.sum(axis=0) * rates).sum())
        false[number] = (part.false_m2.size + PRIOR_EVENTS) / (alarms + PRIOR_EVENTS)
    return EpochFactors(recall=recall, false=false)
