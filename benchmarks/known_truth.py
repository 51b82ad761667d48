"""Forward forecasts against the known probability of embedded worlds.

    python -m benchmarks.known_truth --seeds 10 [--out runs/known_truth] [--set a.b=c ...]

For each seed: the embedded world of the configuration and its cube, forward chaining (its last two
folds) of the networks and baselines of the configuration by `hazard.estimate`, and the probability
of a mapped increase by replays (`hazard.world.known_truth`). The table has, per model, raw and
after correction of the epoch mean to the mean known probability, as means over worlds with 95 %
intervals (Student t over worlds):

slope     of the linear regression of the known on the predicted probability
score     expected log score under the known probability [nat]
regret    (score - oracle) / (climatology - oracle); the climatology is that of the training epochs
model - x expected log score of the first network minus that of each other model, paired by world

Everything is kept by seed under --out: a seed that is done is not done again, and fits of an
interrupted one are found. Fits made by other code (of the rooms that decide a forecast) are made
anew; --fresh makes all anew.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from stats.calibration.linear import regression_line
from stats.calibration.rates import correct_mean
from stats.case_arrays import UndefinedScoreError
from stats.command.frame import Session
from stats.scores.known_probability import entropy_of_counts, expected_log_terms

Array = np.ndarray[Any, np.dtype[Any]]
SCHEME, REFERENCE = "forward_chaining", "climatology"
ROOT = Path(__file__).resolve().parents[1]
# What decides a forecast; a change here makes kept fits stale.
ROOMS = ("baselines", "cube", "estimate", "models", "training")
BOTH = "both"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One model in one world and test epoch (or both), against one oracle.

    `oracle_error` is the Monte Carlo standard error of `score - oracle` (jackknife over batches of
    replays).
    """

    seed: int
    oracle_knows: str
    epoch: str
    model: str
    corrected: bool
    n: int
    slope: float
    intercept: float
    score: float
    oracle: float
    oracle_error: float
    mean_forecast: float
    mean_known: float
    mean_observed: float


def score_rows(seed: int, truth: Any, forecasts: Mapping[str, Array], observed: Array) -> list[Row]:
    """Every model against one oracle, raw and corrected, by epoch and together.

    Args:
        seed: of the world.
        truth: `hazard.world.known_truth.KnownTruth`.
        forecasts: (epoch, y, x) probability by model, in the epochs of the truth.
        observed: (epoch, y, x) presence in these epochs.
    """
    mapped = truth.mapped
    hits, known = truth.hits[..., mapped], truth.probability[:, mapped]
    rows = []
    for model, probability in forecasts.items():
        raw = probability[:, mapped].astype(np.float64)
        shifted = raw.copy()
        for e in range(len(truth.epochs)):
            try:
                shifted[e] = correct_mean(raw[e], float(known[e].mean())).probability
            except UndefinedScoreError:
                # No shift moves a forecast of zeros: it stays what it is.
                shifted[e] = raw[e]
        parts = [(str(epoch), slice(e, e + 1)) for e, epoch in enumerate(truth.epochs)]
        for corrected, p in ((False, raw), (True, shifted)):
            for name, part in [*parts, (BOTH, slice(None))]:
                rows.append(
                    _row(seed, truth, name, model, corrected, p[part], hits[:, part],
                         observed[part][:, mapped])
                )  # fmt: skip
    return rows


