"""A training in a process of its own, to be killed: `python resumed_run.py FOLDER [KILL]`.

With KILL the process sends itself SIGKILL when it has taken that many steps; with a trailing `s`
the signal comes from a thread a few milliseconds later, so that it may hit a checkpoint that is
being written. Without KILL it finishes and writes its weights to FOLDER/final.npz.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np

from hazard.training.checkpoint import CheckpointFolder
from hazard.training.loop import train
from hazard.training.objective import LossTerm
from hazard.training.records import TrainingSettings
from tests.hazard.training.small_network import SmallNetwork, log_loss_stage, planted_source

STAGES = (
    log_loss_stage(epochs=3, patience=5),
    log_loss_stage(
        name="amount", epochs=3, subset="positive", target_transform="log1p",
        terms=(LossTerm(term="mae"),), frozen=("presence",),
    ),
)  # fmt: skip


def main(folder: Path, kill: str | None) -> None:
    """Train, resuming where there is something to resume."""
    taken = 0

    def progress(_):
        nonlocal taken
        taken += 1
        if kill is not None and taken == int(kill.rstrip("s")):
            stop = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
            threading.Timer(0.01, stop).start() if kill.endswith("s") else stop()

    with CheckpointFolder(folder / "checkpoints") as checkpoints:
        result = train(
            SmallNetwork, STAGES, planted_source(40), planted_source(24, seed=1),
            settings=TrainingSettings(members=2, look_every=1, save_every_steps=2),
            checkpoints=checkpoints, resume=True, progress=progress,
        )  # fmt: skip
    arrays = {**result.variables.params, **result.variables.stats}
    losses = np.array([entry.loss for entry in result.history])
    np.savez(folder / "final.npz", losses=losses, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
