"""``python -m hazard.cube CONFIG``: build the data cube of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stats.command.frame import (
    ConfigArgument,
    DebugOption,
    DryRunOption,
    LogJsonOption,
    OutOption,
    QuietOption,
    SetOption,
    command,
    command_app,
    session,
)

HELP = (
    "Build the data cube of a hazard study from its inputs, or from the embedded world. The run "
    "folder (runs/NAME, or --out) gets cube.zarr, figures/cube.png, summary.json, "
    "provenance.json, config.yaml, log.jsonl and, last, run.json. An interrupted build continues "
    "where it stopped; parts whose settings and inputs did not change are kept."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    config: ConfigArgument,
    out: OutOption = None,
    overrides: SetOption = None,
    dry_run: DryRunOption = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE.npz", help="Also write standardised batches."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Build every part again.")] = False,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Build the cube."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast.
        from hazard.config.schema import load_config

        checked = load_config(config, overrides=overrides or ())
        from hazard.cube.run import dry_run_lines, print_summary, run_cube, run_folder_of

        run = run_folder_of(checked, out)
        if dry_run:
            typer.echo("\n".join(dry_run_lines(checked, run)))
            return
        result = run_cube(checked, run, talk, fresh=fresh, export=export, overrides=overrides or ())
    if quiet:
        return
    # A session of its own: the bars of the first are gone before the tables come.
    with session(debug=debug, quiet=True):
        from hazard.cube.layout import open_cube

        cube = open_cube(result.path)
        print_summary(result.summary, title=cube.title, synthetic=cube.synthetic)


if __name__ == "__main__":
    app(prog_name="python -m hazard.cube")
