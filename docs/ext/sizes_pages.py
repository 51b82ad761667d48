"""Execute the pages on size statistics: published values, the embedded world, real inventories.

The world's page is fitted when the documentation is built, and again only when the code behind it
changed. Real inventories lie beside the project, if anywhere: their page is executed where
``-D sizes_inventories=FOLDER`` names the folder of China.zip and Nepal.zip, and says so elsewhere.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

from stats.command.frame import session
from stats.command.pages import heading, write_page

ROOT = Path(__file__).resolve().parents[2]
CODE = ("stats/sizes/**/*.py", "stats/command/*.py", "hazard/world/*.py", "docs/ext/sizes_pages.py")
WORLD_COMMAND = "python -m stats.sizes epoch_00.gpkg --cuts 1,1.5,2,3 --draws 99"
REAL_COMMAND = "python -m stats.sizes China.zip Nepal.zip --draws 99"


def fingerprint(extra: str = "") -> str:
    """Hash of the code that a page depends on."""
    digest = hashlib.sha256(extra.encode())
    for pattern in CODE:
        for file in sorted(ROOT.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def fresh(page: Path, stamp: str) -> bool:
    """Whether a page was made by this very code."""
    record = page.with_suffix(".stamp")
    return page.is_file() and record.is_file() and record.read_text() == stamp


def publish(run: Path, page: Path, title: str, intro: str, stamp: str) -> None:
    """Copy the page of a run and its figures to where Sphinx reads them."""
    name = f"{page.stem}_figures"
    target = page.parent / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(run / "figures", target)
    text = (run / "sizes.md").read_text(encoding="utf-8")
    body = text.split("\n", 1)[1].replace("](figures/", f"]({name}/")
    body = body.replace("{figure} figures/", f"{{figure}} {name}/")
    write_page(page, [heading(title), intro, body])
    page.with_suffix(".stamp").write_text(stamp)


def write_published(folder: Path) -> None:
    """The table of published values."""
    from stats.sizes.published import PUBLISHED, markdown_table

    intro = (
        "Printed from `stats.sizes.published` at build time. The convention matters: an exponent "
        "of the density is one larger than that of the survival function.\n"
    )
    write_page(
        folder / "published.md",
        [heading("Published size statistics"), intro, markdown_table(PUBLISHED)],
    )


def write_world(folder: Path) -> None:
    """The page on the embedded world: built, fitted, drawn."""
    page, stamp = folder / "world.md", fingerprint()
    if fresh(page, stamp):
        return
    from hazard.world.build import build_world
    from hazard.world.settings import WorldConfig
    from stats.command.sizes_run import run_sizes
    from stats.command.sizes_settings import SizesSettings

    with tempfile.TemporaryDirectory() as place, session(quiet=True) as talk:
        here = Path.cwd()
        study = build_world(
            WorldConfig(extent_cells=(32, 40), pixels_per_cell=4, seed=3), Path(place) / "world"
        )
        inventory = Path(study.inventories[0])
        inventory = inventory if inventory.is_absolute() else Path(place) / "world" / inventory
        # Run beside the file, so that the page shows its name and not a temporary path.
        os.chdir(inventory.parent)
        try:
            settings = SizesSettings(
                inventories=(inventory.name,), cuts=(1.0, 1.5, 2.0, 3.0), draws=99, html=False,
                out=Path(place) / "out",
            )  # fmt: skip
            run_sizes(settings, talk)
        finally:
            os.chdir(here)
        intro = (
            "Executed when this documentation was built: the first inventory after the earthquake "
            "of a small embedded world, by\n\n"
            f"    {WORLD_COMMAND}\n\n"
            "The landslides of that epoch were drawn from a Double Pareto Simplified law with "
            "alpha 1.6, beta 1.7 and t 5,000 m2 (rollover 2,200 m2). The inventory is another "
            "population: it is cumulative and holds older landslides of another law, and its "
            "outlines are those of a mapper, who finds half of the landslides of 150 m2 and draws "
            "each at a share of its true area. The exponent survives that, the rollover does not: "
            "an interval covers the law of what was mapped, not of what failed.\n"
        )
        publish(Path(place) / "out", page, "A fit on the embedded world", intro, stamp)


def write_real(folder: Path, source: str) -> None:
    """The page on the real inventories, or the sentence that says why there is none."""
    page = folder / "inventories.md"
    title = "Fits of real inventories"
    if not source:
        text = (
            "Not executed in this build: the files lie beside the project. "
            "`python -m sphinx -D sizes_inventories=FOLDER docs OUT` executes this page; the table "
            "that it gave stands in the page on size statistics.\n"
        )
        write_page(page, [heading(title), text])
        page.with_suffix(".stamp").unlink(missing_ok=True)
        return
    inputs = [Path(source).resolve() / name for name in ("China.zip", "Nepal.zip")]
    stamp = fingerprint("".join(str(p) for p in inputs))
    if fresh(page, stamp):
        return
    from stats.command.sizes_run import run_sizes
    from stats.command.sizes_settings import SizesSettings

    with tempfile.TemporaryDirectory() as place, session(quiet=True) as talk:
        here = Path.cwd()
        os.chdir(inputs[0].parent)
        try:
            settings = SizesSettings(
                inventories=tuple(p.name for p in inputs), draws=99, html=False,
                out=Path(place) / "out",
            )  # fmt: skip
            run_sizes(settings, talk)
        finally:
            os.chdir(here)
        intro = f"Executed when this documentation was built, by\n\n    {REAL_COMMAND}\n"
        publish(Path(place) / "out", page, title, intro, stamp)


def write_pages(app: Sphinx) -> None:
    """All three pages, under ``api/generated/sizes``."""
    folder = Path(app.srcdir) / "api" / "generated" / "sizes"
    folder.mkdir(parents=True, exist_ok=True)
    write_published(folder)
    write_world(folder)
    write_real(folder, app.config.sizes_inventories)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx, after the API pages have cleared old files."""
    app.add_config_value("sizes_inventories", "", "env", (str,))
    app.connect("builder-inited", write_pages, priority=700)
    return {"parallel_read_safe": True}
