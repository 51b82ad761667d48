"""Do epochs show landslides in the same cells: re-activation, or old scars mapped again?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.report.page import Page, absent, sentence, shown
from hazard.report.source import Source
from stats.command.pages import heading, table
from stats.command.plots_bars import draw_matrix

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, np.dtype[Any]]


def association_page(source: Source) -> Page:
    """Phi between the presences of every two epochs, one matrix per threshold."""
    title = "Association between epochs"
    rows = source.evaluation.rows("association")
    if rows is None or rows.empty:
        return Page(
            name="association", title=title, summary="Not in this run.",
            parts=[absent("Association", "the evaluation left none")],
        )  # fmt: skip
    parts = [
        sentence(
            "Phi is the correlation of presence in two epochs over the cells observed in both: 0 "
            "is none, 1 is the same cells. Neighbouring epochs are expected to agree because "
            "steep, shaken ground keeps failing. Agreement with an epoch further back that is as "
            "high as with the one before hints at something else: old scars that the season or the "
            "image showed again. An epoch that stands out so tells how much of its landslides "
            "may be re-mapped. Phi cannot tell the two causes apart; only images can."
        )
    ]
    for threshold in sorted(rows["threshold_percent"].unique()):
        at = rows[rows["threshold_percent"] == threshold]
        names, matrix = phi_matrix(at, source.epoch_names)
        what = "any increase" if threshold == 0 else f"density of at least {threshold:g} %"
        file = draw_matrix(
            source.figures / f"association_{str(threshold).replace('.', '_')}.png",
            title="Association between epochs",
            names=names,
            values=matrix,
            label="phi [-]",
            synthetic=source.synthetic,
            notes=[f"Presence: {what}."],
            dpi=source.dpi,
        )
        parts += [heading(f"Presence: {what}", 2), *_outliers(names, matrix)]
        parts += shown([file], f"Phi between epochs; presence is {what}.", source)
        if threshold == 0:
            counts = [
                [r["epoch"], r["other"], f"{r['phi']:.2f}", int(r["n"])]
                for _, r in at.iterrows()
                if names.index(r["epoch"]) < names.index(r["other"]) and np.isfinite(r["phi"])
            ]
            parts.append(table(["epoch", "later epoch", "phi", "cells observed in both"], counts))
    return Page(
        name="association", title=title, parts=parts,
        summary="How much of an epoch may be old scars that were mapped again.",
    )  # fmt: skip


def phi_matrix(rows: pd.DataFrame, order: list[str]) -> tuple[list[str], Array]:
    """Names and (epoch, epoch) values of one threshold, the diagonal left out."""
    found = set(rows["epoch"]) | set(rows["other"])
    names = [name for name in order if name in found]
    matrix = np.full((len(names), len(names)), np.nan)
    for _, row in rows.iterrows():
        first, second = names.index(row["epoch"]), names.index(row["other"])
        if first != second:
            matrix[first, second] = row["phi"]
    return names, matrix


def _outliers(names: list[str], matrix: Array) -> list[str]:
    """Epochs that agree more with an epoch further back than with the one before."""
    found = []
    for later in range(2, len(names)):
        before = matrix[later, later - 1]
        earlier = matrix[later, : later - 1]
        if not np.isfinite(before) or not np.isfinite(earlier).any():
            continue
        best = int(np.nanargmax(earlier))
        if earlier[best] > before:
            found.append(
                f"{names[later]} agrees more with {names[best]} (phi {earlier[best]:.2f}) than "
                f"with the epoch before it, {names[later - 1]} ({before:.2f})"
            )
    if not found:
        return [sentence("Every epoch agrees most with the one before it.")]
    return [sentence("Stands out: " + "; ".join(found) + ".")]
