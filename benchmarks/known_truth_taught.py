"""What the record can tell: a forecaster taught by other worlds, against the known probability.

    python -m benchmarks.known_truth_taught --worlds 16 --test 2 [--taught 3 7 15]

The oracle knows hidden drivers and the true state, which no record holds. How much of the way to it
can a record lead at all? Here boosted trees learn the law of the world from other worlds (their
last five epochs with all that was mapped, the season known by the number of the epoch), and
forecast the last two epochs of a world that they never saw from its record and its visible drivers.
A forecaster of one study has a few epochs of one world to learn from; its regret is no smaller than
this one's, but for what these features and trees leave out. "Inventories" adds what the cumulative
inventories show besides increases: the area that is visible now, the largest it ever was, and how
it changed with the last images, decreases included. Regret as in benchmarks.known_truth,
with the share of positives in earlier epochs of the same world as the climatology.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import lightgbm
import numpy as np
from scipy import ndimage

from benchmarks.known_truth import mean_interval
from hazard.world.known_truth import KnownTruth, known_truth
from hazard.world.settings import LATTICE_PER_CELL, WorldConfig
from hazard.world.simulate import Simulation, simulate_observed
from stats.calibration.linear import regression_line
from stats.calibration.rates import correct_mean
from stats.scores.known_probability import (
    entropy_of_counts,
    expected_log_terms,
    regret_share,
)

Array = np.ndarray[Any, np.dtype[Any]]
FIRST_EPOCH = 3
WIDTHS_CELLS = (0.7, 1.5, 3.0, 6.0, 12.0)
VISIBLE = (
    "slope_deg", "hollow", "wetness", "stream_proximity", "height", "relief_km", "ln_pga",
)  # fmt: skip
TREES: dict[str, Any] = {
    "objective": "binary", "learning_rate": 0.03, "num_leaves": 31, "feature_fraction": 0.4,
    "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 20.0, "max_bin": 127, "verbose": -1,
    "num_threads": 1, "seed": 1, "deterministic": True,
}  # fmt: skip


def features(world: Simulation) -> tuple[Array, Array, int]:
    """Inputs and presence from the fourth epoch on.

    Returns:
        (epoch, cell, feature), those of the inventories last; (epoch, cell) presence; how many
        features are those of the inventories.
    """
    mapped = world.ground.mapped
    rows, cols = mapped.shape

    def cells(field: Array) -> Array:
        n = LATTICE_PER_CELL
        return field.astype(float).reshape(rows, n, cols, n)

    weight = mapped.astype(float)

    def around(field: Array, width: float) -> Array:
        total = ndimage.gaussian_filter(field * weight, width)
        return total / np.maximum(ndimage.gaussian_filter(weight, width), 1e-6)

    fixed: list[Array] = []
    for name in VISIBLE:
        part = cells(getattr(world.drivers, name))
        fixed += [part.mean(axis=(1, 3)), part.std(axis=(1, 3)), part.max(axis=(1, 3))]
    density = np.where(mapped, np.nan_to_num(world.density_percent), 0.0)
    present = (density > 0.0).astype(float)
    logs = np.log(density + 1e-3)
    found = []
    for epoch in range(FIRST_EPOCH, density.shape[0]):
        past, sizes = present[:epoch], logs[:epoch]
        rain = cells(world.drivers.rain_score[epoch]).mean(axis=(1, 3))
        columns = [*fixed, rain, np.full(mapped.shape, float(epoch))]
        for width in WIDTHS_CELLS:
            fields = (past.mean(axis=0), past[0], past[-1], past[-2], sizes.mean(axis=0))
            columns += [around(field, width) for field in fields]
        columns += [density[:epoch].sum(axis=0), density[:epoch].max(axis=0), past.mean(axis=0)]
        columns += [*density[:FIRST_EPOCH], *density[epoch - 3 : epoch], sizes.mean(axis=0)]
        # Visit 0 is before the earthquake, so visit `epoch` is the one before the epoch's images.
        visible = np.where(mapped, world.area_m2[: epoch + 1], 0.0)
        shown = [
            visible[-1], visible.max(axis=0), visible.max(axis=0) - visible[-1],
            visible[-1] - visible[-2], visible[-2] - visible[-3],
        ]  # fmt: skip
        shown += [around(field, 1.0) for field in shown]
        found.append(np.stack([*columns, *shown], axis=-1)[mapped])
    return np.stack(found), density[FIRST_EPOCH:, mapped] > 0.0, len(shown)


def forecast(train: list[tuple[Array, Array]], inputs: Array) -> Array:
    """(epoch, cell) probability, by trees taught by all epochs of the training worlds."""
    x = np.concatenate([a.reshape(-1, a.shape[-1]) for a, _ in train])
    y = np.concatenate([b.ravel() for _, b in train])
    settings = {**TREES, "min_data_in_leaf": 100 + 20 * len(train)}
    trees = lightgbm.train(settings, lightgbm.Dataset(x, y), 300 + 25 * min(len(train), 20))
    return np.asarray(trees.predict(inputs.reshape(-1, inputs.shape[-1]))).reshape(inputs.shape[:2])


def regrets(p: Array, truth: KnownTruth, climatology: Array) -> tuple[float, float, float]:
    """Regret raw and with the rate of each epoch corrected, and slope, both epochs together."""
    known = truth.probability[:, truth.mapped]
    oracle = float(entropy_of_counts(truth.events[:, truth.mapped], truth.n_replays).mean())
    rates = known.mean(axis=1, keepdims=True)
    shifted = np.stack(
        [correct_mean(a, float(r)).probability for a, r in zip(p, rates[:, 0], strict=True)]
    )
    found = []
    for values, constant in ((p, climatology), (shifted, rates)):
        everywhere = np.broadcast_to(constant, known.shape)
        found.append(
            regret_share(
                float(expected_log_terms(values, known).mean()), oracle,
                float(expected_log_terms(everywhere, known).mean()),
            )
        )  # fmt: skip
    return found[0], found[1], regression_line(p, known).slope


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=16, help="seeds 1 to this number")
    parser.add_argument("--test", type=int, default=2, help="worlds that are forecast, the first")
    parser.add_argument("--taught", type=int, nargs="+", help="worlds to learn from; default: all")
    parser.add_argument("--replays", type=int, default=100)
    parser.add_argument("--extent", type=int, nargs=2, default=(64, 80))
    options = parser.parse_args()
    start = time.monotonic()
    data: dict[int, tuple[Array, Array]] = {}
    extra = 0
    truths: dict[int, KnownTruth] = {}
    past: dict[int, Array] = {}
    for seed in range(1, options.worlds + 1):
        config = WorldConfig(extent_cells=tuple(options.extent), pixels_per_cell=4, seed=seed)
        world = simulate_observed(config)
        inputs, present, extra = features(world)
        data[seed] = inputs, present
        if seed <= options.test:
            last = [config.n_epochs - 2, config.n_epochs - 1]
            truths[seed] = known_truth(config, world, epochs=last, n_replays=options.replays)
            seen = world.density_percent[:, world.ground.mapped] > 0.0
            past[seed] = np.array([[seen[:e].mean()] for e in last])
        print(f"world {seed}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print("| taught by | record | regret | regret, rate-corrected | slope |\n|---|---|---|---|---|")
    for number in options.taught or [options.worlds - 1]:
        for record, end in (("increases", -extra), ("inventories", None)):
            rows = []
            for seed, truth in truths.items():
                others = [(data[s][0][..., :end], data[s][1]) for s in data if s != seed]
                p = forecast(others[-number:], data[seed][0][-2:, :, :end])
                rows.append(regrets(p, truth, past[seed]))
            text = []
            for column in zip(*rows, strict=True):
                mean, low, high = mean_interval(column)
                text.append(
                    f"{mean:.3f}" + ("" if np.isnan(low) else f" ({low:.3f} to {high:.3f})")
                )
            print(f"| {number} worlds | {record} | " + " | ".join(text) + " |", flush=True)


if __name__ == "__main__":
    main()
