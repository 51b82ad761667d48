"""Paths that reach into a zip: ``FILE.zip/MEMBER.shp``."""

from __future__ import annotations

from pathlib import Path


def split_member(path: Path) -> tuple[Path, str | None]:
    """The zip and the member that a path like ``a/FILE.zip/sub/b.shp`` names.

    Example:
        >>> file, member = split_member(Path("data/China.zip/China/2009.shp"))
        >>> file.as_posix(), member
        ('data/China.zip', 'China/2009.shp')
        >>> split_member(Path("slides.gpkg"))[1] is None
        True
    """
    parts = path.parts
    for position, part in enumerate(parts[:-1]):
        if part.lower().endswith(".zip"):
            return Path(*parts[: position + 1]), "/".join(parts[position + 1 :])
    return path, None
