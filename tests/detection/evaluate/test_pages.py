"""Tables, page parts and figures: right numbers, labels that say what they are, files that show."""

import numpy as np
import pytest
from PIL import Image

from detection.evaluate.figures import draw_figures
from detection.evaluate.panels import HIT, MISS, choose_examples, draw_examples
from detection.evaluate.radar import RadarPanel, draw_radar_pages
from detection.evaluate.run import evaluate_patches
from detection.evaluate.sections import evaluation_parts
from detection.evaluate.settings import EvaluationSettings
from detection.evaluate.tables import difference_table, score_table, site_table, size_table
from detection.patches.patch_set import PatchSet
from tests.detection.evaluate.planted import two_regions

SETTINGS = EvaluationSettings(draws=100, sites="region_epoch")


@pytest.fixture(scope="module")
def patches():
    return two_regions()


@pytest.fixture(scope="module")
def evaluations(patches):
    made, probability = patches
    forecasts = {"network": np.where(made.truth, 0.9, probability * 0.7), "forest": probability}
    return [
        evaluate_patches(
            p, made, 0.6, model=name, data="Test patches", settings=SETTINGS,
            threshold_origin="largest F1 on validation",
        )
        for name, p in forecasts.items()
    ]  # fmt: skip


def test_tables_hold_the_scores(evaluations):
    first = evaluations[0]
    table = score_table(evaluations)
    assert [row[0] for row in table.rows] == ["network", "forest"]
    f1 = first.score("f1")
    assert table.rows[0][1] == f"{f1.value:.3f} ({f1.low:.3f} to {f1.high:.3f})"
    sites = site_table(evaluations, "iou")
    assert sites.header == ("IoU", "hill 1", "hill 2", "dale 1", "all")
    assert sites.rows[1][2].startswith(f"{evaluations[1].sites[1].scores['iou'].value:.3f} (")
    assert sites.rows[2] == ("patches", "12", "12", "12", "36")
    sizes = size_table(evaluations)
    assert sizes.rows[-1][0] == "all sizes"
    assert int(sizes.rows[-1][1]) == sum(int(row[1]) for row in sizes.rows[:-1])
    (difference,) = difference_table(evaluations).rows
    assert difference[0] == "network less forest"
    assert difference[2] == "yes"


def test_models_of_other_patches_do_not_share_a_table(patches, evaluations):
    made, probability = patches
    other = evaluate_patches(
        probability[:9], made.select(range(9)), 0.6, model="other", settings=SETTINGS
    )
    with pytest.raises(ValueError, match="'other' on 9216"):
        score_table([evaluations[0], other])
    with pytest.raises(ValueError, match="every name once"):
        score_table([evaluations[0], evaluations[0]])
    with pytest.raises(ValueError, match="no evaluations"):
        score_table([])


def test_page_parts_say_what_each_table_is(evaluations, tmp_path):
    figures = draw_figures(evaluations, tmp_path, dpi=60)
    assert set(figures) == {"scores", "curves", "radar", "sites", "sizes"}
    for files in figures.values():
        for file in files:
            with Image.open(file) as image:
                assert image.width > 200
                colours = {c for _, c in image.convert("RGB").getcolors(maxcolors=10**6)}
                # The stamp of data that nobody observed.
                assert (179, 0, 0) in colours
    text = "\n".join(evaluation_parts(evaluations, figures))
    for words in (
        "## Scores", "### All patches", "### Patches with landslides only",
        "As the papers score: without the", "Thresholds: largest F1 on validation.",
        "not a held-out score", "95 %) come from 100 draws of 24 units (160 m block)",
        "## Differences", "## Models by sites", "## Landslides as objects",
        ":::{figure} figures/radar.png", "SYNTHETIC.",
    ):  # fmt: skip
        assert words in text, words
    assert text.index("### All patches") < text.index("### Patches with landslides only")


def test_patches_that_all_hold_landslides_and_many_sites_are_told(patches):
    made, probability = patches
    positive = np.flatnonzero(made.truth.any(axis=(1, 2)))
    kept = made.select(positive)
    origin = tuple(type(o)(**{**vars(o), "region": f"file {i}"}) for i, o in enumerate(kept.origin))
    loose = PatchSet(**{**vars(kept), "origin": origin})
    found = evaluate_patches(
        probability[positive], loose, 0.6, settings=EvaluationSettings(draws=20)
    )
    assert len(found.sites) > 24
    text = "\n".join(evaluation_parts([found]))
    assert "Every patch holds a landslide" in text
    assert "landslides only" not in text
    assert f"The scores of {len(found.sites)} sites are in the files" in text


def test_examples_are_chosen_by_their_rule(patches):
    made, probability = patches
    chosen = choose_examples(probability, made, 0.6, number=8)
    positive = made.truth.any(axis=(1, 2))
    assert positive[chosen].tolist() == [True] * 6 + [False] * 2
    f1 = []
    for i in chosen[:6]:
        mapped = probability[i] >= 0.6
        hit = (mapped & made.truth[i]).sum()
        f1.append(2 * hit / (mapped.sum() + made.truth[i].sum()))
    assert f1 == sorted(f1, reverse=True)
    alarms = (probability >= 0.6).sum(axis=(1, 2))
    assert alarms[chosen[6]] == alarms[~positive].max()


def test_examples_show_hits_and_misses_in_their_colours(patches, tmp_path):
    made, probability = patches
    unseen = made.valid.copy()
    unseen[:, :4] = False
    set_of = PatchSet(**{**vars(made), "valid": unseen, "pre": made.image, "pre_valid": made.valid})
    files = draw_examples(
        probability, set_of, 0.6, tmp_path / "examples.png", title="Examples", number=5, rows=3,
        dpi=60,
    )  # fmt: skip
    assert [file.name for file in files] == ["examples.png", "examples_2.png"]
    with Image.open(files[0]) as image:
        colours = {c for _, c in image.convert("RGB").getcolors(maxcolors=10**6)}
    for name in (HIT, MISS):
        assert tuple(int(name[i : i + 2], 16) for i in (1, 3, 5)) in colours


def test_a_radar_chart_needs_three_spokes(tmp_path):
    panel = RadarPanel(title="two", spokes=["a", "b"], values={"m": np.array([0.2, 0.4])})
    with pytest.raises(ValueError, match="two: found 2 spokes"):
        draw_radar_pages([panel], tmp_path / "radar.png", title="T")
    gap = RadarPanel(title="gap", spokes="abcd", values={"m": np.array([0.2, np.nan, 0.4, -0.2])})
    (file,) = draw_radar_pages([gap], tmp_path / "radar.png", title="T", dpi=50)
    assert file.stat().st_size > 1000
