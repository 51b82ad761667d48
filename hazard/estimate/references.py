"""The published networks on one fold, by the published curriculum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from hazard.config.fit import ReferenceConfig
from hazard.cube.batches import Batches
from hazard.estimate.curricula import reference_curriculum, undo_of
from hazard.estimate.errors import CannotFitError
from hazard.estimate.members import MemberForecasts
from hazard.estimate.networks import NetworkFit
from hazard.estimate.recalibrate import (
    SMALLEST_SCORE,
    DensityMap,
    LogisticMap,
    fit_density_map,
    fit_logistic_map,
)
from hazard.estimate.reference_source import PatchEpochSource, PixelBands, patch_epoch_source
from hazard.models.base import ModelEntry
from hazard.models.losses import HAZARD_TERMS
from hazard.models.pair import PairConfig
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
from hazard.training.records import ProgressCallback, Trained, TrainingSettings
from stats.resampling.folds import TRAIN, VALIDATION

Array = np.ndarray[Any, np.dtype[Any]]
PIXELS = {"reference": (32,), "described": (8, 16, 32)}
PATCH_CELLS = 4


def cannot_run(name: str, batches: Batches) -> str | None:
    """Why a published network cannot run on a study; None where it can.

    Args:
        name: ``reference`` or ``described``.
        batches: of the study, on patches of 4 x 4 cells.
    """
    f = batches.pixels_per_cell
    if f not in PIXELS[name]:
        allowed = " or ".join(map(str, PIXELS[name]))
        return f"it needs {allowed} pixels per cell; this study has {f}"
    if batches.cells_per_side != PATCH_CELLS:
        return f"it needs patches of 4 x 4 cells; these have {batches.cells_per_side}"
    return None


class ReferenceFitter:
    """Fits the published networks to folds of one study."""

    def __init__(self, config: ReferenceConfig) -> None:
        """Make ready."""
        self.config = config
        self.cache = ProgramCache()
        self._predictors: dict[Any, Any] = {}

    def fit(
        self,
        name: str,
        batches: Batches,
        *,
        members: int,
        seed: int,
        lattice_split: bool = False,
        checkpoints: Path | None = None,
        resume: bool = False,
        progress: ProgressCallback | None = None,
    ) -> NetworkFit:
        """Fit members by the published curriculum, and forecast every cell-epoch.

        Args:
            name: ``reference`` or ``described``.
            batches: of the fold, on patches of 4 x 4 cells.
            members: number of members.
            seed: of initial values, orders and dropout.
            lattice_split: the published split: trained on the first lattice, stopped early on and
                forecast from the shifted one, which holds the same cells.
            checkpoints: folder for checkpoints.
            resume: go on from the newest of them.
            progress: called at every look at the losses.

        Raises:
            CannotFitError: a stage stops early and the fold has no validation part, or too few
                validation cells to recalibrate.
        """
        entry = model_entry(name)
        bands = PixelBands.of(batches)
        config = PairConfig(
            bands=len(bands.names), pixels_per_cell=batches.pixels_per_cell,
            compute=self.config.compute,
        )  # fmt: skip
        train_weight = batches.weight * (batches.role == TRAIN)
        stop_weight = train_weight if lattice_split else (
            batches.weight * (batches.role == VALIDATION)
        )  # fmt: skip
        if not stop_weight.any():
            raise CannotFitError("the fold has no validation part, and the curriculum stops early")
        test_lattices = (1,) if lattice_split else (0, 1)
        source = patch_epoch_source(
            batches, bands, weight=train_weight, lattices=(0,) if lattice_split else (0, 1)
        )
        validation = patch_epoch_source(
            batches, bands, weight=stop_weight, lattices=(1,) if lattice_split else (0,),
            shared=source.arrays,
        )  # fmt: skip
        curriculum = reference_curriculum(self.config)
        folder = CheckpointFolder(checkpoints) if checkpoints is not None else None
        try:
            trained = train(
                lambda rngs: entry.build(config, rngs), curriculum, source, validation,
                settings=TrainingSettings(members=members, seed=seed),
                table={**TERMS, **HAZARD_TERMS}, checkpoints=folder, resume=resume,
                cache=self.cache, progress=progress,
                record={"model": {"name": name, **asdict(config)}, "bands": list(bands.names)},
            )  # fmt: skip
        finally:
            if folder is not None:
                folder.close()
        everywhere = patch_epoch_source(
            batches, bands, weight=np.zeros_like(train_weight), everything=True,
            lattices=test_lattices, shared=source.arrays,
        )  # fmt: skip
        score, density = self._predict(trained.apply, trained.variables, everywhere, batches,
                                       members)  # fmt: skip
        held = (stop_weight > 0)[:, : batches.n_cells]
        forecasts, notes = _calibrated(score, density, held, batches, undo_of(curriculum).kind)
        return NetworkFit(
            variables=jax.device_get(trained.variables), forecasts={"observed": forecasts},
            record=_record(entry, name, config, bands, curriculum, trained, members, seed, notes),
            history=trained.history, undo=undo_of(curriculum),
        )  # fmt: skip

    def _predict(
        self,
        apply: Functional,
        variables: Variables,
        source: PatchEpochSource,
        batches: Batches,
        members: int,
    ) -> tuple[Array, Array]:
        """(member, epoch, cell) scores and densities, means over the patches that hold a cell."""
        run = self._predictor(apply, source.gather, members)
        n_epochs, n_rows = batches.weight.shape
        sums = {k: np.zeros((members, n_epochs, n_rows)) for k in ("logit", "density")}
        times = np.zeros((n_epochs, n_rows))
        sample = np.asarray(source.arrays["sample"])
        order = epoch_order(np.arange(source.size), min(32, source.size), seed=None)
        for indices, counted in zip(order.indices, order.counted, strict=True):
            found = jax.device_get(run(variables, source.arrays, jnp.asarray(indices)))
            for place, (patch, epoch) in enumerate(sample[indices[: int(counted.sum())]]):
                rows = batches.patch_cells[patch]
                times[epoch][rows] += 1
                for key, total in sums.items():
                    total[:, epoch, rows] += found[key][:, place]
        with np.errstate(invalid="ignore"):
            logit, density = (
                sums[k][..., : batches.n_cells] / times[:, : batches.n_cells]
                for k in ("logit", "density")
            )
        return 1.0 / (1.0 + np.exp(-logit)), density

    def _predictor(self, apply: Functional, gather: Callable[..., Any], members: int) -> Any:
        key = (apply.inference, gather, members)
        if key not in self._predictors:

            def one(variables: Variables, arrays: Any, indices: Any) -> dict[str, Any]:
                outputs, _ = apply(variables, gather(arrays, indices), train=False)
                return {name: outputs[name] for name in ("logit", "density")}

            self._predictors[key] = jax.jit(over_members(one, members, shared=(1, 2)))
        return self._predictors[key]


def _calibrated(
    score: Array, density: Array, held: Array, batches: Batches, kind: str
) -> tuple[MemberForecasts, dict[str, Any]]:
    """Probabilities, and lognormal laws around the densities, from the validation cells."""
    present = batches.presence[:, : batches.n_cells][held] > 0
    observed = batches.area_density[:, : batches.n_cells][held]
    score = np.clip(score, SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    logistic: list[LogisticMap] = []
    densities: list[DensityMap] = []
    for member_score, member_density in zip(score, density, strict=True):
        if kind == "recalibrate":
            logistic.append(fit_logistic_map(member_score[held], present))
        densities.append(fit_density_map(member_density[held][present], observed[present]))
    if kind == "recalibrate":
        probability = np.stack([m(s) for m, s in zip(logistic, score, strict=True)])
    elif kind == "class_weight":
        probability = np.asarray(undo_class_weight(score, 5.0))
    else:
        probability = score
    mu = np.stack([m.mu(d) for m, d in zip(densities, density, strict=True)])
    sigma = np.stack([np.where(np.isfinite(s), m.sigma, np.nan)
                      for m, s in zip(densities, score, strict=True)])  # fmt: skip
    notes = {
        "recalibration": [asdict(m) for m in logistic],
        "density_law": [asdict(m) for m in densities],
    }
    return MemberForecasts(score=score, probability=probability, mu=mu, sigma=sigma), notes


def _record(
    entry: ModelEntry,
    name: str,
    config: PairConfig,
    bands: PixelBands,
    curriculum: tuple[Stage, ...],
    trained: Trained,
    members: int,
    seed: int,
    notes: dict[str, Any],
) -> dict[str, Any]:
    def build(rngs: nnx.Rngs) -> nnx.Module:
        return entry.build(config, rngs)

    return {
        "model": {"name": name, "title": entry.title, "settings": asdict(config)},
        "bands": {"pixels": list(bands.names)},
        "parameters": count_parameters(build),
        "curriculum": [asdict(stage) for stage in curriculum],
        "best_epochs": [list(epochs) for epochs in trained.best_epochs],
        "seed": seed,
        "members": members,
        "probability": undo_of(curriculum).words,
        **notes,
    }
