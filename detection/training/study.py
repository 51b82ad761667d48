"""From a configuration to patches of training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detection.config.data import StudyConfig
from detection.embedded.settings import EmbeddedSettings
from detection.embedded.study import render_scenes
from detection.patches.cut import cut_patches, join_sets, without_empty
from detection.patches.ground import by_region
from detection.patches.patch_set import PatchSet
from detection.patches.split_record import ROLES, Split
from detection.patches.splits import (
    hold_out_validation,
    split_at_random,
    split_by_block,
    split_by_epoch,
    split_by_place,
    split_by_region,
)
from detection.scenes.catalogue import read_catalogue
from detection.scenes.read import read_scene
from detection.scenes.scene import Scene
from detection.training.given import given_split, group_split, read_given
from hazard.errors import DataError
from hazard.geo.grid import Grid

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyPatches:
    """All patches of a study with their roles, and the three parts that are used.

    Attributes:
        patches: every patch, unused ones included, as the split saw them.
        split: roles.
        training: patches to learn from; they may overlap each other.
        validation: patches for early stopping and the threshold; no pixel counts twice.
        test: patches to score; no pixel counts twice.
        grids: grid of every scene; empty for patches that came cut.
    """

    patches: PatchSet
    split: Split
    training: PatchSet
    validation: PatchSet
    test: PatchSet
    grids: dict[str, Grid]

    @property
    def pixel_m(self) -> float | None:
        """Side of a pixel [m]."""
        return self.patches.pixel_m


def embedded_settings(config: StudyConfig) -> EmbeddedSettings:
    """Settings of the renderer.

    Raises:
        DataError: settings that it refuses.
    """
    try:
        return EmbeddedSettings(**config.embedded.model_dump())
    except ValueError as error:
        raise DataError("embedded", found=str(error), expected="other settings") from None


def study_scenes(config: StudyConfig, progress: Progress | None = None) -> Iterator[Scene]:
    """The scenes of a study one after the other: read from its data, or rendered.

    Args:
        config: the study.
        progress: called with 1 after every scene.

    Raises:
        DataError: files that cannot be used, or no scene of the regions and epochs asked for.
    """
    if config.data is None:
        scenes = render_scenes(embedded_settings(config), progress=progress)
        wanted = _wanted(config, [(scene.region, scene.epoch) for scene in scenes])
        yield from (scene for scene, keep in zip(scenes, wanted, strict=True) if keep)
        return
    entries = read_catalogue(config.data).entries
    wanted = _wanted(config, [(entry.region, entry.epoch) for entry in entries])
    for entry, keep in zip(entries, wanted, strict=True):
        if keep:
            yield read_scene(entry, bands=config.source.bands)
            if progress is not None:
                progress(1)


def count_scenes(config: StudyConfig) -> int:
    """Scenes that will be rendered or read, for progress."""
    if config.data is None:
        section = config.embedded
        return len(section.regions) * section.sites * section.epochs
    if config.source.layout != "scenes":
        return 1
    entries = read_catalogue(config.data).entries
    return sum(_wanted(config, [(entry.region, entry.epoch) for entry in entries]))


def study_patches(
    config: StudyConfig,
    scenes: Iterable[Scene] | None = None,
    *,
    progress: Progress | None = None,
) -> StudyPatches:
    """Patches of a study, split.

    Args:
        config: the study.
        scenes: where they are there already; else they are read or rendered one by one.
        progress: called with 1 after every scene.

    Raises:
        DataError: data that cannot be used, or a part of the split without patches.
    """
    if scenes is None and comes_cut(config):
        return _study_of_patches(config, progress)
    grids: dict[str, Grid] = {}

    def noted() -> Iterator[Scene]:
        for scene in study_scenes(config, progress) if scenes is None else scenes:
            grids[scene.name] = scene.grid
            yield scene

    return split_patches(config, cut_scenes(config, noted()), grids)


def comes_cut(config: StudyConfig) -> bool:
    """True where the data are patches already, and not scenes."""
    return config.data is not None and config.source.layout != "scenes"


def _study_of_patches(config: StudyConfig, progress: Progress | None) -> StudyPatches:
    parts = read_given(config)
    if config.split.by == "given":
        patches, split = given_split(config, parts)
    elif config.split.by == "group":
        patches, split = group_split(config, parts)
    else:
        patches = join_sets(parts.values())
        split = split_at_random(patches, shares=_shares(config), seed=config.seed)
    if progress is not None:
        progress(1)
    found = {name: split.select(patches, name) for name in ("train", "validation", "test")}
    _require_patches(found)
    return StudyPatches(
        patches=patches, split=split, training=found["train"], validation=found["validation"],
        test=found["test"], grids={},
    )  # fmt: skip


def other_patches(
    config: StudyConfig, *, part: str = "test", progress: Progress | None = None
) -> PatchSet:
    """Every patch of a study's data, as test patches: for models that never saw any of it.

    Args:
        config: the study, pointed at other data.
        part: of data that come in parts.
        progress: called with 1 after every scene.

    Raises:
        DataError: data that cannot be used.
    """
    if comes_cut(config):
        parts = read_given(config)
        if part not in parts and "all" not in parts:
            raise DataError("--part", found=part, expected=f"one of {', '.join(parts)}")
        if progress is not None:
            progress(1)
        return parts.get(part, parts.get("all"))  # type: ignore[return-value]
    return counted_once(cut_scenes(config, study_scenes(config, progress)))


def cut_scenes(config: StudyConfig, scenes: Iterable[Scene]) -> PatchSet:
    """All patches of the scenes, on the lattice of the training patches."""
    section = config.patches
    stride = section.train_stride_px or section.stride_px
    cut = join_sets(
        cut_patches(
            scene, section.size_px, min(stride, section.stride_px),
            minimum_counted=section.minimum_counted,
        )
        for scene in scenes
    )  # fmt: skip
    return cut if section.keep_empty else without_empty(cut)


def split_patches(config: StudyConfig, patches: PatchSet, grids: dict[str, Grid]) -> StudyPatches:
    """The roles of the patches, and the parts.

    Raises:
        DataError: a part without patches, or names that are not there.
    """
    unseen = set(config.split.unseen_regions)
    regions = by_region(patches)
    if missing := sorted(unseen - set(regions)):
        raise DataError(
            "split.unseen_regions", found=missing[0], expected=f"one of {', '.join(regions)}"
        )
    inner = np.array([origin.region not in unseen for origin in patches.origin])
    if not inner.any():
        raise DataError("split.unseen_regions", found="every region", expected="one to train on")
    where = np.flatnonzero(inner)
    split = _split(config, patches.select(where), grids or None)
    role = np.full(len(patches), ROLES["test"], dtype=np.int8)
    role[where] = split.role
    whole = split.with_roles(
        role, parameters={**split.parameters, "unseen_regions": sorted(unseen)}
    )
    parts = {name: whole.select(patches, name) for name in ("train", "validation", "test")}
    _require_patches(parts)
    leaks = config.split.by == "random_patches"
    return StudyPatches(
        patches=patches, split=whole, training=parts["train"],
        validation=parts["validation"] if leaks else counted_once(parts["validation"]),
        test=parts["test"] if leaks else counted_once(parts["test"]), grids=grids,
    )  # fmt: skip


def _split(config: StudyConfig, patches: PatchSet, grids: dict[str, Grid] | None) -> Split:
    section, seed = config.split, config.seed
    block_px = _pixels(section.block_m, patches)
    buffer_px = None if section.buffer_m is None else _pixels(section.buffer_m, patches)
    shares = _shares(config)
    if section.by == "block":
        return split_by_block(
            patches, block_px=block_px, buffer_px=buffer_px, shares=shares, seed=seed, grids=grids
        )
    if section.by == "place":
        return split_by_place(patches, buffer_px=buffer_px, shares=shares, seed=seed, grids=grids)
    if section.by == "random_patches":
        return split_at_random(patches, shares=shares, seed=seed)
    if section.by == "region":
        split = split_by_region(patches, test=section.test, validation=section.validation)
    else:
        there = dict.fromkeys(origin.epoch for origin in patches.origin)
        split = split_by_epoch(patches, train=[e for e in there if e not in section.test])
    if section.by == "region" and section.validation:
        return split
    return hold_out_validation(
        patches, split, block_px=block_px, buffer_px=buffer_px, share=section.validation_share,
        seed=seed, grids=grids,
    )  # fmt: skip


def _shares(config: StudyConfig) -> tuple[float, float, float]:
    test, validation = config.split.test_share, config.split.validation_share
    return ((1.0 - test) * (1.0 - validation), (1.0 - test) * validation, test)


def _require_patches(parts: Mapping[str, PatchSet]) -> None:
    for name, part in parts.items():
        if len(part) == 0:
            raise DataError(
                "split", found=f"no {name} patches", expected="some; use smaller blocks or more"
            )


def counted_once(patches: PatchSet) -> PatchSet:
    """The same ground with every pixel of a scene counted in one patch alone.

    Patches on the lattice of their own size come first; of the others, what lies in earlier ones
    is not known any more, and those that add nothing are left out. So scores are pooled over
    pixels, whatever the overlap of the patches.
    """
    size = patches.image.shape[1]
    extent: dict[str, tuple[int, int]] = {}
    for origin in patches.origin:
        rows, cols = extent.get(origin.scene, (0, 0))
        extent[origin.scene] = (max(rows, origin.row + size), max(cols, origin.column + size))
    seen = {scene: np.zeros(shape, dtype=bool) for scene, shape in extent.items()}
    aligned = [o.row % size == 0 and o.column % size == 0 for o in patches.origin]
    order = sorted(range(len(patches)), key=lambda i: (not aligned[i], i))
    known, kept = patches.known.copy(), []
    for i in order:
        origin = patches.origin[i]
        window = seen[origin.scene][
            origin.row : origin.row + size, origin.column : origin.column + size
        ]
        known[i] &= ~window
        window[:] = True
        if (known[i] & patches.valid[i]).any():
            kept.append(i)
    return replace(patches, known=known).select(sorted(kept))


def _pixels(length_m: float, patches: PatchSet) -> int:
    if patches.pixel_m is None:
        raise DataError(
            "patches", found="no size of a pixel", expected="one (source.pixel_m), to make blocks"
        )
    return max(0, round(length_m / patches.pixel_m))


def _wanted(config: StudyConfig, places: Sequence[tuple[str, str]]) -> list[bool]:
    """Which scenes are of the regions and epochs asked for."""
    regions, epochs = config.source.regions, config.source.epochs
    found = [
        (regions is None or region in regions) and (epochs is None or epoch in epochs)
        for region, epoch in places
    ]
    if not any(found):
        there = ", ".join(sorted({f"{region}/{epoch}" for region, epoch in places})) or "no scene"
        raise DataError(
            "source", found=f"no scene of regions {regions} and epochs {epochs}", expected=there
        )
    return found
