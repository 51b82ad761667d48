"""Held-out forecasts of a run folder, read by its written layout (docs/run_folder.md).

`hazard` and `stats` share files, not code: this reader knows the layout of `predictions.zarr`,
version 1, and nothing else of `hazard`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.command.errors import DataError
from stats.laws.hurdle import Hurdle, hurdle_lognormal
from stats.laws.recorded import recorded_probability
from stats.residuals.cases import ForecastCases

STORE, LAYOUT, VERSION = "predictions.zarr", "hazard-predictions", 1
FORWARD = "forward_chaining"
FULL_PERCENT = 100.0


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """An opened store of forecasts.

    Attributes:
        path: of the store.
        root: the opened group.
        title: of the study.
        synthetic: nothing in it was observed.
        schemes: records of the ways of holding data out, in order.
        models: records of the forecasters, in order.
        epochs: names.
    """

    path: Path
    root: Any
    title: str
    synthetic: bool
    schemes: tuple[Mapping[str, Any], ...]
    models: tuple[Mapping[str, Any], ...]
    epochs: tuple[str, ...]

    def scheme_names(self) -> list[str]:
        """Schemes in which no model saw what it forecasts."""
        return [s["name"] for s in self.schemes if not s["in_sample"] and not s["leaks"]]

    def model_names(self, kind: str | None = None) -> list[str]:
        """Models of a kind, or all."""
        return [
            m["name"] for m in self.models
            if kind is None or (m["kind"] == kind and not m["variant_of"])
        ]  # fmt: skip

    def fields(self, scheme: str, model: str) -> dict[str, FloatArray]:
        """(epoch, y, x) probability, mu and sigma; NaN where nothing was forecast.

        Of a model that forecasts true landslides the probability is that of a recorded one.
        """
        at = (
            [s["name"] for s in self.schemes].index(scheme),
            [m["name"] for m in self.models].index(model),
        )
        names = ("probability", "mu", "sigma")
        found = {name: np.asarray(self.root[name][at], dtype=np.float64) for name in names}
        if self.models[at[1]].get("true_presence", False):
            error = (self.root[name][:] for name in ("observation_probability", "false_alarms"))
            found["probability"] = recorded_probability(found["probability"], *error)
        return found

    def covers(self, scheme: str, model: str) -> bool:
        """True where the model forecast anything under the scheme."""
        return bool(np.isfinite(self.fields(scheme, model)["probability"]).any())


def open_held_out(run: Path) -> HeldOut:
    """Open the forecasts of a run.

    Raises:
        DataError: no run folder, no forecasts in it, or another layout or version.
    """
    import zarr

    path = run / STORE
    if not path.is_dir():
        raise DataError(run, found=f"no {STORE}", expected="a run folder of hazard.fit")
    try:
        root = zarr.open_group(path, mode="r", use_consolidated=False)
        attributes = dict(root.attrs)
    except Exception as error:  # damaged stores fail in many ways
        raise DataError(path, found=f"no readable store ({error})", expected="one") from None
    found = attributes.get("layout"), attributes.get("layout_version")
    if found != (LAYOUT, VERSION):
        raise DataError(
            path, found=f"layout {found[0]!r}, version {found[1]!r}",
            expected=f"{LAYOUT!r}, version {VERSION} (docs/run_folder.md)",
        )  # fmt: skip
    try:
        header = json.loads(attributes["header"])
        epochs = tuple(str(e["name"]) for e in json.loads(attributes["epochs"]))
        return HeldOut(
            path=path, root=root, title=str(attributes["title"]),
            synthetic=bool(attributes["synthetic"]), schemes=tuple(header["schemes"]),
            models=tuple(header["models"]), epochs=epochs,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(path, found=f"no usable header ({error!r})", expected="one") from None


def cases_of(
    held_out: HeldOut,
    scheme: str,
    model: str,
    references: Sequence[str],
    predictors: Callable[[Path, BoolArray, FloatArray, FloatArray], Mapping[str, Any]]
    | None = None,
) -> tuple[ForecastCases, IntArray, tuple[float, float, float, float]]:
    """Cases of a model under a scheme, beside references that forecast the very same ones.

    Args:
        held_out: opened forecasts.
        scheme: name.
        model: name.
        references: names; each must forecast every case of the model.
        predictors: makes (case,) predictors from run folder, (epoch, y, x) cases, x and y; None
            for none.

    Returns:
        The cases; (epoch, y, x) number of each case, -1 where there is none; the extent of the
        lattice [m]: left, bottom, right, top.

    Raises:
        DataError: nothing was forecast, or a reference has other cases.
    """
    root = held_out.root
    fields = held_out.fields(scheme, model)
    observed = np.asarray(root["observed"][:], dtype=bool)
    density = np.asarray(root["area_density"][:], dtype=np.float64)
    where = np.isfinite(fields["probability"]) & observed
    if not where.any():
        raise DataError(
            held_out.path, found=f"no forecast of {model} under {scheme}", expected="some"
        )
    x, y = (np.asarray(root[name][:], dtype=np.float64) for name in ("x", "y"))
    sides = [abs(float(np.median(np.diff(v)))) for v in (x, y) if v.size > 1]
    if not sides or max(sides) - min(sides) > 0.01 * max(sides):
        raise DataError(held_out.path, found=f"cells of {sides} m", expected="square ones")
    others: dict[str, Hurdle] = {}
    for name in references:
        theirs = held_out.fields(scheme, name)
        if not np.isfinite(theirs["probability"][where]).all():
            raise DataError(
                held_out.path, found=f"{name} without a forecast of some cells of {model}",
                expected="the same cells",
            )  # fmt: skip
        others[name] = _law(theirs, where)
    epoch, row, column = np.nonzero(where)
    number = [s["name"] for s in held_out.schemes].index(scheme)
    fold = np.asarray(root["fold"][number])[where].astype(np.int64)
    names = np.array(held_out.epochs)
    cases = ForecastCases(
        law=_law(fields, where), value=density[where], epoch=names[epoch],
        x_m=x[column], y_m=y[row], cell_m=sides[0],
        fold=fold if np.unique(fold).size > 1 and _mixed(fold, epoch) else None,
        references=others,
        predictors={} if predictors is None else predictors(held_out.path.parent, where, x, y),
    )  # fmt: skip
    numbers = np.full(where.shape, -1, dtype=np.int64)
    numbers[where] = np.arange(cases.n)
    half = 0.5 * sides[0]
    extent = (x.min() - half, y.min() - half, x.max() + half, y.max() + half)
    return cases, numbers, tuple(float(v) for v in extent)  # type: ignore[return-value]


def _mixed(fold: Any, epoch: Any) -> bool:
    """Whether folds say something that epochs do not: under forward chaining they are the same."""
    return any(np.unique(fold[epoch == e]).size > 1 for e in np.unique(epoch))


def _law(fields: Mapping[str, FloatArray], where: BoolArray) -> Hurdle:
    # A probability of exactly 1 leaves no room for a cell without landslides.
    return hurdle_lognormal(
        np.clip(fields["probability"][where], 0.0, 1.0), fields["mu"][where],
        fields["sigma"][where], upper=FULL_PERCENT,
    )  # fmt: skip
