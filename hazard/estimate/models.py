"""The models of a run: which there are, under which names, and what stands beside each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hazard.archive.records import ModelRecord, NotRun
from hazard.baselines.registry import baseline
from hazard.config.fit import FitConfig
from hazard.estimate.baselines import WITHOUT_PAST
from hazard.estimate.curricula import Undo, curriculum_of, reference_curriculum, undo_of
from hazard.estimate.plan import Plan
from hazard.estimate.pools import pool_name, pool_title
from hazard.models.registry import model_entry

CLIMATOLOGICAL = "_climatological_rain"
# Variants are forecasts of the same fit with other rain; of constants they would say nothing.
WITH_RAIN_VARIANT = ("default", "default_without_past", "lightgbm", "lightgbm_without_past")
_OF = {
    True: "forecasts true landslides, the detection error being in its likelihood; scored as a "
    "forecast of the record",
    False: "forecasts the record: no term for detection error",
}


def model_records(
    config: FitConfig, plan: Plan, *, rain: bool, detection_error: bool = False
) -> tuple[ModelRecord, ...]:
    """Every model in order: networks, published networks, baselines, pools, rain variants.

    Args:
        config: section `fit`.
        plan: folds, for the numbers of members.
        rain: whether the study has rain at all.
        detection_error: whether the detection error of the inventory is known.
    """
    records: list[ModelRecord] = []
    undoing = undo_of(curriculum_of(config.training, patches=1))
    if config.training.recalibrate == "always":
        undoing = Undo("recalibrate")
    undo = undoing.words
    # A class weight is undone for the record alone.
    truth = detection_error and undoing.kind != "class_weight"
    for name in config.networks:
        past = not name.endswith(WITHOUT_PAST)
        records.append(
            ModelRecord(
                name=name, kind="network", past_records=past, probability=undo,
                title=model_entry("default").title + ("" if past else ", without past records"),
                members=_members(name, plan), true_presence=truth,
            )
        )  # fmt: skip
    for reference in config.references.networks:
        records.append(
            ModelRecord(
                name=reference, kind="reference", title=model_entry(reference).title,
                members=_members(reference, plan),
                probability=undo_of(reference_curriculum(config.references)).words,
                notes=("density trained by MAE: a median, so totals come out low",),
            )
        )  # fmt: skip
    for other in config.baselines:
        entry = baseline(other.removesuffix(WITHOUT_PAST))
        smoothed = "Laplace" in entry.title
        records.append(
            ModelRecord(
                name=other, kind="baseline",
                title=entry.title + (", without past records" if other != entry.name else ""),
                past_records=other == entry.name and other not in ("zero", "climatology"),
                probability="Laplace-smoothed" if smoothed else "proper",
                members=dict.fromkeys(_members(other, plan), 1),
            )
        )  # fmt: skip
    known = {record.name: record for record in records}
    for parts in config.pools:
        records.append(
            ModelRecord(
                name=pool_name(parts), kind="pool", title=pool_title(parts),
                past_records=any(known[part].past_records for part in parts),
                probability="mean of its parts",
                true_presence=all(known[part].true_presence for part in parts),
                members={scheme: len(parts) for scheme in known[parts[0]].members},
                notes=("equal weights, fixed beforehand",),
            )
        )  # fmt: skip
    if config.climatological_rain and rain:
        for of in [r for r in records if r.name in WITH_RAIN_VARIANT]:
            records.append(
                ModelRecord(
                    name=of.name + CLIMATOLOGICAL, kind=of.kind, variant_of=of.name,
                    title=f"{of.title}, rain of the epoch replaced by its climatology",
                    members=of.members, past_records=of.past_records, rain="climatological",
                    probability=of.probability, true_presence=of.true_presence,
                )
            )  # fmt: skip
    if detection_error:
        records = [replace(r, notes=(*r.notes, _OF[r.true_presence])) for r in records]
    return tuple(records)


def allowed(name: str, models: tuple[str, ...] | None) -> bool:
    """True where a fold may run a model; a variant goes with its model."""
    return models is None or name.removesuffix(CLIMATOLOGICAL) in models


def without_rain(fits: Sequence[Mapping[str, Any]]) -> list[NotRun]:
    """Variants that are absent because their model reads no rain, and would say nothing.

    Args:
        fits: finished fits: scheme, fold, name, and whether the fit reads rain.

    Example:
        >>> fit = {"scheme": "forward_chaining", "fold": 0, "name": "lightgbm"}
        >>> without_rain([{**fit, "reads_rain": False}])[0].model
        'lightgbm_climatological_rain'
    """
    found: dict[tuple[str, str], dict[int, bool]] = {}
    for fit in fits:
        if fit["name"] in WITH_RAIN_VARIANT:
            found.setdefault((fit["scheme"], fit["name"]), {})[fit["fold"]] = fit["reads_rain"]
    reason = f"{{}} reads no rain here, so {CLIMATOLOGICAL[1:].replace('_', ' ')} changes nothing"
    absent: list[NotRun] = []
    for (scheme, name), reads in found.items():
        # One row for the scheme where no fold reads rain, else one for each fold that does not.
        folds = (
            [fold for fold, does in reads.items() if not does] if any(reads.values()) else [None]
        )
        absent += [
            NotRun(
                scheme=scheme, model=name + CLIMATOLOGICAL, fold=fold, reason=reason.format(name)
            )
            for fold in folds
        ]  # fmt: skip
    return absent


def variants(model: str) -> dict[str, str]:
    """Names of the models whose forecasts one fit holds, by the key of the variant.

    Example:
        >>> variants("default")["climatological"]
        'default_climatological_rain'
    """
    return {"observed": model, "climatological": model + CLIMATOLOGICAL}


def _members(name: str, plan: Plan) -> dict[str, int]:
    return {fold.scheme: fold.members for fold in plan.folds if allowed(name, fold.models)}
