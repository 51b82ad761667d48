"""Exponent and total area with the detection error carried on, ground by ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from detection.config.map import MapConfig
from detection.inventory.records import MultiTemporal
from detection.map.held_out import Mask
from detection.observation.against_truth import SizeRows, size_rows
from detection.observation.model import ObservationModel
from detection.observation.survey import Survey, gains_on, seen_pixels

GROUNDS = {"all": "All of the mapped ground", "checked": "Ground that did not calibrate"}


def carried_sizes(
    config: MapConfig,
    survey: Survey,
    model: ObservationModel,
    checked: Mask | None,
    detected: MultiTemporal,
    reference: MultiTemporal | None,
) -> SizeRows:
    """Exponent and total of all that was mapped; and on the checking ground, with the reference.

    Args:
        config: of the run.
        survey: the ground that both inventories looked at.
        model: detection error of the landslides asked for.
        checked: pixels of the checking ground, of `survey`; None where nothing is checked.
        detected: the detected inventory.
        reference: the reference inventory, as the detector could have seen it, or None.
    """
    above = config.error.sizes_above_m2
    if above is not None and model.minimum_m2 < above:
        note = (
            f"no detection error of landslides of {above:g} m2 or more is known, which "
            "error.sizes_above_m2 asks for"
        )
        return SizeRows(rows=(), notes=(note,))
    mapped = replace(survey, seen=seen_pixels(detected, survey.pixels))
    grounds: dict[str, tuple[Survey, Mask, MultiTemporal | None]] = {
        "all": (mapped, mapped.anywhere, None)
    }
    if reference is not None and checked is not None:
        grounds["checked"] = (survey, checked, reference)
    rows: list[dict[str, Any]] = []
    notes: dict[str, Sequence[str]] = {}
    for number, (name, (looked, ground, truth)) in enumerate(grounds.items()):
        least = model.minimum_m2
        areas, slopes = gains_on(detected, looked, ground, minimum_m2=least)
        own = size_rows(
            areas, slopes, model, ground_km2=looked.ground_km2(ground),
            reference_m2=None if truth is None
            else gains_on(truth, looked, ground, minimum_m2=least)[0],
            rng=np.random.default_rng([config.seed, 9, number]), draws=config.error.draws,
            level=config.error.level,
        )  # fmt: skip
        rows += [{"ground": name, **row} for row in own.rows]
        notes[GROUNDS[name]] = own.notes
    return SizeRows(rows=tuple(rows), notes=notes_by_ground(notes))


def notes_by_ground(notes: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Every note once; a note that does not hold on all grounds says on which it does.

    Example:
        >>> notes_by_ground({"Valley": ["few", "old"], "Ridge": ["old"]})
        ('Valley: few', 'old')
    """
    where: dict[str, list[str]] = {}
    for ground, said in notes.items():
        for note in said:
            where.setdefault(note, []).append(ground)
    return tuple(
        note if len(grounds) == len(notes) else f"{', '.join(grounds)}: {note}"
        for note, grounds in where.items()
    )
