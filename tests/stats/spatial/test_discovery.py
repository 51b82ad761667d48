"""False-discovery control against statsmodels and by simulation."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from stats.case_arrays import UndefinedScoreError
from stats.spatial.discovery import adjusted_p_values, discoveries, field_significance


@pytest.mark.parametrize(
    ("control", "name"), [("bh", "fdr_bh"), ("by", "fdr_by"), ("holm", "holm")]
)
def test_adjusted_values_are_those_of_statsmodels(control, name):
    p = np.random.default_rng(0).beta(0.4, 1.0, 300)
    p[10] = p[20]
    assert adjusted_p_values(p, control=control) == pytest.approx(multipletests(p, method=name)[1])


def test_the_rate_is_held_with_dependent_tests_and_unadjusted_tests_exceed_it():
    rng = np.random.default_rng(1)
    from scipy import special

    rates = {"bh": [], "by": [], "none": []}
    effect = np.zeros(400)
    effect[:40] = 3.0
    for _ in range(400):
        # Positively dependent: a shared part of half the variance within groups of 20.
        shared = np.repeat(rng.standard_normal(20), 20)
        x = effect + np.sqrt(0.5) * (shared + rng.standard_normal(400))
        p = special.ndtr(-x)
        for control, kept in rates.items():
            found = discoveries(p, control=control).discovered
            kept.append(found[40:].sum() / max(1, found.sum()))
    # Standard error of a mean rate over 400 worlds is below 0.01.
    assert np.mean(rates["bh"]) < 0.065
    assert np.mean(rates["by"]) < 0.02
    assert np.mean(rates["none"]) > 0.2


def test_field_significance_holds_its_level_where_counting_does_not():
    rng = np.random.default_rng(2)
    from scipy import special, stats

    field, counting = 0, 0
    for _ in range(600):
        x = np.sqrt(0.6) * rng.standard_normal() + np.sqrt(0.4) * rng.standard_normal(200)
        found = field_significance(special.ndtr(-x))
        field += found.p_value <= 0.05
        counting += stats.binom.sf(found.n_local - 1, 200, 0.05) <= 0.05
    assert field / 600 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
    assert counting / 600 > 0.15


def test_a_map_keeps_its_shape_and_its_gaps():
    p = np.array([[1e-5, 0.5], [np.nan, 0.04]])
    found = discoveries(p, valid=np.isfinite(p))
    assert found.discovered.tolist() == [[True, False], [False, False]]
    assert np.isnan(found.q_value[1, 0])
    assert found.field_p == pytest.approx(3e-5)
    with pytest.raises(ValueError, match="not finite"):
        discoveries(p)
    with pytest.raises(UndefinedScoreError):
        _ = discoveries([0.1], control="none").field_p
    with pytest.raises(ValueError, match="control"):
        adjusted_p_values([0.1], control="bonferroni")
