"""No forecaster gains by saying something else than what he believes: every score, every law.

Values are drawn from one law; it and distorted ones are scored on the same values. Propriety is a
statement about means, so the paired differences are judged by their own standard error.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stats.laws.bernoulli import Bernoulli
from stats.laws.beta import Beta
from stats.laws.double_pareto import DoublePareto
from stats.laws.ensemble import Ensemble
from stats.laws.gamma import Gamma
from stats.laws.hurdle import Hurdle
from stats.laws.inverse_gamma import InverseGamma
from stats.laws.lognormal import TruncatedLognormal
from stats.laws.pareto import ExtendedGeneralisedPareto, GeneralisedPareto
from stats.scores.law_terms import law_terms

N = 20_000


@dataclass(frozen=True)
class Same:
    """One law said of all cases: what does not depend on the value is computed once."""

    law: Any
    shape: tuple[int, ...] = (N,)

    def __getattr__(self, name):
        answer = getattr(self.law, name)
        if name in ("cdf", "sf", "mass", "log_density", "limited_mean"):
            return answer
        return lambda *given: np.broadcast_to(
            answer(*(np.asarray(g).reshape(-1)[:1] for g in given)), self.shape
        )


def hurdle(make, p, *parameters):
    return Hurdle(np.array([p]), make(*([v] for v in parameters), 100.0))


MAKERS = {
    "lognormal": (lambda *v: hurdle(TruncatedLognormal, *v), (0.3, 0.5, 1.2)),
    "lognormal cut": (lambda *v: hurdle(TruncatedLognormal, *v), (0.6, 4.2, 1.0)),
    "gamma": (lambda *v: hurdle(Gamma, *v), (0.3, 0.7, 6.0)),
    "gamma cut": (lambda *v: hurdle(Gamma, *v), (0.6, 2.0, 50.0)),
    "beta": (lambda *v: hurdle(Beta, *v), (0.4, 0.8, 6.0)),
    "generalised Pareto": (lambda *v: hurdle(GeneralisedPareto, *v), (0.3, 2.0, 0.4)),
    "extended Pareto": (lambda *v: hurdle(ExtendedGeneralisedPareto, *v), (0.3, 2.0, 1.5, 0.4)),
    "inverse gamma": (lambda *v: hurdle(InverseGamma, *v), (0.3, 1.6, 6.0, -3.0)),
    "double Pareto": (lambda *v: hurdle(DoublePareto, *v), (0.3, 1.2, 2.0, 1.5)),
    "Bernoulli": (lambda p: Bernoulli(np.array([p])), (0.3,)),
}  # fmt: skip


def distorted(parameters):
    for place, parameter in enumerate(parameters):
        # A probability must stay below 1; a shift bends the law little.
        for factor in (0.0, 4.0) if parameter < 0.0 else (0.6, 1.25 if place == 0 else 1.6):
            yield tuple(v * factor if i == place else v for i, v in enumerate(parameters))


def sure_of(terms, best):
    """How many standard errors the distorted forecast scores above the right one."""
    gap = terms - best
    spread = gap.std()
    return gap.mean() / (spread / np.sqrt(gap.size)) if spread > 0.0 else 0.0


@pytest.mark.parametrize("family", MAKERS)
def test_the_right_law_scores_best(family):
    make, parameters = MAKERS[family]
    truth = make(*parameters)
    y = truth.take(np.zeros(N, dtype=int)).sample(np.random.default_rng(11))
    kwargs = {"thresholds": (1.0, 5.0)}
    best = law_terms(Same(truth), y, **kwargs)
    assert not best.undefined
    for other in distorted(parameters):
        terms = law_terms(Same(make(*other)), y, **kwargs).terms
        assert terms.keys() == best.terms.keys()
        sure = {name: sure_of(terms[name], best.terms[name]) for name in terms}
        assert min(sure.values()) > -3.0, (other, sure)
        # The two that see the whole law see every one of these distortions.
        assert sure["log"] > 3.0, (other, sure)
        assert sure["crps"] > 3.0, (other, sure)


def test_a_right_ensemble_scores_best():
    rng = np.random.default_rng(12)
    make, parameters = MAKERS["gamma"]
    law = make(*parameters).take(np.zeros(4000, dtype=int))
    y = law.sample(rng)
    # The members are the law itself at even levels, so nothing is left to luck.
    levels = (np.arange(200) + 0.5) / 200
    members = np.stack([law.quantile(u) for u in levels], axis=-1)
    best = law_terms(Ensemble(members), y, thresholds=(1.0,))
    assert list(best.undefined) == ["log"]
    for wrong in (
        1.5 * members,
        0.6 * members,
        members.mean(-1, keepdims=True) + 0 * members[:, :2],
    ):
        terms = law_terms(Ensemble(wrong), y, thresholds=(1.0,)).terms
        for name in ("crps", "twcrps_1", "quantile_0.95"):
            assert sure_of(terms[name], best.terms[name]) > 3.0, name


def linear_terms(law, y):
    """Minus the density itself: the improper linear score."""
    return -np.exp(law.log_density(y))


def large_only_terms(law, y):
    """CRPS of the cases that turned out large: improper, however natural it looks."""
    return np.where(y > 5.0, law_terms(law, y).terms["crps"], 0.0)


@pytest.mark.parametrize(
    ("score", "wrong"), [(linear_terms, (0.3, 0.5, 0.9)), (large_only_terms, (0.9, 2.0, 1.2))]
)
def test_the_check_finds_scores_that_are_not_proper(score, wrong):
    make, parameters = MAKERS["lognormal"]
    truth = make(*parameters)
    y = truth.take(np.zeros(N, dtype=int)).sample(np.random.default_rng(13))
    best, other = score(Same(truth), y), score(Same(make(*wrong)), y)
    assert sure_of(other, best) < -3.0
