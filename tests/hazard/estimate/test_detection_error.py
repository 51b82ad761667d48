"""A record that misses half of all landslides: with its error known, the true hazard comes back."""

from types import SimpleNamespace

import numpy as np
import pytest

from hazard.archive.predictions import open_predictions
from hazard.archive.records import NotRun
from hazard.config.fit import FinalConfig, SchemeConfig, TrainingConfig
from hazard.cube.cube_batches import batches_of_cube, export_cube
from hazard.cube.export_reader import load_export
from hazard.cube.refit import refit
from hazard.estimate.pools import pools_of
from hazard.estimate.recalibrate import fit_logistic_map
from hazard.estimate.run import estimate_run
from hazard.evaluate.cases import read_model
from hazard.predict.quantities import hazard_maps
from hazard.predict.write import maps_dataset
from hazard.report.detection_error import mapped_lines, scored_lines
from stats.command.predictions_read import open_held_out
from stats.laws.recorded import recorded_probability
from tests.hazard.estimate.small_fit import silent, small_config
from tests.hazard.small_cube import EYX, FACTOR, GRID, write_small_cube

MODEL = "default_without_past"
FALSE_ALARMS = 0.02
CONFIG = small_config(
    schemes=(SchemeConfig(design="random", folds=1, models=("climatology",)),),
    networks=(MODEL,), baselines=("climatology",),
    training=TrainingConfig(epochs=20, batch_size=4, learning_rate=2e-2),
    final=FinalConfig(members=1, validation_share=0),
)  # fmt: skip


class Planted:
    """Landslides by slope, and a detector that finds fewer on steep ground."""

    def __init__(self, *, told: bool):
        self.told = told
        self.truth = self.observation = np.zeros(0)

    def __call__(self, layers):
        rng = np.random.default_rng(11)
        slope = layers["pixels"]["slope_deg"][1].reshape(GRID.shape[0], FACTOR, -1, FACTOR)
        slope = slope.mean(axis=(1, 3))
        observed = layers[""]["observed"][1]
        p = np.broadcast_to(1 / (1 + np.exp(0.8 - 0.06 * (slope - 30))), observed.shape)
        pi = np.broadcast_to(np.clip(0.5 - 0.01 * (slope - 30), 0.3, 0.7), observed.shape)
        events = rng.binomial(rng.poisson(-np.log1p(-p)), pi)
        shown = events + rng.poisson(FALSE_ALARMS, p.shape) > 0
        density = np.where(shown, np.minimum(rng.lognormal(-1, 1, p.shape), 90), 0.0)
        layers[""]["area_density"] = (EYX, np.where(observed, density, np.nan).astype(np.float32))
        layers[""]["presence"] = (EYX, np.where(observed, shown, -1).astype(np.int8))
        if self.told:
            false = np.full(p.shape, FALSE_ALARMS)
            for name, values in (("observation_probability", pi), ("false_alarms", false)):
                stored = np.where(observed, values, np.nan).astype(np.float32)
                layers[""][name] = (EYX, stored, {"units": "1"})
        self.truth, self.observation = p[observed], pi[observed]


def fitted(folder, *, told):
    planted = Planted(told=told)
    cube = write_small_cube(folder, change=planted)
    estimate_run(folder, cube, CONFIG, silent())
    return planted, cube, open_predictions(folder)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("told"), told=True)


@pytest.fixture(scope="module")
def untold(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("untold"), told=False)


def standard_error(planted):
    """Of the mean probability of true presence, told by the record, as if it were one number."""
    p, pi = planted.truth.mean(), planted.observation.mean()
    shown = float(recorded_probability(p, pi, FALSE_ALARMS))
    slope = (1 - p) / ((1 - shown) * pi)
    return slope * np.sqrt(shown * (1 - shown) / planted.truth.size)


def test_the_true_hazard_comes_back_where_the_error_is_known_and_not_otherwise(told, untold):
    planted, _, run = told
    truth, se = planted.truth.mean(), standard_error(planted)
    mean = {
        name: float(found.field("probability", "final", MODEL)[found.observed].mean())
        for name, (_, _, found) in {"told": told, "untold": untold}.items()
    }
    assert abs(mean["told"] - truth) < 3 * se
    # The check can fail: half of the landslides are missed, and the hazard with them.
    assert mean["untold"] < truth - 5 * se
    # Not the mean alone: where more is missed, more is put back (a quarter of the cells: 2 se).
    p = run.field("probability", "final", MODEL)[run.observed]
    steep = planted.truth > np.quantile(planted.truth, 0.75)
    assert p[steep].mean() == pytest.approx(planted.truth[steep].mean(), abs=6 * se)


