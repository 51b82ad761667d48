"""Logistic regression and random forest on single pixels.

Both see a pixel's own numbers and nothing around it. They are the least that a network has to
beat, and the measure of how hard scenes are: where they score high, colour alone tells landslides.
Pixels are drawn at random among those that count, whatever their class, so that the probabilities
keep the prevalence of the training set; the threshold is chosen elsewhere, on validation data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from detection.patches.patch_set import PatchSet
from detection.pixelwise.inputs import PixelInputs, pixel_values, portions
from hazard.errors import DataError

Kind = Literal["logistic_regression", "random_forest"]
KINDS: tuple[Kind, ...] = ("logistic_regression", "random_forest")

TREES = 100
SMALLEST_LEAF = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelModel:
    """A fitted per-pixel model.

    Attributes:
        kind: which model.
        inputs: columns that it reads.
        bands: bands of the image, in order.
        unit: unit of the image.
        mean: mean of each column over the pixels of the fit; stands in for unknown values.
        scale: their standard deviation.
        estimator: the fitted scikit-learn estimator.
        n_pixels: pixels of the fit.
        n_positive: landslide pixels among them.
    """

    kind: Kind
    inputs: PixelInputs
    bands: tuple[str, ...]
    unit: str
    mean: Float[ndarray, " column"]
    scale: Float[ndarray, " column"]
    estimator: Any
    n_pixels: int
    n_positive: int

    def probability(self, patches: PatchSet) -> Float[ndarray, "patch y x"]:
        """Probability of a landslide at every pixel, those that do not count included (float32).

        Raises:
            DataError: patches of other bands or of another unit.
        """
        found = (patches.bands, patches.unit)
        if found != (self.bands, self.unit):
            raise DataError(
                "patches", found=f"bands {found[0]} in {found[1]!r}",
                expected=f"{self.bands} in {self.unit!r}",
            )  # fmt: skip
        out = np.empty(patches.image.shape[:3], dtype=np.float32)
        for part in portions(patches):
            chosen = patches.select(range(part.start, part.stop))
            values = pixel_values(chosen, self.inputs)
            rows = self._standard(values.reshape(-1, values.shape[-1]))
            out[part] = self.estimator.predict_proba(rows)[:, 1].reshape(values.shape[:3])
        return out

    def _standard(self, rows: Float[ndarray, "pixel column"]) -> Float[ndarray, "pixel column"]:
        return np.asarray(standardised(rows, self.mean, self.scale))


def standardised(
    rows: Float[ndarray, "pixel column"],
    mean: Float[ndarray, " column"],
    scale: Float[ndarray, " column"],
) -> Float[ndarray, "pixel column"]:
    """(rows - mean) / scale, 0 where a value is not known (float32).

    Example:
        >>> standardised(np.array([[3.0], [np.nan]]), np.array([1.0]), np.array([2.0]))[:, 0]
        array([1., 0.], dtype=float32)
    """
    with np.errstate(invalid="ignore"):
        values = (rows - mean) / scale
    return np.where(np.isfinite(values), values, 0.0).astype(np.float32)


def fit_pixel_model(
    kind: Kind,
    train: PatchSet,
    *,
    inputs: PixelInputs | None = None,
    maximum_pixels: int = 100_000,
    seed: int = 0,
) -> PixelModel:
    """Fit a per-pixel model on the pixels that count.

    Args:
        kind: "logistic_regression" (L2 of scikit-learn's default strength on standardised columns)
            or "random_forest" (100 trees, at least 10 pixels in a leaf).
        train: patches of the training role.
        inputs: columns besides the bands.
        maximum_pixels: pixels drawn, without replacement, where more count.
        seed: of the draw and of the forest.

    Raises:
        DataError: no pixel of one of the two classes.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> truth = np.zeros((1, 8, 8), dtype=bool)
        >>> truth[:, :4] = True
        >>> origin = (PatchOrigin(scene="s", region="r", epoch="1", row=0, column=0),)
        >>> seen = np.ones_like(truth)
        >>> bright = np.where(truth, 0.3, 0.1)[..., None].astype(np.float32)
        >>> train = PatchSet(bands=("red",), unit="1", pixel_m=3.0, image=bright, valid=seen,
        ...                  truth=truth, known=seen, origin=origin)
        >>> model = fit_pixel_model("logistic_regression", train)
        >>> bool((model.probability(train)[truth] > 0.5).all()), model.n_positive
        (True, 32)
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}; use one of {', '.join(KINDS)}")
    chosen = inputs or PixelInputs()
    rng = np.random.default_rng(seed)
    rows, truth = _draw(train, chosen, maximum_pixels, rng)
    if truth.all() or not truth.any():
        raise DataError(
            "training patches",
            found=f"{int(truth.sum())} landslide pixels among {truth.size}",
            expected="pixels of both classes",
        )
    mean = np.nan_to_num(np.nanmean(rows, axis=0, dtype=np.float64))
    scale = np.nan_to_num(np.nanstd(rows, axis=0, dtype=np.float64))
    scale = np.where(scale > 0.0, scale, 1.0)
    estimator = _estimator(kind, seed)
    estimator.fit(standardised(rows, mean, scale), truth)
    return PixelModel(
        kind=kind,
        inputs=chosen,
        bands=train.bands,
        unit=train.unit,
        mean=mean,
        scale=scale,
        estimator=estimator,
        n_pixels=truth.size,
        n_positive=int(truth.sum()),
    )


def _estimator(kind: Kind, seed: int) -> Any:
    if kind == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            n_estimators=TREES, min_samples_leaf=SMALLEST_LEAF, random_state=seed, n_jobs=1
        )
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _draw(
    train: PatchSet, inputs: PixelInputs, maximum: int, rng: np.random.Generator
) -> tuple[Float[ndarray, "pixel column"], ndarray[Any, np.dtype[np.bool_]]]:
    counted = train.counted
    usable = counted
    if inputs.pre and train.pre_valid is not None:
        usable = counted & train.pre_valid
    flat = np.flatnonzero(usable)
    if flat.size > maximum:
        flat = np.sort(rng.choice(flat, maximum, replace=False))
    per_patch = usable.shape[1] * usable.shape[2]
    width = len(inputs.names(train.bands))
    rows = np.empty((flat.size, width), dtype=np.float32)
    for part in portions(train):
        low, high = np.searchsorted(flat, [part.start * per_patch, part.stop * per_patch])
        if low == high:
            continue
        values = pixel_values(train.select(range(part.start, part.stop)), inputs)
        rows[low:high] = values.reshape(-1, width)[flat[low:high] - part.start * per_patch]
    return rows, train.truth.reshape(-1)[flat]
