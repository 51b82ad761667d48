"""Conformal coverage on the embedded world: by epoch, by stratum, and of an epoch to come.

    python -m benchmarks.conformal_embedded --worlds 200 --kept runs/replays

1. Other places in the same epoch. One embedded world of 64 x 80 cells; its seventh and eighth epoch
   are played again from the state before them. The first replays make a law of every cell, the
   others are outcomes. A forecast that is wrong on purpose (log odds drawn 0.7 together, spread of
   ln density 0.6 of the true one) is calibrated on half of the 10 km blocks of an epoch, drawn anew
   in every world, and judged on the other half. What is resampled: outcomes (whole replays, with
   shared footprints, images and epoch effects) and the choice of blocks; terrain, triggers and
   earlier landslides stay.
2. An epoch to come. One world of 32 x 40 cells, its eight epochs played again as whole histories.
   The forecast of an epoch is the frequency over other histories: right on average, and without any
   knowledge of what makes an epoch active. Seven epochs calibrate, one that is drawn at random is
   judged.

Coverage of upper bounds at 90 % (first part) and 80 % (second), mean over worlds and its standard
error, the randomised set and the closed interval. Markdown tables.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.embedded_replays import histories_of, replays_of
from benchmarks.residual_embedded import BLOCK_M, EPOCHS, Known, known_law
from stats.calibration.coverage import strata_of
from stats.conformal.intervals import conformal_intervals
from stats.conformal.scores import covered_terms
from stats.laws.hurdle import Hurdle
from stats.resampling.folds_spatial import block_of_cells

Array = np.ndarray[Any, np.dtype[Any]]
CLASSES = ("lowest fifth", "second", "third", "fourth", "highest fifth")


def wrong_law(known: Known) -> Hurdle:
    """The forecast that conformal rules have to put right."""
    return known.law(stretch=0.7, spread=0.6)


def mean_text(values: Sequence[float]) -> str:
    """Mean and its standard error over worlds."""
    x = np.asarray(values)
    return f"{x.mean():.3f} ± {x.std(ddof=1) / np.sqrt(x.size):.3f}"


def places(known: Known, worlds: int, rng: np.random.Generator, level: float) -> None:
    """Coverage of places that the rule was not calibrated on, by epoch and stratum."""
    law = wrong_law(known)
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for world in range(worlds):
        value = np.minimum(known.outcomes[world], 100.0)
        for epoch in np.unique(known.epoch):
            here = np.flatnonzero(known.epoch == epoch)
            stratum = strata_of(law.take(here).mean(), 5)
            block = block_of_cells(known.x_m[here], known.y_m[here], block_m=BLOCK_M)
            chosen = rng.random(block.max() + 1) < 0.5
            fit, test = chosen[block], ~chosen[block]
            old, new = law.take(here[fit]), law.take(here[test])
            seen, later = value[here[fit]], value[here[test]]
            cover = {"none": covered_terms(new, later, np.full(test.sum(), level), side="upper")}
            for name, options in (
                ("split", {}),
                ("blocked", {"unit": block[fit], "unit_name": "block"}),
                ("Mondrian by expected density", {"stratum": (stratum[fit], stratum[test])}),
                ("Mondrian, blocked", {"stratum": (stratum[fit], stratum[test]),
                                       "unit": block[fit], "unit_name": "block"}),
            ):  # fmt: skip
                made = conformal_intervals(
                    old, seen, new, level=level, side="upper", rng=rng, **options
                )
                terms = made.coverage(new, later)
                cover[name] = (terms["randomised"], terms["closed"])
            for name, (randomised, closed) in cover.items():
                row = found[name, f"epoch {epoch + 1}"]
                row["all"].append(float(randomised.mean()))
                row["closed"].append(float(closed.mean()))
                for k, label in enumerate(CLASSES):
                    held = stratum[test] == k
                    if held.any():
                        row[label].append(float(randomised[held].mean()))
    print(f"\nOther places of the same epoch, level {level:.0%}, {worlds} worlds:\n")
    columns = ("all", "closed", *(CLASSES[k] for k in (0, 3, 4)))
    print(f"| epoch | rule | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
    for (name, epoch), row in sorted(found.items(), key=lambda item: item[0][1]):
        cells = [mean_text(row[c]) if row.get(c) else "" for c in columns]
        print(f"| {epoch} | {name} | {' | '.join(cells)} |")


def epochs_to_come(known: Known, worlds: int, rng: np.random.Generator, level: float) -> None:
    """Coverage of an epoch that the rule was not calibrated on."""
    law = known.law()
    found: dict[str, list[float]] = defaultdict(list)
    epochs = np.unique(known.epoch)
    for world in range(worlds):
        value = np.minimum(known.outcomes[world], 100.0)
        value = np.where(known.probability > 0.0, value, 0.0)
        test = known.epoch == rng.choice(epochs)
        old, new = law.take(~test), law.take(test)
        for name, options in (
            ("cells pooled", {}),
            ("epochs as units", {"unit": known.epoch[~test], "unit_name": "epoch"}),
        ):
            made = conformal_intervals(
                old, value[~test], new, level=level, side="upper", rng=rng, **options
            )
            found[name].append(float(made.coverage(new, value[test])["randomised"].mean()))
    print(
        f"\nAn epoch to come, {epochs.size - 1} calibration epochs, level {level:.0%}, {worlds} "
        "worlds:\n\n| rule | coverage | a tenth of the worlds below |\n|---|---|---|"
    )
    for name, values in found.items():
        print(f"| {name} | {mean_text(values)} | {np.quantile(values, 0.1):.3f} |")


def main() -> None:
    """Print both tables."""
    from hazard.world.settings import WorldConfig

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--learned", type=int, default=1000, help="replays that make the law")
    parser.add_argument("--histories", type=int, default=400, help="that make the law of part 2")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=Path("runs/replays"))
    options = parser.parse_args()
    rng = np.random.default_rng([options.seed, 9])
    large = WorldConfig(extent_cells=(64, 80), pixels_per_cell=8, seed=options.seed)
    replays = replays_of(
        large, epochs=EPOCHS, n_replays=options.learned + options.worlds, knowledge="state",
        folder=options.kept,
    )  # fmt: skip
    places(known_law(replays, learned=options.learned), options.worlds, rng, 0.9)
    small = WorldConfig(extent_cells=(32, 40), pixels_per_cell=8, seed=options.seed)
    histories = histories_of(
        small, n_histories=options.histories + options.worlds, folder=options.kept
    )
    epochs_to_come(known_law(histories, learned=options.histories), options.worlds, rng, 0.8)


if __name__ == "__main__":
    main()
