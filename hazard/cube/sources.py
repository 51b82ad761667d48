"""Where the inputs of a study come from: its own files, or the embedded world.

===========================  ===================================================================
files that the config names  what happens
===========================  ===================================================================
all exist                    they are used
none exists                  with ``if_missing.world``: the world is built into ``RUN/world``, and
                             everything made from it is stamped SYNTHETIC; without: an error
some exist, some do not      an error that names every missing one; never a silent mixture
none named                   the world (a configuration without files must have one)
===========================  ===================================================================

A world is a folder of ordinary files. Its manifest becomes the study, target, terrain, shaking and
rain sections, so that the same readers read it as read real data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hazard.config.schema import HazardConfig
from hazard.cube.zip_paths import split_member
from hazard.errors import DataError

WORLD_FOLDER = "world"
BANNER = (
    "SYNTHETIC: none of the named input files exists, so the embedded world stands in for them. "
    "Nothing here was observed."
)
BANNER_WORLD_ONLY = "SYNTHETIC: this study is the embedded world. Nothing here was observed."


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file that a configuration names.

    Attributes:
        role: key of the configuration, such as ``terrain.elevation``.
        path: the file, or FILE.zip/MEMBER.
    """

    role: str
    path: Path

    @property
    def exists(self) -> bool:
        """True where the file (or the zip that holds it) is there."""
        return split_member(self.path)[0].exists()


@dataclass(frozen=True, kw_only=True)
class StudySources:
    """A study whose sources are decided.

    Attributes:
        config: complete configuration; of a world, with the sections of its manifest.
        files: files that will be read.
        synthetic: True for the embedded world.
        banner: what the user must see first; None for real data.
        absent: predictors that this choice leaves out, each with its reason.
    """

    config: HazardConfig
    files: tuple[InputFile, ...]
    synthetic: bool = False
    banner: str | None = None
    absent: Mapping[str, str] = field(default_factory=dict)


def named_files(config: HazardConfig) -> tuple[InputFile, ...]:
    """Every input file that a configuration names, in its own order."""
    found: list[InputFile] = []

    def add(role: str, path: Path | None) -> None:
        if path is not None:
            found.append(InputFile(role=role, path=path))

    target = config.target
    if target is not None:
        if target.kind == "cumulative":
            for index, inventory in enumerate(target.files):
                add(f"target.files.{index}", inventory)
            add("target.baseline", target.baseline)
            for index, seen in enumerate(target.observed or ()):
                add(f"target.observed.{index}", seen)
            add("target.mask", target.mask)
        else:
            add("target.file", target.file)
            if target.kind == "dated":
                add("target.mask", target.mask)
        add("target.observation", target.observation)
    if config.terrain is not None:
        add("terrain.elevation", config.terrain.elevation)
    shaking = config.shaking
    if shaking is not None:
        if shaking.kind == "shakemap":
            for index, event in enumerate(shaking.events):
                add(f"shaking.events.{index}", event)
        else:
            add("shaking.file", shaking.file)
            add("shaking.stations", shaking.stations)
    if config.rain is not None:
        add("rain.file", config.rain.file)
    for layer in config.layers:
        add(f"layers.{layer.name}.file", layer.file)
    return tuple(found)


def use_world(config: HazardConfig) -> bool:
    """True where the embedded world stands in for the files of a configuration.

    Raises:
        DataError: files are missing and the world may not, or must not, stand in for them.
    """
    files = named_files(config)
    missing = [file for file in files if not file.exists]
    if not missing:
        return not files
    if len(missing) == len(files) and config.if_missing is not None:
        return True
    listed = "; ".join(f"{file.role}: {file.path}" for file in missing)
    if len(missing) == len(files):
        raise DataError(
            config.name,
            found=f"none of its {len(files)} input files ({listed})",
            expected="all of them, or if_missing.world to build the embedded world instead",
        )
    raise DataError(
        config.name,
        found=f"{len(files) - len(missing)} of its {len(files)} input files, not {listed}",
        expected="all of them (a study of some real and some missing files is not built)",
    )


def resolve_sources(config: HazardConfig, run: Path, *, progress: Any = None) -> StudySources:
    """Decide between files and world; build the world where it is needed and not there yet.

    Args:
        config: as read.
        run: run folder; a world goes to ``run/world``.
        progress: passed to the world's generator.

    Raises:
        DataError: see `use_world`.
    """
    if not use_world(config):
        return StudySources(config=config, files=named_files(config))
    from hazard.cube.world_study import build_world_folder, world_config

    folder = run / WORLD_FOLDER
    build_world_folder(config, folder, progress=progress)
    complete = world_config(config, folder)
    left_out = "not part of the embedded world"
    return StudySources(
        config=complete,
        files=named_files(complete),
        synthetic=True,
        banner=BANNER if named_files(config) else BANNER_WORLD_ONLY,
        absent={layer.name: left_out for layer in config.layers},
    )
