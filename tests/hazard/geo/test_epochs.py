"""Epochs: lengths, order, and the monsoon rule on the Gorkha series and at its edges."""

import datetime as dt
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo.epochs import Epoch, check_epochs, epoch_of, monsoons_since, with_monsoons

EVENT = dt.date(2015, 4, 25)


def epoch(name, start, end, **more):
    return Epoch(name=name, start=dt.date(*start), end=dt.date(*end), **more)


GORKHA = [
    epoch("coseismic 2015", (2015, 4, 25), (2015, 6, 10)),
    epoch("post-monsoon 2015", (2015, 6, 10), (2015, 12, 20)),
    epoch("pre-monsoon 2016", (2015, 12, 20), (2016, 5, 25)),
    epoch("post-monsoon 2016", (2016, 5, 25), (2016, 12, 15)),
    epoch("pre-monsoon 2017", (2016, 12, 15), (2017, 5, 31)),
    epoch("post-monsoon 2017", (2017, 5, 31), (2017, 12, 10)),
    epoch("pre-monsoon 2018", (2017, 12, 10), (2018, 6, 5)),
    epoch("post-monsoon 2018", (2018, 6, 5), (2018, 12, 20)),
]


def test_gorkha_monsoons_are_those_of_the_paper():
    assert monsoons_since(EVENT, GORKHA) == (0, 1, 1, 2, 2, 3, 3, 4)


@given(shift=st.lists(st.integers(-25, 25), min_size=8, max_size=8))
def test_gorkha_monsoons_do_not_depend_on_the_week(shift):
    """Bounds anywhere within a month of the season's turn give the same counts."""
    bounds = [EVENT]
    for year in (2015, 2016, 2017, 2018):
        bounds += [dt.date(year, 6, 10), dt.date(year, 11, 1)]
    bounds = bounds[:1] + [
        b + dt.timedelta(days=s) for b, s in zip(bounds[1:], shift, strict=False)
    ]
    epochs = [
        Epoch(name=str(k), start=a, end=b) for k, (a, b) in enumerate(itertools.pairwise(bounds))
    ]
    assert monsoons_since(EVENT, epochs) == (0, 1, 1, 2, 2, 3, 3, 4)


def test_event_in_the_second_half_of_a_monsoon_does_not_count_it():
    after = [epoch("a", (2015, 9, 1), (2016, 5, 1)), epoch("b", (2016, 5, 1), (2016, 12, 1))]
    assert monsoons_since(dt.date(2015, 9, 1), after) == (0, 1)
    assert monsoons_since(dt.date(2015, 7, 1), after) == (1, 2)


def test_epochs_before_the_event_have_no_monsoon():
    assert monsoons_since(dt.date(2020, 1, 1), GORKHA) == (0,) * 8


def test_season_over_the_turn_of_the_year():
    wet = [epoch("a", (2015, 5, 1), (2016, 1, 1)), epoch("b", (2016, 1, 1), (2016, 5, 1))]
    # December to February: the middle of the season of 2015-16 is mid-January 2016.
    assert monsoons_since(EVENT, wet, months=(12, 2)) == (0, 1)


def test_stated_number_is_kept_and_filled_in():
    stated = [replace(GORKHA[0], monsoons=3), GORKHA[1]]
    assert monsoons_since(EVENT, stated) == (3, 1)
    assert [e.monsoons for e in with_monsoons(EVENT, stated)] == [3, 1]


def test_months_outside_the_calendar_are_refused():
    with pytest.raises(DataError, match="1 to 12"):
        monsoons_since(EVENT, GORKHA, months=(0, 9))


def test_length_and_last_day_of_a_leap_year():
    year = epoch("2016", (2016, 1, 1), (2017, 1, 1))
    assert (year.length_days, year.last_day) == (366, dt.date(2016, 12, 31))
    assert year.length_years == pytest.approx(366 / 365.25)


def test_every_day_belongs_to_one_epoch():
    epochs = check_epochs(GORKHA)
    assert epoch_of(GORKHA[1].start, epochs) == 1
    assert epoch_of(GORKHA[1].last_day, epochs) == 1
    assert epoch_of(GORKHA[0].start - dt.timedelta(days=1), epochs) is None
    assert epoch_of(GORKHA[-1].end, epochs) is None


@pytest.mark.parametrize(
    ("epochs", "message"),
    [
        ([], "no epochs"),
        ([GORKHA[0], GORKHA[0]], "more than once"),
        ([GORKHA[1], GORKHA[0]], "order of time"),
        ([GORKHA[0], epoch("b", (2015, 6, 9), (2016, 1, 1))], "without overlap"),
    ],
)
def test_wrong_series_of_epochs_are_refused(epochs, message):
    with pytest.raises(DataError, match=message):
        check_epochs(epochs)


def test_gaps_between_epochs_are_allowed():
    assert len(check_epochs([GORKHA[0], GORKHA[4]])) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " "}, "without a name"),
        ({"end": dt.date(2015, 4, 25)}, "after the start"),
        ({"image_start": dt.date(2015, 5, 2), "image_end": dt.date(2015, 5, 1)}, "image_end"),
        ({"monsoons": -1}, "0 or more"),
    ],
)
def test_impossible_epochs_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        replace(GORKHA[0], **change)
