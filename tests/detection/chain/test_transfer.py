"""Transfer numbers are exact on counts made by hand, paired, and as uncertain as planted."""

import numpy as np
import pytest

from detection.chain.counts import SceneCounts
from detection.chain.plan import Variant, make_plan
from detection.chain.scores import Estimate, ScoreTable, mean_of_estimates
from detection.chain.transfer import MEAN, matrix, transfer_numbers, verdict

ORDER = ("a", "b", "c")
EVENTS = dict.fromkeys(ORDER, "event")
VARIANTS = (Variant(name="full"),)


def scene(training, region, epoch, f1, *, blocks=12, seed=0, unseen=None):
    """Counts whose pooled F1 is `f1`: 100 landslide pixels a patch, as many alarms, hits by share.

    Shares differ between patches of one region in the same way for every training, so that
    differences between trainings hardly vary.
    """
    rng = np.random.default_rng((seed, ord(region)))
    shift = rng.normal(0.0, 8.0, 2 * blocks)
    shift -= shift.mean()
    hit = 100.0 * f1 + shift
    miss = 100.0 - hit
    counts = np.stack([hit, miss, miss, 900.0 - miss], axis=1)
    block = np.repeat(np.arange(blocks), 2)
    mask = np.ones(2 * blocks, bool) if unseen is None else unseen
    return SceneCounts(
        training=training, region=region, epoch=epoch, block=block, unseen=mask, counts=counts
    )


PLANTED = {
    # On arrival at b: 0.30, then learned 0.60 against 0.50 from scratch, then forgotten to 0.40.
    "scratch-1-a": {"a": 0.70, "b": 0.30, "c": 0.20},
    "chain-full-2-b": {"a": 0.72, "b": 0.60, "c": 0.25},
    "chain-full-3-c": {"a": 0.50, "b": 0.40, "c": 0.66},
    "scratch-2-b": {"a": 0.1, "b": 0.50, "c": 0.1},
    "scratch-3-c": {"a": 0.1, "b": 0.1, "c": 0.66},
    "few_transfer-2-b": {"a": 0.1, "b": 0.55, "c": 0.1},
    "few_scratch-2-b": {"a": 0.1, "b": 0.35, "c": 0.1},
    "few_transfer-3-c": {"a": 0.1, "b": 0.1, "c": 0.40},
    "few_scratch-3-c": {"a": 0.1, "b": 0.1, "c": 0.50},
}


def planted_scenes():
    for training, regions in PLANTED.items():
        for region, f1 in regions.items():
            yield scene(training, region, "later", f1)
            yield scene(training, region, "event", 0.9)


@pytest.fixture(scope="module")
def plan():
    return make_plan(ORDER, VARIANTS, combined=False, leave_one_out=False)


@pytest.fixture(scope="module")
def table():
    return ScoreTable(planted_scenes(), EVENTS, draws=300, seed=1)


@pytest.fixture(scope="module")
def numbers(plan, table):
    return {(n.quantity, n.region): n for n in transfer_numbers(plan, table)}


@pytest.mark.parametrize(
    ("quantity", "region", "difference"),
    [
        # A tenth of the pixels is landslide: calling everything so has F1 0.2 / 1.1.
        ("zero_shot", "b", 0.30 - 2 / 11),
        ("zero_shot", "c", 0.25 - 2 / 11),
        ("forward", "b", 0.10),
        ("forward", "c", 0.0),
        ("forward", MEAN, 0.05),
        ("backward", "a", 0.50 - 0.70),
        ("backward", "b", 0.40 - 0.60),
        ("backward", MEAN, -0.20),
        ("forgetting", "a", 0.72 - 0.50),
        ("forgetting", "b", 0.60 - 0.40),
        ("few", "b", 0.20),
        ("few", "c", -0.10),
        ("few", MEAN, 0.05),
    ],
)
def test_planted_numbers_come_out(numbers, quantity, region, difference):
    assert numbers[quantity, region].difference.value == pytest.approx(difference, abs=1e-12)


def test_no_number_is_made_where_its_question_makes_no_sense(numbers):
    assert ("zero_shot", "a") not in numbers
    assert ("forward", "a") not in numbers
    assert ("backward", "c") not in numbers
    assert ("few", "a") not in numbers


def test_differences_are_paired(numbers):
    number = numbers["few", "b"]
    spread = number.difference.draws.std()
    assert number.first.draws.std() > 0.005
    assert spread < 0.1 * number.first.draws.std()


def test_verdicts_follow_the_interval(numbers):
    assert verdict(numbers["few", "b"]) == "better"
    assert verdict(numbers["few", "c"]) == "worse"
    assert verdict(numbers["backward", "a"]) == "worse"
    assert verdict(numbers["forgetting", "a"]) == "worse"
    assert verdict(numbers["forward", "c"]) == "not told apart"


