"""Build the cube of a study: parts in order, each kept when it is whole, checked before it counts.

==========  ===========================================  ==============================
part        writes                                       depends on
==========  ===========================================  ==============================
target      area_density, presence, mask, observed,      target files, epochs
            detection error where there is one
terrain     /pixels: elevation and its derivatives       elevation, mask
flow        /pixels: twi, stream_distance_m              terrain
layers      /cells and /pixels: further layers           their files, terrain, mask
triggers    /triggers: shaking, rain, monsoons           their files, epochs, mask
folds       /folds: roles of every design                mask, observed, seed, settings
==========  ===========================================  ==============================
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from hazard.config.schema import HazardConfig
from hazard.cube.grids import StudyGrids, study_grids
from hazard.cube.layout import (
    GROUPS,
    LAYOUT,
    LAYOUT_VERSION,
    open_cube,
)
from hazard.cube.mask import decide_mask
from hazard.cube.observation import read_observation
from hazard.cube.part_keys import digest, part_keys
from hazard.cube.sources import StudySources
from hazard.cube.summary import Summary, summarise
from hazard.cube.target_layers import TargetLayers, cube_epochs, hash_of, read_target
from hazard.cube.target_store import epoch_coordinates, write_target
from hazard.cube.terrain_layers import Elevation, read_elevation, require_pixels, strips
from hazard.cube.writer import LayerWriter, PartFacts, PartialCube
from hazard.cube.zip_paths import split_member
from hazard.geo.store import create_grid_group
from stats.command.progress import Reporter, SilentReporter

PARTS = ("target", "terrain", "flow", "layers", "triggers", "folds")


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build left behind.

    Attributes:
        path: the cube.
        summary: its table.
        built: parts that were built now; the others were kept.
        seconds: wall time per part [s].
        input_hashes: SHA-256 per input file.
    """

    path: Path
    summary: Summary
    built: tuple[str, ...]
    seconds: dict[str, float]
    input_hashes: dict[str, str]


def build_cube(
    sources: StudySources,
    run: Path,
    *,
    fresh: bool = False,
    reporter: Reporter | None = None,
) -> BuildResult:
    """Build, or bring up to date, the cube of a run folder.

    Args:
        sources: resolved study, see `hazard.cube.sources.resolve_sources`.
        run: run folder; the cube becomes ``run/cube.zarr``.
        fresh: build every part again.
        reporter: shows progress; None is silent.

    Returns:
        The cube's path and summary, and which parts were built.

    Raises:
        DataError: an input that cannot be used, or a layer that fails its checks; the cube of an
            earlier build then stays as it is.
    """
    return _Build(sources, run, fresh, reporter or SilentReporter()).result()


