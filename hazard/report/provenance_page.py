"""Provenance: configuration, seed, versions, hashes, fits and times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hazard.report.page import Page, absent, sentence
from hazard.report.source import Source
from stats.command.pages import escape, heading, table

MAXIMUM_FITS = 200


def provenance_page(source: Source) -> Page:
    """What it takes to make this run again."""
    record = source.provenance
    title = "Provenance"
    if not record:
        return Page(
            name="provenance", title=title, summary="Not in this run.",
            parts=[absent("Provenance", "there is no provenance.json")],
        )  # fmt: skip
    fit = record.get("fit", {})
    facts = [
        ("command", record.get("command")),
        ("overrides", " ".join(record.get("overrides", [])) or "none"),
        ("seed", record.get("seed")),
        ("started", record.get("started")),
        ("finished", record.get("finished")),
        ("device", fit.get("device")),
        ("XLA flags", fit.get("xla_flags") or "none"),
        ("peak memory [GiB]", fit.get("peak_memory_gib")),
        ("synthetic", "yes" if source.synthetic else "no"),
    ]
    parts = [
        table(
            ["what", "value"], [[k, str(v) if v is not None else "not recorded"] for k, v in facts]
        ),
        sentence(
            "The same seed, versions and machine give the same numbers; another machine may differ "
            "in the last digits."
        ),
        heading("Inputs", 2),
        *_inputs(record),
        heading("Times", 2),
        *_times(record, fit),
        heading("Fits", 2),
        *_fits(source, fit),
        heading("Versions", 2),
        table(["package", "version"], sorted(record.get("versions", {}).items())),
        heading("Configuration", 2),
        *_configuration(source),
    ]
    return Page(
        name="provenance", title=title, parts=parts,
        summary="Configuration, seed, versions, hashes and times.",
    )  # fmt: skip


def _inputs(record: dict[str, Any] | Any) -> list[str]:
    inputs = record.get("inputs", [])
    if not inputs:
        return [sentence("No input files: the embedded world made its own.")]
    return [
        table(
            ["role", "file", "bytes", "SHA-256"],
            [[i["role"], Path(i["path"]).name, i["bytes"], i["sha256"]] for i in inputs],
        )
    ]


def _times(record: Any, fit: Any) -> list[str]:
    rows = [
        [f"{part}: {name}", float(seconds)]
        for part, times in (("cube", record.get("seconds_per_part")), ("fit", fit.get("seconds")))
        for name, seconds in (times or {}).items()
        if isinstance(seconds, (int, float))
    ]
    return [table(["part", "seconds"], rows)] if rows else [absent("Times", "none are recorded")]


def _fits(source: Source, fit: Any) -> list[str]:
    fits = fit.get("fits", [])
    if not fits:
        return [absent("Fits", "none are recorded")]
    columns = ("members", "seed", "train", "validation", "test", "seconds", "resumed")
    rows = []
    for f in fits[:MAXIMUM_FITS]:
        cells = [f.get(name) for name in columns]
        rows.append(
            [source.scheme_title(str(f.get("scheme", ""))),
             str(f.get("fold_name", f.get("fold", "-"))),
             source.model_label(str(f.get("name", ""))),
             *("-" if c is None else f"{c:.1f}" if isinstance(c, float) else
               ("yes" if c else "no") if isinstance(c, bool) else str(c) for c in cells)]
        )  # fmt: skip
    parts = [
        table(
            ["scheme", "fold", "model", "members", "seed", "training cell-epochs", "validation",
             "test", "seconds", "resumed"],
            rows,
        )
    ]  # fmt: skip
    if len(fits) > MAXIMUM_FITS:
        parts.append(
            sentence(f"The first {MAXIMUM_FITS} of {len(fits)}; all are in provenance.json.")
        )
    return parts


def _configuration(source: Source) -> list[str]:
    path = source.folder / "config.yaml"
    if not path.is_file():
        return [absent("The configuration", f"there is no {escape(path.name)}")]
    text = path.read_text(encoding="utf-8").rstrip()
    # A fence longer than any in the text keeps the text literal.
    fence = "`" * max(4, _longest_run(text) + 1)
    return [f"{fence}yaml\n{text}\n{fence}\n"]


def _longest_run(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
