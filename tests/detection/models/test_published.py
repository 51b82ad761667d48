"""Published networks have the published numbers of parameters, strides and conventions."""

import jax
import pytest
from flax import nnx

from detection.models.layers import BatchNorm
from detection.models.parameters import abstract_model, part_names, part_sizes
from detection.models.registry import model_entry


def counted(name, **settings):
    """(trainable, statistics)."""
    sizes = part_sizes(abstract_model(name, settings)).values()
    return sum(s.parameters for s in sizes), sum(s.statistics for s in sizes)


def test_adsms_has_the_numbers_of_the_public_notebook():
    trainable, statistics = counted("adsms_unet", filters=32, bands=5)
    assert (trainable + statistics, trainable, statistics) == (5_655_783, 5_648_743, 7_040)


@pytest.mark.parametrize(("filters", "total"), [(8, 581_505), (16, 1_947_281), (32, 7_032_369)])
def test_the_nepal_variant_has_its_numbers(filters, total):
    assert sum(counted("unet", variant="nepal", bands=5, filters=filters)) == total


@pytest.mark.parametrize(
    ("filters", "total"),
    [(4, 121_833), (8, 486_029), (16, 1_941_525), (32, 7_760_933), (64, 31_033_413)],
)
def test_the_hr_gldd_variant_has_its_numbers(filters, total):
    assert counted("unet", variant="hr_gldd", bands=4, filters=filters) == (total, 0)


def test_the_large_scale_variant_normalises_the_encoder_alone():
    names = part_names(abstract_model("unet", {"variant": "large_scale", "filters": 32}))
    assert any("norm" in name for name in names["encoder"])
    assert not any("norm" in name for name in (*names["bridge"], *names["decoder"]))
    convolutions = [n for n in names["decoder"] if "block" in n and n.endswith("kernel")]
    assert len(convolutions) == 7
    assert len([n for n in convolutions if n.startswith("decoder/levels/2/")]) == 1


@pytest.mark.parametrize(("size", "trainable"), [(1, 18_196_053), (3, 20_753_365)])
def test_the_bitemporal_network_has_the_printed_numbers(size, trainable):
    assert counted("bitemporal_residual_unet", projection_size=size)[0] == trainable


def test_side_outputs_of_adsms_lie_at_an_eighth_a_quarter_and_a_half():
    assert [spec.stride for spec in model_entry("adsms_unet").outputs] == [8, 4, 2, 1]


def test_levels_of_the_bitemporal_sides_differ_but_not_their_size():
    entry = model_entry("bitemporal_residual_unet")
    assert {spec.name: spec.stride for spec in entry.outputs} == {
        "logit_16": 1, "logit_8": 1, "logit_4": 1, "logit_2": 1, "logit": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    "quirk",
    [
        {"regular_widths": True}, {"gate_finest": True}, {"scale_norm": True},
        {"decoder_through_blocks": True}, {"multi_scale": False}, {"third_gate": "fine"},
    ],
)  # fmt: skip
def test_every_quirk_can_be_turned_off(quirk):
    published = counted("adsms_unet", filters=8)
    assert counted("adsms_unet", filters=8, **quirk) != published


def test_the_quirks_fit_together():
    module = abstract_model(
        "adsms_unet",
        {
            "filters": 8, "regular_widths": True, "gate_finest": True, "scale_norm": True,
            "decoder_through_blocks": True, "third_gate": "fine",
        },
    )  # fmt: skip
    shape = jax.ShapeDtypeStruct((1, 32, 32, 5), "float32")
    found = nnx.eval_shape(lambda m, x: m({"image": x}), module, shape)
    assert found["logit"].shape == (1, 32, 32)


def test_batch_norms_have_the_constants_of_keras():
    norms = [
        part
        for name in ("adsms_unet", "unet", "bitemporal_residual_unet")
        for _, part in nnx.iter_modules(abstract_model(name, {}))
        if isinstance(part, nnx.BatchNorm)
    ]
    assert len(norms) > 80
    assert {(type(n), n.epsilon, n.momentum) for n in norms} == {(BatchNorm, 1e-3, 0.99)}
