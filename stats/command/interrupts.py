"""Ctrl-C that no library can swallow.

Python raises KeyboardInterrupt wherever it happens to be, and some of that code catches everything:
the imports of large libraries, callbacks, destructors. The command would then work on as if nothing
had been asked. So it is remembered, and raised again at the next step of the progress.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Self

from stats.command.progress import Advance, Reporter


@dataclass
class Interrupts:
    """Whether the user has asked to stop.

    Example:
        >>> asked = Interrupts(asked=True)
        >>> asked.check()
        Traceback (most recent call last):
        ...
        KeyboardInterrupt
    """

    asked: bool = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if so."""
        if self.asked:
            raise KeyboardInterrupt


@contextlib.contextmanager
def remembered_interrupts() -> Iterator[Interrupts]:
    """Remember SIGINT while this lasts; elsewhere than in the main thread it is never seen.

    A handler that somebody else installed stays.
    """
    found = Interrupts()

    def remember(number: int, frame: FrameType | None) -> None:
        found.asked = True
        signal.default_int_handler(number, frame)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, remember)
    try:
        yield found
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class StoppingReporter:
    """A reporter whose tasks stop where the user has asked for it."""

    shown: Reporter
    interrupts: Interrupts

    @contextlib.contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:
        """Yield the function that counts pieces, and stops."""
        self.interrupts.check()
        with self.shown.task(name, total) as advance:

            def stopping(pieces: int = 1, /) -> None:
                advance(pieces)
                self.interrupts.check()

            yield stopping
            self.interrupts.check()

    def __enter__(self) -> Self:
        self.shown.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.shown.__exit__(*raised)  # type: ignore[arg-type]
