"""Tests of volumes: the law, its derived scatter and correlation, and what each part adds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from stats.sizes.volume import AREA_VOLUME_LAWS, law_of_volume, total_volume


def test_derived_scatter_and_correlation_are_those_of_a_regression():
    """A regression on planted data gives back the scatter and the correlation that are derived."""
    rng = np.random.default_rng(3)
    x = rng.normal(3.0, 1.1, 2000)
    y = -0.8 + 1.3 * x + rng.normal(0.0, 0.3, x.size)
    design = np.column_stack([np.ones_like(x), x])
    (a, g), (rss,), *_ = np.linalg.lstsq(design, y, rcond=None)
    covariance = rss / (x.size - 2) * np.linalg.inv(design.T @ design)
    se = np.sqrt(np.diag(covariance))
    law = replace(
        AREA_VOLUME_LAWS["larsen2010_all"],
        coefficient_log10=a,
        coefficient_log10_se=se[0],
        exponent=g,
        exponent_se=se[1],
        n=x.size,
        area_log10_sd=float(x.std()),
    )
    assert law.residual_log10_sd == pytest.approx(0.3, rel=0.05)
    assert law.correlation == pytest.approx(covariance[0, 1] / (se[0] * se[1]), abs=1e-3)


def test_published_values_agree_among_themselves():
    """n, exponent and standard error give back the coefficient of determination, 0.9 or more."""
    for law in AREA_VOLUME_LAWS.values():
        ratio = law.n * (law.exponent_se / law.exponent) ** 2
        assert 0.89 < 1.0 / (1.0 + ratio) < 0.98
        assert -1.0 < law.correlation < -0.9
        assert 0.2 < law.residual_log10_sd < 0.45
        assert not law.verified
        assert law.doi
        assert law.note


def test_scatter_lifts_the_total_and_averages_out():
    rng = np.random.default_rng(0)
    areas = np.full(3000, 2000.0)
    total = total_volume(areas, "larsen2010_soil", rng=rng, draws=400)
    line = AREA_VOLUME_LAWS["larsen2010_soil"].median_volume_m3(areas).sum()
    s = total.residual_log10_sd * math.log(10.0)
    assert total.median_line_m3 == pytest.approx(line)
    assert total.volume_m3.value == pytest.approx(line * math.exp(s * s / 2.0))
    assert total.volume_m3.low < total.volume_m3.value < total.volume_m3.high
    expected = math.sqrt(math.expm1(s * s) / 3000) / math.log(10.0)
    assert total.scatter_log10_sd == pytest.approx(expected, rel=0.12)


def test_parameters_are_shared_and_scatter_may_be():
    rng = np.random.default_rng(0)
    areas = np.full(500, 1000.0)
    law = AREA_VOLUME_LAWS["larsen2010_all"]
    bare = total_volume(areas, law, rng=rng, draws=4000, residual_log10_sd=0.0)
    assert bare.lift == 1.0
    assert bare.scatter_log10_sd < 1e-12
    x = 3.0
    variance = (
        law.coefficient_log10_se**2
        + (x * law.exponent_se) ** 2
        + 2 * law.correlation * x * law.coefficient_log10_se * law.exponent_se
    )
    assert bare.parameter_log10_sd == pytest.approx(math.sqrt(variance), rel=0.05)
    together = total_volume(areas, law, rng=rng, draws=1000, residual_log10_sd=0.3, shared=1.0)
    assert together.scatter_log10_sd == pytest.approx(0.3, rel=0.08)
    apart = total_volume(areas, law, rng=rng, draws=1000, residual_log10_sd=0.3)
    assert apart.scatter_log10_sd < 0.02


def test_interval_covers_volumes_drawn_from_the_law():
    """Law and landslides drawn anew: 95 % intervals around the published law cover 92-98 %."""
    rng = np.random.default_rng(5)
    law = AREA_VOLUME_LAWS["larsen2010_bedrock"]
    areas = 1000.0 * (1.0 + rng.pareto(1.5, 60))
    found = total_volume(areas, law, rng=rng, draws=4000).volume_m3
    covariance = law.correlation * law.coefficient_log10_se * law.exponent_se
    parameters = rng.multivariate_normal(
        [law.coefficient_log10, law.exponent],
        [[law.coefficient_log10_se**2, covariance], [covariance, law.exponent_se**2]],
        2000,
    )
    scatter = rng.normal(0.0, law.residual_log10_sd, (2000, areas.size))
    logs = parameters[:, :1] + parameters[:, 1:] * np.log10(areas) + scatter
    totals = (10.0**logs).sum(axis=1)
    inside = np.mean((totals >= found.low) & (totals <= found.high))
    assert 0.93 < inside < 0.97


def test_unverified_laws_say_so_and_extrapolation_is_named():
    total = total_volume([1e3, 1e6], "guzzetti2009", rng=np.random.default_rng(0), draws=20)
    assert "not verified" in total.notes[0]
    assert "extrapolation" in total.notes[1]
    verified = replace(AREA_VOLUME_LAWS["guzzetti2009"], verified=True)
    assert len(total_volume([1e3], verified, rng=np.random.default_rng(0), draws=20).notes) == 1


@pytest.mark.parametrize(
    ("areas", "law", "options", "message"),
    [
        ([], "guzzetti2009", {}, "not empty"),
        ([0.0], "guzzetti2009", {}, "above 0"),
        ([1.0], "guzzetti", {}, "expected one of guzzetti2009"),
        ([1.0], "guzzetti2009", {"shared": 1.5}, "shared"),
        ([1.0], "guzzetti2009", {"residual_log10_sd": -0.1}, "residual_log10_sd"),
    ],
)
def test_bad_input_is_named(areas, law, options, message):
    with pytest.raises(ValueError, match=message):
        total_volume(areas, law, rng=np.random.default_rng(0), **options)


def test_law_by_name():
    assert law_of_volume("guzzetti2009").exponent == 1.45
