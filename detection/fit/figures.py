"""Figures of a run: losses by epoch; image, truth, prediction and error of test patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from detection.fit.models import FittedModel
from detection.patches.patch_set import PatchSet
from stats.command.plots_page import line_handle, patch_handle, plot_page, styles_of

FALSE_COLOURS = ("nir", "red", "green")
HIT, ALARM, MISS, UNSEEN = "#009E73", "#D55E00", "#CC79A7", "#bfbfbf"
ERRORS = {"found": HIT, "false alarm": ALARM, "missed": MISS, "does not count": UNSEEN}


def draw_history(models: Sequence[FittedModel], path: Path, *, synthetic: bool, dpi: int) -> bool:
    """Training and validation losses of every network by epoch, one panel each.

    Losses of different recipes are different quantities: each panel has a scale of its own.

    Returns:
        False where no model has a history.
    """
    trained = [model for model in models if model.history]
    if not trained:
        return False
    styles = styles_of(["training", "validation"])
    legend = {name: line_handle(style) for name, style in styles.items()}
    with plot_page(
        path, title="Losses by epoch", panels=len(trained), columns=3, synthetic=synthetic,
        legend=legend, dpi=dpi, notes=["Mean over members. Losses of two recipes do not compare."],
    ) as axes:  # fmt: skip
        for ax, model in zip(axes, trained, strict=True):
            epochs = [entry.epoch + 1 for entry in model.history]
            curves = {"training": [float(np.mean(entry.loss)) for entry in model.history]}
            if all(entry.validation is not None for entry in model.history):
                curves["validation"] = [
                    float(np.mean(entry.validation or ())) for entry in model.history
                ]
            for name, values in curves.items():
                style = styles[name]
                ax.plot(epochs, values, color=style.colour, linestyle=style.line,
                        linewidth=style.width)  # fmt: skip
            ax.set_title(model.label, fontsize=9)
            ax.set_xlabel("epoch", fontsize=8)
            ax.set_ylabel("loss [-]", fontsize=8)
    return True


def chosen_patches(
    test: PatchSet, probability: Float[ndarray, "patch y x"], threshold: float, number: int
) -> list[int]:
    """Patches to show: spread from the best to the worst, empty ones with false alarms included.

    They are ordered by the pixels that are wrong, and picked at even steps of that order among
    patches that hold a landslide or a false alarm, so that a report shows failures as well.
    """
    counted = test.counted
    wrong = ((probability >= threshold) != test.truth) & counted
    of_interest = ((test.truth | (probability >= threshold)) & counted).any(axis=(1, 2))
    candidates = np.flatnonzero(of_interest)
    if candidates.size == 0 or number == 0:
        return []
    share = wrong[candidates].sum(axis=(1, 2)) / counted[candidates].sum(axis=(1, 2))
    order = candidates[np.argsort(share, kind="stable")]
    places = np.linspace(0, order.size - 1, min(number, order.size)).round().astype(int)
    return [int(i) for i in order[np.unique(places)]]


def draw_panels(
    test: PatchSet,
    probability: Float[ndarray, "patch y x"],
    threshold: float,
    chosen: Sequence[int],
    path: Path,
    *,
    model: str,
    dpi: int,
) -> None:
    """Rows of image, truth, probability and error for some test patches."""
    legend = {name: patch_handle(colour) for name, colour in ERRORS.items()}
    colours = _colours(test)
    with plot_page(
        path, title=f"{model}: test patches from best to worst", panels=4 * len(chosen),
        columns=4, synthetic=test.synthetic, legend=legend, dpi=dpi, panel_width=1.8,
        panel_height=1.8, west=0.1, south=0.1, north=0.28, east=0.1, outer_west=0.1, smooth=True,
        notes=[f"Image as {', '.join(colours)}, stretched between its 2nd and 98th percentile; "
               f"probability from 0 (white) to 1 (black), mapped from {threshold:.3f} on."],
    ) as axes:  # fmt: skip
        for row, number in enumerate(chosen):
            origin = test.origin[number]
            shown = probability[number]
            cells = (
                (_stretched(test, number, colours), origin.scene),
                (_grey(test.truth[number].astype(float), test.counted[number]), "truth"),
                (_grey(shown, test.counted[number]), "probability"),
                (
                    error_colours(shown >= threshold, test.truth[number], test.counted[number]),
                    f"row {origin.row}, column {origin.column}",
                ),
            )
            for ax, (picture, title) in zip(axes[4 * row : 4 * row + 4], cells, strict=True):
                ax.imshow(picture, interpolation="nearest")
                ax.set_title(title, fontsize=7)
                ax.set_axis_off()


def error_colours(
    mapped: Bool[ndarray, "y x"], truth: Bool[ndarray, "y x"], counted: Bool[ndarray, "y x"]
) -> Float[ndarray, "y x 3"]:
    """Colours of hits, false alarms, misses, and of what does not count; stable ground is white.

    Example:
        >>> one = np.ones((1, 1), bool)
        >>> (error_colours(one, one, ~one) * 255).round().astype(int).tolist()
        [[[191, 191, 191]]]
    """
    picture = np.ones((*truth.shape, 3))
    for where, colour in (
        (mapped & truth, HIT), (mapped & ~truth, ALARM), (~mapped & truth, MISS), (~counted, UNSEEN)
    ):  # fmt: skip
        picture[where] = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return picture


def _colours(test: PatchSet) -> tuple[str, ...]:
    if set(FALSE_COLOURS) <= set(test.bands):
        return FALSE_COLOURS
    return test.bands[:3] if len(test.bands) >= 3 else test.bands[:1]


def _stretched(
    test: PatchSet, number: int, colours: Sequence[str]
) -> Float[ndarray, "y x channel"]:
    places = [test.bands.index(name) for name in colours]
    image, valid = test.image[number][..., places].astype(float), test.valid[number]
    if not valid.any():
        return np.full((*valid.shape, 3), 0.75)
    low, high = np.percentile(image[valid], [2, 98], axis=0)
    shown = np.clip((image - low) / np.maximum(high - low, 1e-9), 0, 1)
    shown = np.broadcast_to(shown, (*valid.shape, 3)).copy()
    shown[~valid] = 0.75
    return shown


def _grey(values: Float[ndarray, "y x"], counted: Bool[ndarray, "y x"]) -> ndarray:
    shown = np.repeat(1.0 - np.clip(values, 0, 1)[..., None], 3, axis=-1)
    shown[~counted] = 0.75
    return shown
