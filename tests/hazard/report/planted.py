"""A small run folder, through the real writers, with forecasts of known worth."""

import json

import numpy as np

from hazard.archive.predictions import Header, open_predictions, predictions_writer
from hazard.archive.records import ModelRecord, NotRun, SchemeRecord
from hazard.cube.layout import open_cube
from hazard.evaluate.run import evaluate_predictions
from hazard.evaluate.settings import EvaluationSettings
from stats.command.map_panels import MapPanel, draw_map_pages
from tests.hazard.small_cube import write_small_cube

SETTINGS = EvaluationSettings(
    thresholds_percent=(0.0, 0.5), block_km=4.0, draws=60, mapping_units_km=(1.0, 2.0)
)
SCHEMES = (
    SchemeRecord(name="random", title="random cells", design="random", unit="cell",
                 fold_names=("fold 0", "fold 1"), folds=(0, 1)),
    SchemeRecord(name="spatial_blocks", title="spatial blocks", design="spatial_blocks",
                 unit="4 km block", fold_names=("fold 0", "fold 1"), folds=(0, 1),
                 separates=("place",)),
    SchemeRecord(name="forward_chaining", title="forward chaining", design="forward_chaining",
                 unit="epoch", fold_names=("pre 2016", "post 2016"), folds=(0, 1),
                 separates=("epoch", "future")),
    SchemeRecord(name="same_epoch_blocks", title="same epoch, other blocks", design="",
                 unit="block in the epoch", fold_names=("fold 0", "fold 1"), folds=(0, 1),
                 separates=("place",)),
    SchemeRecord(name="final", title="final model", design="", unit="none", in_sample=True),
)  # fmt: skip
MODELS = (
    ModelRecord(name="default", title="default network", kind="network", past_records=True,
                members={"forward_chaining": 2, "final": 2}),
    ModelRecord(name="zero", title="zero", kind="baseline"),
    ModelRecord(name="climatology", title="climatology", kind="baseline"),
    ModelRecord(name="lightgbm", title="LightGBM", kind="baseline", past_records=True),
    ModelRecord(name="default_climatological_rain", title="default network, climatological rain",
                kind="network", rain="climatological", variant_of="default"),
)  # fmt: skip
NOT_RUN = (NotRun(scheme="leave_one_epoch_out", reason="left out to keep the example small"),)
GOOD = {"default": 2.0, "lightgbm": 1.0, "default_climatological_rain": 1.2}
BAD = {"default": 0.1, "lightgbm": 2.0, "default_climatological_rain": 0.1}


def forecasts(cube, skill, rng):
    """Fields of one model; `skill` is the weight of the truth in the log-odds."""
    density = np.asarray(cube.root["area_density"].values, np.float64)
    present = np.nan_to_num(density) > 0
    rate = present.mean()
    noise = rng.normal(0, 1, density.shape)
    logit = np.log(rate / (1 - rate)) + skill * (present - rate) + noise
    probability = 1 / (1 + np.exp(-logit))
    mu = np.full(density.shape, -1.0) + 0.1 * noise
    sigma = np.full(density.shape, 1.2)
    mean = np.minimum(np.exp(mu + sigma**2 / 2), 90.0)
    return {
        "probability": probability, "mu": mu, "sigma": sigma, "mean_percent": mean,
        "median_percent": np.exp(mu), "probability_spread": 0.1 * probability,
        "mean_percent_spread": 0.2 * mean, "expected_spread": 0.2 * probability * mean,
        "disagreement": np.clip(probability, 0, 0.5),
    }  # fmt: skip


def fields_of(cube, model, skills, rng):
    """Fields of a model by its name."""
    values = forecasts(cube, skills.get(model, 0.0), rng)
    if model == "zero":
        values["probability"] = np.zeros_like(values["probability"])
    if model == "climatology":
        values["probability"] = np.full_like(values["probability"], 0.17)
        values["mean_percent"] = np.full_like(values["mean_percent"], 0.7)
    return values


LEAKING_SCHEMES = (
    SchemeRecord(name="published_split", title="published split (shares every cell)", design="",
                 unit="lattice of patches", in_sample=True, leaks=True),
    *SCHEMES[1:3],
)  # fmt: skip
LEAKING_MODELS = (
    ModelRecord(name="reference", title="published network", kind="reference"),
    *MODELS[1:3],
)


