"""The smallest configuration of a fit, and a session that says nothing."""

from hazard.config.fit import (
    CeilingConfig,
    EvaluationConfig,
    FinalConfig,
    FitConfig,
    NetworkConfig,
    SchemeConfig,
    TrainingConfig,
)
from hazard.config.schema import HazardConfig, IfMissing
from hazard.config.world import WorldConfig
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter

NETWORK = NetworkConfig(
    patch_cells=8, width=4, depth=1, terrain_width=2, past_windows=(3,), dropout=0.1
)
TRAINING = TrainingConfig(epochs=2, batch_size=4, patience=2)


def silent():
    return Session(log=Log(quiet=True), reporter=SilentReporter())


def small_config(**fit):
    settings = {
        "schemes": (
            SchemeConfig(design="spatial_blocks", folds=1),
            SchemeConfig(design="forward_chaining", folds=1, take="last", members=2),
            SchemeConfig(design="leave_one_epoch_out"),
        ),
        "network": NETWORK,
        "training": TRAINING,
        "baselines": ("zero", "climatology", "persistence_mean"),
        "final": FinalConfig(members=2, block_km=4),
        "ceiling": None,
        "evaluation": EvaluationConfig(thresholds_percent=(0.0, 0.5), draws=20),
    } | fit
    return HazardConfig(
        name="small", title="Small study", seed=3, if_missing=IfMissing(world=WorldConfig()),
        fit=FitConfig(**settings),
    )  # fmt: skip


__all__ = ["NETWORK", "TRAINING", "CeilingConfig", "silent", "small_config"]