def test_the_record_is_set_beside_a_forecast_of_the_record(told):
    _, cube, run = told
    observed = run.observed
    shown = float((run.area_density[observed] > 0).mean())
    true, recorded = (
        run.field("probability", "final", MODEL),
        run.recorded_probability("final", MODEL),
    )
    assert recorded[observed].mean() == pytest.approx(shown, abs=0.03)
    assert true[observed].mean() > shown + 0.08
    pi = cube.root["observation_probability"].values[observed]
    expected = recorded_probability(true[observed], pi, FALSE_ALARMS)
    np.testing.assert_allclose(recorded[observed], expected, rtol=1e-5)
    # Scores, residuals and thresholds all see that one; the maps see the truth.
    cases = read_model(run, "final", MODEL).cases(1)
    np.testing.assert_array_equal(cases.probability, recorded[1][observed[1]].astype(np.float64))
    held_out = open_held_out(run.path.parent).fields("final", MODEL)["probability"]
    np.testing.assert_allclose(held_out[observed], recorded[observed], rtol=1e-6)
    threshold = run.threshold("final", MODEL)[0]
    # Chosen among the forecasts of the record before they were stored as float32.
    assert np.abs(recorded[observed] - threshold).min() <= np.spacing(np.float32(threshold))
    mean = run.field("mean_percent", "final", MODEL)
    np.testing.assert_array_equal(run.recorded_percent("final", MODEL), recorded * mean)


def test_the_maps_show_the_truth_and_say_so(told, untold):
    run = told[2]
    maps = maps_dataset(hazard_maps(run, held_out_scheme="random", model=MODEL), run)
    shown = maps["final_susceptibility"]
    np.testing.assert_array_equal(
        shown.values[run.observed], run.field("probability", "final", MODEL)[run.observed]
    )
    assert shown.attrs["detection_error"].startswith("in the likelihood")
    found = hazard_maps(untold[2], held_out_scheme="random", model=MODEL)
    plain = maps_dataset(found, untold[2])
    assert "detection_error" not in plain["final_susceptibility"].attrs


def test_the_card_and_the_tables_say_what_is_forecast(told):
    folder = told[2].path.parent / "models"
    cards = {p.parent.name: p.read_text() for p in folder.rglob("card.md")}
    assert "that of a true landslide, recorded or not" in cards[MODEL]
    assert "true landslide" not in cards["climatology"]
    source = SimpleNamespace(
        models={m.name: m for m in told[2].header.models},
        model_label=lambda name: name.replace("_", " "),
    )
    text = "\n".join(scored_lines(source))
    assert "default without past: probability of a *true* landslide" in text
    assert "climatology" not in text
    assert "recorded or not" in "\n".join(mapped_lines(source, MODEL))
    assert mapped_lines(source, "climatology") == []
    assert any("no term for detection error" in n for n in source.models["climatology"].notes)
    del source.models[MODEL], source.models[f"{MODEL}_climatological_rain"]
    assert scored_lines(source) == []


def test_other_models_forecast_the_record_as_they_did(told, untold):
    run = told[2]
    said = {m.name: m.true_presence for m in run.header.models}
    assert said[MODEL]
    assert not said["climatology"]
    assert not any(m.true_presence for m in untold[2].header.models)
    same = [r.recorded_probability("random", "climatology") for r in (run, untold[2])]
    assert np.isfinite(same[0]).any()
    np.testing.assert_array_equal(same[0], same[1])


def test_forecasts_of_different_things_are_not_mixed():
    folds = [SimpleNamespace(scheme="random", number=0, models=None)]
    parts = (MODEL, "default", "climatology", "zero")
    keys = {("random", 0, name): name for name in parts}
    pools = [parts[:2], parts[1:3], parts[2:]]
    found = [own for _, own in pools_of(pools, folds, keys, of_truth=parts[:2])]
    assert [isinstance(own, NotRun) for own in found] == [False, True, False]
    assert "default forecasts true landslides, the others recorded ones" in found[1].reason
    assert not any(isinstance(own, NotRun) for _, own in pools_of(pools, folds, keys))


def test_a_score_is_recalibrated_to_the_truth():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 4, 60_000)
    pi = rng.uniform(0.3, 0.7, p.size)
    shown = rng.random(p.size) < recorded_probability(p, pi, FALSE_ALARMS)
    logit = np.log(p / (1 - p))
    score = 1 / (1 + np.exp(-(1.5 * logit + 0.5)))
    assert fit_logistic_map(score, shown, pi, FALSE_ALARMS)(score) == pytest.approx(p, abs=0.03)
    assert fit_logistic_map(score, shown)(score).mean() < p.mean() - 0.05


def test_the_error_reaches_every_fold_and_every_export(told, untold, tmp_path):
    _, cube, run = told
    exported = export_cube(cube, tmp_path / "batches.npz", past_windows=None)
    found = load_export(tmp_path / "batches.npz").batches
    again = refit(
        found, np.where(np.arange(found.weight.shape[1]) % 3 == 0, 1, 3) * (found.weight > 0)
    )
    for batches in (exported, found, again):
        pi = batches.to_grid(batches.observation)
        np.testing.assert_array_equal(
            pi[run.observed], cube.root["observation_probability"].values[run.observed]
        )
        assert (pi[~run.observed & run.mask] == 1).all()
        assert np.unique(batches.false_alarms[batches.weight > 0]) == np.float32(FALSE_ALARMS)
    assert batches_of_cube(untold[1], past_windows=None).observation is None
