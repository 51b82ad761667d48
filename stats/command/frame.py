"""The frame around every command: shared options, exit codes, one message instead of a traceback.

A command file builds its `typer` application with `command_app`, and runs its work inside
`session(...)`. Only light modules are imported here, so that ``--help`` answers in under half a
second; the work itself is imported inside the session.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from stats.command.errors import (
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    UserError,
)
from stats.command.log import Log, make_log
from stats.command.progress import Reporter, make_reporter

EXIT_CODES_HELP = (
    "Exit codes: 0 done, 1 failure, 2 usage or configuration, 3 data, 130 interrupted."
)

DebugOption = Annotated[bool, typer.Option("--debug", help="Show the full traceback of an error.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
ConfigArgument = Annotated[Path, typer.Argument(help="YAML file of the study.", show_default=False)]
OutOption = Annotated[Path | None, typer.Option("--out", help="Run folder; default runs/NAME.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Replace one setting; may be repeated."),
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done, and its cost; write nothing."),
]
LogJsonOption = Annotated[
    bool,
    typer.Option("--log-json", help="Write messages as JSON lines to stderr."),
]


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a command needs to talk to its user.

    Attributes:
        log: messages, plain or JSON.
        reporter: progress of long work.
    """

    log: Log
    reporter: Reporter


def command_app(help_text: str, **settings: Any) -> typer.Typer:
    """A `typer` application with our conventions: exit codes in the help, no rich tracebacks.

    Example:
        >>> command_app("Build a cube.").info.epilog[:10]
        'Exit codes'
    """
    return typer.Typer(
        help=help_text,
        # Shown where the application has several commands; a lone command needs its own epilog.
        epilog=EXIT_CODES_HELP,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


def command(app: typer.Typer, **settings: Any) -> Callable[[Callable[..., None]], Any]:
    """Decorate a function as a command of `app`, with the exit codes below its help."""
    return app.command(epilog=EXIT_CODES_HELP, **settings)


@contextlib.contextmanager
def session(
    *, debug: bool = False, quiet: bool = False, log_json: bool = False
) -> Iterator[Session]:
    """Run a command's work; turn every failure into one message and the right exit code.

    Raises:
        typer.Exit: with the code of the failure; the traceback is printed only under `debug`.
    """
    log = make_log(quiet=quiet, as_json=log_json)
    reporter = make_reporter(log=log, quiet=quiet, as_json=log_json)
    try:
        with reporter:
            yield Session(log=log, reporter=reporter)
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        log.error("interrupted; nothing half-written was left under a final name")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not a failure of ours.
        sys.stderr.close()
        raise typer.Exit(EXIT_FAILURE) from None
    except UserError as error:
        _show(error, log, debug=debug)
        raise typer.Exit(error.exit_code) from None
    except MemoryError as error:
        log.error("out of memory; lower the memory setting or the number of pixels per cell")
        _show_traceback(error, debug=debug)
        raise typer.Exit(EXIT_FAILURE) from None
    except Exception as error:
        summary = str(error).splitlines()[0] if str(error) else "no message"
        log.error(f"{type(error).__name__}: {summary} (--debug shows the traceback)")
        _show_traceback(error, debug=debug)
        raise typer.Exit(EXIT_FAILURE) from None


def _show(error: UserError, log: Log, *, debug: bool) -> None:
    log.error(str(error), exit_code=error.exit_code)
    _show_traceback(error, debug=debug)


def _show_traceback(error: BaseException, *, debug: bool) -> None:
    if debug:
        sys.stderr.write("".join(traceback.format_exception(error)))
