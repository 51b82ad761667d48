"""Detection error: planted values come back, records survive, layers are what the formula says."""

import json

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

from benchmarks import detection_error as benchmark
from detection.observation.calibration import calibrate, evenness
from detection.observation.carry import carry
from detection.observation.emulate import emulate
from detection.observation.estimate import estimate
from detection.observation.figures import draw_observation
from detection.observation.layer import observation_layer, write_observation_layer
from detection.observation.model import (
    NAMES,
    ObservationModel,
    drawn_of,
    read_model,
    write_model,
)
from detection.observation.presence import fit_presence
from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.store import open_netcdf
from stats.command.object_matching import match_outlines
from stats.sizes.detection import NotIdentifiedError
from stats.sizes.recording import Recording, log_likelihood


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(3)
    return estimate(benchmark.calibration_of(rng, blocks=200), rng=rng, draws=100)


def test_planted_recall_and_false_alarms_come_back_within_their_intervals(model):
    for name in ("recall_slope", "false_0", "false_slope", "ratio_sd"):
        low, high = model.interval(name, 0.99)
        assert low <= benchmark.DETECTOR[name] <= high, name
    for name in ("recall_0", "recall_area"):
        low, high = model.interval(name, 0.99)
        # Blocks that differ flatten the mean curve a little.
        assert low - 0.1 <= benchmark.DETECTOR[name] <= high + 0.1, name
    areas = np.array([600.0, 2000.0, 2e4])
    x = np.log(areas / 1000)
    planted = 1 / (1 + np.exp(-benchmark.DETECTOR["recall_0"]
                              - benchmark.DETECTOR["recall_area"] * x))  # fmt: skip
    assert np.abs(model.recall(areas, 30.0) - planted).max() < 0.04
    assert model.n_blocks == 200


def test_blocks_that_differ_widen_the_interval(monkeypatch):
    """Landslides of one block are seen alike: a bootstrap of landslides would not know."""
    widths = []
    for spread in (0.0, 1.5):
        monkeypatch.setattr(benchmark, "BLOCK_SD", spread)
        rng = np.random.default_rng(5)
        found = estimate(benchmark.calibration_of(rng, blocks=60), rng=rng, draws=200)
        low, high = found.interval("recall_0")
        widths.append(high - low)
    assert widths[1] > 1.25 * widths[0]


def test_what_the_emulator_makes_looks_like_what_it_was_fitted_to(model):
    rng = np.random.default_rng(11)
    areas, slopes = benchmark.truths(rng, 40_000)
    seen = emulate(model.named(), areas, slopes, minimum_m2=200.0, rng=rng)
    real = benchmark.calibration_of(rng, blocks=1500)
    found = real.found
    assert seen.found.mean() == pytest.approx(found.mean(), abs=0.015)
    many = seen.outlines[seen.found] > seen.members[seen.found]
    assert many.mean() == pytest.approx((real.outlines > real.members)[found].mean(), abs=0.01)
    merged = (seen.members > 1)[seen.found].mean()
    assert merged == pytest.approx((real.members > 1)[found].mean(), abs=0.015)
    assert seen.area_m2.min() >= 200.0
    one = (seen.outlines == 1) & (seen.members == 1)
    theirs = (real.outlines == 1) & (real.members == 1)
    assert seen.ln_ratio[one].mean() == pytest.approx(real.ln_ratio[theirs].mean(), abs=0.02)


def test_the_recall_curve_goes_into_the_size_likelihood(model):
    curve = model.detection_curve(30.0)
    areas = np.array([300.0, 900.0, 5000.0])
    above = drawn_of(model.named(), areas, 200.0)
    assert np.allclose(curve(areas) * above, model.recall(areas, 30.0))
    assert curve.source == "recall"
    recording = Recording(lower_m2=200.0, detection=curve)
    assert np.isfinite(log_likelihood("power", np.array([1.6]), areas, recording))
    falling = ObservationModel(
        **{**model.__dict__, "values": np.where(np.array(NAMES) == "recall_area", -1, model.values)}
    )
    with pytest.raises(NotIdentifiedError, match="falls with area"):
        falling.detection_curve()


def test_large_false_alarms_are_rarer(model):
    areas = np.array([200.0, 400.0, 2000.0])
    rates = model.false_rate_per_km2(30.0, above_m2=areas)
    assert rates[0] == pytest.approx(float(model.false_rate_per_km2(30.0)))
    # The false alarms that it was fitted to.
    found = benchmark.calibration_of(np.random.default_rng(3), blocks=200).false_m2
    share = (found > 2000.0).mean() / (found > 400.0).mean()
    assert rates[2] / rates[1] == pytest.approx(share, abs=0.03)


