"""Spatial diagnostics at grid scale: time, memory, and agreement with esda and scikit-gstat.

    python benchmarks/spatial.py                       everything but the simulations
    python benchmarks/spatial.py structure envelopes   some parts
    python benchmarks/spatial.py power level           the simulations that docs/spatial.md quotes

Every part runs in a process of its own, so that peak memory is that part's. Times are the best of
three with all cores. scikit-gstat is asked for a raster of 300 x 300 under a memory limit
(``--limit-gib``), since it holds all pairs.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZE, EPOCHS, LAGS = 1000, 8, 50


def best(function: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Shortest time [s] of some calls, and the result of the last."""
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def peak_gib() -> float:
    """Peak memory of this process [GiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def series(size: int = SIZE, epochs: int = EPOCHS, share: float = 0.9) -> tuple[Any, Any]:
    """Smooth fields with noise on a mask with holes and a ragged rim."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    values = np.empty((epochs, size, size))
    for epoch in range(epochs):
        values[epoch] = 5.0 * ndimage.gaussian_filter(rng.standard_normal((size, size)), 4.0)
        values[epoch] += rng.gamma(1.0, 1.0, (size, size))
    y, x = np.indices((size, size)) - 0.5 * size
    return values, (rng.random((size, size)) < share) & (np.hypot(y, x) < 0.6 * size)


def structure() -> None:
    from stats.spatial.lags import lag_classes
    from stats.spatial.structure import spatial_structure

    values, valid = series()
    before = peak_gib()
    for workers in (-1, 1):
        burnt = time.process_time()
        seconds, found = best(
            lambda w=workers: spatial_structure(values, valid, classes=lag_classes(LAGS), workers=w)
        )
        burnt = (time.process_time() - burnt) / 3
        threads = "all cores" if workers == -1 else "one core"
        print(f"{SIZE} x {SIZE} x {EPOCHS}, {int(valid.sum())} cells a mask: Moran, correlogram to "
              f"{LAGS}, variogram, analytic variance: {seconds:.2f} s ({threads}), "
              f"{burnt:.2f} s of processor time, peak "
              f"{peak_gib():.2f} GiB, of which inputs and imports {before:.2f}")  # fmt: skip
    masks = np.random.default_rng(1).random(values.shape) < 0.9
    seconds, _ = best(lambda: spatial_structure(values, masks, classes=lag_classes(LAGS)), 1)
    print(
        f"  the same with another mask in every epoch: {seconds:.2f} s, peak {peak_gib():.2f} GiB"
    )
    print(f"  Moran's I of the epochs: {[round(one.moran.value, 4) for one in found]}")


def envelopes() -> None:
    from stats.spatial.envelope import permutation_envelopes
    from stats.spatial.lags import lag_classes

    values, valid = series()
    rng = np.random.default_rng(0)
    start, burnt = time.perf_counter(), time.process_time()
    for one in values:
        permutation_envelopes(one, valid, classes=lag_classes(LAGS), permutations=99, rng=rng)
    print(f"99 permutations of {EPOCHS} epochs, both curves at {LAGS} lags: "
          f"{time.perf_counter() - start:.1f} s, {time.process_time() - burnt:.1f} s of processor "
          f"time, peak {peak_gib():.2f} GiB")  # fmt: skip


def space_time() -> None:
    from stats.spatial.lags import lag_classes
    from stats.spatial.space_time import space_time_variogram

    values, valid = series()
    seconds, _ = best(lambda: space_time_variogram(values, valid, classes=lag_classes(LAGS)))
    print(f"space-time variogram, {EPOCHS} epochs, all {EPOCHS * (EPOCHS + 1) // 2} pairs of "
          f"epochs: {seconds:.2f} s, peak {peak_gib():.2f} GiB")  # fmt: skip


def ability() -> None:
    from stats.spatial.predictive_ability import hering_genton

    values, valid = series(epochs=2)
    seconds, found = best(lambda: hering_genton(values[0], values[1], valid))
    print(f"Hering-Genton test, {found.n} cells: {seconds:.2f} s, peak {peak_gib():.2f} GiB; "
          f"sd {found.sd:.5f}, as if independent {found.naive_sd:.5f}")  # fmt: skip


