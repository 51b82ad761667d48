"""The detection error of a calibration, with a bootstrap of its blocks.

Regressions carry weak normal priors (standard deviation 5 of an intercept, 2 of a slope, on the
scale of the link), so that a block bootstrap in which every landslide was found, or none split,
still has an answer; with data they do not matter.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from detection.observation.calibration import SLOPE_EDGES_DEG, Calibration
from detection.observation.model import (
    NAMES,
    ObservationModel,
    drawn_of,
    size_coordinate,
    slope_coordinate,
)
from hazard.errors import DataError
from stats.case_arrays import BoolArray, FloatArray
from stats.resampling.block_bootstrap import draw_blocks

DRAWS = 200
_STEPS, _TURNS = 30, 25
_SD_INTERCEPT, _SD_SLOPE = 5.0, 2.0
CONCENTRATION_LIMITS = (0.2, 20.0)


def logistic_many(
    x: FloatArray, y: FloatArray, weights: FloatArray, most: FloatArray | float = 1.0
) -> FloatArray:
    """Weighted logistic regressions on one design, one per row of weights.

    Args:
        x: (n, p) design; its first column is the intercept.
        y: (n,) outcomes, 0 or 1.
        weights: (draw, n) how often each counts.
        most: (draw, n) known factor of the probability, which is `most` times the logistic.

    Returns:
        (draw, p) coefficients.

    Example:
        >>> x = np.stack([np.ones(400), np.tile([-1.0, 1.0], 200)], axis=1)
        >>> y = np.tile([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0], 50)
        >>> round(float(logistic_many(x, y, np.ones((1, 400)))[0, 1]), 3)
        1.095
    """
    prior = _precision(x.shape[1])
    beta = np.zeros((len(weights), x.shape[1]))
    for _ in range(_STEPS):
        share = special.expit(np.clip(beta @ x.T, -30.0, 30.0))
        p = most * share
        # Fisher scoring: dp/d eta = p (1 - share).
        odds = (1.0 - share) / np.maximum(1.0 - p, 1e-12)
        gradient = (weights * (y - p) * odds) @ x - beta * prior
        spread = weights * p * (1.0 - share) * odds
        information = np.einsum("dn,ni,nj->dij", spread, x, x, optimize=True) + np.diag(prior)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        beta += np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return beta


def _precision(p: int) -> FloatArray:
    return np.array([_SD_INTERCEPT**-2] + [_SD_SLOPE**-2] * (p - 1))


def poisson_many(x: FloatArray, counts: FloatArray, exposure: FloatArray) -> FloatArray:
    """Poisson regressions with a log link, one per row of counts and exposures.

    Args:
        x: (class, p) design; its first column is the intercept.
        counts: (draw, class) counts.
        exposure: (draw, class) exposures, 0 where nothing was looked at.

    Returns:
        (draw, p) coefficients.
    """
    prior = _precision(x.shape[1])
    beta = np.zeros((len(counts), x.shape[1]))
    # The mean rate to begin with, half an event where there was none.
    rate = (counts.sum(axis=1) + 0.5) / np.maximum(exposure.sum(axis=1), 1e-12)
    centre = np.log(rate)
    for _ in range(_STEPS):
        mu = exposure * np.exp(np.clip(centre[:, None] + beta @ x.T, -30.0, 30.0))
        gradient = (counts - mu) @ x - beta * prior
        information = np.einsum("dc,ci,cj->dij", mu, x, x, optimize=True) + np.diag(prior)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        beta += np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    beta[:, 0] += centre
    return beta


def estimate(
    calibration: Calibration,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
    synthetic: bool = False,
) -> ObservationModel:
    """Estimate recall, splitting, merging, outlines and false alarms.

    Args:
        calibration: of held-out blocks.
        rng: of the bootstrap of blocks.
        draws: number of draws.
        synthetic: rendered images.

    Raises:
        DataError: fewer than five blocks, or no landslide found: nothing can be said.
    """
    c = calibration
    n_blocks = len(c.block_names)
    if n_blocks < 5 or not c.found.any():
        raise DataError(
            "calibration", found=f"{n_blocks} blocks, {int(c.found.sum())} landslides found",
            expected="five blocks or more, and landslides that were found",
        )  # fmt: skip
    drawn = draw_blocks(np.arange(n_blocks), draws=draws, rng=rng, unit="held-out block")
    times = np.concatenate([np.ones((1, n_blocks)), drawn.multiplicity])
    place = c.rows_of(c.block)
    weights = times[:, place]
    x, found = size_coordinate(c.reference_m2), c.found
    one = np.ones_like(x)
    columns: dict[str, FloatArray] = {}
    inner, size = weights[:, found], np.stack([one, x], axis=1)[found]
    merged = c.members[found] > 1
    single = ~merged
    split = single & (c.outlines[found] > 1)
    # Only what is mapped large enough for two outlines can split.
    mapped = c.reference_m2[found] * np.exp(c.ln_ratio[found])
    could = single & (mapped >= 2.0 * c.minimum_m2)
    for name, outcome, among in (("split", split, could), ("merge", merged, True)):
        beta = logistic_many(size, outcome.astype(np.float64), inner * among)
        columns |= {f"{name}_0": beta[:, 0], f"{name}_area": beta[:, 1]}
    columns["fragments"] = _mean(c.outlines[found].astype(float), inner * split, 2.0)
    # A group of m counts m times, once per landslide: weights of 1/m make it one.
    members = c.members[found].astype(float)
    columns["members"] = _mean(members, inner * merged / members, 2.0)
    columns["concentration"] = _concentration(c, found, inner)

    clean = (c.outlines[found] == 1) & single
    least = np.log(c.minimum_m2 / c.reference_m2[found])
    columns |= _ratio(size, c.ln_ratio[found], least, inner * clean)
    drawn_above = drawn_of(
        {k: columns[k][:, None] for k in ("ratio_0", "ratio_area", "ratio_sd")},
        c.reference_m2[None], c.minimum_m2,
    )  # fmt: skip
    design = [one, x, slope_coordinate(c.slope_deg)] if c.with_terrain else [one, x]
    beta = logistic_many(np.stack(design, axis=1), found.astype(np.float64), weights, drawn_above)
    columns |= {"recall_0": beta[:, 0], "recall_area": beta[:, 1]}
    columns["recall_slope"] = beta[:, 2] if c.with_terrain else np.zeros(len(beta))
    columns |= _false(c, times)
    table = np.stack([columns[name] for name in NAMES], axis=1)
    return ObservationModel(
        values=table[0], draws=table[1:], minimum_m2=c.minimum_m2,
        n_reference=int(found.size), n_found=int(found.sum()), n_false=int(c.false_m2.size),
        n_blocks=n_blocks, with_terrain=c.with_terrain, synthetic=synthetic,
        notes=tuple(_notes(split, merged, clean, c)),
    )  # fmt: skip


def _notes(split: BoolArray, merged: BoolArray, clean: BoolArray, c: Calibration) -> list[str]:
    named = {
        "split": int(split.sum()), "merged": int(merged.sum()),
        "matched one to one": int(clean.sum()), "false": int(c.false_m2.size),
    }  # fmt: skip
    return [
        f"only {count} landslides {what}: its functions of size are mostly prior"
        for what, count in named.items()
        if count < 10
    ]


def _mean(values: FloatArray, weights: FloatArray, least: float) -> FloatArray:
    """(draw,) weighted mean of at least `least`; one value of `least` stands in for no data."""
    return np.maximum((weights @ values + least) / (weights.sum(axis=1) + 1.0), least)


def _concentration(c: Calibration, found: BoolArray, weights: FloatArray) -> FloatArray:
    """Dirichlet concentration from the mean sum of squared shares: (k + 1) / (n k + 1)."""
    squares = c.evenness[found]
    there = np.isfinite(squares)
    n = c.outlines[found][there].astype(float)
    w = weights[:, there]
    total = w.sum(axis=1)
    low, high = CONCENTRATION_LIMITS
    grid = np.geomspace(low, high, 60)
    model = (grid[:, None] + 1.0) / (n[None] * grid[:, None] + 1.0)
    gap = w @ (model - squares[there][None]).T
    # The expectation falls with the concentration: the first grid point at or below the data.
    at = grid[np.argmax(np.c_[gap <= 0.0, np.ones(len(gap), bool)][:, : grid.size + 1], axis=1)
              .clip(max=grid.size - 1)]  # fmt: skip
    return np.where(total > 0, at, 1.0)


def _ratio(
    size: FloatArray, ln_ratio: FloatArray, least: FloatArray, weights: FloatArray
) -> dict[str, FloatArray]:
    """Normal regression of ln ratios of which those below `least` were never recorded.

    With the inverse Mills ratio h at the standardised limit z, a recorded ratio has the mean
    mu + sd h and the variance sd^2 (1 + z h - h^2); both are solved for by turns.
    """
    there = weights[0] > 0
    x, y, limit, w = size[there], ln_ratio[there], least[there], weights[:, there]
    prior = np.diag([1e-6, 1e-2])
    information = np.einsum("dn,ni,nj->dij", w, x, x, optimize=True) + prior
    total = np.maximum(w.sum(axis=1), 1e-12)
    shift = np.zeros(w.shape)
    shrink = np.ones(len(w))
    for _ in range(_TURNS):
        moment = (w * (y - shift)) @ x
        beta = np.linalg.solve(information, moment[..., None])[..., 0]
        mu = beta @ x.T
        off = (w * (y - mu - shift) ** 2).sum(axis=1) / np.maximum(total - 2.0, 1.0)
        sd = np.maximum(np.sqrt(off / shrink), 1e-3)[:, None]
        z = (limit - mu) / sd
        mills = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - special.log_ndtr(-z))
        shift = sd * mills
        shrink = np.clip((w * (1.0 + z * mills - mills**2)).sum(axis=1) / total, 0.05, 1.0)
    return {"ratio_0": beta[:, 0], "ratio_area": beta[:, 1], "ratio_sd": sd[:, 0]}


def _false(c: Calibration, times: FloatArray) -> dict[str, FloatArray]:
    classes = len(SLOPE_EDGES_DEG) - 1
    edges = np.minimum(np.asarray(SLOPE_EDGES_DEG), 50.0)
    middle = slope_coordinate(0.5 * (edges[:-1] + edges[1:]))
    design = np.stack([np.ones(classes), middle], axis=1)[:, : 2 if c.with_terrain else 1]
    beta = poisson_many(design, times @ c.false_counts, times @ c.ground_km2)
    excess = np.log(np.maximum(c.false_m2 / c.minimum_m2, 1.0 + 1e-6))
    w = times[:, c.rows_of(c.false_block)]
    # Two alarms of the usual size (a factor e above the minimum, exponential) stand in for none.
    n = w.sum(axis=1) + 2.0
    mean = (w @ excess + 2.0) / n
    variance = (w @ excess**2 + 4.0) / n - mean**2
    shape = np.clip(mean**2 / np.maximum(variance, 1e-6), 0.2, 50.0)
    return {
        "false_0": beta[:, 0],
        "false_slope": beta[:, 1] if c.with_terrain else np.zeros(len(beta)),
        "false_shape": shape,
        "false_scale": mean / shape,
    }
