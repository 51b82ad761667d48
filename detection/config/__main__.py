"""``python -m detection.config``: print the JSON schema of configs/detection.schema.json."""

from __future__ import annotations

import typer

from stats.command.frame import command, command_app

HELP = (
    "Print the JSON schema of detection configurations, for editors: "
    "python -m detection.config > configs/detection.schema.json"
)

app = command_app(HELP)


@command(app, help=HELP)
def main() -> None:
    """Print the schema."""
    from detection.config.schema import schema_text

    typer.echo(schema_text(), nl=False)


if __name__ == "__main__":
    app(prog_name="python -m detection.config")