def _row(
    seed: int, truth: Any, epoch: str, model: str, corrected: bool, p: Array, hits: Array,
    observed: Array,
) -> Row:  # fmt: skip
    batches, replays = hits.shape[0], truth.n_replays
    events = hits.sum(axis=0)

    def against(counts: Array, trials: int) -> tuple[float, float]:
        score = expected_log_terms(p, counts / trials).mean()
        return float(score), float(entropy_of_counts(counts, trials).mean())

    score, oracle = against(events, replays)
    error = math.nan
    if np.isfinite(score) and batches > 1:
        fewer = replays - replays // batches
        left = [np.subtract(*against(events - hits[b], fewer)) for b in range(batches)]
        error = float(np.sqrt((batches - 1) * np.var(left)))
    known = events / replays
    try:
        line = regression_line(p, known)
        slope, intercept = line.slope, line.intercept
    except UndefinedScoreError:
        slope, intercept = math.nan, math.nan
    return Row(
        seed=seed, oracle_knows=truth.knowledge, epoch=epoch, model=model, corrected=corrected,
        n=p.size, slope=slope, intercept=intercept, score=score, oracle=oracle, oracle_error=error,
        mean_forecast=float(p.mean()), mean_known=float(known.mean()),
        mean_observed=float(observed.mean()),
    )  # fmt: skip


def world_study(config: Any, seed: int, **world: Any) -> Any:
    """The configuration of one seed: its embedded world, forward chaining, nothing else."""
    if config.if_missing is None:
        raise SystemExit("the configuration has no if_missing.world")
    planted = config.if_missing.world
    planted = type(planted).model_validate({**planted.model_dump(), **world, "seed": seed})
    schemes = tuple(s for s in config.fit.schemes if s.design == SCHEME)
    folds = tuple(f for f in config.cube.folds if f.design == SCHEME)
    fit = config.fit.model_copy(
        update={"schemes": schemes, "final": None, "ceiling": None, "climatological_rain": False}
    )
    return config.model_copy(
        update={
            "name": f"known_truth_{seed}", "seed": seed, "study": None, "target": None,
            "terrain": None, "shaking": None, "rain": None, "layers": (), "fit": fit,
            "cube": config.cube.model_copy(update={"folds": folds}),
            "if_missing": config.if_missing.model_copy(update={"world": planted}),
        }
    )  # fmt: skip


def run_world(
    study: Any, folder: Path, session: Session, *, replays: int, oracles: Sequence[str]
) -> list[Row]:
    """Build, fit, replay and score one world; finished fits in the folder are used.

    Args:
        study: of `world_study`.
        folder: run folder of the world.
        session: log and progress.
        replays: of each epoch and oracle.
        oracles: what they know.
    """
    from hazard.archive.names import PREDICTIONS_NAME
    from hazard.archive.predictions import open_predictions
    from hazard.cube.layout import open_cube
    from hazard.cube.run import run_cube
    from hazard.estimate.run import estimate_run

    cube = open_cube(run_cube(study, folder, session).path)
    estimate_run(folder, cube, study, session, resume=True)
    predictions = open_predictions(folder / PREDICTIONS_NAME)
    epochs = np.flatnonzero((predictions.fold(SCHEME) >= 0).any(axis=(1, 2)))
    truths = _truths(study, folder, [int(e) for e in epochs], session, replays, oracles)
    forecasts = {
        m.name: predictions.field("probability", SCHEME, m.name)[epochs]
        for m in predictions.header.models
        if not m.variant_of and predictions.has(SCHEME, m.name)
    }
    observed = predictions.area_density[epochs] > 0
    rows = []
    for truth in truths.values():
        if not (truth.mapped == predictions.mask).all():
            raise RuntimeError("the cube's mask is not the world's")
        rows += score_rows(study.seed, truth, forecasts, observed)
    return rows


def _truths(
    study: Any, folder: Path, epochs: list[int], session: Session, replays: int,
    oracles: Sequence[str],
) -> dict[Any, Any]:  # fmt: skip
    from hazard.errors import DataError
    from hazard.world.known_truth import known_truth, read_known_truth, write_known_truth
    from hazard.world.simulate import simulate_observed

    path, config = folder / "known_truth.nc", study.if_missing.world
    try:
        found = read_known_truth(path, config)
        if set(found) >= set(oracles) and all(
            t.epochs == tuple(epochs) and t.n_replays == replays for t in found.values()
        ):
            return {name: found[name] for name in found if name in oracles}
    except DataError:
        session.log.info(f"{path.name}: not there yet")
    world = simulate_observed(config)
    made = []
    for oracle in oracles:
        steps = replays * (1 if oracle == "drivers" else len(epochs))
        with session.reporter.task(f"replays: {oracle}", steps) as advance:
            made.append(
                known_truth(config, world, epochs=epochs, n_replays=replays, knowledge=oracle,  # type: ignore[arg-type]
                            progress=advance)
            )  # fmt: skip
    write_known_truth(path, config, made)
    return {truth.knowledge: truth for truth in made}


