"""Write one API page per package before the build, from the modules that are there."""

import typing
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("stats", "hazard", "detection")


def modules(package: str) -> list[str]:
    """Public modules of a package, in order."""
    found = []
    for file in sorted((ROOT / package).rglob("*.py")):
        parts = list(file.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__main__":
            continue
        if parts[-1] == "__init__":
            parts = parts[:-1]
        found.append(".".join(parts))
    return found


def write_pages(app: Sphinx) -> None:
    """One page per module under ``api/generated``; rewritten only where it changed."""
    folder = Path(app.srcdir) / "api" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {}
    for package in PACKAGES:
        names = modules(package)
        listed = "\n".join(f"{name}" for name in names)
        wanted[f"index_{package}.md"] = (
            f"# {package}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
        )
        for name in names:
            wanted[f"{name}.md"] = (
                f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n"
                "   :ignore-module-all:\n   :show-inheritance:\n```\n"
            )
    for old in folder.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for file, text in wanted.items():
        path = folder / file
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def skip_alias(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave out type aliases: their text is that of the class they stand for."""
    del app, what, name, options
    return True if typing.get_origin(obj) is not None else skip or None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", skip_alias)
    return {"parallel_read_safe": True}
