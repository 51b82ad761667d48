"""Batches: what a device gathers equals what the layers hold, and no target leaks into an input."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from hazard.cube.gather import (
    cell_epoch_samples,
    gather_all_epochs,
    gather_epochs,
    gather_pixels,
    gather_static,
    loss_weight,
    patch_epoch_samples,
    patch_samples,
    shuffled_steps,
)
from hazard.cube.past import past_records, past_records_by_role
from hazard.cube.patches import cut_cells, cut_pixels, patch_index
from hazard.cube.predictors import Predictor
from hazard.cube.refit import refit
from hazard.cube.standardise import apply_scaling
from hazard.errors import DataError
from stats.resampling.folds import TEST, TRAIN, VALIDATION
from tests.hazard.cube.planted_predictors import small_study


@pytest.fixture(scope="module")
def study():
    return small_study()


@pytest.fixture(scope="module")
def batches(study):
    return study.batches()


def test_gathered_patches_of_pixels_are_those_cut_from_the_raster(study, batches):
    layers = np.stack(
        [
            apply_scaling(p.values, batches.standardisation.scaling(p.name))
            for p in study.predictors[:2]
        ]
    )
    expected = cut_pixels(np.nan_to_num(layers), study.index, 3)
    found = gather_pixels(batches.pixels, batches.patch_cells)
    assert batches.pixel_names[:2] == ("elevation_m", "stream_distance_m")
    assert np.array_equal(found[..., :2], expected)


def test_gathered_targets_and_weights_are_those_cut_from_the_grid(study, batches):
    density = np.where(study.observed & study.mask, study.density, 0).astype(np.float32)
    found = gather_all_epochs(batches.area_density, batches.patch_cells)
    assert np.array_equal(found, cut_cells(density, study.index))
    seen = (study.observed & study.mask).astype(np.float32)
    found = gather_all_epochs(batches.weight, batches.patch_cells)
    assert np.array_equal(found, cut_cells(seen, study.index))
    assert np.array_equal(batches.presence, (batches.area_density > 0).astype(np.float32))


def test_cell_and_epoch_predictors_stand_in_their_cell_and_epoch(study, batches):
    rain = next(p for p in study.predictors if p.name == "rain_max_mm_day")
    fine = rain.values.repeat(2, axis=1).repeat(2, axis=2)[:, :11, :9]
    scaled = apply_scaling(fine, batches.standardisation.scaling("rain_max_mm_day"))
    column = batches.changing_names.index("rain_max_mm_day")
    assert np.array_equal(
        batches.to_grid(batches.changing[..., column])[:, study.mask], scaled[:, study.mask]
    )
    monsoons = batches.changing[..., batches.changing_names.index("monsoons")][:, :-1]
    assert (monsoons == monsoons[:, :1]).all()
    assert set(batches.static_names) == {"relief_m", "pga"}


def test_the_row_of_padding_is_zero_everywhere(batches):
    for name in ("pixels", "static"):
        assert not getattr(batches, name)[-1].any()
    for name in ("changing", "area_density", "presence", "weight", "role"):
        assert not getattr(batches, name)[:, -1].any()
    assert batches.patch_cells.max() == batches.n_cells


def test_arrays_are_contiguous_finite_float32_and_index_tables_int32(batches):
    for name, array in batches.arrays().items():
        assert array.flags.c_contiguous, name
        if array.dtype.kind == "f":
            assert array.dtype == np.float32
            assert np.isfinite(array).all(), name
        else:
            assert array.dtype in (np.int8, np.int32), name


def test_gathering_inside_a_jitted_step_equals_numpy(batches):
    device = jax.tree.map(jnp.asarray, batches.arrays())
    samples = patch_epoch_samples(batches)[:7]

    @jax.jit
    def step(arrays, patch, epoch):
        rows = arrays["patch_cells"][patch]
        return (
            gather_pixels(arrays["pixels"], rows),
            gather_static(arrays["static"], rows),
            gather_epochs(arrays["changing"], rows, epoch),
            gather_all_epochs(arrays["weight"], rows),
        )

    found = step(device, samples[:, 0], samples[:, 1])
    rows = batches.patch_cells[samples[:, 0]]
    for number, (patch, epoch) in enumerate(samples):
        cells = batches.patch_cells[patch]
        assert np.array_equal(found[2][number], batches.changing[epoch][cells])
        assert np.array_equal(found[1][number], batches.static[cells])
    assert np.array_equal(found[0], gather_pixels(batches.pixels, rows))
    assert np.array_equal(found[3], batches.weight[:, rows])


def test_one_compilation_serves_every_step_of_an_epoch(batches):
    traces = []

    @jax.jit
    def step(sample, weight):
        traces.append(1)
        return (sample[:, 0] * weight).sum()

    steps = shuffled_steps(jax.random.key(0), patch_epoch_samples(batches), 5)
    for sample, weight in zip(steps.sample, steps.weight, strict=True):
        step(sample, weight)
    assert len(steps) > 2
    assert len(traces) == 1


def test_samples_hold_exactly_the_cells_of_their_role(study, batches):
    for role in (TRAIN, VALIDATION, TEST):
        wanted = (study.role == role) & study.observed & study.mask
        assert np.array_equal(batches.to_grid(loss_weight(batches, role), fill=0) > 0, wanted)
        cells = cell_epoch_samples(batches, role)
        found = np.zeros_like(wanted)
        row, col = np.divmod(batches.cell_flat[cells[:, 0]], study.mask.shape[1])
        found[cells[:, 1], row, col] = True
        assert np.array_equal(found, wanted)
        has = cut_cells(wanted, study.index, fill=False).any(axis=(2, 3))
        pairs = patch_epoch_samples(batches, role)
        assert np.array_equal(np.argwhere(has), pairs[:, ::-1])
        assert np.array_equal(patch_samples(batches, role), np.flatnonzero(has.any(axis=0)))
    positive = cell_epoch_samples(batches, TRAIN, positive_only=True)
    assert (batches.area_density[positive[:, 1], positive[:, 0]] > 0).all()
    assert len(positive) < len(cell_epoch_samples(batches, TRAIN))
    one = patch_samples(batches, lattices=(1,))
    assert (batches.patch_lattice[one] == 1).all()


@given(st.integers(1, 40), st.integers(1, 12), st.sampled_from(["numpy", "jax", "none"]))
@settings(deadline=None, max_examples=40)
def test_every_sample_counts_once_per_epoch_in_steps_of_one_size(n, size, kind):
    rng = {"numpy": np.random.default_rng(3), "jax": jax.random.key(3), "none": None}[kind]
    steps = shuffled_steps(rng, np.arange(n), size)
    assert steps.sample.shape == steps.weight.shape == (-(-n // size), size)
    assert sorted(steps.sample[steps.weight > 0].tolist()) == list(range(n))
    assert steps.weight.sum() == n
    assert np.isin(steps.sample, np.arange(n)).all()


def test_the_order_follows_the_key_and_nothing_else():
    samples = np.arange(100)
    key = jax.random.key(1)
    one, same = (shuffled_steps(key, samples, 7).sample for _ in range(2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, shuffled_steps(jax.random.key(2), samples, 7).sample)
    with pytest.raises(ValueError, match="at least 1"):
        shuffled_steps(None, samples[:0], 7)


def brute_force_past(density, observed, epoch, row, col, w):
    """The records of one cell, one cell-epoch at a time."""
    half = w // 2
    values, last = [], []
    for r in range(max(0, row - half), min(density.shape[1], row + half + 1)):
        for c in range(max(0, col - half), min(density.shape[2], col + half + 1)):
            own = [density[e, r, c] for e in range(epoch) if observed[e, r, c]]
            values += own
            last += own[-1:]
    mean = np.mean(values) if values else 0.0
    share = np.mean(np.array(values) > 0) if values else 0.0
    return mean, share, np.mean(last) if last else 0.0


def test_past_records_equal_a_cell_by_cell_computation(study):
    seen = study.observed & study.mask
    past = past_records(study.density, seen, windows=(3, 5))
    by_name = dict(zip(past.names, past.values, strict=True))
    assert past.reach_cells == 2
    for epoch in range(4):
        for row, col in [(0, 0), (5, 4), (10, 8), (3, 7)]:
            at = (epoch, row, col)
            for w, suffix in ((1, ""), (3, "_3x3"), (5, "_5x5")):
                expected = brute_force_past(study.density, seen, *at, w)
                found = [by_name[f"past_{k}{suffix}"][at] for k in ("mean", "frequency", "last")]
                assert found == pytest.approx(expected, rel=1e-12)
            own = [study.density[e, row, col] for e in range(epoch) if seen[e, row, col]]
            assert by_name["past_epochs"][at] == len(own)
            assert by_name["past_highest"][at] == max(own, default=0.0)


@given(st.integers(0, 2**31), st.integers(0, 3), st.integers(1, 2))
@settings(deadline=None, max_examples=30)
def test_present_and_future_epochs_change_no_past_record(seed, epoch, horizon):
    study = small_study()
    rng = np.random.default_rng(seed)
    seen = study.observed & study.mask
    before = past_records(study.density, seen, windows=(3,), horizon=horizon)
    density, changed = study.density.copy(), seen.copy()
    first = max(0, epoch - horizon + 1)
    density[first:] = rng.exponential(50, density[first:].shape)
    changed[first:] = rng.random(changed[first:].shape) < 0.5
    after = past_records(density, changed, windows=(3,), horizon=horizon)
    assert np.array_equal(before.values[:, epoch], after.values[:, epoch])
    if first > 0:
        density[first - 1] += 1.0
        after = past_records(np.nan_to_num(density), changed | True, windows=(3,), horizon=horizon)
        assert not np.array_equal(before.values[:, epoch], after.values[:, epoch])


def test_past_rates_divide_by_the_length_of_the_epoch():
    density = np.full((3, 1, 1), 4.0)
    past = past_records(density, np.ones((3, 1, 1), bool), windows=(),
                        epoch_days=[365.25, 365.25 / 2, 100.0])  # fmt: skip
    by_name = dict(zip(past.names, past.values[:, 2, 0, 0], strict=True))
    assert by_name["past_mean"] == pytest.approx(6.0)
    assert by_name["past_last"] == pytest.approx(8.0)
    assert past.units[0] == "percent year-1"


@pytest.mark.data
def test_past_records_rank_the_real_cells_as_persistence_does(data_dir):
    with rasterio.open(data_dir / "gorkha" / "landslide_area_density_1km.tif") as raster:
        density = raster.read()
    observed = ~np.isnan(density)
    past = past_records(density, observed, windows=())
    found = {}
    for name, values in zip(past.names, past.values, strict=True):
        for epoch in (4, 5):
            mapped = observed[epoch]
            present = density[epoch][mapped] > 0
            rank = rankdata(values[epoch][mapped])
            n = present.sum(), (~present).sum()
            auc = (rank[present].sum() - n[0] * (n[0] + 1) / 2) / (n[0] * n[1])
            found[name, epoch] = round(float(auc), 3)
    # Persistence as computed elsewhere: mean of the past, and the last epoch alone.
    assert (found["past_frequency", 4], found["past_frequency", 5]) == (0.852, 0.759)
    assert (found["past_last", 4], found["past_last", 5]) == (0.587, 0.575)


@pytest.mark.parametrize(
    ("settings_", "text"),
    [
        ({"windows": (2,)}, "odd"),
        ({"horizon": 0}, ">= 1"),
        ({"epoch_days": [1.0]}, "epoch_days"),
        ({"epoch_days": [0.0, 1.0, 1.0]}, "epoch_days"),
    ],
)
def test_past_settings_without_a_meaning_are_refused(settings_, text):
    with pytest.raises(ValueError, match=text):
        past_records(np.zeros((3, 2, 2)), np.ones((3, 2, 2), bool), **settings_)


def changed_targets(study, roles, seed):
    rng = np.random.default_rng(seed)
    density = study.density.copy()
    hit = np.isin(study.role, roles) & study.observed
    density[hit] = rng.uniform(0, 90, int(hit.sum()))
    return replace(study, density=density)


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=15)
def test_no_held_out_target_reaches_a_training_input_or_the_scaling(seed):
    study = small_study()
    before = study.batches()
    after = changed_targets(study, (TEST, VALIDATION), seed).batches()
    assert after.standardisation == before.standardisation
    train = before.role == TRAIN
    assert np.array_equal(after.changing[train], before.changing[train])
    assert np.array_equal(after.area_density[train], before.area_density[train])
    for name in ("pixels", "static"):
        assert np.array_equal(getattr(after, name), getattr(before, name))
    after = changed_targets(study, (TEST,), seed).batches()
    kept = np.isin(before.role, (TRAIN, VALIDATION))
    assert np.array_equal(after.changing[kept], before.changing[kept])
    # Without withholding they do reach it: the check above can fail.
    seen = study.observed & study.mask
    plain = [
        past_records(s.density, seen, windows=(3,)).values
        for s in (study, changed_targets(study, (TEST,), seed))
    ]
    assert not np.array_equal(*(values[:, study.role == TRAIN] for values in plain))


def test_a_test_input_sees_everything_before_it(study):
    seen = study.observed & study.mask
    whole = past_records(study.density, seen, windows=(3,)).values
    by_role = past_records_by_role(study.density, seen, study.role, windows=(3,)).values
    test = study.role == TEST
    assert np.array_equal(whole[:, test], by_role[:, test])
    assert not np.array_equal(whole, by_role)


def test_a_stored_standardisation_is_used_as_it_is(study, batches):
    role = np.where(study.role == TRAIN, TEST, TRAIN)
    other = study.with_role(role).batches(standardisation=batches.standardisation)
    assert np.array_equal(other.pixels, batches.pixels)
    with pytest.raises(DataError, match="past_mean_3x3"):
        study.batches(standardisation=batches.standardisation, past_windows=None)


@pytest.mark.parametrize("per_year", [False, True])
def test_refitting_an_export_equals_building_the_fold(study, per_year):
    every = study.with_role(np.full(study.role.shape, TRAIN)).batches(past_per_year=per_year)
    built = study.batches(past_per_year=per_year)
    found = refit(every, built.role)
    assert found.standardisation.fitted_on == built.standardisation.fitted_on
    assert found.standardisation.n_train == built.standardisation.n_train
    assert found.standardisation.classes == built.standardisation.classes
    for one, other in zip(found.standardisation.scalings, built.standardisation.scalings,
                          strict=True):  # fmt: skip
        assert (one.name, one.unit, one.transform, one.n) == (
            other.name, other.unit, other.transform, other.n,
        )  # fmt: skip
        assert one.mean == pytest.approx(other.mean, rel=1e-6, abs=1e-6)
        assert one.sd == pytest.approx(other.sd, rel=1e-6)
    for name, array in built.arrays().items():
        np.testing.assert_allclose(getattr(found, name), array, rtol=0, atol=2e-5, err_msg=name)
    for name in ("pixel_names", "static_names", "changing_names"):
        assert getattr(found, name) == getattr(built, name)


def test_refitting_names_what_is_constant_and_drops_unseen_classes(study):
    every = study.with_role(np.full(study.role.shape, TRAIN)).batches()
    role = np.zeros_like(study.role)
    role[1] = TRAIN
    role[2] = TEST
    built = study.with_role(role).batches()
    found = refit(every, built.role)
    assert set(found.standardisation.constant) == set(built.standardisation.constant)
    assert "monsoons" in found.standardisation.constant
    assert found.changing_names == built.changing_names
    with pytest.raises(DataError, match="not fitted on"):
        refit(built, every.role)
    with pytest.raises(DataError, match="none"):
        refit(every, np.zeros_like(every.role))


def test_a_hole_in_a_mapped_cell_or_a_density_out_of_range_is_refused(study):
    elevation = study.predictors[0].values.copy()
    at = np.argwhere(study.mask)[7] * 3
    elevation[tuple(at)] = np.nan
    broken = replace(study, predictors=(replace(study.predictors[0], values=elevation),))
    with pytest.raises(DataError, match="elevation_m: found 1 values that are not finite"):
        broken.batches()
    density = study.density.copy()
    density[tuple(np.argwhere(study.observed & study.mask)[0])] = 130.0
    with pytest.raises(DataError, match="130"):
        replace(study, density=density).batches()


def test_layers_or_patches_of_another_grid_are_refused(study):
    other = patch_index(~study.mask | np.eye(11, 9, dtype=bool), n=4)
    with pytest.raises(ValueError, match="another mask"):
        replace(study, index=other).batches()
    with pytest.raises(ValueError, match="epoch_days"):
        study.batches(epoch_days=[1.0])
    odd = Predictor(name="odd", unit="1", values=np.zeros((9, 11)))
    with pytest.raises(DataError, match="odd"):
        replace(study, predictors=(odd,)).batches()
    mixed = replace(study.predictors[1], factor=2, values=np.ones((22, 18)) + np.eye(22, 18))
    with pytest.raises(DataError, match="one lattice"):
        replace(study, predictors=(study.predictors[0], mixed)).batches()


def test_progress_is_told_twice_per_predictor_given(study, batches):
    for settings_ in ({}, {"past_windows": None}, {"standardisation": batches.standardisation}):
        told = []
        study.batches(progress=told.append, **settings_)
        assert told == [1] * (2 * len(study.predictors))


def test_a_patch_costs_row_numbers_and_no_pixels(study, batches):
    single = replace(study, index=patch_index(study.mask, n=4, shift=0)).batches()
    assert single.pixels.nbytes == batches.pixels.nbytes
    assert len(single.patch_cells) < len(batches.patch_cells)


def test_rows_of_cells_lead_to_any_neighbourhood(study, batches):
    rows = batches.row_of_cell
    assert (rows[~study.mask] == batches.n_cells).all()
    assert np.array_equal(batches.cell_flat[rows[study.mask]], np.flatnonzero(study.mask))
    values = np.arange(study.mask.size).reshape(study.mask.shape)
    assert np.array_equal(
        batches.to_grid(batches.from_grid(values), fill=-1), np.where(study.mask, values, -1)
    )
