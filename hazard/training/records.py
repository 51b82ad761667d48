"""What goes into a training and what comes out, as records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hazard.errors import UserError
from hazard.training.ensemble import MemberMode
from hazard.training.functional import Functional, Variables


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a training runs, apart from what is trained.

    Attributes:
        members: networks trained together, each with its own seed and order of samples.
        seed: seed of initial values, orders and dropout.
        member_mode: vmap, unroll, or auto by the backend.
        steps_per_call: steps scanned in one program; None is 1 on a CPU, where a gradient of a
            convolution inside a scan is at least 25 times slower, and 32 elsewhere.
        evaluation_batch: samples per batch of validation; None is the stage's own.
        look_every: calls between looks at the losses; a look waits for the device.
        save_every_s: seconds between checkpoints.
        save_every_steps: steps between checkpoints, in addition; None is by time alone.
    """

    members: int = 1
    seed: int = 0
    member_mode: MemberMode = "auto"
    steps_per_call: int | None = None
    evaluation_batch: int | None = None
    look_every: int = 8
    save_every_s: float = 60.0
    save_every_steps: int | None = None

    def __post_init__(self) -> None:
        if self.members < 1 or self.look_every < 1 or (self.steps_per_call or 1) < 1:
            raise ValueError(
                f"{self.members} members, a look every {self.look_every} calls, "
                f"{self.steps_per_call} steps per call; use at least 1 of each"
            )


@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """Where a training stands.

    Attributes:
        stage: index of the stage.
        stages: number of stages.
        name: name of the stage.
        epoch: index of the epoch within the stage.
        epochs: largest number of epochs of the stage.
        step: steps taken in this epoch.
        steps: steps of this epoch.
        loss: training loss since the last look, mean over members.
        metric: validation value of the epoch before, mean over members; None before the first.
        samples_per_s: samples of all members per second since the last look.
        cells_per_s: elements that counted in the first term of the loss, per second.
        seconds_left: time left if no stage stops early.
    """

    stage: int
    stages: int
    name: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    metric: float | None
    samples_per_s: float
    cells_per_s: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch of the history, each value with one entry per member.

    Attributes:
        stage: index of the stage.
        name: name of the stage.
        epoch: index of the epoch.
        loss: training loss, pooled over the epoch.
        terms: training value of every term.
        validation: validation loss; None without a validation source.
        validation_terms: validation value of every term.
        grad_norm: mean norm of the gradients before clipping.
    """

    stage: int
    name: str
    epoch: int
    loss: tuple[float, ...]
    terms: dict[str, tuple[float, ...]]
    validation: tuple[float, ...] | None
    validation_terms: dict[str, tuple[float, ...]]
    grad_norm: tuple[float, ...]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EpochRecord:
        """The record behind `vars(record)` that went through JSON."""
        return cls(
            stage=int(values["stage"]),
            name=str(values["name"]),
            epoch=int(values["epoch"]),
            loss=tuple(values["loss"]),
            terms={k: tuple(v) for k, v in values["terms"].items()},
            validation=None if values["validation"] is None else tuple(values["validation"]),
            validation_terms={k: tuple(v) for k, v in values["validation_terms"].items()},
            grad_norm=tuple(values["grad_norm"]),
        )


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training.

    Attributes:
        apply: the network as a pure function.
        variables: its arrays, stacked over members.
        history: every epoch of every stage.
        best_epochs: per stage, the epoch each member's variables come from (-1: the last one).
    """

    apply: Functional
    variables: Variables
    history: tuple[EpochRecord, ...]
    best_epochs: tuple[tuple[int, ...], ...]


class NonFiniteLossError(UserError):
    """The loss is NaN or infinite; training stopped and no checkpoint holds what came of it.

    Attributes:
        stage: name of the stage.
        epoch: index of the epoch.
        step: index of the batch within the epoch; -1 for a validation loss.
        member: index of the member.
        samples: sample numbers of the batch, empty for a validation loss.
    """

    def __init__(
        self, *, stage: str, epoch: int, step: int, member: int, value: float, samples: list[int]
    ) -> None:
        self.stage, self.epoch, self.step, self.member = stage, epoch, step, member
        self.samples = samples
        if step < 0:
            where = "validation"
        else:
            shown = ", ".join(map(str, samples[:16])) + (", ..." if len(samples) > 16 else "")
            where = f"step {step}, batch of samples {shown}"
        super().__init__(
            f"training: found a loss of {value} in stage {stage!r}, epoch {epoch}, {where} "
            f"(member {member}); expected a finite one"
        )


ProgressCallback = Callable[[TrainingProgress], None]