def test_the_matrix_says_what_was_seen_and_keeps_epochs_apart(plan, table):
    cells = {(c.training, c.region, c.scope): c for c in matrix(plan, table, list(PLANTED)[:3])}
    assert len(cells) == 3 * 3 * 2
    assert cells["chain-full-2-b", "b", "other"].score.value == pytest.approx(0.60)
    assert cells["chain-full-2-b", "b", "event"].score.value == pytest.approx(0.90)
    assert cells["chain-full-2-b", "a", "other"].seen
    assert not cells["chain-full-2-b", "c", "other"].seen


def test_repeats_are_averaged():
    plan = make_plan(
        ("a", "b"), VARIANTS, conventional=False, combined=False, leave_one_out=False,
        few_repeats=2,
    )  # fmt: skip
    f1 = {
        "scratch-1-a": 0.3, "chain-full-2-b": 0.5, "few_transfer-2-b-1": 0.5,
        "few_transfer-2-b-2": 0.7, "few_scratch-2-b-1": 0.2, "few_scratch-2-b-2": 0.3,
    }  # fmt: skip
    scenes = [scene(t, r, "later", v) for t, v in f1.items() for r in ("a", "b")]
    table = ScoreTable(scenes, {"a": "event", "b": "event"}, draws=50)
    few = [n for n in transfer_numbers(plan, table) if n.quantity == "few"]
    assert [n.difference.value for n in few] == pytest.approx([0.6 - 0.25])


def test_ground_that_was_trained_on_is_left_out_unless_asked_for():
    unseen = np.arange(24) >= 12
    good = scene("t", "a", "later", 0.5, unseen=unseen)
    good.counts[:12] = [100, 0, 0, 900]
    held = ScoreTable([good], {"a": "event"}, draws=50)
    everything = ScoreTable([good], {"a": "event"}, draws=50, ground="all")
    assert (held.n_blocks("a"), everything.n_blocks("a")) == (6, 12)
    f1 = held.score("t", "a", ("later",)).value
    assert f1 == pytest.approx(good.counts[12:, 0].mean() / 100)
    assert everything.score("t", "a", ("later",)).value > f1
    blind = scene("t", "b", "later", 0.5, unseen=np.zeros(24, bool))
    with pytest.raises(ValueError, match="no patch on unseen ground"):
        ScoreTable([blind], {"b": "event"})


def test_draws_of_a_region_do_not_depend_on_the_trainings_in_the_table():
    few = [scene("t", r, "later", 0.5) for r in ORDER]
    more = [*few, *(scene("u", r, "later", 0.6) for r in ORDER)]
    one, other = (ScoreTable(s, EVENTS, draws=20).score("t", "b", ("later",)) for s in (few, more))
    assert np.array_equal(one.draws, other.draws)


def test_regions_are_drawn_independently(table):
    a = table.score("scratch-1-a", "a", ("later",))
    b = table.score("scratch-1-a", "b", ("later",))
    assert abs(np.corrcoef(a.draws, b.draws)[0, 1]) < 0.2
    mean = mean_of_estimates([a, b])
    assert mean.value == pytest.approx((0.70 + 0.30) / 2)
    assert mean.draws.std() < max(a.draws.std(), b.draws.std())


def test_intervals_cover_the_planted_difference():
    """Forty studies with independent noise per training: the interval holds 0 about 95 in 100."""
    held = 0
    for seed in range(40):
        scenes = [
            scene("t", "a", "later", 0.5, seed=2 * seed, blocks=20),
            scene("u", "a", "later", 0.5, seed=2 * seed + 1, blocks=20),
        ]
        rng = np.random.default_rng(seed)
        for one in scenes:
            # Not centred: the sample's own F1 differs from the planted one.
            shift = rng.normal(0.0, 10.0, 40)
            one.counts[:] += np.stack([shift, -shift, -shift, shift], axis=1)
        table = ScoreTable(scenes, {"a": "event"}, draws=200, seed=seed)
        gap = table.score("t", "a", ("later",)) - table.score("u", "a", ("later",))
        held += not gap.interval().excludes(0.0)
    assert 34 <= held <= 40


def test_counts_twice_are_refused_and_an_undefined_score_has_no_interval():
    one = scene("t", "a", "later", 0.5)
    with pytest.raises(ValueError, match="twice"):
        ScoreTable([one, one], {"a": "event"})
    empty = Estimate(value=float("nan"), draws=np.full(5, np.nan), n=3, unit="block")
    assert empty.interval() is None
