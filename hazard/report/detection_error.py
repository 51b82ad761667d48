"""What a report says where the detection error of the inventory is in the likelihood."""

from __future__ import annotations

from hazard.report.page import sentence
from hazard.report.source import Source
from stats.command.pages import escape


def of_truth(source: Source) -> list[str]:
    """Titles of the models whose probability is that of a true landslide; none as a rule."""
    return [
        source.model_label(name)
        for name, record in source.models.items()
        if record.true_presence and not record.variant_of
    ]


def scored_lines(source: Source) -> list[str]:
    """Beside scores: what was compared with what was observed."""
    names = of_truth(source)
    if not names:
        return []
    listed = escape(", ".join(names))
    return [
        sentence(
            "**The inventory has a detection error** (`target.observation`): it misses landslides "
            f"and shows some that are none. {listed}: probability of a *true* landslide. What was "
            "recorded is all there is to score with, so that probability p was first turned into "
            "that of a *recorded* one, 1 - (1 - p)^π e^(-φ), with the probability π that a "
            "landslide of the cell and epoch is recorded and φ expected false alarms. All scores, "
            "thresholds, curves, totals and residuals are those of this forecast of the record; "
            "the maps show the truth. All other models forecast the record as it is and have no "
            "term for detection error; nor are they told how well a tested cell was seen."
        )
    ]


def mapped_lines(source: Source, model: str) -> list[str]:
    """Beside maps: which landslides they show."""
    if not source.models[model].true_presence:
        return []
    return [
        sentence(
            "**Detection error is in the likelihood**: susceptibility here is the probability of a "
            "true landslide, recorded or not, as a rule above the share of cells in which one was "
            "recorded. Area density is still that of the *recorded* area where any was recorded: "
            "landslides missed beside a recorded one are not added, and large ones, which are "
            "found more often, weigh more."
        )
    ]
