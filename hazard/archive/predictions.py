"""Write and read `predictions.zarr`: every forecast of a run beside what was observed.

A forecast of a cell in an epoch under a scheme comes from the fold that tests this cell-epoch, so
it was never seen in training; it is NaN where the scheme tests nothing. The scheme ``final`` is
the exception: one model fitted on everything, marked `in_sample`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.archive.names import (
    CRITERIA,
    FIELDS,
    MEMBER_FIELDS,
    OBSERVATION_FIELDS,
    PREDICTIONS_LAYOUT,
    PREDICTIONS_NAME,
    PREDICTIONS_VERSION,
)
from hazard.archive.records import ModelRecord, NotRun, SchemeRecord, from_json, to_json
from hazard.errors import DataError
from stats.laws.recorded import recorded_probability

if TYPE_CHECKING:
    import xarray as xr

    from hazard.cube.layout import Cube
    from hazard.geo.grid import Grid

Array = np.ndarray[Any, np.dtype[Any]]
NO_FOLD = -1
LABEL = "hindcast with the observed trigger"


@dataclass(frozen=True, kw_only=True)
class Header:
    """The axes of a run's predictions.

    Attributes:
        schemes: in the order of the axis.
        models: in the order of the axis.
        not_run: what is absent, and why.
        levels_percent: densities whose exceedance is scored, the first one 0 (presence).
        members: length of the axis `member`.
        folds: length of the axis `fold`.
    """

    schemes: tuple[SchemeRecord, ...]
    models: tuple[ModelRecord, ...]
    not_run: tuple[NotRun, ...] = ()
    levels_percent: tuple[float, ...] = (0.0,)
    members: int = 1
    folds: int = 1

    def scheme_code(self, name: str) -> int:
        """Number of a scheme on its axis.

        Raises:
            DataError: no such scheme.
        """
        return _code([s.name for s in self.schemes], name, "scheme")

    def model_code(self, name: str) -> int:
        """Number of a model on its axis.

        Raises:
            DataError: no such model.
        """
        return _code([m.name for m in self.models], name, "model")


class PredictionsWriter:
    """Fills a new store region by region; made by `predictions_writer`."""

    def __init__(self, root: Any, header: Header) -> None:
        self.root, self.header = root, header

    def fold(self, scheme: str, fold: Array) -> None:
        """(epoch, y, x) number of the fold that tests each cell-epoch, -1 where none does."""
        self.root["fold"][self.header.scheme_code(scheme)] = np.asarray(fold, dtype=np.int16)

    def fields(self, scheme: str, model: str, values: Mapping[str, Array]) -> None:
        """Fields of one model under one scheme, NaN where nothing is predicted.

        Args:
            scheme: name of the scheme.
            model: name of the model.
            values: (epoch, y, x) by the names of `FIELDS`, (member, epoch, y, x) by those of
                `MEMBER_FIELDS`; a field left out stays NaN.

        Raises:
            KeyError: an unknown field.
        """
        at = (self.header.scheme_code(scheme), self.header.model_code(model))
        for name, array in values.items():
            found = np.asarray(array, dtype=np.float32)
            if name in MEMBER_FIELDS:
                self.root[name][(*at, slice(0, found.shape[0]))] = found
            elif name in FIELDS:
                self.root[name][at] = found
            else:
                raise KeyError(f"{name!r} is no field of {PREDICTIONS_NAME}")

    def thresholds(self, scheme: str, model: str, fold: int, values: Array) -> None:
        """(criterion, level) thresholds that were chosen without the test part of the fold."""
        at = (self.header.scheme_code(scheme), self.header.model_code(model), fold)
        self.root["threshold"][at] = np.asarray(values, dtype=np.float32)


@contextmanager
def predictions_writer(path: Path, cube: Cube, header: Header) -> Iterator[PredictionsWriter]:
    """A new `predictions.zarr` to fill; on failure an earlier one stays as it was.

    Args:
        path: the store.
        cube: gives grid, epochs, mask, observations and whether they are synthetic.
        header: axes.
    """
    from hazard.geo.store import create_grid_group, create_zarr_layer, zarr_store_beside

    observed = np.asarray(cube.root["observed"].values, dtype=bool)
    n_epochs, *plane = observed.shape
    sizes = {
        "scheme": len(header.schemes), "model": len(header.models), "member": header.members,
        "fold_number": header.folds, "criterion": len(CRITERIA),
        "level": len(header.levels_percent),
        "epoch": n_epochs, "y": plane[0], "x": plane[1],
    }  # fmt: skip
    slab = ("epoch", "y", "x")

    with zarr_store_beside(path) as root:
        create_grid_group(root, "", cube.grid, coords=_coordinates(cube, header))
        root.attrs.update(_attributes(cube, header))

        def layer(
            name: str, dims: Sequence[str], dtype: str, attrs: Mapping[str, Any], **options: Any
        ) -> Any:
            shape = [sizes[d] for d in dims]
            chunks = [s if d in (*slab, "criterion", "level", "fold_number") else 1
                      for d, s in zip(dims, shape, strict=True)]  # fmt: skip
            if int(np.prod(chunks)) > _LARGEST_CHUNK:
                chunks[dims.index("epoch")] = 1
            return create_zarr_layer(
                root, name, shape, dtype, dims=dims, chunks=chunks, attrs=attrs, **options
            )

        density = np.asarray(cube.root["area_density"].values, dtype=np.float32)
        target = layer(
            "area_density", slab, "float32", _about("percent", "observed landslide area density")
        )
        target[...] = np.where(observed, density, np.nan)
        seen = layer("observed", slab, "bool", {"long_name": "cell was observed in the epoch"})
        seen[...] = observed
        for name, (unit, meaning) in OBSERVATION_FIELDS.items():
            if name in cube.root:
                known = layer(name, slab, "float32", _about(unit, meaning))
                known[...] = np.asarray(cube.root[name].values, dtype=np.float32)
        mask = layer("mask", slab[1:], "bool", {"long_name": "study mask"})
        mask[...] = np.asarray(cube.root["mask"].values[0], dtype=bool)
        layer(
            "fold", ("scheme", *slab), "int16", fill=NO_FOLD,
            attrs={"long_name": "fold that tests the cell-epoch (-1: none)"},
        )  # fmt: skip
        for name, (unit, meaning) in FIELDS.items():
            layer(name, ("scheme", "model", *slab), "float32", _about(unit, meaning))
        for name, (unit, meaning) in MEMBER_FIELDS.items():
            layer(name, ("scheme", "model", "member", *slab), "float32", _about(unit, meaning))
        layer(
            "threshold", ("scheme", "model", "fold_number", "criterion", "level"), "float32",
            {"units": "1", "long_name": "threshold of P(density > level), chosen without the test "
             "part of the fold", "criteria": " ".join(CRITERIA)},
        )  # fmt: skip
        yield PredictionsWriter(root, header)


# float32 values in one chunk: 64 MiB.
_LARGEST_CHUNK = 2**24


@dataclass(frozen=True)
class Predictions:
    """An opened `predictions.zarr`; values are read when asked for.

    Attributes:
        path: the store.
        dataset: all variables, lazy.
        header: the axes as records.
    """

    path: Path
    dataset: xr.Dataset
    header: Header

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.dataset.attrs["name"])

    @property
    def title(self) -> str:
        """Title of the study."""
        return str(self.dataset.attrs["title"])

    @property
    def synthetic(self) -> bool:
        """True where nothing was observed."""
        return bool(self.dataset.attrs["synthetic"])

    @cached_property
    def epochs(self) -> list[dict[str, Any]]:
        """Epochs as the cube has them (`hazard.cube.layout.CubeEpoch.as_json`)."""
        return list(json.loads(self.dataset.attrs["epochs"]))

    @cached_property
    def grid(self) -> Grid:
        """Grid of the cells."""
        from hazard.geo.cf import grid_from_dataset

        return grid_from_dataset(self.dataset, source=self.path)

    @cached_property
    def area_density(self) -> Array:
        """(epoch, y, x) observed density [percent], NaN where not observed."""
        return np.asarray(self.dataset["area_density"].values)

    @cached_property
    def observed(self) -> Array:
        """(epoch, y, x) True where observed."""
        return np.asarray(self.dataset["observed"].values, dtype=bool)

    @cached_property
    def mask(self) -> Array:
        """(y, x) study mask."""
        return np.asarray(self.dataset["mask"].values, dtype=bool)

    def fold(self, scheme: str) -> Array:
        """(epoch, y, x) fold that tests each cell-epoch, -1 where none does."""
        return np.asarray(self.dataset["fold"][self.header.scheme_code(scheme)].values)

    def field(self, name: str, scheme: str, model: str) -> Array:
        """(epoch, y, x) of `FIELDS`, or (member, epoch, y, x) of `MEMBER_FIELDS`."""
        at = self.header.scheme_code(scheme), self.header.model_code(model)
        return np.asarray(self.dataset[name][at].values)

    def has(self, scheme: str, model: str) -> bool:
        """True where the model predicted anything under the scheme."""
        return bool(np.isfinite(self.field("probability", scheme, model)).any())

    def of_truth(self, model: str) -> bool:
        """True where the probability of a model is that of a true landslide, recorded or not."""
        return self.header.models[self.header.model_code(model)].true_presence

    def expected_percent(self, scheme: str, model: str) -> Array:
        """(epoch, y, x) hazard: expected density [percent of the cell per epoch]."""
        probability = self.field("probability", scheme, model)
        return probability * self.field("mean_percent", scheme, model)

    def recorded_probability(self, scheme: str, model: str) -> Array:
        """(epoch, y, x) probability of a recorded landslide, to be set beside what was observed.

        That of a true one passed through the detection error, NaN where that is not known; of a
        model that forecasts the record, and without a detection error, the probability itself.
        """
        probability = self.field("probability", scheme, model)
        if not self.of_truth(model):
            return probability
        pi, phi = (np.asarray(self.dataset[name].values) for name in OBSERVATION_FIELDS)
        return recorded_probability(probability, pi, phi).astype(np.float32)

    def recorded_percent(self, scheme: str, model: str) -> Array:
        """(epoch, y, x) expected density of the record [percent of the cell per epoch]."""
        probability = self.recorded_probability(scheme, model)
        return probability * self.field("mean_percent", scheme, model)

    def threshold(self, scheme: str, model: str, *, criterion: str = "f1", level: int = 0) -> Array:
        """(fold,) thresholds of P(density > level), NaN where none was chosen."""
        at = self.header.scheme_code(scheme), self.header.model_code(model)
        values = np.asarray(self.dataset["threshold"][at].values)
        return values[:, CRITERIA.index(criterion), level]


def open_predictions(path: Path | str) -> Predictions:
    """Open `predictions.zarr`, or the one of a run folder.

    Raises:
        DataError: missing, damaged, or of another layout version.
    """
    from hazard.geo.store import open_zarr

    folder = Path(path)
    if (folder / PREDICTIONS_NAME).is_dir():
        folder = folder / PREDICTIONS_NAME
    dataset = open_zarr(
        folder,
        variables=("area_density", "observed", "mask", "fold", *FIELDS, *MEMBER_FIELDS),
        attributes={"layout": PREDICTIONS_LAYOUT, "layout_version": PREDICTIONS_VERSION},
    )
    try:
        values = json.loads(dataset.attrs["header"])
        header = Header(
            schemes=tuple(from_json(SchemeRecord, v) for v in values["schemes"]),
            models=tuple(from_json(ModelRecord, v) for v in values["models"]),
            not_run=tuple(from_json(NotRun, v) for v in values["not_run"]),
            levels_percent=tuple(values["levels_percent"]),
            members=int(values["members"]),
            folds=int(values["folds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(folder, found=f"no usable header ({error!r})", expected="one") from None
    return Predictions(folder, dataset, header)


def _code(names: Sequence[str], name: str, axis: str) -> int:
    if name not in names:
        raise DataError(axis, found=repr(name), expected=f"one of {', '.join(names) or 'none'}")
    return names.index(name)


def _about(unit: str, meaning: str) -> dict[str, Any]:
    return {"units": unit, "long_name": meaning}


def _coordinates(cube: Cube, header: Header) -> dict[str, Any]:
    """Codes with the names as flags: Zarr v3 has no stable type for text."""

    def flags(axis: str, names: Sequence[str]) -> tuple[Any, ...]:
        codes = np.arange(len(names), dtype=np.int32)
        attrs = {
            "long_name": axis, "flag_values": codes.tolist(),
            "flag_meanings": " ".join(name.replace(" ", "_") for name in names),
        }  # fmt: skip
        return (axis,), codes, attrs

    return {
        "scheme": flags("scheme", [s.name for s in header.schemes]),
        "model": flags("model", [m.name for m in header.models]),
        "criterion": flags("criterion", CRITERIA),
        "epoch": flags("epoch", [epoch.name for epoch in cube.epochs]),
        "level": (
            ("level",),
            np.asarray(header.levels_percent),
            _about("percent", "density whose exceedance is forecast"),
        ),
    }


def _attributes(cube: Cube, header: Header) -> dict[str, Any]:
    return {
        "layout": PREDICTIONS_LAYOUT,
        "layout_version": PREDICTIONS_VERSION,
        "name": cube.name,
        "title": cube.title,
        "synthetic": cube.synthetic,
        "label": LABEL,
        "epochs": json.dumps([epoch.as_json() for epoch in cube.epochs]),
        "header": json.dumps(
            {
                "schemes": [to_json(s) for s in header.schemes],
                "models": [to_json(m) for m in header.models],
                "not_run": [to_json(n) for n in header.not_run],
                "levels_percent": list(header.levels_percent),
                "members": header.members,
                "folds": header.folds,
            }
        ),
    }
