"""Runs worlds over seeds and holds their mean statistics against the observed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.world.observed import LIGHTGBM_AUC_BAND, OBSERVED, PERSISTENCE_AUC_BAND
from hazard.world.settings import WorldConfig
from hazard.world.simulate import Ground, Simulation, build_ground, simulate_observed
from hazard.world.summary import SeriesSummary, summarise
from tests.worlds import lightgbm_auc, persistence_auc, world_features

Array = np.ndarray[Any, np.dtype[Any]]
N_OBSERVED_EPOCHS = 6
TEST_EPOCHS = (4, 5)


@dataclass(frozen=True)
class Run:
    """Statistics of one seed."""

    seed: int
    summary: SeriesSummary
    auc: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Line:
    """One statistic: observed value, mean and range over seeds, and whether the mean agrees."""

    name: str
    observed: float
    mean: float
    low: float
    high: float
    agrees: bool


def run_seed(config: WorldConfig, *, ground: Ground | None = None, **options: Any) -> Run:
    """Simulate one world and summarise its first six epochs."""
    simulation = simulate_observed(config, ground=ground or build_ground(config), **options)
    return Run(config.seed, summarise_simulation(simulation), aucs(simulation, config))


def summarise_simulation(simulation: Simulation) -> SeriesSummary:
    return summarise(simulation.density_percent[:N_OBSERVED_EPOCHS], simulation.ground.mapped)


def aucs(simulation: Simulation, config: WorldConfig) -> dict[str, tuple[float, ...]]:
    density, mapped = simulation.density_percent[:N_OBSERVED_EPOCHS], simulation.ground.mapped
    static, dynamic = world_features(simulation, config)
    return {
        "persistence": tuple(persistence_auc(density, mapped, e) for e in TEST_EPOCHS),
        "LightGBM": tuple(lightgbm_auc(density, mapped, static, dynamic, e) for e in TEST_EPOCHS),
        "LightGBM without the past": tuple(
            lightgbm_auc(density, mapped, static, dynamic, e, past=False) for e in TEST_EPOCHS
        ),
    }


def compare(runs: list[Run]) -> list[Line]:
    """Every line of the table: the mean over the seeds against the observed value."""
    lines: list[Line] = []

    def stack(field: str) -> Array:
        return np.array([getattr(run.summary, field) for run in runs])

    def add(name: str, observed: float, values: Array, agrees: bool) -> None:
        lines.append(
            Line(name, float(observed), values.mean(), values.min(), values.max(), bool(agrees))
        )

    def within(name: str, field: str, tolerance: float) -> None:
        values = stack(field)
        for e, observed in enumerate(np.asarray(getattr(OBSERVED, field))):
            v = values[:, e]
            add(f"{name}, epoch {e + 1}", observed, v, abs(v.mean() - observed) <= tolerance)

    within("prevalence", "prevalence", 0.03)
    quantiles = stack("quantiles")
    for q, name in enumerate(("median", "95 %", "99 %")):
        for e in range(N_OBSERVED_EPOCHS):
            v, observed = quantiles[:, e, q], OBSERVED.quantiles[e, q]
            add(
                f"{name} of positives, epoch {e + 1}",
                observed,
                v,
                abs(np.log(v.mean() / observed)) <= np.log(1.5),
            )
    within("sd of ln density", "log_sd", 0.2)
    within("Moran's I of presence", "moran_presence", 0.1)
    within("Moran's I of ln density", "moran_log_density", 0.1)
    values = stack("after_positive")
    for e in range(N_OBSERVED_EPOCHS - 1):
        v, observed = values[:, e], OBSERVED.after_positive[e]
        add(f"P(positive | positive), epoch {e + 2}", observed, v, abs(v.mean() - observed) <= 0.1)
    phi = stack("association")
    for a in range(N_OBSERVED_EPOCHS):
        for b in range(a):
            v, observed = phi[:, a, b], OBSERVED.association[a, b]
            add(f"phi, epochs {a + 1} and {b + 1}", observed, v, abs(v.mean() - observed) <= 0.1)
    for name, band, observed_auc in (
        ("persistence", PERSISTENCE_AUC_BAND, (0.852, 0.759)),
        ("LightGBM", LIGHTGBM_AUC_BAND, (0.860, 0.809)),
    ):
        auc = np.array([run.auc[name] for run in runs])
        for k, e in enumerate(TEST_EPOCHS):
            v = auc[:, k]
            add(
                f"AUC of {name}, epoch {e + 1}",
                observed_auc[k],
                v,
                band[0] <= v.mean() <= band[1],
            )
    return lines


def table(lines: list[Line]) -> str:
    """The comparison as a Markdown table."""
    rows = [
        "| statistic | observed | world, mean | world, range over seeds | |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {x.name} | {x.observed:.3g} | {x.mean:.3g} | {x.low:.3g} to {x.high:.3g} | "
        f"{'' if x.agrees else 'outside'} |"
        for x in lines
    ]
    return "\n".join(rows)
