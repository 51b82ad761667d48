"""Hazard maps from inventories: a configuration of hazard.fit, and the run of it.

`python -m hazard.fit` is a process of its own: the two packages hand each other files. Its
configuration is the user's, with the epochs and the inventories of this run in place of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hazard.config.parsing import read_yaml
from hazard.errors import ConfigError, UserError
from hazard.geo.beside import write_beside
from stats.command.frame import Session


def merged_study(
    config: Path, sections: Mapping[str, Any], *, name: str, title: str, own: Mapping[str, Any]
) -> dict[str, Any]:
    """A hazard configuration with `study.epochs` and `target` of an inventory.

    Args:
        config: the user's file; relative paths in it are seen from where the command runs.
        sections: `detection.inventory.write.hazard_sections`.
        name: name of the study.
        title: title of its pages.
        own: further keys to replace, by section: what this run knows better.

    Raises:
        ConfigError: the file cannot be read.
    """
    raw = read_yaml(config)
    if raw.problems:
        raise ConfigError(str(config), list(raw.problems))
    merged = dict(raw.values)
    # A study that is given needs no world to stand in.
    merged.pop("if_missing", None)
    merged |= {"name": name, "title": title, "target": dict(sections["target"])}
    for section, values in (*sections.items(), *own.items()):
        if section != "target":
            merged[section] = {**dict(merged.get(section) or {}), **values}
    return merged


def write_study(path: Path, study: Mapping[str, Any], *, source: Path) -> Path:
    """Write a configuration of hazard.fit, whole or not at all."""
    text = yaml.safe_dump(dict(study), sort_keys=False, allow_unicode=True, width=100)
    with write_beside(path) as part:
        part.write_text(
            f"# Made by python -m detection.map from {source.name}: epochs and landslides are "
            f"those of an inventory of this run.\n{text}", encoding="utf-8",
        )  # fmt: skip
    return path


def run_hazard(config: Path, out: Path, session: Session, *, resume: bool) -> Path:
    """Run `python -m hazard.fit`; its messages pass through.

    Raises:
        UserError: it ended with another code than 0.
    """
    command = [sys.executable, "-m", "hazard.fit", str(config), "--out", str(out)]
    if resume and (out / "run.json").exists():
        command.append("--resume")
    session.log.info(" ".join(["python", *command[1:]]))
    with session.reporter.task(f"hazard maps {out.name}", 1) as advance:
        code = subprocess.run(command, check=False).returncode
        advance(1)
    if code:
        raise UserError(
            f"python -m hazard.fit {config} ended with exit code {code}; its own message stands "
            "above"
        )
    return out
