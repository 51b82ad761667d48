"""Weighted sums of score terms by label: addable across chunks, divided last.

A score table is made in three steps: terms per case (`stats.scores`), sums by label (here),
intervals (`stats.resampling`). Sums of chunks add up to the sums of the whole, so epochs, folds
and workers can be summed apart; means are made at the very end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, IntArray, UndefinedScoreError, as_nonnegative

Label = str | int | float | bool


@dataclass(frozen=True, eq=False)
class LabelledSums:
    """Sums of terms for every combination of labels that occurs.

    Attributes:
        names: names of the labels, such as ("epoch", "model").
        terms: names of the terms.
        keys: one tuple of labels per group, in order of `names`.
        n: (group,) number of cases.
        weight: (group,) sum of weights; equal to n where no weights were given.
        total: (group, term) weighted sums.
    """

    names: tuple[str, ...]
    terms: tuple[str, ...]
    keys: tuple[tuple[Label, ...], ...]
    n: IntArray
    weight: FloatArray
    total: FloatArray

    def __add__(self, other: LabelledSums) -> LabelledSums:
        if (self.names, self.terms) != (other.names, other.terms):
            raise ValueError(
                f"sums of {self.names} {self.terms} and of {other.names} {other.terms} do not add"
            )
        keys = tuple(sorted({*self.keys, *other.keys}, key=_sort_key))
        place = {key: i for i, key in enumerate(keys)}
        n = np.zeros(len(keys), dtype=np.int64)
        weight = np.zeros(len(keys))
        total = np.zeros((len(keys), len(self.terms)))
        for part in (self, other):
            rows = np.array([place[key] for key in part.keys], dtype=np.int64)
            n[rows] += part.n
            weight[rows] += part.weight
            total[rows] += part.total
        return LabelledSums(self.names, self.terms, keys, n, weight, total)

    def means(self) -> FloatArray:
        """(group, term) weighted means.

        Raises:
            UndefinedScoreError: the weights of a group sum to 0.
        """
        if not (self.weight > 0.0).all():
            empty = self.keys[int(np.argmin(self.weight))]
            raise UndefinedScoreError(
                f"weights of {dict(zip(self.names, empty, strict=True))} are 0"
            )
        return self.total / self.weight[:, None]

    def over(self, *names: str) -> LabelledSums:
        """Sums with the labels `names` summed over, such as all folds together.

        Example:
            >>> parts = sum_by({"s": [1.0, 2.0]}, {"epoch": 3, "fold": [0, 1]})
            >>> parts.over("fold").total
            array([[3.]])
        """
        kept = [i for i, name in enumerate(self.names) if name not in names]
        missing = set(names) - set(self.names)
        if missing:
            raise ValueError(f"no label {sorted(missing)}; there are {self.names}")
        columns: dict[tuple[Label, ...], list[int]] = {}
        for row, key in enumerate(self.keys):
            columns.setdefault(tuple(key[i] for i in kept), []).append(row)
        keys = tuple(sorted(columns, key=_sort_key))
        groups = [columns[key] for key in keys]
        return LabelledSums(
            tuple(self.names[i] for i in kept),
            self.terms,
            keys,
            np.array([self.n[g].sum() for g in groups], dtype=np.int64),
            np.array([self.weight[g].sum() for g in groups]),
            np.stack([self.total[g].sum(axis=0) for g in groups]),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Tidy rows: labels, term, value (the mean), n. One row per group and term.

        Example:
            >>> sum_by({"brier": [0.25, 0.01]}, {"epoch": 3}).rows()
            [{'epoch': 3, 'term': 'brier', 'value': 0.13, 'n': 2}]
        """
        means = self.means()
        return [
            {**dict(zip(self.names, key, strict=True)), "term": term, "value": float(means[g, t]),
             "n": int(self.n[g])}
            for g, key in enumerate(self.keys)
            for t, term in enumerate(self.terms)
        ]  # fmt: skip


def _sort_key(key: tuple[Label, ...]) -> tuple[tuple[str, Label], ...]:
    """Order within a type; labels of different types (a fold number, "all") keep apart."""
    return tuple(("" if isinstance(v, int | float) else "~", v) for v in key)


def _groups(
    labels: Mapping[str, ArrayLike | Label], size: int
) -> tuple[IntArray, tuple[tuple[Label, ...], ...]]:
    """Group number of every case, and the labels of every group."""
    code = np.zeros(size, dtype=np.int64)
    levels: list[list[Label]] = []
    for name, given in labels.items():
        column = np.asarray(given)
        if column.ndim == 0:
            levels.append([column.item()])
            continue
        if column.shape != (size,):
            raise ValueError(f"label {name}: found shape {column.shape}; expected ({size},)")
        values, place = np.unique(column, return_inverse=True)
        code = code * max(1, values.size) + place.reshape(-1)
        levels.append(values.tolist())
    present, group = np.unique(code, return_inverse=True)
    keys = []
    for number in present.tolist():
        key: list[Label] = []
        for values_of in reversed(levels):
            number, index = divmod(number, len(values_of))
            key.append(values_of[index])
        keys.append(tuple(reversed(key)))
    return group.reshape(-1).astype(np.int64), tuple(keys)


def sum_by(
    terms: Mapping[str, ArrayLike],
    labels: Mapping[str, ArrayLike | Label],
    *,
    weights: ArrayLike | None = None,
) -> LabelledSums:
    """Sum score terms by label.

    Args:
        terms: name to (case,) terms. Infinite terms are allowed and make an infinite sum.
        labels: name to (case,) labels, or one label for all cases.
        weights: (case,) optional, 0 or more; a case of weight 0 adds nothing, infinite or not.

    Raises:
        ValueError: a term is NaN or -inf, or lengths differ.

    Example:
        >>> sums = sum_by({"s": [1.0, 2.0, 6.0]}, {"epoch": [1, 2, 2], "model": "default"})
        >>> sums.keys, sums.means()
        (((1, 'default'), (2, 'default')), array([[1.],
               [4.]]))
    """
    names, columns = tuple(terms), [np.asarray(v, dtype=np.float64) for v in terms.values()]
    if not columns:
        raise ValueError("no terms to sum")
    size = columns[0].size
    for name, column in zip(names, columns, strict=True):
        if column.shape != (size,):
            raise ValueError(f"{name}: found shape {column.shape}; expected ({size},)")
        if (np.isnan(column) | np.isneginf(column)).any():
            bad = int((np.isnan(column) | np.isneginf(column)).sum())
            raise ValueError(f"{name}: found {bad} of {size} values NaN or -inf")
    w = np.ones(size) if weights is None else as_nonnegative("weights", weights)
    if w.shape != (size,):
        raise ValueError(f"weights: found shape {w.shape}; expected ({size},)")
    group, keys = _groups(labels, size)
    n_groups = len(keys)
    live = w > 0.0
    total = np.stack(
        [np.bincount(group[live], w[live] * c[live], n_groups) for c in columns], axis=1
    )
    return LabelledSums(
        tuple(labels),
        names,
        keys,
        np.bincount(group, minlength=n_groups).astype(np.int64),
        np.asarray(np.bincount(group, weights=w, minlength=n_groups), dtype=np.float64),
        np.asarray(total, dtype=np.float64),
    )