def with_esda() -> None:
    import esda
    import libpysal

    from stats.spatial.local_moran import local_moran, local_moran_permutation
    from stats.spatial.moran import moran
    from stats.spatial.stencil import QUEEN

    for size in (100, 300):
        values = series(size, 1)[0][0]
        made, weights = best(lambda s=size: libpysal.weights.lat2W(s, s, rook=False), 1)
        theirs, other = best(
            lambda v=values, w=weights: esda.Moran(v.ravel(), w, transformation="R", permutations=0)
        )
        ours, found = best(lambda v=values: moran(v, stencil=QUEEN, standardise="row"))
        gap = max(
            abs(found.value / other.I - 1),
            abs(found.sd**2 / other.VI_rand - 1),
            abs(found.sd_normal**2 / other.VI_norm - 1),
        )
        print(f"Moran, {size} x {size}: {ours * 1e3:.1f} ms; esda {theirs * 1e3:.1f} ms and "
              f"weights {made * 1e3:.0f} ms; largest relative gap of I and both variances "
              f"{gap:.1e}")  # fmt: skip
        theirs, other = best(
            lambda v=values, w=weights: esda.Moran_Local(
                v.ravel(), w, transformation="R", permutations=99, n_jobs=1, seed=0
            ),
            2,
        )
        ours, p = best(
            lambda v=values: local_moran_permutation(
                v, stencil=QUEEN, permutations=99, rng=np.random.default_rng(0)
            ),
            2,
        )
        local = local_moran(values, stencil=QUEEN)
        gap = np.abs(local.value.ravel() / other.Is - 1).max()
        folded = np.minimum(p.greater, p.less).ravel()
        print(f"  local, 99 permutations: {ours:.2f} s; esda {theirs:.2f} s; largest relative gap "
              f"{gap:.1e}; correlation of p-values {np.corrcoef(folded, other.p_sim)[0, 1]:.3f}; "
              f"quadrants equal {bool((local.quadrant.ravel() == other.q).all())}")  # fmt: skip


def with_gstat(limit_gib: float) -> None:
    import warnings

    try:
        import skgstat
    except ImportError:
        print("scikit-gstat: not run, it is not installed")
        return
    from stats.spatial.lags import lag_classes
    from stats.spatial.variogram import variogram

    resource.setrlimit(resource.RLIMIT_AS, (int(limit_gib * 2**30),) * 2)
    warnings.simplefilter("ignore")
    classes = lag_classes(20)
    for size in (30, 60, 90, 300):
        values = series(size, 1)[0][0]
        points = np.argwhere(np.ones((size, size), bool)).astype(float)
        ours, found = best(lambda v=values: variogram(v, classes=classes))
        try:
            theirs, other = best(
                lambda p=points, v=values: (
                    skgstat.Variogram(
                        p, v.ravel(), bin_func=list(classes.edges[1:]), fit_method=None
                    ).experimental
                ),
                1,
            )
            gap = np.abs(np.asarray(other) / found.gamma - 1).max()
            text = f"{theirs:.2f} s, largest relative gap {gap:.1e}"
        except (MemoryError, np.linalg.LinAlgError) as error:
            text = f"failed within {limit_gib:g} GiB ({type(error).__name__})"
        print(f"variogram to 20 lags, {size} x {size}: {ours * 1e3:.1f} ms; scikit-gstat {text}")


def power() -> None:
    """Rejection rate of Moran's test on score residuals against the share of a missed effect."""
    from scipy import ndimage, special

    from stats.laws.hurdle import hurdle_lognormal
    from stats.spatial.moran import moran
    from stats.spatial.residuals import hurdle_residuals

    rng = np.random.default_rng(0)
    print("Moran's test at 5 %, 1500 worlds without and 300 with a missed effect (binomial errors "
          "0.006 and at most 0.03), smooth over 2 cells; 18 % positive cells")  # fmt: skip
    print(f"{'cells':>6} {'missed':>7} {'I':>7} {'presence':>9} {'I':>7} {'location':>9}")
    for side in (20, 40, 80):
        for share in (0.0, 0.05, 0.1, 0.2, 0.4):
            rows = []
            worlds = 300 if share else 1500
            for _ in range(worlds):
                wide = ndimage.gaussian_filter(rng.standard_normal((side + 40,) * 2), 2.0)
                patch = (wide / wide.std())[20:-20, 20:-20]
                latent = np.sqrt(share) * patch + np.sqrt(1 - share) * rng.standard_normal(
                    (side, side)
                )
                p = special.ndtr(-1.1 + 0.7 * rng.standard_normal((side, side))).ravel()
                law = hurdle_lognormal(p, np.zeros(p.size), np.ones(p.size), upper=np.inf)
                found = hurdle_residuals(law, law.quantile(special.ndtr(latent).ravel()))
                for part in (found.presence, found.location):
                    one = moran(part.value.reshape(side, side))
                    rows += [one.value, one.p_value() <= 0.05]
            table = np.array(rows, dtype=float).reshape(worlds, 4).mean(axis=0)
            print(f"{side * side:6d} {share:7.2f} {table[0]:7.3f} {table[1]:9.3f} {table[2]:7.3f} "
                  f"{table[3]:9.3f}", flush=True)  # fmt: skip


