"""Per-pixel models see a pixel's own numbers, and nothing else."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.pixelwise import inputs as inputs_room
from detection.pixelwise.inputs import PixelInputs, pixel_values
from detection.pixelwise.models import KINDS, Kind, fit_pixel_model
from hazard.errors import DataError


def make(seed: int = 0, n: int = 6, side: int = 16, weight: float = 8.0) -> PatchSet:
    """Patches whose landslides follow red and near infrared by a logistic law."""
    rng = np.random.default_rng(seed)
    shape = (n, side, side)
    image = rng.uniform(0.05, 0.4, (*shape, 2)).astype(np.float32)
    score = weight * (image[..., 0] - image[..., 1]) / 0.1
    truth = rng.random(shape) < 1.0 / (1.0 + np.exp(-score))
    valid = rng.random(shape) < 0.9
    return PatchSet(
        bands=("red", "nir"),
        unit="1",
        pixel_m=5.0,
        image=np.where(valid[..., None], image, np.nan).astype(np.float32),
        valid=valid,
        truth=truth,
        known=np.ones(shape, dtype=bool),
        origin=tuple(
            PatchOrigin(scene=f"s{i}", region="r", epoch="1", row=0, column=0) for i in range(n)
        ),
        pre=rng.uniform(0.05, 0.4, (*shape, 2)).astype(np.float32),
        pre_valid=rng.random(shape) < 0.8,
        elevation_m=np.cumsum(np.ones(shape, dtype=np.float32), axis=1) * 5.0,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_law_is_found_on_other_patches(kind: Kind) -> None:
    model = fit_pixel_model(kind, make(0), seed=1)
    other = make(9)
    probability = model.probability(other)
    seen = other.valid
    assert probability.dtype == np.float32
    assert np.isfinite(probability).all()
    right = (probability >= 0.5)[seen] == other.truth[seen]
    assert right.mean() > 0.93
    assert (other.truth[seen].mean() - 0.5) ** 2 < 0.01  # a constant answer is right half the time


def test_logistic_regression_is_that_of_scikit_learn_on_standard_columns() -> None:
    train = make(2)
    model = fit_pixel_model("logistic_regression", train)
    counted = train.counted
    rows = train.image[counted]
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    reference = LogisticRegression(max_iter=1000).fit((rows - mean) / scale, train.truth[counted])
    expected = reference.predict_proba((rows - mean) / scale)[:, 1]
    np.testing.assert_allclose(model.probability(train)[counted], expected, atol=2e-3)
    assert model.n_pixels == int(counted.sum())


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_do_not_matter(kind: Kind) -> None:
    model = fit_pixel_model(kind, make(0))
    patches = make(3)
    before = model.probability(patches)
    image = patches.image.copy()
    image[:, 1:] = image[:, 1:][:, ::-1]
    moved = PatchSet(
        bands=patches.bands, unit="1", pixel_m=5.0, image=image, valid=patches.valid,
        truth=patches.truth, known=patches.known, origin=patches.origin,
    )  # fmt: skip
    np.testing.assert_array_equal(model.probability(moved)[:, 0], before[:, 0])


def test_what_was_not_seen_does_not_train() -> None:
    train = make(4)
    image = train.image.copy()
    image[~train.valid] = 77.0
    spoilt = PatchSet(
        bands=train.bands, unit="1", pixel_m=5.0, image=image, valid=train.valid,
        truth=train.truth ^ ~train.valid, known=train.known, origin=train.origin,
    )  # fmt: skip
    one = fit_pixel_model("logistic_regression", train)
    two = fit_pixel_model("logistic_regression", spoilt)
    np.testing.assert_array_equal(one.mean, two.mean)
    np.testing.assert_array_equal(one.estimator.coef_, two.estimator.coef_)


def test_same_seed_same_forest_and_portions_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    train = make(5)
    inputs = PixelInputs(indices=("ndvi",), pre=True, slope=True)
    one = fit_pixel_model("random_forest", train, inputs=inputs, maximum_pixels=500, seed=3)
    monkeypatch.setattr(inputs_room, "PORTION_PIXELS", 300)
    two = fit_pixel_model("random_forest", train, inputs=inputs, maximum_pixels=500, seed=3)
    assert one.n_pixels == 500
    np.testing.assert_allclose(one.probability(train), two.probability(train), atol=1e-6)


def test_columns_are_named_and_known() -> None:
    train = make(6)
    inputs = PixelInputs(indices=("ndvi",), pre=True, slope=True)
    values = pixel_values(train, inputs)
    names = inputs.names(train.bands)
    assert values.shape[-1] == len(names) == 7
    seen = train.valid & train.pre_valid
    ndvi = values[..., names.index("ndvi")][seen]
    red, nir = train.image[..., 0][seen], train.image[..., 1][seen]
    np.testing.assert_allclose(ndvi, (nir - red) / (nir + red), rtol=1e-5)
    np.testing.assert_allclose(values[..., names.index("slope")], 45.0, rtol=1e-5)
    assert np.isnan(values[..., names.index("pre red")][~train.pre_valid]).all()  # type: ignore[operator]


def test_wrong_patches_are_refused() -> None:
    model = fit_pixel_model("logistic_regression", make(0))
    other = make(1)
    swapped = PatchSet(
        bands=("nir", "red"), unit="1", pixel_m=5.0, image=other.image, valid=other.valid,
        truth=other.truth, known=other.known, origin=other.origin,
    )  # fmt: skip
    with pytest.raises(DataError, match="nir"):
        model.probability(swapped)
    with pytest.raises(DataError, match="earlier image"):
        pixel_values(swapped, PixelInputs(pre=True))
    with pytest.raises(DataError, match="both classes"):
        fit_pixel_model("random_forest", make(0).select([]))
