"""``python -m detection.fit CONFIG``: train the networks of a study and score them."""

from __future__ import annotations

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
    "Train the networks of a detection study, choose each threshold on validation patches, score "
    "them on test patches beside models of single pixels, and write the report. Without data the "
    "embedded scenes stand in, and every figure says so. The run folder (runs/NAME, or --out) is "
    "described in docs/detection_run_folder.md; start with report/html/index.html. A run that was "
    "interrupted goes on with --resume, within a training as well."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    config: ConfigArgument,
    out: OutOption = None,
    overrides: SetOption = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep finished models whose settings and data are the same."),
    ] = False,
    grid_only: Annotated[
        bool,
        typer.Option("--grid", help="Search the grid of the configuration, and stop there."),
    ] = False,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Fit a study."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast; flags come before JAX.
        from detection.config.schema import load_config
        from detection.fit.folder import run_folder_of

        checked = load_config(config, overrides=overrides or ())
        run = run_folder_of(checked.name, out)
        if dry_run:
            from detection.fit.dry_run import fit_lines

            typer.echo("\n".join(fit_lines(checked, run)))
            return
        from hazard.training.platform import set_cpu_flags

        flags = set_cpu_flags()
        from detection.fit.run import fit_run

        fit_run(
            checked, run, talk, resume=resume, grid_only=grid_only, overrides=overrides or (),
            xla_flags=flags,
        )  # fmt: skip


if __name__ == "__main__":
    app(prog_name="python -m detection.fit")
