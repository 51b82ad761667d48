"""Progress of one training as a line now and then."""

from __future__ import annotations

import time

from hazard.training.records import TrainingProgress
from stats.command.log import Log

EVERY_S = 15.0


class TrainingTeller:
    """Logs where a training stands, at most every few seconds; called by the loop."""

    def __init__(self, log: Log, what: str, *, every_s: float = EVERY_S) -> None:
        self.log, self.what, self.every_s = log, what, every_s
        self.last = time.monotonic()

    def __call__(self, at: TrainingProgress) -> None:
        """Tell, if the last line is old enough."""
        now = time.monotonic()
        if now - self.last < self.every_s:
            return
        self.last = now
        metric = "" if at.metric is None else f", validation {at.metric:.4f}"
        self.log.info(
            f"{self.what}: epoch {at.epoch + 1}/{at.epochs}, loss {at.loss:.4f}{metric}, "
            f"{at.samples_per_s:,.1f} patches/s, at most {at.seconds_left:.0f} s left",
            loss=at.loss, metric=at.metric, patches_per_s=at.samples_per_s,
        )  # fmt: skip
