"""Ctrl-C stops a command, also where a library catches everything."""

import signal
import threading

import pytest
import typer

from stats.command.errors import EXIT_INTERRUPTED
from stats.command.frame import session
from stats.command.interrupts import remembered_interrupts


def swallowed():
    """Ctrl-C in the middle of code that catches everything."""
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        pass


def interrupted_work(where, quiet, done):
    """A command of two rows with a swallowed interrupt."""
    with session(quiet=quiet) as shown:
        if where == "before":
            swallowed()
        with shown.reporter.task("rows", 2) as advance:
            for row in range(2):
                if where == "within" and row == 0:
                    swallowed()
                advance()
                done.append(row)
            if where == "last":
                swallowed()
        done.append("end")


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("where", ["before", "within", "last"])
def test_a_swallowed_interrupt_stops_the_command_at_its_next_step(where, quiet):
    done = []
    with pytest.raises(typer.Exit) as stop:
        interrupted_work(where, quiet, done)
    assert stop.value.exit_code == EXIT_INTERRUPTED
    assert done == {"before": [], "within": [], "last": [0, 1]}[where]


def test_without_one_nothing_stops_and_the_handler_is_put_back():
    with session(quiet=True) as shown, shown.reporter.task("rows", 1) as advance:
        advance()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_somebody_else_stays_and_threads_have_none():
    mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with remembered_interrupts() as found:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            swallowed()
        assert not found.asked
    finally:
        signal.signal(signal.SIGINT, mine)
    errors = []

    def work():
        try:
            with remembered_interrupts():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
