r"""Information criteria of laws fitted to the same areas.

:math:`AIC = -2\ell + 2k`, :math:`AICc = AIC + 2k(k+1)/(n-k-1)`, :math:`BIC = -2\ell + k \ln n`,
with Akaike weights :math:`\propto \exp(-\Delta/2)`. A ranking always has a first; whether it is
better than the second is what `vuong` answers. A parameter at a limit of its family is not counted.

K. P. Burnham & D. R. Anderson (2002), Model Selection and Multimodel Inference, 2nd edition,
Springer, doi:10.1007/b97636.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stats.sizes.fit import SizeFit


@dataclass(frozen=True)
class LawScore:
    """Information criteria of one fitted law.

    Attributes:
        law: name of the law.
        k: free parameters; one at a limit of its family is not counted.
        log_likelihood: maximum.
        aic: Akaike's criterion.
        aicc: AIC with its small-sample correction; infinite where n <= k + 1.
        bic: Schwarz's criterion.
        delta_aicc: AICc above the smallest.
        weight: Akaike weight by AICc; the weights of a table sum to 1.
    """

    law: str
    k: int
    log_likelihood: float
    aic: float
    aicc: float
    bic: float
    delta_aicc: float
    weight: float


def require_same_data(fits: Sequence[SizeFit]) -> None:
    """Refuse fits that cannot be compared.

    Raises:
        ValueError: a law twice, other numbers of areas, another recording.
    """
    if len({fit.law for fit in fits}) < len(fits):
        raise ValueError("choice of law: found one law twice; expected different laws")
    for fit in fits[1:]:
        if fit.n != fits[0].n or fit.recording != fits[0].recording:
            raise ValueError(
                f"choice of law: {fit.law} has {fit.n} areas and {fit.recording}, "
                f"{fits[0].law} has {fits[0].n} and {fits[0].recording}; expected the same areas "
                "recorded in the same way"
            )


def free_parameters(fit: SizeFit) -> int:
    """Parameters that a fit counts: those at a limit of the family are not free."""
    return round(0.5 * fit.aic + fit.log_likelihood)


def information_criteria(fits: Sequence[SizeFit]) -> tuple[LawScore, ...]:
    """AIC, AICc, BIC and Akaike weights of laws fitted to the same areas, best first.

    Args:
        fits: one fit per law.

    Raises:
        ValueError: no fits, a law twice, or fits of other areas or another recording.

    Example:
        >>> import numpy as np
        >>> from stats.sizes.fit import fit_sizes
        >>> from stats.sizes.recording import Recording
        >>> areas = 300.0 * (1.0 + np.random.default_rng(0).pareto(1.5, 200))
        >>> record = Recording(lower_m2=300.0)
        >>> table = information_criteria([fit_sizes(areas, "power", record, intervals=None)])
        >>> table[0].law, table[0].weight, round(table[0].aicc - table[0].aic, 3)
        ('power', 1.0, 0.02)
    """
    if not fits:
        raise ValueError("choice of law: found no fits; expected at least one")
    require_same_data(fits)
    rows = []
    for fit in fits:
        k, n = free_parameters(fit), fit.n
        small = 2.0 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf
        rows.append((fit.aic + small, fit, k))
    best = min(row[0] for row in rows)
    if math.isinf(best):
        raise ValueError(f"choice of law: found {fits[0].n} areas; too few for AICc")
    total = sum(math.exp(-0.5 * (aicc - best)) for aicc, _, _ in rows)
    return tuple(
        LawScore(
            fit.law,
            k,
            fit.log_likelihood,
            fit.aic,
            aicc,
            fit.bic,
            aicc - best,
            math.exp(-0.5 * (aicc - best)) / total,
        )
        for aicc, fit, k in sorted(rows, key=lambda row: (row[0], row[1].law))
    )