def test_a_perfect_detector_changes_nothing():
    perfect = dict.fromkeys(NAMES, 0.0) | {
        "recall_0": 30.0, "recall_area": 1.0, "split_0": -30.0, "merge_0": -30.0,
        "fragments": 2.0, "members": 2.0, "concentration": 1.0, "ratio_sd": 1e-3,
        "false_0": -30.0, "false_shape": 1.0, "false_scale": 1.0,
    }  # fmt: skip
    values = np.array([perfect[name] for name in NAMES])
    jitter = np.random.default_rng(0).normal(0.0, 1e-4, (50, len(NAMES)))
    model = ObservationModel(
        values=values, draws=values + np.where(values == 0.0, 0.0, jitter), minimum_m2=200.0,
        n_reference=100, n_found=100, n_false=0, n_blocks=10,
    )  # fmt: skip
    rng = np.random.default_rng(4)
    areas = 200.0 * rng.random(400) ** (-1.0 / 1.6)
    found = carry(areas, model, slope_deg=np.full(400, 30.0), ground_km2=np.full(5, 40.0),
                  rng=rng, draws=150)  # fmt: skip
    plain = 400 / np.log(areas / 200.0).sum()
    assert found.alpha.recorded == pytest.approx(plain, rel=1e-3)
    assert found.alpha.value == pytest.approx(plain, rel=0.03)
    # The interval is that of sampling alone: 1.645 alpha / sqrt(n) to each side.
    half = 0.5 * (found.alpha.high - found.alpha.low)
    assert half == pytest.approx(1.645 * plain / 20.0, rel=0.25)
    assert found.total_m2.low == pytest.approx(areas.sum(), rel=0.01)
    assert found.total_m2.high == pytest.approx(areas.sum(), rel=0.01)
    with pytest.raises(ValueError, match="below 200"):
        carry(np.r_[areas, 100.0], model, slope_deg=np.full(401, 30.0),
              ground_km2=np.full(5, 40.0), rng=rng)  # fmt: skip


@pytest.mark.parametrize(("ground_km2", "told"), [(40.0, False), (400.0, True)])
def test_an_inventory_that_is_mostly_false_alarms_is_told(model, ground_km2, told):
    rng = np.random.default_rng(5)
    areas = 200.0 * rng.random(400) ** (-1.0 / 1.6)
    found = carry(areas, model, slope_deg=np.full(400, 30.0), ground_km2=np.full(5, ground_km2),
                  rng=rng, draws=40)  # fmt: skip
    assert any("false alarms" in note for note in found.notes) == told


def test_the_figure_shows_functions_and_counts(tmp_path):
    rng = np.random.default_rng(3)
    calibration = benchmark.calibration_of(rng, blocks=40)
    found = estimate(calibration, rng=rng, draws=60, synthetic=True)
    path = draw_observation(found, calibration, tmp_path / "observation.png")
    with Image.open(path) as image:
        assert min(image.size) > 400
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_the_record_survives_and_a_broken_one_is_refused(model, tmp_path):
    path = write_model(tmp_path / "detection_error.json", model)
    again = read_model(path)
    assert np.array_equal(again.draws, model.draws)
    assert again.notes == model.notes
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"layout_version": 99}))
    with pytest.raises(DataError, match="version 1"):
        read_model(path)
    path.write_text(json.dumps({k: v for k, v in raw.items() if k != "draws"}))
    with pytest.raises(DataError, match="broken"):
        read_model(path)
    path.write_text("{")
    with pytest.raises(DataError, match="no readable record"):
        read_model(path)


def boxes(*bounds):
    return np.array([shapely.box(*b) for b in bounds], dtype=object)


def ids(n):
    return pd.DataFrame({"landslide_id": np.arange(1, n + 1)})


def matched_blocks(n=8):
    """In each 1 km block: one landslide found, one missed, one split, and one false alarm."""
    reference, detected = [], []
    for b in range(n):
        e = 1000.0 * b
        reference += [(e + 10, 10, e + 60, 60), (e + 200, 10, e + 230, 40),
                      (e + 400, 10, e + 500, 60)]  # fmt: skip
        detected += [(e + 10, 10, e + 60, 70), (e + 400, 10, e + 440, 60),
                     (e + 450, 10, e + 500, 60), (e + 800, 800, e + 830, 830)]  # fmt: skip
    return match_outlines(boxes(*detected), boxes(*reference), ids(4 * n), ids(3 * n))


def ground(n=8):
    x = 1000.0 * np.arange(n) + 500
    return x, np.full(n, 500.0), np.ones(n), np.full(n, 25.0)


def test_a_calibration_counts_outlines_members_and_false_alarms_per_block():
    found = calibrate(
        matched_blocks(), slope_at=lambda x, y: np.where(y > 500, 45.0, 25.0),
        ground=ground(), block_m=1000.0, minimum_m2=100.0,
    )  # fmt: skip
    assert found.outlines.reshape(8, 3).tolist() == [[1, 0, 2]] * 8
    assert np.allclose(found.ln_ratio[0], np.log(3000 / 2500))
    assert np.isnan(found.ln_ratio[1])
    expected = (1900**2 + 2400**2) / 4300**2
    assert found.evenness[2] == pytest.approx(expected)
    assert (found.false_m2.tolist(), set(found.false_slope_deg)) == ([900.0] * 8, {45.0})
    assert found.ground_km2[:, 2].tolist() == [1.0] * 8
    model = estimate(found, rng=np.random.default_rng(0), draws=50)
    assert (model.n_reference, model.n_found, model.n_false) == (24, 16, 8)
    assert any("merged" in note for note in model.notes)
    # One false alarm per km2, all of them on slopes that nobody looked at: held by the prior.
    assert np.isfinite(model.draws).all()


