"""Seconds for the fits of size laws, beside scipy and the powerlaw package, in one run.

Run with: python benchmarks/sizes.py [--areas 25000] [--repeats 5] [--skip-bayes] [--search]

Every round times all programs once, one after the other, so that a busy moment meets them all; the
best of the rounds is printed, and the median. The target of each is the project's own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import powerlaw
from scipy import stats

from stats.sizes.bootstrap import refit_many, resampled_counts
from stats.sizes.double_pareto import sample
from stats.sizes.fit import fit_sizes
from stats.sizes.recording import Recording
from stats.sizes.tail import power_tail

TRUTH = (1.4, 2.3, 800.0)
CUT = Recording(lower_m2=100.0)
TAIL_M2, DRAWS = 5000.0, 1000

# Sampled in a process of its own: its time holds the start of Python and the compilation.
_BAYES = """
import json, sys, time
start = time.perf_counter()
import numpy as np
from stats.sizes.bayes import fit_bayes
from stats.sizes.double_pareto import sample
from stats.sizes.recording import Recording
n, cut = int(sys.argv[1]), 100.0
areas = sample(n, 1.4, 2.3, 800.0, rng=np.random.default_rng(1), lower=cut)
begun = time.perf_counter()
found = fit_bayes(areas, recording=Recording(lower_m2=cut), chains=4, draws=1000)
done = time.perf_counter()
alpha = found.estimates["alpha"]
print(json.dumps({"sampling": done - begun, "whole": done - start, "alpha": alpha.value,
                  "converged": bool(found.converged)}))
"""


def _powerlaw_fit(areas: np.ndarray, x_min: float | None) -> float:
    """Exponent of the density by the powerlaw package; it prints, and warns of its own code."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = powerlaw.Fit(areas, xmin=x_min, verbose=False)
        return float(found.power_law.alpha)


def programs(areas: np.ndarray, counts: np.ndarray) -> dict[str, Callable[[], object]]:
    tail = areas[areas >= TAIL_M2]
    setting = Recording(lower_m2=TAIL_M2)
    whole = sample(areas.size, *TRUTH, rng=np.random.default_rng(2))
    n, m = f"{areas.size:,}", f"{tail.size:,}"
    return {
        f"maximum likelihood, {n} truncated areas": lambda: fit_sizes(
            areas, "dps_extended", CUT, intervals=None
        ),
        f"maximum likelihood, {n} areas, no cut": lambda: fit_sizes(whole, "dps", intervals=None),
        f"scipy.stats.burr.fit, {n} areas, no cut": lambda: stats.burr.fit(
            whole, 1.0, 1.0, floc=0.0, scale=1000.0
        ),
        f"with profile intervals and cuts, {n}": lambda: fit_sizes(areas, "dps_extended", CUT),
        f"{DRAWS} bootstrap refits of {n}": lambda: refit_many(
            "dps_extended", areas, CUT, TRUTH, weights=counts
        ),
        f"power-law tail, {m} areas": lambda: fit_sizes(tail, "power", setting, intervals=None),
        f"powerlaw.Fit, bound given, {m} areas": lambda: _powerlaw_fit(tail, TAIL_M2),
    }


def searches(areas: np.ndarray) -> dict[str, Callable[[], object]]:
    few = areas[:2000]
    return {
        "bound searched, 2,000 areas": lambda: power_tail(few),
        "powerlaw.Fit, bound searched, 2,000 areas": lambda: _powerlaw_fit(few, None),
    }


def agreement(areas: np.ndarray) -> None:
    """The programs compared do the same work: their results are the same."""
    whole = sample(areas.size, *TRUTH, rng=np.random.default_rng(2))
    ours = fit_sizes(whole, "dps", intervals=None)
    c, d, _, scale = stats.burr.fit(whole, 1.0, 1.0, floc=0.0, scale=1000.0)
    print(
        f"no cut: alpha {ours.theta['alpha']:.5f} (scipy {c:.5f}), beta {ours.theta['beta']:.5f} "
        f"({c * d:.5f}), t {ours.theta['t']:.3f} ({scale:.3f})"
    )
    tail = areas[areas >= TAIL_M2]
    power = fit_sizes(tail, "power", Recording(lower_m2=TAIL_M2), intervals=None)
    print(
        f"tail: alpha {power.theta['alpha']:.6f} "
        f"(powerlaw package {_powerlaw_fit(tail, TAIL_M2) - 1.0:.6f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--areas", type=int, default=25_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--skip-bayes", action="store_true")
    parser.add_argument("--search", action="store_true", help="also search the bound of the tail")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    areas = sample(options.areas, *TRUTH, rng=rng, lower=CUT.lower_m2)
    counts = resampled_counts(np.ones(areas.size), DRAWS, rng)
    todo = programs(areas, counts) | (searches(areas) if options.search else {})
    first, times = {}, {label: [] for label in todo}
    for round_number in range(options.repeats + 1):
        for label, program in todo.items():
            start = time.perf_counter()
            program()
            elapsed = time.perf_counter() - start
            if round_number == 0:
                first[label] = elapsed
            else:
                times[label].append(elapsed)
    print(f"{'best of ' + str(options.repeats):52s} {'best':>9s} {'median':>9s} {'first':>9s}")
    for label, taken in times.items():
        row = (min(taken), float(np.median(taken)), first[label])
        print(f"{label:52s} " + " ".join(f"{1e3 * value:6.1f} ms" for value in row))
    agreement(areas)
    if not options.skip_bayes:
        out = subprocess.run(
            [sys.executable, "-c", _BAYES, str(options.areas)],
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(out.stdout.splitlines()[-1])
        print(
            f"NUTS, 4 chains x 1,000 draws, with compilation: {found['sampling']:.1f} s (with the "
            f"start of Python {found['whole']:.1f} s), converged {found['converged']}, alpha "
            f"{found['alpha']:.3f}"
        )


if __name__ == "__main__":
    main()
