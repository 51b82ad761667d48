"""How fast a training goes and how long it may still take."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hazard.training.curriculum import Stage
from hazard.training.records import TrainingProgress


class Pace:
    """Counts steps between looks.

    Attributes:
        metric: latest validation value, mean over members.
    """

    def __init__(self, curriculum: Sequence[Stage], samples: Sequence[int], members: int) -> None:
        self.curriculum, self.members = curriculum, members
        self.samples = list(samples)
        self.metric: float | None = None
        self._since, self._batch = time.monotonic(), 0

    def begin(self, batch: int) -> None:
        """An epoch begins at this batch; the time of validation before it is counted."""
        self._batch = batch

    def look(
        self, stage: int, epoch: int, batch: int, steps: int, loss: float, counted: float
    ) -> TrainingProgress:
        """The state of affairs after `batch` of `steps` steps of an epoch.

        Args:
            stage: index of the stage.
            epoch: index of the epoch.
            batch: steps taken in this epoch.
            steps: steps of this epoch.
            loss: mean loss since the look before.
            counted: elements that counted since then.
        """
        now = time.monotonic()
        seconds = max(now - self._since, 1e-9)
        taken = batch - self._batch
        self._since, self._batch = now, batch
        current = self.curriculum[stage]
        left = (current.epochs - epoch) * self.samples[stage]
        left -= min(batch * current.batch_size, self.samples[stage])
        left += sum(
            later.epochs * self.samples[stage + 1 + i]
            for i, later in enumerate(self.curriculum[stage + 1 :])
        )
        rate = taken * current.batch_size * self.members / seconds
        return TrainingProgress(
            stage=stage,
            stages=len(self.curriculum),
            name=current.name,
            epoch=epoch,
            epochs=current.epochs,
            step=batch,
            steps=steps,
            loss=loss,
            metric=self.metric,
            samples_per_s=rate,
            cells_per_s=counted / seconds,
            seconds_left=left * self.members / max(rate, 1e-9),
        )