class _Build:
    """One build; holds what several parts need, read once and only when asked for."""

    def __init__(self, sources: StudySources, run: Path, fresh: bool, reporter: Reporter) -> None:
        self.sources, self.config, self.run = sources, sources.config, run
        self.reporter = reporter
        self.seconds: dict[str, float] = {}
        self.built: list[str] = []
        self.grids: StudyGrids = study_grids(self.config)
        require_pixels(self.config, self.grids)
        self.hashes = self._input_hashes()
        self.keys = part_keys(self.config, self.grids, self.hashes)
        frame = digest([self.grids.as_json(), _epoch_records(self.config)])
        self.partial = PartialCube(run, frame, fresh=fresh)
        self._target: TargetLayers | None = None
        self._elevation: Elevation | None = None

    def result(self) -> BuildResult:
        if self.partial.matches(self.keys):
            facts = {name: self._kept(name) for name in PARTS}
            cube = open_cube(self.partial.final)
        else:
            facts = self._build_parts()
            cube = open_cube(self.partial.path)
        with self._timed("summary"), self.reporter.task("check and summarise", 1) as advance:
            summary = summarise(
                cube,
                filled=_merged(facts, "filled"),
                censored=_merged(facts, "censored"),
                notes=[note for part in facts.values() for note in part.notes],
            )
            advance(1)
        if not self.partial.complete:
            self.partial.close()
        return BuildResult(
            path=self.partial.final,
            summary=summary,
            built=tuple(self.built),
            seconds=self.seconds,
            input_hashes=self.hashes,
        )

    def _kept(self, name: str) -> PartFacts:
        facts = self.partial.facts(name, self.keys[name], at=self.partial.final)
        return facts if facts is not None else PartFacts()

    def _build_parts(self) -> dict[str, PartFacts]:
        _prepare(self.partial.start(), self.config, self.grids)
        root = self.partial.open()
        makers: dict[str, Callable[[LayerWriter], PartFacts]] = {
            "target": self._write_target,
            "terrain": self._write_terrain,
            "flow": self._write_flow,
            "layers": self._write_layers,
            "triggers": self._write_triggers,
            "folds": self._write_folds,
        }
        done: dict[str, PartFacts] = {}
        for name in PARTS:
            kept = self.partial.facts(name, self.keys[name])
            if kept is not None:
                done[name] = kept
                continue
            self.partial.begin(name)
            writer = LayerWriter(root)
            with self._timed(name):
                done[name] = makers[name](writer)
            self.partial.finish(name, self.keys[name], done[name], writer.names)
            self.built.append(name)
        self._elevation = None
        root.attrs.update(self._root_attributes(done))
        return done

    @contextlib.contextmanager
    def _timed(self, name: str) -> Any:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)

    def _input_hashes(self) -> dict[str, str]:
        files = self.sources.files
        hashes: dict[str, str] = {}
        with self.reporter.task("hash inputs", len(files)) as advance:
            for file in files:
                path, member = split_member(file.path)
                hashes[str(file.path)] = hash_of(path, member)
                advance(1)
        return hashes

    # Parts ---------------------------------------------------------------------------------

    def _write_target(self, writer: LayerWriter) -> PartFacts:
        target = self.config.target
        n_files = len(target.files) if target is not None and target.kind == "cumulative" else 1
        with self.reporter.task("target", n_files) as advance:
            layers = read_target(self.config, self.grids.cells, progress=advance)
        mask, observation = decide_mask(self.config, layers.series), None
        if target is not None and target.observation is not None:
            epochs = [epoch.name for epoch in layers.series.epochs]
            observation = read_observation(target.observation, self.grids.cells, epochs)
        self._target = layers
        return write_target(writer, layers, mask, observation)

    def _write_terrain(self, writer: LayerWriter) -> PartFacts:
        from hazard.cube.terrain_layers import write_terrain

        cells = self._cells(writer.root)
        elevation = self._read_elevation(cells)
        with self.reporter.task("terrain", self._n_bands()) as advance:
            facts = write_terrain(
                writer, self.config, self.grids, cells, elevation, progress=advance
            )
        self._add_slope_contrast(writer.root, cells, facts)
        return facts

    def _write_flow(self, writer: LayerWriter) -> PartFacts:
        from hazard.cube.terrain_layers import write_flow

        elevation = self._read_elevation(self._cells(writer.root))
        # Held by nobody else from here on: routing is the peak of memory.
        self._elevation = None
        with self.reporter.task("flow", 3) as advance:
            return write_flow(writer, self.config, self.grids, elevation, progress=advance)

    def _write_layers(self, writer: LayerWriter) -> PartFacts:
        from hazard.cube.extra_layers import write_extra_layers

        cells = self._cells(writer.root)
        with self.reporter.task("further layers", len(self.config.layers)) as advance:
            return write_extra_layers(writer, self.config, self.grids, cells, progress=advance)

    def _write_triggers(self, writer: LayerWriter) -> PartFacts:
        from hazard.cube.trigger_layers import write_triggers

        cells = self._cells(writer.root)
        with self.reporter.task("shaking and rain", 2) as advance:
            return write_triggers(writer, self.config, self.grids, cells, progress=advance)

    def _write_folds(self, writer: LayerWriter) -> PartFacts:
        from hazard.cube.fold_layers import write_fold_layers

        with self.reporter.task("folds", len(self.config.cube.folds)) as advance:
            return write_fold_layers(writer, self.config, self.grids.cells, progress=advance)

    # What parts share ----------------------------------------------------------------------

    def _cells(self, root: zarr.Group) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.asarray(root["mask"][0], dtype=np.bool_)

    def _n_bands(self) -> int:
        return len(strips(self.grids.pixels, self.grids.pixel_chunk))

    def _read_elevation(self, cells: np.ndarray[Any, np.dtype[np.bool_]]) -> Elevation:
        if self._elevation is None:
            n_bands = len(strips(self.grids.padded, self.grids.pixel_chunk))
            with self.reporter.task("read elevation", n_bands) as advance:
                self._elevation = read_elevation(self.config, self.grids, cells, progress=advance)
        return self._elevation

    def _add_slope_contrast(
        self, root: zarr.Group, cells: np.ndarray[Any, np.dtype[np.bool_]], facts: PartFacts
    ) -> None:
        from hazard.cube.contrast import slope_contrast

        target = self.config.target
        if target is None or target.kind == "density_raster":
            return
        layers = self._target or read_target(self.config, self.grids.cells)
        contrast = slope_contrast(root["pixels/slope_deg"], layers.outlines, self.grids, cells)
        if contrast is not None:
            facts.numbers["slope_contrast"] = vars(contrast)
            facts.notes.append(contrast.sentence())

    def _root_attributes(self, done: dict[str, PartFacts]) -> dict[str, Any]:
        config, study = self.config, self.config.study
        if study is None:
            raise ValueError("an incomplete configuration; resolve its sources first")
        absent = _merged(done, "absent") | dict(self.sources.absent)
        title = config.title
        if self.sources.synthetic and "SYNTHETIC" not in title:
            title = f"{title} (SYNTHETIC)"
        event = {**study.event.model_dump(mode="json")}
        return {
            "layout": LAYOUT,
            "layout_version": LAYOUT_VERSION,
            "Conventions": "CF-1.8",
            "title": title,
            "name": config.name,
            "synthetic": self.sources.synthetic,
            "source": "SYNTHETIC: the embedded world" if self.sources.synthetic else "see inputs",
            "event": json.dumps(event),
            "epochs": json.dumps(_epoch_records(config)),
            "absent": json.dumps(absent),
            "config": config.model_dump_json(),
            "inputs": json.dumps([s for part in done.values() for s in part.sources]),
            "facts": json.dumps({name: part.numbers for name, part in done.items()}),
        }


def _merged(facts: dict[str, PartFacts], name: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in facts.values():
        merged |= getattr(part, name)
    return merged


def _epoch_records(config: HazardConfig) -> list[dict[str, Any]]:
    if config.study is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    return [epoch.as_json() for epoch in cube_epochs(config.study)]


def _prepare(root: zarr.Group, config: HazardConfig, grids: StudyGrids) -> None:
    """Groups and axes of every resolution, made once."""
    if "spatial_ref" in root:
        return
    if config.study is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    coordinates = epoch_coordinates(config)
    create_grid_group(root, "", grids.cells, coords=coordinates)
    for name in GROUPS:
        grid = {"pixels": grids.pixels, "triggers": grids.triggers}.get(name, grids.cells)
        with_epochs = coordinates if name in ("triggers", "folds") else None
        create_grid_group(root, name, grid, coords=with_epochs)
