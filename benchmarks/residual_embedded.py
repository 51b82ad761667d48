"""How often the residual section raises an alarm on the embedded world, whose law is known.

    python -m benchmarks.residual_embedded --worlds 200 --faulty 100 --kept runs/replays

One embedded world of 64 x 80 cells; its seventh and eighth epoch are played again many times
(`benchmarks.embedded_replays`). The first replays make the known law of every cell and epoch: the
frequency of a mapped increase, and a lognormal law of the increase where there is one. Three
questions, three tables:

1. Outcomes are drawn anew from that law, each cell by itself, and the forecast is the law: shares
   of p-values at or below 0.05. What is resampled: the outcome of every cell, given terrain,
   triggers and all earlier landslides of this one world, which stay as they are.
2. The same outcomes with six planted faults at two strengths, in the forecast or in the law that
   outcomes come from: share of worlds in which the diagnostic meant for the fault raises an alarm.
3. Outcomes are whole replays that the law has not seen, and the forecast is the law again: right
   for every cell, but neighbours share footprints, images and (oracle `state`) the effect of the
   epoch. Presence alone is asked: the increases of replays are not lognormal. Diagnostics that take
   cells as independent may ring where no forecast of single cells is at fault; those that count
   whole blocks should not.

Markdown tables with binomial 95 % intervals (Wilson).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks.embedded_replays import Replays, replays_of
from benchmarks.residual_faults import LEVEL, cell, question
from stats.calibration.reliability_envelope import reliability_envelope
from stats.laws.hurdle import Hurdle, hurdle_lognormal
from stats.resampling.folds_spatial import block_of_cells
from stats.residuals.cases import ForecastCases
from stats.residuals.persistence import persistence
from stats.residuals.section import ResidualSection, questions_of, residual_section
from stats.residuals.structure import epoch_structures
from stats.residuals.totals import total_rows
from stats.spatial.residual_tests import residual_tests
from stats.spatial.residuals import hurdle_residuals, presence_residuals

Array = np.ndarray[Any, np.dtype[Any]]
EPOCHS = (6, 7)
FOLDS, BLOCK_M = 3, 10_000.0
# Fault: weaker and stronger. The same faults as in `benchmarks.residual_worlds`.
FAULTS: Mapping[str, tuple[float, float]] = {
    "over-confidence": (1.1, 1.3),
    "missed spatial effect": (0.4, 0.8),
    "wrong tail": (0.9, 0.8),
    "leaked fold": (0.15, 0.5),
    "drifting epoch": (0.15, 0.4),
    "biased total": (0.8, 0.6),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """The known law of one embedded world.

    Attributes:
        probability: (case,) frequency of a mapped increase.
        mu: (case,) mean of ln increase [ln percent] where there is one.
        sigma: (case,) its spread.
        outcomes: (replay, case) increases of replays that the law has not seen [percent].
        epoch: (case,) zero-based epochs.
        fold: (case,) spatial folds of 10 km blocks.
        x_m: (case,) eastings [m].
        y_m: (case,) northings [m].
        cell_m: side of a cell [m].
        predictors: (case,) drivers that a forecaster sees.
    """

    probability: Array
    mu: Array
    sigma: Array
    outcomes: Array
    epoch: Array
    fold: Array
    x_m: Array
    y_m: Array
    cell_m: float
    predictors: dict[str, Array]

    def law(self, *, log_odds: Array | float = 0.0, spread: float = 1.0, shift: float = 0.0,
            stretch: float = 1.0) -> Hurdle:  # fmt: skip
        """The law, or one that is off by as much."""
        eta = logit(self.probability)
        eta = eta.mean() + stretch * (eta - eta.mean()) + log_odds
        # Never: frequencies of 0 are kept at 0, as the law says.
        p = np.where(self.probability > 0.0, 1.0 / (1.0 + np.exp(-eta)), 0.0)
        return hurdle_lognormal(p, self.mu + shift, spread * self.sigma)

    def cases(self, law: Hurdle, value: Array) -> ForecastCases:
        """Forecast and outcome as cases; cells where nothing can come are no question."""
        asked = np.flatnonzero(self.probability > 0.0)
        return ForecastCases(
            law=law.take(asked), value=value[asked], epoch=self.epoch[asked], fold=self.fold[asked],
            x_m=self.x_m[asked], y_m=self.y_m[asked], cell_m=self.cell_m,
            predictors={name: v[asked] for name, v in self.predictors.items()},
        )  # fmt: skip


def logit(p: Array) -> Array:
    """Log odds, cut off where p is 0."""
    held = np.clip(p, 1e-9, 1.0 - 1e-9)
    return np.log(held / (1.0 - held))


def known_law(replays: Replays, *, learned: int) -> Known:
    """The law of the first `learned` replays; the others are outcomes.

    Args:
        replays: of one world.
        learned: number of replays that make the law.
    """
    density = replays.density_percent[:learned]
    n_epochs, n_cells = density.shape[1:]
    positive = density > 0.0
    count = positive.sum(axis=0)
    logs = np.log(np.where(positive, density, 1.0), dtype=np.float64)
    overall, scatter = logs[positive].mean(), logs[positive].std()
    # Ten replays of the overall law, so that rare cells have one too.
    mean = (logs.sum(axis=0) + 10.0 * overall) / (count + 10.0)
    square = np.where(positive, (logs - mean) ** 2, 0.0).sum(axis=0) + 10.0 * scatter**2
    block = block_of_cells(replays.x_m, replays.y_m, block_m=BLOCK_M)

    def flat(values: Array) -> Array:
        return np.asarray(values).reshape(-1)

    return Known(
        probability=flat(count / learned), mu=flat(mean),
        sigma=flat(np.sqrt(square / (count + 10.0))),
        outcomes=replays.density_percent[learned:].reshape(-1, n_epochs * n_cells).astype(float),
        epoch=np.repeat(replays.epochs, n_cells), fold=np.tile(block % FOLDS, n_epochs),
        x_m=np.tile(replays.x_m, n_epochs), y_m=np.tile(replays.y_m, n_epochs),
        cell_m=replays.cell_m,
        predictors={name: flat(values) for name, values in replays.predictors.items()},
    )  # fmt: skip


def faulty(known: Known, rng: np.random.Generator, fault: str, strength: float) -> ForecastCases:
    """A world with one planted fault."""
    truth, told = known.law(), known.law()
    if fault == "over-confidence":
        told = known.law(stretch=strength)
    elif fault == "missed spatial effect":
        field = np.concatenate([_field(known, rng, e) for e in np.unique(known.epoch)])
        truth = known.law(log_odds=strength * field)
        # The forecast knows the rate, so that only the pattern is missing.
        gap = truth.probability.mean() - known.probability.mean()
        slope = (known.probability * (1.0 - known.probability)).mean()
        told = known.law(log_odds=gap / slope)
    elif fault == "wrong tail":
        told = known.law(spread=strength)
    elif fault == "drifting epoch":
        first, last = known.epoch.min(), known.epoch.max()
        step = (known.epoch - 0.5 * (first + last)) / (0.5 * (last - first))
        truth = known.law(log_odds=strength * step)
    elif fault == "biased total":
        told = known.law(shift=float(np.log(strength)))
    value = truth.sample(rng)
    if fault == "leaked fold":
        seen = np.where(known.fold == 1, np.where(value > 0.0, strength, -strength), 0.0)
        told = known.law(log_odds=seen)
    return known.cases(told, value)


def _field(known: Known, rng: np.random.Generator, epoch: int) -> Array:
    """(cell,) smooth field of mean 0 and variance 1, range about 4 km."""
    here = known.epoch == epoch
    column = ((known.x_m[here] - known.x_m.min()) / known.cell_m).round().astype(int)
    row = ((known.y_m[here] - known.y_m.min()) / known.cell_m).round().astype(int)
    noise = rng.normal(size=(row.max() + 1, column.max() + 1))
    smooth = ndimage.gaussian_filter(noise, 1.5)[row, column]
    return (smooth - smooth.mean()) / smooth.std()


def q_value(cases: ForecastCases, residual: str, against: str) -> float:
    """q-value of one question among all that the section puts, without its curves."""
    found = residual_tests(
        hurdle_residuals(cases.law, cases.value), questions_of(cases, cases.law.mean())
    )
    return next(t.q_value for t in found if (t.residual, t.against) == (residual, against))


def moran_value(cases: ForecastCases, rng: np.random.Generator) -> float:
    """Smallest q-value of Moran's I over the epochs, as the section has it."""
    residual = presence_residuals(cases.law.probability, cases.value > 0.0).value
    structures, _ = epoch_structures(cases, residual, lags=8, permutations=0, rng=rng)
    return min(s.q_value for s in structures)


