"""Where ``--publish`` puts a report; checked before any work, and before JAX is imported."""

from __future__ import annotations

from pathlib import Path

from hazard.errors import UsageError

DOCS = Path("docs")


def require_docs() -> Path:
    """The folder of the documentation below the working directory.

    Raises:
        UsageError: there is none.
    """
    if not DOCS.is_dir():
        raise UsageError(
            f"--publish: found no folder {DOCS}/ in {Path.cwd()}; expected to be in the project's "
            "own folder"
        )
    return DOCS
