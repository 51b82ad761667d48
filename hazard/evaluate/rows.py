"""Rows of the scoreboard, and how tables are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.evaluate.resample import NAN, Estimate
from hazard.evaluate.scoring import NO_CORRECTION, ScoreKey
from hazard.geo.beside import write_beside

if TYPE_CHECKING:
    import pandas as pd

ALL_FOLDS = "all"
EPOCH_MEAN_NAME = "mean"
NOT_RUN = "not_run"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the scoreboard; docs/evaluation.md says what the columns mean."""

    scheme: str
    fold: str = ALL_FOLDS
    epoch: str = ""
    model: str = ""
    score: str
    threshold_percent: float = NAN
    correction: str = ""
    subset: str = ""
    mapping_unit_km: float = NAN
    reference: str = ""
    value: float = NAN
    low: float = NAN
    high: float = NAN
    level: float = NAN
    n: int = 0
    n_blocks: int = 0
    unit: str = ""
    label: str = ""
    note: str = ""


def row_of(
    key: ScoreKey,
    estimate: Estimate,
    *,
    level: float,
    unit: str,
    score: str | None = None,
    **columns: Any,
) -> Row:
    """Row of one estimate.

    Args:
        key: which score.
        estimate: its value and resamples.
        level: level of the interval.
        unit: what was resampled.
        score: name in the table, where it is not that of `key`.
        columns: the other columns.

    Example:
        >>> key = ScoreKey("brier", 0.0)
        >>> row = row_of(key, Estimate(value=0.1, n=9), level=0.95, unit="block", scheme="random")
        >>> row.value, row.unit, math.isnan(row.low)
        (0.1, '', True)
    """
    low, high, reason = estimate.interval(level)
    has_interval = not math.isnan(low)
    notes = [estimate.note, reason, str(columns.pop("note", ""))]
    return Row(
        score=score or key.score,
        threshold_percent=key.threshold_percent if key.threshold_percent >= 0.0 else NAN,
        correction=key.correction or NO_CORRECTION,
        subset=key.subset,
        mapping_unit_km=key.mapping_unit_km,
        value=estimate.value,
        low=low,
        high=high,
        level=level if has_interval else NAN,
        n=estimate.n,
        n_blocks=estimate.n_blocks if has_interval else 0,
        unit=unit if has_interval else "",
        note="; ".join(dict.fromkeys(note for note in notes if note)),
        **columns,
    )


def frame_of(rows: Iterable[Row | Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Tidy table of rows, with these columns even where there is no row."""
    import pandas as pd

    records = [vars(row) if isinstance(row, Row) else row for row in rows]
    return pd.DataFrame.from_records(records, columns=list(columns))


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a Parquet or CSV file by its name, beside and then renamed."""
    with write_beside(path) as part:
        if path.suffix == ".csv":
            frame.to_csv(part, index=False, float_format="%.9g", na_rep="nan")
        else:
            frame.to_parquet(part, index=False)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write a compressed NPZ file, beside and then renamed; no pickles."""
    with write_beside(path) as part:
        np.savez_compressed(part, allow_pickle=False, **arrays)
