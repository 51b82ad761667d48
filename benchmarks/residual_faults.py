"""How often the residual section raises an alarm: worlds without a fault, and with planted ones.

    python -m benchmarks.residual_faults --worlds 1000 --faulty 200

Rates of single p-values at or below 0.05 where the forecast is right (nominal 0.05; the isotonic
curve and the smallest adjusted p-value of all questions are conservative by construction), then,
per fault and strength, the share of worlds in which the diagnostic meant for it raises an alarm.
Markdown tables with binomial 95 % intervals (Wilson).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.residual_worlds import FAULTS, world
from stats.residuals.section import ResidualSection, residual_section

LEVEL, Z = 0.05, 1.959964


def question(section: ResidualSection, residual: str, against: str, *, adjusted: bool) -> float:
    """p- or q-value of one question."""
    found = next(t for t in section.tests if (t.residual, t.against) == (residual, against))
    return found.q_value if adjusted else found.p_value


def single_p_values(section: ResidualSection) -> Mapping[str, float]:
    """p-values of single diagnostics; the first epoch stands for those that exist per epoch."""
    first = next(iter(section.reliability.values()))
    asked = (
        ("presence", "overall"), ("presence", "forecast"), ("presence", "slope"),
        ("presence", "epoch"), ("scale", "overall"), ("positive_location", "overall"),
        ("positive_scale", "overall"), ("location", "forecast, fold 1"),
    )  # fmt: skip
    return {
        "reliability curve": first.curve_p_value,
        "miscalibration": first.miscalibration_p_value,
        "worm": section.worm.p_value,
        "Moran's I": section.structures[0].p_value,
        **{f"{r} against {a}": question(section, r, a, adjusted=False) for r, a in asked},
        "total area": section.totals[0].p_value,
        "count": section.totals[1].p_value,
        "smallest q of all questions": min(t.q_value for t in section.tests),
    }  # fmt: skip


# The diagnostic meant for each fault; p-values of several epochs by Bonferroni.
MEANT: Mapping[str, Callable[[ResidualSection], float]] = {
    "over-confidence": lambda s: question(s, "presence", "forecast", adjusted=True),
    "missed spatial effect": lambda s: min(e.q_value for e in s.structures),
    "wrong tail": lambda s: question(s, "positive_scale", "overall", adjusted=True),
    "leaked fold": lambda s: question(s, "presence", "forecast, fold 1", adjusted=True),
    "drifting epoch": lambda s: question(s, "presence", "epoch", adjusted=True),
    "biased total": lambda s: min(1.0, len(s.totals) * min(t.p_value for t in s.totals)),
}


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Binomial interval."""
    p, z2 = hits / n, Z**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def cell(alarms: list[bool]) -> str:
    """Share with its interval."""
    low, high = wilson(sum(alarms), len(alarms))
    return f"{np.mean(alarms):.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200, help="worlds without a fault")
    parser.add_argument("--faulty", type=int, default=50, help="worlds per fault and strength")
    parser.add_argument("--draws", type=int, default=119, help="simulated outcomes per section")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def section(rng: np.random.Generator, *planted: object) -> ResidualSection:
        planted_world = world(rng, *planted)
        return residual_section(planted_world, rng=rng, draws=options.draws, lags=8, permutations=0)

    rng = np.random.default_rng([options.seed, 0])
    seen: dict[str, list[bool]] = {}
    for number in range(options.worlds):
        for name, p in single_p_values(section(rng)).items():
            seen.setdefault(name, []).append(p <= LEVEL)
        if (number + 1) % 50 == 0:
            print(f"{number + 1} of {options.worlds} worlds", file=sys.stderr)
    print(f"False alarms in {options.worlds} worlds without a fault:\n")
    print("| diagnostic | share of p <= 0.05 |\n|---|---|")
    for name, alarms in seen.items():
        print(f"| {name} | {cell(alarms)} |")
    print(f"\nAlarms of the diagnostic meant for a fault, {options.faulty} worlds each:\n")
    print("| fault | weaker | alarms | stronger | alarms |\n|---|---|---|---|---|")
    for number, (fault, strengths) in enumerate(FAULTS.items(), start=1):
        parts = []
        for which, strength in enumerate(strengths):
            rng = np.random.default_rng([options.seed, number, which])
            found = [MEANT[fault](section(rng, fault, strength)) for _ in range(options.faulty)]
            parts += [f"{strength:g}", cell([p <= LEVEL for p in found])]
        print(f"| {fault} | {' | '.join(parts)} |")


if __name__ == "__main__":
    main()
