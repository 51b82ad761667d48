r"""Whether the whole law of density holds: its probability integral transform, and its intervals.

With a mass 1 - p at zero, F(0) is no point of a uniform law but the upper end of a stretch over
which observed zeros are spread evenly. That randomisation is integrated out here, so that the
figures are those of infinitely many of them:

.. math:: P(U \le u) = \min\left(\frac{u}{1 - p}, 1\right) \text{ for a zero}, \qquad
          1\{F(y) \le u\} \text{ otherwise}.

The distance of Kolmogorov and Smirnov of their mean from u is a statistic to compare forecasts by;
cells depend on each other, so no p-value belongs to it.
"""

from __future__ import annotations

import numpy as np

from hazard.evaluate.cases import Cases
from hazard.evaluate.resample import BlockTable, Estimate, undefined
from hazard.evaluate.scoring import ALL, POSITIVE, ScoreKey, Scores
from stats.case_arrays import FloatArray, IntArray
from stats.resampling.block_bootstrap import mean_of, statistic_of_sums

INTERVAL = 0.9
LEVELS = np.linspace(0.0, 1.0, 21)[1:-1]
PIT_NOTE = (
    f"at {LEVELS.size} levels, randomisation at zero integrated out; a distance, no test; interval "
    "centred on the value"
)


def law_scores(cases: Cases, block: IntArray, table: BlockTable, *, cell_km: float) -> Scores:
    """Transform and central intervals of the law, each with its resamples.

    Args:
        cases: of one epoch.
        block: (case,) block of each case.
        table: resamples.
        cell_km: side of a cell; for the keys.

    Returns:
        ``pit_ks_distance`` and ``pit_mean`` (0.5 where the law holds); coverage and mean width of
        the central 90 % interval of the law given presence, on cells with landslides; and of the
        closed central 90 % interval of the whole law on all cells: its coverage, what the law
        itself gives it (more than 0.9, since zero has a mass), their difference, its mean width.
    """

    def key(score: str, subset: str = ALL) -> ScoreKey:
        return ScoreKey(score, subset=subset, mapping_unit_km=cell_km)

    low, high = 0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2
    law, density = cases.law, cases.density
    found: Scores = {
        key("pit_ks_distance"): _pit_distance(cases, block, table),
        key("pit_mean"): table.estimate(mean_of(_mean_transform(cases), block), block),
    }
    ends = law.quantile(low), law.quantile(high)
    covered = ((ends[0] <= density) & (density <= ends[1])).astype(np.float64)
    # Closed: the mass at zero belongs to an interval that begins there.
    own = law.cdf(ends[1]) - np.where(ends[0] > 0.0, law.cdf(ends[0]), 0.0)
    for name, terms in (
        ("coverage", covered), ("nominal_coverage", own), ("overcoverage", covered - own),
        ("width_percent", ends[1] - ends[0]),
    ):  # fmt: skip
        found[key(f"interval_{name}_{INTERVAL:g}")] = table.estimate(mean_of(terms, block), block)
    positive = density > 0.0
    names = {part: key(f"interval_{part}_{INTERVAL:g}", POSITIVE)
             for part in ("coverage", "width_percent")}  # fmt: skip
    if not positive.any():
        return found | {k: undefined("no cells with landslides") for k in names.values()}
    given = cases.take(positive).law.positive
    law_given = given.quantile(low), given.quantile(high)
    inside = (law_given[0] <= density[positive]) & (density[positive] <= law_given[1])
    for part, terms in (
        ("coverage", inside.astype(np.float64)), ("width_percent", law_given[1] - law_given[0])
    ):  # fmt: skip
        found[names[part]] = table.estimate(mean_of(terms, block[positive]), block[positive])
    return found


def _mean_transform(cases: Cases) -> FloatArray:
    """(case,) mean of the randomised transform."""
    return np.where(cases.density > 0.0, cases.law.cdf(cases.density), 0.5 * cases.law.cdf(0.0))


def _pit_distance(cases: Cases, block: IntArray, table: BlockTable) -> Estimate:
    zero = cases.density == 0.0
    mass = 1.0 - cases.probability[zero]
    terms = np.empty((cases.n, LEVELS.size + 1))
    # A zero that the forecast called impossible has the transform 0.
    with np.errstate(divide="ignore"):
        terms[zero, :-1] = np.minimum(LEVELS / mass[:, None], 1.0)
    terms[~zero, :-1] = cases.law.cdf(cases.density)[~zero, None] <= LEVELS
    terms[:, -1] = 1.0

    def distance(sums: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            share = sums[:, :-1] / sums[:, -1:]
        return np.asarray(np.abs(share - LEVELS).max(axis=1), dtype=np.float64)

    drawn = table.estimate(statistic_of_sums(terms, block, distance), block)
    assert drawn.draws is not None
    # A maximum over levels is larger in a resample than on the cells themselves.
    live = drawn.draws[~np.isnan(drawn.draws)]
    moved = np.clip(drawn.draws - (live.mean() if live.size else 0.0) + drawn.value, 0.0, 1.0)
    return Estimate(
        value=drawn.value, draws=moved, n=drawn.n, n_blocks=drawn.n_blocks, note=PIT_NOTE
    )
