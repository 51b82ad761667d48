r"""What carrying a network from region to region is worth, as numbers with intervals.

With :math:`R_{k,j}` the F1 on region j after stage k of the chain (j, k from 1 to K), on the epochs
of j that no stage trained on:

- zero-shot transfer :math:`R_{j-1,j} - b_j`, j > 1: what the network can do on arrival, above
  calling everything a landslide (:math:`b_j = 2p/(1+p)` for a share p of landslide pixels);
- forward transfer :math:`R_{j,j} - S_j`, j > 1: what the stages before j add to training on j,
  where :math:`S_j` is the F1 of training on j alone, from scratch;
- backward transfer :math:`R_{K,j} - R_{j,j}`, j < K: what the stages after j add, or take
  (negative: forgetting);
- forgetting :math:`\max_{k<K} R_{k,j} - R_{K,j}`, j < K: what was lost since the best stage;
- few data :math:`F_j - S^{few}_j`: the same small part of the region's patches, from the weights
  the chain has on arrival against from scratch.

Definitions of backward transfer after D. Lopez-Paz & M. Ranzato (2017), "Gradient episodic memory
for continual learning", NeurIPS 30; forgetting after A. Chaudhry et al. (2018), "Riemannian walk
for incremental learning", ECCV. Both measure forward transfer against an untrained network; here
the reference is what a mapper would do otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from detection.chain.plan import ChainPlan
from detection.chain.scores import Estimate, Scope, ScoreTable, combine, mean_of_estimates

MEAN = "mean of regions"


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell:
    """One cell of the matrix.

    Attributes:
        training: the row: what was trained.
        region: the column: where it is scored.
        scope: on its event epoch, or on the others.
        seen: whether the weights were ever trained on this region.
        score: the measure of the table.
    """

    training: str
    region: str
    scope: Scope
    seen: bool
    score: Estimate


@dataclass(frozen=True, eq=False, kw_only=True)
class TransferNumber:
    """One number on transfer.

    Attributes:
        quantity: ``zero_shot``, ``forward``, ``backward``, ``forgetting`` or ``few``.
        variant: name of the chain.
        region: where; `MEAN` for the mean over regions.
        first: score of what is judged.
        second: score of what it is held against.
        difference: first minus second (forgetting: second minus first), paired.
    """

    quantity: str
    variant: str
    region: str
    first: Estimate
    second: Estimate
    difference: Estimate


def matrix(plan: ChainPlan, table: ScoreTable, names: Sequence[str]) -> tuple[Cell, ...]:
    """Every training on every region, event epoch and others apart.

    Args:
        plan: the trainings.
        table: their counts.
        names: the trainings that make the rows.
    """
    found = []
    for name in names:
        seen = plan.seen(name)
        for region in table.regions:
            scopes: tuple[Scope, ...] = ("event", "other")
            for scope in scopes:
                epochs = table.epochs(region, scope)
                if epochs:
                    found.append(
                        Cell(
                            training=name, region=region, scope=scope, seen=region in seen,
                            score=table.score(name, region, epochs),
                        )
                    )  # fmt: skip
    return tuple(found)


def transfer_numbers(
    plan: ChainPlan, table: ScoreTable, scope: Scope = "other"
) -> tuple[TransferNumber, ...]:
    """All quantities of the module for all variants, region by region and as means.

    Regions without an epoch in `scope` are left out.
    """
    found: list[TransferNumber] = []
    for quantity, function in _QUANTITIES.items():
        for variant in plan.variants:
            if quantity == "few" and variant != plan.variants[0]:
                continue
            rows = []
            for position, region in enumerate(plan.order):
                epochs = table.epochs(region, scope)
                if not epochs:
                    continue
                pair = function(_Chain(plan, table, variant.name, epochs), position)
                if pair is None:
                    continue
                first, second = pair
                gap = second - first if quantity == "forgetting" else first - second
                rows.append(
                    TransferNumber(
                        quantity=quantity, variant=variant.name, region=region, first=first,
                        second=second, difference=gap,
                    )
                )  # fmt: skip
            found += rows
            if len(rows) > 1:
                found.append(
                    TransferNumber(
                        quantity=quantity, variant=variant.name, region=MEAN,
                        first=mean_of_estimates([r.first for r in rows]),
                        second=mean_of_estimates([r.second for r in rows]),
                        difference=mean_of_estimates([r.difference for r in rows]),
                    )
                )  # fmt: skip
    return tuple(found)


@dataclass(frozen=True)
class _Chain:
    plan: ChainPlan
    table: ScoreTable
    variant: str
    epochs: tuple[str, ...]

    def after(self, stage: int, position: int) -> Estimate:
        """F1 on the region of `position` after a stage, both from 0."""
        name = self.plan.stages(self.variant)[stage].name
        return self.table.score(name, self.plan.order[position], self.epochs)

    @property
    def last(self) -> int:
        return len(self.plan.order) - 1


Pair = tuple[Estimate, Estimate]


def _zero_shot(chain: _Chain, j: int) -> Pair | None:
    if j == 0:
        return None
    region = chain.plan.order[j]
    return chain.after(j - 1, j), chain.table.no_skill(region, chain.epochs)


def _forward(chain: _Chain, j: int) -> Pair | None:
    scratch = [t for t in chain.plan.trainings if (t.kind, t.position) == ("scratch", j)]
    if j == 0 or not scratch:
        return None
    alone = chain.table.score(scratch[0].name, chain.plan.order[j], chain.epochs)
    return chain.after(j, j), alone


def _backward(chain: _Chain, j: int) -> Pair | None:
    return None if j == chain.last else (chain.after(chain.last, j), chain.after(j, j))


def _forgetting(chain: _Chain, j: int) -> Pair | None:
    if j == chain.last:
        return None
    # The best stage is chosen once, on all blocks: choosing it anew in every draw would count the
    # luck of the draw as forgetting.
    before = [chain.after(k, j) for k in range(chain.last)]
    return chain.after(chain.last, j), max(before, key=lambda e: e.value)


def _few(chain: _Chain, j: int) -> Pair | None:
    if j == 0 or not chain.plan.has("few_transfer"):
        return None
    region = chain.plan.order[j]

    def scores(kind: str) -> Iterator[Estimate]:
        for training in chain.plan.trainings:
            if (training.kind, training.position) == (kind, j):
                yield chain.table.score(training.name, region, chain.epochs)

    return (
        combine(lambda rows: rows.mean(axis=0), list(scores("few_transfer"))),
        combine(lambda rows: rows.mean(axis=0), list(scores("few_scratch"))),
    )


_QUANTITIES: dict[str, Callable[[_Chain, int], Pair | None]] = {
    "zero_shot": _zero_shot,
    "forward": _forward,
    "backward": _backward,
    "forgetting": _forgetting,
    "few": _few,
}


def verdict(number: TransferNumber, level: float = 0.95) -> str:
    """``better``, ``worse`` or ``not told apart``: where the interval of the difference lies.

    A positive forgetting is worse.
    """
    interval = number.difference.interval(level)
    if interval is None or not interval.excludes(0.0):
        return "not told apart"
    up = interval.value > 0.0
    return "better" if up != (number.quantity == "forgetting") else "worse"
