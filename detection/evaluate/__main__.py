"""``python -m detection.evaluate RUN``: score the stored models of a run, on its data or others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stats.command.frame import (
    DebugOption,
    LogJsonOption,
    QuietOption,
    SetOption,
    command,
    command_app,
    session,
)

HELP = (
    "Score the stored networks of a run of python -m detection.fit again: on its own test patches, "
    "or, with --data or --set, on every patch of other data, with the thresholds that are stored. "
    "Writes tables, figures and a page (RUN/evaluated/NAME, or --out)."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option("--data", help="Other data, of the layout of the run's source.")
    ] = None,
    part: Annotated[
        str,
        typer.Option("--part", help="Part of data that come in parts: train, validation, test."),
    ] = "test",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the results; default RUN/evaluated.")
    ] = None,
    overrides: SetOption = None,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Score stored models."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast; flags come before JAX.
        from hazard.training.platform import set_cpu_flags

        set_cpu_flags()
        from detection.fit.rescore import rescore

        rescore(run, talk, data=data, part=part, out=out, overrides=overrides or ())


if __name__ == "__main__":
    app(prog_name="python -m detection.evaluate")
