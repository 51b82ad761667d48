"""What the papers behind this project show, and where a run shows it: by structure, not by number.

The imagery of the studies is licensed or withdrawn, so none of their figures can be computed again
here. Each of their tables can: the same rows and columns, on the rendered scenes or on the user's
own. What a run cannot show is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from detection.report.page import paragraph
from stats.command.pages import escape, heading, table

Paper = Literal["000", "001", "002", "004"]
State = Literal["here", "elsewhere", "not possible"]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One table or figure of a paper.

    Attributes:
        what: what it shows.
        state: ``here`` in this report, ``elsewhere`` in the project, or ``not possible``.
        where: page (by name) where it is here; command or reason otherwise.
        remark: what is done otherwise than in the paper, and why.
    """

    what: str
    state: State
    where: str
    remark: str = ""


TITLES: Mapping[Paper, str] = {
    "000": "Multi-temporal inventories by sequential transfer (ADSMS U-Net; Bhuyan et al., 2023)",
    "001": "Multi-temporal U-Net in Rasuwa, Nepal",
    "002": "Generalized network on two dates and terrain (Prakash et al., 2021)",
    "004": "HR-GLDD: a benchmark of high-resolution patches (Meena et al., 2023)",
}
_NUMBERS = Shown(
    what="the printed numbers",
    state="not possible",
    where="the images are licensed and not part of this project",
    remark="the tables here have the paper's rows and columns; their numbers are of other scenes",
)
CHAIN: Mapping[Paper, Sequence[Shown]] = {
    "000": (
        Shown(
            what="scores of every region and year, after its stage (Table 2)", state="here",
            where="matrix",
            remark="on unseen ground, and once more on all ground as in the paper; pixels are "
            "pooled and patches without landslide kept, where the paper leaves them out and "
            "averages over batches, which gave two F1 outside of their precision and recall",
        ),
        Shown(
            what="the order of the regions and what is frozen", state="here", where="trainings",
            remark="freezing is proven array by array; the published loop froze every layer",
        ),
        Shown(what="training and validation losses", state="here", where="trainings"),
        Shown(what="maps of truth and prediction", state="here", where="maps"),
        Shown(
            what="what earlier stages lose", state="here", where="transfer",
            remark="not in the paper: every stage is scored on every region",
        ),
        Shown(
            what="inventories of whole regions, year by year", state="elsewhere",
            where="python -m detection.map with a model of this run",
        ),
        Shown(
            what="predicted against mapped area, landslide by landslide", state="elsewhere",
            where="the comparison of an inventory with a reference one (python -m detection.map)",
        ),
        Shown(
            what="frequency-area distributions", state="elsewhere",
            where="python -m stats.sizes on the inventories",
        ),
        _NUMBERS,
    ),
    "002": (
        Shown(
            what="networks of single inventories on their own ground", state="here",
            where="designs", remark="rows: the region alone; F1 and MCC",
        ),
        Shown(
            what="the combined network on every area", state="here", where="designs",
            remark="rows: all regions at once",
        ),
        Shown(
            what="unseen areas", state="here", where="designs",
            remark="rows: all but this region; every region is left out once, where the paper "
            "names three areas",
        ),
        Shown(
            what="the network on two dates and terrain", state="elsewhere",
            where="python -m detection.fit configs/generalized.yaml",
        ),
        _NUMBERS,
    ),
}  # fmt: skip
FIT: Mapping[Paper, Sequence[Shown]] = {
    "001": (
        Shown(
            what="scores of learning rates, filters and batch sizes (Table 2)", state="here",
            where="models",
            remark="on validation patches; the paper chooses on the test year and reports that "
            "year",
        ),
        Shown(
            what="scores by year", state="here", where="sites",
            remark="with evaluation.sites: epoch",
        ),
        Shown(what="maps of truth and prediction", state="here", where="examples"),
        Shown(
            what="inventories per year, without polygons below 200 m2", state="elsewhere",
            where="python -m detection.map",
        ),
        Shown(
            what="kernel density of the landslides by year", state="elsewhere",
            where="python -m stats.density on the inventories",
        ),
        _NUMBERS,
    ),
    "002": (
        Shown(
            what="scores on own ground and on unseen areas", state="here", where="sites",
            remark="unseen areas: split.unseen_regions; MCC beside F1",
        ),
        Shown(what="maps of truth, prediction and error", state="here", where="examples"),
        Shown(
            what="single inventories, combined, and unseen ones side by side", state="elsewhere",
            where="python -m detection.chain, page on designs",
        ),
        Shown(
            what="the loss with its five outputs", state="here", where="models",
            remark="exponent and weights of the focal Tversky loss are not published: ours",
        ),
        _NUMBERS,
    ),
    "004": (
        Shown(
            what="five networks by precision, recall, F1 and IoU", state="here", where="index",
            remark="weights and thresholds are chosen on validation patches; the paper chooses on "
            "the test patches. With and without patches that hold no landslide",
        ),
        Shown(what="networks by site, and by unseen event", state="here", where="sites"),
        Shown(
            what="learning rates, filters and batch sizes", state="here", where="models",
            remark="on validation patches",
        ),
        Shown(what="images, masks and predictions", state="here", where="examples"),
        Shown(
            what="patches and landslides of every site", state="here", where="data",
            remark="counted per part of the split",
        ),
        _NUMBERS,
    ),
}  # fmt: skip


def paper_parts(papers: Mapping[Paper, Sequence[Shown]], pages: Sequence[str]) -> list[str]:
    """Tables of what each paper shows and where it is found.

    Args:
        papers: entries by paper: `CHAIN`, or some of `FIT`.
        pages: names of the pages of this report; an entry on another page is named as missing.

    Example:
        >>> parts = paper_parts({"002": CHAIN["002"]}, ["designs"])
        >>> "not in this run" in "".join(parts), "[designs](designs.md)" in "".join(parts)
        (False, True)
    """
    parts = [
        paragraph(
            "By structure: the rows and columns of each table are here, the numbers are those of "
            "this run's own scenes."
        )
    ]
    for key, entries in papers.items():
        parts.append(heading(TITLES[key], 2))
        rows = [[entry.what, _where(entry, pages), entry.remark] for entry in entries]
        text = table(["in the paper", "where", "what differs"], rows)
        # The cells are escaped as text; links are put in afterwards.
        for name in pages:
            text = text.replace(escape(f"@{name}@"), f"[{name}]({name}.md)")
        parts.append(text)
    return parts


def _where(entry: Shown, pages: Sequence[str]) -> str:
    if entry.state == "here":
        return f"@{entry.where}@" if entry.where in pages else "not in this run"
    if entry.state == "elsewhere":
        return entry.where
    return f"not possible: {entry.where}"
