import jax
import jax.numpy as jnp
import numpy as np
import pytest

from detection.scenes.indices import INDICES, spectral_index, with_indices
from hazard.errors import DataError

BANDS = ("blue", "green", "red", "red_edge", "nir", "swir1", "swir2")


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(3).uniform(0.01, 0.6, (5, 4, len(BANDS))).astype(np.float32)


@pytest.mark.parametrize("name", [n for n in INDICES if n != "brightness"])
def test_normalised_differences_follow_their_formula(name, image):
    a, b = (image[..., BANDS.index(band)].astype(np.float64) for band in INDICES[name].bands)
    np.testing.assert_allclose(
        spectral_index(name, jnp.asarray(image), BANDS), (a - b) / (a + b), atol=2e-6
    )


def test_ndvi_goes_by_the_names_of_the_bands_whatever_their_order(image):
    order = np.random.default_rng(0).permutation(len(BANDS))
    names = tuple(BANDS[i] for i in order)
    np.testing.assert_array_equal(
        spectral_index("ndvi", jnp.asarray(image), BANDS),
        spectral_index("ndvi", jnp.asarray(image[..., order]), names),
    )


def test_a_gain_common_to_all_bands_cancels_and_an_offset_does_not(image):
    plain = spectral_index("ndvi", jnp.asarray(image), BANDS)
    np.testing.assert_allclose(
        spectral_index("ndvi", jnp.asarray(image * 7), BANDS), plain, atol=1e-6
    )
    assert np.abs(spectral_index("ndvi", jnp.asarray(image + 0.1), BANDS) - plain).max() > 0.05


def test_dark_and_negative_pixels_give_finite_numbers_within_bounds():
    rows = jnp.array([[0.0, 0.0], [-0.2, 0.1], [0.2, -0.1], [-0.1, -0.1]])
    found = np.asarray(spectral_index("ndvi", rows, ("red", "nir")))
    np.testing.assert_array_equal(found, [0, 0, -1, 0])


def test_gradients_are_finite_where_the_sum_is_zero():
    slope = jax.grad(lambda v: spectral_index("ndvi", v, ("red", "nir")).sum())(jnp.zeros((1, 2)))
    assert np.isfinite(np.asarray(slope)).all()


def test_indices_follow_the_bands(image):
    wide = with_indices(jnp.asarray(image), BANDS, ("ndvi", "brightness"))
    np.testing.assert_array_equal(wide[..., : len(BANDS)], image)
    np.testing.assert_allclose(wide[..., -1], image[..., :3].mean(-1), rtol=1e-5)


def test_a_missing_band_and_an_unknown_index_are_told():
    with pytest.raises(DataError, match="found bands blue, green, red; expected nir"):
        spectral_index("ndvi", jnp.zeros((2, 3)), ("blue", "green", "red"))
    with pytest.raises(DataError, match="expected one of ndvi"):
        spectral_index("nvdi", jnp.zeros((2, 3)), ("blue", "green", "red"))
