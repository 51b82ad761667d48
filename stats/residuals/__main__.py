"""``python -m stats.residuals RUN``: what the forecasts of a run leave unexplained."""

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
    "Residual section of the forecasts in a run folder of hazard.fit: scores and differences to "
    "references, reliability, worm plots, spatial structure, dependence on the forecast and the "
    "epoch, coverage, totals. The folder --out gets residuals.md with its figures and HTML, "
    "scores.csv, differences.csv, structure.csv, tests.csv, coverage.csv, totals.csv and "
    "residuals.json; it is written whole or not at all."
)

app = command_app(HELP)


@command(app, help=HELP)
def main(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder of hazard.fit.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of the results; default RUN/residuals."),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option("--scheme", help="How data were held out; else forward chaining, if run."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model to look at; else the first network.")
    ] = None,
    references: Annotated[
        str | None,
        typer.Option(
            "--references", metavar="A,B,...", help="Models to hold it against; else baselines."
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=39, help="Simulated outcomes behind each envelope.")
    ] = 199,
    level: Annotated[float, typer.Option("--level", help="Coverage of intervals.")] = 0.95,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Build the page.")] = True,
    debug: DebugOption = False,
    quiet: QuietOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Describe residuals."""
    with session(debug=debug, quiet=quiet, log_json=log_json) as talk:
        # Everything heavy is imported here, so that --help stays fast.
        from stats.command.errors import UsageError
        from stats.command.residuals_run import ResidualsSettings, print_summary, run_residuals

        if not 0.0 < level < 1.0:
            raise UsageError(f"--level: found {level}; expected a number between 0 and 1")
        found = run_residuals(
            ResidualsSettings(
                run=run,
                out=out or run / "residuals",
                scheme=scheme,
                model=model,
                references=None if references is None else tuple(references.split(",")),
                draws=draws,
                level=level,
                seed=seed,
                html=html,
            ),
            talk,
        )
    if not quiet:
        with session(debug=debug, quiet=True):
            print_summary(found)


if __name__ == "__main__":
    app(prog_name="python -m stats.residuals")
