"""A network small enough to compile in a second, with everything that training must handle."""

import jax.numpy as jnp
import numpy as np
from flax import nnx

from hazard.training.curriculum import Stage
from hazard.training.data import device_source
from hazard.training.objective import LossTerm
from hazard.training.optimiser import OptimiserConfig

BANDS, SIDE = 3, 2


class SmallBody(nnx.Module):
    """Dense layer, batch norm, dropout."""

    def __init__(self, rngs, dropout):
        # A bias before a batch norm has no gradient but rounding, which Adam blows up to full
        # steps: two ways of computing the same members would seem to differ.
        self.dense = nnx.Linear(BANDS, 4, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)

    def __call__(self, x, rngs):
        return self.dropout(nnx.relu(self.norm(self.dense(x))), rngs=rngs)


class SmallNetwork(nnx.Module):
    """(sample, y, x, band) -> logit and density (sample, y, x)."""

    def __init__(self, rngs, dropout=0.1):
        self.body = SmallBody(rngs, dropout)
        self.presence = nnx.Linear(4 + BANDS, 1, rngs=rngs)
        self.amount = nnx.Linear(4 + BANDS, 1, rngs=rngs)

    def __call__(self, batch, *, rngs=None):
        x = jnp.concatenate([self.body(batch["x"], rngs), batch["x"]], axis=-1)
        return {"logit": self.presence(x)[..., 0], "density": nnx.softplus(self.amount(x)[..., 0])}


def planted(samples, *, seed=0, slope=2.0):
    """Samples whose log odds are `slope` times the first band, minus one."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, SIDE, SIDE, BANDS)).astype(np.float32)
    probability = 1 / (1 + np.exp(1.0 - slope * x[..., 0]))
    presence = (rng.random(probability.shape) < probability).astype(np.float32)
    density = presence * rng.lognormal(0.3 * x[..., 1], 0.5).astype(np.float32)
    return {
        "x": x,
        "presence": presence,
        "density": density,
        "weight": np.ones_like(presence),
    }


def planted_source(samples, **options):
    return device_source(planted(samples, **options))


def log_loss_stage(**changes):
    defaults = {
        "name": "presence",
        "terms": (LossTerm(term="log_loss"),),
        "epochs": 3,
        "batch_size": 8,
        "optimiser": OptimiserConfig(learning_rate=0.02),
    }
    return Stage(**{**defaults, **changes})
