"""Standardisation: training cells only, whatever the blocks, and a record that round-trips."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hazard.cube.predictors import Predictor, read_rows
from hazard.cube.standardise import (
    ClassColumns,
    Moments,
    Standardisation,
    apply_scaling,
    fingerprint,
    fit_standardisation,
    one_hot,
    undo_scaling,
)
from hazard.errors import DataError

SHAPE = (7, 5)
EPOCHS = 3


def training_mask(seed=0, share=0.5):
    train = np.random.default_rng(seed).random((EPOCHS, *SHAPE)) < share
    train[:, 0, 0] = True
    return train


def layers(seed=0, factor=2):
    rng = np.random.default_rng(seed)
    rows, cols = SHAPE
    return [
        Predictor(
            name="elevation_m", unit="m", support="pixel", factor=factor,
            values=rng.normal(3000, 800, (rows * factor, cols * factor)),
        ),
        Predictor(
            name="stream_distance_m", unit="m", support="pixel", factor=factor, transform="log1p",
            values=rng.exponential(500, (rows * factor, cols * factor)),
        ),
        Predictor(name="pga", unit="m s-2", support="trigger", factor=3,
                  values=rng.gamma(3, 1, (3, 2))),
        Predictor(name="rain", unit="mm day-1", support="cell", per_epoch=True,
                  values=rng.gamma(2, 20, (EPOCHS, *SHAPE))),
        Predictor(name="monsoons", unit="1", support="epoch", values=np.array([0.0, 1.0, 1.0])),
        Predictor(name="geology", unit="1", is_class=True,
                  values=rng.integers(1, 5, SHAPE).astype(np.int16)),
    ]  # fmt: skip


finite = st.floats(-1e6, 1e6)


@given(st.lists(arrays(np.float64, st.integers(0, 20), elements=finite), min_size=1, max_size=6))
@settings(deadline=None)
def test_merged_moments_equal_those_of_the_whole(blocks):
    merged = Moments()
    for block in blocks:
        merged = merged.merge(Moments.of(block))
    whole = np.concatenate(blocks)
    assert merged.n == whole.size
    if whole.size:
        scale = np.abs(whole).max()
        assert merged.mean == pytest.approx(whole.mean(), abs=1e-12 * scale)
        assert merged.sd == pytest.approx(whole.std(), abs=1e-7 * scale, rel=1e-9)


def test_moments_survive_a_large_offset():
    values = np.random.default_rng(0).normal(0, 1e-3, 100_000) + 1e6
    merged = Moments()
    for block in np.array_split(values, 37):
        merged = merged.merge(Moments.of(block))
    assert merged.sd == pytest.approx(values.std(), rel=1e-9)
    naive = np.sqrt(max(0.0, np.square(values).mean() - values.mean() ** 2))
    assert abs(naive - values.std()) > 1e-3 * values.std(), "the textbook formula fails here"


@pytest.mark.parametrize("rows_per_block", [1, 2, 3, 16])
def test_fit_equals_the_moments_of_the_training_cells_in_any_blocks(rows_per_block):
    train = training_mask()
    elevation, stream, pga, rain, monsoons, _ = given_layers = layers()
    record = fit_standardisation(given_layers, train, rows_per_block=rows_per_block)
    pixels = np.kron(train.any(axis=0), np.ones((2, 2))).astype(bool)
    cells = np.kron(pga.values, np.ones((3, 3)))[: SHAPE[0], : SHAPE[1]]
    expected = {
        "elevation_m": elevation.values[pixels],
        "stream_distance_m": np.log1p(stream.values[pixels]),
        "pga": cells[train.any(axis=0)],
        "rain": rain.values[train],
        "monsoons": np.broadcast_to(monsoons.values[:, None, None], train.shape)[train],
    }
    assert [s.name for s in record.scalings] == list(expected)
    for name, values in expected.items():
        scaling = record.scaling(name)
        assert scaling.n == values.size
        assert scaling.mean == pytest.approx(values.mean(), rel=1e-12)
        assert scaling.sd == pytest.approx(values.std(), rel=1e-12)
    assert record.n_train == train.sum()


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=20)
def test_values_outside_the_training_cells_change_nothing(seed):
    train = training_mask(seed % 7)
    before = fit_standardisation(layers(), train)
    rng = np.random.default_rng(seed)
    changed = layers()
    outside = ~train.any(axis=0)
    pixels = np.kron(outside, np.ones((2, 2))).astype(bool)
    for layer in changed[:2]:
        layer.values[pixels] = rng.exponential(1e5, pixels.sum())
    changed[3].values[~train] = rng.gamma(2, 1e4, int((~train).sum()))
    changed[5].values[outside] = 77
    assert fit_standardisation(changed, train) == before
    # And one training value does change it.
    changed[3].values[0, 0, 0] += 1.0
    assert fit_standardisation(changed, train) != before


def test_holes_outside_the_training_cells_are_not_read_and_inside_refused():
    train = training_mask()
    given_layers = layers()
    given_layers[3].values[~train] = np.nan
    fit_standardisation(given_layers, train)
    given_layers[3].values[0, 0, 0] = np.inf
    with pytest.raises(DataError, match="rain: found 1 values that are not finite"):
        fit_standardisation(given_layers, train)


def test_scaled_training_values_have_mean_0_and_spread_1():
    train = training_mask()
    rain = layers()[3]
    scaling = fit_standardisation([rain], train).scaling("rain")
    scaled = apply_scaling(rain.values, scaling)
    assert scaled.dtype == np.float32
    assert scaled[train].mean() == pytest.approx(0, abs=1e-6)
    assert scaled[train].std() == pytest.approx(1, abs=1e-6)
    assert undo_scaling(scaled, scaling) == pytest.approx(rain.values, rel=1e-5)


def test_a_constant_predictor_is_left_out_by_name():
    train = training_mask()
    train[1:] = False
    record = fit_standardisation(layers(), train)
    assert record.constant == ("monsoons",)
    assert "monsoons" not in [s.name for s in record.scalings]
    with pytest.raises(KeyError):
        record.scaling("monsoons")


def test_classes_get_the_columns_seen_in_training_and_others_are_zero():
    geology = layers()[5]
    train = training_mask()
    geology.values[train.any(axis=0)] = np.where(geology.values < 3, 2, 4)[train.any(axis=0)]
    geology.values[~train.any(axis=0)] = 9
    record = fit_standardisation([geology], train)
    assert record.classes == (ClassColumns(name="geology", codes=(2, 4)),)
    columns = one_hot(geology.values, record.classes[0])
    assert (columns.sum(axis=-1) == train.any(axis=0)).all()


def test_the_record_round_trips_through_json_exactly():
    record = fit_standardisation(layers(), training_mask())
    assert Standardisation.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.pop("classes"),
        lambda raw: raw["scalings"][0].update(sd=0.0),
        lambda raw: raw["scalings"][0].update(mean=float("nan")),
        lambda raw: raw["scalings"][0].update(transform="cube"),
        lambda raw: raw["scalings"][0].pop("unit"),
        lambda raw: raw.update(n_train="many"),
    ],
)
def test_a_damaged_record_is_refused(damage):
    raw = json.loads(fit_standardisation(layers(), training_mask()).to_json())
    damage(raw)
    with pytest.raises(DataError, match=r"model\.json"):
        Standardisation.from_json(json.dumps(raw), source="model.json")
    with pytest.raises(DataError):
        Standardisation.from_json("{")


@given(arrays(np.bool_, (2, 3, 3)), arrays(np.bool_, (2, 3, 3)))
@settings(deadline=None)
def test_the_fingerprint_tells_training_sets_apart(one, other):
    assert (fingerprint(one) == fingerprint(other)) == np.array_equal(one, other)


def test_the_fingerprint_depends_on_the_shape():
    assert fingerprint(np.ones((2, 8, 1), bool)) != fingerprint(np.ones((8, 2, 1), bool))


@given(st.integers(1, 5), st.integers(0, 6), st.integers(1, 7))
@settings(deadline=None)
def test_rows_of_a_trigger_layer_are_those_of_the_whole(factor, start, length):
    stop = min(start + length, SHAPE[0])
    coarse = np.arange(-(-SHAPE[0] // factor) * -(-SHAPE[1] // factor), dtype=float)
    coarse = coarse.reshape(-(-SHAPE[0] // factor), -(-SHAPE[1] // factor))
    predictor = Predictor(name="pga", unit="1", support="trigger", factor=factor, values=coarse)
    whole = np.kron(coarse, np.ones((factor, factor)))[: SHAPE[0], : SHAPE[1]]
    assert np.array_equal(read_rows(predictor, slice(start, stop), SHAPE), whole[start:stop])


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"values": np.zeros((3, 3))}, "shape"),
        ({"values": np.zeros(SHAPE), "support": "pixel", "factor": 2}, "shape"),
        ({"values": np.zeros((EPOCHS, *SHAPE))}, "shape"),
        ({"values": np.zeros((EPOCHS + 1, *SHAPE)), "per_epoch": True}, "4 epochs"),
        ({"values": np.zeros(EPOCHS + 1), "support": "epoch"}, "4 epochs"),
        ({"values": np.zeros(SHAPE), "support": "epoch"}, "one value per epoch"),
        ({"values": np.full(SHAPE, -1.0), "transform": "log1p"}, "below 0"),
        ({"values": np.full(SHAPE, 1.5), "is_class": True}, "whole numbers"),
    ],
)
def test_predictors_that_do_not_fit_are_refused(wrong, text):
    with pytest.raises(DataError, match=text) as caught:
        fit_standardisation([Predictor(name="odd", unit="1", **wrong)], training_mask())
    assert "odd" in str(caught.value)


def test_nothing_to_train_on_or_two_of_a_name_are_refused():
    with pytest.raises(DataError, match="at least one cell-epoch"):
        fit_standardisation(layers(), np.zeros((EPOCHS, *SHAPE), bool))
    with pytest.raises(ValueError, match="distinct"):
        fit_standardisation(layers()[:1] * 2, training_mask())
    with pytest.raises(ValueError, match="bool"):
        fit_standardisation(layers(), training_mask()[0])
