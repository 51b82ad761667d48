"""Every failure becomes one message and the exit code of its kind."""

import io
import json

import pytest
import typer
from typer.testing import CliRunner

from stats.command.errors import ConfigError, DataError, UsageError, UserError
from stats.command.frame import command, command_app, session
from stats.command.log import Log
from stats.command.progress import PlainReporter


def app_that_raises(error: BaseException | None):
    app = command_app("Test.")

    @command(app)
    def main(debug: bool = False, quiet: bool = False, log_json: bool = False) -> None:
        with session(debug=debug, quiet=quiet, log_json=log_json) as now:
            now.log.info("working")
            with now.reporter.task("rows", 3) as advance:
                advance(3)
            if error is not None:
                raise error

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (UserError("x"), 1),
        (RuntimeError("x"), 1),
        (MemoryError(), 1),
        (UsageError("x"), 2),
        (ConfigError("a.yaml", ["x"]), 2),
        (DataError("a.tif", found="x", expected="y"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(error, code):
    result = CliRunner().invoke(app_that_raises(error), [])
    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_unknown_option_is_a_usage_error():
    assert CliRunner().invoke(app_that_raises(None), ["--nonsense"]).exit_code == 2


def test_debug_shows_the_traceback():
    result = CliRunner().invoke(app_that_raises(RuntimeError("deep")), ["--debug"])
    assert "Traceback" in result.output
    assert "deep" in result.output


def test_quiet_says_nothing_but_errors():
    assert CliRunner().invoke(app_that_raises(None), ["--quiet"]).output == ""
    result = CliRunner().invoke(app_that_raises(UserError("why")), ["--quiet"])
    assert result.output == "error: why\n"


def test_json_lines_carry_level_message_and_exit_code():
    error = DataError("a.tif", found="x", expected="y")
    result = CliRunner().invoke(app_that_raises(error), ["--log-json"])
    records = [json.loads(line) for line in result.output.splitlines()]
    assert records[0]["message"] == "working"
    assert records[-1]["level"] == "error"
    assert records[-1]["exit_code"] == 3
    assert {r.get("done") for r in records if r.get("task") == "rows"} == {0, 3}


def test_help_names_the_exit_codes():
    result = CliRunner().invoke(app_that_raises(None), ["--help"])
    assert "130" in result.output


def test_the_log_file_keeps_what_quiet_drops(tmp_path):
    log = Log(stream=io.StringIO(), quiet=True)
    log.also_to(tmp_path / "run" / "log")
    log.info("kept", n=3)
    assert json.loads((tmp_path / "run" / "log").read_text())["n"] == 3
    assert log.stream.getvalue() == ""


def test_plain_progress_tells_time_left():
    stream = io.StringIO()
    with PlainReporter(log=Log(stream=stream), every_s=0.0).task("tiles", 4) as advance:
        for _ in range(4):
            advance()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "tiles: 0/4"
    assert "left" in lines[1]
    assert lines[-1].startswith("tiles: done in")


def test_typer_exit_passes_through():
    app = command_app("Test.")

    @app.command()
    def main() -> None:
        with session():
            raise typer.Exit(7)

    assert CliRunner().invoke(app, []).exit_code == 7
