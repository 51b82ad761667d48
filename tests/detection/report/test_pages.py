"""Pages escape what users wrote, name what is missing, and papers' tables point at real pages."""

import numpy as np
import pytest

from detection.report.figures import (
    ERRORS,
    IntervalPanel,
    MatrixPanel,
    draw_intervals,
    draw_matrices,
    draw_split,
    error_colours,
)
from detection.report.page import absent, bullets, interval_text, paragraph
from detection.report.papers import CHAIN, FIT, TITLES, paper_parts
from detection.report.provenance import provenance_parts

CHAIN_PAGES = ("matrix", "transfer", "designs", "maps", "trainings", "data", "model", "provenance")
FIT_PAGES = ("index", "sites", "models", "data", "examples")


def test_text_of_users_carries_no_markup():
    assert paragraph("*a* [b](c)") == "\\*a\\* \\[b\\](c)\n"
    assert bullets(["`x`"]) == "- \\`x\\`\n"
    assert "Not in this run" in absent("Maps", "there are none")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"a": "0.5", "a_low": "0.4", "a_high": "0.6"}, "+0.500 (+0.400 to +0.600)"),
        ({"a": "-0.5", "a_low": "", "a_high": ""}, "-0.500 (no interval)"),
        ({}, "not defined"),
    ],
)
def test_a_cell_says_what_is_known(row, text):
    assert interval_text(row, "a", signed=True) == text


@pytest.mark.parametrize(("papers", "pages"), [(CHAIN, CHAIN_PAGES), (FIT, FIT_PAGES)])
def test_every_entry_of_a_paper_points_at_a_page_or_gives_a_reason(papers, pages):
    for entries in papers.values():
        for entry in entries:
            assert entry.where
            if entry.state == "here":
                assert entry.where in pages, entry.what
    text = "".join(paper_parts(papers, pages))
    assert "not in this run" not in text
    assert "@" not in text
    assert all(TITLES[key].split(":")[0].split(" (")[0] in text for key in papers)


def test_a_page_that_a_report_lacks_is_named_as_missing():
    text = "".join(paper_parts({"002": CHAIN["002"]}, ("matrix",)))
    assert text.count("not in this run") == 3
    assert "(designs.md)" not in text


def test_errors_are_told_apart_and_what_does_not_count_is_neither():
    mapped = np.array([[True, True, False, False, True]])
    truth = np.array([[True, False, True, False, True]])
    counted = np.array([[True, True, True, True, False]])
    picture = error_colours(mapped, truth, counted)
    found = {tuple((picture[0, k] * 255).round().astype(int)) for k in range(5)}
    assert len(found) == 5
    assert (255, 255, 255) in found
    assert len(set(ERRORS.values())) == 4


def test_figures_are_written_whole_and_refuse_nonsense(tmp_path):
    panel = MatrixPanel(
        title="full", rows=["1", "2"], columns=["a", "b"],
        values=np.array([[0.5, np.nan], [0.1, 0.9]]), framed=np.eye(2, dtype=bool),
    )  # fmt: skip
    made = draw_matrices([panel], tmp_path / "m.png", title="M", label="F1", synthetic=True)
    lines = IntervalPanel(
        title="few", label="difference", names=["a", "b"],
        series={"full": np.array([[0.1, 0.0, 0.2], [np.nan] * 3])},
    )  # fmt: skip
    draw_intervals([lines], tmp_path / "i.png", title="I", synthetic=True)
    draw_split(
        {"a": [(0, 0, "train"), (64, 0, "test")]}, tmp_path / "s.png", size_px=64, pixel_m=None,
        title="S", synthetic=False,
    )  # fmt: skip
    assert made.stat().st_size > 1000
    assert {p.name for p in tmp_path.iterdir()} == {"m.png", "i.png", "s.png"}
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_matrices([], tmp_path / "n.png", title="", label="", synthetic=True)
    wrong = MatrixPanel(
        title="x", rows=["1"], columns=["a"], values=np.zeros((2, 2)),
        framed=np.zeros((2, 2), dtype=bool),
    )  # fmt: skip
    with pytest.raises(ValueError, match="1 x 1"):
        draw_matrices([wrong], tmp_path / "n.png", title="", label="", synthetic=True)


def test_provenance_names_what_was_not_recorded():
    record = {"command": "c", "seed": 3, "synthetic": False, "overrides": ["a=1"]}
    text = "".join(provenance_parts(record, "name: x"))
    assert "a=1" in text
    assert "did not record any" in text
    assert "```yaml\nname: x\n```" in text
    rendered = "".join(provenance_parts({**record, "synthetic": True}, "name: x"))
    assert "rendered from the configuration" in rendered
