"""Objects by size and outlines within a tolerance: planted cases with known answers."""

import numpy as np
import pytest

from detection.evaluate.record import SCORES, Evaluation
from detection.evaluate.run import evaluate_patches
from detection.evaluate.settings import EvaluationSettings
from detection.evaluate.write import read_evaluation, write_evaluation
from hazard.errors import DataError
from stats.command.errors import UsageError
from tests.detection.evaluate.planted import cut, two_regions

SHAPE = (64, 96)


def evaluated(truth, forecast, *, valid=None, pixel_m=5.0, **settings):
    patches, probability = cut(
        {("a", "a", "1"): (truth, forecast.astype(float))}, valid=valid, pixel_m=pixel_m
    )
    return evaluate_patches(
        probability, patches, 0.5, settings=EvaluationSettings(draws=50, **settings)
    )


def boxes(*corners):
    mask = np.zeros(SHAPE, bool)
    for row, column, height, width in corners:
        mask[row : row + height, column : column + width] = True
    return mask


def test_a_landslide_over_four_patches_is_one_object_found_by_its_share():
    truth = boxes((25, 25, 20, 20), (5, 70, 4, 5), (50, 60, 2, 2))
    forecast = boxes((25, 25, 20, 9), (5, 70, 4, 3), (55, 5, 6, 6))
    # 400, 20 and 4 pixels of 25 m2; mapped by 0.45, 0.6 and 0; one mapped object is false.
    found = {}
    for overlap in (0.4, 0.5, 0.7):
        edges = (0.0, 200.0, 5_000.0)
        made = evaluated(truth, forecast, object_overlap=overlap, size_edges=edges)
        assert all(
            s.recall.value == s.found / s.landslides for s in made.protocol().sizes if s.landslides
        )
        found[overlap] = [(s.landslides, s.found, s.touched) for s in made.protocol().sizes]
    assert found[0.4] == [(1, 0, 0), (1, 1, 1), (1, 1, 1), (3, 2, 2)]
    assert found[0.5] == [(1, 0, 0), (1, 1, 1), (1, 0, 1), (3, 1, 2)]
    assert found[0.7] == [(1, 0, 0), (1, 0, 1), (1, 0, 1), (3, 0, 2)]
    last = made.protocol().sizes[-1]
    assert (last.mapped, last.confirmed, last.precision.value) == (3, 2, pytest.approx(2 / 3))
    assert [s.label for s in made.protocol().sizes[:3]] == [
        "below 200 m2", "200 to 5,000 m2", "from 5,000 m2",
    ]  # fmt: skip
    np.testing.assert_array_equal(np.sort(made.landslides.pixels), [4, 20, 400])
    np.testing.assert_allclose(np.sort(made.landslides.share), [0, 0.45, 0.6])


def test_objects_behind_the_edge_or_under_a_cloud_are_cut_and_judged_by_what_is_seen():
    truth = boxes((0, 10, 6, 6), (30, 30, 10, 10), (30, 60, 10, 10), (50, 80, 4, 4))
    valid = ~boxes((30, 30, 10, 6), (50, 80, 4, 4))
    forecast = boxes((30, 36, 10, 4), (30, 60, 10, 10))
    made = evaluated(truth, forecast, valid=valid)
    last = made.protocol().sizes[-1]
    # The one wholly under a cloud is no case; the half hidden one is mapped where it shows.
    assert (last.landslides, last.cut, last.found) == (3, 2, 2)
    assert sorted(made.landslides.pixels.tolist()) == [36, 100, 100]


def test_sizes_are_in_pixels_where_the_size_of_a_pixel_is_not_known():
    truth = boxes((30, 30, 10, 10))
    made = evaluated(truth, truth, pixel_m=None)
    sizes = made.protocol().sizes
    assert [s.label for s in sizes if s.landslides] == ["100 to 500 px", "from 0 px"]
    assert made.unit == "32 px block"


@pytest.mark.parametrize(("shift", "tolerance_m", "wanted"), [
    (0, 5.0, 1.0), (2, 10.0, 1.0), (2, 5.0, None), (9, 10.0, None), (20, 5.0, 0.0),
])  # fmt: skip
def test_outlines_match_within_the_tolerance(shift, tolerance_m, wanted):
    truth, forecast = boxes((20, 30, 12, 12)), boxes((20, 30 + shift, 12, 12))
    made = evaluated(truth, forecast, boundary_tolerance_m=tolerance_m)
    score = made.score("boundary_f1").value
    if wanted is None:
        # By hand: outline pixels are the 44 of the rim of a square of 12.
        rim = np.array(
            [(r, c) for r in range(12) for c in range(12) if 0 in (r, c) or 11 in (r, c)]
        )
        gaps = np.hypot(*(rim[:, None] - (rim[None] + [0, shift])).transpose(2, 0, 1))
        reach = tolerance_m / 5.0
        precision = (gaps.min(axis=0) <= reach).mean()
        recall = (gaps.min(axis=1) <= reach).mean()
        wanted = 2 * precision * recall / (precision + recall)
        assert 0 < wanted < 1
    assert score == pytest.approx(wanted)


def test_outlines_beside_unseen_ground_are_not_judged():
    truth = boxes((20, 30, 12, 12))
    # The right half is unseen, and a mapped square there counts nowhere.
    valid = ~boxes((0, 36, 64, 60))
    forecast = boxes((20, 30, 12, 6), (40, 70, 5, 5))
    made = evaluated(truth, forecast, valid=valid)
    assert made.score("boundary_f1").value == 1.0
    far = evaluated(truth, boxes((20, 30, 12, 6), (40, 10, 5, 5)), valid=valid)
    assert far.score("boundary_recall").value == 1.0
    # Rims that are judged: 9 + 3 + 3 pixels of the square cut at column 34, 16 of the other.
    sides = 12 + 2 * 3
    assert far.score("boundary_precision").value == pytest.approx(sides / (sides + 16))


def test_nothing_mapped_has_no_outline():
    made = evaluated(boxes((20, 30, 12, 12)), boxes())
    assert made.score("boundary_f1").note == "no outline is mapped or no landslide is there"
    assert made.score("boundary_recall").value == 0.0


def test_a_record_survives_its_folder(tmp_path):
    patches, probability = two_regions()
    made = evaluate_patches(
        probability, patches, 0.4, model="unet", data="test", threshold_origin="validation F1",
        settings=EvaluationSettings(draws=50),
    )  # fmt: skip
    folder = write_evaluation(made, tmp_path / "evaluation")
    assert sorted(p.name for p in folder.iterdir()) == [
        "curve.csv", "evaluation.json", "objects.csv", "scores.csv", "sites.csv", "sizes.csv",
        "units.csv",
    ]  # fmt: skip
    read = read_evaluation(folder)
    assert read.to_json() == made.to_json()
    for name in SCORES:
        assert read.score(name) == made.score(name)
    # NaN is equal to nothing; its text is.
    assert repr(read.protocol().sizes) == repr(made.protocol().sizes)
    np.testing.assert_array_equal(read.protocol().curve.recall, made.protocol().curve.recall)
    assert read.protocol().curve.threshold[0] == np.inf
    write_evaluation(made, folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        write_evaluation(made, folder)


def test_records_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_evaluation(tmp_path)
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(DataError, match="no readable JSON"):
        read_evaluation(tmp_path)
    with pytest.raises(DataError, match="version 1"):
        Evaluation.from_json({"layout": "detection-evaluation", "layout_version": 9})
    with pytest.raises(DataError, match="cannot be used"):
        Evaluation.from_json({"layout": "detection-evaluation", "layout_version": 1})
