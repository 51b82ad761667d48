"""Many simulated inventories whose posteriors are sampled on one compilation."""

import jax
import numpy as np

from stats.case_arrays import FloatArray
from stats.sizes.nuts import Chains, run_chains
from stats.sizes.posterior_density import Target, log_posterior, prepared_areas
from stats.sizes.priors import default_priors
from stats.sizes.recording import Recording


def prior_moments(law: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means, standard deviations and scales between groups of the default priors."""
    priors = default_priors(law)
    columns = [[getattr(p, name) for p in priors] for name in ("mean", "sd", "group_sd")]
    return tuple(np.array(column) for column in columns)


def sample_worlds(
    law: str,
    areas: FloatArray,
    lower_m2: float,
    *,
    seed: int,
    warmup: int,
    draws: int,
    thin: int = 1,
    target_accept: float = 0.95,
) -> Chains:
    """One chain for each row of (world, n) areas, from starts scattered like the prior."""
    worlds = areas.shape[0]
    mean, sd, _ = prior_moments(law)
    recording = Recording(lower_m2=lower_m2)
    size = 256 if areas.shape[1] > 256 else areas.shape[1]
    rows = [prepared_areas(row, recording, size=size) for row in areas]
    data = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
    starts = mean + 0.5 * sd * np.random.default_rng([seed, 9]).normal(size=(worlds, mean.size))
    return run_chains(
        log_posterior(law),
        starts,
        Target(data, np.tile(mean, (worlds, 1)), np.tile(sd, (worlds, 1))),
        seed=seed,
        warmup=warmup,
        draws=draws,
        thin=thin,
        target_accept=target_accept,
        shared=False,
    )
