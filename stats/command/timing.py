"""Wall time of the parts of a command, for its record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note in `seconds[name]` how long the block took [s]; a block that fails notes nothing.

    Example:
        >>> seconds: dict[str, float] = {}
        >>> with timed(seconds, "scores"):
        ...     pass
        >>> list(seconds)
        ['scores']
    """
    begin = time.monotonic()
    yield
    seconds[name] = time.monotonic() - begin


def times_in_words(seconds: dict[str, float]) -> str:
    """One line for the user.

    Example:
        >>> times_in_words({"cube": 2.4, "report": 8.0})
        'times: cube 2 s, report 8 s'
    """
    return "times: " + ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())
