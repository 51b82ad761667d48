"""One run of ``python -m stats.sizes``: read, fit, compare, and write the folder whole.

The folder is made beside its name and renamed when everything in it is there. An earlier run of the
same name is replaced; a folder that holds anything else is left alone and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stats.command.errors import UsageError, UserError
from stats.command.frame import Session
from stats.command.pages import write_page
from stats.command.sizes_choice import joint_posterior
from stats.command.sizes_compare import Comparison, compare
from stats.command.sizes_compare_plot import draw_comparison
from stats.command.sizes_fit import InventoryResult, fit_inventory, steps_of
from stats.command.sizes_folder import (
    PAGE,
    RECORD,
    check_out,
    file_name,
    write_manifest,
    write_records,
)
from stats.command.sizes_input import Areas, expand_sources, labels_of, read_areas
from stats.command.sizes_overview import draw_overview
from stats.command.sizes_page import page_parts
from stats.command.sizes_plots import draw_inventory
from stats.command.sizes_settings import SizesSettings
from stats.command.sizes_table import LAYOUT, SUMMARY_HEADER, summary_rows
from stats.command.whole_folder import FIGURES, HTML, build_page, whole_folder

if TYPE_CHECKING:
    from stats.sizes.hierarchical_posterior import HierarchicalPosterior


@dataclass(frozen=True, kw_only=True)
class SizesRun:
    """A finished run.

    Attributes:
        out: its folder.
        results: one per inventory.
        comparisons: one per pair.
    """

    out: Path
    results: tuple[InventoryResult, ...]
    comparisons: tuple[Comparison, ...]


def run_sizes(settings: SizesSettings, talk: Session) -> SizesRun:
    """Fit every inventory, compare with the references, and write the folder of results.

    Args:
        settings: of the run.
        talk: log and progress.

    Raises:
        UsageError: references that do not pair, or a folder that is not ours to replace.
        DataError: an input that cannot be used.
        UserError: no law could be fitted to any inventory.
    """
    check_out(settings.out)
    inventories, references = _read_all(settings, talk)
    with talk.reporter.task("fits", steps_of(settings) * len(inventories)) as advance:
        results = tuple(fit_inventory(a, settings, progress=advance) for a in inventories)
    if not any(law.fit is not None for r in results for law in r.laws):
        reasons = "\n  ".join(f"{r.areas.label}: {r.laws[0].failure}" for r in results)
        raise UserError(
            f"no law could be fitted to any inventory; nothing was written\n  {reasons}"
        )
    for result in results:
        for text in (*result.record.notes, *result.areas.notes):
            talk.log.info(f"{result.areas.label}: {text}")
    comparisons: list[Comparison] = []
    if references:
        with talk.reporter.task("comparisons", len(inventories)) as advance:
            for mine, theirs in zip(inventories, references, strict=True):
                comparisons.append(compare(mine, theirs, settings))
                advance(1)
    joint = None
    if settings.bayes:
        with talk.reporter.task("hierarchical fit", 1) as advance:
            joint = joint_posterior(results, settings)
            advance(1)
    _write(settings, results, comparisons, joint, talk)
    return SizesRun(out=settings.out, results=results, comparisons=tuple(comparisons))


def _read_all(settings: SizesSettings, talk: Session) -> tuple[list[Areas], list[Areas]]:
    sources = expand_sources(settings.inventories)
    labels = labels_of(sources)
    theirs = expand_sources(settings.reference)
    if theirs and len(theirs) not in (1, len(sources)):
        raise UsageError(
            f"--reference: found {len(theirs)} for {len(sources)} inventories; expected one for "
            "all, or one for each in the same order"
        )
    unit: Any = settings.unit
    with talk.reporter.task("inventories", len(sources) + len(theirs)) as advance:
        inventories, references = [], []
        for source, label in zip(sources, labels, strict=True):
            inventories.append(read_areas(source, label, unit=unit, crs=settings.crs))
            advance(1)
        for source, label in zip(theirs, labels_of(theirs), strict=True):
            references.append(read_areas(source, label, unit=unit, crs=settings.crs))
            advance(1)
    if len(references) == 1:
        references *= len(inventories)
    return inventories, references


def _write(
    settings: SizesSettings,
    results: Sequence[InventoryResult],
    comparisons: Sequence[Comparison],
    joint: HierarchicalPosterior | None,
    talk: Session,
) -> None:
    with whole_folder(settings.out, record=RECORD, layout=LAYOUT, built=HTML) as beside:
        write_records(beside, results, comparisons, joint)
        pieces = len(results) + len(comparisons) + 2
        with talk.reporter.task("figures and page", pieces) as advance:
            figures = _draw(beside, results, comparisons, settings, advance)
            parts = page_parts(results, comparisons, settings, figures, joint)
            write_page(beside / PAGE, parts)
            advance(1)
            if settings.html:
                build_page(beside, parts, project="Size statistics")
            advance(1)
        write_manifest(beside, settings, results, comparisons)


def _draw(
    beside: Path,
    results: Sequence[InventoryResult],
    comparisons: Sequence[Comparison],
    settings: SizesSettings,
    advance: Any,
) -> dict[str, str]:
    folder = beside / FIGURES
    folder.mkdir()
    figures: dict[str, str] = {}
    names: set[str] = set()
    if len(results) > 1:
        draw_overview(results, folder / "overview.png", level=settings.level)
        figures["overview"] = f"{FIGURES}/overview.png"
    for result in results:
        name = f"{file_name(result.areas.label, names)}.png"
        draw_inventory(result, folder / name, level=settings.level)
        figures[result.areas.label] = f"{FIGURES}/{name}"
        advance(1)
    for found in comparisons:
        name = f"{file_name(f'{found.predicted.label} compared', names)}.png"
        draw_comparison(found, folder / name)
        figures[f"comparison {found.predicted.label}"] = f"{FIGURES}/{name}"
        advance(1)
    return figures


def print_summary(run: SizesRun) -> None:
    """The table of fits to stdout, and where the rest is."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if any(r.areas.synthetic for r in run.results):
        console.print("[bold white on red] SYNTHETIC [/] nothing here was observed")
    table = Table(title="Size statistics", title_justify="left", show_lines=False)
    for name in SUMMARY_HEADER:
        right = name in ("n", "cut [m2]", "p (AD)")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in summary_rows(run.results):
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    console.print(table)
    console.print("In brackets: not identified, for the reason given.", highlight=False)
    for found in run.comparisons:
        for d in found.differences:
            between = f"{d.low:.3g} to {d.high:.3g}" if d.identified else d.reason
            console.print(
                f"{found.predicted.label} less {found.reference.label}: {d.quantity} {d.value:.3g} "
                f"({between})", highlight=False,
            )  # fmt: skip
        if found.matched is not None:
            groups = found.matched.matching
            console.print(
                f"{found.predicted.label}: {groups.missed.size} reference landslides missed, "
                f"{groups.false.size} false", highlight=False,
            )  # fmt: skip
    console.print(f"written to {run.out}", highlight=False)
