"""Moving pixels: exact copies, areas, registration, what is not seen, slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from detection.augmentation.config import AugmentationConfig, Change
from detection.augmentation.draws import draw_numbers, forward_matrix, switches
from detection.augmentation.hook import move_sample
from detection.augmentation.warp import places

SIZE = 48


def both(values, matrix, *, quirks=False):
    """A moved sample and where its pixels come from, worked out by one program."""
    moved = move_sample(values, matrix, interpolate_mask=quirks, count_filled=quirks)
    return moved, places(matrix, (SIZE, SIZE))


BOTH = jax.jit(both, static_argnames="quirks")
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE].astype(np.float32)


def matrix_of(*, angle_deg=0.0, scale=1.0, shear=0.0, mirror=False):
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    lean = np.array([[1.0, np.tan(np.deg2rad(shear))], [0.0, 1.0]])
    flip = np.diag([-1.0 if mirror else 1.0, 1.0])
    return jnp.asarray(turn @ lean @ flip * scale, jnp.float32)


def sample(seed=0, unseen=0.05):
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE, 3)), (2, 2, 0)).astype(np.float32)
    valid = rng.random((SIZE, SIZE)) >= unseen
    mask = (ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE)), 3) > 0.05).astype(np.float32)
    return {
        "image": np.where(valid[..., None], image, np.nan).astype(np.float32),
        "valid": valid,
        "pre": image + 1,
        "pre_valid": np.ones((SIZE, SIZE), bool),
        "elevation_m": (1000 + 3 * COLUMNS + 40 * np.sin(ROWS / 9)).astype(np.float32),
        "mask": mask,
        "weight": valid.astype(np.float32),
    }


def moved_by(values, matrix, *, quirks=False):
    moved, at = BOTH(values, matrix, quirks=quirks)
    return {k: np.asarray(v) for k, v in moved.items()}, type(at)(*map(np.asarray, at))


def move(values, matrix):
    return moved_by(values, matrix)[0]


MATRICES = st.builds(
    matrix_of,
    angle_deg=st.floats(-180, 180),
    scale=st.floats(0.7, 1.4),
    shear=st.floats(-20, 20),
    mirror=st.booleans(),
)


def test_the_identity_changes_no_bit_of_what_was_seen():
    given = sample()
    moved = move(given, jnp.eye(2))
    for name in ("valid", "pre", "pre_valid", "elevation_m", "mask", "weight"):
        np.testing.assert_array_equal(moved[name], given[name])
        assert moved[name].dtype == given[name].dtype
    seen = given["valid"]
    np.testing.assert_array_equal(moved["image"][seen], given["image"][seen])
    # What was not seen was NaN, and neither stays nor spreads.
    np.testing.assert_array_equal(moved["image"][~seen], 0)


@pytest.mark.parametrize(
    ("matrix", "exactly"),
    [
        ([[-1, 0], [0, 1]], lambda a: a[:, ::-1]),
        ([[1, 0], [0, -1]], lambda a: a[::-1]),
        ([[0, 1], [-1, 0]], lambda a: np.rot90(a)),
        ([[0, -1], [1, 0]], lambda a: np.rot90(a, -1)),
        ([[-1, 0], [0, -1]], lambda a: np.rot90(a, 2)),
    ],
)
def test_flips_and_quarter_turns_copy_pixels_exactly(matrix, exactly):
    given = sample()
    moved = move(given, jnp.asarray(matrix, jnp.float32))
    for name, value in given.items():
        wanted = np.nan_to_num(value) if name == "image" else value
        np.testing.assert_array_equal(moved[name], exactly(wanted), err_msg=name)


def test_rounding_errors_of_a_matrix_lose_no_edge():
    # Products of float32 leave such errors; places a hair behind the edge would be filled.
    given, error = sample(), 1e-6
    turned = move(given, jnp.asarray([[error, 1.0 - error], [-1.0 + error, error]]))
    for name, value in move(given, jnp.asarray([[0.0, 1.0], [-1.0, 0.0]])).items():
        np.testing.assert_allclose(turned[name], value, rtol=1e-5, err_msg=name)
    assert turned["weight"].sum() == given["weight"].sum()


@settings(max_examples=25)
@given(matrix=MATRICES)
def test_values_agree_with_scipy_and_masks_stay_binary(matrix):
    given = sample(unseen=0.0)
    moved, at = moved_by(given, matrix)
    where, inside = np.stack([at.row, at.column]), at.inside
    np.testing.assert_array_equal(moved["valid"], inside)
    for band in range(3):
        wanted = ndimage.map_coordinates(given["image"][..., band], where, order=1, mode="nearest")
        np.testing.assert_allclose(moved["image"][inside, band], wanted[inside], atol=2e-6)
    rows, columns = (np.clip(np.floor(w + 0.5).astype(int), 0, SIZE - 1) for w in where)
    np.testing.assert_array_equal(moved["mask"], np.where(inside, given["mask"][rows, columns], 0))
    assert set(np.unique(moved["mask"])) <= {0.0, 1.0}
    assert set(np.unique(moved["weight"])) <= {0.0, 1.0}
    np.testing.assert_array_equal(moved["weight"] > 0, inside)


@settings(max_examples=25)
@given(matrix=MATRICES)
def test_areas_grow_by_the_determinant(matrix):
    disc = np.hypot(ROWS - 23.5, COLUMNS - 23.5) < 11
    moved = move(sample(unseen=0.0) | {"mask": disc.astype(np.float32)}, matrix)
    grown = float(moved["mask"].sum()) / disc.sum()
    assert grown == pytest.approx(abs(np.linalg.det(np.asarray(matrix))), rel=0.05)


@settings(max_examples=25)
@given(matrix=MATRICES, seed=st.integers(0, 5))
def test_image_and_mask_stay_on_each_other(matrix, seed):
    given = sample(seed, unseen=0.02)
    given["image"] = np.where(
        given["valid"][..., None], np.repeat(given["mask"][..., None], 3, -1), np.nan
    )
    moved, at = moved_by(given, matrix)
    counted = moved["weight"] > 0
    assert counted.sum() > 200
    image, mask = moved["image"][counted, 0], moved["mask"][counted]
    # Halfway between two pixels both answers are right; anywhere else there is one.
    clear = np.abs(image - 0.5) > 0.26
    assert clear.mean() > 0.7
    np.testing.assert_array_equal(image[clear] > 0.5, mask[clear] > 0.5)
    np.testing.assert_array_equal(moved["pre_valid"], at.inside)


@settings(max_examples=25)
@given(matrix=MATRICES)
def test_a_pixel_is_valid_where_all_it_is_made_of_was_seen(matrix):
    given = sample(unseen=0.1)
    moved, at = moved_by(given, matrix)
    row, column = at.row, at.column
    wanted = at.inside.copy()
    for r, c in np.argwhere(wanted):
        rows = {int(np.floor(row[r, c])), int(np.ceil(row[r, c]))}
        columns = {int(np.floor(column[r, c])), int(np.ceil(column[r, c]))}
        wanted[r, c] = all(given["valid"][i, j] for i in rows for j in columns)
    np.testing.assert_array_equal(moved["valid"], wanted)
    assert np.isfinite(moved["image"]).all()
    np.testing.assert_array_equal(moved["image"][~wanted], 0)
    np.testing.assert_array_equal(moved["weight"][~wanted], 0)


@pytest.mark.parametrize("matrix", [matrix_of(angle_deg=33, scale=s) for s in (0.8, 1.0, 1.3)])
def test_turned_and_scaled_ground_is_as_steep_as_before(matrix):
    plane = (500 + 0.4 * COLUMNS - 0.3 * ROWS).astype(np.float32)
    moved = move(sample(unseen=0.0) | {"elevation_m": plane}, matrix)
    down, right = np.gradient(moved["elevation_m"])
    steepness = np.hypot(down, right)[ndimage.binary_erosion(moved["valid"])]
    np.testing.assert_allclose(steepness, 0.5, atol=2e-3)
    assert moved["elevation_m"].mean() == pytest.approx(plane.mean(), abs=0.5)


def test_published_quirks_are_options():
    given, matrix = sample(unseen=0.0), matrix_of(angle_deg=30)
    moved, at = moved_by(given, matrix, quirks=True)
    assert ((moved["mask"] > 0) & (moved["mask"] < 1)).sum() > 50
    np.testing.assert_array_equal(moved["weight"], 1)
    np.testing.assert_array_equal(moved["image"][~at.inside], 0)
    assert moved["valid"].all()


def test_one_matrix_holds_all_changes_in_their_order():
    config = AugmentationConfig(
        vertical_flip=1.0,
        horizontal_flip=0.5,
        quarter_turn=1.0,
        rotation_deg=Change(low=-40, high=40),
        shear_x_deg=Change(low=-20, high=20),
        shear_y_deg=Change(low=-10, high=10),
        scale=Change(low=0.5, high=2.0),
    )

    @jax.jit
    def draw(key):
        numbers = draw_numbers(key)
        return forward_matrix(config, numbers, switches(config, numbers))

    matrices = np.asarray(jax.vmap(draw)(jax.random.split(jax.random.key(1), 400)))
    areas = np.linalg.det(matrices)
    # A shear and a turn keep areas; the scale squares, evenly about 1 in its logarithm.
    assert np.abs(areas).min() > 0.24
    assert np.abs(areas).max() < 4.01
    assert abs(np.log(np.abs(areas)).mean()) < 3 * np.log(4) / np.sqrt(3 * 400)
    mirrored = (areas < 0).mean()  # a vertical flip without a horizontal one
    assert abs(mirrored - 0.5) < 3 * 0.5 / np.sqrt(400)
    # A change that is off takes no draws from the others.
    fewer = AugmentationConfig(scale=config.scale)
    numbers = draw_numbers(jax.random.key(7))
    both = (forward_matrix(c, numbers, switches(c, numbers)) for c in (config, fewer))
    one, other = (abs(np.linalg.det(np.asarray(matrix))) for matrix in both)
    assert one == pytest.approx(other, rel=1e-5)
