"""Laws with parameters and supports that the tests of the laws run through."""

from __future__ import annotations

import math

import numpy as np

from stats.sizes.distribution import SizeLaw, size_law

INF = math.inf

# One untruncated or least truncated case per family and regime.
LAWS: dict[str, SizeLaw] = {
    "dps": size_law("dps", alpha=1.4, beta=2.3, t=800.0),
    "dps heavy, no rollover": size_law("dps", alpha=0.8, beta=0.6, t=50.0),
    "dps above a cut": size_law("dps", alpha=1.4, beta=2.3, t=800.0, lower=100.0),
    "extended, beta < 0": size_law("dps_extended", alpha=2.2, beta=-0.3, t=9e3, lower=250.0),
    "extended, log limit": size_law("dps_extended", alpha=1.2, beta=0.0, t=900.0, lower=300.0),
    "extended, near Frechet": size_law(
        "dps_extended", alpha=0.9, beta=1e9, t=1e-8, lower=200.0, upper=1e6
    ),
    "dp": size_law("dp", alpha=1.1, beta=1.7, t=1e3, lower=30.0, upper=3e5),
    "ig": size_law("ig", rho=1.4, a=1280.0, s=-132.0),
    "ig between ends": size_law("ig", rho=0.7, a=900.0, s=-20.0, lower=60.0, upper=1e6),
    "power": size_law("power", alpha=1.4, lower=1000.0),
    "power between ends": size_law("power", alpha=0.9, lower=1000.0, upper=1e6),
    "lognormal": size_law("lognormal", mu=7.0, sigma=1.2),
    "lognormal, mode far below the cut": size_law("lognormal", mu=-40.0, sigma=6.0, lower=100.0),
    "gpd": size_law("gpd", sigma=800.0, xi=0.7),
    "gpd exponential": size_law("gpd", sigma=800.0, xi=0.0, lower=50.0),
    "gpd with an end": size_law("gpd", sigma=800.0, xi=-0.3),
    "egpd": size_law("egpd", kappa=2.3, sigma=300.0, xi=0.7),
    "egpd no rollover": size_law("egpd", kappa=0.6, sigma=300.0, xi=0.4, lower=10.0),
    "egpd with an end": size_law("egpd", kappa=3.0, sigma=800.0, xi=-0.2, upper=3000.0),
}

names = sorted(LAWS)
# One case per family, where each costs a compilation, and the log limit.
families = [*{law.law.name: name for name, law in LAWS.items()}.values(), "extended, log limit"]


def central(law: SizeLaw, n: int = 25) -> np.ndarray:
    """Areas at probabilities from 0.001 to 0.999."""
    return law.ppf(np.linspace(0.001, 0.999, n))


def integral(function, low: float, high: float, panels: int = 80) -> float:
    """Integral of a function of area over (low, high), composite Gauss-Legendre in ln area."""
    edges = np.linspace(np.log(low), np.log(high), panels + 1)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = 0.5 * np.diff(edges)[:, None]
    v = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes
    x = np.exp(v)
    return float(np.sum(half * weights * function(x) * x))
