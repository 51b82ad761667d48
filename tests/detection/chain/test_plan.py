"""The plan names every training once, parents first, and says what each has seen."""

import pytest

from detection.chain.plan import Variant, make_plan

ORDER = ("north", "east", "south", "west")
VARIANTS = (Variant(name="full"), Variant(name="decoder", frozen=("encoder",), learning_rate=1e-4))


@pytest.fixture(scope="module")
def plan():
    return make_plan(ORDER, VARIANTS, few_repeats=2)


def test_every_name_is_unique_and_every_parent_comes_first(plan):
    done = set()
    for training in plan.trainings:
        assert training.name not in done
        assert training.parent is None or training.parent in done
        done.add(training.name)


def test_a_chain_walks_the_regions_in_order_and_variants_share_the_first_stage(plan):
    for variant in VARIANTS:
        stages = plan.stages(variant.name)
        assert [s.regions for s in stages] == [(name,) for name in ORDER]
        assert [s.parent for s in stages] == [None, *(s.name for s in stages[:-1])]
        assert all(s.frozen == variant.frozen for s in stages[1:])
        assert all(s.learning_rate == variant.learning_rate for s in stages[1:])
    assert plan.stages("full")[0] is plan.stages("decoder")[0]
    assert plan.stages("full")[0].frozen == ()


def test_a_left_out_region_was_never_seen(plan):
    for position, region in enumerate(ORDER):
        (training,) = plan.of("left_out", position)
        assert plan.seen(training.name) == set(ORDER) - {region}
    assert plan.seen("combined") == set(ORDER)


def test_few_data_are_compared_on_the_same_draw_from_what_the_chain_has_on_arrival(plan):
    for position in range(1, len(ORDER)):
        transfer, scratch = plan.of("few_transfer", position), plan.of("few_scratch", position)
        assert [t.repeat for t in transfer] == [t.repeat for t in scratch] == [0, 1]
        assert {t.share for t in (*transfer, *scratch)} == {0.1}
        arrived = plan.stages("full")[position - 1].name
        assert {t.parent for t in transfer} == {arrived}
        assert ORDER[position] not in plan.seen(arrived)
        assert {t.parent for t in scratch} == {None}


def test_parts_of_the_study_can_be_left_out():
    small = make_plan(
        ORDER[:2], VARIANTS[:1], conventional=False, combined=False, leave_one_out=False,
        few_share=None,
    )  # fmt: skip
    assert [t.kind for t in small.trainings] == ["scratch", "chain"]
    assert not small.has("few_scratch")
    with pytest.raises(KeyError, match="scratch of east"):
        small.scratch(1)


@pytest.mark.parametrize(
    ("order", "variants", "options", "message"),
    [
        (["a"], VARIANTS, {}, "two or more"),
        (["a", "a"], VARIANTS, {}, "each once"),
        (["a", "b"], [], {}, "one or more"),
        (["a", "b"], [VARIANTS[0]] * 2, {}, "named once"),
        (["a", "b"], VARIANTS, {"few_share": 1.0}, "between 0 and 1"),
        (["a", "b"], VARIANTS, {"few_repeats": 0}, "at least 1"),
    ],
)
def test_impossible_plans_are_refused(order, variants, options, message):
    with pytest.raises(ValueError, match=message):
        make_plan(order, variants, **options)
