"""Fold designs of a study: made from its configuration, stored in the cube, read back.

The designs themselves are pure functions in `stats.resampling`; here they meet the grid. The cell
axis of a design is the flattened grid, (y, x) row by row, unobserved and unmapped cells unused, so
that roles and layers share one indexing.

Every design has a validation part for early stopping. Where a design holds out whole epochs, an
epoch is too much to spend on that: validation is then a share of blocks of the training epochs,
with the buffer around them, so that it shares no cell and no neighbourhood with training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.errors import DataError
from stats.resampling.fold_audit import Finding
from stats.resampling.folds import (
    BUFFER,
    ROLE_NAMES,
    TEST,
    TRAIN,
    VALIDATION,
    BoolArray,
    FloatArray,
    FoldDesign,
    choose_share,
    near,
)
from stats.resampling.folds_random import random_folds
from stats.resampling.folds_spatial import (
    block_of_cells,
    space_time_blocks,
    spatial_block_folds,
)
from stats.resampling.folds_temporal import forward_chaining, leave_one_epoch_out

if TYPE_CHECKING:
    import zarr

    from hazard.config.schema import FoldConfig
    from hazard.geo.grid import Grid

ROLE_PREFIX = "role_"
Int8Array = np.ndarray[Any, np.dtype[np.int8]]


def cell_centres(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """(cell,) eastings and northings [m] of the flattened grid."""
    grid.require_metres("blocks and buffers")
    x, y = np.meshgrid(grid.x, grid.y)
    return x.ravel(), y.ravel()


def make_design(
    config: FoldConfig,
    observed: BoolArray,
    grid: Grid,
    *,
    seed: int,
    anchor: tuple[int, int] = (0, 0),
    epoch_names: Sequence[str] | None = None,
    source: object = "cube.folds",
) -> FoldDesign:
    """The design that one section of the configuration asks for.

    Args:
        config: name of the design and its settings.
        observed: (epoch, y, x) True where a cell is mapped and observed.
        grid: the grid of cells.
        seed: seed of the assignment.
        anchor: corner of the first lattice of patches: blocks start there, so that blocks of
            whole patches cut none.
        epoch_names: names of temporal folds.
        source: key of the configuration, for messages.

    Returns:
        Roles over (fold, epoch, flattened cell); every fold has a training and a test part, and a
        validation part where a share of it is asked for.

    Raises:
        DataError: the design does not fit the study (too few epochs or blocks, a buffer that
            leaves nothing to train on).
    """
    flat = np.ascontiguousarray(observed.reshape(observed.shape[0], -1))
    x, y = cell_centres(grid)
    width, height = grid.cell_size
    left, _, _, top = grid.bounds
    # A corner of the lattice, not a centre: cells lie half a cell inside and fall on no edge.
    origin = (left + anchor[1] * width, top - anchor[0] * height)
    block_m, buffer_m = config.block_km * 1000.0, config.buffer_km * 1000.0
    share = config.validation_share
    try:
        if config.design == "random":
            design = random_folds(flat, n_folds=config.folds, seed=seed, validation_share=share)
        elif config.design == "spatial_blocks":
            design = spatial_block_folds(
                flat, x, y, block_m=block_m, n_folds=config.folds, seed=seed, buffer_m=buffer_m,
                origin=origin, validation_share=share,
            )  # fmt: skip
        elif config.design == "space_time_blocks":
            design = space_time_blocks(
                flat, x, y, block_m=block_m, n_folds=config.folds, seed=seed, buffer_m=buffer_m,
                origin=origin, validation_share=share,
            )  # fmt: skip
        else:
            if config.design == "leave_one_epoch_out":
                design = leave_one_epoch_out(flat, epoch_names=epoch_names)
            else:
                design = forward_chaining(
                    flat, minimum_train_epochs=config.first_test_epoch, epoch_names=epoch_names
                )
            design = with_validation_blocks(
                design, x, y, block_of_cells(x, y, block_m=block_m, origin=origin),
                share=share, buffer_m=buffer_m, seed=seed,
            )  # fmt: skip
            design.parameters["block_m"] = block_m
    except ValueError as error:
        raise DataError(
            source, found=f"design {config.design!r}, which does not fit: {error}",
            expected="settings that fit the study's cells and epochs",
        ) from None  # fmt: skip
    _require_parts(design, share, source)
    return design


def with_validation_blocks(
    design: FoldDesign,
    x: FloatArray,
    y: FloatArray,
    block: np.ndarray[Any, np.dtype[np.int64]],
    *,
    share: float,
    buffer_m: float,
    seed: int,
) -> FoldDesign:
    """Turn a share of the training blocks of every fold into validation, with a buffer around.

    Args:
        design: a design without validation.
        x: (cell,) eastings [m].
        y: (cell,) northings [m].
        block: (cell,) block numbers.
        share: share of the blocks with training cells; 0 leaves the design as it is.
        buffer_m: training cells within this distance [m] of a validation cell are left out.
        seed: seed of the choice.

    Raises:
        ValueError: too few blocks to set any aside.
    """
    if share == 0:
        return design
    rng = np.random.default_rng(seed)
    role = design.role.copy()
    for fold in role:
        training = fold == TRAIN
        cells = training.any(axis=0)
        chosen = np.isin(block, choose_share(np.unique(block[cells]), share, rng)) & cells
        buffer = near(x, y, of=chosen, distance_m=buffer_m) & ~chosen
        fold[training & chosen] = VALIDATION
        fold[training & buffer] = BUFFER
    return replace(
        design,
        role=role,
        seed=seed,
        parameters={
            **design.parameters,
            "validation_share": share,
            "validation_buffer_m": buffer_m,
        },
    )


def _require_parts(design: FoldDesign, share: float, source: object) -> None:
    wanted = [TRAIN, TEST] + ([VALIDATION] if share > 0 else [])
    for name, role in zip(design.fold_names, design.role, strict=True):
        lacking = [ROLE_NAMES[code] for code in wanted if not (role == code).any()]
        if lacking:
            raise DataError(
                source,
                found=f"no {' or '.join(lacking)} cell in {name} of design {design.name!r}",
                expected="some in every fold (a smaller buffer, smaller blocks or fewer folds)",
            )


def make_designs(
    configs: Sequence[FoldConfig],
    observed: BoolArray,
    grid: Grid,
    *,
    seed: int,
    anchor: tuple[int, int] = (0, 0),
    epoch_names: Sequence[str] | None = None,
) -> dict[str, FoldDesign]:
    """All designs of a study by name; a design asked for twice is called ``NAME_2`` and so on."""
    designs: dict[str, FoldDesign] = {}
    for number, config in enumerate(configs):
        same = sum(other.design == config.design for other in configs[:number])
        name = config.design if not same else f"{config.design}_{same + 1}"
        designs[name] = make_design(
            config, observed, grid, seed=seed, anchor=anchor, epoch_names=epoch_names,
            source=f"cube.folds.{number}",
        )  # fmt: skip
    return designs


def role_on_grid(design: FoldDesign, shape: tuple[int, int]) -> Int8Array:
    """(fold, epoch, y, x) roles."""
    return design.role.reshape(*design.role.shape[:2], *shape)


def fold_attributes(design: FoldDesign, findings: Sequence[Finding]) -> dict[str, Any]:
    """CF flags, settings and audit of one ``role_NAME`` variable; text values are JSON."""
    return {
        "long_name": f"role of each cell and epoch, design {design.name}",
        "flag_values": list(range(len(ROLE_NAMES))),
        "flag_meanings": " ".join(ROLE_NAMES),
        "design": design.name,
        "unit": design.unit,
        "seed": -1 if design.seed is None else design.seed,
        "separates": json.dumps(sorted(design.separates)),
        "buffer_m": design.buffer_m,
        "fold_names": json.dumps(list(design.fold_names)),
        "settings": json.dumps(design.parameters),
        "audit": json.dumps([vars(finding) for finding in findings]),
    }


def write_folds(
    root: zarr.Group,
    grid: Grid,
    designs: Mapping[str, FoldDesign],
    audits: Mapping[str, Sequence[Finding]],
) -> list[str]:
    """Write ``/folds/role_NAME`` int8 (fold, epoch, y, x) of every design.

    Args:
        root: an open Zarr v3 root group; the group ``folds`` is made where absent.
        grid: the grid of cells.
        designs: designs by name.
        audits: findings by the same names.

    Returns:
        Paths of the arrays written.
    """
    from hazard.geo.store import create_grid_group, create_zarr_layer

    group: Any = root["folds"] if "folds" in root else create_grid_group(root, "folds", grid)
    written = []
    for name, design in designs.items():
        variable = ROLE_PREFIX + name
        if variable in group:
            del group[variable]
        role = role_on_grid(design, grid.shape)
        layer = create_zarr_layer(
            group, variable, role.shape, "int8", dims=(f"fold_{name}", "epoch", "y", "x"),
            attrs=fold_attributes(design, audits[name]),
        )  # fmt: skip
        layer[...] = role
        written.append(f"folds/{variable}")
    return written


def design_from_layer(role: Any, attributes: Mapping[str, Any], *, source: object) -> FoldDesign:
    """The design that `write_folds` wrote, over the flattened grid.

    Args:
        role: (fold, epoch, y, x) roles, NumPy or lazy.
        attributes: of the variable.
        source: store, for messages.

    Raises:
        DataError: not such a variable.
    """
    values = np.asarray(role)
    try:
        seed = int(attributes["seed"])
        return FoldDesign(
            name=str(attributes["design"]),
            unit=str(attributes["unit"]),
            role=values.reshape(*values.shape[:2], -1),
            seed=None if seed < 0 else seed,
            separates=frozenset(json.loads(attributes["separates"])),
            buffer_m=float(attributes["buffer_m"]),
            fold_names=tuple(json.loads(attributes["fold_names"])),
            parameters=dict(json.loads(attributes["settings"])),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            source, found=f"no usable fold roles ({error!r})", expected="a role_NAME variable"
        ) from None


def findings_from_layer(attributes: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The audit stored with a design."""
    return tuple(Finding(**item) for item in json.loads(attributes["audit"]))
