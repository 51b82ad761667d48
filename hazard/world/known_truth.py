r"""The known probability of what is mapped, by playing epochs of a world again many times.

The cube holds the increase of the mapped area per cell and epoch. Whether it is above 0 depends on
new failures, on their footprints, which reach into neighbours, and on a mapper who misses some and
draws old scars anew; no closed form has it all. Here an epoch is played again N times from a known
state, with all of that in it:

$$ P(\text{mapped increase} > 0 \mid \text{what the oracle knows}) \approx k / N $$

Three oracles differ in what they know. All of them know the law of the world, every driver that
does not change with the epoch (hidden ones too) and the epoch's rain.

============  =====================================================================================
`state`       and what stands at the end of the epoch before: true landslides, how each of them is
              drawn, found or not, and its recovery. What a forecaster with a perfect record could
              know. The epoch's own random effect and images are drawn anew
`intensity`   and the epoch's own random effect, which nobody can know beforehand
`drivers`     and the state before the earthquake alone: all epochs are played again
============  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from hazard.errors import DataError
from hazard.geo.cf import cf_dataset, grid_from_dataset
from hazard.geo.store import open_netcdf, write_netcdf
from hazard.world.domain import PARTS, Array, cell_grid
from hazard.world.parameters import Parameters, parameters_of
from hazard.world.replay import EpochPlayer, PlayedEpoch, Streams, WorldState, state_before
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Simulation
from hazard.world.truth import FLAG, STAMP

Knowledge = Literal["state", "intensity", "drivers"]
KNOWLEDGE: tuple[Knowledge, ...] = get_args(Knowledge)


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownTruth:
    """Frequencies of a mapped increase over replays.

    Attributes:
        knowledge: what is held fixed.
        epochs: (epoch,) zero-based epochs.
        hits: (batch, epoch, y, x) replays with an increase, by independent batches of replays.
        n_replays: replays per epoch, all batches together, of equal size.
        density_percent: (epoch, y, x) mean increase, percent of the cell.
        mapped: (y, x) bool; outside, nothing is known or asked.
    """

    knowledge: Knowledge
    epochs: tuple[int, ...]
    hits: Array
    n_replays: int
    density_percent: Array
    mapped: Array

    @property
    def events(self) -> Array:
        """(epoch, y, x) replays with an increase."""
        return self.hits.sum(axis=0)

    @property
    def probability(self) -> Array:
        """(epoch, y, x) frequency of an increase, an unbiased estimate; NaN where not mapped."""
        return np.where(self.mapped, self.events / self.n_replays, np.nan)

    @property
    def standard_error(self) -> Array:
        r"""(epoch, y, x) binomial standard error of the frequency, of the smoothed one at 0 and 1.

        $\sqrt{p (1 - p) / N}$ with $p = (k + 1/2) / (N + 1)$.
        """
        p = (self.events + 0.5) / (self.n_replays + 1.0)
        return np.where(self.mapped, np.sqrt(p * (1.0 - p) / self.n_replays), np.nan)


def known_truth(
    config: WorldConfig,
    simulation: Simulation,
    *,
    epochs: Sequence[int],
    n_replays: int,
    knowledge: Knowledge = "state",
    batches: int = 10,
    seed: int = 0,
    parameters: Parameters | None = None,
    progress: Callable[[int], None] | None = None,
) -> KnownTruth:
    """Play epochs of a world again and count where an increase is mapped.

    The first replays are the same whatever their number; they are dealt to the batches in turn.

    Args:
        config: the world's settings.
        simulation: the world.
        epochs: zero-based epochs, observed ones.
        n_replays: replays of each epoch, a multiple of `batches`.
        knowledge: what is held fixed (see the module).
        batches: independent parts, for errors of whatever is computed from the frequencies.
        seed: of the replays; the world's seed is mixed in.
        parameters: planted values; those of the configured kind where None.
        progress: called with 1 after each replay of an epoch (`drivers`: of all epochs).

    Raises:
        ValueError: an epoch that is missed or not there, or replays that do not fill the batches.
    """
    chosen = tuple(int(e) for e in epochs)
    there = set(range(config.n_epochs)) - {config.missed_epoch}
    if not chosen or not set(chosen) <= there:
        raise ValueError(f"epochs {chosen}; expected some of {sorted(there)}")
    if n_replays < 1 or n_replays % batches:
        raise ValueError(f"{n_replays} replays; expected a multiple of {batches} batches")
    planted = parameters_of(config) if parameters is None else parameters
    player = EpochPlayer(config, planted, simulation.ground, simulation.drivers)
    shape = simulation.ground.mapped.shape
    hits = np.zeros((batches, len(chosen), *shape), dtype=np.int32)
    density = np.zeros((len(chosen), *shape))

    def count(replay: int, epoch: int, played: PlayedEpoch) -> None:
        increase = np.where(simulation.ground.mapped, played.density_percent, 0.0)
        at = chosen.index(epoch)
        hits[replay % batches, at] += increase > 0.0
        density[at] += increase / n_replays

    def stream(epoch: int, replay: int) -> np.random.Generator:
        key = (PARTS.index("truth"), KNOWLEDGE.index(knowledge), epoch, replay)
        return np.random.default_rng(np.random.SeedSequence([config.seed, seed], spawn_key=key))

    def tell() -> None:
        if progress is not None:
            progress(1)

    if knowledge == "drivers":
        start = state_before(config, planted, simulation, 0)
        for replay in range(n_replays):
            state = start
            for epoch in range(max(chosen) + 1):
                played = _play(player, state, epoch, stream(epoch, replay))
                state = played.state
                if epoch in chosen:
                    count(replay, epoch, played)
            tell()
    else:
        for epoch in chosen:
            state = state_before(config, planted, simulation, epoch)
            for replay in range(n_replays):
                rng = stream(epoch, replay)
                if knowledge == "state":
                    played = _play(player, state, epoch, rng)
                else:
                    intensity = simulation.intensities[epoch]
                    played = player.play(state, epoch, intensity, Streams.of(rng))
                count(replay, epoch, played)
                tell()
    return KnownTruth(
        knowledge=knowledge, epochs=chosen, hits=hits, n_replays=n_replays,
        density_percent=np.where(simulation.ground.mapped, density, np.nan),
        mapped=simulation.ground.mapped,
    )  # fmt: skip


def _play(
    player: EpochPlayer, state: WorldState, epoch: int, rng: np.random.Generator
) -> PlayedEpoch:
    intensity = player.intensity(state, epoch, player.draw_epoch_effect(rng))
    return player.play(state, epoch, intensity, Streams.of(rng))


def write_known_truth(
    path: Path, config: WorldConfig, truths: Sequence[KnownTruth], *, seed: int = 0
) -> None:
    """Known truths of one world with equal epochs, replays and batches, as CF netCDF.

    Args:
        path: destination.
        config: the world's settings.
        truths: one per knowledge.
        seed: of the replays, for the record.

    Raises:
        ValueError: truths that differ in their axes.
    """
    first = truths[0]
    if any(t.epochs != first.epochs or t.hits.shape != first.hits.shape for t in truths):
        raise ValueError("known truths of different epochs or batches; write them apart")
    variables: dict[str, Any] = {}
    for truth in truths:
        name, axes = truth.knowledge, ("epoch", "y", "x")
        variables |= {
            f"{name}_hits": (("batch", *axes), truth.hits,
                             {"units": "1", "long_name": "replays with a mapped increase",
                              "replays": truth.n_replays}),
            f"{name}_probability": (axes, truth.probability.astype(np.float32),
                                    {"units": "1", "long_name": "P(mapped increase > 0)"}),
            f"{name}_standard_error": (axes, truth.standard_error.astype(np.float32),
                                       {"units": "1", "long_name": "Monte Carlo standard error"}),
            f"{name}_density": (axes, truth.density_percent,
                                {"units": "percent", "long_name": "mean mapped increase"}),
        }  # fmt: skip
    dataset = cf_dataset(
        {**variables, "mapped": (("y", "x"), first.mapped.astype(np.int8), {"units": "1"})},
        cell_grid(config),
        coords={"epoch": ("epoch", np.array(first.epochs, dtype=np.int32))},
        attrs={"world": STAMP, "truth": FLAG, "config_hash": config.config_hash, "seed": seed},
    )
    write_netcdf(path, dataset)


def read_known_truth(path: Path, config: WorldConfig) -> dict[Knowledge, KnownTruth]:
    """Known truths of a world, by what they hold fixed.

    Raises:
        DataError: no such file, or that of another world.
    """
    with open_netcdf(path, load=True) as dataset:
        grid = cell_grid(config)
        found = dataset.attrs.get("config_hash")
        if found != config.config_hash or not grid_from_dataset(dataset, source=path).same_as(grid):
            raise DataError(path, found="the truth of another world", expected="that of this one")
        mapped = dataset["mapped"].values.astype(bool)
        return {
            name: KnownTruth(
                knowledge=name,
                epochs=tuple(int(e) for e in dataset["epoch"].values),
                hits=dataset[f"{name}_hits"].values,
                n_replays=int(dataset[f"{name}_hits"].attrs["replays"]),
                density_percent=dataset[f"{name}_density"].values,
                mapped=mapped,
            )
            for name in KNOWLEDGE
            if f"{name}_hits" in dataset
        }
