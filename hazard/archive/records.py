"""Records of the axes of `predictions.zarr`: schemes, models, and what was not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

ModelKind = Literal["network", "baseline", "reference", "pool"]
Rain = Literal["observed", "climatological"]
Record = TypeVar("Record", bound="SchemeRecord | ModelRecord | NotRun")


@dataclass(frozen=True, kw_only=True)
class SchemeRecord:
    """One way to hold data out.

    Attributes:
        name: name on the axis, such as ``forward_chaining``; ``final`` is the fit on everything.
        title: for tables and pages.
        design: name of the fold design in the cube; empty where roles are made by the fit.
        unit: what a fold is made of.
        fold_names: names of the folds that were asked for, in order.
        folds: their numbers in the design.
        separates: what training and test do not share.
        in_sample: True where a prediction comes from a model that saw the cell-epoch.
        leaks: True for a published split that shares cells between training and test.
        notes: sentences for the report.
    """

    name: str
    title: str
    design: str
    unit: str
    fold_names: tuple[str, ...] = ()
    folds: tuple[int, ...] = ()
    separates: tuple[str, ...] = ()
    in_sample: bool = False
    leaks: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """One forecaster.

    Attributes:
        name: name on the axis.
        title: for tables and pages.
        kind: ``network`` (ours), ``reference`` (published networks), ``baseline``, or ``pool``
            (mean forecast of several).
        members: members per scheme; 1 for what has none.
        past_records: True where it reads what earlier epochs showed.
        rain: ``climatological`` where the rain of the epoch was replaced by its climatology.
        variant_of: name of the model whose fit this is with other inputs; empty for a fit of its
            own.
        probability: how the probability came about, such as "proper", "class weight undone",
            "score recalibrated on validation cells", "Laplace-smoothed".
        true_presence: True where the probability is that of a true landslide, the detection error
            being in the likelihood; else it is that of a recorded one.
        notes: sentences for the report.
    """

    name: str
    title: str
    kind: ModelKind
    members: Mapping[str, int] = field(default_factory=dict)
    past_records: bool = False
    rain: Rain = "observed"
    variant_of: str = ""
    probability: str = "proper"
    true_presence: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NotRun:
    """A scheme, model or fold that is absent, and why; a row of the scoreboard.

    Attributes:
        scheme: name of the scheme.
        model: name of the model; empty for all of them.
        fold: number of the fold; None for all of them.
        reason: one sentence.
    """

    scheme: str
    model: str = ""
    fold: int | None = None
    reason: str


def to_json(record: Record) -> dict[str, Any]:
    """Plain values."""
    return asdict(record)


def from_json(cls: type[Record], values: Mapping[str, Any]) -> Record:
    """The record that `to_json` wrote, lists back as tuples.

    Example:
        >>> from_json(NotRun, to_json(NotRun(scheme="random", reason="one fold only")))
        NotRun(scheme='random', model='', fold=None, reason='one fold only')
    """
    known = {item.name for item in fields(cls)}
    given: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known
    }
    return cls(**given)
