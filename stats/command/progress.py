"""Progress of long work: a rich bar on a terminal, plain lines elsewhere, JSON on request."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from stats.command.log import Log

if TYPE_CHECKING:
    from rich.progress import Progress

PLAIN_LINE_EVERY_S = 5.0


class Advance(Protocol):
    """Callable that a loop calls after each finished piece of work."""

    def __call__(self, pieces: int = 1, /) -> None:
        """Report `pieces` more as done."""


class Reporter(Protocol):
    """Shows tasks; entered once per command."""

    def task(self, name: str, total: int) -> contextlib.AbstractContextManager[Advance]:
        """A task of `total` pieces; yields the function that advances it."""

    def __enter__(self) -> Self:
        """Start showing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing."""


@dataclass(frozen=True, kw_only=True)
class SilentReporter:
    """Shows nothing (``--quiet``, and library use)."""

    @contextlib.contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        """Yield a function that does nothing."""
        del name, total
        yield _ignore

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _ignore(pieces: int = 1, /) -> None:
    del pieces


@dataclass(frozen=True, kw_only=True)
class PlainReporter:
    """One line at the start and end of a task, and every few seconds in between.

    Example:
        >>> import io
        >>> stream = io.StringIO()
        >>> with PlainReporter(log=Log(stream=stream)).task("rows", 2) as advance:
        ...     advance(2)
        >>> stream.getvalue().splitlines()[0]
        'rows: 0/2'
    """

    log: Log
    every_s: float = PLAIN_LINE_EVERY_S

    @contextlib.contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        """Yield the function that counts pieces and writes a line now and then."""
        start = last = time.monotonic()
        done = 0
        self.log.info(f"{name}: 0/{total}", task=name, done=0, total=total)

        def advance(pieces: int = 1, /) -> None:
            nonlocal done, last
            done += pieces
            now = time.monotonic()
            if now - last >= self.every_s and done < total:
                last = now
                left = (now - start) / max(done, 1) * (total - done)
                self.log.info(
                    f"{name}: {done}/{total}, about {left:.0f} s left",
                    task=name,
                    done=done,
                    total=total,
                )

        yield advance
        seconds = time.monotonic() - start
        self.log.info(
            f"{name}: done in {seconds:.1f} s", task=name, done=done, total=total, seconds=seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class RichReporter:
    """Bars with elapsed and remaining time on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )

    @contextlib.contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        """Yield the function that advances the bar."""
        identity = self._progress.add_task(name, total=total)

        def advance(pieces: int = 1, /) -> None:
            self._progress.advance(identity, pieces)

        yield advance

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def make_reporter(*, log: Log, quiet: bool = False, as_json: bool = False) -> Reporter:
    """The reporter that fits where stderr goes."""
    if quiet:
        return SilentReporter()
    if as_json or not sys.stderr.isatty():
        return PlainReporter(log=log)
    return RichReporter()
