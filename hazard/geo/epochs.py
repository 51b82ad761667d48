"""Epochs: the spans of time between landslide inventories, with images, season and monsoons.

An epoch is half-open: it starts on `start` and ends before `end`, so that the end of one is the
start of the next and every day belongs to one epoch at most.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hazard.errors import DataError

DAYS_PER_YEAR = 365.25
# South Asian summer monsoon: June to September.
MONSOON_MONTHS = (6, 9)


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One span between two inventories.

    Attributes:
        name: unique name.
        start: first day.
        end: day after the last (exclusive).
        image_start: day of the earliest image that the inventory was mapped from, or None.
        image_end: day of the latest one, or None.
        season: word for its season ("post-monsoon"), or None.
        monsoons: monsoons since the event, where stated; see `monsoons_since`.

    Raises:
        DataError: no name, no length, images in the wrong order, or a negative monsoon count.

    Example:
        >>> epoch = Epoch(name="2016", start=dt.date(2016, 1, 1), end=dt.date(2017, 1, 1))
        >>> epoch.length_days, round(epoch.length_years, 3)
        (366, 1.002)
    """

    name: str
    start: dt.date
    end: dt.date
    image_start: dt.date | None = None
    image_end: dt.date | None = None
    season: str | None = None
    monsoons: int | None = None

    def __post_init__(self) -> None:
        where = f"epoch {self.name!r}"
        if not self.name.strip():
            raise DataError("epochs", found="an epoch without a name", expected="a unique name")
        if self.end <= self.start:
            raise DataError(
                where,
                found=f"start {self.start}, end {self.end}",
                expected="an end after the start (the end is the first day after the epoch)",
            )
        if self.image_start and self.image_end and self.image_end < self.image_start:
            raise DataError(
                where,
                found=f"images from {self.image_start} to {self.image_end}",
                expected="image_end on or after image_start",
            )
        if self.monsoons is not None and self.monsoons < 0:
            raise DataError(where, found=f"monsoons {self.monsoons}", expected="0 or more")

    @property
    def length_days(self) -> int:
        """Length [days]."""
        return (self.end - self.start).days

    @property
    def length_years(self) -> float:
        """Length in years of 365.25 days."""
        return self.length_days / DAYS_PER_YEAR

    @property
    def last_day(self) -> dt.date:
        """Last day that belongs to the epoch."""
        return self.end - dt.timedelta(days=1)


def check_epochs(epochs: Sequence[Epoch], source: object = "epochs") -> tuple[Epoch, ...]:
    """Epochs in order of time, without overlap and with unique names; gaps are allowed.

    Raises:
        DataError: none at all, duplicate names, wrong order, or overlap.

    Example:
        >>> a = Epoch(name="a", start=dt.date(2015, 1, 1), end=dt.date(2016, 1, 1))
        >>> check_epochs([a, replace(a, name="b")])
        Traceback (most recent call last):
        ...
        stats.command.errors.DataError: epochs: found 'b' from 2015-01-01, ...
    """
    if not epochs:
        raise DataError(source, found="no epochs", expected="at least one")
    names = [epoch.name for epoch in epochs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            source, found=f"the name {twice[0]!r} more than once", expected="unique names"
        )
    for earlier, later in itertools.pairwise(epochs):
        if later.start < earlier.end:
            raise DataError(
                source,
                found=f"{later.name!r} from {later.start}, before {earlier.name!r} ends on "
                f"{earlier.end}",
                expected="epochs in order of time without overlap (ends are exclusive)",
            )
    return tuple(epochs)


def epoch_of(day: dt.date, epochs: Sequence[Epoch]) -> int | None:
    """Index of the epoch that holds a day; None before, after or in a gap."""
    for index, epoch in enumerate(epochs):
        if epoch.start <= day < epoch.end:
            return index
    return None


def _monsoon_middle(year: int, months: tuple[int, int]) -> dt.date:
    """Middle day of the season that begins in `year`; it may run into the next year."""
    first, last = months
    begin = dt.date(year, first, 1)
    closing_year = year if last >= first else year + 1
    after = dt.date(closing_year + last // 12, last % 12 + 1, 1)
    return begin + (after - begin) / 2


def monsoons_since(
    event_date: dt.date,
    epochs: Sequence[Epoch],
    *,
    months: tuple[int, int] = MONSOON_MONTHS,
) -> tuple[int, ...]:
    """Monsoon seasons between an event and the end of each epoch.

    A season counts once it is half over: its middle day (31 July or 1 August for June to
    September) lies after the event and before the end of the epoch. Whole seasons would miss one
    when the last image is taken in late September; seasons begun would count one for images of
    early June. An epoch that states its own number keeps it. Epochs that end before the event
    have none.

    Args:
        event_date: day of the earthquake.
        epochs: epochs.
        months: first and last month of the season; it may run over the turn of the year.

    Example:
        >>> def epoch(name, start, end):
        ...     return Epoch(name=name, start=dt.date(*start), end=dt.date(*end))
        >>> monsoons_since(dt.date(2015, 4, 25), [
        ...     epoch("coseismic", (2015, 4, 25), (2015, 6, 10)),
        ...     epoch("post-monsoon 2015", (2015, 6, 10), (2016, 1, 1)),
        ...     epoch("pre-monsoon 2016", (2016, 1, 1), (2016, 6, 1))])
        (0, 1, 1)
    """
    if not all(1 <= month <= 12 for month in months):
        raise DataError("monsoon months", found=f"{months}", expected="two months from 1 to 12")
    counts = []
    for epoch in epochs:
        middles = (
            _monsoon_middle(year, months) for year in range(event_date.year - 1, epoch.end.year + 1)
        )
        derived = sum(event_date < middle < epoch.end for middle in middles)
        counts.append(derived if epoch.monsoons is None else epoch.monsoons)
    return tuple(counts)


def with_monsoons(
    event_date: dt.date,
    epochs: Sequence[Epoch],
    *,
    months: tuple[int, int] = MONSOON_MONTHS,
) -> tuple[Epoch, ...]:
    """The epochs with `monsoons` filled in by `monsoons_since`."""
    counts = monsoons_since(event_date, epochs, months=months)
    return tuple(
        replace(epoch, monsoons=count) for epoch, count in zip(epochs, counts, strict=True)
    )
