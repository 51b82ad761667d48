"""Residuals of a run's forecasts: made once, kept while nothing changes, named where impossible."""

import json
from pathlib import Path

import numpy as np
import pytest

from hazard.config.schema import load_config
from hazard.errors import DataError
from hazard.fit.diagnostics import make_residuals
from hazard.report.folder_pages import folder_page
from hazard.report.source import Source
from stats.command import residuals_run
from stats.command.errors import UsageError
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter
from tests.hazard.evaluate.planted import law_fields, model, planted_run, world

SMOKE = Path(__file__).parents[3] / "configs" / "gorkha_smoke.yaml"


def quiet():
    return Session(log=Log(quiet=True), reporter=SilentReporter())


def config(**residuals):
    checked = load_config(SMOKE)
    asked = checked.fit.residuals.model_copy(update={"draws": 39, **residuals})
    return checked.model_copy(update={"fit": checked.fit.model_copy(update={"residuals": asked})})


@pytest.fixture
def run(tmp_path):
    p, mu, density = world(3)
    forecasts = {
        ("forward_chaining", "right"): law_fields(p, mu),
        ("forward_chaining", "climatology"): law_fields(np.full(p.shape, 0.2), -0.8, 1.2),
    }
    planted_run(
        tmp_path, density, forecasts, models=[model("right", "network"), model("climatology")],
        mask=np.ones(p.shape[1:], dtype=bool),
    )  # fmt: skip
    return tmp_path


def test_the_section_is_made_once_and_again_when_a_setting_changes(run):
    folder = make_residuals(config(), run, quiet())
    record = folder / residuals_run.RECORD
    before = record.stat().st_mtime_ns
    assert json.loads(record.read_text())["settings"]["model"] == "right"
    assert json.loads(record.read_text())["best"] == "climatology"
    assert make_residuals(config(), run, quiet()) == folder
    assert record.stat().st_mtime_ns == before
    make_residuals(config(draws=59), run, quiet())
    assert record.stat().st_mtime_ns > before
    assert json.loads(record.read_text())["settings"]["draws"] == 59


def test_what_nobody_asked_for_or_no_forecast_gives_is_no_error(run, tmp_path):
    off = config()
    off = off.model_copy(update={"fit": off.fit.model_copy(update={"residuals": None})})
    assert make_residuals(off, run, quiet()) is None
    with pytest.raises(UsageError, match="--model: found 'absent'"):
        make_residuals(config(model="absent"), run, quiet())
    p, mu, density = world(3)
    sure = tmp_path / "sure"
    sure.mkdir()
    planted_run(
        sure, density, {("forward_chaining", "zero"): law_fields(0.0 * p, mu)},
        models=[model("zero")], mask=np.ones(p.shape[1:], dtype=bool),
    )  # fmt: skip
    assert make_residuals(config(), sure, quiet()) is None
    assert not (sure / "residuals").exists()


def test_the_report_takes_the_page_over_with_its_figures_and_refuses_other_layouts(run):
    make_residuals(config(), run, quiet())
    source = Source(folder=run, report=run / "report", config=None, cube=None, predictions=None,
                    evaluation=None)  # fmt: skip
    source.figures.mkdir(parents=True)

    def taken(version=residuals_run.LAYOUT_VERSION):
        return folder_page(
            source, "residuals", page=residuals_run.PAGE, record=residuals_run.RECORD,
            layout=(residuals_run.LAYOUT, version),
        )  # fmt: skip

    found = taken()
    assert "## In plain words" in found.text
    assert not found.text.startswith("#")
    assert "{warning}" not in found.text
    names = {path.name for path in source.figures.iterdir()}
    assert {"residuals_worm.png", "residuals_pit.png", "residuals_structure.png",
            "residuals_reliability.png", "residuals_difference_log.png",
            "residuals_presence.png"} <= names  # fmt: skip
    for name in names:
        assert f"figures/{name}" in found.text
    with pytest.raises(DataError, match="version"):
        taken(version=99)
    (run / "residuals" / "figures" / "worm.png").unlink()
    with pytest.raises(DataError, match=r"no figure worm\.png"):
        taken()
