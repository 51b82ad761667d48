"""Early stopping and plateaus, per member: a member stops as if it were trained alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hazard.training.curriculum import Stage


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """What early stopping remembers, one entry per member.

    Attributes:
        best: lowest validation value so far.
        best_epoch: epoch that had it.
        waited: epochs since then.
        plateau: epochs since then or since the rate was last lowered.
        rate_scale: factor on the learning rate.
        stopped: no further epoch counts for this member.
    """

    best: tuple[float, ...]
    best_epoch: tuple[int, ...]
    waited: tuple[int, ...]
    plateau: tuple[int, ...]
    rate_scale: tuple[float, ...]
    stopped: tuple[bool, ...]

    @classmethod
    def start(cls, members: int) -> Stopping:
        """Nothing seen yet.

        Example:
            >>> Stopping.start(2).stopped
            (False, False)
        """
        return cls(
            best=(math.inf,) * members,
            best_epoch=(-1,) * members,
            waited=(0,) * members,
            plateau=(0,) * members,
            rate_scale=(1.0,) * members,
            stopped=(False,) * members,
        )

    @property
    def all_stopped(self) -> bool:
        """True where no member goes on."""
        return all(self.stopped)

    def update(
        self, values: tuple[float, ...], epoch: int, stage: Stage
    ) -> tuple[Stopping, tuple[bool, ...]]:
        """Take in the validation values of an epoch.

        Returns:
            The new record, and which members were better than ever before (a stopped one never).

        Example:
            >>> from hazard.training.objective import LossTerm
            >>> stage = Stage(name="a", terms=(LossTerm(term="mae"),), epochs=9, patience=1)
            >>> first, better = Stopping.start(1).update((0.5,), 0, stage)
            >>> second, again = first.update((0.6,), 1, stage)
            >>> better, again, second.stopped
            ((True,), (False,), (True,))
        """
        rows = [self._member(m, value, epoch, stage) for m, value in enumerate(values)]
        best, best_epoch, waited, plateau, scale, stopped, better = zip(*rows, strict=True)
        record = replace(
            self,
            best=best,
            best_epoch=best_epoch,
            waited=waited,
            plateau=plateau,
            rate_scale=scale,
            stopped=stopped,
        )
        return record, better

    def _member(
        self, m: int, value: float, epoch: int, stage: Stage
    ) -> tuple[float, int, int, int, float, bool, bool]:
        if self.stopped[m]:
            return (
                self.best[m], self.best_epoch[m], self.waited[m], self.plateau[m],
                self.rate_scale[m], True, False,
            )  # fmt: skip
        if value < self.best[m] - stage.least_gain:
            return value, epoch, 0, 0, self.rate_scale[m], False, True
        waited, plateau, scale = self.waited[m] + 1, self.plateau[m] + 1, self.rate_scale[m]
        if stage.plateau_patience is not None and plateau >= stage.plateau_patience:
            scale, plateau = max(scale * stage.plateau_factor, stage.plateau_floor), 0
        stopped = stage.patience is not None and waited >= stage.patience
        return self.best[m], self.best_epoch[m], waited, plateau, scale, stopped, False
