"""Everything a report reads, opened once; what is not there is named, never guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazard.archive.names import FINAL_SCHEME, POOL_JOINER, PREDICTIONS_NAME, REPORT_FOLDER
from hazard.archive.predictions import Predictions, open_predictions
from hazard.archive.records import ModelRecord, SchemeRecord
from hazard.cube.layout import Cube, open_cube
from hazard.errors import DataError
from hazard.report.evaluation import Evaluation, open_evaluation

if TYPE_CHECKING:
    from hazard.config.schema import HazardConfig

FIGURES = "figures"
FORWARD = "forward_chaining"
LABELS = {
    "default": "network",
    "reference": "published network (code)",
    "described": "published network (text)",
    "persistence_mean": "persistence (mean)",
    "persistence_last": "persistence (last epoch)",
    "logistic": "logistic",
    "lightgbm": "LightGBM",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A run folder opened for its report.

    Attributes:
        folder: the run folder.
        report: folder in which the pages are made.
        config: the configuration; None where the run was not made from one.
        cube: the data cube.
        predictions: forecasts; None where there are none.
        evaluation: scoreboard and tables to draw from.
        summary: ``summary.json``, empty where absent.
        provenance: ``provenance.json``, empty where absent.
        missing: parts of the run that are not there, each with what follows from it.
    """

    folder: Path
    report: Path
    config: HazardConfig | None
    cube: Cube
    predictions: Predictions | None
    evaluation: Evaluation
    summary: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def synthetic(self) -> bool:
        """True where nothing was observed."""
        return self.cube.synthetic

    @property
    def figures(self) -> Path:
        """Folder of the figures of the pages."""
        return self.report / FIGURES

    @property
    def dpi(self) -> int:
        """Resolution of the figures [dots per inch]."""
        return self.config.fit.report.figure_dpi if self.config is not None else 110

    @cached_property
    def models(self) -> dict[str, ModelRecord]:
        """Models by name, in order."""
        return {m.name: m for m in self.predictions.header.models} if self.predictions else {}

    @cached_property
    def schemes(self) -> dict[str, SchemeRecord]:
        """Schemes by name, in order."""
        return {s.name: s for s in self.predictions.header.schemes} if self.predictions else {}

    @cached_property
    def held_out_schemes(self) -> list[str]:
        """Schemes in which no model saw what it forecasts, forward chaining first."""
        names = [
            name
            for name, record in self.schemes.items()
            if name != FINAL_SCHEME and not record.in_sample and not record.leaks
        ]
        return sorted(names, key=lambda name: name != FORWARD)

    @cached_property
    def subject(self) -> str | None:
        """The model that the report is about: our first network, else the first model of all."""
        own = [m.name for m in self.models.values() if m.kind == "network" and not m.variant_of]
        return next(iter([*own, *self.models]), None)

    def model_title(self, name: str) -> str:
        """Title of a model, or its name with blanks where nothing is known of it."""
        record = self.models.get(name)
        return record.title if record is not None else name.replace("_", " ")

    def model_label(self, name: str) -> str:
        """Short name of a model for figures and tables."""
        record = self.models.get(name)
        base = record.variant_of if record is not None and record.variant_of else name
        label = LABELS.get(base)
        if record is not None and record.kind == "pool":
            label = " + ".join(LABELS.get(part, part) for part in base.split(POOL_JOINER))
        if label is None:
            plain = base.removesuffix("_without_past")
            label = LABELS.get(plain, plain.replace("_", " "))
            label += ", no past" if plain != base else ""
        climatological = record is not None and record.rain == "climatological"
        return f"{label}, climatological rain" if climatological else label

    def scheme_label(self, name: str) -> str:
        """Short name of a scheme for figures."""
        return "final model" if name == FINAL_SCHEME else name.replace("_", " ")

    def scheme_title(self, name: str) -> str:
        """Title of a scheme, or its name with blanks where nothing is known of it."""
        record = self.schemes.get(name)
        return record.title if record is not None else name.replace("_", " ")

    @cached_property
    def triggers(self) -> tuple[str, ...]:
        """``shaking`` and ``rain``, as far as the cube has them."""
        names = [str(name) for name in self.cube.triggers.data_vars]
        known = {"shaking": ("pga", "mmi"), "rain": ("rain_",)}
        return tuple(
            trigger
            for trigger, starts in known.items()
            if any(name.startswith(starts) and not name.endswith("_flag") for name in names)
        )

    @property
    def trigger_text(self) -> str:
        """What of the trigger the models knew, as a sentence."""
        if not self.triggers:
            return (
                "The study has neither shaking nor rain: nothing of the trigger was known to the "
                "models, and the forecasts are hindcasts all the same."
            )
        known = " and ".join(self.triggers)
        return (
            f"All forecasts are hindcasts with the observed trigger: {known} of the epoch "
            f"{'were' if len(self.triggers) > 1 else 'was'} known to the models."
        )

    @property
    def dated(self) -> str:
        """How landslides got their dates, where polygons carry one; empty where they do not."""
        target = self.config.target if self.config is not None and not self.synthetic else None
        if target is None or target.kind != "dated":
            return ""
        if target.columns.year:
            return "year of the image that first shows the landslide (interval-censored)"
        return "days of the inventory"

    @cached_property
    def epoch_names(self) -> list[str]:
        """Names of the epochs in order."""
        return [epoch.name for epoch in self.cube.epochs]


def open_source(folder: Path, config: HazardConfig | None, *, report: Path | None = None) -> Source:
    """Open a run folder for its report.

    Args:
        folder: the run folder; it must hold a cube, everything else may be missing.
        config: the configuration.
        report: folder in which the pages are made; absent: ``report`` of the run folder.

    Raises:
        DataError: no cube, or a part that is there and cannot be read.
    """
    missing: dict[str, str] = {}
    cube = open_cube(folder)
    predictions = None
    if (folder / PREDICTIONS_NAME).is_dir():
        predictions = open_predictions(folder)
    else:
        missing[PREDICTIONS_NAME] = "no maps of forecasts, confusion or residuals"
    evaluation = open_evaluation(folder)
    missing.update(evaluation.missing)
    return Source(
        folder=folder,
        report=report if report is not None else folder / REPORT_FOLDER,
        config=config,
        cube=cube,
        predictions=predictions,
        evaluation=evaluation,
        summary=_record(folder / "summary.json", missing, "no table of layers"),
        provenance=_record(folder / "provenance.json", missing, "no versions, hashes and times"),
        missing=missing,
    )


def _record(path: Path, missing: dict[str, str], consequence: str) -> dict[str, Any]:
    if not path.is_file():
        missing[path.name] = consequence
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(path, found=f"no JSON ({error})", expected="a record") from None
    if not isinstance(record, dict):
        raise DataError(path, found=f"a {type(record).__name__}", expected="a mapping")
    return record
