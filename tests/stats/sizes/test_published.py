"""The table of published size statistics: conventions kept apart, values consistent."""

import math

import pytest

from stats.sizes.law import law_named
from stats.sizes.published import PUBLISHED, markdown_table, published


def test_exponents_name_their_convention_and_nothing_else_does():
    for record in PUBLISHED:
        assert (record.convention is not None) == (
            "exponent" in record.parameter or record.parameter == "rho"
        )
        assert record.source
        assert record.value is not None or record.low is not None or record.high is not None
        if record.low is not None and record.high is not None:
            assert record.low < record.high
            assert record.value is None or record.low <= record.value <= record.high


def test_conventions_translate_by_one():
    malamud = published(inventory="Northridge 1994, Umbria")
    tail = next(r for r in malamud if r.parameter == "exponent")
    rho = next(r for r in malamud if r.parameter == "rho")
    assert tail.alpha == pytest.approx(rho.alpha)
    assert tail.pdf_slope == pytest.approx(-2.4)
    alps = published(inventory="Whataroa", parameter="exponent")[0]
    assert (alps.alpha, alps.pdf_slope) == (1.45, pytest.approx(-2.45))
    assert published(parameter="count")[0].alpha is None
    assert published(parameter="count")[0].pdf_slope is None


def test_implied_values_follow_from_their_sources():
    values = {r.parameter: r.value for r in published(inventory="Northridge 1994, Umbria")}
    theta = [values["rho"], 1e6 * values["a"], 1e6 * values["s"]]
    assert law_named("ig").mode(theta) == pytest.approx(values["rollover"], abs=0.5)
    mean = values["a"] / (values["rho"] - 1.0) + values["s"]
    assert mean == pytest.approx(values["mean area"], rel=1e-3)
    counts = [r.value for r in published(inventory="Gorkha 2015") if r.source.startswith("Tian")]
    assert math.log(counts[0] / counts[1]) / math.log(20.0) == pytest.approx(counts[2], abs=0.005)


def test_unread_values_are_marked_and_no_doi_is_guessed():
    unread = published(verified=False)
    assert {r.inventory for r in unread} >= {"Chi-Chi 1999", "Taiwan", "New Zealand"}
    assert all(r.doi is None or r.doi.startswith("10.") for r in PUBLISHED)
    assert len(published(verified=True)) + len(unread) == len(PUBLISHED)


def test_table_prints_one_line_per_record_with_ranges_and_links():
    table = markdown_table(published(inventory="Kingdom"))
    assert len(table.splitlines()) == 4
    assert "1.71 (1.69 to 1.73)" in table
    assert "0.001 to 0.007" in table
    assert "https://doi.org/10.5194/esurf-1-67-2013" in table
    assert "> 25000" in markdown_table(published(inventory="Gorkha 2015", parameter="count"))
    assert "< 100" in markdown_table(published(parameter="minimum area"))
