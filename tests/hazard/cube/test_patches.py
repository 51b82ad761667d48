"""Patches: every cell once per lattice, every pixel in its own cell, nothing rotated."""

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from hazard.cube.patches import (
    PADDING,
    assemble,
    cell_pixels,
    cells_of_patch_pixels,
    choose_anchor,
    cut_cells,
    cut_pixels,
    patch_index,
    patch_pixels_of_cells,
)


@st.composite
def masks(draw):
    rows, cols = draw(st.integers(1, 13)), draw(st.integers(1, 13))
    seed, share = draw(st.integers(0, 2**31)), draw(st.sampled_from([0.1, 0.5, 0.9, 1.0]))
    mask = np.random.default_rng(seed).random((rows, cols)) < share
    mask[draw(st.integers(0, rows - 1)), draw(st.integers(0, cols - 1))] = True
    return mask


@st.composite
def lattices(draw):
    mask = draw(masks())
    n = draw(st.integers(1, 6))
    anchor = draw(st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(0, 9))))
    return mask, patch_index(mask, n=n, shift=draw(st.integers(0, n - 1)), anchor=anchor)


@given(lattices())
@settings(deadline=None)
def test_every_mapped_cell_lies_in_one_patch_of_each_lattice(case):
    mask, index = case
    for number in range(len(index.anchors)):
        cells = index.cell[index.lattice == number]
        cells = cells[cells != PADDING]
        assert np.array_equal(np.sort(cells), np.flatnonzero(mask))
    assert index.present.any(axis=(1, 2)).all()


@given(lattices())
@settings(deadline=None)
def test_a_cell_stands_at_its_own_row_and_column_of_the_patch(case):
    _, index = case
    patch, down, east = np.nonzero(index.present)
    row, col = np.divmod(index.cell[index.present], index.shape[1])
    assert np.array_equal(row, index.row0[patch] + down)
    assert np.array_equal(col, index.col0[patch] + east)


@given(lattices())
@settings(deadline=None)
def test_corners_lie_on_the_lattice_and_the_second_is_shifted(case):
    _, index = case
    for number, anchor in enumerate(index.anchors):
        of = index.lattice == number
        assert (index.row0[of] % index.n == anchor[0]).all()
        assert (index.col0[of] % index.n == anchor[1]).all()
    if len(index.anchors) == 2:
        gap = np.subtract(index.anchors[1], index.anchors[0]) % index.n
        assert gap[0] == gap[1] > 0


@given(lattices(), st.sampled_from(["mean", "first_lattice"]), st.integers(0, 2))
@settings(deadline=None)
def test_cut_then_assemble_is_the_identity_on_mapped_cells(case, how, leading):
    mask, index = case
    shape = (2, 3)[:leading]
    values = np.random.default_rng(0).normal(size=(*shape, *mask.shape)).astype(np.float32)
    back = assemble(cut_cells(values, index, fill=7.0), index, how=how)
    assert back.dtype == np.float32
    assert np.array_equal(back[..., mask], values[..., mask])
    assert np.isnan(back[..., ~mask]).all()


@given(lattices(), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None)
def test_pixels_of_a_cell_are_its_own_and_keep_their_order(case, factor, bands):
    mask, index = case
    rows, cols = mask.shape
    cell_of_pixel = np.kron(np.arange(mask.size).reshape(mask.shape), np.ones((factor, factor)))
    place = np.arange(mask.size * factor**2).reshape(rows * factor, cols * factor)
    layers = np.stack([cell_of_pixel.astype(int), place, *[place * -1] * (bands - 1)])
    patches = cut_pixels(layers, index, factor, fill=PADDING)
    side = index.n * factor
    assert patches.shape == (len(index), side, side, bands + 1)
    cells = cells_of_patch_pixels(patches, index.n)
    expected = np.broadcast_to(index.cell.reshape(-1, 1, 1), cells.shape[:3])
    assert np.array_equal(cells[..., 0], expected)
    # Against plain slicing, one cell at a time.
    for number, cell in enumerate(index.cell.reshape(-1)):
        if cell != PADDING:
            row, col = divmod(int(cell), cols)
            window = place[row * factor : (row + 1) * factor, col * factor : (col + 1) * factor]
            assert np.array_equal(cells[number, :, :, 1], window)
    assert np.array_equal(patch_pixels_of_cells(cells, index.n), patches)


@given(lattices(), st.integers(1, 4))
@settings(deadline=None)
def test_a_patch_of_pixels_is_the_window_of_the_raster(case, factor):
    mask, index = case
    n = index.n
    layer = np.random.default_rng(1).random((mask.shape[0] * factor, mask.shape[1] * factor))
    padded = np.pad(layer, n * factor)
    inside = np.pad(np.kron(mask, np.ones((factor, factor), bool)).astype(bool), n * factor)
    patches = cut_pixels(layer, index, factor)
    for number in range(len(index)):
        top = (index.row0[number] + n) * factor
        left = (index.col0[number] + n) * factor
        window = np.s_[top : top + n * factor, left : left + n * factor]
        expected = np.where(inside[window], padded[window], 0.0)
        assert np.array_equal(patches[number, :, :, 0], expected)


def test_the_straight_reshape_of_the_published_code_mixes_cells():
    n, f = 4, 8
    index = patch_index(np.ones((n, n), bool), n=n, shift=0)
    cell_of_pixel = np.kron(np.arange(n * n).reshape(n, n), np.ones((f, f)))
    patches = cut_pixels(cell_of_pixel, index, f)
    naive = patches.reshape(-1, f, f, 1)
    ours = cells_of_patch_pixels(patches, n)
    cells_in = [len(np.unique(cell)) for cell in naive]
    assert min(cells_in) == n, "a strip crosses all cells of a row"
    assert all(len(np.unique(cell)) == 1 for cell in ours)
    assert not np.array_equal(naive, ours)


