"""The stated receptive field is the true one: nothing outside counts, and its edges do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from detection.models import adsms, bitemporal, unet
from detection.models.layers import max_pool
from detection.models.parameters import receptive_field
from detection.models.registry import MODELS
from detection.models.span import ReceptiveField, Span
from tests.detection.models.small_networks import SMALL, abstract, ready

LEAST = {
    "default": {"widths": (3, 4, 5), "blocks": (1, 1, 1), "kernel_sizes": (3, 3, 5)},
    "bitemporal_residual_unet": {},
    **{name: {"filters": 1} for name in MODELS if "filters" in SMALL[name]},
}


def window_sum(x, size=2, *, before=0):
    if isinstance(x, Span):
        return max_pool(x, size, before=before)
    pads = ((0, 0), (before, 0), (before, 0), (0, 0))
    dims, steps = (1, size, size, 1), (1, 2, 2, 1)
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, dims, steps, pads) / size**2


LONG = ("bitemporal_residual_unet", "attention_residual_unet", "residual_unet", "attention_unet")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in MODELS]
)
def test_derivatives_reach_as_far_as_stated_and_no_farther(name, monkeypatch):
    """Positive kernels and means for maxima: no path to a pixel of a window is lost."""
    for room in (unet, adsms, bitemporal):
        monkeypatch.setattr(room, "max_pool", window_sum)
    apply, variables, module = ready(name, positive=True, **dict(LEAST[name]))
    field, config = module.receptive_field(), module.config
    stride, halo = field.stride_px, field.halo_px
    wide = 2 * halo + stride
    # Small values, so that no gate saturates: its derivative would be zero in float32.
    inputs = config.inputs.items()
    batch = {k: jnp.full((1, stride, wide, bands), 0.01) for k, bands in inputs}

    @jax.jit
    def reached(column):
        """Columns whose logits change with this column of every input."""
        change = {k: jnp.zeros_like(v).at[:, :, column].set(1.0) for k, v in batch.items()}
        _, moved = jax.jvp(lambda b: apply(variables, b)[0]["logit"], (batch,), (change,))
        return jnp.abs(moved[0]).sum(axis=0) > 0

    before, after = [], []
    for column in range(halo, halo + stride):
        touched = np.flatnonzero(reached(column))
        before.append(touched.max() - column)
        after.append(column - touched.min())
    assert (max(before), max(after)) == (field.before_px, field.after_px)


def test_a_tile_with_its_halo_gives_the_logits_of_the_whole_image():
    apply, variables, module = ready("unet")
    field = module.receptive_field()
    halo = field.halo_px
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.normal(size=(1, 32, 2 * halo + 96, 3)), jnp.float32)
    run = jax.jit(lambda x: apply(variables, {"image": x})[0]["logit"])
    core = slice(halo + 32, halo + 64)
    whole, tile = run(image), run(image[:, :, 32 : 2 * halo + 64])
    np.testing.assert_allclose(whole[0, :, core], tile[0, :, halo : halo + 32], atol=1e-5)
    shifted = run(image[:, :, 8 : 2 * halo + 40])
    # Off the lattice of the stride the same pixels get other values.
    off = shifted[0, :, halo + 24 : halo + 40] - whole[0, :, halo + 32 : halo + 48]
    assert float(jnp.abs(off).max()) > 1e-3


def test_garbage_outside_changes_nothing_and_at_the_edges_something():
    apply, variables, module = ready("default")
    field = module.receptive_field()
    at, wide = field.halo_px + 4, 2 * field.halo_px + 16
    image = jnp.asarray(np.random.default_rng(0).normal(size=(1, 16, wide, 3)), jnp.float32)
    run = jax.jit(lambda x: apply(variables, {"image": x})[0]["logit"][0, :, at])
    plain = run(image)
    outside = image.at[:, :, : at - field.before_px].add(100.0)
    outside = outside.at[:, :, at + field.after_px + 1 :].add(100.0)
    np.testing.assert_allclose(run(outside), plain, atol=1e-6)
    near = run(image.at[:, :, at - field.before_px // 2].add(100.0))
    assert float(jnp.abs(near - plain).max()) > 1e-3


def test_spans_follow_single_layers():
    assert Span().window(3, before=1) == Span(1, 1, 1, 1)
    assert Span(4, 3, 2, 4).repeated(2) == Span(2, 5, 2, 4)
    assert Span(2, 0, 1, 2).transposed(3, 2) == Span(1, 2, 1, 2)
    assert Span(2, 0, 1, 2).joined(Span(2, 3, 0, 8)) == Span(2, 3, 1, 8)
    with pytest.raises(ValueError, match="strides 2, 4"):
        Span(2).joined(Span(4))
    with pytest.raises(ValueError, match="stride 1 upsampled by 2"):
        Span().repeated(2)


def test_a_deeper_network_sees_farther():
    shallow = receptive_field("default", {"widths": (8,), "blocks": (1,), "kernel_sizes": (3,)})
    deep = abstract("default").receptive_field()
    assert isinstance(shallow, ReceptiveField)
    assert shallow.side_px < deep.side_px
    assert deep.side_px == abstract("default").receptive_field_px()