def total_value(cases: ForecastCases, rng: np.random.Generator) -> float:
    """Smallest p-value of totals and counts, by Bonferroni, as the section has them."""
    rows = total_rows(cases, rng=rng, draws=99, level=0.95)
    return min(1.0, len(rows) * min(t.p_value for t in rows))


# The diagnostic meant for each fault; p-values of several epochs by Bonferroni.
MEANT: Mapping[str, Callable[[ForecastCases, np.random.Generator], float]] = {
    "over-confidence": lambda c, _: q_value(c, "presence", "forecast"),
    "missed spatial effect": moran_value,
    "wrong tail": lambda c, _: q_value(c, "positive_scale", "overall"),
    "leaked fold": lambda c, _: q_value(c, "presence", "forecast, fold 1"),
    "drifting epoch": lambda c, _: q_value(c, "presence", "epoch"),
    "biased total": total_value,
}


def diagnostics(section: ResidualSection) -> dict[str, float]:
    """p-values of single diagnostics; the first epoch stands for those that exist per epoch."""
    reliability = next(iter(section.reliability.values()))
    asked = (
        ("presence", "overall"), ("presence", "forecast"), ("presence", "slope_deg"),
        ("presence", "ln_pga"), ("presence", "rain_score"), ("presence", "epoch"),
        ("scale", "overall"), ("location", "forecast, fold 1"), ("positive_location", "overall"),
        ("positive_scale", "overall"), ("positive_scale", "slope_deg"),
    )  # fmt: skip
    structure = section.structures[0]
    envelopes = structure.structure.envelopes
    return {
        "reliability curve": reliability.curve_p_value,
        "miscalibration": reliability.miscalibration_p_value,
        "PIT histogram": next(iter(section.pits.values())).p_value,
        "worm, all cases": section.worm.p_value,
        "worm, one epoch": next(iter(section.worms.values())).p_value,
        "Moran's I": structure.p_value,
        **({} if envelopes is None else {
            "correlogram, whole": envelopes.correlogram.p_value,
            "variogram, whole": envelopes.variogram.p_value,
        }),
        **{
            f"{r.replace('_', ' ')} against {a.replace('_', ' ')}":
            question(section, r, a, adjusted=False)
            for r, a in asked
        },
        "total area": section.totals[0].p_value,
        "count": section.totals[1].p_value,
        "smallest q of all questions": min(t.q_value for t in section.tests),
    }  # fmt: skip


