"""Blur, sharpening, gain, offset and noise: known answers, and nothing from unseen pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from detection.augmentation.config import AugmentationConfig, Change
from detection.augmentation.draws import draw_numbers
from detection.augmentation.radiometry import band_spread, blur, change_radiometry, sharpen

SIZE, BANDS = 40, 2
RNG = np.random.default_rng(3)
IMAGE = RNG.normal(0.3, 0.1, (SIZE, SIZE, BANDS)).astype(np.float32)
VALID = ndimage.gaussian_filter(RNG.normal(size=(SIZE, SIZE)), 3) < 0.08
EVERYWHERE = np.ones((SIZE, SIZE), bool)
BLUR = jax.jit(blur, static_argnums=3)


def changed(config, valid=VALID, image=IMAGE, key=0):
    numbers, random = draw_numbers(jax.random.key(key), BANDS), jax.random.key(key + 1)
    on = {name: jnp.asarray(True) for name in config.shares}
    return np.asarray(change_radiometry(config, numbers, random, on, image, jnp.asarray(valid)))


def test_blur_is_a_normalised_convolution():
    assert 0.2 < VALID.mean() < 0.95
    sigma = 1.7
    got = np.asarray(BLUR(IMAGE, VALID, jnp.asarray(sigma), 6))
    above, below = (
        ndimage.gaussian_filter(
            np.asarray(a, np.float64), (sigma, sigma, 0), mode="constant", radius=(6, 6, 0)
        )
        for a in (np.where(VALID[..., None], IMAGE, 0), np.repeat(VALID[..., None], BANDS, -1))
    )
    np.testing.assert_allclose(got[VALID], above[VALID] / below[VALID], rtol=1e-4)
    np.testing.assert_array_equal(got[~VALID], IMAGE[~VALID])


def test_a_blur_of_width_zero_changes_no_bit():
    np.testing.assert_array_equal(np.asarray(BLUR(IMAGE, VALID, jnp.asarray(0.0), 6)), IMAGE)


def test_sharpening_is_the_published_kernel():
    alpha, light = 0.4, 1.6
    kernel = np.full((3, 3), -1.0)
    kernel[1, 1] = 8 + light
    kernel = alpha * kernel
    kernel[1, 1] += 1 - alpha
    wanted = ndimage.convolve(IMAGE[..., 0].astype(np.float64), kernel)[1:-1, 1:-1]
    got = np.asarray(sharpen(IMAGE, jnp.asarray(EVERYWHERE), alpha, light))
    np.testing.assert_allclose(got[1:-1, 1:-1, 0], wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["blur_px", "sharpen", "gain", "offset", "noise"])
def test_unseen_pixels_say_nothing(name):
    config = AugmentationConfig(**{name: Change(low=0.5, high=0.9)})
    one = np.where(VALID[..., None], IMAGE, np.float32(np.nan))
    other = np.where(VALID[..., None], IMAGE, np.float32(1e9))
    first, second = changed(config, image=one), changed(config, image=other)
    np.testing.assert_array_equal(first[VALID], second[VALID])
    assert np.isfinite(first[VALID]).all()
    assert not np.array_equal(first[VALID], IMAGE[VALID])
    np.testing.assert_array_equal(second[~VALID], np.float32(1e9))


def test_gain_and_offset_differ_between_bands_and_noise_has_the_size_asked_for():
    gains = changed(AugmentationConfig(gain=Change(low=0.5, high=2.0)))[VALID] / IMAGE[VALID]
    assert np.ptp(gains, axis=0).max() < 1e-5
    assert abs(gains[0, 0] - gains[0, 1]) > 0.01

    spread = np.asarray(band_spread(IMAGE, jnp.asarray(VALID)))
    np.testing.assert_allclose(spread, IMAGE[VALID].std(axis=0), rtol=1e-5)
    moved = changed(AugmentationConfig(offset=Change(low=1.0, high=1.0)))[VALID] - IMAGE[VALID]
    np.testing.assert_allclose(moved, np.broadcast_to(spread, moved.shape), rtol=1e-4)

    noise = changed(AugmentationConfig(noise=Change(low=0.3, high=0.3)))[VALID] - IMAGE[VALID]
    n = len(noise)
    np.testing.assert_allclose(noise.std(axis=0), 0.3 * spread, rtol=4 / np.sqrt(2 * n))
    assert np.abs(noise.mean(axis=0) / (0.3 * spread)).max() < 4 / np.sqrt(n)
