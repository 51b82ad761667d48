"""Seconds for the scores and intervals of a scoreboard row, at the size of the Gorkha series.

Run with: python benchmarks/scores.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from stats.calibration.corp import corp_parts
from stats.calibration.worm import quantile_curve
from stats.laws.beta import Beta
from stats.laws.double_pareto import DoublePareto
from stats.laws.gamma import Gamma
from stats.laws.hurdle import Hurdle, hurdle_lognormal
from stats.laws.inverse_gamma import InverseGamma
from stats.laws.lognormal import TruncatedLognormal
from stats.laws.pareto import ExtendedGeneralisedPareto, GeneralisedPareto
from stats.resampling.block_bootstrap import draw_blocks, draw_spatial_blocks
from stats.scores.crps import crps_terms, threshold_crps_terms
from stats.scores.logarithmic import hurdle_log_terms
from stats.scores.ranking import rank_table

CELLS, EPOCHS, DRAWS, LAWS = 21_360, 8, 500, 200_000


def timed(label: str, function: Callable[[], object]) -> None:
    start = time.perf_counter()
    function()
    print(f"{label:58s} {time.perf_counter() - start:7.3f} s")


def best_of(label: str, function: Callable[[], object], repeats: int = 3) -> None:
    """The shortest of several runs: other work on the machine can only make a run longer."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    print(f"{label:58s} {min(seconds):7.3f} s, best of {repeats}")


def families(rng: np.random.Generator) -> None:
    """CRPS of hurdle laws of every family, truncated to a percentage."""
    one = np.ones(CELLS)
    spread = rng.uniform(0.7, 1.4, CELLS)
    laws = {
        "lognormal": TruncatedLognormal(0.5 * spread, spread, 100.0),
        "gamma": Gamma(0.7 * spread, 6.0 * one, 100.0),
        "beta": Beta(0.8 * spread, 6.0 * one, 100.0),
        "generalised Pareto": GeneralisedPareto(2.0 * one, 0.4 * spread, 100.0),
        "extended generalised Pareto": ExtendedGeneralisedPareto(2.0, 1.5, 0.4 * spread, 100.0),
        "inverse gamma": InverseGamma(1.6 * spread, 2.0, -0.2, 100.0),
        "Double Pareto Simplified": DoublePareto(1.2 * spread, 2.0, 1.5, 100.0),
    }
    for name, positive in laws.items():
        law = Hurdle(np.full(CELLS, 0.2), positive)
        y = law.sample(rng)
        best_of(f"CRPS, {CELLS} cells, {name}", lambda law=law, y=y: crps_terms(law, y))
    worm = Hurdle(np.full(CELLS, 0.2), laws["lognormal"])
    y = worm.sample(rng)
    best_of(
        f"worm of {CELLS} cells, envelope of 99 draws",
        lambda: quantile_curve(worm, y, rng=rng, draws=99),
        repeats=3,
    )


def main() -> None:
    families(np.random.default_rng(1))
    rng = np.random.default_rng(0)
    p = rng.random(LAWS)
    law = hurdle_lognormal(p, rng.normal(-1, 1, LAWS), rng.uniform(0.5, 2, LAWS))
    far = hurdle_lognormal(p, rng.normal(9, 1, LAWS), rng.uniform(0.5, 2, LAWS))
    y = law.sample(rng)
    timed(f"CRPS, {LAWS} laws, closed form", lambda: crps_terms(law, y))
    timed(f"CRPS, {LAWS} laws, quadrature", lambda: crps_terms(far, y))
    timed(f"twCRPS, {LAWS} laws", lambda: threshold_crps_terms(law, y, threshold=0.5))
    timed(f"log score, {LAWS} laws", lambda: hurdle_log_terms(law, y))
    timed(f"quantile 0.9, {LAWS} laws", lambda: law.quantile(0.9))
    for epochs in (1, EPOCHS):
        x_m = np.tile((np.arange(CELLS) % 178) * 1e3, epochs)
        y_m = np.tile((np.arange(CELLS) // 178) * 1e3, epochs)
        score = rng.random(x_m.size)
        outcome = rng.random(x_m.size) < 0.34 * score
        drawn = draw_spatial_blocks(x_m, y_m, side_m=20e3, draws=DRAWS, rng=rng)
        table = rank_table(score, outcome, block=drawn.block)
        size = f"{x_m.size} cases, {DRAWS} draws of {drawn.n_blocks} blocks"
        timed(f"ROC area, {size}", lambda d=drawn, t=table: d.interval(t.roc_auc))
        timed(
            f"average precision, {size}", lambda d=drawn, t=table: d.interval(t.average_precision)
        )
        timed(
            f"CORP parts, {x_m.size} cases",
            lambda s=score, o=outcome: corp_parts(s, o, rule="log"),
        )
    cells = draw_blocks(np.arange(CELLS), draws=DRAWS, rng=rng, unit="cell")
    single = rank_table(score[:CELLS], outcome[:CELLS], block=cells.block)
    timed(f"ROC area, {DRAWS} draws of {CELLS} cells", lambda: cells.interval(single.roc_auc))


if __name__ == "__main__":
    main()