def presence_diagnostics(
    cases: ForecastCases, rng: np.random.Generator, draws: int
) -> dict[str, float]:
    """p-values of what asks for presence alone, with cells and with whole blocks as cases."""
    first = cases.epoch == cases.epochs[0]
    p, outcome = cases.law.probability, cases.value > 0.0
    reliability = reliability_envelope(p[first], outcome[first], rng=rng, draws=draws)
    residual = presence_residuals(p, outcome)
    structures, _ = epoch_structures(cases, residual.value, lags=8, permutations=0, rng=rng)
    asked = {"slope deg": cases.predictors["slope_deg"], "ln pga": cases.predictors["ln_pga"],
             "forecast": cases.law.mean(), "epoch": cases.epoch.astype(np.int64)}  # fmt: skip
    found = {
        "reliability curve": reliability.curve_p_value,
        "miscalibration": reliability.miscalibration_p_value,
        "Moran's I": structures[0].p_value,
        "errors come back": persistence(cases, residual.value, block_m=BLOCK_M)[0].p_value,
    }
    for t in residual_tests(residual, asked):
        found[f"presence against {t.against}"] = t.p_value
    for side_m in (5e3, BLOCK_M):
        tests = residual_tests(
            residual, asked, covariance="blocks",
            block=block_of_cells(cases.x_m, cases.y_m, block_m=side_m),
            finer_block=block_of_cells(cases.x_m, cases.y_m, block_m=0.5 * side_m),
        )  # fmt: skip
        for t in tests:
            found[f"presence against {t.against}, {side_m / 1000:g} km blocks"] = t.p_value
    return found