def mean_interval(values: Iterable[float]) -> tuple[float, float, float]:
    """Mean over worlds and its 95 % interval (Student t); NaN limits for one world.

    Example:
        >>> [round(v, 3) for v in mean_interval([1.0, 2.0, 3.0])]
        [2.0, -0.484, 4.484]
    """
    x = np.asarray(list(values), dtype=float)
    if x.size < 2 or not np.isfinite(x).all():
        return float(x.mean()), math.nan, math.nan
    half = stats.t.ppf(0.975, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size)
    return float(x.mean()), float(x.mean() - half), float(x.mean() + half)


def summarise(rows: Sequence[Row], first: str) -> list[dict[str, Any]]:
    """Per oracle, epoch, correction and model: means over worlds, with intervals.

    Args:
        rows: of all worlds.
        first: the model whose paired differences to the others are taken.
    """
    by = {(r.seed, r.oracle_knows, r.epoch, r.corrected, r.model): r for r in rows}
    seeds = sorted({r.seed for r in rows})
    groups = dict.fromkeys((r.oracle_knows, r.epoch, r.corrected, r.model) for r in rows)
    table = []
    for knows, epoch, corrected, model in groups:

        def of(name: str, key: tuple[Any, ...] = (knows, epoch, corrected)) -> list[Row]:
            return [by[(seed, *key, name)] for seed in seeds]

        mine, climatology, network = of(model), of(REFERENCE), of(first)
        regret = [
            (m.score - m.oracle) / (c.score - c.oracle)
            for m, c in zip(mine, climatology, strict=True)
        ]
        paired = [n.score - m.score for n, m in zip(network, mine, strict=True)]
        entry: dict[str, Any] = {
            "oracle_knows": knows, "epoch": epoch, "corrected": corrected, "model": model,
            "worlds": len(seeds), "cells": sum(m.n for m in mine),
        }  # fmt: skip
        for name, values in (
            ("slope", [m.slope for m in mine]), ("score", [m.score for m in mine]),
            ("oracle", [m.oracle for m in mine]), ("regret", regret),
            ("paired", paired), ("mean_forecast", [m.mean_forecast for m in mine]),
            ("mean_known", [m.mean_known for m in mine]),
            ("mean_observed", [m.mean_observed for m in mine]),
            ("oracle_error", [m.oracle_error for m in mine]),
        ):  # fmt: skip
            mean, low, high = mean_interval(values)
            entry |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        entry["worlds_better"] = sum(d < 0 for d in paired)
        table.append(entry)
    return table


