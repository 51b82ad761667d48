"""Which folds are fitted: the stored designs of the cube, and those that only a fit knows.

The cell axis is that of the batches: mapped cells in row order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.archive.names import FINAL_SCHEME
from hazard.archive.records import NotRun, SchemeRecord
from hazard.config.fit import PUBLISHED_SPLIT, SAME_EPOCH, CeilingConfig, FitConfig, SchemeConfig
from hazard.cube.cube_batches import designs_of_cube
from hazard.cube.layout import Cube
from hazard.cube.splits import cell_centres
from hazard.estimate.errors import CannotFitError
from stats.resampling.folds import TEST, TRAIN, UNUSED, VALIDATION, FoldDesign, choose_share, near
from stats.resampling.folds_spatial import block_of_cells, spatial_block_folds

Int8Array = np.ndarray[Any, np.dtype[np.int8]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

TITLES = {
    "random": "random cell-epochs (same places and epochs in training and test)",
    "spatial_blocks": "spatial blocks (new places)",
    "leave_one_epoch_out": "leave one epoch out (known places, new epoch)",
    "forward_chaining": "forward chaining (known places, the next epoch)",
    "space_time_blocks": "space-time blocks (new places in a new epoch)",
    SAME_EPOCH: "same epoch, other blocks (ceiling for the forward scores)",
    PUBLISHED_SPLIT: "published split (training and test share every cell)",
    FINAL_SCHEME: "final model (in-sample)",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldPlan:
    """One fold to fit.

    Attributes:
        scheme: name of the scheme.
        number: number of the fold on the axis of the archive.
        name: name for tables.
        role: (epoch, cell) roles on the mapped cells.
        members: networks.
        models: names of the models allowed; None for all.
        predict: (epoch, cell) True where the forecast is kept.
        lattice_split: True for the published split: trained on one lattice of patches, tested on
            the other, which holds the same cells.
    """

    scheme: str
    number: int
    name: str
    role: Int8Array
    members: int
    models: tuple[str, ...] | None
    predict: BoolArray
    lattice_split: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Cell-epochs of training, validation and test."""
        named = (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))
        return {name: int((self.role == code).sum()) for name, code in named}

    @property
    def role_hash(self) -> str:
        """SHA-256 of the roles."""
        return hashlib.sha256(np.ascontiguousarray(self.role).tobytes()).hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """All folds of a run.

    Attributes:
        schemes: records in order.
        folds: folds in order.
        not_run: schemes that cannot run, each with its reason.
    """

    schemes: tuple[SchemeRecord, ...]
    folds: tuple[FoldPlan, ...]
    not_run: tuple[NotRun, ...]

    def of(self, scheme: str) -> Iterator[FoldPlan]:
        """Folds of one scheme."""
        return (fold for fold in self.folds if fold.scheme == scheme)


def make_plan(cube: Cube, config: FitConfig, *, seed: int) -> Plan:
    """Every fold that the configuration asks for and the study allows.

    Args:
        cube: an open cube.
        config: section `fit` of the configuration.
        seed: of the blocks that the fit makes itself.
    """
    stored = designs_of_cube(cube)
    observed = np.asarray(cube.root["observed"].values, dtype=bool)
    mask = np.asarray(cube.root["mask"].values[0], dtype=bool)
    maker = _Maker(cube, observed & mask, np.flatnonzero(mask), seed)
    schemes: list[SchemeRecord] = []
    folds: list[FoldPlan] = []
    absent: list[NotRun] = []

    def add(name: str, make: Callable[[], tuple[SchemeRecord, list[FoldPlan]]]) -> None:
        try:
            record, made = make()
        except CannotFitError as error:
            absent.append(NotRun(scheme=name, reason=str(error)))
            return
        schemes.append(record)
        folds.extend(made)

    for scheme in config.schemes:
        add(scheme.design, lambda s=scheme: maker.scheme(s, stored))  # type: ignore[misc]
    if config.ceiling is not None:
        tested = sorted(
            {int(e) for f in folds if f.scheme == "forward_chaining"
             for e in np.flatnonzero((f.role == TEST).any(axis=1))}
        )  # fmt: skip
        ceiling = config.ceiling
        add(SAME_EPOCH, lambda: maker.same_epoch(tested, ceiling))
    if config.final is not None:
        final = config.final
        add(
            FINAL_SCHEME,
            lambda: maker.final(
                final.members,
                final.validation_share,
                final.block_km * 1e3,
                final.buffer_km * 1e3,
                config.networks,
            ),
        )
    return Plan(schemes=tuple(schemes), folds=tuple(folds), not_run=tuple(absent))


