"""Standardisation of predictors: fitted on training cells only, stored with the model.

A continuous predictor x becomes (t(x) - mean) / sd, with t one of `TRANSFORMS` and the moments
taken over the training part alone: the pixels of cells that train in any epoch for a static layer,
the training cell-epochs for a layer that changes with the epoch. Classes are not scaled: they
become one column per class that occurs in training, and a class never seen there is all zeros.

Moments are streamed over blocks of rows in float64 and merged pairwise (Chan, Golub & LeVeque
1983, The American Statistician 37, 242-247, doi:10.1080/00031305.1983.10483115), so that a layer
larger than memory can be read window by window. A fingerprint of the training set goes with the
record: the fold audit compares it with the roles. NumPy only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hazard.cube.predictors import (
    TRANSFORMS,
    Predictor,
    Transform,
    check_finite,
    read_rows,
    transform_values,
)
from hazard.errors import DataError
from stats.resampling.fold_audit import index_set_hash

Array = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Float32Array = np.ndarray[Any, np.dtype[np.float32]]
MAX_CLASSES = 256
# Below this share of its own size a spread is rounding, not information.
_CONSTANT = 1e-9


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Count, mean and sum of squared deviations, mergeable in any order.

    Example:
        >>> whole = Moments.of(np.array([1.0, 2.0])).merge(Moments.of(np.array([6.0])))
        >>> whole.n, whole.mean, round(whole.sd, 6)
        (3, 3.0, 2.160247)
    """

    n: int = 0
    mean: float = 0.0
    deviation2: float = 0.0

    @classmethod
    def of(cls, values: Array) -> Moments:
        """Moments of one block, in float64."""
        block = np.asarray(values, dtype=np.float64).ravel()
        if not block.size:
            return cls()
        mean = float(block.mean())
        return cls(n=block.size, mean=mean, deviation2=float(np.square(block - mean).sum()))

    def merge(self, other: Moments) -> Moments:
        """Moments of both blocks together."""
        n = self.n + other.n
        if not n:
            return self
        gap = other.mean - self.mean
        return Moments(
            n=n,
            mean=self.mean + gap * other.n / n,
            deviation2=self.deviation2 + other.deviation2 + gap * gap * self.n * other.n / n,
        )

    @property
    def sd(self) -> float:
        """Standard deviation (divided by n); 0 for an empty block."""
        return math.sqrt(self.deviation2 / self.n) if self.n else 0.0

    def is_constant(self, least_spread: float = 0.0) -> bool:
        """True where the spread is zero, lost in rounding, or not above `least_spread`."""
        return self.sd <= max(_CONSTANT * abs(self.mean), least_spread)


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How one continuous predictor is scaled: (transform(x) - mean) / sd.

    Attributes:
        name: predictor.
        unit: unit before the transform.
        transform: name in `TRANSFORMS`.
        mean: training mean after the transform.
        sd: training standard deviation after the transform.
        n: number of training values.
        least_spread: spread at or below which the predictor would have been left out.
    """

    name: str
    unit: str
    transform: Transform
    mean: float
    sd: float
    n: int
    least_spread: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ClassColumns:
    """A class layer and the classes that get a column, ascending."""

    name: str
    codes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Standardisation:
    """Scaling of every predictor, and what it was fitted on.

    Attributes:
        scalings: continuous predictors, in the order given.
        classes: class layers, in the order given.
        constant: predictors left out because they do not vary over the training part. A fold that
            trains on one epoch has constant monsoons: leaving the predictor out, by name, keeps
            such a fold usable, where scaling by a zero spread would not.
        fitted_on: `fingerprint` of the training cell-epochs.
        n_train: number of training cell-epochs.
    """

    scalings: tuple[Scaling, ...]
    classes: tuple[ClassColumns, ...] = ()
    constant: tuple[str, ...] = ()
    fitted_on: str = ""
    n_train: int = 0

    def scaling(self, name: str) -> Scaling:
        """The scaling of one predictor; KeyError where it has none."""
        return next((s for s in self.scalings if s.name == name), None) or _missing(name)

    def to_json(self) -> str:
        """JSON text; floats round-trip exactly."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, source: object = "standardisation") -> Standardisation:
        """Read what `to_json` wrote.

        Raises:
            DataError: not that JSON, an unknown transform, or a spread that is not positive.
        """
        try:
            raw = json.loads(text)
            record = cls(
                scalings=tuple(Scaling(**item) for item in raw["scalings"]),
                classes=tuple(
                    ClassColumns(name=item["name"], codes=tuple(map(int, item["codes"])))
                    for item in raw["classes"]
                ),
                constant=tuple(raw["constant"]),
                fitted_on=str(raw["fitted_on"]),
                n_train=int(raw["n_train"]),
            )
            wrong = [
                s.name
                for s in record.scalings
                if s.transform not in TRANSFORMS or not (math.isfinite(s.mean) and s.sd > 0)
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                source, found=f"no standardisation ({error})", expected="the JSON of one"
            ) from None
        if wrong:
            raise DataError(
                source,
                found=f"an unusable scaling of {', '.join(wrong)}",
                expected=f"a transform among {', '.join(TRANSFORMS)}, finite mean and sd > 0",
            )
        return record


