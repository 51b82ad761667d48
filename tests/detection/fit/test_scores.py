from detection.config.schema import DetectionConfig
from detection.fit.models import FittedModel
from detection.fit.scores import MOST_SITES, board_rows, scoreboard, settings_of
from detection.training.threshold import ThresholdChoice
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter
from tests.detection.patches.made_patches import made_patches

CONFIG = DetectionConfig(name="a", title="b", evaluation={"draws": 20, "block_m": 100.0})
TALK = Session(log=Log(quiet=True), reporter=SilentReporter())


def model(predict, threshold=0.5, label="known"):
    choice = ThresholdChoice(threshold=threshold, rule="f1", pixels=1, positive=1, f1=0.5)
    facts = {"network": "none", "recipe": "none", "seconds": 0.0}
    return FittedModel(
        label=label, kind="network", predict=predict, threshold=choice, history=(), facts=facts,
        folder=None,
    )  # fmt: skip


def test_a_model_that_knows_the_truth_scores_one_at_every_site():
    test = made_patches(8, size=16)
    models = [
        model(lambda p: p.truth.astype("float32")),
        model(lambda p: (~p.truth).astype("float32"), label="wrong"),
    ]
    scored = scoreboard(CONFIG, test, models, TALK)
    board = {(row["model"], row["site"], row["patches"]): row for row in scored.rows}
    assert {key[1] for key in board} == {"all", "a", "b"}
    for site in ("all", "a", "b"):
        assert board["known", site, "all"]["f1"] == 1.0
        assert board["wrong", site, "all"]["f1"] == 0.0
    counted = int(test.counted.sum())
    assert board["known", "all", "all"]["n_pixels"] == counted
    assert sum(board["known", site, "all"]["n_pixels"] for site in ("a", "b")) == counted
    assert board_rows(scored.evaluations, models) == scored.rows


def test_patches_with_a_region_each_are_not_a_table_of_regions():
    few, many = (made_patches(n, size=16, regions=[f"r{i}" for i in range(n)]) for n in (3, 60))
    assert len({o.region for o in many.origin}) > MOST_SITES
    assert settings_of(CONFIG, few).sites == "region"
    assert settings_of(CONFIG, many).sites == "epoch"