class _Maker:
    """Makes folds on the mapped cells of one study."""

    def __init__(self, cube: Cube, observed: BoolArray, cells: Any, seed: int) -> None:
        self.observed = observed.reshape(observed.shape[0], -1)[:, cells]
        self.cells, self.seed = cells, seed
        x, y = cell_centres(cube.grid)
        self.x, self.y = x[cells], y[cells]
        self.epochs = [epoch.name for epoch in cube.epochs]
        left, bottom, right, top = cube.grid.bounds
        self.origin = (left, top)
        self.shortest_m = min(right - left, top - bottom)

    def scheme(
        self, config: SchemeConfig, stored: dict[str, FoldDesign]
    ) -> tuple[SchemeRecord, list[FoldPlan]]:
        """Folds of a stored design, or of the published split.

        Raises:
            CannotFitError: no such design in the cube, or no fold of it can be fitted.
        """
        if config.design == PUBLISHED_SPLIT:
            return self.published(config.models)
        if config.design not in stored:
            there = ", ".join(stored) or "none"
            raise CannotFitError(f"the cube holds no design {config.design!r}; it has {there}")
        design = stored[config.design]
        numbers = choose_folds(design.n_folds, config.folds, config.take)
        record = SchemeRecord(
            name=config.design, title=_title(config.design), design=config.design,
            unit=design.unit, fold_names=tuple(design.fold_names[n] for n in numbers),
            folds=tuple(numbers), separates=tuple(sorted(design.separates)),
        )  # fmt: skip
        folds = []
        for position, number in enumerate(numbers):
            role = np.where(self.observed, design.role[number][:, self.cells], UNUSED)
            folds.append(
                self._fold(
                    config.design, position, design.fold_names[number], role.astype(np.int8),
                    config.members, config.models,
                )
            )  # fmt: skip
        return record, folds

    def same_epoch(
        self, epochs: Sequence[int], config: CeilingConfig
    ) -> tuple[SchemeRecord, list[FoldPlan]]:
        """Other blocks of the same epoch, for the epochs that forward chaining tests.

        Raises:
            CannotFitError: forward chaining tests nothing, or there are too few blocks.
        """
        if not epochs:
            raise CannotFitError(
                "forward chaining was not run, so there is no score to set it beside"
            )
        block = min(config.block_km * 1e3, self.shortest_m / 3)
        try:
            design = spatial_block_folds(
                self.observed, self.x, self.y, block_m=block, n_folds=config.folds, seed=self.seed,
                origin=self.origin, validation_share=0.0,
            )  # fmt: skip
        except ValueError as error:
            raise CannotFitError(str(error)) from None
        folds: list[FoldPlan] = []
        for epoch in epochs:
            for fold in range(design.n_folds):
                role = np.full(self.observed.shape, UNUSED, dtype=np.int8)
                role[epoch] = design.role[fold][epoch]
                name = f"{self.epochs[epoch]}, blocks {fold}"
                folds.append(self._fold(SAME_EPOCH, len(folds), name, role, 1, (config.model,)))
        record = SchemeRecord(
            name=SAME_EPOCH, title=_title(SAME_EPOCH), design="",
            unit=f"{block / 1000:g} km block of one epoch",
            fold_names=tuple(f.name for f in folds), folds=tuple(range(len(folds))),
            separates=("place",),
            notes=("A ceiling, no forecast: the test epoch itself is in training, elsewhere.",),
        )  # fmt: skip
        return record, folds

    def published(self, models: tuple[str, ...] | None) -> tuple[SchemeRecord, list[FoldPlan]]:
        """Trained on every cell of one lattice, tested on the other lattice: the same cells."""
        role = np.where(self.observed, TRAIN, UNUSED).astype(np.int8)
        record = SchemeRecord(
            name=PUBLISHED_SPLIT, title=_title(PUBLISHED_SPLIT), design="",
            unit="lattice of patches", fold_names=("shifted lattice",), folds=(0,),
            in_sample=True, leaks=True,
            notes=("Every test cell-epoch was trained on, in a patch that lies elsewhere.",),
        )  # fmt: skip
        fold = FoldPlan(
            scheme=PUBLISHED_SPLIT, number=0, name="shifted lattice", role=role, members=1,
            models=models or ("reference", "described"), predict=self.observed.copy(),
            lattice_split=True,
        )  # fmt: skip
        return record, [fold]

    def final(
        self,
        members: int,
        share: float,
        block_m: float,
        buffer_m: float,
        models: tuple[str, ...],
    ) -> tuple[SchemeRecord, list[FoldPlan]]:
        """Everything observed, but a share of blocks for early stopping."""
        role = np.where(self.observed, TRAIN, UNUSED).astype(np.int8)
        if share > 0:
            block = min(block_m, self.shortest_m / 3)
            number = block_of_cells(self.x, self.y, block_m=block, origin=self.origin)
            rng = np.random.default_rng((self.seed, 1))
            try:
                chosen = np.isin(number, choose_share(np.unique(number), share, rng))
            except ValueError as error:
                raise CannotFitError(str(error)) from None
            rim = near(self.x, self.y, of=chosen, distance_m=buffer_m) & ~chosen
            role[self.observed & chosen] = VALIDATION
            if buffer_m > 0:
                role[self.observed & rim] = UNUSED
        record = SchemeRecord(
            name=FINAL_SCHEME, title=_title(FINAL_SCHEME), design="", unit="none",
            fold_names=("everything",), folds=(0,), in_sample=True,
            notes=("No score of this model is a measure of skill: it saw these cells.",),
        )  # fmt: skip
        fold = FoldPlan(
            scheme=FINAL_SCHEME, number=0, name="everything", role=role, members=members,
            models=models, predict=np.ones(self.observed.shape, dtype=bool),
        )  # fmt: skip
        return record, [fold]

    def _fold(
        self, scheme: str, number: int, name: str, role: Int8Array, members: int,
        models: tuple[str, ...] | None,
    ) -> FoldPlan:  # fmt: skip
        for code, part in ((TRAIN, "training"), (TEST, "test")):
            if not (role == code).any():
                raise CannotFitError(f"fold {name!r} has no {part} cell")
        return FoldPlan(
            scheme=scheme, number=number, name=name, role=role, members=members, models=models,
            predict=role == TEST,
        )  # fmt: skip


def choose_folds(available: int, wanted: int | None, take: str) -> list[int]:
    """Numbers of the folds to run.

    Example:
        >>> choose_folds(5, 2, "last"), choose_folds(5, 2, "spread"), choose_folds(3, None, "first")
        ([3, 4], [0, 4], [0, 1, 2])
    """
    if wanted is None or wanted >= available:
        return list(range(available))
    if take == "first":
        return list(range(wanted))
    if take == "last":
        return list(range(available - wanted, available))
    return sorted({round(float(n)) for n in np.linspace(0, available - 1, wanted)})


def _title(name: str) -> str:
    stem = name.rstrip("0123456789").rstrip("_") if name not in TITLES else name
    return TITLES.get(name, TITLES.get(stem, name))
