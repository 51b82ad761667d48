"""Do intervals cover the truth behind a detected inventory, with the detection error carried on?

Worlds of landslides with a known exponent, total area and hazard per cell are seen by a detector
that misses, splits, merges, misdraws and invents landslides, more in some blocks than in others. It
is calibrated on held-out blocks, then asked about other ground. Each of three quantities gets a
nominal interval with the error carried on, and one that ignores it.

    python -m benchmarks.detection_error --worlds 200 --first 1000 --out detection_error.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from detection.observation.calibration import (
    SLOPE_EDGES_DEG,
    Calibration,
    evenness,
    slope_class,
)
from detection.observation.carry import carry, recorded_exponents
from detection.observation.emulate import Detected, class_slopes_deg, false_alarms
from detection.observation.estimate import estimate
from detection.observation.model import recall_of, slope_coordinate
from detection.observation.presence import fit_presence
from stats.sizes.empirical import share_interval
from stats.sizes.totals import total_area

LEVEL, MINIMUM_M2 = 0.9, 200.0
ALPHA = 1.6
PER_KM2 = 2.0
GROUND_SHARES = np.array([0.10, 0.20, 0.30, 0.30, 0.10])
BLOCK_SD = 0.3
# Half of the landslides of 600 m2 are found on slopes of 30 deg, fewer on steeper ones.
DETECTOR = {
    "recall_0": 0.71, "recall_area": 1.4, "recall_slope": -0.3,
    "split_0": -2.0, "split_area": 0.6, "fragments": 2.6, "concentration": 1.5,
    "join_0": -2.6, "join_area": 0.15,
    "ratio_0": 0.05, "ratio_area": -0.06, "ratio_sd": 0.25,
    "false_0": -1.9, "false_slope": 0.4, "false_shape": 1.2, "false_scale": 0.7,
}  # fmt: skip
HAZARD = (-1.2, 0.6)
QUANTITIES = ("alpha", "total", "hazard")
WAYS = ("carried", "ignored")


def truths(rng, n):
    """Areas and slopes of n landslides."""
    slopes = np.clip(rng.normal(32.0, 7.0, n), 2.0, 60.0)
    return MINIMUM_M2 * rng.random(n) ** (-1.0 / ALPHA), slopes


def seen(rng, areas, slopes):
    """A block as the detector sees it, written apart from the emulator that is to stand for it.

    No two blocks are seen alike; outlines below the minimum are lost after they were drawn and
    broken, and a landslide merges with the next one that was found.
    """
    d = DETECTOR
    offset = rng.normal(0.0, BLOCK_SD)
    x, n = np.log(areas / 1000.0), areas.size
    logit = d["recall_0"] + offset + d["recall_area"] * x + d["recall_slope"] * (slopes - 30) / 10
    seen_at_all = rng.random(n) < 1.0 / (1.0 + np.exp(-logit))
    mapped = areas * np.exp(rng.normal(d["ratio_0"] + d["ratio_area"] * x, d["ratio_sd"]))
    joins = rng.random(n) < 1.0 / (1.0 + np.exp(-d["join_0"] - d["join_area"] * x))
    breaks = rng.random(n) < 1.0 / (1.0 + np.exp(-d["split_0"] - d["split_area"] * x))
    groups, tied = [], False
    for i in np.flatnonzero(seen_at_all).tolist():
        if tied:
            groups[-1].append(i)
        else:
            groups.append([i])
        tied = bool(joins[i])
    out = {k: np.zeros(n) for k in ("outlines", "members", "ln_ratio", "evenness")}
    out["members"] += 1
    out["ln_ratio"] += np.nan
    out["evenness"] += np.nan
    area, source = [], []
    for group in groups:
        pieces = np.array([mapped[group].sum()])
        if len(group) == 1 and breaks[group[0]]:
            k = 2 + rng.poisson(d["fragments"] - 2.0)
            pieces = pieces * rng.dirichlet(np.full(k, d["concentration"]))
        pieces = pieces[pieces >= MINIMUM_M2]
        if not pieces.size:
            continue
        area += pieces.tolist()
        source += [group[0]] * pieces.size
        out["outlines"][group] = pieces.size
        out["members"][group] = len(group)
        out["ln_ratio"][group] = np.log(pieces.sum() / areas[group].sum())
        even = evenness(pieces, np.zeros(pieces.size, np.int64), 1, MINIMUM_M2)[0]
        out["evenness"][group] = even if len(group) == 1 else np.nan
    return Detected(
        area_m2=np.array(area), source=np.array(source, dtype=np.int64),
        found=out["outlines"] > 0, outlines=out["outlines"].astype(np.int64),
        members=out["members"].astype(np.int64), ln_ratio=out["ln_ratio"],
        evenness=out["evenness"],
    )  # fmt: skip


def false_on(rng, km2):
    """Areas and slopes of the false alarms of some ground."""
    areas, slopes = [], []
    for middle, ground in zip(class_slopes_deg(), km2 * GROUND_SHARES, strict=True):
        here = np.zeros(len(GROUND_SHARES))
        here[slope_class([middle])[0]] = ground
        found = false_alarms(DETECTOR, here, minimum_m2=MINIMUM_M2, rng=rng)
        areas.append(found)
        slopes.append(np.full(found.size, middle))
    return np.concatenate(areas), np.concatenate(slopes)


def calibration_of(rng, blocks=40, km2=12.0):
    """Held-out blocks with their reference."""
    parts, false = [], []
    for block in range(blocks):
        areas, slopes = truths(rng, max(1, rng.poisson(PER_KM2 * km2)))
        parts.append((block, areas, slopes, seen(rng, areas, slopes)))
        false.append((block, *false_on(rng, km2)))

    def joined(pick):
        return np.concatenate([pick(part) for part in parts])

    return Calibration(
        reference_m2=joined(lambda p: p[1]), slope_deg=joined(lambda p: p[2]),
        block=joined(lambda p: np.full(p[1].size, p[0])),
        outlines=joined(lambda p: p[3].outlines), members=joined(lambda p: p[3].members),
        ln_ratio=joined(lambda p: p[3].ln_ratio), evenness=joined(lambda p: p[3].evenness),
        false_m2=np.concatenate([f[1] for f in false]),
        false_slope_deg=np.concatenate([f[2] for f in false]),
        false_block=np.concatenate([np.full(f[1].size, f[0]) for f in false]),
        ground_km2=np.tile(km2 * GROUND_SHARES, (blocks, 1)), block_names=np.arange(blocks),
        minimum_m2=MINIMUM_M2,
    )  # fmt: skip


def survey(rng, n_outlines):
    """Ground looked at until so many outlines were recorded, in blocks of about 15 km2."""
    area, slope, true, edge = [], [], 0.0, 0.0
    count = 0
    while True:
        n = 30
        areas, slopes = truths(rng, n)
        at = edge + np.cumsum(rng.exponential(1.0 / PER_KM2, n))
        found = seen(rng, areas, slopes)
        false, false_slope = false_on(rng, at[-1] - edge)
        where = np.concatenate([at[found.source], rng.uniform(edge, at[-1], false.size)])
        order = np.argsort(where, kind="stable")
        both = np.concatenate([found.area_m2, false])[order]
        both_slope = np.concatenate([slopes[found.source], false_slope])[order]
        if count + both.size >= n_outlines:
            take = n_outlines - count
            stop = where[order][take - 1]
            area.append(both[:take])
            slope.append(both_slope[:take])
            true += areas[at <= stop].sum()
            return np.concatenate(area), np.concatenate(slope), float(true), float(stop)
        area.append(both)
        slope.append(both_slope)
        true += areas.sum()
        count, edge = count + both.size, at[-1]


def cells_of(rng, n=1500, per_block=25):
    """Cells of 1 km2: slope, true probability, and whether a landslide was recorded."""
    slope = rng.uniform(5.0, 50.0, n)
    rate = np.exp(HAZARD[0] + HAZARD[1] * slope_coordinate(slope))
    present = np.zeros(n, dtype=bool)
    for first in range(0, n, per_block):
        cells = np.arange(first, min(first + per_block, n))
        number = rng.poisson(rate[cells])
        owner = np.repeat(cells, number)
        areas = MINIMUM_M2 * rng.random(owner.size) ** (-1.0 / ALPHA)
        if owner.size:
            present[owner[seen(rng, areas, slope[owner]).found]] = True
    false = np.exp(DETECTOR["false_0"] + DETECTOR["false_slope"] * slope_coordinate(slope))
    present |= rng.random(n) < -np.expm1(-false)
    return slope, float(-np.expm1(-rate).mean()), present


def observed_share(model, slope, alphas, classes=12):
    """(draw, cell) recall averaged over the sizes of each draw's own law, and false alarms."""
    q = (np.arange(classes * 4) + 0.5) / (classes * 4)
    shares = np.empty((len(model.draws), slope.size))
    false = np.empty_like(shares)
    at = np.linspace(slope.min(), slope.max(), classes)
    for row in range(len(model.draws)):
        values = model.named(row)
        areas = model.minimum_m2 * (1.0 - q) ** (-1.0 / alphas[row % len(alphas)])
        recall = recall_of(values, areas[:, None], at[None], model.minimum_m2)
        shares[row] = np.interp(slope, at, recall.mean(axis=0))
        false[row] = np.exp(values["false_0"] + values["false_slope"] * slope_coordinate(slope))
    return shares, false


