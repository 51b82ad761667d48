"""What the report says in words fits the study: its dates, its triggers, its few landslides."""

import dataclasses
import json

import numpy as np
import pytest

from hazard.config.schema import load_config
from hazard.report.data_page import data_page
from hazard.report.maps_page import maps_page
from hazard.report.source import open_source
from hazard.report.standards_page import standards_page
from hazard.report.verdict import duels_of, verdict_parts
from tests.hazard.report import planted

FEW_EPOCH = 3


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A run whose last epoch has five cells with landslides."""
    folder = tmp_path_factory.mktemp("few")

    def change(layers):
        density, presence = (layers[""][name][1] for name in ("area_density", "presence"))
        at = np.flatnonzero(np.nan_to_num(density[FEW_EPOCH]) > 0)[5:]
        density[FEW_EPOCH].ravel()[at] = 0.0
        presence[FEW_EPOCH].ravel()[at] = 0

    return open_source(planted.write_run(folder, change=change), None)


def test_an_epoch_with_few_landslides_is_named_and_not_counted(few):
    duels = duels_of(few, "forward_chaining")
    assert {d.outcome for d in duels if d.epoch == "post 2016"} == {"too few landslides"}
    text = "\n".join(verdict_parts(few))
    assert "post 2016 holds 5 cells with landslides, fewer than 30" in text
    assert "1 test epoch, by" in text
    assert "post 2016. " not in text
    # The other epoch is judged as ever.
    assert "pre 2016. " in text


def test_a_ranking_the_wrong_way_round_is_called_that(tmp_path, few):
    wrong = open_source(planted.write_run(tmp_path, skills={"default": -2.0}), None)
    assert "ranks cells with landslides behind" in "\n".join(verdict_parts(wrong))
    assert "ranks cells with landslides behind" not in "\n".join(verdict_parts(few))


def without_triggers(source, **more):
    cube = source.cube
    triggers = cube.triggers.drop_vars(["pga", "rain_max_mm_day"])
    return dataclasses.replace(source, cube=dataclasses.replace(cube, triggers=triggers), **more)


def test_a_study_without_triggers_claims_none(few):
    assert few.triggers == ("shaking", "rain")
    assert "shaking and rain of the epoch were known" in few.trigger_text
    bare = without_triggers(few)
    assert bare.triggers == ()
    text = "\n".join(standards_page(bare).parts)
    assert "neither shaking nor rain" in text
    assert "known to the model" not in text.replace("nothing of the trigger was known", "")


def test_landslides_dated_by_a_year_are_not_called_increases(few, tmp_path):
    assert "increase of landslide area between consecutive" in "\n".join(data_page(few).parts)
    path = tmp_path / "dated.yaml"
    path.write_text(DATED)
    images = {"dates": "observed", "image_start": "2015-05-01", "image_end": "2015-05-02"}
    epochs = json.dumps([{**e.as_json(), **images} for e in few.cube.epochs])
    root = few.cube.root.assign_attrs(synthetic=False, epochs=epochs)
    cube = dataclasses.replace(few.cube, root=root)
    dated = dataclasses.replace(few, cube=cube, config=load_config(path))
    dated.figures.mkdir(parents=True, exist_ok=True)
    text = "\n".join(data_page(dated).parts)
    assert "year of the image that first shows the landslide" in text
    assert "between consecutive" not in text
    standards = "\n".join(standards_page(dated).parts).replace("\\", "")
    assert "2015-05-01 to 2015-05-02; landslides are dated by the year" in standards


def test_the_disagreement_of_few_members_says_which_shares_there_are(few):
    few.figures.mkdir(parents=True, exist_ok=True)
    text = "\n".join(maps_page(few).parts)
    # Two members agree or they do not.
    assert "2 members can only disagree in these shares of pairs: 0, 1." in text
    assert text.count("can only disagree") == 2 * text.count("map_final_disagreement.png")


DATED = """
name: dated
title: Dated
study:
  event: {name: quake, date: 2005-10-08}
  grid: {crs: "EPSG:32643", cell_m: 500}
  epochs:
    - {name: one, start: 2005-01-01, end: 2005-12-31}
target: {kind: dated, file: a.gpkg, columns: {year: year}}
terrain: {elevation: dem.tif}
"""
