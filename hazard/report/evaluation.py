"""Scoreboard and tables of an evaluation, read by their written layout (docs/evaluation.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.archive.names import SCOREBOARD_PARQUET
from hazard.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, np.dtype[Any]]
FOLDER = "evaluation"
MEAN, NOT_RUN, CEILING, IN_SAMPLE = "mean", "not_run", "ceiling", "in_sample_rate"
SCOREBOARD_COLUMNS = (
    "scheme", "fold", "epoch", "model", "score", "threshold_percent", "correction", "subset",
    "mapping_unit_km", "reference", "value", "low", "high", "level", "n", "n_blocks", "unit",
    "note",
)  # fmt: skip
TABLES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "curves": (("scheme", "model", "epoch", "curve", "x", "y", "low", "high", "n"), "no curves"),
    "confusion": (
        ("scheme", "model", "epoch", "true_positive", "true_negative", "false_positive",
         "false_negative", "threshold"),
        "no counts of confusion",
    ),
    "association": (("threshold_percent", "epoch", "other", "phi", "n"), "no association"),
    "totals": (
        ("scheme", "model", "epoch", "observed_km2", "predicted_km2", "predicted_low_km2",
         "predicted_high_km2"),
        "no total areas",
    ),
    "classes": (
        ("scheme", "model", "epoch", "quantity", "class_number", "class_name", "lower", "upper",
         "cells", "area_share", "landslide_cell_share", "landslide_area_share", "ratio"),
        "no hazard classes",
    ),
    "moran": (("scheme", "model", "epoch", "residual", "moran", "z", "n"), "no Moran's I"),
}  # fmt: skip
"""Tables by name: columns that the pages read, and what follows where the file is absent."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What the evaluation of a run left.

    Attributes:
        folder: the folder of the tables.
        scoreboard: all scores, tidy; None where there are none.
        tables: tables to draw from, by name; absent ones are left out.
        record: ``evaluation.json``, empty where absent.
        missing: files that are not there, each with what follows from it.
    """

    folder: Path
    scoreboard: pd.DataFrame | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def ceiling_model(self) -> str:
        """The baseline whose fit on the same epoch is the ceiling."""
        return str(self.record.get("settings", {}).get("ceiling_model", "lightgbm"))

    def rows(self, name: str, **where: Any) -> pd.DataFrame | None:
        """Rows of a table whose columns have these values; None where there is no such table.

        Args:
            name: of the table, or ``scoreboard``.
            **where: column and value.
        """
        table = self.scoreboard if name == "scoreboard" else self.tables.get(name)
        if table is None:
            return None
        for column, value in where.items():
            table = table[table[column] == value]
        return table

    def maps(self, scheme: str) -> dict[str, Array] | None:
        """Arrays of ``maps_SCHEME.npz``: models, epochs, confusion, residual_percent."""
        return _arrays(
            self.folder / f"maps_{scheme}.npz",
            ("models", "epochs", "confusion", "residual_percent"),
        )

    def density_susceptibility(self) -> dict[str, Array] | None:
        """Two-dimensional counts of density against susceptibility."""
        return _arrays(
            self.folder / "density_susceptibility.npz",
            ("schemes", "models", "epochs", "susceptibility_edges", "density_edges_percent",
             "expected_counts", "observed_counts"),
        )  # fmt: skip


def open_evaluation(run_folder: Path) -> Evaluation:
    """Read what there is under a run folder.

    Raises:
        DataError: a table that is there and cannot be read, or lacks a column.
    """
    missing: dict[str, str] = {}
    folder = run_folder / FOLDER
    scoreboard = None
    if (run_folder / SCOREBOARD_PARQUET).is_file():
        scoreboard = _table(run_folder / SCOREBOARD_PARQUET, SCOREBOARD_COLUMNS)
    else:
        missing[SCOREBOARD_PARQUET] = "no scores"
    tables = {}
    for name, (columns, consequence) in TABLES.items():
        path = folder / f"{name}.parquet"
        if path.is_file():
            tables[name] = _table(path, columns)
        else:
            missing[f"{FOLDER}/{path.name}"] = consequence
    record = {}
    if (folder / "evaluation.json").is_file():
        record = _json(folder / "evaluation.json")
    return Evaluation(
        folder=folder, scoreboard=scoreboard, tables=tables, record=record, missing=missing
    )


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(path, found=f"no readable table ({error})", expected="parquet") from None
    absent = [name for name in columns if name not in table.columns]
    if absent:
        raise DataError(
            path, found=f"no column {', '.join(absent)}", expected="those of docs/evaluation.md"
        )
    return table


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array] | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            path, found=f"unreadable ({error})", expected=f"arrays {', '.join(names)}"
        ) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(path, found=f"no record ({error})", expected="JSON") from None