def fingerprint(train: BoolArray) -> str:
    """SHA-256 of an (epoch, y, x) set of cell-epochs, as the fold audit computes it.

    Example:
        >>> train = np.array([[[True, False]]])
        >>> fingerprint(train) == fingerprint(train.copy())
        True
        >>> fingerprint(train) == fingerprint(~train)
        False
    """
    return index_set_hash(np.asarray(train, dtype=bool).reshape(train.shape[0], -1))


def fit_standardisation(
    predictors: Sequence[Predictor],
    train: BoolArray,
    *,
    rows_per_block: int = 16,
    progress: Callable[[int], None] | None = None,
) -> Standardisation:
    """Fit the scaling of every predictor on the training cells alone.

    Args:
        predictors: layers on the grid of `train`.
        train: (epoch, y, x) True where the model is fitted.
        rows_per_block: rows of cells read at once.
        progress: called with 1 after each predictor.

    Returns:
        The record; predictors that are constant over the training part are in `constant`.

    Raises:
        DataError: a predictor of the wrong shape, with a value that is not finite in a training
            cell, out of the domain of its transform, or with class numbers that are not whole;
            no training cell-epoch.
        ValueError: `train` is not bool (epoch, y, x), or two predictors share a name.
    """
    mask = np.asarray(train)
    if mask.dtype != np.bool_ or mask.ndim != 3:
        raise ValueError(f"train is {mask.dtype} of shape {mask.shape}; use bool (epoch, y, x)")
    names = [p.name for p in predictors]
    if len(set(names)) != len(names):
        raise ValueError(f"predictors {names}; use distinct names")
    if not mask.any():
        raise DataError("training cells", found="none", expected="at least one cell-epoch")
    scalings, classes, constant = [], [], []
    for predictor in predictors:
        moments, codes = _stream(predictor, mask, rows_per_block)
        if predictor.is_class:
            classes.append(ClassColumns(name=predictor.name, codes=tuple(sorted(codes))))
        elif moments.is_constant(predictor.least_spread):
            constant.append(predictor.name)
        else:
            scalings.append(
                Scaling(
                    name=predictor.name, unit=predictor.unit, transform=predictor.transform,
                    mean=moments.mean, sd=moments.sd, n=moments.n,
                    least_spread=predictor.least_spread,
                )
            )  # fmt: skip
        if progress is not None:
            progress(1)
    return Standardisation(
        scalings=tuple(scalings),
        classes=tuple(classes),
        constant=tuple(constant),
        fitted_on=fingerprint(mask),
        n_train=int(mask.sum()),
    )


def apply_scaling(values: Array, scaling: Scaling) -> Float32Array:
    """(transform(x) - mean) / sd in float64, returned as float32; NaN stays NaN.

    Example:
        >>> scaling = Scaling(name="a", unit="m", transform="sqrt", mean=1.0, sd=2.0, n=3)
        >>> apply_scaling(np.array([1.0, 25.0]), scaling)
        array([0., 2.], dtype=float32)
    """
    transformed = transform_values(values, scaling.transform, scaling.name)
    return ((transformed - scaling.mean) / scaling.sd).astype(np.float32)


def undo_scaling(values: Array, scaling: Scaling) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Transformed values (before mean and spread were taken out), in float64."""
    return np.asarray(values, dtype=np.float64) * scaling.sd + scaling.mean


def one_hot(values: Array, columns: ClassColumns) -> Float32Array:
    """(...) class numbers as (..., class); a class without a column is all zeros.

    Example:
        >>> one_hot(np.array([3, 1, 9]), ClassColumns(name="a", codes=(1, 3)))
        array([[0., 1.], [1., 0.], [0., 0.]], dtype=float32)
    """
    codes = np.asarray(columns.codes)
    return (np.asarray(values)[..., None] == codes).astype(np.float32)


def _stream(
    predictor: Predictor, train: BoolArray, rows_per_block: int
) -> tuple[Moments, set[int]]:
    shape = (train.shape[1], train.shape[2])
    changes = predictor.per_epoch or predictor.support == "epoch"
    moments, codes = Moments(), set[int]()
    for start in range(0, shape[0], max(1, rows_per_block)):
        rows = slice(start, min(start + max(1, rows_per_block), shape[0]))
        use = train[:, rows] if changes else train[:, rows].any(axis=0)
        if predictor.known is not None:
            use = use & predictor.known[..., rows, :]
        if not use.any():
            continue
        values = read_rows(predictor, rows, shape)
        if changes and values.shape[0] != train.shape[0]:
            raise DataError(
                predictor.name,
                found=f"{values.shape[0]} epochs",
                expected=f"{train.shape[0]}, as in the training mask",
            )
        if predictor.support == "pixel":
            use = use.repeat(predictor.factor, axis=-2).repeat(predictor.factor, axis=-1)
        picked = values[use]
        check_finite(picked, predictor.name, "training cells")
        if predictor.is_class:
            codes |= _codes(picked, predictor.name)
        else:
            block = transform_values(picked, predictor.transform, predictor.name)
            moments = moments.merge(Moments.of(block))
    return moments, codes


def _codes(values: Array, name: str) -> set[int]:
    codes = np.unique(values)
    if codes.size > MAX_CLASSES or not np.array_equal(codes, np.round(codes)):
        raise DataError(
            name,
            found=f"{codes.size} different values as classes",
            expected=f"at most {MAX_CLASSES} whole numbers",
        )
    return {int(code) for code in codes}


def _missing(name: str) -> Scaling:
    raise KeyError(name)
