import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from detection.patches.adjoining import adjoining_patches
from detection.patches.audit import audit, leaks, refuse_leaks
from detection.patches.cut import cut_patches, join_sets
from detection.patches.duplicates import (
    content_hashes,
    linked_groups,
    near_duplicates,
    signatures,
    turned_hashes,
)
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.patches.split_record import Split
from detection.patches.splits import split_at_random, split_by_block, split_by_epoch
from hazard.errors import DataError
from tests.detection.patches.made_scenes import made_scene


def terrain(n, *, size=48, bands=3, seed=0, steepness=1.5):
    """Images with the spectrum of a landscape: much at large scales, little at small ones."""
    rng = np.random.default_rng(seed)
    f, g = np.fft.rfftfreq(size)[None], np.fft.fftfreq(size)[:, None]
    k = np.hypot(f, g)
    k[0, 0] = np.inf
    noise = np.fft.rfft2(rng.normal(size=(n, bands + 1, size, size)))
    layers = np.fft.irfft2(noise * k**-steepness, s=(size, size))
    layers /= layers.std(axis=(2, 3), keepdims=True)
    image = 0.3 + 0.05 * layers[:, :1] + 0.02 * layers[:, 1:]
    return np.moveaxis(image, 1, -1).astype(np.float32)


def ready(image, *, valid=None):
    """Patches that came cut, each in a place of its own."""
    seen = np.ones(image.shape[:3], bool)
    return PatchSet(
        bands=tuple("abcdefgh"[: image.shape[-1]]),
        unit="1",
        pixel_m=None,
        image=image,
        valid=seen if valid is None else valid,
        truth=~seen,
        known=seen,
        origin=tuple(
            PatchOrigin(scene=f"{i}", region=f"{i}", epoch="1", row=0, column=0)
            for i in range(len(image))
        ),
    )


def blurred(image, sigma):
    return ndimage.gaussian_filter(image, (sigma, sigma, 0))


COPIES = {
    "same": lambda x: x,
    "turned": lambda x: np.rot90(x, 3),
    "mirrored": lambda x: x[:, ::-1],
    "brighter": lambda x: x * 1.3 + 0.05,
    "another light in every band": lambda x: np.rot90(x) * [1.2, 0.8, 1.0] + [0.1, 0.0, -0.1],
    "blurred": lambda x: blurred(x, 1.5),
    "sharpened": lambda x: x[::-1] + (x - blurred(x, 1.0)),
    "noisy": lambda x: x + np.random.default_rng(5).normal(0, 0.01, x.shape),
    "in fewer bits": lambda x: np.round(x * 64) / 64,
}


def split(role, **changes):
    settings = {"name": "made", "unit": "patch", "role": np.asarray(role), **changes}
    return Split(**settings)


@pytest.mark.parametrize("steepness", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("change", COPIES)
def test_a_planted_copy_is_found_and_nothing_else(change, steepness):
    image = terrain(60, steepness=steepness)
    image[41] = COPIES[change](image[7])
    found = near_duplicates(ready(image))
    assert [(pair.first, pair.second) for pair in found] == [(7, 41)]


def test_a_copy_with_clouds_is_found():
    image = terrain(30)
    image[11] = image[10][::-1] * 1.1
    valid = np.ones(image.shape[:3], bool)
    valid[11, :9, :9] = False
    image[~valid] = 0
    found = near_duplicates(ready(image, valid=valid), least=0.5)
    assert [(pair.first, pair.second) for pair in found] == [(10, 11)]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("same", "identical patches"),
        ("turned", "turned or mirrored copies"),
        ("mirrored", "turned or mirrored copies"),
        ("brighter", "near copies"),
        ("blurred", "near copies"),
    ],
)
def test_copies_across_roles_are_leaks_of_their_kind(change, kind):
    image = terrain(20)
    image[15] = COPIES[change](image[2])
    patches = ready(image)
    role = np.repeat([1, 2, 3], [10, 4, 6])
    (finding,) = audit(patches, split(role))
    assert (finding.kind, finding.roles, finding.count) == (kind, ("train", "test"), 1)
    assert finding.severity == "leak"
    assert "2 row 0" in finding.example
    # Within a role, and among unused patches, a copy is nobody's business.
    role[15] = 1
    assert audit(patches, split(role)) == ()
    role[15] = 0
    assert audit(patches, split(role)) == ()


