r"""What conformal intervals can promise from how many exchangeable units, in numbers and in words.

The threshold is an order statistic of the calibration scores, so a unit to come stays below it with
a probability of at least 1 - a only if there is a score to take: the level needs

.. math:: n \ge \frac{1}{a} - 1

units that are exchangeable with the one to come, and n units promise at most n / (n + 1). The unit
decides what the promise is about. Cells of one epoch share its rain and its mapper; thousands of
them say nothing of another epoch, and count as one unit where the claim is about new epochs. Six
epochs promise at most 6/7, 85.7 percent; 95 percent needs nineteen.

V. Vovk, A. Gammerman & G. Shafer (2005), Algorithmic Learning in a Random World, Springer;
Y. Lee, R. F. Barber & R. Willett (2023), arXiv:2306.06342 (units with many members).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Guarantee:
    """What is promised, and of what.

    Attributes:
        level: asked for.
        unit: what must be exchangeable with what is to come ("epoch", "20 km block", "cell").
        n_units: calibration units there are.
        needed: calibration units the level needs.
        highest_level: the highest level that `n_units` can promise.
        holds: whether the level is promised, given that the units are exchangeable.
        statement: all of it in a sentence, for a page.
    """

    level: float
    unit: str
    n_units: int
    needed: int
    highest_level: float
    holds: bool
    statement: str


def units_needed(level: float) -> int:
    """Least number of exchangeable calibration units for coverage of `level`.

    Example:
        >>> [units_needed(level) for level in (0.5, 0.8, 0.9, 0.95)]
        [1, 4, 9, 19]
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a number between 0 and 1")
    # Rounding of 1 - level must not ask for one unit more.
    return max(1, math.ceil(1.0 / (1.0 - level) - 1.0 - 1e-9))


def guarantee(n_units: int, level: float, *, unit: str) -> Guarantee:
    """What `n_units` exchangeable calibration units promise at a level.

    Args:
        n_units: units with at least one calibration score.
        level: wanted coverage.
        unit: name of a unit, in the singular.

    Example:
        >>> found = guarantee(6, 0.95, unit="epoch")
        >>> found.holds, found.needed, round(found.highest_level, 3)
        (False, 19, 0.857)
        >>> print(found.statement)
        Coverage of 95 % of an epoch to come is not promised: that needs 19 exchangeable calibration
        epochs, and 6 promise at most 85.7 %. The threshold is infinite where nothing is promised.
    """
    needed = units_needed(level)
    if n_units < 1:
        raise ValueError(f"n_units: found {n_units}; expected 1 or more")
    highest, holds = n_units / (n_units + 1.0), n_units >= needed
    article = "an" if unit[:1].lower() in "aeiou" else "a"
    units = unit if n_units == 1 else f"{unit}s"
    if holds:
        text = (
            f"Coverage of {100.0 * level:g} % holds on average over {article} {unit} to come, if "
            f"it is exchangeable with the {n_units} calibration {units} ({needed} are needed); it "
            "says nothing of any single place."
        )
    else:
        verb = "promises" if n_units == 1 else "promise"
        text = (
            f"Coverage of {100.0 * level:g} % of {article} {unit} to come is not promised: that "
            f"needs {needed} exchangeable calibration {unit}s, and {n_units} {verb} at most "
            f"{100.0 * highest:.1f} %. The threshold is infinite where nothing is promised."
        )
    return Guarantee(level, unit, n_units, needed, highest, holds, text)
