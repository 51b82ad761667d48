"""Forward scores of the baselines on a study: train on the past, test on the next epoch.

    python -m hazard.cube configs/gorkha.yaml --out runs/gorkha
    python benchmarks/baselines.py runs/gorkha [--keep 4] [--epochs 2 3 4] [--models lightgbm ...]

prints, per test epoch (numbered from 1) and baseline: n, AUC, average precision, Brier and log
score of presence, raw and after correction of the epoch mean (all log odds shifted by one number
until the mean probability is the observed share), CRPS of density, and predicted over observed
total area. ``--roles all`` trains on every cell-epoch of the past; ``--roles stored`` keeps to the
training part of the cube's own forward chaining, which sets a validation part and its buffer aside.
``--keep N`` drops all epochs after the first N before anything is computed.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, roc_auc_score

from hazard.baselines.registry import BASELINES
from hazard.cube.cell_features import (
    CellTargets,
    features_of_cube,
    targets_of_cube,
    windows_within,
    with_past,
)
from hazard.cube.cube_batches import designs_of_cube
from hazard.cube.layout import open_cube
from hazard.variables import PAST_WINDOWS
from stats.resampling.folds import TEST
from stats.resampling.folds_temporal import forward_chaining
from stats.scores.brier import brier_terms
from stats.scores.crps import crps_terms
from stats.scores.logarithmic import log_terms

HEAD = (
    f"{'epoch':>5} {'model':17} {'n':>6} {'AUC':>6} {'AP':>6} {'Brier':>7} {'corr.':>7} "
    f"{'log':>7} {'corr.':>7} {'CRPS':>7} {'area':>5} {'s':>4}"
)


def corrected(probability: Any, share: float) -> Any:
    """Log odds shifted until the mean is `share`; 0 and 1 stay where they are."""
    inside = (probability > 0) & (probability < 1)
    if not inside.any():
        return probability
    odds = logit(probability[inside])
    wanted = share * probability.size - probability[~inside].sum()
    shift = brentq(lambda s: expit(odds + s).sum() - wanted, -30, 30)
    out = probability.copy()
    out[inside] = expit(odds + shift)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder with cube.zarr")
    parser.add_argument("--epochs", type=int, nargs="*", help="test epochs, from 2; all if absent")
    parser.add_argument("--keep", type=int, help="epochs kept, from the first; all if absent")
    parser.add_argument("--models", nargs="*", choices=sorted(BASELINES), default=list(BASELINES))
    parser.add_argument("--roles", choices=("all", "stored"), default="all")
    parser.add_argument("--past", choices=("with", "without"), default="with")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cube = open_cube(arguments.run)
    bare, targets = features_of_cube(cube), targets_of_cube(cube)
    keep = arguments.keep or bare.n_epochs
    bare = replace(bare, values=bare.values[:keep])
    targets = CellTargets(
        area_density=targets.area_density[:keep], observed=targets.observed[:keep]
    )
    windows = windows_within(PAST_WINDOWS, bare.shape)
    if arguments.roles == "all":
        design = forward_chaining(targets.observed)
        roles = design.role
    else:
        roles = designs_of_cube(cube)["forward_chaining"].role[:, :keep, bare.cell_flat]
        roles = [role for role in roles if (role == TEST).any()]
    print(f"{cube.title}{' SYNTHETIC' if cube.synthetic else ''}; roles {arguments.roles}, "
          f"{arguments.past} past records, seed {arguments.seed}")  # fmt: skip
    print(HEAD)
    for role in roles:
        test = role == TEST
        epoch = int(np.flatnonzero(test.any(axis=1))[0]) + 1
        if arguments.epochs and epoch not in arguments.epochs:
            continue
        features = bare
        if arguments.past == "with":
            features = with_past(bare, targets, role, windows=windows)
        truth, density = targets.presence()[test], targets.area_density[test]
        for name in arguments.models:
            entry = BASELINES[name]
            reason = entry.missing()
            if reason is not None or (entry.needs_past and arguments.past == "without"):
                print(f"{epoch:5d} {name:17} not run: {reason or 'it needs past records'}")
                continue
            start = time.monotonic()
            fitted = entry.fit(features, targets.area_density, role, seed=arguments.seed)
            forecast = fitted.predict(features)
            seconds = time.monotonic() - start
            p = forecast.probability[test]
            shifted = corrected(p, float(truth.mean()))
            row = [
                roc_auc_score(truth, p), average_precision_score(truth, p),
                brier_terms(p, truth).mean(), brier_terms(shifted, truth).mean(),
                log_terms(p, truth).mean(), log_terms(shifted, truth).mean(),
                crps_terms(forecast.law(test), density).mean(),
                forecast.expected_percent[test].sum() / density.sum(),
            ]  # fmt: skip
            print(f"{epoch:5d} {name:17} {truth.size:6d} {row[0]:6.3f} {row[1]:6.3f} "
                  + " ".join(f"{v:7.4f}" for v in row[2:7]) + f" {row[7]:5.2f} {seconds:4.0f}",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