def one_world(seed, *, n_outlines=400, draws=150):
    """Truth and intervals of one world: quantity -> (truth, way -> (low, high))."""
    rng = np.random.default_rng([20261120, seed])
    model = estimate(calibration_of(rng), rng=rng, draws=draws, synthetic=True)
    areas, slopes, true_total, km2 = survey(rng, n_outlines)
    found = carry(
        areas, model, slope_deg=slopes, ground_km2=km2 * GROUND_SHARES, rng=rng, draws=draws,
        level=LEVEL,
    )  # fmt: skip
    resampled = rng.choice(areas, (draws, areas.size))
    tail = (0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL)
    naive = np.quantile(recorded_exponents(resampled, MINIMUM_M2, None), tail).tolist()
    curve_only = np.quantile(recorded_exponents(resampled, MINIMUM_M2, found.curve), tail).tolist()
    total = total_area(areas, rng=rng, draws=1000, level=LEVEL).expected_m2
    slope, hazard, present = cells_of(rng)
    design = np.stack([np.ones(slope.size), slope_coordinate(slope)], axis=1)
    shares, false = observed_share(model, slope, np.array(found.alpha_draws))
    right = fit_presence(present, design, observation=shares, false_rate=false, rng=rng)
    plain = fit_presence(
        present, design, observation=np.ones_like(shares), false_rate=np.zeros_like(false), rng=rng
    )
    return {
        "alpha": (ALPHA, {"carried": (found.alpha.low, found.alpha.high), "ignored": naive,
                          "recall curve alone": curve_only}),
        "total": (true_total, {"carried": (found.total_m2.low, found.total_m2.high),
                               "ignored": (total.low, total.high)}),
        "hazard": (hazard, {"carried": right.interval(LEVEL), "ignored": plain.interval(LEVEL)}),
    }  # fmt: skip


