"""One run of ``python -m stats.density``: read, estimate, draw, and write the folder whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.command.density_files import LAYOUT, RECORD, write_files
from stats.command.density_input import EpochPoints, read_epochs, window_of
from stats.command.density_pairs import PairSummary, pair_summary
from stats.command.density_settings import DensitySettings
from stats.command.errors import UsageError
from stats.command.frame import Session
from stats.command.whole_folder import HTML, check_replaceable, whole_folder
from stats.density.change import RateChange, rate_change
from stats.density.hot_spots import HotSpots, hot_spots
from stats.density.kernel import KernelDensity, adaptive_density, choose_bandwidth, kernel_density
from stats.density.tables import (
    DAYS_PER_YEAR,
    DensityDifference,
    DensityRow,
    density_differences,
    density_table,
)
from stats.density.window import Window, counts_on
from stats.spatial.discovery import Discoveries, discoveries
from stats.spatial.stencil import distance_band

FEWEST_FOR_BANDWIDTH = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochDensity:
    """What was found for one epoch.

    Attributes:
        points: its landslides.
        row: its table row.
        counts: (y, x) landslides per cell.
        density: kernel estimate of the number.
        area: kernel estimate of the area, with the same kernels' width [m2/km2].
        bandwidth_from: how its bandwidth was found.
        spots: hot spots; None where the counts do not vary.
        outside: landslides outside the window.
        pairs: K function and pair correlation; None with fewer than 30 landslides, or not asked.
    """

    points: EpochPoints
    row: DensityRow
    counts: FloatArray
    density: KernelDensity
    area: KernelDensity
    bandwidth_from: str
    spots: HotSpots | None
    outside: int
    pairs: PairSummary | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """From one epoch to the next.

    Attributes:
        first: name of the earlier epoch.
        second: name of the later one.
        whole: rate ratio of the whole window.
        cells: of every block of cells, (y, x).
        found: false-discovery control over the blocks.
        per_year: rates per year; else per epoch.
        side: cells along a block.
    """

    first: str
    second: str
    whole: RateChange
    cells: RateChange
    found: Discoveries
    per_year: bool
    side: int


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityRun:
    """A finished run.

    Attributes:
        settings: of the run.
        window: lattice of the study.
        window_from: how it was found.
        crs: name of its coordinate system.
        epochs: in order of time.
        changes: between neighbours in time.
        differences: this inventory minus the reference, by epoch; empty without one.
        reference_rows: table rows of the reference.
        synthetic: some input says that nothing in it was observed.
    """

    settings: DensitySettings
    window: Window
    window_from: str
    crs: str
    epochs: tuple[EpochDensity, ...]
    changes: tuple[Change, ...]
    synthetic: bool
    differences: tuple[DensityDifference, ...] = ()
    reference_rows: tuple[DensityRow, ...] = ()


def run_density(settings: DensitySettings, talk: Session) -> DensityRun:
    """Estimate every epoch and every change, and write the folder of results.

    Args:
        settings: of the run.
        talk: log and progress.

    Raises:
        UsageError: names or lengths that do not pair, a folder that is not ours to replace.
        DataError: an input that cannot be used.
    """
    check_replaceable(settings.out, record=RECORD, layout=LAYOUT, built=HTML)
    with talk.reporter.task("inventories", len(settings.inventories)) as advance:
        epochs, crs = read_epochs(settings, advance)
    window, how = window_of(settings, epochs, crs)
    with talk.reporter.task("densities", len(epochs)) as advance:
        found = []
        for number, epoch in enumerate(epochs):
            found.append(_epoch(epoch, window, settings, number))
            advance(1)
    for each in found:
        if each.outside:
            talk.log.warning(
                f"{each.points.name}: {each.outside} landslides outside the window are left out"
            )
    changes = tuple(_change(a, b, window, settings) for a, b in pairwise(found))
    reference = _reference(settings, epochs, window, crs.to_string())
    run = DensityRun(
        settings=settings, window=window, window_from=how, crs=crs.to_string(),
        epochs=tuple(found), changes=changes, synthetic=any(e.areas.synthetic for e in epochs),
        reference_rows=reference,
        differences=density_differences([e.row for e in found], reference) if reference else (),
    )  # fmt: skip
    with whole_folder(settings.out, record=RECORD, layout=LAYOUT, built=HTML) as folder:
        write_files(run, folder, talk)
    return run


def _reference(
    settings: DensitySettings, epochs: Sequence[EpochPoints], window: Window, crs: str
) -> tuple[DensityRow, ...]:
    """Rows of the reference inventories over the same window, or nothing."""
    if not settings.reference:
        return ()
    if len(settings.reference) != len(epochs):
        raise UsageError(
            f"--reference: found {len(settings.reference)} inventories; expected one for each of "
            f"{len(epochs)} epochs, in order"
        )
    names = tuple(e.name for e in epochs)
    theirs, _ = read_epochs(
        replace(settings, inventories=settings.reference, epochs=names, crs=crs), lambda _: None
    )
    return tuple(
        _row(epoch, window, settings, number) for number, epoch in enumerate(theirs)
    )  # fmt: skip


def _row(epoch: EpochPoints, window: Window, settings: DensitySettings, number: int) -> DensityRow:
    """The table row of the landslides inside the window."""
    _, _, held = window.cells_of(epoch.x_m, epoch.y_m)
    days = epoch.years * DAYS_PER_YEAR if math.isfinite(epoch.years) else DAYS_PER_YEAR
    return density_table(
        [epoch.area_m2[held]], epochs=[epoch.name], days=[days], study_km2=window.area_km2,
        level=settings.level, rng=np.random.default_rng([settings.seed, number]),
    )[0]  # fmt: skip


def _epoch(
    epoch: EpochPoints, window: Window, settings: DensitySettings, number: int
) -> EpochDensity:
    counts, outside = counts_on(window, epoch.x_m, epoch.y_m)
    _, _, held = window.cells_of(epoch.x_m, epoch.y_m)
    areas, _ = counts_on(window, epoch.x_m, epoch.y_m, weights=epoch.area_m2)
    row = _row(epoch, window, settings, number)
    width, source = settings.bandwidth_m, "given"
    if width is None:
        if counts.sum() >= FEWEST_FOR_BANDWIDTH:
            choice = choose_bandwidth(counts, window)
            width = choice.bandwidth_m
            source = "leave-one-out likelihood" + (
                ", at the end of what was tried" if choice.at_edge else ""
            )
        else:
            width = max(window.cell_m, 0.1 * math.sqrt(window.area_km2 * 1e6))
            source = f"fewer than {FEWEST_FOR_BANDWIDTH} landslides: a tenth of the window's side"
    make = adaptive_density if settings.adaptive and counts.any() else kernel_density
    radius = settings.radius_m or 2.0 * window.cell_m
    try:
        spots = hot_spots(
            counts, window.inside, chance="scatter",
            stencil=distance_band(radius, cell_size=(window.cell_m, window.cell_m)),
        )  # fmt: skip
    except UndefinedScoreError:
        spots = None
    pairs = None
    if settings.simulations:
        pairs = pair_summary(
            epoch.x_m[held], epoch.y_m[held], window, simulations=settings.simulations,
            level=settings.level, rng=np.random.default_rng([settings.seed, number, 1]),
        )  # fmt: skip
    return EpochDensity(
        points=epoch, row=row, counts=counts, density=make(counts, window, bandwidth_m=width),
        area=kernel_density(areas, window, bandwidth_m=width),
        bandwidth_from=source, spots=spots, outside=outside, pairs=pairs,
    )  # fmt: skip


def _change(
    first: EpochDensity, second: EpochDensity, window: Window, settings: DensitySettings
) -> Change:
    """Rates compared in blocks as wide as two kernels, so that a block holds some landslides."""
    lengths = [e.points.years for e in (first, second)]
    per_year = all(math.isfinite(v) for v in lengths)
    exposure = lengths if per_year else [1.0, 1.0]
    widest = max(first.density.bandwidth_m, second.density.bandwidth_m)
    side = max(1, round(2.0 * widest / window.cell_m))
    blocks = [_in_blocks(e.counts, side) for e in (first, second)]
    inside = _in_blocks(window.inside.astype(np.float64), side) > 0
    common = {
        "first_exposure": exposure[0], "second_exposure": exposure[1], "level": settings.level,
    }  # fmt: skip
    cells = rate_change(blocks[0], blocks[1], **common)
    # A block without any landslide in both epochs is no test.
    tested = inside & (blocks[0] + blocks[1] > 0)
    return Change(
        first=first.points.name, second=second.points.name,
        whole=rate_change(first.counts.sum(), second.counts.sum(), **common), cells=cells,
        found=discoveries(cells.p_value, valid=tested if tested.any() else inside),
        per_year=per_year, side=side,
    )  # fmt: skip


def _in_blocks(values: FloatArray, side: int) -> FloatArray:
    rows, columns = (math.ceil(n / side) for n in values.shape)
    padded = np.zeros((rows * side, columns * side))
    padded[: values.shape[0], : values.shape[1]] = values
    return padded.reshape(rows, side, columns, side).sum(axis=(1, 3))


def print_summary(run: DensityRun) -> None:
    """The table of densities to stdout, and where the rest is."""
    from rich.console import Console
    from rich.table import Table

    from stats.command.density_page import SHORT, table_rows

    console = Console()
    if run.synthetic:
        console.print("[bold white on red] SYNTHETIC [/] nothing here was observed")
    table = Table(title=f"Densities on {run.window.area_km2:,.1f} km2", title_justify="left")
    for name in SHORT:
        table.add_column(
            name.replace("[", "\\["),
            justify="left" if name == "epoch" else "right",
            overflow="fold",
        )
    for row in table_rows(run, SHORT):
        table.add_row(*row)
    console.print(table)
    console.print(f"window: {run.window_from}", highlight=False)
    console.print(f"written to {run.settings.out}", highlight=False)
