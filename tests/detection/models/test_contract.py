"""One table of all networks, put through the same checks of shapes, types, names and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from detection.models.base import ModelEntry, Network
from detection.models.parameters import part_names, part_sizes
from detection.models.registry import MODELS, build_model, model_config, model_entry
from hazard.training.functional import count_parameters, functional, variables_of
from tests.detection.models.small_networks import SMALL, abstract, build


def outputs_of(name, sides, *, train=False, **changes):
    """Shapes and types of outputs and statistics, without any arithmetic."""
    module = abstract(name, **changes)
    apply, variables = functional(module), variables_of(module)
    batch = {
        key: jax.ShapeDtypeStruct((2, *sides, bands), jnp.float32)
        for key, bands in module.config.inputs.items()
    }
    return jax.eval_shape(
        lambda v, b, k: apply(v, b, key=k, train=train), variables, batch, jax.random.key(0)
    )


def test_the_table_is_whole():
    assert set(SMALL) == set(MODELS)
    for name, entry in MODELS.items():
        assert isinstance(entry, ModelEntry)
        assert entry.name == name
        assert entry.source
        assert isinstance(abstract(name), Network)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_float32_logits_at_the_stated_strides(name):
    multiple = model_config(name, SMALL[name]).size_multiple
    declared = {spec.name: spec.stride for spec in model_entry(name).outputs}
    # One test for one band and the least size, and one for many bands of an oblong image.
    for sides, bands in (((multiple, multiple), 1), ((2 * multiple, 3 * multiple), 7)):
        found, _ = outputs_of(name, sides, bands=bands)
        assert found.keys() == declared.keys()
        for key, value in found.items():
            assert value.dtype == jnp.float32
            assert value.shape == (2, sides[0] // declared[key], sides[1] // declared[key])


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_computes_and_float32_stays(name):
    module = abstract(name, compute="bfloat16")
    for leaf in jax.tree.leaves(variables_of(module)):
        assert leaf.dtype == jnp.float32
    found, stats = outputs_of(name, (32, 32), compute="bfloat16", train=True)
    assert {v.dtype for v in found.values()} == {np.dtype("float32")}
    assert {v.dtype for v in stats.values()} <= {np.dtype("float32")}


@pytest.mark.parametrize("name", ["default", "adsms_unet"])
def test_bfloat16_reaches_the_convolutions(name):
    module = abstract(name, compute="bfloat16")
    apply, variables = functional(module), variables_of(module)
    batch = {
        key: jax.ShapeDtypeStruct((1, 32, 32, bands), jnp.float32)
        for key, bands in module.config.inputs.items()
    }
    jaxpr = jax.make_jaxpr(lambda v, b: apply(v, b)[0])(variables, batch)
    # Convolutions of windows side by side are matrix products.
    asked = ("conv_general_dilated", "dot_general")
    inner = (p for outer in jaxpr.eqns for p in outer.params.values() if hasattr(p, "eqns"))
    found = [*jaxpr.eqns, *(e for p in inner for e in p.eqns)]
    convolutions = [e for e in found if e.primitive.name in asked]
    assert len(convolutions) > 5
    assert {e.outvars[0].aval.dtype for e in convolutions} == {np.dtype(jnp.bfloat16)}


@pytest.mark.parametrize("name", MODELS)
def test_parts_hold_every_array_and_add_up(name):
    module = abstract(name)
    names, sizes = part_names(module), part_sizes(module)
    assert set(names) == set(sizes) == set(model_entry(name).parts)
    variables = variables_of(module)
    assert sum(map(len, names.values())) == len(variables.params) + len(variables.stats)
    assert sum(s.parameters for s in sizes.values()) == count_parameters(build(name))
    has_norms = any("mean" in n for n in variables.stats)
    assert has_norms == (sum(s.statistics for s in sizes.values()) > 0)


@pytest.mark.parametrize("name", MODELS)
def test_sizes_that_do_not_divide_are_refused(name):
    module = abstract(name)
    multiple = module.config.size_multiple
    batch = {
        key: jax.ShapeDtypeStruct((1, multiple, multiple + 2, bands), jnp.float32)
        for key, bands in module.config.inputs.items()
    }
    with pytest.raises(ValueError, match=f"use multiples of {multiple}"):
        module(batch)


@pytest.mark.parametrize("name", MODELS)
def test_the_stated_multiple_is_the_coarsest_stride(name):
    module = abstract(name)
    assert module.receptive_field().stride_px == module.config.size_multiple


@pytest.mark.parametrize("extra", [{"pre_bands": 3}, {"pre_bands": 3, "topography_bands": 2}])
def test_the_default_takes_an_earlier_date_and_topography(extra):
    module = abstract("default", **extra)
    assert set(module.config.inputs) == {"image", *(key.removesuffix("_bands") for key in extra)}
    found, _ = outputs_of("default", (8, 12), **extra)
    assert found["logit"].shape == (2, 8, 12)


def test_the_bitemporal_network_does_without_topography():
    found, _ = outputs_of("bitemporal_residual_unet", (32, 32), topography_bands=0)
    assert found["logit"].shape == (2, 32, 32)


def test_wrong_batches_are_refused():
    module = abstract("bitemporal_residual_unet")
    image = jnp.zeros((1, 32, 32, 3))
    good = {"image": image, "pre": image, "topography": jnp.zeros((1, 32, 32, 2))}
    with pytest.raises(ValueError, match="no 'pre' in the batch; it has image, topography"):
        module({k: v for k, v in good.items() if k != "pre"})
    with pytest.raises(ValueError, match=r"image of shape \(1, 32, 32, 3\); use .* with 4 bands"):
        abstract("unet", bands=4)(good)
    with pytest.raises(ValueError, match="use equal ones"):
        module({**good, "pre": jnp.zeros((1, 64, 32, 3))})


def test_unknown_names_and_settings_are_refused():
    with pytest.raises(ValueError, match="model 'segformer'; use one of default, unet,"):
        model_entry("segformer")
    with pytest.raises(ValueError, match="model unet: unknown key 'filter'"):
        build_model("unet", {"filter": 3}, nnx.Rngs(0))
    for name, wrong, message in (
        ("unet", {"variant": "d"}, "variant 'd'"),
        ("unet", {"filters": 0}, "filters 0"),
        ("unet", {"compute": "float16"}, "compute 'float16'"),
        ("adsms_unet", {"third_gate": "up2"}, "third_gate 'up2'"),
        ("bitemporal_residual_unet", {"projection_size": 5}, "projection_size 5"),
        ("default", {"pre_bands": 2}, "pre_bands 2 beside 3 bands"),
        ("default", {"blocks": (1,)}, "one number per level"),
        ("default", {"positive_share": 0.0}, "positive_share"),
    ):
        with pytest.raises(ValueError, match=message):
            abstract(name, **wrong)


ONE_LEVEL = {"widths": (4,), "blocks": (1,), "kernel_sizes": (3,)}


@pytest.mark.parametrize("name", ["default"])
def test_same_seed_same_weights(name):
    first, second, other = (
        jax.tree.leaves(variables_of(build(name, **ONE_LEVEL)(nnx.Rngs(seed))))
        for seed in (3, 3, 4)
    )
    assert all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for a, b in zip(first, second, strict=True)
    )
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
