"""``python -m detection.map CONFIG``: from images to inventories, and on to hazard maps."""

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
    "Map landslides on scenes of several dates, outline them, follow them through the epochs, "
    "compare them with reference inventories where there are any, and fit hazard on them "
    "(python -m hazard.fit, as a process of its own). Without data, rendered scenes stand in, and "
    "everything says so. The run folder (runs/NAME, or --out) is described in "
    "docs/detection_map.md; start with report/html/index.html. A run that was interrupted goes on "
    "with --resume."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    config: ConfigArgument,
    hazard: Annotated[
        Path | None,
        typer.Option(
            "--hazard", help="Hazard configuration to fit on the inventories.", show_default=False
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS|local",
            help="Map by dask: the address of a scheduler (tcp://HOST:8786), or processes of this "
            "machine. Threads unless given.",
            show_default=False,
        ),
    ] = None,
    out: OutOption = None,
    overrides: SetOption = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep what is finished and whose inputs are the same."),
    ] = False,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Go the whole way."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast; flags come before JAX.
        from detection.config.map import load_map_config
        from detection.map.folder import run_folder_of

        checked = load_map_config(
            config, overrides=overrides or (), hazard=hazard, scheduler=scheduler
        )
        run = run_folder_of(checked.name, out)
        if dry_run:
            from detection.map.dry_run import map_lines

            typer.echo("\n".join(map_lines(checked, run)))
            return
        from hazard.training.platform import set_cpu_flags

        flags = set_cpu_flags()
        from detection.map.run import map_run

        map_run(checked, run, talk, resume=resume, overrides=overrides or (), xla_flags=flags)


if __name__ == "__main__":
    app(prog_name="python -m detection.map")
