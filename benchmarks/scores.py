"""Seconds for the scores and intervals of a scoreboard row, at the size of the Gorkha series.

Run with: python benchmarks/scores.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from stats.calibration.corp import corp_parts
from stats.laws.hurdle import hurdle_lognormal
from stats.resampling.block_bootstrap import draw_blocks, draw_spatial_blocks
from stats.scores.crps import crps_terms, threshold_crps_terms
from stats.scores.logarithmic import hurdle_log_terms
from stats.scores.ranking import rank_table

CELLS, EPOCHS, DRAWS, LAWS = 21_360, 8, 500, 200_000


def timed(label: str, function: Callable[[], object]) -> None:
    start = time.perf_counter()
    function()
    print(f"{label:58s} {time.perf_counter() - start:7.3f} s")


def main() -> None:
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
