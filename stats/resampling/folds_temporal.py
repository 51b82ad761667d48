"""Folds in time: leave one epoch out, forward chaining, leave one event out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stats.resampling.folds import (
    EPOCH,
    EVENT,
    FUTURE,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    BoolArray,
    FoldDesign,
    IntArray,
    as_observed,
)


def _names(observed: BoolArray, epoch_names: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(epoch_names or (f"epoch {index}" for index in range(observed.shape[0])))
    if len(names) != observed.shape[0]:
        raise ValueError(f"{len(names)} epoch names for {observed.shape[0]} epochs")
    return names


def leave_one_epoch_out(
    observed: BoolArray,
    *,
    validation_epochs: int = 0,
    seed: int | None = None,
    epoch_names: Sequence[str] | None = None,
) -> FoldDesign:
    """Each epoch is tested once; all others train, later ones included.

    It measures transfer between epochs, not forecasting (use `forward_chaining` for that).

    Args:
        observed: (epoch, cell) usable cell-epochs.
        validation_epochs: number of the other epochs set aside at random in each fold.
        seed: seed of that choice; needed where `validation_epochs` > 0.
        epoch_names: names of the folds.

    Raises:
        ValueError: fewer than two observed epochs, or too few to set validation epochs aside.

    Example:
        >>> design = leave_one_epoch_out(np.ones((3, 2), bool))
        >>> design.role[0, :, 0].tolist()
        [3, 1, 1]
    """
    mask = as_observed(observed)
    names = _names(mask, epoch_names)
    live = np.flatnonzero(mask.any(axis=1))
    if live.size < 2 + validation_epochs:
        raise ValueError(f"{live.size} observed epochs are too few for {validation_epochs} aside")
    if validation_epochs and seed is None:
        raise ValueError("validation epochs are drawn at random: give a seed")
    rng = np.random.default_rng(seed) if validation_epochs else None
    role = np.full((live.size, *mask.shape), UNUSED, dtype=np.int8)
    for fold, epoch in enumerate(live):
        role[fold][mask] = TRAIN
        role[fold, epoch, mask[epoch]] = TEST
        if rng is not None:
            others = live[live != epoch]
            for aside in rng.choice(others, size=validation_epochs, replace=False):
                role[fold, aside, mask[aside]] = VALIDATION
    return FoldDesign(
        name="leave_one_epoch_out", unit="epoch", role=role, seed=seed,
        separates=frozenset({EPOCH}), fold_names=tuple(names[epoch] for epoch in live),
        parameters={"validation_epochs": validation_epochs},
    )  # fmt: skip


def forward_chaining(
    observed: BoolArray,
    *,
    minimum_train_epochs: int = 1,
    validation_epochs: int = 0,
    horizon: int = 1,
    epoch_names: Sequence[str] | None = None,
) -> FoldDesign:
    """Train on the past, test on the epoch `horizon` steps after the last one seen.

    Nothing is random. The validation epochs are the latest of the past, so that training,
    validation and test follow each other in time.

    Args:
        observed: (epoch, cell) usable cell-epochs, epochs in order of time.
        minimum_train_epochs: observed epochs that training needs at least.
        validation_epochs: number of past epochs, the latest ones, set aside.
        horizon: 1 tests the epoch after the past; 2 leaves one unused between, and so on.
        epoch_names: names of the folds.

    Raises:
        ValueError: no epoch has enough past.

    Example:
        >>> forward_chaining(np.ones((3, 1), bool)).role[:, :, 0].tolist()
        [[1, 3, 0], [1, 1, 3]]
    """
    mask = as_observed(observed)
    names = _names(mask, epoch_names)
    if minimum_train_epochs < 1 or horizon < 1 or validation_epochs < 0:
        raise ValueError("use minimum_train_epochs >= 1, horizon >= 1, validation_epochs >= 0")
    live: BoolArray = np.asarray(mask.any(axis=1))
    roles, fold_names = [], []
    for epoch in np.flatnonzero(live):
        past = np.flatnonzero(live[: max(0, epoch - horizon + 1)])
        if past.size < minimum_train_epochs + validation_epochs:
            continue
        role = np.full(mask.shape, UNUSED, dtype=np.int8)
        for position, earlier in enumerate(past):
            aside = position >= past.size - validation_epochs
            role[earlier, mask[earlier]] = VALIDATION if aside else TRAIN
        role[epoch, mask[epoch]] = TEST
        roles.append(role)
        fold_names.append(names[epoch])
    if not roles:
        raise ValueError(
            f"no epoch has {minimum_train_epochs + validation_epochs} observed epochs before it"
        )
    return FoldDesign(
        name="forward_chaining", unit="epoch", role=np.stack(roles),
        separates=frozenset({EPOCH, FUTURE}), fold_names=tuple(fold_names),
        parameters={
            "minimum_train_epochs": minimum_train_epochs, "validation_epochs": validation_epochs,
            "horizon": horizon,
        },
    )  # fmt: skip


def leave_one_event_out(
    observed: BoolArray, event: IntArray, *, event_names: Sequence[str] | None = None
) -> FoldDesign:
    """Each event (earthquake, storm, study region) is tested once, all others train.

    Args:
        observed: (epoch, cell) usable cell-epochs.
        event: event numbers, per epoch (epoch,), per cell (cell,) as (1, cell), or per cell-epoch
            (epoch, cell); negative values belong to no event and are unused.
        event_names: names by event number.

    Raises:
        ValueError: fewer than two events among the observed cell-epochs.

    Example:
        >>> design = leave_one_event_out(np.ones((2, 2), bool), np.array([0, 1]))
        >>> design.role[0].tolist()
        [[3, 3], [1, 1]]
    """
    mask = as_observed(observed)
    numbers = np.asarray(event)
    if numbers.ndim == 1:
        if numbers.size != mask.shape[0]:
            raise ValueError(f"{numbers.size} event numbers for {mask.shape[0]} epochs")
        numbers = numbers[:, None]
    label = np.broadcast_to(numbers, mask.shape)
    usable = mask & (label >= 0)
    events = np.unique(label[usable])
    if events.size < 2:
        raise ValueError(f"{events.size} event among the observed cell-epochs; use at least 2")
    role = np.full((events.size, *mask.shape), UNUSED, dtype=np.int8)
    for fold, number in enumerate(events):
        role[fold][usable] = TRAIN
        role[fold][usable & (label == number)] = TEST
    names = tuple(event_names[n] if event_names else f"event {n}" for n in events)
    return FoldDesign(
        name="leave_one_event_out", unit="event", role=role, separates=frozenset({EVENT}),
        fold_names=names, parameters={"n_events": int(events.size)},
    )  # fmt: skip
