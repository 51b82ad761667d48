"""Coverage of bootstrap intervals when errors depend on each other in space, by simulation.

Prints a table; docs/scores.md quotes it. Run with:
    HAZARD_NIGHTLY=1 python -m pytest -s tests/stats/resampling/test_coverage.py
"""

import numpy as np
import pytest
from scipy import fft, special

from stats.resampling.block_bootstrap import difference, draw_blocks, draw_spatial_blocks, mean_of
from stats.scores.brier import brier_terms
from stats.scores.ranking import rank_table

SHAPE_KM = (120, 180)  # 54 blocks of 20 km
MARGIN_KM = 60  # keeps the opposite edges of the periodic field apart
SMOOTHING_KM = 2.0
THRESHOLD = 1.3  # about 18 % of cells have the event
WORLDS, NAIVE_WORLDS, DRAWS = 200, 60, 200


def smooth_field(rng, cell_km):
    """White noise smoothed by a Gaussian: correlation exp(-d^2 / (4 s^2)), variance 1."""
    smoothing = SMOOTHING_KM / cell_km
    rows, columns = (n // cell_km for n in SHAPE_KM)
    shape = tuple((n + MARGIN_KM) // cell_km for n in SHAPE_KM)
    ky, kx = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    kernel = np.exp(-2.0 * (np.pi * smoothing) ** 2 * (ky**2 + kx**2))
    gain = np.sqrt(np.mean(np.exp(-4.0 * (np.pi * smoothing) ** 2
                                  * (ky**2 + fft.fftfreq(shape[1])[None, :] ** 2))))  # fmt: skip
    noise = fft.rfft2(rng.standard_normal(shape))
    return (fft.irfft2(noise * kernel, s=shape) / gain)[:rows, :columns].ravel()


def one_world(rng, cell_km):
    """Calibrated forecast of a thresholded field whose unseen half is as smooth as the seen one."""
    seen, unseen = smooth_field(rng, cell_km), smooth_field(rng, cell_km)
    outcome = seen + unseen > THRESHOLD
    return special.ndtr(seen - THRESHOLD), outcome


def statistics(p, outcome, block):
    rate = np.full(p.shape, special.ndtr(-THRESHOLD / np.sqrt(2.0)))
    return {
        "Brier difference": difference(
            mean_of(brier_terms(p, outcome), block), mean_of(brier_terms(rate, outcome), block)
        ),
        "AUC": rank_table(p, outcome, block=block).roc_auc,
    }


@pytest.mark.slow
@pytest.mark.parametrize("cell_km", [2, pytest.param(1, marks=pytest.mark.nightly)])
def test_block_intervals_cover_and_cell_intervals_do_not(cell_km):
    rng = np.random.default_rng(60)
    y_m, x_m = (
        1000.0 * axis.ravel() for axis in np.mgrid[: SHAPE_KM[0] : cell_km, : SHAPE_KM[1] : cell_km]
    )
    found = {}
    for world in range(WORLDS):
        p, outcome = one_world(rng, cell_km)
        finer = {}
        designs = {
            f"{side_km} km": draw_spatial_blocks(
                x_m, y_m, side_m=1e3 * side_km, draws=DRAWS, rng=rng
            )
            for side_km in (10, 20, 30)
        }
        if world < NAIVE_WORLDS:
            designs["cell"] = draw_blocks(np.arange(p.size), draws=DRAWS, rng=rng)
        for unit, drawn in designs.items():
            for name, statistic in statistics(p, outcome, drawn.block).items():
                found.setdefault((name, unit), []).append(drawn.interval(statistic))
                if unit == "10 km":
                    finer[name] = statistic(drawn.multiplicity)
                if unit == "20 km":
                    wide = drawn.interval(statistic, finer_values=finer[name])
                    found.setdefault((name, "20 km, widened"), []).append(wide)
    coverage = {}
    for (name, unit), intervals in found.items():
        # The estimand is the mean over worlds, known to a fourteenth of one interval's half-width.
        truth = np.mean([i.value for i in found[(name, "20 km")]])
        coverage[(name, unit)] = np.mean([not i.excludes(truth) for i in intervals])
        width = np.mean([i.high - i.low for i in intervals])
        print(f"{name:18s} {unit:14s} n {len(intervals):4d}  coverage {coverage[(name, unit)]:.3f}"
              f"  mean width {width:.4f}")  # fmt: skip
    for name in ("Brier difference", "AUC"):
        # Cutting covariance at block boundaries costs a few points; widening brings them back.
        assert 0.88 < coverage[(name, "20 km")] < 0.97
        assert 0.915 < coverage[(name, "20 km, widened")] < 0.985
        # The larger a cell, the less of its error it shares with its neighbours.
        assert coverage[(name, "cell")] < {1: 0.6, 2: 0.75}[cell_km]
