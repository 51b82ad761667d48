"""Dates of landslides as the closed interval in which each is known to have failed.

Few inventories know the day. A year means "some day of that year": the event time is
interval-censored, and the table says so, so that no later step takes 1 January for a date.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from stats.command.errors import DataError

DateKind = Literal["day", "interval", "month", "year", "unknown"]
CENSORED_KINDS = ("interval", "month", "year")

_ISO = re.compile(r"^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ].*)?)?)?$")
_SLASHED = re.compile(r"^(\d{4})/(\d{1,2})/(\d{1,2})$")
_FIRST_YEAR, _LAST_YEAR = 1000, 2999

Interval = tuple[dt.date, dt.date, DateKind]


def is_blank(value: Any) -> bool:
    """True for a missing entry: None, NaN, NaT or an empty string."""
    if value is None or value is pd.NaT or value is pd.NA:
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def year_interval(value: Any) -> Interval:
    """First to last day of a year.

    Raises:
        ValueError: not a whole year between 1000 and 2999.

    Example:
        >>> year_interval("2009")
        (datetime.date(2009, 1, 1), datetime.date(2009, 12, 31), 'year')
    """
    number = float(str(value).strip())
    if not (math.isfinite(number) and number == int(number)):
        raise ValueError("not a whole year")
    year = int(number)
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"not a year between {_FIRST_YEAR} and {_LAST_YEAR}")
    return dt.date(year, 1, 1), dt.date(year, 12, 31), "year"


def date_interval(value: Any) -> Interval:
    """Closed interval of a date: a day, or the month or year of a shortened ISO date.

    Raises:
        ValueError: not an ISO 8601 date.

    Example:
        >>> date_interval("2015-04")
        (datetime.date(2015, 4, 1), datetime.date(2015, 4, 30), 'month')
        >>> date_interval("2015-04-25T06:11:25Z")[2]
        'day'
    """
    if isinstance(value, (dt.datetime, np.datetime64)):
        stamp = pd.Timestamp(value)
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC")
        day = stamp.date()
        return day, day, "day"
    if isinstance(value, dt.date):
        return value, value, "day"
    if isinstance(value, (int, float, np.integer, np.floating)):
        text = str(int(value)) if float(value).is_integer() else str(value)
    else:
        text = str(value).strip()
    slashed = _SLASHED.match(text)
    if slashed:
        text = "-".join(slashed.groups())
    match = _ISO.match(text)
    if match is None:
        raise ValueError("not an ISO date")
    year, month, day_number = (None if part is None else int(part) for part in match.groups())
    assert year is not None
    if month is None:
        return year_interval(year)
    if day_number is None:
        last = calendar.monthrange(year, month)[1] if 1 <= month <= 12 else 0
        return dt.date(year, month, 1), dt.date(year, month, last), "month"
    when = dt.date(year, month, day_number)
    return when, when, "day"


def _kind(first: dt.date, last: dt.date) -> DateKind:
    """What an interval is, from its ends alone, so that writing and reading keeps it."""
    if first == last:
        return "day"
    if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31) and first.year == last.year:
        return "year"
    whole_month = first.day == 1 and last.day == calendar.monthrange(last.year, last.month)[1]
    return "month" if whole_month and first.replace(day=last.day) == last else "interval"


def parse_dates(
    source: object,
    *,
    n: int,
    date: tuple[str, Sequence[Any]] | None = None,
    start: tuple[str, Sequence[Any]] | None = None,
    end: tuple[str, Sequence[Any]] | None = None,
    year: tuple[str, Sequence[Any]] | None = None,
    rows: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Intervals from the columns of an inventory, each given as (name, values).

    Where several columns are given, the finest that is filled wins: a start and end, then a
    date, then a year. A row with a start but no end (or the reverse) is refused.

    Args:
        source: file, for messages.
        n: number of rows.
        date: days, or ISO months or years.
        start: first possible day of failure.
        end: last possible day of failure.
        year: whole years.
        rows: row numbers for messages (default 1..n).

    Returns:
        Columns date_start, date_end (datetime64[s], NaT where unknown) and date_kind.

    Raises:
        DataError: an entry that is no date, or an interval that ends before it starts; the
            message names the column and the row.
    """
    numbers = range(1, n + 1) if rows is None else rows

    def parsed(column: tuple[str, Sequence[Any]], index: int, rule: Any) -> Interval | None:
        name, values = column
        if is_blank(values[index]):
            return None
        try:
            interval: Interval = rule(values[index])
            return interval
        except (ValueError, OverflowError, TypeError) as error:
            raise DataError(
                source,
                found=f"{values[index]!r} in column {name!r}, row {numbers[index]} ({error})",
                expected="a whole year" if rule is year_interval else "a date as YYYY-MM-DD",
            ) from error

    starts = np.full(n, np.datetime64("NaT"), dtype="datetime64[s]")
    ends = starts.copy()
    kinds = np.full(n, "unknown", dtype=object)
    for index in range(n):
        first = parsed(start, index, date_interval) if start is not None else None
        last = parsed(end, index, date_interval) if end is not None else None
        if (first is None) != (last is None):
            assert start is not None or end is not None
            given = "date_start" if first is not None else "date_end"
            raise DataError(
                source,
                found=f"{given} alone in row {numbers[index]}",
                expected="both ends of the interval, or neither",
            )
        if first is None or last is None:
            first = parsed(date, index, date_interval) if date is not None else None
            if first is None and year is not None:
                first = parsed(year, index, year_interval)
            last = first
        if first is None or last is None:
            continue
        if last[1] < first[0]:
            raise DataError(
                source,
                found=f"the interval {first[0]} to {last[1]} in row {numbers[index]}",
                expected="an end on or after the start",
            )
        starts[index], ends[index] = np.datetime64(first[0]), np.datetime64(last[1])
        kinds[index] = _kind(first[0], last[1])
    return pd.DataFrame({"date_start": starts, "date_end": ends, "date_kind": kinds.astype(str)})
