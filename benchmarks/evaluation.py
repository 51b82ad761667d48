"""Time and memory of scoring a run of Gorkha's size: 21,360 cells, 6 epochs, 8 models, 5 schemes.

python -m benchmarks.evaluation --draws 500
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from hazard.evaluate.run import evaluate_predictions
from hazard.evaluate.settings import EvaluationSettings
from stats.command.log import Log
from stats.command.progress import make_reporter
from tests.hazard.evaluate.planted import law_fields, model, planted_run, scheme, world

SHAPE, CELLS, EPOCHS = (196, 220), 21_360, 6
MODELS = (
    *(
        model(name)
        for name in (
            "zero", "climatology", "persistence_mean", "persistence_last", "regression", "lightgbm",
        )
    ),
    model("default", "network"),
    model("default_dry", "network", variant_of="default", rain="climatological"),
)  # fmt: skip
SCHEMES = (
    scheme("random"),
    scheme("spatial_blocks", separates=("place",)),
    scheme("leave_one_epoch_out", separates=("epoch",)),
    scheme("forward_chaining", separates=("epoch", "future"), folds=5),
    scheme("space_time_blocks", separates=("place", "epoch")),
)


def main() -> None:
    """Print wall and processor seconds, peak memory and the size of the scoreboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    options = parser.parse_args()
    p, mu, density = world(0, shape=SHAPE, epochs=EPOCHS)
    mask = np.zeros(SHAPE, dtype=bool)
    mask.reshape(-1)[:CELLS] = True
    rng = np.random.default_rng(0)
    forecasts = {}
    for record in SCHEMES:
        for number, forecaster in enumerate(MODELS):
            noise = np.exp(rng.normal(0, 0.2 * number, p.shape))
            probability = np.clip(p * noise, 1e-4, 0.999)
            if forecaster.name in ("zero", "climatology"):
                probability = np.full(p.shape, 0.15 * (forecaster.name != "zero"))
            forecasts[record.name, forecaster.name] = law_fields(probability, mu)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predictions = planted_run(
            folder, density, forecasts, schemes=SCHEMES, models=MODELS, mask=mask,
            names=[f"epoch {e}" for e in range(EPOCHS)],
        )  # fmt: skip
        reporter = make_reporter(log=Log(stream=sys.stderr))
        wall, cpu = time.perf_counter(), time.process_time()
        evaluate_predictions(predictions, folder, EvaluationSettings(draws=options.draws), reporter)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        record = json.loads((folder / "evaluation" / "evaluation.json").read_text())
        size = (folder / "scoreboard.csv").stat().st_size / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{options.draws} draws: {wall:.0f} s wall, {cpu:.0f} s processor, peak {peak:.2f} GiB")
    print(f"scoreboard: {record['rows']} rows, {size:.1f} MiB as CSV")


if __name__ == "__main__":
    main()
