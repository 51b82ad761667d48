"""Replays of one embedded world, kept: many outcomes of epochs whose law is then known.

For `benchmarks.residual_embedded`. An epoch of the world is played again many times from the true
state before it (`hazard.world.replay`); the first replays make the law of every cell, the others
are outcomes that this law has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazard.geo.beside import write_beside
from hazard.world.domain import cell_grid
from hazard.world.known_truth import Knowledge
from hazard.world.parameters import parameters_of
from hazard.world.replay import EpochPlayer, Streams, state_before
from hazard.world.settings import LATTICE_PER_CELL, WorldConfig
from hazard.world.simulate import Simulation, simulate_observed

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Replays:
    """Mapped increases of replays of one world.

    Attributes:
        density_percent: (replay, epoch, cell) increase, percent of the cell; mapped cells only.
        epochs: (epoch,) zero-based epochs.
        x_m: (cell,) eastings of the centres [m].
        y_m: (cell,) northings [m].
        cell_m: side of a cell [m].
        predictors: (epoch, cell) drivers that a forecaster sees, by name.
    """

    density_percent: Array
    epochs: Array
    x_m: Array
    y_m: Array
    cell_m: float
    predictors: dict[str, Array]


def replays_of(
    config: WorldConfig,
    *,
    epochs: Sequence[int],
    n_replays: int,
    knowledge: Knowledge,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> Replays:
    """Play epochs of a world again, or read what an earlier call has kept.

    Args:
        config: of the world.
        epochs: zero-based epochs.
        n_replays: of each epoch.
        knowledge: "state" draws the random effect of the epoch anew, "intensity" holds it fixed.
        folder: of the kept replays.
        progress: called with 1 after each replay.
    """
    key = f"{config.config_hash[:16]}_{knowledge}_{n_replays}_{'_'.join(map(str, epochs))}"
    path = folder / f"replays_{key}.npz"
    if not path.is_file():
        simulation = simulate_observed(config)
        density = _play(config, simulation, epochs, n_replays, knowledge, progress)
        path.parent.mkdir(parents=True, exist_ok=True)
        drivers = _drivers(simulation, epochs)
        with write_beside(path) as part, part.open("wb") as stream:
            kept_arrays: dict[str, Any] = {
                "density": density, "mapped": simulation.ground.mapped,
                **{f"driver_{name}": values for name, values in drivers.items()},
            }  # fmt: skip
            np.savez(stream, **kept_arrays)
    with np.load(path) as kept:
        mapped = kept["mapped"]
        grid = cell_grid(config)
        x, y = np.meshgrid(grid.x, grid.y)
        return Replays(
            density_percent=kept["density"], epochs=np.array(epochs), x_m=x[mapped],
            y_m=y[mapped], cell_m=float(grid.cell_size[0]),
            predictors={
                name.removeprefix("driver_"): kept[name]
                for name in kept.files if name.startswith("driver_")
            },
        )  # fmt: skip


def histories_of(
    config: WorldConfig, *, n_histories: int, folder: Path,
    progress: Callable[[int], None] | None = None,
) -> Replays:  # fmt: skip
    """Play all epochs since the earthquake again, or read what an earlier call has kept.

    Args:
        config: of the world.
        n_histories: number of histories; each starts from the state before the earthquake.
        folder: of the kept histories.
        progress: called with 1 after each history.
    """
    path = folder / f"histories_{config.config_hash[:16]}_{n_histories}.npz"
    epochs = np.arange(config.n_epochs)
    if not path.is_file():
        simulation = simulate_observed(config)
        player = EpochPlayer(config, parameters_of(config), simulation.ground, simulation.drivers)
        mapped = simulation.ground.mapped
        density = np.zeros((n_histories, epochs.size, int(mapped.sum())), dtype=np.float32)
        start = state_before(config, player.parameters, simulation, 0)
        for history in range(n_histories):
            state, rng = start, np.random.default_rng([config.seed, 2, history])
            for epoch in epochs:
                intensity = player.intensity(state, int(epoch), player.draw_epoch_effect(rng))
                played = player.play(state, int(epoch), intensity, Streams.of(rng))
                density[history, epoch] = np.maximum(played.density_percent[mapped], 0.0)
                state = played.state
            if progress is not None:
                progress(1)
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_beside(path) as part, part.open("wb") as stream:
            np.savez(stream, density=density, mapped=mapped)
    with np.load(path) as kept:
        mapped, grid = kept["mapped"], cell_grid(config)
        x, y = np.meshgrid(grid.x, grid.y)
        return Replays(
            density_percent=kept["density"], epochs=epochs, x_m=x[mapped], y_m=y[mapped],
            cell_m=float(grid.cell_size[0]), predictors={},
        )  # fmt: skip


def _play(
    config: WorldConfig, simulation: Simulation, epochs: Sequence[int], n_replays: int,
    knowledge: Knowledge, progress: Callable[[int], None] | None,
) -> Array:  # fmt: skip
    player = EpochPlayer(config, parameters_of(config), simulation.ground, simulation.drivers)
    mapped = simulation.ground.mapped
    density = np.zeros((n_replays, len(epochs), int(mapped.sum())), dtype=np.float32)
    for at, epoch in enumerate(epochs):
        state = state_before(config, player.parameters, simulation, epoch)
        for replay in range(n_replays):
            rng = np.random.default_rng([config.seed, knowledge == "state", epoch, replay])
            intensity = simulation.intensities[epoch]
            if knowledge == "state":
                intensity = player.intensity(state, epoch, player.draw_epoch_effect(rng))
            played = player.play(state, epoch, intensity, Streams.of(rng))
            density[replay, at] = np.maximum(played.density_percent[mapped], 0.0)
            if progress is not None:
                progress(1)
    return density


def _drivers(simulation: Simulation, epochs: Sequence[int]) -> dict[str, Array]:
    """(epoch, cell) cell means of what a forecaster sees."""
    drivers, mapped = simulation.drivers, simulation.ground.mapped

    def cells(field: Array) -> Array:
        rows, columns = mapped.shape
        side = LATTICE_PER_CELL
        blocks = field[: rows * side, : columns * side].reshape(rows, side, columns, side)
        return np.asarray(blocks.mean(axis=(1, 3))[mapped], dtype=np.float64)

    still = {"slope_deg": drivers.slope_deg, "ln_pga": drivers.ln_pga, "wetness": drivers.wetness}
    return {
        **{name: np.stack([cells(f)] * len(epochs)) for name, f in still.items()},
        "rain_score": np.stack([cells(drivers.rain_score[e]) for e in epochs]),
    }
