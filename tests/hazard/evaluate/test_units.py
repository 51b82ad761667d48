"""Larger mapping units: any presence, complements multiplied, densities averaged."""

import numpy as np
import pytest

from hazard.evaluate.cases import Cases
from hazard.evaluate.units import merge_cells
from tests.hazard.evaluate.planted import SHAPE


def lattice(probability, density, where=None):
    shape = probability.shape
    cell = np.arange(probability.size) if where is None else np.flatnonzero(where)
    p, d = probability.reshape(-1)[cell], density.reshape(-1)[cell]
    one = np.ones(cell.size)
    return (
        Cases(cell=cell, fold=0 * cell, density=d, probability=p, mu=0 * one, sigma=one,
              mean_percent=2 * one, median_percent=one),
        shape,
    )  # fmt: skip


def test_four_cells_become_one_unit():
    p = np.array([[0.5, 0.5, 0.1, 0.0], [0.0, 0.2, 0.0, 1.0]])
    d = np.array([[0.0, 3.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    cases, shape = lattice(p, d)
    units = merge_cells(cases, np.arange(8), side=2, shape=shape)
    assert units.probability == pytest.approx([1 - 0.5 * 0.5 * 0.8, 1.0])
    assert units.density.tolist() == [1.0, 0.0]
    assert units.expected_percent == pytest.approx([2 * 1.2 / 4, 2 * 1.1 / 4])
    assert units.block.tolist() == [0, 2]
    assert units.left_out == 0


def test_the_lattice_of_units_is_the_one_with_most_complete_units():
    where = np.zeros((6, 7), dtype=bool)
    where[1:5, 1:5] = True
    where[0, 0] = True
    cases, shape = lattice(np.full((6, 7), 0.1), np.zeros((6, 7)), where)
    units = merge_cells(cases, np.zeros(17, dtype=np.int64), side=4, shape=shape)
    assert units.probability.size == 1
    assert units.left_out == 1
    assert merge_cells(cases, np.zeros(17, dtype=np.int64), side=5, shape=shape) is None


def test_rows_of_larger_units_are_scored_on_units(evaluated):
    at = {"scheme": "spatial_blocks", "epoch": "coseismic", "model": "default"}
    for side in (2.0, 4.0):
        row = evaluated.row("auc", threshold_percent=0.0, mapping_unit_km=side, **at)
        assert row["n"] <= SHAPE[0] * SHAPE[1] / side**2
        assert row["value"] > 0.6
        assert row["low"] < row["value"] < row["high"]
    rates = [
        evaluated.row("observed_rate", threshold_percent=0.0, mapping_unit_km=s, **at)["value"]
        for s in (1.0, 2.0, 4.0)
    ]
    assert rates == sorted(rates)
    assert rates[0] < rates[2]
