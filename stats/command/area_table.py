"""Tables of areas: text with any usual separator, with or without a header, and Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stats.case_arrays import FloatArray
from stats.command.errors import DataError

TEXT_SUFFIXES = (".txt", ".dat", ".csv", ".tsv")
TABLE_FORMATS = "areas as .csv, .tsv, .txt, .dat or .parquet"
AREA_COLUMNS = ("area_m2", "area", "a", "shape_area", "areas")


@dataclass(frozen=True, kw_only=True)
class Source:
    """An inventory as the command line names it.

    Attributes:
        path: the file.
        name: member, layer or column; None where the file has only one.
    """

    path: Path
    name: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.name is None else f"{self.path}:{self.name}"


def is_geoparquet(path: Path) -> bool:
    """Whether a Parquet file holds geometries.

    Raises:
        DataError: a file that is no Parquet.
    """
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    # Arrow has its own errors for every kind of damage.
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise DataError(path, found=f"an unreadable file ({text})", expected="Parquet") from error
    return b"geo" in metadata


def read_area_table(source: Source) -> tuple[FloatArray, list[str]]:
    """Areas in the unit of the table, and what was left out of it.

    The column is the one that the source names, else one called area_m2 or area, else the only
    one of numbers.

    Raises:
        DataError: no file, no table, no or several columns of numbers, or a cell that is none.
    """
    import pandas as pd

    path = source.path
    if not path.is_file():
        raise DataError(path, found="no such file", expected=TABLE_FORMATS)
    if path.stat().st_size == 0:
        raise DataError(path, found="an empty file (0 bytes)", expected=TABLE_FORMATS)
    try:
        parquet = path.suffix.lower() == ".parquet"
        frame = pd.read_parquet(path) if parquet else _read_text(path)
    except DataError:
        raise
    # Encodings, quotes, ragged rows and Arrow: many errors, one meaning.
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise DataError(path, found=f"an unreadable table ({text})", expected=TABLE_FORMATS) from (
            error
        )
    column = _choose_column(source, frame)
    values = frame[column]
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    blank = values.isna().to_numpy()
    wrong = np.flatnonzero(np.isnan(numbers) & ~blank)
    if wrong.size:
        raise DataError(
            source,
            found=f"{values.iloc[wrong[0]]!r} in column {column!r}, row {wrong[0] + 1}",
            expected="an area",
        )
    notes = [f"{int(blank.sum())} rows without an area dropped"] if blank.any() else []
    return numbers[~blank], notes


def _read_text(path: Path) -> Any:
    """A text table with or without a header; separated by comma, semicolon, tab or spaces."""
    import pandas as pd

    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not rows:
        raise DataError(path, found="no rows", expected=TABLE_FORMATS)
    separator = next((s for s in ("\t", ";", ",") if s in rows[0]), r"\s+")
    first = rows[0].split(separator if separator != r"\s+" else None)
    header = None if all(_is_number(cell) for cell in first) else 0
    decimal = "," if separator in ("\t", ";") and "." not in "".join(rows[1:20]) else "."
    frame = pd.read_csv(
        path, sep=separator, header=header, comment="#", encoding="utf-8-sig", decimal=decimal,
        skip_blank_lines=True, engine="python" if separator == r"\s+" else "c",
    )  # fmt: skip
    frame.columns = [str(c).strip() for c in frame.columns]
    return frame


def _is_number(text: str) -> bool:
    try:
        float(text.strip().strip('"').replace(",", "."))
    except ValueError:
        return False
    return True


def _choose_column(source: Source, frame: Any) -> str:
    from stats.command.vector_file import did_you_mean

    columns = [str(c) for c in frame.columns]
    frame.columns = columns
    if source.name is not None:
        if source.name not in columns:
            raise DataError(
                source.path,
                found=f"no column {source.name!r}{did_you_mean(source.name, columns)}",
                expected=f"one of {', '.join(columns)}",
            )
        return source.name
    by_lower = {c.lower(): c for c in reversed(columns)}
    named = [by_lower[name] for name in AREA_COLUMNS if name in by_lower]
    numeric = [c for c in columns if frame[c].dtype.kind in "if"]
    if named:
        return named[0]
    if len(numeric) == 1:
        return numeric[0]
    raise DataError(
        source.path,
        found=f"columns {', '.join(columns)}, none of them named area_m2",
        expected="FILE:COLUMN to name the column of areas",
    )
