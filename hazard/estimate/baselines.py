"""Baselines on one fold: the same features, the same held-out cells, the same record."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hazard.baselines.registry import baseline
from hazard.cube.cell_features import CellFeatures, CellTargets, windows_within, with_past
from hazard.estimate.members import MemberForecasts
from hazard.forecast import Forecast
from stats.resampling.folds import TRAIN, UNUSED

Array = np.ndarray[Any, np.dtype[Any]]
WITHOUT_PAST = "_without_past"
RAIN_PREFIX = "rain_"


@dataclass(frozen=True, kw_only=True, eq=False)
class BaselineFit:
    """A fitted baseline and what it forecasts.

    Attributes:
        forecasts: by variant: ``observed`` rain, and ``climatological`` where asked for and where
            the fit reads rain at all.
        record: what was fitted.
    """

    forecasts: Mapping[str, MemberForecasts]
    record: dict[str, Any]


class BaselineFitter:
    """Fits baselines to folds of one study; features are read once, past records once per fold.

    Fits may run in several threads.
    """

    def __init__(
        self, features: CellFeatures, targets: CellTargets, *, windows: tuple[int, ...]
    ) -> None:
        """Make ready for the folds of a study; windows wider than its grid are left out."""
        self.features, self.targets = features, targets
        self.windows = windows_within(windows, features.shape)
        self._with_past: tuple[bytes, CellFeatures] | None = None
        self._lock = threading.Lock()

    def fit(
        self,
        name: str,
        role: Array,
        *,
        seed: int,
        climatological_rain: bool = False,
        seasons: tuple[str, ...] = (),
    ) -> BaselineFit:
        """Fit one baseline to the training part of a fold and forecast every cell-epoch.

        Args:
            name: as in the configuration.
            role: (epoch, cell) roles.
            seed: of everything random in the fit.
            climatological_rain: forecast with climatological rain as well.
            seasons: (epoch,) names.
        """
        entry = baseline(name.removesuffix(WITHOUT_PAST))
        features = self.features if name.endswith(WITHOUT_PAST) else self._past(role)
        hidden = np.where(role == UNUSED, np.nan, self.targets.area_density)
        fitted = entry.fit(features, hidden, role, seed=seed)
        forecasts = {"observed": as_members(fitted.predict(features))}
        rain = [i for i, n in enumerate(features.names) if n.startswith(RAIN_PREFIX)]
        reads_rain = fitted.reads(RAIN_PREFIX)
        if climatological_rain and reads_rain:
            other = climatological_features(features, rain, role, seasons)
            forecasts["climatological"] = as_members(fitted.predict(other))
        return BaselineFit(
            forecasts=forecasts,
            record={
                "model": {"name": name, "title": entry.title},
                "features": list(features.names),
                "units": list(features.units),
                "fitted": fitted.record(),
                "reads_rain": reads_rain,
                "seed": seed,
                "members": 1,
            },
        )

    def _past(self, role: Array) -> CellFeatures:
        key = np.ascontiguousarray(role).tobytes()
        with self._lock:
            if self._with_past is None or self._with_past[0] != key:
                made = with_past(self.features, self.targets, role, windows=self.windows)
                self._with_past = (key, made)
            return self._with_past[1]


def as_members(forecast: Forecast) -> MemberForecasts:
    """A forecast as the only member of an ensemble."""
    return MemberForecasts(
        score=forecast.probability[None], probability=forecast.probability[None],
        mu=forecast.mu[None], sigma=forecast.sigma[None],
        mean_percent=forecast.mean_percent[None],
    )  # fmt: skip


def climatological_features(
    features: CellFeatures, rain: list[int], role: Array, seasons: tuple[str, ...]
) -> CellFeatures:
    """Features whose rain is the mean over the other training epochs of the same season."""
    values = features.values.copy()
    trained = np.flatnonzero((role == TRAIN).any(axis=1)).tolist()
    for epoch, season in enumerate(seasons):
        others = [e for e in trained if e != epoch]
        use = [e for e in others if seasons[e] == season] or others
        if use:
            for column in rain:
                values[epoch, :, column] = features.values[use, :, column].mean(axis=0)
    return replace(features, values=values)