def print_table(table: Sequence[Mapping[str, Any]], first: str) -> None:
    """The table in Markdown, one part per oracle, epoch and correction."""

    def cell(entry: Mapping[str, Any], name: str, digits: int) -> str:
        low, high = entry[f"{name}_low"], entry[f"{name}_high"]
        text = f"{entry[name]:.{digits}f}"
        return text if math.isnan(low) else f"{text} ({low:.{digits}f} to {high:.{digits}f})"

    for key in dict.fromkeys((e["oracle_knows"], e["epoch"], e["corrected"]) for e in table):
        part = [e for e in table if (e["oracle_knows"], e["epoch"], e["corrected"]) == key]
        knows, epoch, corrected = key
        mean = part[0]
        print(
            f"\noracle: {knows}; test epochs: {epoch}; {'rate-corrected' if corrected else 'raw'}; "
            f"{mean['worlds']} worlds, {mean['cells']} cell-epochs; oracle "
            f"{cell(mean, 'oracle', 4)} nat; mean known probability {mean['mean_known']:.4f}, "
            f"observed {mean['mean_observed']:.4f}\n"
        )
        print(f"| model | slope | score | regret | {first} - model | better in |")
        print("|---|---|---|---|---|---|")
        for e in part:
            paired = "" if e["model"] == first else cell(e, "paired", 4)
            better = "" if e["model"] == first else f"{e['worlds_better']} of {e['worlds']}"
            print(
                f"| {e['model']} | {cell(e, 'slope', 3)} | {cell(e, 'score', 4)} | "
                f"{cell(e, 'regret', 3)} | {paired} | {better} |"
            )


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Tidy rows, beside and then renamed."""
    from hazard.geo.beside import write_beside

    with write_beside(path) as part, part.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def code_hash() -> str:
    """SHA-256 of the code that decides a forecast."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((ROOT / "hazard" / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Run the worlds that are not done, and print the table of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "gorkha.yaml")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="A.B=C")
    parser.add_argument("--seeds", type=int, default=10, help="number of worlds")
    parser.add_argument("--first-seed", type=int, default=1, help="seed of the first world")
    parser.add_argument("--replays", type=int, default=200, help="of each epoch, a multiple of 10")
    parser.add_argument("--oracles", nargs="+", default=["state", "intensity"])
    parser.add_argument("--pixels-per-cell", type=int, help="of the world; default: configured")
    parser.add_argument("--out", type=Path, default=Path("runs/known_truth"))
    parser.add_argument("--fresh", action="store_true", help="make every fit and score anew")
    options = parser.parse_args()
    from hazard.config.schema import load_config
    from hazard.training.platform import set_cpu_flags
    from stats.command.frame import session

    set_cpu_flags()
    config = load_config(options.config, overrides=options.overrides)
    world = {} if options.pixels_per_cell is None else {"pixels_per_cell": options.pixels_per_cell}
    first = (config.fit.networks or config.fit.baselines)[0]
    rows: list[Row] = []
    with session(debug=True) as talk:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            study = world_study(config, seed, **world)
            folder = options.out / f"seed_{seed:02d}"
            rows += _world_rows(study, folder, talk, options)
            table = summarise(rows, first)
            write_csv(options.out / "scores.csv", [dataclasses.asdict(r) for r in rows])
            write_csv(options.out / "summary.csv", table)
    print_table(table, first)


def _world_rows(study: Any, folder: Path, session: Session, options: Any) -> list[Row]:
    from hazard.archive.names import WORK_FOLDER
    from hazard.cube.layout import CUBE_NAME
    from hazard.geo.beside import write_beside

    key = {
        "code": code_hash(), "study": study.model_dump(mode="json"), "replays": options.replays,
        "oracles": options.oracles,
    }  # fmt: skip
    done, code = folder / "scores.json", folder / "code.txt"
    if done.exists() and not options.fresh:
        kept = json.loads(done.read_text())
        if kept["key"] == key:
            session.log.info(f"seed {study.seed}: found finished")
            return [Row(**row) for row in kept["rows"]]
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if options.fresh or not code.exists() or code.read_text() != key["code"]:
        # Made by other code: away with it before the new code signs for what lies here.
        for name in (CUBE_NAME, WORK_FOLDER):
            shutil.rmtree(folder / name, ignore_errors=True)
        with write_beside(code) as part:
            part.write_text(str(key["code"]))
    rows = run_world(study, folder, session, replays=options.replays, oracles=options.oracles)
    with write_beside(done) as part:
        part.write_text(json.dumps({"key": key, "rows": [dataclasses.asdict(r) for r in rows]}))
    session.log.info(f"seed {study.seed}: {time.monotonic() - started:.0f} s")
    return rows


if __name__ == "__main__":
    main()
