"""A report builds without warnings, holds its figures, repeats the scoreboard and names gaps."""

import html
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from hazard.errors import DataError
from hazard.report.run import PAGES, STEPS, publish, write_report
from hazard.report.score_names import HEADLINE, NO_BREAK, interval_text
from hazard.report.source import open_source
from hazard.report.verdict import duels_of, verdict_parts
from stats.command.pages import CONF, build_html
from tests.hazard.report.planted import BAD, write_records, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose network is good, with its report."""
    folder = write_run(tmp_path_factory.mktemp("good"))
    told = []
    index = write_report(folder, None, told.append)
    assert index == folder / "report" / "html" / "index.html"
    assert sum(told) == STEPS
    return folder


def text_of(page):
    """Text of a page as a reader sees it."""
    content = re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))
    return " ".join(html.unescape(content).replace(NO_BREAK, " ").split())


def source_text(folder, name):
    return (folder / "report" / f"{name}.md").read_text(encoding="utf-8")


def test_every_page_is_stamped_and_every_figure_is_there(run):
    report = run / "report"
    names = {path.stem for path in report.glob("*.md")}
    wanted = {"index", "data", "maps", "scores", "curves", "confusion", "residuals", "density",
              "association", "leaks", "standards", "provenance", "scores_random",
              "densities"}  # fmt: skip
    assert wanted <= names
    assert len(PAGES) == 12
    used = set()
    for name in names:
        assert "SYNTHETIC" in text_of(report / "html" / f"{name}.html"), name
        used |= set(re.findall(r"figures/([\w.]+\.png)", source_text(run, name)))
    assert used == {path.name for path in (report / "figures").iterdir()}
    assert {"map_final_expected.png", "confusion_forward_chaining.png", "association_0_0.png",
            "residual_forward_chaining.png", "roc_forward_chaining.png", "cube.png",
            "reliability_forward_chaining.png", "scores_forward_chaining.png",
            "density_forward_chaining.png", "totals_forward_chaining.png"} <= used  # fmt: skip
    shown = {path.name for path in (report / "html" / "_images").iterdir()}
    assert used == shown


def test_tables_repeat_the_scoreboard(run):
    board = pd.read_parquet(run / "scoreboard.parquet")
    board = board[
        (board["scheme"] == "forward_chaining")
        & (board["fold"] == "all")
        & (board["epoch"] == "post 2016")
        & ~(board["mapping_unit_km"] > 1)
    ]
    text = source_text(run, "scores").replace("\\", "").replace(NO_BREAK, " ")
    tables = text[text.index("## Tables: forward chaining") :]
    section = tables[tables.index("### post 2016") :]
    row = next(line for line in section.splitlines() if line.startswith("| network |"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    keys = board[(board["model"] == "default") & (board["threshold_percent"] == 0)]
    keys = keys[(keys["correction"] == "none") & (keys["subset"] == "all")].set_index("score")
    for cell, score in zip(
        cells[1:], ("auc", "average_precision", "f1", "iou", "mcc"), strict=True
    ):
        value, low, high = (float(keys.loc[score, name]) for name in ("value", "low", "high"))
        assert cell == interval_text(value, low, high).replace(NO_BREAK, " ")
        assert np.isfinite(value)
    assert cells[0] == str(int(keys.loc["auc", "n"]))


def test_the_tables_say_whether_the_law_holds_and_what_larger_units_are(run):
    text = source_text(run, "scores").replace("\\", "").replace(NO_BREAK, " ")
    board = pd.read_parquet(run / "scoreboard.parquet")
    board = board[(board["scheme"] == "forward_chaining") & (board["model"] == "default")]
    board = board[(board["epoch"] == "post 2016") & (board["fold"] == "all")].set_index("score")
    section = text[text.index("### post 2016") :]
    section = section[section.index("Calibration of the law of density") :]
    row = next(line for line in section.splitlines() if line.startswith("| network |"))
    for score in ("pit_ks_distance", "pit_mean", "interval_overcoverage_0.9"):
        value, low, high = (float(board.loc[score, name]) for name in ("value", "low", "high"))
        assert np.isfinite(low)
        assert interval_text(value, low, high).replace(NO_BREAK, " ") in row
    assert "no model is fitted again to the larger units" in text


def test_a_good_network_is_said_to_win_by_as_much_as_the_scoreboard_says(run):
    source = open_source(run, None)
    duels = duels_of(source, "forward_chaining")
    assert {d.outcome for d in duels} == {"better"}
    text = verdict_parts(source)[0]
    assert "The network beats the best baseline throughout" in text
    assert f"better in {len(duels)}, worse in 0" in text
    board = pd.read_parquet(run / "scoreboard.parquet")
    gain = board[
        (board["score"] == "auc_gain_over_best")
        & (board["epoch"] == "post 2016")
        & (board["scheme"] == "forward_chaining")
        & (board["model"] == "default")
        & (board["threshold_percent"] == 0)
    ].iloc[0]
    shown = interval_text(gain["value"], gain["low"], gain["high"])
    assert shown.replace("[", "\\[").replace("]", "\\]") in text
    assert "fewer than 5: no claim about future epochs" in text
    assert len({d.score for d in duels}) == len(HEADLINE)


def test_a_losing_network_is_said_to_lose(tmp_path):
    folder = write_run(tmp_path, skills=BAD, records=False)
    source = open_source(folder, None)
    text = verdict_parts(source)[0]
    assert "The network loses to a baseline" in text
    assert "behind LightGBM by" in text
    assert "beats" not in text
    assert {d.outcome for d in duels_of(source, "forward_chaining")} <= {"worse", "not told apart"}


def test_what_was_not_run_stands_with_its_reason(run):
    assert "left out to keep the example small" in source_text(run, "scores")


def test_missing_parts_are_named_where_they_would_stand(run, tmp_path):
    folder = tmp_path / "cube_only"
    folder.mkdir()
    shutil.copytree(run / "cube.zarr", folder / "cube.zarr")
    index = write_report(folder)
    text = text_of(index)
    for name in ("predictions.zarr", "scoreboard.parquet", "curves.parquet", "provenance.json"):
        assert name in text, name
    assert "there is no scoreboard" in text
    for name in ("maps", "scores", "curves", "confusion", "residuals", "density", "association"):
        assert "Not in this run" in source_text(folder, name), name


def test_a_failed_report_leaves_the_earlier_one(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    before = (folder / "report" / "index.md").read_text()
    (folder / "evaluation" / "curves.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"curves\.parquet"):
        write_report(folder)
    assert (folder / "report" / "index.md").read_text() == before
    assert not list(folder.glob(".report*"))


def test_a_table_without_a_column_is_refused(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    path = folder / "evaluation" / "moran.parquet"
    pd.read_parquet(path).drop(columns="z").to_parquet(path)
    with pytest.raises(DataError, match="no column z"):
        open_source(folder, None)


def test_published_pages_build_inside_a_documentation(run, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "conf.py").write_text(CONF.format(project="docs"))
    (docs / "index.md").write_text("# Docs\n\n```{toctree}\nreports/index\n```\n")
    target = publish(run, docs, name="small")
    assert target == docs / "reports" / "small"
    assert not (target / "html").exists()
    assert not (target / "conf.py").exists()
    build_html(docs, tmp_path / "out", project="docs")
    page = tmp_path / "out" / "reports" / "small" / "scores.html"
    assert "SYNTHETIC" in text_of(page)
    publish(run, docs, name="small")
    assert (docs / "reports" / "index.md").read_text().count("small/index.md") == 1


def test_only_a_report_is_published(tmp_path):
    with pytest.raises(DataError, match=r"report/index\.md"):
        publish(tmp_path, tmp_path / "docs")


def test_odd_text_of_the_configuration_stays_text(run):
    write_records(run)
    assert "'```odd``` title'" in source_text(run, "provenance")
    assert "'```odd``` title'" in html.unescape(
        re.sub(r"<[^>]+>", "", (run / "report" / "html" / "provenance.html").read_text())
    )
