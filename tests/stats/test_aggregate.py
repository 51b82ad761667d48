"""Sums by label: parts add to the whole, labels keep apart, infinities survive, NaN does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from stats.aggregate import sum_by
from stats.case_arrays import UndefinedScoreError


@pytest.fixture
def cases():
    rng = np.random.default_rng(17)
    terms = {"brier": rng.random(3000), "log": rng.gamma(1.0, size=3000)}
    labels = {"epoch": rng.integers(3, 6, 3000), "fold": rng.choice(["a", "b"], 3000), "model": "m"}
    return terms, labels, rng.random(3000)


def part(mapping, chosen):
    return {k: v if np.ndim(v) == 0 else np.asarray(v)[chosen] for k, v in mapping.items()}


@given(cut=some.integers(1, 2999))
def test_sums_of_parts_are_the_sums_of_the_whole(cut):
    rng = np.random.default_rng(18)
    terms = {"s": rng.random(3000)}
    labels = {"epoch": np.sort(rng.integers(0, 5, 3000))}
    whole = sum_by(terms, labels)
    first, second = slice(0, cut), slice(cut, None)
    total = sum_by(part(terms, first), part(labels, first)) + sum_by(
        part(terms, second), part(labels, second)
    )
    assert total.keys == whole.keys
    np.testing.assert_array_equal(total.n, whole.n)
    np.testing.assert_allclose(total.total, whole.total, rtol=1e-12)


def test_groups_are_what_masks_select(cases):
    terms, labels, w = cases
    sums = sum_by(terms, labels, weights=w)
    assert sums.names == ("epoch", "fold", "model")
    for key, n, mean in zip(sums.keys, sums.n, sums.means(), strict=True):
        chosen = (labels["epoch"] == key[0]) & (labels["fold"] == key[1])
        assert n == chosen.sum()
        expected = [np.average(t[chosen], weights=w[chosen]) for t in terms.values()]
        np.testing.assert_allclose(mean, expected, rtol=1e-12)


def test_summing_over_a_label_is_leaving_it_out(cases):
    terms, labels, _ = cases
    kept = {k: v for k, v in labels.items() if k != "fold"}
    over, plain = sum_by(terms, labels).over("fold"), sum_by(terms, kept)
    assert over.keys == plain.keys
    np.testing.assert_allclose(over.total, plain.total, rtol=1e-12)


def test_rows_are_tidy(cases):
    terms, labels, _ = cases
    rows = sum_by(terms, labels).rows()
    assert len(rows) == 3 * 2 * 2
    assert set(rows[0]) == {"epoch", "fold", "model", "term", "value", "n"}


def test_an_infinite_term_makes_its_own_group_infinite_only():
    sums = sum_by({"log": [np.inf, 1.0, 2.0]}, {"epoch": [1, 2, 2]})
    np.testing.assert_array_equal(sums.means(), [[np.inf], [1.5]])
    left_out = sum_by({"log": [np.inf, 1.0]}, {"epoch": [1, 1]}, weights=[0.0, 1.0])
    assert left_out.means() == [[1.0]]


def test_nan_unequal_lengths_and_strange_sums_are_refused():
    with pytest.raises(ValueError, match="s: found 1 of 2 values NaN"):
        sum_by({"s": [np.nan, 1.0]}, {"e": 1})
    with pytest.raises(ValueError, match="label e: found shape"):
        sum_by({"s": [0.0, 1.0]}, {"e": [1]})
    with pytest.raises(ValueError, match="do not add"):
        sum_by({"s": [0.0]}, {"e": 1}) + sum_by({"t": [0.0]}, {"e": 1})
    with pytest.raises(UndefinedScoreError, match="are 0"):
        sum_by({"s": [1.0]}, {"e": 1}, weights=[0.0]).means()
    with pytest.raises(ValueError, match="no label"):
        sum_by({"s": [1.0]}, {"e": 1}).over("fold")
