"""Which trainings a study of transfer needs, and in which order: plain records, nothing is trained.

Every training starts from fresh weights or from the weights of an earlier one, and sees the event
epoch of one or several regions:

- ``scratch``: one region, fresh weights (conventional);
- ``chain``: region k from the weights of region k - 1; each variant of fine-tuning is a chain of
  its own that begins with the same first training;
- ``combined``: all regions at once, fresh weights;
- ``left_out``: all regions but one, fresh weights; scored where it saw nothing;
- ``few_transfer`` and ``few_scratch``: the same small part of a region's data, once from the
  weights that the chain has on arrival, once from fresh ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["scratch", "chain", "combined", "left_out", "few_transfer", "few_scratch"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to fine-tune.

    Attributes:
        name: in names of folders and tables.
        frozen: parts of the network that stay as they are, running statistics included.
        learning_rate: of the fine-tuning.
    """

    name: str
    frozen: tuple[str, ...] = ()
    learning_rate: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class PlannedTraining:
    """One training.

    Attributes:
        name: unique; the name of its folder.
        kind: see the module.
        regions: whose event epochs it sees.
        parent: the training whose weights it starts from; None for fresh weights.
        variant: name of the variant of a chain, else empty.
        position: place of its (last) region in the order, from 0; -1 where it has none.
        share: share of the training and validation patches that it sees.
        repeat: number of the draw of that share.
        frozen: parts that stay as they are.
        learning_rate: of the optimiser.
    """

    name: str
    kind: Kind
    regions: tuple[str, ...]
    parent: str | None = None
    variant: str = ""
    position: int = -1
    share: float = 1.0
    repeat: int = 0
    frozen: tuple[str, ...] = ()
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class ChainPlan:
    """All trainings, every parent before its children.

    Attributes:
        order: regions in the order of the chain.
        variants: ways to fine-tune; the first one is the subject of the study.
        trainings: what is trained, in order.
    """

    order: tuple[str, ...]
    variants: tuple[Variant, ...]
    trainings: tuple[PlannedTraining, ...]

    def __getitem__(self, name: str) -> PlannedTraining:
        for training in self.trainings:
            if training.name == name:
                return training
        raise KeyError(name)

    def stages(self, variant: str) -> tuple[PlannedTraining, ...]:
        """The trainings of a chain, region by region; the first is shared by all variants."""
        return (
            self.scratch(0),
            *(t for t in self.trainings if t.kind == "chain" and t.variant == variant),
        )

    def scratch(self, position: int) -> PlannedTraining:
        """The training of one region from fresh weights.

        Raises:
            KeyError: it is not planned.
        """
        return self.of("scratch", position)[0]

    def of(self, kind: Kind, position: int) -> tuple[PlannedTraining, ...]:
        """Trainings of a kind for the region of this position, by repeat.

        Raises:
            KeyError: none is planned.
        """
        found = tuple(t for t in self.trainings if (t.kind, t.position) == (kind, position))
        if not found:
            raise KeyError(f"{kind} of {self.order[position]}")
        return found

    def has(self, kind: Kind) -> bool:
        """Whether any training of this kind is planned."""
        return any(t.kind == kind for t in self.trainings)

    def seen(self, name: str) -> frozenset[str]:
        """Regions whose patches have shaped the weights of a training, its ancestors' included."""
        training = self[name]
        before: frozenset[str] = frozenset()
        if training.parent is not None:
            before = self.seen(training.parent)
        return before | frozenset(training.regions)


