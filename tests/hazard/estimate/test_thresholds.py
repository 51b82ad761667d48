"""Thresholds are the best there are, by trying all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from hazard.estimate.thresholds import best_thresholds

CASES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=2, max_size=25,
)  # fmt: skip


@settings(deadline=None)
@given(CASES)
def test_no_other_threshold_is_better(cases):
    p, y = np.array([c[0] for c in cases]), np.array([c[1] for c in cases])
    if y.all() or not y.any():
        assert all(np.isnan(v) for v in best_thresholds(p, y).values())
        return
    found = best_thresholds(p, y)
    for name, score in (("f1", f1_score), ("mcc", matthews_corrcoef)):
        best = max(score(y, p >= t) for t in np.unique(p))
        assert score(y, p >= found[name]) == pytest.approx(best)
