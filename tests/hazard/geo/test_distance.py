"""The distance transform against scipy's and against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import distance_transform_edt

from hazard.geo.distance import distance_to_marked_m

marks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))
sizes = st.sampled_from([(1.0, 1.0), (30.0, 30.0), (30.0, 20.0), (3.0, 11.0), (28.555, 30.9)])


@given(marks, sizes)
def test_every_distance_is_the_smallest_of_all(marked, cell_size):
    found = distance_to_marked_m(marked, cell_size)
    rows, cols = np.nonzero(marked)
    if rows.size == 0:
        assert np.isinf(found).all()
        return
    r, c = np.indices(marked.shape)
    dy = (r[..., None] - rows) * cell_size[1]
    dx = (c[..., None] - cols) * cell_size[0]
    assert np.allclose(found, np.sqrt(dx * dx + dy * dy).min(-1), rtol=1e-6, atol=0)


@pytest.mark.parametrize("cell_size", [(30.0, 30.0), (30.005, 28.3)])
@pytest.mark.parametrize("share", [1e-5, 0.003, 0.5])
def test_it_agrees_with_scipy_on_a_large_raster(cell_size, share):
    marked = np.random.default_rng(2).random((500, 701)) < share
    marked[123, 456] = True
    expected = distance_transform_edt(~marked, sampling=cell_size[::-1])
    found = distance_to_marked_m(marked, cell_size)
    assert np.allclose(found, expected, rtol=1e-6, atol=0)
    assert np.array_equal(found, distance_to_marked_m(marked, cell_size, threads=1))
