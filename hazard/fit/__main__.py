"""``python -m hazard.fit CONFIG``: cube, fits, held-out forecasts, maps, scores and report."""

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
    "Fit a hazard study: build its cube, fit every model under every scheme of held-out data, map "
    "susceptibility, area density and hazard per epoch, score them, and write the report. The run "
    "folder (runs/NAME, or --out) is described in docs/run_folder.md; start with "
    "report/html/index.html. A run that was interrupted goes on with --resume, within a training "
    "as well."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    config: ConfigArgument,
    out: OutOption = None,
    overrides: SetOption = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep finished fits whose settings and data are the same."),
    ] = False,
    dry_run: DryRunOption = False,
    publish: Annotated[
        bool,
        typer.Option("--publish", help="Also put the report's pages under docs/reports/NAME."),
    ] = False,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Fit a study."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast; flags come before JAX.
        from hazard.config.schema import load_config

        checked = load_config(config, overrides=overrides or ())
        from hazard.cube.run import run_folder_of

        run = run_folder_of(checked, out)
        if dry_run:
            from hazard.fit.dry_run import fit_lines

            typer.echo("\n".join(fit_lines(checked, run)))
            return
        from hazard.fit.docs_folder import require_docs
        from hazard.training.platform import set_cpu_flags

        if publish:
            require_docs()
        flags = set_cpu_flags()
        from hazard.fit.run import fit_run

        fit_run(
            checked, run, talk, resume=resume, publish=publish, overrides=overrides or (),
            xla_flags=flags,
        )  # fmt: skip


if __name__ == "__main__":
    app(prog_name="python -m hazard.fit")
