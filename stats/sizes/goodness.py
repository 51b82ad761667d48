r"""Goodness of fit of a fitted size law, with p-values that know that it was fitted.

With the model probabilities :math:`u_{(1)} \le \dots \le u_{(n)}` of the sorted areas,

.. math::
    D &= \max_i \max\{i/n - u_{(i)},\ u_{(i)} - (i - 1)/n\} \\
    W^2 &= \frac{1}{12 n} + \sum_i \left(u_{(i)} - \frac{2i - 1}{2n}\right)^2 \\
    A^2 &= -n - \frac1n \sum_i (2i - 1)\left[\ln u_{(i)} + \ln(1 - u_{(n + 1 - i)})\right],

the distances of Kolmogorov-Smirnov, Cramer-von Mises and Anderson-Darling; the last looks hardest
at the tails. Their tables hold for laws whose parameters were known beforehand. A fitted law lies
closer to its data than the true one, so tabled p-values come out near 1 and reject nothing. Here
inventories are drawn from the fitted law, recorded like the real one, and *refitted*; the p-value
is the share of them with a distance at least as large (parametric bootstrap, consistent for smooth
families: Stute et al. 1993; Genest & Remillard 2008). The tabled p-value is given beside it as
`naive_p_value`, only to show the difference.

W. Stute, W. Gonzalez Manteiga & M. Presedo Quindimil (1993), Metrika 40, 243-256; C. Genest &
B. Remillard (2008), Annales de l'Institut Henri Poincare B 44, 1096-1127; tables: G. Marsaglia &
J. Marsaglia (2004), Journal of Statistical Software 9(2) for A2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats

from stats.case_arrays import BoolArray, FloatArray
from stats.sizes.bootstrap import refit_many
from stats.sizes.fit import SizeFit
from stats.sizes.recording import Recording, check_areas
from stats.sizes.simulation import Probabilities, as_theta, probabilities, simulate

DISTANCES = ("ks", "cvm", "ad")
# Areas simulated and refitted at once.
BLOCK = 2_000_000
# An area at the very end of a truncation would make A2 infinite.
_LOG_SMALLEST = math.log(1e-12)

Progress = Callable[[int], None]


class Refitted(NamedTuple):
    """A block of simulated inventories with the law refitted to each.

    Attributes:
        areas_m2: (draw, n) areas.
        theta: (draw, k) refitted parameters.
        converged: (draw,) the refit was proven.
    """

    areas_m2: FloatArray
    theta: FloatArray
    converged: BoolArray


@dataclass(frozen=True)
class DistanceTest:
    """One distance and its p-values.

    Attributes:
        statistic: the distance.
        p_value: by parametric bootstrap with refit, (1 + exceedances) / (1 + draws).
        p_value_se: binomial standard error of that share.
        naive_p_value: of the table for parameters known beforehand; wrong for fitted laws.
    """

    statistic: float
    p_value: float
    p_value_se: float
    naive_p_value: float


@dataclass(frozen=True)
class GoodnessOfFit:
    """Whether areas look like draws of their fitted law.

    Attributes:
        law: name of the law.
        n: number of areas.
        draws: simulated inventories behind each p-value.
        unconverged: simulated inventories left out because their refit was not proven.
        tests: "ks", "cvm", "ad" -> test.
        notes: what weakens the p-values, empty where nothing does.
    """

    law: str
    n: int
    draws: int
    unconverged: int
    tests: Mapping[str, DistanceTest]
    notes: tuple[str, ...]


def distances(shares: Probabilities) -> dict[str, FloatArray]:
    """The three distances of sorted model probabilities.

    Args:
        shares: (draw, n) logarithms of the shares below and above each area, sorted by area.

    Returns:
        "ks", "cvm", "ad" -> (draw,) distances.

    Example:
        >>> u = np.array([[0.1, 0.4, 0.8]])
        >>> found = distances(Probabilities(np.log(u), np.log1p(-u)))
        >>> [round(float(found[name][0]), 4) for name in DISTANCES]
        [0.2667, 0.0433, 0.2786]
    """
    n = shares.log_below.shape[1]
    u = np.exp(shares.log_below)
    step = np.arange(1, n + 1)
    below = np.maximum(shares.log_below, _LOG_SMALLEST)
    above = np.maximum(shares.log_above, _LOG_SMALLEST)[:, ::-1]
    return {
        "ks": np.maximum((step / n - u).max(axis=1), (u - (step - 1) / n).max(axis=1)),
        "cvm": 1.0 / (12.0 * n) + ((u - (2 * step - 1) / (2.0 * n)) ** 2).sum(axis=1),
        "ad": -n - ((2 * step - 1) * (below + above)).sum(axis=1) / n,
    }


def refitted_blocks(
    law: str,
    theta: ArrayLike,
    n: int,
    recording: Recording,
    *,
    draws: int,
    rng: np.random.Generator,
    start: ArrayLike | None = None,
) -> Iterator[Refitted]:
    """Simulate inventories from each set of parameters and refit them, block by block.

    Args:
        law: name of the law.
        theta: (world, k) parameters, or (k,) for one world.
        n: landslides per inventory.
        recording: how inventories are recorded.
        draws: inventories per world.
        rng: source of the draws.
        start: (k,) where each refit starts; the parameters of the first world where None.

    Yields:
        Blocks that together hold world * draws inventories, worlds in order, `draws` of each.
    """
    values = np.repeat(as_theta(law, theta), draws, axis=0)
    first = values[0] if start is None else np.asarray(start, dtype=np.float64)
    parts = math.ceil(len(values) * n / BLOCK)
    # Blocks of one size share a compilation; what fills up the last is dropped.
    size = math.ceil(len(values) / parts)
    for low in range(0, len(values), size):
        block = values[low : low + size]
        kept = len(block)
        if kept < size:
            block = np.concatenate([block, np.repeat(block[-1:], size - kept, axis=0)])
        areas = simulate(law, block, n, recording, rng=rng)
        refits = refit_many(law, areas, recording, first)
        yield Refitted(areas[:kept], refits.theta[:kept], refits.converged[:kept])


def simulated_distances(
    law: str,
    theta: ArrayLike,
    n: int,
    recording: Recording,
    *,
    draws: int,
    rng: np.random.Generator,
    start: ArrayLike | None = None,
    progress: Progress | None = None,
) -> dict[str, FloatArray]:
    """Distances of simulated and refitted inventories. Arguments as in `refitted_blocks`.

    Returns:
        "ks", "cvm", "ad" -> (world, draw) distances, NaN where the refit was not proven.

    Example:
        >>> found = simulated_distances(
        ...     "power", [1.4], 50, Recording(lower_m2=300.0), draws=4, rng=np.random.default_rng(0)
        ... )
        >>> found["ks"].shape
        (1, 4)
    """
    parts: dict[str, list[FloatArray]] = {name: [] for name in DISTANCES}
    for block in refitted_blocks(law, theta, n, recording, draws=draws, rng=rng, start=start):
        found = distances(probabilities(law, block.theta, block.areas_m2, recording))
        for name in DISTANCES:
            parts[name].append(np.where(block.converged, found[name], np.nan))
        if progress is not None:
            progress(len(block.theta))
    return {name: np.concatenate(values).reshape(-1, draws) for name, values in parts.items()}


def bootstrap_p_value(observed: float, simulated: FloatArray) -> tuple[float, float]:
    """(1 + exceedances) / (1 + draws) over the defined draws, and its binomial standard error.

    Example:
        >>> bootstrap_p_value(2.0, np.array([1.0, 3.0, np.nan, 0.5]))[0]
        0.5
    """
    defined = simulated[~np.isnan(simulated)]
    if defined.size == 0:
        raise ValueError("goodness of fit: no refit of a simulated inventory converged")
    p_value = (1.0 + float((defined >= observed).sum())) / (1.0 + defined.size)
    return p_value, math.sqrt(p_value * (1.0 - p_value) / defined.size)


def goodness_of_fit(
    fit: SizeFit,
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 999,
    progress: Progress | None = None,
) -> GoodnessOfFit:
    """Test a fitted law against its own areas by parametric bootstrap with refit.

    Args:
        fit: the fit, made of these areas.
        areas_m2: (n,) the areas [m2].
        rng: source of the simulated inventories.
        draws: their number; a p-value is known to at best 1 / (2 sqrt(draws)).
        progress: called with the number of inventories done after each block.

    Returns:
        The tests by Kolmogorov-Smirnov, Cramer-von Mises and Anderson-Darling distance.

    Raises:
        ValueError: other areas than the fit's, fewer than 20 draws, a weighted fit.

    Example:
        >>> from stats.sizes.fit import fit_sizes
        >>> record = Recording(lower_m2=300.0)
        >>> areas = simulate("power", [1.4], 200, record, rng=np.random.default_rng(1))[0]
        >>> fit = fit_sizes(areas, "power", record, intervals=None)
        >>> found = goodness_of_fit(fit, areas, rng=np.random.default_rng(2), draws=99)
        >>> found.tests["ad"].p_value > 0.05, found.unconverged
        (True, 0)
    """
    if draws < 20:
        raise ValueError(f"draws: found {draws}; expected 20 or more")
    areas = check_areas(areas_m2, fit.recording, least=1)
    if areas.size != fit.n:
        raise ValueError(f"areas_m2: found {areas.size} areas; the fit was made of {fit.n}")
    if fit.weight != fit.n:
        raise ValueError("goodness of fit: found a weighted fit; expected areas that count once")
    shares = probabilities(fit.law, fit.parameters, areas, fit.recording)
    observed = {name: float(values[0]) for name, values in distances(shares).items()}
    simulated = simulated_distances(
        fit.law, fit.parameters, fit.n, fit.recording, draws=draws, rng=rng, progress=progress
    )
    unconverged = int(np.isnan(simulated["ks"]).sum())
    naive = naive_p_values(np.exp(shares.log_below[0]), observed)
    tests = {
        name: DistanceTest(
            observed[name], *bootstrap_p_value(observed[name], simulated[name][0]), naive[name]
        )
        for name in DISTANCES
    }
    notes = []
    if not fit.converged:
        notes.append("the fit itself was not proven to have converged")
    if unconverged > 0.05 * draws:
        notes.append(f"{unconverged} of {draws} refits were not proven and are left out")
    return GoodnessOfFit(fit.law, fit.n, draws, unconverged, tests, tuple(notes))


def naive_p_values(u: FloatArray, observed: Mapping[str, float]) -> dict[str, float]:
    """Tabled p-values for parameters known beforehand, for contrast only.

    Args:
        u: (n,) model probabilities of the areas.
        observed: the distances.

    Example:
        >>> u = (np.arange(100) + 0.5) / 100
        >>> shares = Probabilities(np.log(u)[None], np.log1p(-u)[None])
        >>> found = naive_p_values(u, {k: float(v[0]) for k, v in distances(shares).items()})
        >>> [round(found[name], 2) for name in DISTANCES]
        [1.0, 1.0, 1.0]
    """
    return {
        "ks": float(scipy_stats.kstwo.sf(observed["ks"], u.size)),
        "cvm": float(scipy_stats.cramervonmises(u, "uniform").pvalue),
        "ad": 1.0 - _anderson_darling_cdf(observed["ad"]),
    }


def _anderson_darling_cdf(z: float) -> float:
    """Limiting distribution function of A2 for a known law (Marsaglia & Marsaglia 2004)."""
    if z < 2.0:
        series = (2.00012, 0.247105, -0.0649821, 0.0347962, -0.011672, 0.00168691)
        return float(math.exp(-1.2337141 / z) / math.sqrt(z) * np.polyval(series[::-1], z))
    series = (1.0776, -2.30695, 0.43424, -0.082433, 0.008056, -0.0003146)
    return float(math.exp(-math.exp(np.polyval(series[::-1], z))))
