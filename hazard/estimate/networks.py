"""The default network on one fold: members fitted, and their forecasts of every cell-epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from hazard.config.fit import NetworkConfig, TrainingConfig
from hazard.cube.batches import Batches
from hazard.estimate.curricula import Undo, curriculum_of, undo_of
from hazard.estimate.members import MemberForecasts
from hazard.estimate.network_source import (
    BandNames,
    PatchSource,
    PatchTables,
    climatological,
    has_rain,
    patch_source,
)
from hazard.estimate.recalibrate import LogisticMap, fit_logistic_map
from hazard.models.default import DefaultConfig, DefaultNetwork
from hazard.models.losses import HAZARD_TERMS
from hazard.models.positive_law import positive_law
from hazard.models.record_towers import RecordConfig
from hazard.models.registry import model_entry
from hazard.training.checkpoint import CheckpointFolder
from hazard.training.curriculum import Stage
from hazard.training.data import epoch_order
from hazard.training.ensemble import over_members
from hazard.training.functional import Functional, Variables, count_parameters
from hazard.training.loop import train
from hazard.training.losses.classification import undo_class_weight
from hazard.training.objective import TERMS
from hazard.training.programs import ProgramCache
from hazard.training.records import EpochRecord, ProgressCallback, TrainingSettings
from stats.resampling.folds import TRAIN, VALIDATION

Array = np.ndarray[Any, np.dtype[Any]]
LAW = "truncated_lognormal"
# Below this share of epochs with training cells, the others are left out of the arrays; above it
# one set of shapes serves all folds, and saves more compilation than it costs.
_SHARED_SHAPES_FROM = 0.6
PREDICTION_PATCHES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkFit:
    """A fitted ensemble and what it forecasts.

    Attributes:
        variables: arrays, stacked over members.
        forecasts: by variant: ``observed`` rain, and ``climatological`` where asked for.
        record: settings, bands, history and sizes, as plain values.
        history: every epoch of training.
        undo: how outputs became probabilities.
    """

    variables: Variables
    forecasts: Mapping[str, MemberForecasts]
    record: dict[str, Any]
    history: tuple[EpochRecord, ...]
    undo: Undo


class NetworkFitter:
    """Fits the default network to folds of one study; programs are compiled once for all folds."""

    def __init__(self, base: Batches, network: NetworkConfig, training: TrainingConfig) -> None:
        """Make ready for the folds of `base` (batches fitted on everything)."""
        self.network, self.training = network, training
        self.halo = network.depth
        wanted = self.halo if network.pixel_halo_cells is None else network.pixel_halo_cells
        self.pixel_halo = min(wanted, self.halo)
        self.tables = PatchTables.of(base, halo=self.halo, pixel_halo=self.pixel_halo)
        self.cache, self._predictors = ProgramCache(), dict[Any, Any]()

    def fit(
        self,
        batches: Batches,
        bands: BandNames,
        *,
        members: int,
        seed: int,
        seasons: Sequence[str],
        climatological_rain: bool = False,
        checkpoints: Path | None = None,
        resume: bool = False,
        progress: ProgressCallback | None = None,
    ) -> NetworkFit:
        """Fit members on the training part, stopped early on the validation part, and forecast.

        Args:
            batches: of the fold; its standardisation was fitted on the training cells.
            bands: bands of the study, in order.
            members: number of members.
            seed: of initial values, orders and dropout.
            seasons: (epoch,) names.
            climatological_rain: forecast with climatological rain as well.
            checkpoints: folder for checkpoints; None for none.
            resume: go on from the newest of them.
            progress: called at every look at the losses.
        """
        train_weight = batches.weight * (batches.role == TRAIN)
        stop_weight = batches.weight * (batches.role == VALIDATION)
        config = self._config(bands, batches)
        curriculum = curriculum_of(self.training, patches=_active(batches, self.tables))
        # Looks that decide nothing would cost as much as half the training.
        stops = any(stage.patience is not None or stage.restore_best for stage in curriculum)
        watched = stops and bool(stop_weight.any())
        n_epochs = batches.weight.shape[0]
        used = np.flatnonzero((train_weight + stop_weight).any(axis=1))
        epochs = range(n_epochs) if used.size >= _SHARED_SHAPES_FROM * n_epochs else used.tolist()
        source = patch_source(batches, self.tables, bands, epochs=epochs, weight=train_weight)
        validation = None
        if watched:
            validation = patch_source(
                batches, self.tables.first_lattice(), bands, epochs=epochs, weight=stop_weight,
                shared=source.arrays,
            )  # fmt: skip
        start = _start_values(batches)
        if not watched:
            curriculum = tuple(_without_watching(stage) for stage in curriculum)
        settings = TrainingSettings(
            members=members, seed=seed, save_every_s=self.training.save_every_s
        )
        folder = CheckpointFolder(checkpoints) if checkpoints is not None else None
        try:
            trained = train(
                lambda rngs: _build(config, start, rngs), curriculum, source, validation,
                settings=settings, table={**TERMS, **HAZARD_TERMS}, checkpoints=folder,
                resume=resume, cache=self.cache, progress=progress,
                record={"model": asdict(config), "bands": asdict(bands), "start": start},
            )  # fmt: skip
        finally:
            if folder is not None:
                folder.close()
        undo = undo_of(curriculum)
        if self.training.recalibrate == "always":
            undo = Undo("recalibrate")
        rains = ["observed"]
        if climatological_rain and has_rain(batches):
            rains.append("climatological")
        forecasts: dict[str, MemberForecasts] = {}
        maps: list[LogisticMap] = []
        for rain in rains:
            changing = None
            if rain == "climatological":
                changing = climatological(batches, train=train_weight > 0, seasons=seasons)
            everywhere = patch_source(
                batches, self.tables, bands, epochs=range(n_epochs), shared=source.arrays,
                weight=np.zeros_like(train_weight), changing=changing,
            )  # fmt: skip
            raw = self._predict(trained.apply, trained.variables, everywhere, batches, members)
            if rain == "observed" and undo.kind == "recalibrate":
                maps = _maps(raw["score"], batches)
            forecasts[rain] = _forecasts(raw, undo, maps)
        record = {
            "model": {
                "name": "default",
                "title": model_entry("default").title,
                "settings": asdict(config),
            },
            "bands": asdict(bands),
            "halo_cells": self.halo,
            "pixel_halo_cells": self.pixel_halo,
            "parameters": count_parameters(lambda rngs: DefaultNetwork(config, rngs)),
            "start": start,
            "curriculum": [asdict(stage) for stage in curriculum],
            "best_epochs": [list(epochs) for epochs in trained.best_epochs],
            "seed": seed,
            "members": members,
            "probability": undo.words,
            "recalibration": [asdict(found) for found in maps],
        }
        return NetworkFit(
            variables=jax.device_get(trained.variables), forecasts=forecasts, record=record,
            history=trained.history, undo=undo,
        )  # fmt: skip

    def _config(self, bands: BandNames, batches: Batches) -> DefaultConfig:
        net = self.network
        return DefaultConfig(
            pixel_bands=len(bands.pixels), cell_bands=len(bands.static),
            epoch_bands=len(bands.epochs), past_bands=len(bands.past),
            use_past=bool(bands.past), pixels_per_cell=batches.pixels_per_cell,
            halo_cells=self.halo, pixel_halo_cells=self.pixel_halo,
            terrain_width=net.terrain_width, width=net.width, depth=net.depth,
            dropout=net.dropout, law=LAW, compute=net.compute,
            record=RecordConfig(
                width=net.record_width, layers=net.record_layers, dropout=net.record_dropout,
                code=net.record_code,
            ),
        )  # fmt: skip

    def _predict(
        self,
        apply: Functional,
        variables: Variables,
        source: PatchSource,
        batches: Batches,
        members: int,
    ) -> dict[str, Array]:
        """(member, epoch, cell) mean over the patches of both lattices that hold a cell."""
        run = self._predictor(apply, source.gather, members)
        n_epochs, n_rows = batches.weight.shape
        sums = {
            name: np.zeros((members, n_epochs, n_rows), dtype=np.float64)
            for name in ("logit", "mu", "sigma")
        }
        times = np.zeros(n_rows, dtype=np.float64)
        order = epoch_order(np.arange(source.size), min(PREDICTION_PATCHES, source.size), seed=None)
        for indices, counted in zip(order.indices, order.counted, strict=True):
            found = jax.device_get(run(variables, source.arrays, jnp.asarray(indices)))
            for place, patch in enumerate(indices[: int(counted.sum())]):
                rows = self.tables.core[patch]
                # Rows are distinct within a patch, but for padding, which is cut off below.
                times[rows] += 1
                for name, total in sums.items():
                    total[:, :, rows] += found[name][:, place]
        times = np.maximum(times[: batches.n_cells], 1)
        mean = {name: total[..., : batches.n_cells] / times for name, total in sums.items()}
        return {
            "score": 1.0 / (1.0 + np.exp(-mean["logit"])), "mu": mean["mu"],
            "sigma": mean["sigma"],
        }  # fmt: skip

    def _predictor(self, apply: Functional, gather: Callable[..., Any], members: int) -> Any:
        key = (apply.inference, gather, members)
        if key not in self._predictors:
            law = positive_law(LAW)

            def one(variables: Variables, arrays: Any, indices: Any) -> dict[str, Any]:
                outputs, _ = apply(variables, gather(arrays, indices), train=False)
                mu, sigma = law.parameters(outputs["law"])  # type: ignore[attr-defined]
                return {"logit": outputs["logit"], "mu": mu, "sigma": sigma}

            self._predictors[key] = jax.jit(over_members(one, members, shared=(1, 2)))
        return self._predictors[key]


def _build(config: DefaultConfig, start: Mapping[str, float], rngs: nnx.Rngs) -> DefaultNetwork:
    """The network, started at the base rate and the mean law of the training cells.

    They are put in afterwards: as settings they would make every fold another program.
    """
    module = DefaultNetwork(config, rngs)
    rate = start["base_rate"]
    module.presence.bias[...] = jnp.full((1,), np.log(rate / (1 - rate)), jnp.float32)
    raw = module.law.initial_raw(start["mean_log_percent"], start["sd_log_percent"])
    module.density.bias[...] = jnp.asarray(raw, jnp.float32)
    if config.past_used:
        module.record.offset[...] = jnp.concatenate(
            [module.presence.bias[...], module.density.bias[...]]
        )
    return module


def _start_values(batches: Batches) -> dict[str, float]:
    """Share of positive training cell-epochs, mean and sd of the log of their densities.

    With a detection error it is the share that the recorded one stands for: training would need
    many steps to climb from the other.
    """
    counted = (batches.weight > 0) & (batches.role == TRAIN)
    density = batches.area_density[counted].astype(np.float64)
    logs = np.log(density[density > 0])
    rate = (np.count_nonzero(density > batches.presence_above) + 0.5) / (density.size + 1)
    if batches.detection_error is not None:
        pi, phi = (float(layer[counted].mean()) for layer in batches.detection_error)
        least = 0.5 / (density.size + 1)
        rate = max(-np.expm1((np.log1p(-rate) + phi) / max(pi, least)), least)
        rate = min(rate, 1.0 - least)
    return {
        "base_rate": float(rate),
        "mean_log_percent": float(logs.mean()) if logs.size else -1.2,
        "sd_log_percent": float(logs.std()) if logs.size > 1 else 1.7,
    }


def _active(batches: Batches, tables: PatchTables) -> int:
    held = ((batches.weight > 0) & (batches.role == TRAIN)).any(axis=0)
    return int(held[tables.core].any(axis=(1, 2)).sum())


def _without_watching(stage: Stage) -> Stage:
    return replace(stage, patience=None, plateau_patience=None)


def _maps(score: Array, batches: Batches) -> list[LogisticMap]:
    """One map per member, fitted on the validation cells."""
    held = ((batches.weight > 0) & (batches.role == VALIDATION))[:, : batches.n_cells]

    def of(values: Array) -> Array:
        return np.asarray(values[:, : batches.n_cells][held], dtype=np.float64)

    error = [of(layer) for layer in batches.detection_error or ()]
    present = of(batches.presence) > 0
    return [fit_logistic_map(member[held], present, *error) for member in score]


def _forecasts(
    raw: Mapping[str, Array], undo: Undo, maps: Sequence[LogisticMap]
) -> MemberForecasts:
    score = raw["score"]
    if undo.kind == "class_weight":
        probability = np.asarray(undo_class_weight(score, undo.class_weight))
    elif undo.kind == "recalibrate":
        probability = np.stack([m(s) for m, s in zip(maps, score, strict=True)])
    else:
        probability = score
    return MemberForecasts(score=score, probability=probability, mu=raw["mu"], sigma=raw["sigma"])