def rates(title: str, worlds: Iterator[dict[str, float]], n: int) -> None:
    """Print the table of shares of small p-values."""
    seen: dict[str, list[bool]] = {}
    for number in range(n):
        for name, p in next(worlds).items():
            seen.setdefault(name, []).append(p <= LEVEL)
        if (number + 1) % 20 == 0:
            print(f"{number + 1} of {n} worlds", file=sys.stderr)
    print(f"\n{title}\n\n| diagnostic | share of p <= {LEVEL} |\n|---|---|")
    for name, alarms in seen.items():
        print(f"| {name} | {cell(alarms)} |")


def main() -> None:
    """Print the three tables."""
    from hazard.world.settings import WorldConfig

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=200, help="worlds without a fault, of each")
    parser.add_argument("--faulty", type=int, default=50, help="worlds per fault and strength")
    parser.add_argument("--learned", type=int, default=1000, help="replays that make the law")
    parser.add_argument("--draws", type=int, default=99, help="simulated outcomes per section")
    parser.add_argument("--seed", type=int, default=1, help="of world and outcomes")
    parser.add_argument("--kept", type=Path, default=Path("runs/replays"))
    parser.add_argument("--tables", default="1,2,3", help="which tables, between commas")
    parser.add_argument("--oracles", default="intensity,state", help="of the third table")
    options = parser.parse_args()
    config = WorldConfig(extent_cells=(64, 80), pixels_per_cell=8, seed=options.seed)
    tables = options.tables.split(",")

    def law_of(knowledge: Any) -> Known:
        replays = replays_of(
            config, epochs=EPOCHS, n_replays=options.learned + options.worlds, folder=options.kept,
            knowledge=knowledge,
        )  # fmt: skip
        return known_law(replays, learned=options.learned)

    def look(cases: ForecastCases, rng: np.random.Generator, permutations: int) -> ResidualSection:
        return residual_section(
            cases, rng=rng, draws=options.draws, lags=8, permutations=permutations
        )

    known = law_of("state")
    asked = int(np.count_nonzero(known.probability > 0.0))
    print(
        f"{asked:,} of {known.probability.size:,} cell-epochs can come out positive; mean "
        f"probability there {known.probability[known.probability > 0].mean():.4f}"
    )
    if "1" in tables:
        rng = np.random.default_rng([options.seed, 1])

        def fair() -> Iterator[dict[str, float]]:
            while True:
                law = known.law()
                yield diagnostics(look(known.cases(law, law.sample(rng)), rng, 39))

        rates(f"Cells drawn each by itself, {options.worlds} worlds:", fair(), options.worlds)
    if "2" in tables:
        print(f"\nPlanted faults, {options.faulty} worlds each:\n")
        print("| fault | weaker | alarms | stronger | alarms |\n|---|---|---|---|---|")
        for number, (fault, strengths) in enumerate(FAULTS.items(), start=1):
            parts = []
            for which, strength in enumerate(strengths):
                rng = np.random.default_rng([options.seed, 2, number, which])
                found = [
                    MEANT[fault](faulty(known, rng, fault, strength), rng)
                    for _ in range(options.faulty)
                ]
                parts += [f"{strength:g}", cell([p <= LEVEL for p in found])]
            print(f"| {fault} | {' | '.join(parts)} |", flush=True)
    if "3" in tables:
        for knowledge in options.oracles.split(","):
            whole = law_of(knowledge)
            rng = np.random.default_rng([options.seed, 3])

            def replayed(
                known: Known = whole, rng: np.random.Generator = rng
            ) -> Iterator[dict[str, float]]:
                for outcome in known.outcomes:
                    # What no replay of the law ever showed cannot be forecast by its frequency.
                    value = np.where(known.probability > 0.0, np.minimum(outcome, 100.0), 0.0)
                    cases = known.cases(known.law(), value)
                    yield presence_diagnostics(cases, rng, options.draws)

            rates(
                f"Whole replays, oracle `{knowledge}`, {options.worlds} worlds:", replayed(),
                options.worlds,
            )  # fmt: skip


if __name__ == "__main__":
    main()
