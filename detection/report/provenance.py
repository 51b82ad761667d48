"""The page of provenance of any detection run, from its records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detection.report.page import absent, paragraph
from stats.command.pages import heading, table

FACTS = {
    "command": "command",
    "seed": "seed",
    "started": "started",
    "finished": "finished",
    "device": "device",
    "cores": "cores",
    "system": "system",
    "xla_flags": "XLA flags",
    "peak_memory_gib": "peak memory [GiB]",
    "data_sha256": "SHA-256 of patches and split",
}


def provenance_parts(
    record: Mapping[str, Any], config_text: str, *, times: Mapping[str, float] | None = None
) -> list[str]:
    """Facts, inputs, times, versions and the configuration.

    Args:
        record: ``provenance.json``.
        config_text: the configuration as given, YAML.
        times: further times [s] by name.
    """
    rows = [
        [title, str(record[key] if record[key] != "" else "none")]
        for key, title in FACTS.items()
        if record.get(key) is not None
    ]
    rows.insert(1, ["overrides", " ".join(record.get("overrides", [])) or "none"])
    rows.append(["synthetic", "yes" if record.get("synthetic") else "no"])
    seconds = {**record.get("seconds", {}), **dict(times or {})}
    inputs = record.get("inputs", [])
    parts = [
        table(["what", "value"], rows),
        paragraph(
            "The same configuration, seed, versions and machine give the same numbers; another "
            "machine may differ in the last digits, and training amplifies them."
        ),
        heading("Inputs", 2),
    ]
    if inputs:
        parts.append(
            table(
                ["file", "bytes", "SHA-256"], [[i["path"], i["bytes"], i["sha256"]] for i in inputs]
            )
        )
    elif record.get("synthetic"):
        parts.append(paragraph("No files: the scenes were rendered from the configuration."))
    else:
        parts.append(absent("Hashes of the inputs", "the run did not record any"))
    parts.append(heading("Times", 2))
    if seconds:
        parts.append(table(["part", "seconds"], [[k, round(v, 1)] for k, v in seconds.items()]))
    parts += [
        heading("Versions", 2),
        table(["package", "version"], sorted(record.get("versions", {}).items())),
        heading("Configuration", 2),
        f"```yaml\n{config_text}\n```\n",
    ]
    return parts
