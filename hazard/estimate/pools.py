"""Forecasts of several models as one: the equal-weight mixture of finished fits.

Models that err in different places forecast better together than the better of them alone. The
weights are equal and fixed beforehand, so nothing is fitted and no held-out cell is looked at.
Each model counts as one member (an ensemble of networks too): probability and law are mixed as
members of an ensemble are (`hazard.estimate.members`). The threshold of a class is the mean of
those that each model chose on its own training folds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hazard.archive.names import POOL_JOINER
from hazard.archive.records import NotRun
from hazard.estimate.members import MemberForecasts, combine
from hazard.estimate.plan import FoldPlan
from hazard.estimate.store import StoredFit

Array = np.ndarray[Any, np.dtype[Any]]
_PREFIX = "observed/"
_OF_THE_FOLD = (
    "scheme", "fold", "fold_name", "base_rate", "train_cells", "train", "validation", "test",
)  # fmt: skip
_NEEDED = ("score", "probability", "mu", "sigma", "mean_percent")


def pool_name(parts: Sequence[str]) -> str:
    """Name of a pool on the axis of models.

    Example:
        >>> pool_name(["default", "lightgbm"])
        'default_and_lightgbm'
    """
    return POOL_JOINER.join(parts)


def pool_title(parts: Sequence[str]) -> str:
    """Title of a pool in tables.

    Example:
        >>> pool_title(["default", "lightgbm"])
        'Mean forecast of default and lightgbm'
    """
    return f"Mean forecast of {' and '.join(parts)}"


def pools_of(
    pools: Sequence[Sequence[str]],
    folds: Sequence[FoldPlan],
    keys: Mapping[tuple[str, int, str], str],
    *,
    of_truth: Collection[str] = (),
) -> Iterator[tuple[FoldPlan, dict[str, str] | NotRun]]:
    """Every fold of every pool, with the keys of its parts, or why it cannot be made.

    Args:
        pools: names of the models of each pool.
        folds: folds of the run.
        keys: finished fits by scheme, fold and model.
        of_truth: models that forecast true landslides where the others forecast recorded ones;
            probabilities of two different things are not mixed.
    """
    for parts in pools:
        true = [part for part in parts if part in of_truth]
        for fold in folds:
            if not all(fold.models is None or part in fold.models for part in parts):
                continue
            missing = [part for part in parts if (fold.scheme, fold.number, part) not in keys]
            if missing or 0 < len(true) < len(parts):
                reason = f"a mixture with {', '.join(missing)}, which was not run"
                if not missing:
                    reason = (
                        f"{', '.join(true)} forecasts true landslides, the others recorded ones: "
                        "their mean would be a probability of neither"
                    )
                yield fold, NotRun(
                    scheme=fold.scheme, model=pool_name(parts), fold=fold.number, reason=reason
                )  # fmt: skip
            else:
                yield fold, {part: keys[fold.scheme, fold.number, part] for part in parts}


def pool_fits(parts: Mapping[str, StoredFit], predict: Array) -> StoredFit:
    """The mixture of finished fits of one fold, as a fit of its own.

    Args:
        parts: finished fits of the same fold by the name of their model, two or more.
        predict: (epoch, cell) True where the fold forecasts.

    Raises:
        ValueError: fewer than two fits, or fits of different folds.
    """
    names, fits = list(parts), list(parts.values())
    places = {(fit.record["scheme"], fit.record["fold"], fit.record["base_rate"]) for fit in fits}
    if len(fits) < 2 or len(places) != 1:
        raise ValueError(f"found fits {names} of folds {sorted(places)}; expected two of one fold")
    members = MemberForecasts(
        **{name: np.stack([fit.arrays[_PREFIX + name] for fit in fits]) for name in _NEEDED}
    )
    fields = combine(members, base_rate=float(fits[0].record["base_rate"]))
    arrays: dict[str, Array] = {
        _PREFIX + name: np.where(predict, values, np.nan).astype(np.float32)
        for name, values in fields.items()
    }
    thresholds = np.stack([fit.arrays[_PREFIX + "threshold"] for fit in fits])
    arrays[_PREFIX + "threshold"] = thresholds.mean(axis=0)
    record = {
        **{key: fits[0].record[key] for key in _OF_THE_FOLD}, "kind": "pool",
        "name": pool_name(names), "parts": names, "weights": [1 / len(names)] * len(names),
        "model": {"name": pool_name(names), "title": pool_title(names)}, "members": len(names),
        "seed": fits[0].record["seed"], "probability": "mean of its parts",
        "features": names, "units": ["forecast"] * len(names),
        "true_presence": all(fit.record.get("true_presence", False) for fit in fits),
        "reads_rain": any(fit.record.get("reads_rain", False) for fit in fits), "seconds": 0.0,
    }  # fmt: skip
    return StoredFit(arrays=arrays, record=record)