def coverage(worlds):
    """Share of worlds in which each interval held its truth, and how wide and off it was."""
    rows = []
    for quantity in QUANTITIES:
        for way in worlds[0][quantity][1]:
            ends = np.array([w[quantity][1][way] for w in worlds], dtype=np.float64)
            truth = np.array([w[quantity][0] for w in worlds])
            held = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
            low, high = share_interval(int(held.sum()), held.size)
            rows.append({
                "quantity": quantity, "way": way, "worlds": int(held.size),
                "covered": float(held.mean()), "low": float(low), "high": float(high),
                "truth_below": float((truth < ends[:, 0]).mean()),
                "truth_above": float((truth > ends[:, 1]).mean()),
                "middle_over_truth": float(np.median(ends.mean(axis=1) / truth)),
                "relative_width": float(np.median((ends[:, 1] - ends[:, 0]) / truth)),
            })  # fmt: skip
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first world")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pool", type=Path, nargs="*", default=(), help="records of other worlds")
    options = parser.parse_args()
    begun = time.perf_counter()
    worlds = []
    for seed in range(options.first, options.first + options.worlds):
        worlds.append(one_world(seed))
        if (seed + 1) % 20 == 0:
            print(f"{seed + 1} worlds, {time.perf_counter() - begun:.0f} s", flush=True)
    for path in options.pool:
        worlds += json.loads(path.read_text(encoding="utf-8"))["worlds"]
    rows = coverage(worlds)
    for row in rows:
        print(
            f"{row['quantity']:7s} {row['way']:19s} {row['covered']:.3f} "
            f"({row['low']:.3f}-{row['high']:.3f})  truth below {row['truth_below']:.3f}, above "
            f"{row['truth_above']:.3f}; middle/truth {row['middle_over_truth']:.3f}; "
            f"width/truth {row['relative_width']:.3f}"
        )
    if options.out:
        record = {
            "level": LEVEL, "detector": DETECTOR, "block_sd": BLOCK_SD, "alpha": ALPHA,
            "slope_edges_deg": SLOPE_EDGES_DEG, "rows": rows, "worlds": worlds,
        }  # fmt: skip
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
