"""Messages of a command: plain lines for people, JSON lines for machines, all on stderr.

stdout is kept for what the user asked for (tables, schemas), so that it can be piped.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, kw_only=True)
class Log:
    """Writes one line per message to `stream`, and to `files` whatever the level.

    Attributes:
        stream: where people read; None is stderr at the time of writing.
        quiet: drop everything below an error on the stream (files still receive it).
        as_json: JSON lines instead of text.
        files: opened log files of the run folder.
    """

    stream: TextIO | None = None
    quiet: bool = False
    as_json: bool = False
    files: list[Path] = field(default_factory=list)

    def info(self, message: str, **fields: Any) -> None:
        """Something done or found."""
        self._write("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Something the user should know before trusting the result."""
        self._write("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Why the command stops."""
        self._write("error", message, fields)

    def also_to(self, path: Path) -> None:
        """Keep a copy of every later message, as JSON lines, in `path` (made where absent)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.files.append(path)

    def _write(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        record = {
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "message": message,
            **fields,
        }
        as_line = json.dumps(record, default=str)
        for path in self.files:
            with path.open("a", encoding="utf-8") as handle:
                handle.write(as_line + "\n")
        if self.quiet and level != "error":
            return
        stream = self.stream if self.stream is not None else sys.stderr
        prefix = "" if level == "info" else f"{level}: "
        stream.write((as_line if self.as_json else prefix + message) + "\n")
        stream.flush()


def make_log(*, quiet: bool = False, as_json: bool = False) -> Log:
    r"""A log to stderr.

    Example:
        >>> import io
        >>> stream = io.StringIO()
        >>> Log(stream=stream).warning("2 holes filled")
        >>> stream.getvalue()
        'warning: 2 holes filled\n'
    """
    return Log(quiet=quiet, as_json=as_json)
