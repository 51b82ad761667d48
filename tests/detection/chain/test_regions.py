"""Ground decides who sees what: no pixel twice in a score, few patches alike for both sides."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from detection.chain.plan import Variant, make_plan
from detection.chain.regions import filled, region_patches, share_of, without_ground
from detection.chain.trainings import data_digest, patches_to_map, training_patches
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.patches.splits import split_by_block
from hazard.errors import DataError
from hazard.geo.grid import Grid

SIZE, SIDE, STRIDE = 8, 64, 4
ORDER = ("a", "b")


def patch_set(regions=ORDER, epochs=("event", "later"), *, cloudy=()):
    """Overlapping patches of scenes whose pixels hold their own row, column and scene."""
    rng = np.random.default_rng(0)
    images, truths, origins = [], [], []
    for number, region in enumerate(regions):
        for epoch in epochs:
            truth = rng.random((SIDE, SIDE)) < 0.2
            rows, cols = np.mgrid[:SIDE, :SIDE]
            scene = np.stack([rows, cols, np.full_like(rows, number)], axis=-1)
            for row in range(0, SIDE - SIZE + 1, STRIDE):
                for column in range(0, SIDE - SIZE + 1, STRIDE):
                    if (region, row, column) in cloudy:
                        continue
                    window = np.s_[row : row + SIZE, column : column + SIZE]
                    images.append(scene[window])
                    truths.append(truth[window])
                    origins.append(
                        PatchOrigin(
                            scene=f"{region}-{epoch}", region=region, epoch=epoch, row=row,
                            column=column,
                        )
                    )  # fmt: skip
    truth = np.stack(truths)
    return PatchSet(
        bands=("red", "green", "nir"), unit="1", pixel_m=5.0,
        image=np.stack(images).astype(np.float32), valid=np.ones_like(truth), truth=truth,
        known=np.ones_like(truth), origin=tuple(origins),
    )  # fmt: skip


@pytest.fixture(scope="module")
def data():
    patches = patch_set(cloudy={("b", row, c) for row in (0, 4, 8) for c in range(0, 28, 4)})
    split = split_by_block(patches, block_px=16, buffer_px=0, seed=3)
    return region_patches(patches, split, ORDER, event_epochs={}, block_px=16)


def pixels(patches):
    """(scene, row, column) of every pixel that counts."""
    found = []
    for i, origin in enumerate(patches.origin):
        rows, cols = np.nonzero(patches.counted[i])
        found += [(origin.scene, origin.row + r, origin.column + c)
                  for r, c in zip(rows, cols, strict=True)]  # fmt: skip
    return found


def test_no_pixel_is_scored_twice_and_none_of_other_epochs_is_lost(data):
    for region in data.values():
        later, _, _ = region.to_score("later")
        found = pixels(later)
        assert len(found) == len(set(found))
        everything = [o for o in region.patches.origin if o.epoch == "later"]
        covered = {(o.scene, o.row + r, o.column + c)
                   for o in everything for r in range(SIZE) for c in range(SIZE)}  # fmt: skip
        assert set(found) == covered


def test_unseen_ground_is_the_same_in_all_epochs_and_was_never_trained_on(data):
    for region in data.values():
        trained = {(r, c) for _, r, c in pixels(region.parts["train"])}
        held = {(r, c) for _, r, c in pixels(region.parts["validation"])}
        grounds = []
        for epoch in region.epochs:
            patches, _, unseen = region.to_score(epoch)
            grounds.append({(r, c) for _, r, c in pixels(patches.select(np.flatnonzero(unseen)))})
        assert grounds[0] == grounds[1]
        assert grounds[0]
        assert not grounds[0] & (trained | held)
        assert not trained & held


def test_of_the_event_epoch_unseen_ground_alone_is_scored(data):
    for region in data.values():
        assert region.epochs[0] == "event"
        assert region.to_score("event")[2].all()
        assert not region.to_score("later")[2].all()
    total = sum(len(r.to_score(e)[0]) for r in data.values() for e in r.epochs)
    assert patches_to_map(data) == total


def test_blocks_have_equal_numbers_on_equal_ground(data):
    for region in data.values():
        patches, block, unseen = region.to_score("event")
        later, block_later, _ = region.to_score("later")
        numbers = {(o.row, o.column): n for o, n in zip(later.origin, block_later, strict=True)}
        assert all(
            numbers[o.row, o.column] == n for o, n in zip(patches.origin, block, strict=True)
        )
        assert unseen.all()


def test_ground_of_other_patches_is_taken_away_exactly():
    patches = patch_set(("a",), ("event",))
    one = patches.select([0])
    rest = without_ground(patches.select(range(1, len(patches))), one)
    covered = set(pixels(one))
    assert not covered & set(pixels(rest))
    assert covered | set(pixels(rest)) == set(pixels(patches))
    elsewhere = replace(one, origin=(replace(one.origin[0], scene="other"),))
    assert set(pixels(without_ground(patches, elsewhere))) == set(pixels(patches))


def test_filling_repeats_all_patches_alike():
    patches = patch_set(("a",), ("event",)).select(range(7))
    for number in (7, 10, 23):
        drawn = filled(patches, number, seed=number)
        times = [drawn.origin.count(origin) for origin in patches.origin]
        assert len(drawn) == number
        assert max(times) - min(times) <= 1
    with pytest.raises(DataError, match="none"):
        filled(patches.select([]), 3)


def test_few_patches_hold_landslide_whatever_the_draw():
    patches = patch_set(("a",), ("event",)).select(range(40))
    truth = np.zeros_like(patches.truth)
    truth[17, 0, 0] = True
    rare = replace(patches, truth=truth)
    for seed in range(20):
        few = share_of(rare, 0.1, seed=seed)
        assert len(few) == 4
        assert len(set(few.origin)) == 4
        assert (few.truth & few.counted).any()
    with pytest.raises(DataError, match="none with landslide"):
        share_of(replace(patches, truth=np.zeros_like(truth)), 0.1, seed=0)


def test_trainings_of_a_kind_see_equally_many_patches_of_their_own_regions(data):
    plan = make_plan(ORDER, (Variant(name="full"),), few_repeats=2)
    sizes = {len(region.parts["train"]) for region in data.values()}
    assert len(sizes) == 2
    for planned in plan.trainings:
        seen = training_patches(planned, data, seed=5)
        assert len(seen.training) == max(sizes) * len(planned.regions)
        for part in (seen.distinct, seen.training, seen.validation):
            assert {o.region for o in part.origin} == set(planned.regions)
            assert {o.epoch for o in part.origin} == {"event"}
    few = {
        (kind, k): training_patches(plan.of(kind, 1)[k], data, seed=5)
        for kind in ("few_transfer", "few_scratch") for k in (0, 1)
    }  # fmt: skip
    for k in (0, 1):
        one, other = few["few_transfer", k], few["few_scratch", k]
        assert one.distinct.origin == other.distinct.origin
        assert one.training.origin == other.training.origin
        assert one.validation.origin == other.validation.origin
    assert few["few_scratch", 0].distinct.origin != few["few_scratch", 1].distinct.origin


def test_the_digest_knows_values_truth_and_roles(data):
    before = data_digest(data)
    region = data["a"]
    image = region.patches.image.copy()
    image[0, 0, 0, 0] += 1
    truth = region.patches.truth.copy()
    truth[0, 0, 0] ^= True
    role = region.role.copy()
    role[0] = (role[0] + 1) % 4
    changes = (
        replace(region, patches=replace(region.patches, image=image)),
        replace(region, patches=replace(region.patches, truth=truth)),
        replace(region, role=role),
    )
    digests = {data_digest({**data, "a": changed}) for changed in changes}
    assert len(digests | {before}) == 4
    assert data_digest(dict(data)) == before


@pytest.mark.parametrize(
    ("order", "events", "message"),
    [
        (("a", "c"), {}, "'c'"),
        (ORDER, {"a": "never"}, "never"),
    ],
)
def test_what_is_not_there_is_named(order, events, message):
    patches = patch_set()
    split = split_by_block(patches, block_px=16, buffer_px=0, seed=3)
    with pytest.raises(DataError, match=message):
        region_patches(patches, split, order, event_epochs=events, block_px=16)


def test_a_part_without_landslide_is_refused():
    patches = patch_set()
    split = split_by_block(patches, block_px=16, buffer_px=0, seed=3)
    empty = replace(patches, truth=np.zeros_like(patches.truth))
    with pytest.raises(DataError, match="none with landslide"):
        region_patches(empty, split, ORDER, event_epochs={}, block_px=16)


def test_blocks_follow_the_ground_where_scenes_have_grids_of_their_own():
    patches = patch_set(("a",))

    def grid(east_m):
        return Grid(crs="EPSG:32645", transform=Affine(5, 0, east_m, 0, -5, 0), shape=(SIDE, SIDE))

    split = split_by_block(patches, block_px=16, buffer_px=0, seed=3)
    one = region_patches(patches, split, ("a",), event_epochs={}, block_px=16)["a"]
    # The later scene begins one block further east: its first columns are the event's second block.
    grids = {"a-event": grid(0.0), "a-later": grid(80.0)}
    moved = region_patches(
        patches, split, ("a",), event_epochs={}, block_px=16, grids=grids
    )["a"]  # fmt: skip

    def at(region, epoch, column):
        return region.block[
            PatchOrigin(scene=f"a-{epoch}", region="a", epoch=epoch, row=0, column=column)
        ]

    assert at(one, "event", 0) == at(one, "later", 0)
    assert at(moved, "event", 16) == at(moved, "later", 0) != at(moved, "event", 0)
