"""From images to exponent, total area and mean presence: does the trained detector's error carry?

One network is trained on rendered ground of its own. Each of several other worlds is rendered,
mapped and followed through its epochs; half of its blocks tell how the detector errs, and on the
other half exponent, total area and mean presence of new landslides get nominal 90 % intervals, with
the detection error carried on and without. A few worlds are an illustration, not a coverage:
`benchmarks.detection_error` measures that with a simulated detector.

    python -m benchmarks.images_to_hazard --worlds 5 --out runs/five_worlds
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import shapely

from hazard.training.platform import set_cpu_flags

if __name__ == "__main__":
    # What follows imports JAX, which reads its flags then.
    set_cpu_flags()

from detection.config.map import load_map_config
from detection.map.error_stage import Lattice, by_cell, error_stage
from detection.map.folder import ELEVATION
from detection.map.mapped import map_scenes
from detection.map.rendered import run_catalogue
from detection.map.run import detected_inventory, models_of, reference_inventory
from detection.map.scenes import epochs_of
from detection.observation.model import false_rate_of, recall_of, slope_coordinate
from detection.observation.presence import fit_presence
from detection.observation.survey import as_seen, gained, pixel_of
from hazard.geo.grid import Grid
from hazard.geo.raster import read_info
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter

CELL_M, PIXELS_PER_CELL = 250.0, 8
QUANTITIES = {"alpha": "exponent", "total_m2": "total area [m2]", "presence": "mean presence"}
SETTINGS = ("hazard=null", "embedded.size_px=512", "embedded.sites=2", "embedded.epochs=2")
SIZE_CLASSES, SLOPE_CLASSES = 60, 12


def cell_table(found, survey, ground, cells, minimum_m2):
    """(epoch, y, x): a new landslide in the cell, by a point inside it, on some ground."""
    present = np.zeros((len(found.epochs), *cells.shape), dtype=bool)
    for number, parts in enumerate(found.epochs):
        outlines = gained(parts, minimum_m2=minimum_m2)
        x, y = shapely.get_coordinates(shapely.point_on_surface(outlines)).T
        there = survey.on(ground & survey.seen[number], x, y)
        row, column, _ = pixel_of(cells, x[there], y[there])
        present[number, row, column] = True
    return present


def observation_draws(model, slope, share, areas, cell_km2):
    """(draw, cell) recall over the sizes of landslides and expected false alarms, by its draws."""
    at = np.linspace(slope.min(), slope.max(), SLOPE_CLASSES)
    pi, phi = np.empty((2, len(model.draws), slope.size))
    for draw in range(len(model.draws)):
        values = model.named(draw)
        recall = recall_of(values, areas[:, None], at[None], model.minimum_m2).mean(axis=0)
        pi[draw] = share * np.interp(slope, at, recall)
        phi[draw] = share * false_rate_of(values, slope) * cell_km2
    return pi, phi


def presence_rows(error, detected, reference, cells, level, rng):
    """Mean probability of a new landslide per cell and epoch, as detected and carried on."""
    model, survey, ground = error.model, error.survey, error.ground
    least = model.minimum_m2
    factor = survey.pixels.shape[0] // cells.shape[0]
    share = np.stack([by_cell(ground & seen, factor) for seen in survey.seen])
    # Whole cells: a landslide on the other side of a block's edge is no absence here.
    kept = share > 0.99
    slope = np.broadcast_to(by_cell(survey.slope_deg, factor), share.shape)[kept]
    detected_in, truly_in = (
        cell_table(found, survey, ground, cells, least)[kept] for found in (detected, reference)
    )
    q = (np.arange(SIZE_CLASSES) + 0.5) / SIZE_CLASSES
    areas = np.quantile(error.calibration.reference_m2, q)
    pi, phi = observation_draws(model, slope, share[kept], areas, cells.cell_area_m2 / 1e6)
    epoch = np.nonzero(kept)[0]
    pi, phi = pi * error.factors.recall[epoch], phi * error.factors.false[epoch]
    design = np.stack([np.ones(slope.size), slope_coordinate(slope)], axis=1)
    rows = []
    for way, observation, false in (
        ("detected", np.ones_like(pi), np.zeros_like(phi)),
        ("carried", np.minimum(pi, 1.0), phi),
    ):
        fit = fit_presence(detected_in, design, observation=observation, false_rate=false, rng=rng)
        low, high = fit.interval(level)
        rows.append(
            {"quantity": "presence", "way": way, "value": float(np.median(fit.mean_hazard)),
             "low": low, "high": high, "level": level, "n": int(kept.sum())}
        )  # fmt: skip
    truth = {"quantity": "presence", "way": "reference", "value": float(truly_in.mean()),
             "low": None, "high": None, "level": level, "n": int(kept.sum())}  # fmt: skip
    return [*rows, truth]


def one_world(config, models, run, session):
    """Rows of one world, and what was said of its detection error."""
    catalogue = run_catalogue(config, run, session)
    epochs = epochs_of(catalogue, config.region)
    scenes = map_scenes(config, epochs, models, run, session, resume=True)
    detected = detected_inventory(config, epochs, scenes, run, session)
    reference = reference_inventory(config, epochs, run, session)
    elevation = run / ELEVATION
    cells = Grid.covering(read_info(elevation).grid, detected.crs, cell_m=CELL_M)
    lattice = Lattice(elevation=elevation, cells=cells, pixels_per_cell=PIXELS_PER_CELL)
    error = error_stage(config, detected, reference, lattice, run, session)
    if error.model is None or error.ground is None:
        return [], error
    rows = [row for row in error.sizes.rows if row["ground"] == "checked"]
    rows += presence_rows(
        error, detected, as_seen(reference, detected), cells, config.error.level,
        np.random.default_rng([config.seed, 11]),
    )  # fmt: skip
    return rows, error


def lines_of(seed, rows):
    """The rows of a world as text: truth, and both intervals with whether they hold it."""
    found = {(row["quantity"], row["way"]): row for row in rows}
    for quantity, name in QUANTITIES.items():
        truth = found.get((quantity, "reference"))
        for way in ("detected", "carried"):
            row = found.get((quantity, way))
            if row is None or truth is None:
                yield f"{seed:5d}  {name:16s} {way:9s} not given"
                continue
            held = row["low"] <= truth["value"] <= row["high"]
            yield (
                f"{seed:5d}  {name:16s} {way:9s} {row['value']:12.4g} ({row['low']:.4g} to "
                f"{row['high']:.4g})  truth {truth['value']:.4g}  {'holds' if held else 'misses'}"
                f"  n {row['n']}"
            )


def summary(worlds):
    """How many intervals hold the truth, and the middle over it, per quantity and way."""
    for quantity, name in QUANTITIES.items():
        for way in ("detected", "carried"):
            pairs = []
            for world in worlds:
                found = {(row["quantity"], row["way"]): row for row in world["rows"]}
                both = found.get((quantity, way)), found.get((quantity, "reference"))
                if None not in both:
                    pairs.append(both)
            held = sum(one["low"] <= truth["value"] <= one["high"] for one, truth in pairs)
            ratio = np.median([one["value"] / truth["value"] for one, truth in pairs] or [np.nan])
            yield f"{name:16s} {way:9s} holds {held} of {len(pairs)}, value over truth {ratio:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/images_to_hazard.yaml"))
    parser.add_argument("--worlds", type=int, default=5)
    parser.add_argument("--first", type=int, default=101, help="seed of the first world")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="A.B=C")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    session = Session(log=Log(quiet=True), reporter=SilentReporter())
    config = load_map_config(options.config, overrides=[*SETTINGS, *options.overrides])
    begun = time.perf_counter()
    models = models_of(config, options.out, session, resume=True)
    print(f"network: {time.perf_counter() - begun:.0f} s", flush=True)
    worlds = []
    for seed in range(options.first, options.first + options.worlds):
        begun = time.perf_counter()
        own = config.model_copy(
            update={"embedded": config.embedded.model_copy(update={"seed": seed}), "seed": seed}
        )
        rows, error = one_world(own, models, options.out / f"world_{seed}", session)
        worlds.append({"seed": seed, "rows": rows, "words": list(error.words),
                       "notes": list(error.sizes.notes) if error.sizes else []})  # fmt: skip
        print(f"world {seed}: {time.perf_counter() - begun:.0f} s")
        print("\n".join(error.words))
        print("\n".join(lines_of(seed, rows)), flush=True)
    print("\n".join(summary(worlds)))
    record = {"settings": [*SETTINGS, *options.overrides], "config": options.config.name,
              "worlds": worlds}  # fmt: skip
    (options.out / "worlds.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