def test_copies_of_training_in_validation_are_leaks_too():
    # The published validation: the last tenth of a list that ends with sharpened copies.
    original = terrain(18)
    copies = np.stack([x + (x - blurred(x, 1.0)) for x in original])
    patches = ready(np.concatenate([original, copies]))
    role = np.ones(36, int)
    role[-4:] = 2
    (finding,) = audit(patches, split(role))
    assert (finding.kind, finding.roles, finding.count) == (
        "near copies", ("train", "validation"), 4
    )  # fmt: skip


def test_the_cheap_look_misses_nothing_that_the_second_one_passes():
    image = terrain(40, steepness=2.0)
    for place in range(20):
        image[20 + place] = COPIES[list(COPIES)[place % len(COPIES)]](image[place])
    marks = signatures(ready(image))
    from detection.patches.duplicates import _best_turns

    i, j = (a.ravel() for a in np.meshgrid(np.arange(40), np.arange(40)))
    best = _best_turns(marks.coarse, i, j)
    assert (np.einsum("pn,pn->p", marks.sorted[i], marks.sorted[j]) >= best - 1e-5).all()


def test_few_of_thousands_of_pairs_are_compared_in_detail():
    marks = signatures(ready(terrain(300)))
    share = (marks.sorted @ marks.sorted.T >= 0.95).sum() - 300
    assert share < 0.001 * 300**2


def test_patches_without_structure_are_counted_not_compared():
    image = np.concatenate([terrain(4), np.full((3, 48, 48, 3), 0.2, np.float32)])
    image[5] = 0.3
    (finding,) = audit(ready(image), split([1, 1, 1, 1, 1, 3, 3]))[-1:]
    assert finding.kind == "patches without structure, not compared"
    assert finding.count == 2
    assert finding.severity == "expected"


def test_hashes_tell_content_and_ignore_what_was_not_seen():
    image = terrain(3)
    valid = np.ones(image.shape[:3], bool)
    valid[:2, 0] = False
    image[1] = image[0]
    image[1, 0] = 77
    patches = ready(image, valid=valid)
    one, two, three = content_hashes(patches)
    assert one == two != three
    assert len(set(turned_hashes(patches))) == 2


def test_linked_groups_hold_copies_together():
    image = terrain(30)
    image[20] = np.rot90(image[3])
    image[21] = image[20] * 1.2
    image[9] = image[8]
    group = linked_groups(ready(image))
    assert group[3] == group[20] == group[21]
    assert group[8] == group[9]
    assert len(set(group)) == 27


@pytest.fixture(scope="module")
def overlapping():
    scenes = [
        made_scene(200, 200, name=f"{region}-{epoch}", region=region, epoch=epoch, seed=seed)
        for seed, (region, epoch) in enumerate([("a", "1"), ("a", "2"), ("b", "1")])
    ]
    return join_sets([cut_patches(scene, 20, 10) for scene in scenes])


def test_the_published_random_split_leaks_and_blocks_do_not(overlapping):
    random = audit(overlapping, split_at_random(overlapping))
    kinds = {(f.kind, f.roles) for f in leaks(random)}
    assert ("ground of the same epoch", ("train", "test")) in kinds
    with pytest.raises(DataError, match="expected roles that share nothing"):
        refuse_leaks(random)
    blocks = audit(overlapping, split_by_block(overlapping, block_px=50, buffer_px=10))
    assert blocks == ()
    refuse_leaks(blocks)


def test_shared_ground_is_counted_in_pixels(overlapping):
    patches = overlapping.select(np.arange(3))  # columns 0-20, 10-30, 20-40 of one row
    found = {f.kind: f for f in audit(patches, split([1, 3, 0]))}
    assert found["ground of the same epoch"].count == 10 * 20
    assert "adjoining patches" not in found
    found = {f.kind: f for f in audit(patches, split([1, 0, 3]))}
    assert list(found) == ["adjoining patches"]
    assert found["adjoining patches"].severity == "warning"
    promised = split([1, 0, 3], separates=frozenset({"place"}), buffer_px=4)
    (finding,) = audit(patches, promised)
    assert finding.kind == "patches closer than 4 px"
    assert finding.severity == "leak"


