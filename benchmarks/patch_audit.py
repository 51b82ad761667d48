"""How long the audit of a split takes on thousands of patches, and what of planted copies it finds.

    python benchmarks/patch_audit.py [--patches 2000 4000] [--size 64] [--bands 4]

makes patches with the spectrum of a landscape, plants copies of 1 % of them (turned, mirrored, in
another light, blurred, noisy, sharpened), splits at random, and prints the seconds of the
signatures, of the search for near copies among all pairs, and of the whole audit, the share of
pairs whose signatures had to be turned, and how many of the planted pairs were found.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy import ndimage

from detection.patches.audit import audit
from detection.patches.duplicates import COARSE_CORRELATION, near_duplicates, signatures
from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.patches.splits import split_at_random


def landscape(n: int, size: int, bands: int, rng: np.random.Generator) -> np.ndarray:
    f, g = np.fft.rfftfreq(size)[None], np.fft.fftfreq(size)[:, None]
    k = np.hypot(f, g)
    k[0, 0] = np.inf
    image = np.empty((n, size, size, bands), np.float32)
    for place in range(n):
        noise = np.fft.rfft2(rng.normal(size=(bands + 1, size, size)))
        layers = np.fft.irfft2(noise * k**-1.5, s=(size, size))
        layers /= layers.std(axis=(1, 2), keepdims=True)
        image[place] = np.moveaxis(0.3 + 0.05 * layers[:1] + 0.02 * layers[1:], 0, -1)
    return image


def copied(image: np.ndarray, kind: int, rng: np.random.Generator) -> np.ndarray:
    soft = ndimage.gaussian_filter(image, (1.0, 1.0, 0))
    turned = np.rot90(image if kind % 2 else image[:, ::-1], kind)
    changes = (
        turned,
        turned * rng.uniform(0.7, 1.4, image.shape[-1]) + rng.uniform(-0.1, 0.1),
        np.rot90(soft, kind),
        turned + rng.normal(0, 0.01, image.shape),
        np.rot90(2 * image - soft, kind),
    )
    return changes[kind % len(changes)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, nargs="+", default=[2000, 4000])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--bands", type=int, default=4)
    arguments = parser.parse_args()
    print(f"{'patches':>8} {'signatures':>10} {'pairs':>7} {'audit':>7} {'turned':>9} {'found':>9}")
    for n in arguments.patches:
        rng = np.random.default_rng(0)
        image = landscape(n, arguments.size, arguments.bands, rng)
        planted = [(i, n - 1 - i) for i in range(n // 100)]
        for first, second in planted:
            image[second] = copied(image[first], first, rng)
        seen = np.ones(image.shape[:3], bool)
        patches = PatchSet(
            bands=tuple(f"band{b}" for b in range(arguments.bands)), unit="1", pixel_m=None,
            image=image, valid=seen, truth=~seen, known=seen,
            origin=tuple(
                PatchOrigin(scene=f"{i}", region=f"{i}", epoch="1", row=0, column=0)
                for i in range(n)
            ),
        )  # fmt: skip
        times = [time.perf_counter()]
        marks = signatures(patches)
        times.append(time.perf_counter())
        found = {(pair.first, pair.second) for pair in near_duplicates(patches, marks=marks)}
        times.append(time.perf_counter())
        audit(patches, split_at_random(patches))
        times.append(time.perf_counter())
        part = marks.sorted[: min(n, 1000)]
        share = ((part @ part.T >= COARSE_CORRELATION).sum() - len(part)) / len(part) ** 2
        spent = np.diff(times)
        print(
            f"{n:8,} {spent[0]:8.1f} s {spent[1]:5.1f} s {spent[2]:5.1f} s {share:9.1e} "
            f"{len(found & set(planted)):4}/{len(planted):<4}"
            + (f" {len(found - set(planted))} others" if found - set(planted) else "")
        )


if __name__ == "__main__":
    main()
