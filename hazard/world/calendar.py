"""The eight mapping epochs of a world, nominal half-years, and the images of each."""

from __future__ import annotations

import datetime as dt

from hazard.geo.epochs import Epoch

EVENT_DATE = dt.date(2015, 4, 25)
# name, start, end (exclusive), first and last image, season, monsoons since the event. Half-years
# as in configs/gorkha.yaml; the pre-monsoon inventories of 2017 and 2018 cover longer windows.
_TABLE = (
    ("coseismic 2015", (2015, 4, 25), (2015, 6, 16), (2015, 4, 26), (2015, 6, 15), "coseismic", 0),
    ("post-monsoon 2015", (2015, 6, 16), (2015, 12, 16), (2015, 9, 20), (2015, 12, 15),
     "post-monsoon", 1),
    ("pre-monsoon 2016", (2015, 12, 16), (2016, 6, 16), (2016, 3, 1), (2016, 5, 31),
     "pre-monsoon", 1),
    ("post-monsoon 2016", (2016, 6, 16), (2016, 12, 1), (2016, 9, 20), (2016, 11, 30),
     "post-monsoon", 2),
    ("pre-monsoon 2017", (2016, 12, 1), (2017, 6, 16), (2016, 12, 1), (2017, 5, 31),
     "pre-monsoon", 2),
    ("post-monsoon 2017", (2017, 6, 16), (2017, 12, 1), (2017, 9, 20), (2017, 11, 30),
     "post-monsoon", 3),
    ("pre-monsoon 2018", (2017, 12, 1), (2018, 6, 16), (2017, 12, 1), (2018, 5, 31),
     "pre-monsoon", 3),
    ("post-monsoon 2018", (2018, 6, 16), (2018, 12, 16), (2018, 9, 20), (2018, 12, 15),
     "post-monsoon", 4),
)  # fmt: skip


def world_epochs(n_epochs: int) -> tuple[Epoch, ...]:
    """The first `n_epochs` epochs.

    Example:
        >>> [epoch.monsoons for epoch in world_epochs(8)]
        [0, 1, 1, 2, 2, 3, 3, 4]
    """
    return tuple(
        Epoch(
            name=name,
            start=dt.date(*start),
            end=dt.date(*end),
            image_start=dt.date(*first),
            image_end=dt.date(*last),
            season=season,
            monsoons=monsoons,
        )
        for name, start, end, first, last, season, monsoons in _TABLE[:n_epochs]
    )
