"""What a fit would do, and about what it would cost; nothing is written, nothing heavy imported."""

from __future__ import annotations

from pathlib import Path

from hazard.config.fit import PUBLISHED_SPLIT, SchemeConfig
from hazard.config.schema import FoldConfig, HazardConfig
from hazard.cube.grids import StudyGrids, study_grids
from hazard.cube.run import dry_run_lines
from hazard.cube.sources import use_world
from hazard.cube.world_plan import world_grids

# From the log of `python -m hazard.fit configs/gorkha.yaml` on two busy cores: one member sees one
# cell in one epoch once in training, both lattices counted; one baseline fits one cell-epoch.
NETWORK_SECONDS_PER_CELL_EPOCH = 3.5e-5
BASELINE_SECONDS_PER_CELL_EPOCH = 1.0e-5
COMPILE_SECONDS = 15.0
EVALUATE_AND_REPORT_SECONDS = 90.0


def fit_lines(config: HazardConfig, run: Path) -> list[str]:
    """The dry run in words.

    Raises:
        DataError: files are missing, or a grid cannot be made from them.
    """
    grids, n_epochs = _grids(config)
    fit = config.fit
    lines = [*dry_run_lines(config, run), "Would fit:"]
    stored = _stored(config)
    network_fits, baseline_fits = 0, 0
    for scheme in fit.schemes:
        if scheme.design != PUBLISHED_SPLIT and scheme.design not in stored:
            lines.append(f"  {scheme.design}: not run (the cube would hold no such design)")
            continue
        folds = _folds(scheme, stored.get(scheme.design), n_epochs)
        networks = len(fit.networks) + len(fit.references.networks)
        network_fits += folds * scheme.members * networks
        baseline_fits += folds * len(fit.baselines)
        lines.append(
            f"  {scheme.design}: {folds} folds, {scheme.members} member(s) each; "
            + ", ".join(scheme.models or (*fit.networks, *fit.references.networks, *fit.baselines))
        )
    if fit.final is not None:
        network_fits += fit.final.members * len(fit.networks)
        lines.append(f"  final: {fit.final.members} member(s) of {', '.join(fit.networks)}")
    if fit.ceiling is not None:
        lines.append(f"  same-epoch ceiling: {fit.ceiling.folds} folds per forward test epoch")
    outlines = use_world(config) or (
        config.target is not None and config.target.kind != "density_raster"
    )
    folders = [
        *(["residuals"] if fit.residuals is not None else []),
        *(["densities"] if fit.densities is not None and outlines else []),
    ]
    lines += [
        "Would also write:",
        *(f"  {run / name}" for name in ("predictions.zarr", "maps", "maps.nc", "maps.zarr",
          "models", "scoreboard.parquet", "scoreboard.csv", *folders, "report/html/index.html")),
    ]  # fmt: skip
    if grids is not None:
        rows, cols = grids.cells.shape
        cases = rows * cols * n_epochs
        seconds = (
            COMPILE_SECONDS * 3
            + network_fits * fit.training.epochs * cases * NETWORK_SECONDS_PER_CELL_EPOCH
            + baseline_fits * cases * BASELINE_SECONDS_PER_CELL_EPOCH
            + EVALUATE_AND_REPORT_SECONDS
        )
        lines.append(
            f"Estimated: {network_fits} networks of the default size and {baseline_fits} baselines,"
            f" at most {seconds / 60:.0f} min on two cores beside the cube (fewer where training "
            "stops early; published networks take far longer)"
        )
    return lines


def _grids(config: HazardConfig) -> tuple[StudyGrids | None, int]:
    if use_world(config):
        assert config.if_missing is not None
        return world_grids(config)[0], config.if_missing.world.n_epochs
    assert config.study is not None
    return study_grids(config), len(config.study.epochs)


def _stored(config: HazardConfig) -> dict[str, FoldConfig]:
    """Designs by the names that the cube gives them."""
    found: dict[str, FoldConfig] = {}
    for number, fold in enumerate(config.cube.folds):
        same = sum(other.design == fold.design for other in config.cube.folds[:number])
        found[fold.design if not same else f"{fold.design}_{same + 1}"] = fold
    return found


def _folds(scheme: SchemeConfig, design: FoldConfig | None, n_epochs: int) -> int:
    if design is None:
        available = 1
    elif design.design == "forward_chaining":
        available = max(n_epochs - design.first_test_epoch, 0)
    elif design.design == "leave_one_epoch_out":
        available = n_epochs
    elif design.design == "space_time_blocks":
        available = design.folds * n_epochs
    else:
        available = design.folds
    return available if scheme.folds is None else min(scheme.folds, available)
