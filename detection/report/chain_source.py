"""Everything the report of a chain reads, opened once from its run folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from detection.chain.folder import (
    DESIGNS,
    LAYOUT,
    LAYOUT_VERSION,
    MATRIX,
    PANELS,
    SPLIT,
    TRAININGS,
    TRANSFER,
)
from detection.report.page import FIGURES
from detection.runs.record import CONFIG, PROVENANCE, RECORD
from hazard.errors import DataError

Row = Mapping[str, str]
SCOPES = {"other": "the epochs that were not trained on", "event": "the event epoch"}
GROUNDS = {
    "unseen": "ground that no training saw in any epoch",
    "all": "all ground, trained ground included, as the published study scores",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class ChainSource:
    """A run folder of a chain.

    Attributes:
        run: the run folder.
        report: folder in which the pages are made.
        record: ``run.json``.
        provenance: ``provenance.json``.
        trainings: ``trainings.json``, in order.
    """

    run: Path
    report: Path
    record: Mapping[str, Any]
    provenance: Mapping[str, Any]
    trainings: Sequence[Mapping[str, Any]]

    @property
    def synthetic(self) -> bool:
        """True where nothing was observed."""
        return bool(self.record["synthetic"])

    @property
    def order(self) -> list[str]:
        """Regions of the chain."""
        return list(self.record["order"])

    @property
    def variants(self) -> list[str]:
        """Names of the ways to fine-tune, the subject first."""
        return [str(variant["name"]) for variant in self.record["variants"]]

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.report / FIGURES

    @property
    def level(self) -> str:
        """Level of the intervals, in words."""
        return f"{100 * float(self.record['level']):g} %"

    @cached_property
    def matrix(self) -> list[Row]:
        """Rows of ``matrix.csv``."""
        return _rows(self.run / MATRIX)

    @cached_property
    def transfer(self) -> list[Row]:
        """Rows of ``transfer.csv``."""
        return _rows(self.run / TRANSFER)

    @cached_property
    def designs(self) -> list[Row]:
        """Rows of ``designs.csv``."""
        return _rows(self.run / DESIGNS)

    @cached_property
    def split(self) -> list[Row]:
        """Rows of ``split.csv``."""
        return _rows(self.run / SPLIT)

    @cached_property
    def panels(self) -> dict[str, ndarray]:
        """Arrays of ``panels.npz``; none where the file is not there."""
        path = self.run / PANELS
        if not path.exists():
            return {}
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}

    @cached_property
    def config_text(self) -> str:
        """The configuration as given."""
        return (self.run / CONFIG).read_text(encoding="utf-8").rstrip()

    @cached_property
    def scope(self) -> str:
        """What the report speaks of first: other epochs where there are any."""
        return "other" if any(row["scope"] == "other" for row in self.matrix) else "event"

    def cells(
        self, training: str, *, scope: str, ground: str = "unseen", measure: str = "f1"
    ) -> Iterator[tuple[str, Row]]:
        """Regions and scores of one training."""
        wanted = training, scope, ground, measure
        for row in self.matrix:
            if (row["training"], row["scope"], row["ground"], row["measure"]) == wanted:
                yield row["region"], row

    def transfers(self, quantity: str) -> list[Row]:
        """Transfer numbers of a quantity, in F1 on unseen ground."""
        wanted = quantity, self.scope, "unseen", "f1"
        return [
            row
            for row in self.transfer
            if (row["quantity"], row["scope"], row["ground"], row["measure"]) == wanted
        ]

    def design_rows(self, scope: str, measure: str = "f1") -> list[Row]:
        """Scores of the designs on unseen ground."""
        wanted = scope, "unseen", measure
        return [
            row for row in self.designs if (row["scope"], row["ground"], row["measure"]) == wanted
        ]

    def stages(self, variant: str) -> list[str]:
        """Names of the trainings of a chain, stage by stage."""
        planned = [t["planned"] for t in self.trainings]
        first = next(p["name"] for p in planned if (p["kind"], p["position"]) == ("scratch", 0))
        rest = [p for p in planned if p["kind"] == "chain" and p["variant"] == variant]
        return [first, *(p["name"] for p in sorted(rest, key=lambda p: p["position"]))]


def open_chain(run: Path, report: Path) -> ChainSource:
    """Open a run folder.

    Raises:
        DataError: no run of a chain, another layout version, or a file that cannot be read.
    """
    record = _json(run / RECORD)
    found = record.get("layout"), record.get("layout_version")
    if found != (LAYOUT, LAYOUT_VERSION):
        raise DataError(
            run / RECORD, found=f"layout {found[0]!r}, version {found[1]}",
            expected=f"{LAYOUT!r}, version {LAYOUT_VERSION}",
        )  # fmt: skip
    return ChainSource(
        run=run, report=report, record=record, provenance=_json(run / PROVENANCE),
        trainings=_json(run / TRAININGS)["trainings"],
    )  # fmt: skip


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(
            path, found=f"no readable record ({error})", expected="that of a finished chain"
        ) from None


def _rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
