"""``python -m detection.chain CONFIG``: trainings from region to region, and a report."""

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
    "Carry a network from region to region: train it on the event epoch of the first, fine-tune it "
    "on the next, and so on; score every stage on every region and epoch; and compare it with "
    "training on each region alone, on all together, on all but one, and on a small share of the "
    "data. The run folder (runs/NAME, or --out) is described in docs/detection_chain.md; start "
    "with report/html/index.html. With --resume, finished trainings are kept."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    config: ConfigArgument,
    out: OutOption = None,
    overrides: SetOption = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Keep finished trainings whose settings and data are the same."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Run a study of transfer."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast; flags come before JAX.
        from detection.chain.folder import run_folder_of
        from detection.config.schema import load_config

        checked = load_config(config, overrides=overrides or ())
        run = run_folder_of(checked.name, out)
        if dry_run:
            from detection.chain.run import dry_run_lines

            typer.echo("\n".join(dry_run_lines(checked, run)))
            return
        from hazard.training.platform import set_cpu_flags

        flags = set_cpu_flags()
        from detection.chain.run import chain_run
        from detection.report.chain_report import STEPS, write_chain_report

        chain_run(checked, run, talk, resume=resume, overrides=overrides or (), xla_flags=flags)
        with talk.reporter.task("report", STEPS) as advance:
            page = write_chain_report(run, advance)
        talk.log.info(f"report: {page}")


if __name__ == "__main__":
    app(prog_name="python -m detection.chain")
