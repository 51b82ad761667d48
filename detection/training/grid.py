"""A grid of settings, every combination judged on validation patches and on nothing else."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from detection.patches.patch_set import PatchSet
from detection.training.fit_network import FittedNetwork, NetworkChoice, fit_network
from detection.training.recipes import Recipe
from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.training.records import NonFiniteLossError


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One combination of a grid; None leaves the recipe's value.

    Attributes:
        learning_rate: largest learning rate.
        batch_size: patches per step.
        filters: width of the network.
    """

    learning_rate: float | None = None
    batch_size: int | None = None
    filters: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """How a combination did on validation patches.

    Attributes:
        trial: the combination.
        f1: largest pooled F1 over thresholds; None where training broke off or nothing was found.
        threshold: where it is reached.
        precision: there.
        recall: there.
        loss: last training loss.
        parameters: trainable numbers.
        seconds: of training.
        problem: why there is no score.
    """

    trial: Trial
    f1: float | None
    threshold: float | None
    precision: float | None
    recall: float | None
    loss: float | None
    parameters: int
    seconds: float
    problem: str = ""

    @property
    def iou(self) -> float | None:
        """F1 / (2 - F1), of the same map."""
        return None if self.f1 is None else self.f1 / (2.0 - self.f1)

    def row(self) -> dict[str, Any]:
        """One row of a table."""
        found = {**asdict(self.trial), **asdict(self), "iou": self.iou}
        del found["trial"]
        return found


def make_trials(
    *,
    learning_rate: Sequence[float] = (),
    batch_size: Sequence[int] = (),
    filters: Sequence[int] = (),
) -> tuple[Trial, ...]:
    """Every combination, filters slowest, so that networks of one shape come together.

    Example:
        >>> [(t.filters, t.learning_rate) for t in make_trials(learning_rate=[1e-3, 1e-4],
        ...                                                    filters=[8])]
        [(8, 0.001), (8, 0.0001)]
    """
    return tuple(
        Trial(learning_rate=rate, batch_size=batch, filters=width)
        for width, batch, rate in product(
            filters or (None,), batch_size or (None,), learning_rate or (None,)
        )
    )


def best_trial(results: Sequence[TrialResult]) -> TrialResult:
    """The largest F1 on validation patches; of equal ones the smaller network, then the first.

    Raises:
        DataError: no combination has a score.
    """
    scored = [result for result in results if result.f1 is not None]
    if not scored:
        reasons = "; ".join(sorted({result.problem for result in results})) or "no combination"
        raise DataError("grid", found=f"no score ({reasons})", expected="one on validation patches")
    return max(scored, key=lambda result: (result.f1, -result.parameters))


def apply_trial(
    trial: Trial, choice: NetworkChoice, recipe: Recipe
) -> tuple[NetworkChoice, Recipe]:
    """Network and recipe with the values of a combination."""
    settings = dict(choice.settings)
    if trial.filters is not None:
        settings["filters"] = trial.filters
    rate = trial.learning_rate or recipe.optimiser.learning_rate
    changed = replace(
        recipe, optimiser=replace(recipe.optimiser, learning_rate=rate),
        batch_size=trial.batch_size or recipe.batch_size,
    )  # fmt: skip
    return replace(choice, settings=settings), changed


def search(
    trials: Sequence[Trial],
    choice: NetworkChoice,
    training: PatchSet,
    validation: PatchSet,
    *,
    recipe: Recipe,
    folder: Path | None = None,
    resume: bool = False,
    tell: Callable[[int, TrialResult], None] | None = None,
    **options: Any,
) -> tuple[TrialResult, ...]:
    """Train every combination and score it on the validation patches.

    A training whose loss is not finite is a row with its reason: a rate that is too high is a
    result of a search, not an error.

    Args:
        trials: combinations.
        choice: the network.
        training: patches to train on.
        validation: patches to choose by.
        recipe: what a combination changes.
        folder: where finished combinations are kept; None keeps none.
        resume: take those with equal settings and data from there.
        tell: called with the number and result of every combination.
        options: of `fit_network`, the same for all.
    """
    found = []
    for number, trial in enumerate(trials):
        chosen, changed = apply_trial(trial, choice, recipe)
        file = None
        if folder is not None:
            name = _digest(chosen, changed, training, validation, options)
            file = folder / f"trial-{number:03d}-{name}.json"
        result = _kept(file) if resume and file is not None else None
        if result is None:
            result = _run(trial, chosen, changed, training, validation, options)
            if file is not None:
                with write_beside(file) as part:
                    part.write_text(json.dumps(asdict(result)) + "\n", encoding="utf-8")
        found.append(result)
        if tell is not None:
            tell(number, result)
    return tuple(found)


def _run(
    trial: Trial,
    choice: NetworkChoice,
    recipe: Recipe,
    training: PatchSet,
    validation: PatchSet,
    options: Mapping[str, Any],
) -> TrialResult:
    start = time.monotonic()
    try:
        fitted = fit_network(choice, training, validation, recipe=recipe, **options)
    except NonFiniteLossError as error:
        return TrialResult(
            trial=trial, f1=None, threshold=None, precision=None, recall=None, loss=None,
            parameters=0, seconds=time.monotonic() - start, problem=str(error),
        )  # fmt: skip
    chosen = fitted.model.threshold
    known = chosen.rule != "fixed"
    return TrialResult(
        trial=trial, f1=chosen.f1, threshold=chosen.threshold if known else None,
        precision=chosen.precision, recall=chosen.recall, parameters=_parameters(fitted),
        loss=_mean(fitted.history[-1].loss) if fitted.history else None,
        seconds=time.monotonic() - start,
        problem="" if known else "no landslide among the validation pixels",
    )  # fmt: skip


def _parameters(fitted: FittedNetwork) -> int:
    arrays = fitted.model.variables.params.values()
    return sum(int(value.size) for value in arrays) // fitted.model.members


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _kept(file: Path | None) -> TrialResult | None:
    if file is None or not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return TrialResult(**{**values, "trial": Trial(**values["trial"])})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            file, found=f"no readable result ({error})", expected="one of an earlier search"
        ) from None


def _digest(
    choice: NetworkChoice,
    recipe: Recipe,
    training: PatchSet,
    validation: PatchSet,
    options: Mapping[str, Any],
) -> str:
    """Of all that a result depends on; data by a hash of their values."""
    parts = [repr(choice), repr(recipe), _data(training), _data(validation)]
    parts += [f"{k}={options[k]!r}" for k in sorted(options) if k not in ("cache", "progress")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _data(patches: PatchSet) -> str:
    digest = hashlib.sha256(repr((patches.bands, patches.unit, patches.origin)).encode())
    for array in (patches.image, patches.truth, patches.counted, patches.pre, patches.elevation_m):
        if array is not None:
            digest.update(array.tobytes())
    return digest.hexdigest()