def write_run(
    folder, *, skills=GOOD, seed=3, evaluate=True, records=True, schemes=SCHEMES, models=MODELS,
    change=None,
):  # fmt: skip
    """Cube, predictions, tables and records of a study, as the commands write them.

    `skills` may name a model, or a (scheme, model); `change(layers)` may alter the cube.
    """
    cube = write_small_cube(folder, change=change)
    rng = np.random.default_rng(seed)
    observed = np.asarray(cube.root["observed"].values, bool)
    blocks = (np.add.outer(np.arange(18) // 4, np.arange(24) // 4) % 2)[None]
    fold_of = {
        "random": rng.integers(0, 2, observed.shape),
        "spatial_blocks": np.broadcast_to(blocks, observed.shape),
        "forward_chaining": np.broadcast_to(
            np.array([-1, -1, 0, 1])[:, None, None], observed.shape
        ),
        "same_epoch_blocks": np.broadcast_to(blocks, observed.shape),
        "final": np.zeros(observed.shape, int),
        "published_split": np.zeros(observed.shape, int),
    }
    header = Header(
        schemes=schemes, models=models, not_run=NOT_RUN, levels_percent=(0.0, 0.5), members=2,
        folds=2,
    )  # fmt: skip
    with predictions_writer(folder / "predictions.zarr", cube, header) as writer:
        for scheme in schemes:
            fold = np.where(observed | (scheme.name == "final"), fold_of[scheme.name], -1)
            writer.fold(scheme.name, fold)
            for model in models:
                if scheme.name == "same_epoch_blocks" and model.name != "lightgbm":
                    continue
                if scheme.leaks and model.kind != "reference":
                    continue
                more = {"lightgbm": 3.0} if scheme.name == "same_epoch_blocks" else skills
                more = {**more, model.name: more.get((scheme.name, model.name),
                                                     more.get(model.name, 0.0))}  # fmt: skip
                values = fields_of(cube, model.name, more, rng)
                for array in values.values():
                    array[fold < 0] = np.nan
                writer.fields(scheme.name, model.name, values)
                writer.thresholds(scheme.name, model.name, 0, np.array([[0.3, 0.2], [0.3, 0.2]]))
                writer.thresholds(scheme.name, model.name, 1, np.array([[0.3, 0.2], [0.3, 0.2]]))
    if evaluate:
        evaluate_predictions(open_predictions(folder), folder, SETTINGS)
    if records:
        write_records(folder)
    return folder


def write_records(folder):
    """summary.json, provenance.json, config.yaml and the maps of the cube."""
    cube = open_cube(folder)
    layer = {
        "layer": "slope_deg", "group": "pixels", "unit": "degree", "minimum": 0.0, "median": 30.0,
        "maximum": 60.0, "missing": 0, "filled": 3, "censored": 0, "source": "dem.tif",
    }  # fmt: skip
    summary = {"layers": [layer], "notes": ["mask: decided once | a_b"]}
    (folder / "summary.json").write_text(json.dumps(summary))
    panel = MapPanel(
        values=np.asarray(cube.root["area_density"].values[0], np.float64),
        extent_m=cube.grid.bounds, title="landslides", unit="% of the cell", kind="log",
    )  # fmt: skip
    draw_map_pages([panel], folder / "figures" / "cube.png", title="Cube", synthetic=True)
    fit = {
        "scheme": "forward_chaining", "fold": 0, "fold_name": "pre 2016", "name": "default",
        "kind": "network", "members": 2,
        "seed": 7, "train": 800, "validation": 90, "test": 420, "seconds": 12.34,
        "train_cells": "ab" * 32, "resumed": False,
    }  # fmt: skip
    provenance = {
        "command": "python -m hazard.fit configs/small.yaml", "overrides": ["seed=7"], "seed": 7,
        "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:05:00+00:00",
        "seconds_per_part": {"target": 0.2}, "versions": {"python": "3.11", "numpy": "2.4"},
        "inputs": [{"role": "target.file", "path": "a/b.tif", "sha256": "cd" * 32, "bytes": 12}],
        "fit": {"fits": [fit], "seconds": {"fits": 100.0}, "device": "cpu",
                "peak_memory_gib": 1.5},
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(provenance))
    (folder / "config.yaml").write_text("name: small\ntitle: '```odd``` title'\n")
