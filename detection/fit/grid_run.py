"""The search of a study over settings of training: a table, and the best combination."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from detection.config.schema import DetectionConfig
from detection.fit.data import PROMISE_NOTHING
from detection.fit.folder import GRID, GRID_TRIALS, write_table
from detection.training.configured import (
    choice_of,
    hook_of,
    imbalance_of,
    inputs_of,
    parallel_of,
    recipe_of,
)
from detection.training.grid import Trial, TrialResult, best_trial, make_trials, search
from detection.training.study import StudyPatches
from hazard.errors import UsageError
from hazard.training.programs import ProgramCache
from stats.command.frame import Session


def grid_run(
    config: DetectionConfig, study: StudyPatches, run: Path, session: Session, *, resume: bool
) -> tuple[str, Trial, tuple[TrialResult, ...]]:
    """Search, write grid.csv, and tell the best combination.

    The test part is not touched: every combination is judged on the validation patches.

    Returns:
        Label of the network, its best combination, and all results.

    Raises:
        UsageError: the configuration has no grid.
    """
    section = config.grid
    if section is None:
        raise UsageError("--grid: found no key 'grid' in the configuration; expected values to try")
    label = section.network or config.networks[0].title
    network = next(n for n in config.networks if n.title == label)
    training = config.training_of(network)
    recipe = recipe_of(training)
    if section.epochs is not None:
        recipe = replace(recipe, epochs=section.epochs)
    trials = make_trials(
        learning_rate=section.learning_rate, batch_size=section.batch_size, filters=section.filters
    )
    with session.reporter.task(f"grid of {label}", len(trials)) as advance:

        def tell(number: int, result: TrialResult) -> None:
            score = "no score" if result.f1 is None else f"F1 {result.f1:.4f}"
            session.log.info(
                f"grid {number + 1}/{len(trials)}: {_words(result.trial)}: {score} on validation "
                f"patches, {result.seconds:.0f} s", **result.row(),
            )  # fmt: skip
            advance()

        results = search(
            trials, choice_of(network, training), study.training, study.validation, recipe=recipe,
            folder=run / GRID_TRIALS, resume=resume, tell=tell,
            inputs=inputs_of(config.preparation_of(network)), imbalance=imbalance_of(training),
            members=training.members, seed=config.seed, augment=hook_of(training),
            measure=training.threshold, allow_overlap=config.split.by in PROMISE_NOTHING,
            parallel=parallel_of(training), cache=ProgramCache(),
        )  # fmt: skip
    best = best_trial(results)
    rows = [{"network": label, **result.row(), "best": result is best} for result in results]
    write_table(run / GRID, rows)
    session.log.info(f"grid: best on validation patches: {_words(best.trial)}")
    return label, best.trial, results


def _words(trial: Trial) -> str:
    parts = {
        "filters": trial.filters, "batch": trial.batch_size, "learning rate": trial.learning_rate,
    }  # fmt: skip
    return ", ".join(f"{key} {value:g}" for key, value in parts.items() if value is not None)
