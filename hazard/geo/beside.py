"""Write beside the final name, then rename: nothing half-written ever has a final name.

The new file or folder is made inside a hidden folder next to its destination (same file system, so
the rename is one step). On any failure, the destination is as it was and the hidden folder is gone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hazard.errors import DataError


@contextmanager
def write_beside(
    path: str | os.PathLike[str], *, may_replace: Callable[[Path], bool] = Path.is_file
) -> Iterator[Path]:
    """Give a temporary path; on success it becomes `path`.

    A file is replaced in one step. A folder cannot be: the old one is set aside into the hidden
    folder, the new one takes its place, then the old one is deleted. Killed between those steps,
    the old one is still whole inside the hidden folder `.NAME-*` next to the destination.

    Args:
        path: destination; its folder is made where missing.
        may_replace: whether what lies at the destination is of the kind that may be replaced.

    Yields:
        Path inside a hidden folder next to the destination; the caller creates it.

    Raises:
        DataError: something that may not be replaced lies at the destination.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with write_beside(folder / "a.txt") as part:
        ...     _ = part.write_text("whole")
        >>> (folder / "a.txt").read_text(), [p.name for p in folder.iterdir()]
        ('whole', ['a.txt'])
    """
    final = Path(path)
    _check_destination(final, may_replace)
    final.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        part = hidden / final.name
        yield part
        # Again: hours may have passed since the first look.
        _check_destination(final, may_replace)
        if part.is_dir() and final.exists():
            aside = hidden / "replaced"
            os.rename(final, aside)
            try:
                os.rename(part, final)
            except BaseException:
                os.rename(aside, final)
                raise
        else:
            os.replace(part, final)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _check_destination(final: Path, may_replace: Callable[[Path], bool]) -> None:
    if final.exists() and not may_replace(final):
        kind = "a folder" if final.is_dir() else "a file"
        raise DataError(final, found=f"{kind} of another kind", expected="nothing to overwrite")