def test_without_terrain_the_slope_terms_are_zero():
    found = calibrate(matched_blocks(), slope_at=None, ground=ground(), block_m=1000.0,
                      minimum_m2=100.0)  # fmt: skip
    model = estimate(found, rng=np.random.default_rng(0), draws=50)
    assert not model.draws[:, NAMES.index("recall_slope")].any()
    assert model.false_rate_per_km2(10.0) == pytest.approx(1.0, rel=0.2)


def test_landslides_outside_the_ground_and_too_few_blocks_are_refused():
    with pytest.raises(DataError, match="without ground"):
        calibrate(matched_blocks(), slope_at=None, ground=ground(5), block_m=1000.0,
                  minimum_m2=100.0)  # fmt: skip
    few = calibrate(matched_blocks(4), slope_at=None, ground=ground(4), block_m=1000.0,
                    minimum_m2=100.0)  # fmt: skip
    with pytest.raises(DataError, match="five blocks"):
        estimate(few, rng=np.random.default_rng(0))


def test_evenness_is_of_what_lies_above_the_minimum():
    found = evenness(np.array([200.0, 700.0]), np.array([0, 0]), 1, 200.0)
    assert found.tolist() == [1.0]


def test_the_layer_is_recall_times_the_share_that_was_seen(model, tmp_path):
    grid = Grid.from_bounds("EPSG:32645", (0, 0, 3000, 2000), cell_m=1000)
    slope = np.array([[10.0, 30.0, 45.0], [30.0, 30.0, np.nan]])
    share = np.ones((2, 2, 3))
    share[1, 0] = (0.0, 0.5, 1.0)
    sizes = np.array([400.0, 1500.0, 9000.0])
    found = observation_layer(
        model, grid, slope_deg=slope, seen_share=share, areas_m2=sizes, epochs=["a", "b"]
    )
    write_observation_layer(tmp_path / "observation.nc", found)
    read = open_netcdf(tmp_path / "observation.nc")
    pi = read["observation_probability"].values
    assert pi[0, 0, 1] == pytest.approx(model.recall(sizes, 30.0).mean(), abs=1e-4)
    assert pi[1, 0].tolist() == pytest.approx([0.0, 0.5 * pi[0, 0, 1], pi[0, 0, 2]])
    assert pi[0, 0, 0] > pi[0, 0, 2]
    assert np.isnan(pi[0, 1, 2])
    false = read["false_alarms"].values
    assert false[0, 0, 1] == pytest.approx(float(model.false_rate_per_km2(30.0)), rel=1e-4)
    assert read["epoch"].attrs["names"] == "a, b"
    with pytest.raises(DataError, match="shares"):
        observation_layer(model, grid, slope_deg=slope, seen_share=share[:1], areas_m2=sizes,
                          epochs=["a", "b"])  # fmt: skip


def test_unseen_cells_tell_nothing_of_the_hazard():
    """Cells under cloud show no landslide; called absences they halve the hazard."""
    rng = np.random.default_rng(2)
    n, rate = 6000, 0.3
    seen = (rng.random(n) < 0.5).astype(float)
    present = (rng.random(n) < 1 - np.exp(-rate)) & (seen > 0)
    one = np.ones((n, 1))
    right = fit_presence(present, one, observation=np.tile(seen, (50, 1)),
                         false_rate=np.zeros((50, n)), rng=rng)  # fmt: skip
    wrong = fit_presence(present, one, observation=np.ones((50, n)),
                         false_rate=np.zeros((50, n)), rng=rng)  # fmt: skip
    low, high = right.interval(0.99)
    assert low < 1 - np.exp(-rate) < high
    assert wrong.interval(0.99)[1] < 0.7 * (1 - np.exp(-rate))


def table_of(worlds):
    rows = benchmark.coverage(worlds)
    return {(row["quantity"], row["way"]): row for row in rows}


@pytest.mark.slow
def test_error_carried_on_covers_and_error_ignored_does_not():
    """Thirty worlds: enough to tell nine in ten from hardly ever, in every quantity."""
    table = table_of([benchmark.one_world(seed, draws=100) for seed in range(30)])
    for quantity in benchmark.QUANTITIES:
        assert table[quantity, "carried"]["covered"] >= 0.73, quantity
        assert table[quantity, "ignored"]["covered"] <= 0.35, quantity
    # A recall curve models recall alone.
    assert table["alpha", "recall curve alone"]["covered"] < table["alpha", "carried"]["covered"]


@pytest.mark.nightly
def test_error_carried_on_covers_at_its_rate_in_two_hundred_worlds():
    table = table_of([benchmark.one_world(seed) for seed in range(1000, 1200)])
    for quantity in benchmark.QUANTITIES:
        row = table[quantity, "carried"]
        assert row["low"] <= benchmark.LEVEL <= row["high"], (quantity, row)
        assert table[quantity, "ignored"]["high"] < 0.5, quantity
