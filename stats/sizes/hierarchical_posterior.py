"""What a hierarchical fit returns: joint draws of all groups, summaries and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stats.case_arrays import BoolArray, FloatArray
from stats.sizes.chain_diagnostics import ESS_PER_CHAIN, RHAT_LIMIT
from stats.sizes.law import law_named
from stats.sizes.posterior import PosteriorEstimate, summarise
from stats.sizes.priors import Prior, derived_of, theta_of
from stats.sizes.recording import Recording
from stats.sizes.size_groups import SizeGroup

BETWEEN_GROUPS = "groups"


@dataclass(frozen=True, kw_only=True)
class HierarchicalPosterior:
    """Draws from the joint posterior of groups.

    Attributes:
        law: name of the law.
        names: groups.
        labels: factor -> level of each group.
        recordings: of each group.
        n: areas of each group.
        priors: as they were used, in the order of the coordinates.
        coordinates: (chain, draw, group, k) draws of the coordinates.
        draws: name -> (chain, draw, group) draws of the parameters, `rollover_m2`, `pdf_slope`.
        typical: name -> (chain, draw) the same of the typical group (all effects 0).
        between_sd: (factor or "groups", coordinate) -> (chain, draw) standard deviations.
        curves: group -> (chain, draw, 2) ln half area and ln width of fitted detection curves.
        estimates: (group, quantity) -> summary.
        typical_estimates: quantity -> summary for the typical group.
        between_sd_estimates: (factor or "groups", coordinate) -> summary.
        centred: (group, k) coordinates sampled themselves.
        divergences: draws at which the integrator lost the density.
        notes: what the reader must know.
    """

    law: str
    names: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    recordings: tuple[Recording, ...]
    n: tuple[int, ...]
    priors: tuple[Prior, ...]
    coordinates: FloatArray
    draws: Mapping[str, FloatArray]
    typical: Mapping[str, FloatArray]
    between_sd: Mapping[tuple[str, str], FloatArray]
    curves: Mapping[str, FloatArray]
    estimates: Mapping[tuple[str, str], PosteriorEstimate]
    typical_estimates: Mapping[str, PosteriorEstimate]
    between_sd_estimates: Mapping[tuple[str, str], PosteriorEstimate]
    centred: BoolArray
    divergences: int
    notes: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """No divergence, R-hat at most 1.01, 100 independent draws a chain, for every quantity."""
        every = (*self.estimates.values(), *self.typical_estimates.values())
        found = [e.diagnostics for e in (*every, *self.between_sd_estimates.values())]
        least = ESS_PER_CHAIN * self.coordinates.shape[0]
        return self.divergences == 0 and all(
            d.rhat <= RHAT_LIMIT and min(d.ess_bulk, d.ess_tail) >= least
            for d in found
            if d is not None
        )

    def index(self, name: str) -> int:
        """Place of a group.

        Raises:
            ValueError: no such group.
        """
        if name not in self.names:
            raise ValueError(f"group: found {name!r}; expected one of {', '.join(self.names)}")
        return self.names.index(name)

    def theta(self, name: str) -> FloatArray:
        """(chain x draw, k) draws of the parameters of a group, in the order of the law."""
        place = self.index(name)
        parts = [self.draws[p][..., place].ravel() for p in law_named(self.law).names]
        return np.stack(parts, axis=1)


def collected(
    law: str,
    groups: Sequence[SizeGroup],
    labels: Mapping[str, tuple[str, ...]],
    crossed: Sequence[str],
    priors: tuple[Prior, ...],
    centred: BoolArray,
    mu: FloatArray,
    tau: FloatArray,
    z: FloatArray,
    curves: Mapping[str, FloatArray],
    n: tuple[int, ...],
    divergences: int,
    level: float,
    notes_on_nodes: Sequence[str],
) -> HierarchicalPosterior:
    """The record from draws of mu, tau and the groups' coordinates."""
    family = law_named(law)
    units = {p.name: p.unit for p in family.parameters} | {"rollover_m2": "m2", "pdf_slope": "1"}
    theta, typical_theta = theta_of(law, z), theta_of(law, mu)
    draws = {p: theta[..., i] for i, p in enumerate(family.names)} | derived_of(law, theta)
    typical = {p: typical_theta[..., i] for i, p in enumerate(family.names)}
    typical |= derived_of(law, typical_theta)
    names = tuple(group.name for group in groups)
    between = {
        (term, prior.coordinate): tau[:, :, i, j]
        for i, term in enumerate((*crossed, BETWEEN_GROUPS))
        for j, prior in enumerate(priors)
    }
    estimates = {
        (name, quantity): summarise(quantity, units[quantity], values[..., g], level)
        for quantity, values in draws.items()
        for g, name in enumerate(names)
    }
    typical_estimates = {q: summarise(q, units[q], v, level) for q, v in typical.items()}
    sd_estimates = {
        key: summarise(f"sd of {key[1]} between {key[0]}", "1", v, level)
        for key, v in between.items()
    }
    notes = list(notes_on_nodes)
    if divergences:
        notes.append(f"{divergences} divergent draws: intervals may be too narrow")
    every = [(" ".join(k), e) for k, e in (*estimates.items(), *sd_estimates.items())]
    for name, estimate in (*every, *((f"typical {q}", e) for q, e in typical_estimates.items())):
        mixing = estimate.diagnostics
        if mixing is not None and mixing.rhat > RHAT_LIMIT:
            notes.append(f"{name}: R-hat {mixing.rhat:.3f}; the chains have not met, run longer")
    return HierarchicalPosterior(
        law=law,
        names=names,
        labels=labels,
        recordings=tuple(group.recording for group in groups),
        n=n,
        priors=priors,
        coordinates=z,
        draws=draws,
        typical=typical,
        between_sd=between,
        curves=curves,
        estimates=estimates,
        typical_estimates=typical_estimates,
        between_sd_estimates=sd_estimates,
        centred=centred,
        divergences=divergences,
        notes=tuple(notes),
    )