def level() -> None:
    """Rejection rate of the Hering-Genton test with equal forecasts, by covariance and range."""
    from scipy import fft

    from stats.spatial.predictive_ability import hering_genton

    shape, worlds = (120, 180), 300
    y, x = np.indices(shape)
    mask = (((y - 60) / 60) ** 2 + ((x - 90) / 90) ** 2 < 1.0) | ((x < 40) & (y > 60))
    padded = tuple(2 * n for n in shape)
    ky, kx = fft.fftfreq(padded[0])[:, None], fft.rfftfreq(padded[1])[None, :]
    squared = (2.0 * np.pi) ** 2 * (ky**2 + kx**2)
    rng = np.random.default_rng(0)
    print(
        f"Hering-Genton at 5 %, {worlds} worlds each, binomial error "
        f"{(0.05 * 0.95 / worlds) ** 0.5:.3f}, {int(mask.sum())} cells"
    )
    print(f"{'covariance':>12} {'scale':>6} {'effective n':>12} {'df':>7} {'rejected':>9} "
          f"{'normal':>7} {'naive':>6}")  # fmt: skip
    for name, scale in (("none", 0), ("gaussian", 1), ("gaussian", 2), ("gaussian", 4),
                        ("gaussian", 8), ("exponential", 2), ("exponential", 4),
                        ("exponential", 8)):  # fmt: skip
        gain = np.ones(squared.shape)
        if name == "gaussian":
            gain = np.exp(-0.5 * scale**2 * squared)
        elif name == "exponential":
            gain = (1.0 + scale**2 * squared) ** -0.75
        size = np.sqrt(np.mean(fft.irfft2(fft.rfft2(rng.standard_normal(padded)) * gain) ** 2))
        found = []
        for _ in range(worlds):
            field = fft.irfft2(fft.rfft2(rng.standard_normal(padded)) * gain)[:120, :180] / size
            loss = field + 0.5 * rng.standard_normal(shape)
            one = hering_genton(loss, np.zeros(shape), mask)
            found.append([one.effective_n, one.df, one.p_value() <= 0.05,
                          abs(one.statistic) > 1.96,
                          abs(one.difference) > 1.96 * one.naive_sd])  # fmt: skip
        table = np.array(found, dtype=float)
        share = table[:, 2:].mean(axis=0)
        print(f"{name:>12} {scale:6d} {np.median(table[:, 0]):12.0f} {np.median(table[:, 1]):7.0f} "
              f"{share[0]:9.3f} {share[1]:7.3f} {share[2]:6.3f}", flush=True)  # fmt: skip


PARTS: dict[str, Callable[..., None]] = {
    "structure": structure, "envelopes": envelopes, "space_time": space_time, "ability": ability,
    "esda": with_esda, "gstat": with_gstat, "power": power, "level": level,
}  # fmt: skip
QUICK = ("structure", "envelopes", "space_time", "ability", "esda", "gstat")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="parts to run")
    parser.add_argument("--limit-gib", type=float, default=6.0, help="memory for scikit-gstat")
    parser.add_argument("--here", action="store_true", help="run in this process")
    arguments = parser.parse_args()
    for part in arguments.parts or QUICK:
        if arguments.here:
            PARTS[part](*((arguments.limit_gib,) if part == "gstat" else ()))
            continue
        command = [
            sys.executable,
            __file__,
            part,
            "--here",
            "--limit-gib",
            str(arguments.limit_gib),
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
