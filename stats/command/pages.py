"""Parts of a MyST page, and the Sphinx build that turns a folder of pages into HTML.

Parts are plain text, so that a page is a list of strings and a test can read it. Text of the user
(file names, titles) passes through `escape`; nothing else may carry markup.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stats.command.errors import UserError

CONF = """\
project = {project!r}
author = ""
extensions = ["myst_parser"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
html_theme = "pydata_sphinx_theme"
html_title = {project!r}
html_show_sourcelink = False
html_theme_options = {{"show_prev_next": False, "navigation_with_keys": False}}
exclude_patterns = ["html", "_build"]
# MathJax is the one thing a page would fetch from elsewhere; formulas stay readable without it.
html_static_path = []
"""


def escape(text: str) -> str:
    r"""Make text literal in MyST.

    Example:
        >>> escape("a|b_c *d*")
        'a\\|b\\_c \\*d\\*'
    """
    return "".join("\\" + c if c in r"\`*_{}[]<>|$#" else c for c in text)


def heading(title: str, level: int = 1) -> str:
    r"""A heading of `level` 1 to 6.

    Example:
        >>> heading("Data", 2)
        '## Data\n'
    """
    if not 1 <= level <= 6:
        raise ValueError(f"found level {level}; expected 1 to 6")
    return f"{'#' * level} {escape(title)}\n"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    r"""A table; numbers are right-aligned where a whole column holds numbers.

    Args:
        header: (column,) names, with units.
        rows: (row, column) cells; floats are shown with four significant digits.

    Raises:
        ValueError: a row has another number of cells than the header.

    Example:
        >>> print(table(["epoch", "area [km2]"], [["first", 91.8712]]), end="")
        | epoch | area \[km2\] |
        | :-- | --: |
        | first | 91.87 |
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"found a row of {len(row)} cells; expected {len(header)}")
    numeric = [
        bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
        for i in range(len(header))
    ]
    lines = [
        _row([escape(name) for name in header]),
        _row(["--:" if number else ":--" for number in numeric]),
        *(_row([_cell(value) for value in row]) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def figure(path: str, caption: str, *, alt: str | None = None) -> str:
    """A figure with its caption; `path` is relative to the page.

    Example:
        >>> figure("figures/a.png", "Slope [degree].").splitlines()[0]
        ':::{figure} figures/a.png'
    """
    return (
        f":::{{figure}} {path}\n:alt: {(alt or caption).splitlines()[0]}\n:width: 100%\n\n"
        f"{escape(caption)}\n:::\n"
    )


def note(text: str, *, kind: str = "note", title: str | None = None) -> str:
    """An admonition: note, warning, important.

    Example:
        >>> note("SYNTHETIC", kind="warning").splitlines()[0]
        ':::{warning}'
    """
    head = f":::{{admonition}} {escape(title)}\n:class: {kind}" if title else f":::{{{kind}}}"
    return f"{head}\n{escape(text)}\n:::\n"


def contents(pages: Sequence[str], *, depth: int = 1) -> str:
    """The table of contents of a folder: page names without their ending."""
    listed = "\n".join(pages)
    return f":::{{toctree}}\n:maxdepth: {depth}\n\n{listed}\n:::\n"


def write_page(path: Path, parts: Sequence[str]) -> None:
    """Write a page from its parts, beside and then under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_text("\n".join(parts), encoding="utf-8")
    beside.replace(path)


def build_html(source: Path, out: Path, *, project: str) -> Path:
    """Build a folder of MyST pages into HTML with warnings as errors.

    The build runs in another process, on a copy of the result: `out` is replaced only by a
    complete build. ``conf.py`` is written where the folder has none.

    Args:
        source: folder with ``index.md``.
        out: folder of the HTML.
        project: title of the pages.

    Returns:
        Path of ``index.html``.

    Raises:
        UserError: Sphinx failed; its first messages are repeated.
    """
    conf = source / "conf.py"
    if not conf.exists():
        conf.write_text(CONF.format(project=project), encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        beside = Path(folder) / "html"
        command = [
            sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q",
            "-d", str(Path(folder) / "doctrees"), str(source), str(beside),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            first = "\n  ".join(done.stderr.strip().splitlines()[:10])
            raise UserError(f"{source}: the pages do not build\n  {first}")
        if out.exists():
            shutil.rmtree(out)
        beside.rename(out)
    return out / "index.html"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return escape(str(value))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