def test_a_patch_beyond_the_buffer_is_no_neighbour(overlapping):
    patches = overlapping.select([0, 3])  # columns 0-20 and 30-50: a gap of 10
    for buffer, n in ((10, 0), (11, 1)):
        promised = split([1, 3], separates=frozenset({"place"}), buffer_px=buffer)
        assert len(audit(patches, promised)) == n


def test_one_place_at_two_epochs_is_what_a_split_by_epoch_is_for(overlapping):
    patches = overlapping.select([i for i, o in enumerate(overlapping.origin) if o.region == "a"])
    findings = audit(patches, split_by_epoch(patches, train=["1"]))
    assert leaks(findings) == ()
    revisit = [f for f in findings if f.kind == "ground at other epochs"]
    assert revisit[0].count == 200 * 200
    assert revisit[0].severity == "expected"
    pretended = split_by_epoch(patches, train=["1"]).with_roles(
        split_by_epoch(patches, train=["1"]).role, separates=frozenset({"place"})
    )
    assert "ground at other epochs" in {f.kind for f in leaks(audit(patches, pretended))}


def test_an_unchanged_place_at_another_epoch_is_no_copy_of_another_place(overlapping):
    first = [i for i, o in enumerate(overlapping.origin) if o.scene == "a-1"]
    one = overlapping.select(first[:5])
    later = tuple(dataclasses.replace(o, epoch="2", scene="a-2") for o in one.origin)
    patches = join_sets([one, dataclasses.replace(one, origin=later)])
    found = audit(patches, split([1] * 5 + [3] * 5, separates=frozenset({"epoch"})))
    copies = {f.kind: f.severity for f in found if "identical" in f.kind}
    assert copies == {"identical patches of one place at two epochs": "expected"}


def side_by_side(n=3, *, size=128, seed=0):
    """Patches of two scenes of n x n, unplaced and in random order, with their true neighbours."""
    image, places = [], []
    for scene in range(2):
        # Larger than what is cut: such a terrain continues itself at its opposite edges.
        whole = terrain(1, size=n * size + 60, seed=seed + scene, steepness=1.5)[0]
        for row in range(n):
            for col in range(n):
                part = slice(row * size, (row + 1) * size), slice(col * size, (col + 1) * size)
                image.append(whole[part])
                places.append((scene, row, col))
    order = np.random.default_rng(seed).permutation(len(image))
    return ready(np.stack([image[i] for i in order])), [places[i] for i in order]


def test_neighbours_that_nobody_placed_are_found_by_their_edges():
    patches, places = side_by_side()
    found = {(p.first, p.second, p.side) for p in adjoining_patches(patches)}
    wanted = {
        (i, j, side)
        for i, (s, r, c) in enumerate(places)
        for j, other in enumerate(places)
        for side, step in (("right", (s, r, c + 1)), ("below", (s, r + 1, c)))
        if other == step
    }
    assert len(wanted) == 24
    assert found == wanted
    group = linked_groups(patches, adjoining=True)
    assert [group[i] == group[0] for i in range(18)] == [p[0] == places[0][0] for p in places]
    assert len(set(linked_groups(patches))) == 18


@pytest.mark.parametrize("steepness", [1.5, 2.5])
def test_strangers_do_not_adjoin_by_chance_however_smooth(steepness):
    image = terrain(80, size=160, steepness=steepness)[:, :128, :128]
    assert adjoining_patches(ready(image)) == ()


def test_edges_under_cloud_are_not_compared():
    patches, _ = side_by_side()
    nothing = dataclasses.replace(patches, valid=np.zeros_like(patches.valid))
    assert adjoining_patches(nothing) == ()


def test_unplaced_neighbours_across_roles_are_warned_of():
    patches, places = side_by_side()
    by_scene = np.array([1 if scene == 0 else 3 for scene, _, _ in places])
    assert audit(patches, split(by_scene)) == ()
    at_random = split_at_random(patches)
    warned = [f for f in audit(patches, at_random) if f.severity == "warning"]
    assert warned[0].kind == "patches whose edges continue each other"
