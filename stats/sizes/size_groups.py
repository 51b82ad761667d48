"""Groups of areas that a hierarchical fit compares: what they are, and how they are stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.sizes.hierarchy_density import Kind
from stats.sizes.posterior_density import prepared_areas
from stats.sizes.recording import RecordedAreas, Recording


@dataclass(frozen=True, kw_only=True)
class SizeGroup:
    """Areas of one group: one epoch, region and mapping method.

    Attributes:
        name: unique name.
        areas_m2: (n,) areas [m2].
        recording: how they were recorded.
        labels: factor -> level, for example {"epoch": "2015", "method": "manual"}.
    """

    name: str
    areas_m2: ArrayLike
    recording: Recording = field(default_factory=Recording)
    labels: Mapping[str, str] = field(default_factory=dict)


def groups_by_kind(groups: Sequence[SizeGroup], areas: Sequence[FloatArray]) -> tuple[Kind, ...]:
    """Groups that are recorded in one way are stacked and filled up to one size."""
    prepared = [prepared_areas(a, group.recording) for group, a in zip(groups, areas, strict=True)]
    places: dict[tuple[bool, ...], list[int]] = {}
    for i, data in enumerate(prepared):
        places.setdefault(tuple(part is None for part in data), []).append(i)
    kinds = []
    for members in places.values():
        size = max(np.asarray(prepared[i].log_x).size for i in members)
        rows = [prepared_areas(areas[i], groups[i].recording, size=size) for i in members]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
        kinds.append(Kind(np.array(members), RecordedAreas(*stacked)))
    return tuple(kinds)


def design_of(
    groups: Sequence[SizeGroup], factors: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], FloatArray, FloatArray, list[str]]:
    """Labels, design matrix, columns of factors, and the factors that have effects of their own."""
    labels: dict[str, tuple[str, ...]] = {}
    crossed: list[str] = []
    columns, owner = [], []
    for factor in factors:
        missing = [g.name for g in groups if factor not in g.labels]
        if missing:
            raise ValueError(f"factor {factor}: no label for {', '.join(missing)}")
        labels[factor] = tuple(g.labels[factor] for g in groups)
        levels = sorted(set(labels[factor]))
        # One level explains nothing; a level per group is what the groups themselves are.
        if 1 < len(levels) < len(groups):
            for level in levels:
                columns.append([float(x == level) for x in labels[factor]])
                owner.append(len(crossed))
            crossed.append(factor)
    design = np.array(columns).T if columns else np.zeros((len(groups), 0))
    of_column = np.zeros((len(crossed), len(columns)))
    of_column[owner, np.arange(len(columns))] = 1.0
    return labels, design, of_column, crossed
