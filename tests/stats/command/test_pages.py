"""Pages build, and text of the user stays text."""

import pytest

from stats.command.errors import UserError
from stats.command.pages import build_html, contents, escape, heading, note, table, write_page

AWKWARD = r"a_b *c* [d](e) | $f$ `g` <h> {i} #j \k"


def test_awkward_text_comes_out_literally(tmp_path):
    write_page(
        tmp_path / "index.md",
        [
            heading(AWKWARD),
            note(AWKWARD),
            table([AWKWARD, "n"], [[AWKWARD, 1.23456789], ["x", 2]]),
            contents(["second"]),
        ],
    )
    write_page(tmp_path / "second.md", [heading("Second")])
    html = build_html(tmp_path, tmp_path / "html", project="Test").read_text()
    shown = AWKWARD.replace("<", "&lt;").replace(">", "&gt;")
    assert html.count(shown) >= 3
    assert "1.235" in html


def test_a_broken_page_stops_the_build_and_keeps_the_old_one(tmp_path):
    write_page(tmp_path / "index.md", [heading("Fine")])
    index = build_html(tmp_path, tmp_path / "html", project="Test")
    before = index.read_text()
    write_page(tmp_path / "index.md", [heading("Broken"), contents(["missing"])])
    with pytest.raises(UserError, match="missing"):
        build_html(tmp_path, tmp_path / "html", project="Test")
    assert index.read_text() == before
    assert not list(tmp_path.glob(".html*"))


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match="expected 2"):
        table(["a", "b"], [[1]])


def test_escape_leaves_plain_text_alone():
    assert escape("slope 3.5 deg, 2015-04-25") == "slope 3.5 deg, 2015-04-25"
