import jax
import jax.numpy as jnp
import numpy as np
import pytest

from detection.scenes.topography import gradient, slope_deg
from detection.scenes.topography import hillshade as hillshade_eagerly
from detection.scenes.topography import topography as topography_eagerly
from hazard.errors import DataError
from hazard.geo.terrain import derivatives

hillshade = jax.jit(hillshade_eagerly, static_argnums=1)
topography = jax.jit(topography_eagerly, static_argnums=(1, 2))


@pytest.fixture(scope="module")
def hills():
    y, x = np.mgrid[:20, :24] * 0.4
    return (300 * np.sin(x) + 200 * np.cos(1.3 * y) + 20 * x * y).astype(np.float32)


def test_slope_agrees_with_the_rasters_own_also_around_voids(hills):
    known = np.random.default_rng(1).random(hills.shape) > 0.2
    other = derivatives(np.where(known, hills, np.nan), known, (12.0, 15.0))
    layers, seen = topography(jnp.asarray(hills), (12.0, 15.0), ("slope",), jnp.asarray(known))
    np.testing.assert_array_equal(seen, other.valid)
    np.testing.assert_allclose(layers[..., 0][seen], other.slope_deg[other.valid], atol=2e-3)


def test_nan_counts_as_not_known(hills):
    known = np.random.default_rng(1).random(hills.shape) > 0.2
    by_nan = topography(jnp.asarray(np.where(known, hills, np.nan)), 10.0, ("slope",))
    by_mask = topography(jnp.asarray(hills), 10.0, ("slope",), jnp.asarray(known))
    for one, other in zip(by_nan, by_mask, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isnan(jax.jit(slope_deg)(jnp.full((3, 3), jnp.nan), 1.0)).all()


def test_hillshade_is_one_where_the_sun_stands_upright_and_dark_behind():
    # A plane that rises 45 degrees to the south-east looks straight at a sun in the north-west.
    y, x = np.mgrid[:6, :6].astype(np.float32)
    facing = (x + y) / np.sqrt(2) * 10
    np.testing.assert_allclose(hillshade(jnp.asarray(facing), 10.0), 1.0, atol=1e-5)
    np.testing.assert_allclose(hillshade(jnp.asarray(-facing), 10.0), 0.0, atol=1e-5)


def test_hillshade_of_turned_ground_is_not_the_turned_hillshade(hills):
    z = jnp.asarray(hills)
    turned = hillshade(jnp.rot90(z), 10.0)
    assert np.abs(np.asarray(turned - jnp.rot90(hillshade(z, 10.0)))).max() > 0.2
    # With the sun turned alike, it is: rot90 turns the ground counter-clockwise by 90 degrees.
    with_sun = hillshade(jnp.rot90(z), 10.0, azimuth_deg=315.0 - 90.0)
    np.testing.assert_allclose(with_sun, jnp.rot90(hillshade(z, 10.0)), atol=1e-5)


def test_batches_under_jit_and_vmap_give_what_single_patches_give(hills):
    batch = jnp.stack([jnp.asarray(hills), jnp.asarray(hills[::-1])])
    names = ("slope", "hillshade", "elevation")
    whole = topography(batch, 10.0, names)[0]
    mapped = jax.jit(jax.vmap(lambda z: topography(z, 10.0, names)[0]))(batch)
    alone = topography(batch[1], 10.0, names)[0]
    np.testing.assert_allclose(whole, mapped, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(whole[1], alone, rtol=1e-5, atol=1e-5)


def test_north_is_up():
    north_higher = jnp.asarray(np.mgrid[:4, :3][0][::-1].astype(np.float32))
    assert (np.asarray(gradient(north_higher, 1.0).north) == 1).all()
    assert (np.asarray(gradient(north_higher, 1.0).east) == 0).all()


def test_an_unknown_layer_is_told():
    with pytest.raises(DataError, match="expected one of slope, hillshade"):
        topography(jnp.zeros((3, 3)), 1.0, ("aspect",))