@given(masks(), st.integers(1, 5))
@settings(deadline=None)
def test_the_anchor_leaves_the_most_complete_patches(mask, n):
    def complete(anchor):
        return patch_index(mask, n=n, shift=0, anchor=anchor).counts()[0].full

    best = complete(choose_anchor(mask, n))
    assert best == max(complete((row, col)) for row in range(n) for col in range(n))


def test_an_anchor_beyond_the_patch_is_the_same_lattice():
    mask = np.ones((9, 7), bool)
    one, other = (patch_index(mask, n=4, anchor=a) for a in [(1, 3), (-3, 11)])
    assert one.anchors == other.anchors == ((1, 3), (3, 1))
    assert np.array_equal(one.cell, other.cell)


def test_predictions_of_both_lattices_are_averaged_per_cell():
    index = patch_index(np.ones((4, 4), bool), n=2, shift=1)
    values = np.where(index.lattice == 0, 1.0, 3.0)[:, None, None] * np.ones(index.cell.shape)
    assert (assemble(values, index) == 2.0).all()
    assert (assemble(values, index, how="first_lattice") == 1.0).all()


def test_what_a_network_says_about_padding_never_reaches_the_map():
    mask = np.ones((3, 5), bool)
    mask[1, 1] = False
    index = patch_index(mask, n=4, shift=2)
    values = np.where(index.present, 1.0, np.nan)
    back = assemble(values, index, fill=-1.0)
    assert (back[mask] == 1.0).all()
    assert (back[~mask] == -1.0).all()


def test_a_part_of_the_patches_fills_its_own_cells_only():
    index = patch_index(np.ones((4, 8), bool), n=4, shift=0)
    back = assemble(np.ones((1, 4, 4)), index.take(np.array([1])))
    assert np.isnan(back[:, :4]).all()
    assert (back[:, 4:] == 1).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m, i: patch_index(m, n=0), "at least 1"),
        (lambda m, i: patch_index(m, n=2, shift=2), "shift"),
        (lambda m, i: patch_index(m.astype(int)), "bool"),
        (lambda m, i: patch_index(~m), "no cell"),
        (lambda m, i: cut_cells(np.zeros((4, 5)), i), "use"),
        (lambda m, i: cut_pixels(np.zeros((8, 9)), i, 2), "per cell"),
        (lambda m, i: cell_pixels(np.zeros((1, 8, 8)), (4, 4), 3), "per cell"),
        (lambda m, i: cells_of_patch_pixels(np.zeros((1, 6, 6, 1)), 4), "n = 4"),
        (lambda m, i: patch_pixels_of_cells(np.zeros((5, 2, 2, 1)), 2), "use"),
        (lambda m, i: assemble(np.zeros((1, 4, 4), int), i), "floating"),
        (lambda m, i: assemble(np.zeros((2, 4, 4)), i), "shape"),
        (lambda m, i: assemble(np.zeros((1, 4, 4)), i, how="median"), "median"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(call, text):
    mask = np.ones((4, 4), bool)
    with pytest.raises(ValueError, match=text):
        call(mask, patch_index(mask, n=4, shift=0))


@pytest.fixture(scope="module")
def gorkha_density(data_dir):
    with rasterio.open(data_dir / "gorkha" / "landslide_area_density_1km.tif") as raster:
        return raster.read()


@pytest.mark.data
def test_gorkha_has_the_published_number_of_patches(gorkha_density):
    mask = ~np.isnan(gorkha_density).any(axis=0)
    assert mask.sum() == 21_360
    assert choose_anchor(mask, 4) == (0, 0)
    first, second = patch_index(mask).counts()
    assert (first.full, first.partial) == (1_335, 0)
    # 302 partial patches lie on the grid; 18 more reach over its edge and are kept as well.
    assert (second.full, second.partial_inside_grid, second.partial_over_edge) == (1_181, 302, 18)


def seam_correlations(layer, mask, n=4):
    """Correlation of neighbours (east-west, north-south): across seams, and inside blocks."""
    across, inside = [], []
    for axis in (1, 0):
        values, valid = np.moveaxis(layer, axis, 0), np.moveaxis(mask, axis, 0)
        both = valid[:-1] & valid[1:]
        at_seam = (np.arange(1, values.shape[0]) % n == 0)[:, None]
        for found, pairs in ((across, both & at_seam), (inside, both & ~at_seam)):
            found.append(float(np.corrcoef(values[:-1][pairs], values[1:][pairs])[0, 1]))
    return np.array(across), np.array(inside)


@pytest.mark.data
def test_assembled_gorkha_blocks_fit_at_their_seams_and_rotated_ones_do_not(gorkha_density):
    mask = ~np.isnan(gorkha_density).any(axis=0)
    index = patch_index(mask, shift=0)
    patches = cut_cells(gorkha_density, index)
    back = assemble(patches, index)
    assert np.array_equal(back, gorkha_density, equal_nan=True)
    across, inside = seam_correlations(back[0], mask)
    rotated = assemble(np.rot90(patches, axes=(2, 3)), index)
    across_rotated, inside_rotated = seam_correlations(rotated[0], mask)
    assert (across > inside).all(), "neighbours across a seam are as alike as any"
    assert across.round(2).tolist() == [0.59, 0.52]
    assert inside.round(2).tolist() == [0.49, 0.46]
    assert (across_rotated < 0.6 * inside_rotated).all(), "rotation breaks the seams only"
    assert across_rotated.round(2).tolist() == [0.13, 0.15]
