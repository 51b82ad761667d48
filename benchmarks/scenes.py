"""How hard the embedded scenes are: per-pixel models on ground that they have not seen.

Every scene is cut into square blocks; a block keeps its role on every date. In each of four folds
two quarters of the blocks train, one chooses the threshold (best F1), one is scored; so every pixel
is scored once. Counts are pooled over all pixels that count, blocks without landslides included.
Intervals resample blocks. The scenes are too easy where a random forest passes F1 0.70 or a
logistic regression 0.60.

python -m benchmarks.scenes
python -m benchmarks.scenes --regions nepal_like --inputs bands pre --truth new --json scenes.json
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detection.embedded.regions import REGIONS
from detection.embedded.settings import EmbeddedSettings
from detection.embedded.study import render_scenes
from detection.patches.cut import cut_patches, join_sets
from detection.patches.patch_set import PatchSet
from detection.pixelwise.inputs import PixelInputs
from detection.pixelwise.models import KINDS, Kind, fit_pixel_model
from detection.scenes.scene import Scene
from stats.resampling.block_bootstrap import draw_blocks, statistic_of_sums
from stats.resampling.interval import Interval
from stats.scores.contingency import choose_threshold, count_terms, f1_of_counts, iou_of_counts

FOLDS = 4
DRAWS = 1000
INPUTS: Mapping[str, PixelInputs] = {
    "bands": PixelInputs(),
    "bands, NDVI": PixelInputs(indices=("ndvi",)),
    "pre": PixelInputs(indices=("ndvi",), pre=True),
    "pre, slope": PixelInputs(indices=("ndvi",), pre=True, slope=True),
}
LIMITS = {"random_forest": 0.70, "logistic_regression": 0.60}

# From (training patches, validation patches) to a forecast of patches.
Fit = Callable[[PatchSet, PatchSet], Callable[[PatchSet], np.ndarray]]


@dataclass(frozen=True)
class Score:
    """Pooled scores of one model in one region."""

    f1: Interval
    iou: Interval
    precision: float
    recall: float
    n_pixels: int
    n_positive: int


def blocks_of(scenes: Sequence[Scene], block_px: int) -> tuple[PatchSet, np.ndarray]:
    """The scenes as patches of one block each, and the number of the ground block of each."""
    patches = join_sets([cut_patches(s, block_px, block_px, cover_edge=False) for s in scenes])
    corner = {s.name: s.grid.bounds for s in scenes}
    place = [
        (o.region, *(round(v) for v in corner[o.scene][:2]), o.row, o.column)
        for o in patches.origin
    ]
    number = {key: k for k, key in enumerate(sorted(set(place)))}
    return patches, np.array([number[key] for key in place])


def fold_of_blocks(patches: PatchSet, block: np.ndarray, seed: int) -> np.ndarray:
    """Fold of each patch: whole blocks, dealt out in the order of their landslide area."""
    n = int(block.max()) + 1
    area = np.bincount(block, weights=(patches.truth & patches.counted).sum(axis=(1, 2)))
    order = np.lexsort((np.random.default_rng(seed).random(n), -area))
    fold = np.empty(n, dtype=np.int64)
    # There and back, so that no fold always gets the larger of its turn.
    fold[order] = [k % FOLDS if k // FOLDS % 2 == 0 else FOLDS - 1 - k % FOLDS for k in range(n)]
    return fold[block]


def folds_of_blocks(
    patches: PatchSet, block: np.ndarray, seed: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(training, validation, test) patches of each fold."""
    fold = fold_of_blocks(patches, block, seed)
    found = []
    for k in range(FOLDS):
        after = (k + 1) % FOLDS
        roles = ((fold != k) & (fold != after), fold == after, fold == k)
        train, validation, test = (np.flatnonzero(role) for role in roles)
        found.append((train, validation, test))
    return found


