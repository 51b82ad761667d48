"""A trained model as a forward function that can be sent to other machines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import jax
from jaxtyping import Float
from numpy import ndarray
from pyproj import Geod

from detection.mapping.source import SceneSource
from detection.training.model import DetectionModel
from detection.training.model_file import weights_digest
from hazard.errors import DataError
from hazard.geo.grid import Grid


class ModelForward:
    """`DetectionModel.probability`, compiled anew wherever it is unpickled.

    Args:
        model: the trained model.
    """

    def __init__(self, model: DetectionModel) -> None:
        self.model = model

    def __call__(self, batch: Mapping[str, ndarray]) -> Float[ndarray, "patch y x"]:
        """Probability of every pixel of a raw batch."""
        return self.model.probability(batch)

    def __getstate__(self) -> dict[str, Any]:
        # Compiled programs stay behind; they belong to the machine.
        kept = {item.name: getattr(self.model, item.name) for item in fields(self.model)}
        return {**kept, "variables": jax.device_get(self.model.variables)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.model = DetectionModel(**state)


def model_identity(model: DetectionModel) -> str:
    """Text that is equal exactly for models that predict the same."""
    return "/".join(
        (
            model.network_name,
            repr(sorted(model.settings.items())),
            model.preparation.to_json(),
            f"shift {model.logit_shift!r}",
            weights_digest(model.variables),
        )
    )


def pixel_side_m(grid: Grid) -> float:
    """Side of a square pixel of equal area, in metres on the ground; in degrees too.

    Example:
        >>> from affine import Affine
        >>> grid = Grid(crs="EPSG:4326", transform=Affine(1e-4, 0, 85, 0, -1e-4, 28), shape=(9, 9))
        >>> round(pixel_side_m(grid), 1)
        10.4
    """
    if grid.is_metric:
        return math.sqrt(math.prod(grid.cell_size))
    left, bottom, right, top = grid.bounds
    x0, y0 = (left + right) / 2, (bottom + top) / 2
    x1, y1 = x0 + grid.transform.a, y0 + grid.transform.e
    if not grid.crs.is_geographic:
        raise DataError(
            "scene",
            found=f"coordinate system {grid.crs.name!r}",
            expected="one in metres or degrees",
        )
    geod = grid.crs.get_geod() or Geod(ellps="WGS84")
    area, _ = geod.polygon_area_perimeter([x0, x0, x1, x1], [y0, y1, y1, y0])
    return math.sqrt(abs(area))


def require_fit(model: DetectionModel, source: SceneSource) -> None:
    """Refuse a scene that the model was not made for.

    Raises:
        DataError: other bands, another unit, pixels of another size, or no earlier image or
            elevation where the model reads them.
    """
    unit = str(source.facts.get("unit", model.preparation.unit))
    # A model without a pixel size was trained on images that do not say theirs.
    pixel_m = None if model.preparation.pixel_m is None else pixel_side_m(source.grid)
    try:
        model.preparation.require(source.bands, unit, pixel_m)
    except DataError as error:
        raise DataError(source.name, found=error.found, expected=error.expected) from None


def require_inputs(model: DetectionModel, source: SceneSource, keys: set[str]) -> None:
    """Refuse a scene without an array that the model reads.

    Raises:
        DataError: it lacks the earlier image or the elevation.
    """
    lacking = [name for name in model.inputs if name not in keys]
    if lacking:
        raise DataError(
            source.name,
            found=f"no {lacking[0]!r} (it has {', '.join(sorted(keys))})",
            expected="every array that the model reads: " + ", ".join(model.inputs),
        )