def make_plan(
    order: Sequence[str],
    variants: Sequence[Variant],
    *,
    first_learning_rate: float = 1e-3,
    conventional: bool = True,
    combined: bool = True,
    leave_one_out: bool = True,
    few_share: float | None = 0.1,
    few_repeats: int = 1,
) -> ChainPlan:
    """The trainings of a study.

    Args:
        order: regions of the chain.
        variants: ways to fine-tune, the subject first.
        first_learning_rate: of every training from fresh weights.
        conventional: also train every region from scratch.
        combined: also train on all regions at once.
        leave_one_out: also train on all regions but one, for each.
        few_share: share of a region's patches for the comparison on few data; None leaves it out.
        few_repeats: draws of that share.

    Raises:
        ValueError: fewer than two regions, a region or a variant twice, no variant, a share
            outside of (0, 1).

    Example:
        >>> plan = make_plan(["a", "b"], [Variant(name="full")], combined=False,
        ...                  leave_one_out=False)
        >>> [(t.name, t.parent) for t in plan.trainings]  # doctest: +NORMALIZE_WHITESPACE
        [('scratch-1-a', None), ('chain-full-2-b', 'scratch-1-a'), ('scratch-2-b', None),
         ('few_transfer-2-b', 'scratch-1-a'), ('few_scratch-2-b', None)]
        >>> sorted(plan.seen("chain-full-2-b"))
        ['a', 'b']
    """
    names = tuple(order)
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(f"regions {names}; use two or more, each once")
    labels = [variant.name for variant in variants]
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"variants {labels}; use one or more, each named once")
    if few_share is not None and not 0.0 < few_share < 1.0:
        raise ValueError(f"few_share {few_share}; use a share between 0 and 1")
    if few_repeats < 1:
        raise ValueError(f"few_repeats {few_repeats}; use at least 1")

    def scratch(k: int) -> PlannedTraining:
        return PlannedTraining(
            name=f"scratch-{k + 1}-{names[k]}", kind="scratch", regions=(names[k],), position=k,
            learning_rate=first_learning_rate,
        )  # fmt: skip

    trainings = [scratch(0)]
    for variant in variants:
        parent = trainings[0].name
        for k in range(1, len(names)):
            trainings.append(
                PlannedTraining(
                    name=f"chain-{variant.name}-{k + 1}-{names[k]}", kind="chain",
                    regions=(names[k],), parent=parent, variant=variant.name, position=k,
                    frozen=variant.frozen, learning_rate=variant.learning_rate,
                )
            )  # fmt: skip
            parent = trainings[-1].name
    if conventional:
        trainings += [scratch(k) for k in range(1, len(names))]
    if combined:
        trainings.append(
            PlannedTraining(
                name="combined", kind="combined", regions=names, learning_rate=first_learning_rate
            )
        )
    if leave_one_out:
        trainings += [
            PlannedTraining(
                name=f"left_out-{k + 1}-{name}", kind="left_out", position=k,
                regions=tuple(n for n in names if n != name), learning_rate=first_learning_rate,
            )
            for k, name in enumerate(names)
        ]  # fmt: skip
    if few_share is not None:
        trainings += _few(names, variants[0], few_share, few_repeats, first_learning_rate)
    return ChainPlan(names, tuple(variants), tuple(trainings))


def _few(
    names: tuple[str, ...], variant: Variant, share: float, repeats: int, first_rate: float
) -> list[PlannedTraining]:
    found = []
    for k in range(1, len(names)):
        arrived = f"scratch-1-{names[0]}" if k == 1 else f"chain-{variant.name}-{k}-{names[k - 1]}"
        for repeat in range(repeats):
            ending = f"{k + 1}-{names[k]}" + (f"-{repeat + 1}" if repeats > 1 else "")
            found.append(
                PlannedTraining(
                    name=f"few_transfer-{ending}", kind="few_transfer", regions=(names[k],),
                    parent=arrived, variant=variant.name, position=k, share=share, repeat=repeat,
                    frozen=variant.frozen, learning_rate=variant.learning_rate,
                )
            )  # fmt: skip
            found.append(
                PlannedTraining(
                    name=f"few_scratch-{ending}", kind="few_scratch", regions=(names[k],),
                    position=k, share=share, repeat=repeat, learning_rate=first_rate,
                )
            )  # fmt: skip
    return found
