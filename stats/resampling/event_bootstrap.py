"""Bootstrap by events, and by epochs and places at once.

What an interval speaks about is what was drawn. Blocks of cells: this epoch, at other places like
these. Epochs or events: other epochs or events like these, at these places. Both at once: other
epochs at other places. The last is the widest, and none of them is worth more than its number of
units.

A. B. Owen (2007), Annals of Applied Statistics 1, 386-411, doi:10.1214/07-AOAS122 (rows and columns
drawn independently, slightly conservative for a mean).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import UndefinedScoreError
from stats.resampling.block_bootstrap import MINIMUM_EPOCHS, BlockDraws, draw_blocks

MINIMUM_EVENTS = MINIMUM_EPOCHS


def draw_events(event: ArrayLike, *, draws: int, rng: np.random.Generator) -> BlockDraws:
    """Draw whole events (earthquakes, storms, regions), for statements about events like these.

    Args:
        event: (case,) number of the event of each case.
        draws: number of bootstrap draws.
        rng: source of randomness.

    Raises:
        UndefinedScoreError: fewer than five events, which carry no such statement.

    Example:
        >>> drawn = draw_events(np.arange(6).repeat(3), draws=4, rng=np.random.default_rng(0))
        >>> drawn.n_blocks, drawn.unit
        (6, 'event')
    """
    found = np.unique(np.asarray(event)).size
    if found < MINIMUM_EVENTS:
        raise UndefinedScoreError(
            f"found {found} events; intervals over events need at least {MINIMUM_EVENTS}"
        )
    return draw_blocks(event, draws=draws, rng=rng, unit="event")


def draw_epochs_and_blocks(
    epoch: ArrayLike, block: ArrayLike, *, draws: int, rng: np.random.Generator
) -> BlockDraws:
    """Draw epochs and, independently, places; a case counts as often as both were drawn.

    Errors of a place that last over epochs, and errors of an epoch that reach over all places, are
    both carried. The number of units is the smaller of the two numbers.

    Args:
        epoch: (case,) epoch, or event, of each case.
        block: (case,) block of cells of each case.
        draws: number of bootstrap draws.
        rng: source of randomness.

    Raises:
        UndefinedScoreError: fewer than five epochs.

    Example:
        >>> epoch, block = np.repeat(np.arange(5), 4), np.tile(np.arange(4), 5)
        >>> drawn = draw_epochs_and_blocks(epoch, block, draws=3, rng=np.random.default_rng(0))
        >>> drawn.multiplicity.shape, drawn.n_units, drawn.multiplicity.sum(axis=1)
        ((3, 20), 4, array([20., 20., 20.]))
    """
    in_time = draw_blocks(epoch, draws=draws, rng=rng, unit="epoch")
    if in_time.n_blocks < MINIMUM_EPOCHS:
        raise UndefinedScoreError(
            f"found {in_time.n_blocks} epochs; intervals over epochs need at least {MINIMUM_EPOCHS}"
        )
    in_space = draw_blocks(block, draws=draws, rng=rng)
    if in_time.block.shape != in_space.block.shape:
        raise ValueError(
            f"epoch {in_time.block.shape}, block {in_space.block.shape}; expected the same cases"
        )
    both = in_time.block * in_space.n_blocks + in_space.block
    present, number = np.unique(both, return_inverse=True)
    row, column = np.divmod(present, in_space.n_blocks)
    return BlockDraws(
        block=number.reshape(-1).astype(np.int64),
        multiplicity=in_time.multiplicity[:, row] * in_space.multiplicity[:, column],
        unit="epoch x block", n_units=min(in_time.n_blocks, in_space.n_blocks),
    )  # fmt: skip
