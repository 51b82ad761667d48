"""Which models and epochs a figure shows: few enough to be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hazard.report.source import Source

if TYPE_CHECKING:
    import pandas as pd

LARGEST_NUMBER_OF_CURVES = 7
CONSTANT = ("zero", "climatology")
FIRST_BASELINES = ("lightgbm", "persistence_mean", "climatology", "logistic")


def curve_models(
    source: Source, found: list[str], *, at_most: int = LARGEST_NUMBER_OF_CURVES
) -> list[str]:
    """Models to draw together: the subject first, then networks, then the baselines that matter.

    Args:
        source: the run.
        found: names of the models that there are curves of.
        at_most: number of models.
    """
    subject = source.subject
    ranked = sorted(
        (name for name in found if not _is_variant(source, name)),
        key=lambda name: (
            name != subject,
            _kind_rank(source, name),
            FIRST_BASELINES.index(name) if name in FIRST_BASELINES else len(FIRST_BASELINES),
        ),
    )
    return ranked[:at_most]


def _is_variant(source: Source, name: str) -> bool:
    record = source.models.get(name)
    return record is not None and bool(record.variant_of)


def _kind_rank(source: Source, name: str) -> int:
    record = source.models.get(name)
    order = {"network": 0, "pool": 1, "reference": 2, "baseline": 3}
    return order.get(record.kind, 4) if record is not None else 4


def epochs_in(source: Source, rows: pd.DataFrame) -> list[str]:
    """Epochs of a table in the order of the study."""
    found = set(rows["epoch"])
    return [name for name in source.epoch_names if name in found]


def left_out(shown: list[str], found: list[str], source: Source) -> str:
    """A line that names the models which a figure leaves out; empty where it shows all."""
    hidden = [source.model_label(name) for name in found if name not in shown]
    return f"Not drawn: {', '.join(hidden)} (see the scores)." if hidden else ""
