"""``python -m hazard``: fit a study, build a cube, check a configuration, look at a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hazard.cube.__main__ import main as cube_main
from hazard.fit.__main__ import main as fit_main
from stats.command.frame import (
    ConfigArgument,
    DebugOption,
    LogJsonOption,
    QuietOption,
    SetOption,
    command,
    command_app,
    session,
)

app = command_app("Spatiotemporal landslide hazard.", no_args_is_help=True)
command(app, name="fit", help="Run the main job on a study (as python -m hazard.fit).")(fit_main)
command(app, name="cube", help="Build the data cube of a study (as python -m hazard.cube).")(
    cube_main
)


@command(app, name="validate")
def validate(
    config: ConfigArgument,
    overrides: SetOption = None,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Check a configuration: keys, values, and whether its input files exist."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        from hazard.config.schema import load_config

        checked = load_config(config, overrides=overrides or ())
        from hazard.cube.sources import named_files, use_world

        if use_world(checked):
            talk.log.info(f"{config}: valid; the embedded world would be built (SYNTHETIC)")
        else:
            talk.log.info(f"{config}: valid; all {len(named_files(checked))} input files exist")


@command(app, name="schema")
def schema(
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default stdout.")
    ] = None,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Print the JSON schema of configurations, for editors."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        from hazard.config.schema import schema_text

        if out is None:
            typer.echo(schema_text(), nl=False)
            return
        from hazard.cube.writer import write_text

        write_text(out, schema_text())
        talk.log.info(f"schema: {out}")


@command(app, name="info")
def info(
    run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)],
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Say what a run folder holds."""
    with session(debug=debug, quiet=quiet, log_json=log_json):
        from stats.command.run_folder import describe_run, read_run_folder

        typer.echo("\n".join(describe_run(read_run_folder(run))))


if __name__ == "__main__":
    app(prog_name="python -m hazard")
