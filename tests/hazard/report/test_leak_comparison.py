"""The report says what a leaking split adds to the same model, and only where there is one."""

import pandas as pd
import pytest

from hazard.report.leak_comparison import COLUMNS, leak_gaps, leak_lines
from hazard.report.leaks_page import leaks_page
from hazard.report.score_names import NO_BREAK, interval_text
from hazard.report.source import open_source
from tests.hazard.report.planted import LEAKING_MODELS, LEAKING_SCHEMES, write_run

LEAK = {("published_split", "reference"): 5.0, "reference": 0.8}


def opened(folder, **options):
    write_run(folder, schemes=LEAKING_SCHEMES, models=LEAKING_MODELS, **options)
    source = open_source(folder, None)
    source.figures.mkdir(parents=True)
    return source


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A reference network that knows the test cells under the published split."""
    return opened(tmp_path_factory.mktemp("leak"), skills=LEAK)


def test_the_page_repeats_the_scoreboard_and_draws_every_scheme(source):
    text = "\n".join(leaks_page(source).parts).replace("\\", "").replace(NO_BREAK, " ")
    board = pd.read_parquet(source.folder / "scoreboard.parquet")
    rows = board[
        (board["score"] == "auc_leaking_minus_honest") & (board["epoch"] == "mean")
    ].set_index("reference")
    for honest in ("spatial_blocks", "forward_chaining"):
        row = rows.loc[honest]
        gap = interval_text(row["value"], row["low"], row["high"]).replace(NO_BREAK, " ")
        section = text[text.index(f"against {honest.replace('_', ' ')}") :]
        line = next(part for part in section.splitlines() if part.startswith("| AUC |"))
        cells = [cell.strip() for cell in line.split("|")]
        assert cells[3:7] == [gap, str(row["n"]), str(row["n_blocks"]), "flattered"]
    assert "figures/leak_reference.png" in text
    assert (source.figures / "leak_reference.png").stat().st_size > 10_000


def test_every_score_of_the_paper_is_compared(source):
    gaps = leak_gaps(source, source.evaluation.scoreboard)
    assert {g.column for g in gaps} == set(COLUMNS)
    assert {g.honest for g in gaps} == {"spatial_blocks", "forward_chaining"}
    # The mean over the epochs that both test comes first: it is what the tables show.
    assert gaps[0].epoch == "mean"


def test_the_front_page_calls_memory_memory_and_nothing_nothing(source, tmp_path):
    lines = leak_lines(source)
    assert len(lines) == 2
    assert all("memory, not skill" in line for line in lines)
    same = opened(tmp_path, skills={"reference": 0.8})
    assert all("adds nothing that can be told apart" in line for line in leak_lines(same))


def test_a_run_without_a_leaking_scheme_has_no_such_section(tmp_path):
    write_run(tmp_path)
    source = open_source(tmp_path, None)
    assert leak_lines(source) == []
    assert not any("leaking" in part for part in leaks_page(source).parts)
