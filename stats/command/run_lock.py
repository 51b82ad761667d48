"""One process at a time in a run folder.

The lock is the operating system's lock on an open file, so a process that dies, however it dies,
holds it no longer; the file itself only names the holder for the message and may stay behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from stats.command.errors import UserError

LOCK_NAME = "run.lock"


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder; the folder is made where absent.

    Args:
        folder: run folder.

    Raises:
        UserError: another living process holds it; its number and host are named.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with run_lock(folder), contextlib.suppress(UserError), run_lock(folder):
        ...     print("both")
        >>> with run_lock(folder):
        ...     print("free again")
        free again
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(path)
            raise UserError(
                f"{folder}: found it in use by {holder}; expected one process at a time "
                "(wait for it, or choose another --out)"
            ) from None
        record = {"pid": os.getpid(), "host": socket.gethostname()}
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(record).encode())
        yield
        os.ftruncate(descriptor, 0)
    finally:
        # Closing releases the lock. The file stays: removing it would let a third process lock
        # a new file of the same name beside a second one that waits on the old.
        os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return f"process {record['pid']} on {record['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
