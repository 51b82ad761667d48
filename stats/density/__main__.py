"""``python -m stats.density INVENTORY...``: densities of landslides, epoch by epoch."""

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
    "Number, area and density of landslides per epoch, where they crowd, and what changed. An "
    "INVENTORY (vector file of polygons, FILE.zip:MEMBER, or a zip of several) holds what failed "
    "in one epoch; give them in order of time. The folder --out gets densities.csv, changes.csv, "
    "pairs.csv (K function and pair correlation), differences.csv (with --reference), density.tif, "
    "area_density.tif, hot_spots.tif and change.tif (one band per epoch), figures, density.md, its "
    "HTML and density.json; it is written whole or not at all."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    inventories: Annotated[
        list[str], typer.Argument(metavar="INVENTORY...", help="Inventories.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the results.")
    ] = Path("runs/density"),
    window: Annotated[
        Path | None,
        typer.Option(
            "--window",
            metavar="FILE",
            help="Polygons of the ground that was looked at; else the rectangle around all.",
        ),
    ] = None,
    epochs: Annotated[
        str | None, typer.Option("--epochs", metavar="A,B,...", help="Names; else of the files.")
    ] = None,
    years: Annotated[
        str | None,
        typer.Option("--years", metavar="Y,...", help="Lengths in years, one for all or each."),
    ] = None,
    cell: Annotated[float, typer.Option("--cell", metavar="M", help="Side of a cell [m].")] = 500.0,
    bandwidth: Annotated[
        str,
        typer.Option(
            "--bandwidth", metavar="auto|M", help="Of the kernel [m]; auto: by likelihood."
        ),
    ] = "auto",
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Narrow kernels where landslides crowd.")
    ] = False,
    radius: Annotated[
        float | None,
        typer.Option("--radius", metavar="M", help="Neighbours of a hot spot; else two cells."),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option("--crs", help="Metric coordinate system of the maps; else of the first file."),
    ] = None,
    level: Annotated[float, typer.Option("--level", help="Coverage of intervals.")] = 0.95,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="INVENTORY",
            help="Manual inventory of an epoch, one per epoch in order: predicted minus manual.",
        ),
    ] = None,
    simulations: Annotated[
        int,
        typer.Option(
            "--simulations", min=0, help="Poisson patterns behind K and g; 0 leaves them out."
        ),
    ] = 99,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Build the page.")] = True,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Describe densities."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast.
        from stats.command.density_settings import DensitySettings, check_settings, numbers_of

        settings = check_settings(
            DensitySettings(
                inventories=tuple(inventories),
                out=out,
                window=window,
                epochs=tuple(epochs.split(",")) if epochs else (),
                years=numbers_of("--years", years),
                cell_m=cell,
                bandwidth_m=None
                if bandwidth == "auto"
                else numbers_of("--bandwidth", bandwidth)[0],
                adaptive=adaptive,
                radius_m=radius,
                crs=crs,
                level=level,
                seed=seed,
                html=html,
                simulations=simulations,
                reference=tuple(reference or ()),
            )
        )
        from stats.command.density_run import print_summary, run_density

        run = run_density(settings, talk)
    if not quiet:
        with session(debug=debug, quiet=True):
            print_summary(run)


if __name__ == "__main__":
    app(prog_name="python -m stats.density")
