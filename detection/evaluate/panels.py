"""Examples as rows of panels: image, truth, probability, and where the map is right and wrong.

Which patches are shown is a rule, not a choice: see `choose_examples`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from detection.patches.patch_set import PatchSet
from stats.command.map_panels import MISSING_GREY, scale_bar_km
from stats.command.plots_page import pages_of, patch_handle, plot_page
from stats.scores.contingency import f1_of_counts

HIT, MISS, FALSE_ALARM, NOTHING = "#0072B2", "#a50026", "#E69F00", "#f2f0e6"
LANDSLIDE = "#4d4d4d"
# Ends and middle of viridis (S. van der Walt and N. Smith, CC0), for the legend.
PROBABILITY = {
    "probability 0": "#440154", "probability 0.5": "#21918c", "probability 1": "#fde725",
}  # fmt: skip
STRETCHED = 50  # patches of a region that set the contrast of its images
RULE = "Patches with landslides at even steps of F1, best first"
RULE_EMPTY = "; then stable ground with most false alarms"


def choose_examples(
    probability: Float[ndarray, "patch y x"],
    patches: PatchSet,
    threshold: float,
    *,
    number: int = 8,
) -> list[int]:
    """Patches to show: from the best to the worst, and the false alarms on stable ground.

    Three of four are patches with landslides, at even steps of their F1 from the best to the
    worst; the others have none, and are those where most pixels are mapped. Equal ones come in
    the order of the set.

    Args:
        probability: of landslide.
        patches: the set.
        threshold: of the map.
        number: how many; fewer where there are fewer.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> truth = np.zeros((3, 4, 4), bool); truth[:2, :2] = True
        >>> origin = tuple(
        ...     PatchOrigin(scene=name, region="a", epoch="1", row=0, column=0) for name in "abc")
        >>> patches = PatchSet(bands=("red",), unit="1", pixel_m=3.0, truth=truth, origin=origin,
        ...     image=np.zeros((3, 4, 4, 1), np.float32), valid=truth | True, known=truth | True)
        >>> choose_examples(np.stack([np.ones((4, 4)), truth[1], truth[2]]), patches, 0.5)
        [1, 0, 2]
    """
    counted = patches.counted
    mapped = (np.asarray(probability) >= threshold) & counted
    truth = patches.truth & counted
    counts = np.stack(
        [(mapped & truth).sum((1, 2)), (mapped & ~truth).sum((1, 2)),
         (~mapped & truth).sum((1, 2)), np.zeros(len(patches))], axis=1,
    )  # fmt: skip
    positive = np.flatnonzero(truth.any(axis=(1, 2)))
    empty = np.flatnonzero(~truth.any(axis=(1, 2)) & counted.any(axis=(1, 2)))
    n_empty = min(len(empty), max(number // 4, number - len(positive)))
    n_positive = min(len(positive), number - n_empty)
    ranked = positive[np.argsort(-f1_of_counts(counts[positive]), kind="stable")]
    steps = np.round(np.linspace(0, max(len(ranked) - 1, 0), n_positive)).astype(int)
    false = empty[np.argsort(-counts[empty, 1], kind="stable")][:n_empty]
    return [int(i) for i in (*ranked[steps], *false)]


def draw_examples(
    probability: Float[ndarray, "patch y x"],
    patches: PatchSet,
    threshold: float,
    path: Path,
    *,
    title: str,
    chosen: Sequence[int] | None = None,
    number: int = 8,
    rows: int = 4,
    dpi: int = 130,
) -> list[Path]:
    """Draw examples, a row each, on as many pages as they need.

    Args:
        probability: of landslide.
        patches: the set; its earlier images are shown too, where it has them.
        threshold: of the map.
        path: PNG file of the first page.
        title: of the pages.
        chosen: numbers of patches; `choose_examples` where None.
        number: how many of those.
        rows: examples on a page.
        dpi: resolution [dots per inch].

    Returns:
        The files written.

    Raises:
        ValueError: nothing to draw.
    """
    shown = choose_examples(probability, patches, threshold, number=number)
    shown = shown if chosen is None else list(chosen)
    bands, names = display_bands(patches.bands)
    images = _images(patches, shown, bands)
    columns = 4 if patches.pre is None else 5
    stable = not (patches.truth & patches.counted)[shown].any(axis=(1, 2)).all()
    legend: dict[str, Any] = {
        "hit": patch_handle(HIT), "miss": patch_handle(MISS),
        "false alarm": patch_handle(FALSE_ALARM), "correct rejection": patch_handle(NOTHING),
        "landslide (truth)": patch_handle(LANDSLIDE), "does not count": patch_handle(MISSING_GREY),
        **{name: patch_handle(colour) for name, colour in PROBABILITY.items()},
    }  # fmt: skip
    notes = [
        f"{names} Mapped where the probability is at least {threshold:.3f} (white line).",
        *([f"{RULE}{RULE_EMPTY if stable else ''}."] if chosen is None else []),
    ]
    written = []
    for file, heading, part in pages_of(shown, path, per_page=rows, title=title):
        with plot_page(
            file, title=heading, panels=columns * len(part), columns=columns,
            synthetic=patches.synthetic, notes=notes, legend=legend, panel_width=1.85,
            panel_height=1.85, west=0.06, east=0.06, north=0.28, south=0.04, outer_west=0.3,
            smooth=True, dpi=dpi,
        ) as axes:  # fmt: skip
            for place, number_of in enumerate(part):
                own = axes[place * columns : (place + 1) * columns]
                _draw_row(own, probability, patches, threshold, number_of, images[number_of],
                          named=place == 0)  # fmt: skip
        written.append(file)
    return written


def display_bands(bands: Sequence[str]) -> tuple[list[int], str]:
    """Bands shown as red, green and blue, and words for it: natural colours where there are.

    Example:
        >>> display_bands(("blue", "green", "red", "nir"))
        ([2, 1, 0], 'Natural colours.')
        >>> display_bands(("green", "red", "nir"))
        ([2, 1, 0], 'False colours: nir, red, green.')
        >>> display_bands(("vv",))
        ([0, 0, 0], 'Band vv.')
    """
    place = {name.lower(): i for i, name in enumerate(bands)}
    for names in (("red", "green", "blue"), ("nir", "red", "green")):
        if all(name in place for name in names):
            natural = "Natural colours." if names[0] == "red" else ""
            return [place[n] for n in names], natural or f"False colours: {', '.join(names)}."
    if len(bands) < 3:
        return [0, 0, 0], f"Band {bands[0]}."
    return [0, 1, 2], f"False colours: {', '.join(bands[:3])}."


def _images(
    patches: PatchSet, shown: Sequence[int], bands: list[int]
) -> dict[int, list[Float[ndarray, "y x 3"]]]:
    """Images of the patches shown, stretched alike within a region, unseen pixels grey."""
    grey = np.array([int(MISSING_GREY[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    found: dict[int, list[ndarray]] = {}
    for region in dict.fromkeys(patches.origin[i].region for i in shown):
        members = [i for i in shown if patches.origin[i].region == region]
        parts = [(patches.image, patches.valid)]
        if patches.pre is not None and patches.pre_valid is not None:
            parts.insert(0, (patches.pre, patches.pre_valid))
        # Stretched over the region, not over what happens to be shown; a few patches will do.
        own = [i for i, origin in enumerate(patches.origin) if origin.region == region]
        some = own[:: max(1, len(own) // STRETCHED)]
        seen = np.concatenate([a[some][..., bands][v[some]] for a, v in parts])
        low, high = np.percentile(seen, [1, 99], axis=0) if len(seen) else (0.0, 1.0)
        width = np.maximum(np.asarray(high) - low, 1e-9)
        for i in members:
            found[i] = [
                np.where(
                    v[i][..., None],
                    np.clip((np.where(v[i][..., None], a[i][..., bands], low) - low) / width, 0, 1),
                    grey,
                )
                for a, v in parts
            ]
    return found


def _draw_row(
    axes: Sequence[Any],
    probability: ndarray,
    patches: PatchSet,
    threshold: float,
    number: int,
    images: list[ndarray],
    *,
    named: bool,
) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    counted, truth = patches.counted[number], patches.truth[number]
    values = np.where(counted, probability[number], np.nan)
    mapped = counted & (np.nan_to_num(values) >= threshold)
    titles = ["image", "truth", "probability", "map against truth"]
    titles = titles if len(images) == 1 else ["earlier image", *titles]
    codes = np.select([~counted, mapped & truth, truth, mapped], [0, 1, 2, 3], 4)
    known = np.select([~counted, truth], [0, 1], 2)
    *pictures, truth_ax, probability_ax, error_ax = axes
    for ax, image in zip(pictures, images, strict=True):
        ax.imshow(image, interpolation="nearest")
    truth_ax.imshow(
        known, cmap=ListedColormap([MISSING_GREY, LANDSLIDE, NOTHING]), vmin=0, vmax=2,
        interpolation="nearest",
    )  # fmt: skip
    probability_ax.imshow(
        np.ma.masked_invalid(values), cmap=colormaps["viridis"].with_extremes(bad=MISSING_GREY),
        vmin=0, vmax=1, interpolation="nearest",
    )  # fmt: skip
    if mapped.any() and not mapped[counted].all():
        probability_ax.contour(mapped, levels=[0.5], colors="white", linewidths=0.7)
    error_ax.imshow(
        codes, cmap=ListedColormap([MISSING_GREY, HIT, MISS, FALSE_ALARM, NOTHING]), vmin=0,
        vmax=4, interpolation="nearest",
    )  # fmt: skip
    for ax, name in zip(axes, titles, strict=True):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(visible=False)
        if named and ax is not error_ax:
            ax.set_title(name, fontsize=8.5, pad=3)
    counts = [np.count_nonzero(codes == code) for code in (1, 3, 2, 4)]
    f1 = float(f1_of_counts(counts))
    text = f"F1 {f1:.2f}"
    if not (truth & counted).any():
        text = f"{counts[1]:,} px of false alarm" if counts[1] else "nothing, rightly"
    error_ax.set_title(f"{titles[-1]}: {text}" if named else text, fontsize=8.5, pad=3)
    origin = patches.origin[number]
    axes[0].set_ylabel(textwrap.fill(origin.scene, 24), fontsize=7.5, labelpad=3)
    if patches.pixel_m is not None:
        _scale_bar(pictures[-1], truth.shape, patches.pixel_m)


def _scale_bar(ax: Any, shape: tuple[int, ...], pixel_m: float) -> None:
    from matplotlib import patheffects

    height, width = shape
    length_m = scale_bar_km(width * pixel_m) * 1000.0
    start, level = 0.05 * width, 0.93 * height
    halo = [patheffects.withStroke(linewidth=3, foreground="white")]
    ax.plot(
        [start, start + length_m / pixel_m], [level, level], color="black", linewidth=1.8,
        solid_capstyle="butt", path_effects=halo,
    )  # fmt: skip
    text = f"{length_m:g} m" if length_m < 1000 else f"{length_m / 1000:g} km"
    ax.text(
        start, level - 0.045 * height, text, fontsize=7, ha="left", va="bottom", path_effects=halo
    )
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