def cross_validate(
    patches: PatchSet,
    unit: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    fit: Fit,
    *,
    name: str = "block",
    seed: int = 0,
) -> Score:
    """Pooled scores of a model; intervals resample `unit`, the number of the unit of each patch."""
    counts = np.zeros((int(unit.max()) + 1, 4))
    for train, validation, test in folds:
        held = patches.select(validation)
        forecast = fit(patches.select(train), held)
        seen = held.counted
        threshold = choose_threshold(forecast(held)[seen], held.truth[seen], maximise="f1")
        scored = patches.select(test)
        alarm = forecast(scored) >= threshold
        for i, patch in enumerate(test):
            seen = scored.counted[i]
            counts[unit[patch]] += count_terms(alarm[i][seen], scored.truth[i][seen]).sum(axis=0)
    drawn = draw_blocks(
        np.arange(len(counts)), draws=DRAWS, rng=np.random.default_rng(seed), unit=name
    )
    total = counts.sum(axis=0)
    return Score(
        drawn.interval(statistic_of_sums(counts, drawn.block, f1_of_counts)),
        drawn.interval(statistic_of_sums(counts, drawn.block, iou_of_counts)),
        float(total[0] / max(total[0] + total[1], 1.0)),
        float(total[0] / max(total[0] + total[2], 1.0)),
        int(total.sum()),
        int(total[0] + total[2]),
    )


def pixel_fit(kind: Kind, inputs: PixelInputs, *, pixels: int, seed: int) -> Fit:
    """How a per-pixel model is fitted; validation patches are left to the threshold."""

    def fit(train: PatchSet, _: PatchSet) -> Callable[[PatchSet], np.ndarray]:
        model = fit_pixel_model(kind, train, inputs=inputs, maximum_pixels=pixels, seed=seed)
        return model.probability

    return fit


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", nargs="+", default=list(REGIONS), choices=list(REGIONS))
    parser.add_argument("--inputs", nargs="+", default=list(INPUTS), choices=list(INPUTS))
    parser.add_argument("--models", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--size-px", type=int, default=512)
    parser.add_argument("--pixel-m", type=float, default=5.0)
    parser.add_argument("--block-px", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--sites", type=int, default=1)
    parser.add_argument("--lookalikes", type=float, default=1.0)
    parser.add_argument("--truth", default="visible", choices=["visible", "new"])
    parser.add_argument("--pixels", type=int, default=60_000, help="training pixels per fold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    start, rows, failed = time.perf_counter(), [], []
    print("| region | model | columns | F1 | IoU | precision | recall | pixels | landslide |")
    print("|---|---|---|---|---|---|---|---|---|")
    for region in options.regions:
        settings = EmbeddedSettings(
            regions=(region,),
            size_px=options.size_px,
            pixel_m=options.pixel_m,
            epochs=options.epochs,
            sites=options.sites,
            lookalikes=options.lookalikes,
            truth=options.truth,
            seed=options.seed,
        )
        patches, block = blocks_of(render_scenes(settings), options.block_px)
        folds = folds_of_blocks(patches, block, options.seed)
        for name in options.inputs:
            for kind in options.models:
                fit = pixel_fit(kind, INPUTS[name], pixels=options.pixels, seed=options.seed)
                score = cross_validate(patches, block, folds, fit, seed=options.seed)
                share = score.n_positive / score.n_pixels
                print(
                    f"| {region} | {kind} | {name} | {score.f1.value:.3f} "
                    f"({score.f1.low:.3f}-{score.f1.high:.3f}) | {score.iou.value:.3f} "
                    f"| {score.precision:.3f} | {score.recall:.3f} | {score.n_pixels} "
                    f"| {100 * share:.1f} % |",
                    flush=True,
                )
                if score.f1.value > LIMITS[kind]:
                    failed.append(f"{region}, {kind}, {name}")
                rows.append(
                    {
                        "region": region,
                        "model": kind,
                        "columns": name,
                        "f1": [score.f1.value, score.f1.low, score.f1.high],
                        "iou": [score.iou.value, score.iou.low, score.iou.high],
                        "pixels": score.n_pixels,
                        "landslide_pixels": score.n_positive,
                        "blocks": score.f1.n,
                    }
                )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    print(f"{len(failed)} rows above their limit ({LIMITS}): {'; '.join(failed) or 'none'}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - start:.0f} s, peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
