"""``python -m stats.sizes INVENTORY...``: fit size distributions, compare inventories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stats.command.frame import (
    DebugOption,
    LogJsonOption,
    QuietOption,
    command,
    command_app,
    session,
)

HELP = (
    "Fit the size distribution of landslide inventories, each above its own minimum mapping area, "
    "and compare them with references. An INVENTORY is a vector file of polygons, a zip of them "
    "(all its files, or FILE.zip:MEMBER), or a table of areas (.csv, .tsv, .txt, .dat, .parquet; "
    "FILE:COLUMN where it has several). The folder --out gets fits.csv, fits.json, cuts.csv, "
    "figures, sizes.md and its HTML, and with --reference comparison.json, epochs.csv and the "
    "lists of matched, missed and false landslides; it is written whole or not at all."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    inventories: Annotated[
        list[str], typer.Argument(metavar="INVENTORY...", help="Inventories.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the results.")
    ] = Path("runs/sizes"),
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            help="Reference inventory: once for all, or once per inventory in the same order.",
        ),
    ] = None,
    cutoff: Annotated[
        str,
        typer.Option(
            "--cutoff",
            metavar="auto|A",
            help="Minimum mapping area in m2; auto: stated in the file, above a gap, or smallest.",
        ),
    ] = "auto",
    law: Annotated[
        str,
        typer.Option(
            "--law", metavar="dps,ig,...", help="dps, dp, ig, lognormal, power, gpd, egpd."
        ),
    ] = "dps",
    bayes: Annotated[bool, typer.Option("--bayes", help="Also sample the posteriors.")] = False,
    cuts: Annotated[
        str,
        typer.Option(
            "--cuts",
            metavar="none|1,1.5,...",
            help="Multiples of the minimum for the table against the cut.",
        ),
    ] = "1,1.25,1.5,2,3,5",
    pixel: Annotated[
        float | None,
        typer.Option(
            "--pixel",
            metavar="A",
            help="Pixel area in m2; 0: exact areas; else found in the areas.",
        ),
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="Of tables of areas: m2, ha, km2.")] = "m2",
    crs: Annotated[
        str | None, typer.Option("--crs", help="Coordinate system of files that state none.")
    ] = None,
    least_overlap: Annotated[
        float,
        typer.Option("--least-overlap", help="Part of the smaller outline that a match shares."),
    ] = 0.1,
    draws: Annotated[
        int,
        typer.Option(
            "--draws", help="Simulated inventories behind each p-value and band; 0: none."
        ),
    ] = 199,
    level: Annotated[float, typer.Option("--level", help="Coverage of intervals.")] = 0.95,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Build the page.")] = True,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Fit size distributions."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast.
        from stats.command.sizes_settings import (
            SizesSettings,
            check_settings,
            parse_cutoff,
            parse_cuts,
            parse_laws,
        )

        settings = check_settings(
            SizesSettings(
                inventories=tuple(inventories),
                reference=tuple(reference or ()),
                cutoff_m2=parse_cutoff(cutoff),
                pixel_m2=pixel,
                laws=parse_laws(law),
                bayes=bayes,
                cuts=parse_cuts(cuts),
                draws=draws,
                level=level,
                seed=seed,
                unit=unit,
                crs=crs,
                least_overlap=least_overlap,
                html=html,
                out=out,
            )
        )
        from stats.command.sizes_run import print_summary, run_sizes

        run = run_sizes(settings, talk)
    if not quiet:
        with session(debug=debug, quiet=True):
            print_summary(run)


if __name__ == "__main__":
    app(prog_name="python -m stats.sizes")
