"""The fold designs of a study, made, audited and written as one part of its cube."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.cube.cell_features import windows_within
from hazard.cube.patch_audit import audit_design, require_clean
from hazard.cube.patches import patch_index
from hazard.cube.splits import cell_centres, make_designs, write_folds
from hazard.cube.writer import LayerWriter, PartFacts
from hazard.geo.grid import Grid

Progress = Callable[[int], None]


def write_fold_layers(
    writer: LayerWriter, config: HazardConfig, grid: Grid, *, progress: Progress | None = None
) -> PartFacts:
    """Write ``/folds/role_NAME`` of every configured design, audited against leaks.

    Args:
        writer: of this part; the target part must be in the store.
        config: complete configuration.
        grid: cell grid.
        progress: called with 1 per design.

    Raises:
        DataError: a design that does not fit the study, or that leaks by its own promise.
    """
    if config.study is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    root: Any = writer.root
    observed = np.asarray(root["observed"][...], dtype=np.bool_)
    mask = np.asarray(root["mask"][0], dtype=np.bool_)
    patches = config.cube.patches
    index = patch_index(mask, n=patches.cells, shift=patches.shift_cells)
    designs = make_designs(
        config.cube.folds, observed, grid, seed=config.seed, anchor=index.anchors[0],
        epoch_names=[epoch.name for epoch in config.study.epochs],
    )  # fmt: skip
    x, y = cell_centres(grid)
    fit = config.fit
    # The widest past that any forecaster is given: what is withheld from it is counted.
    past = [
        side
        for windows in (fit.network.past_windows, fit.baseline_past_windows)
        for side in windows_within(windows, mask.shape)
    ]
    audits = {}
    facts = PartFacts()
    for name, design in designs.items():
        findings = audit_design(
            design, x=x, y=y, index=index, past_reach_cells=max(past, default=1) // 2
        )
        require_clean(findings, design)
        audits[name] = findings
        n_warnings = sum(finding.severity == "warning" for finding in findings)
        facts.numbers[name] = {"folds": design.n_folds, "leaks": 0, "warnings": n_warnings}
        if progress is not None:
            progress(1)
    writer.names.extend(write_folds(root, grid, designs, audits))
    counts = index.counts()
    facts.numbers["patches"] = [{"full": c.full, "partial": c.partial} for c in counts]
    facts.notes.append(
        "patches: "
        + ", ".join(
            f"{c.full} full and {c.partial} partial ({name})"
            for c, name in zip(counts, ("first lattice", "shifted lattice"), strict=False)
        )
    )
    facts.notes.append(
        "folds: " + ", ".join(f"{name} ({design.n_folds})" for name, design in designs.items())
        + "; no leak found by the audit"
    )  # fmt: skip
    return facts
