"""Data sets that come as patches: read, given roles, and joined into one set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from detection.config.data import StudyConfig
from detection.patches.audit import linked_groups
from detection.patches.cut import join_sets, without_empty
from detection.patches.hr_gldd import read_hr_gldd
from detection.patches.image_folders import read_image_folders
from detection.patches.landslide4sense import read_landslide4sense
from detection.patches.patch_set import PatchSet
from detection.patches.split_record import ROLES, Split
from detection.patches.splits import split_by_group
from hazard.errors import DataError

ORDER = ("train", "validation", "test")


def read_given(
    config: StudyConfig, progress: Callable[[int], None] | None = None
) -> dict[str, PatchSet]:
    """The parts of a data set by role, or one part named ``all``.

    Args:
        config: with `data` and a layout other than scenes.
        progress: called with 1 after every file, where a layout has many.

    Raises:
        DataError: files that cannot be used, or bands that a layout needs to be told.
    """
    source = config.source
    assert config.data is not None
    told: dict[str, Any] = {
        key: value
        for key, value in (("bands", source.bands), ("unit", source.unit),
                           ("pixel_m", source.pixel_m))
        if value is not None
    }  # fmt: skip
    if source.layout == "image_folders":
        if source.bands is None:
            raise DataError(
                "source.bands", found="nothing", expected="names of the bands of the images"
            )
        found = read_image_folders(config.data, progress=progress, **told)
    elif source.layout == "hr_gldd":
        found = read_hr_gldd(config.data, **told)
    else:
        found = read_landslide4sense(config.data, progress=progress, **told)
    if config.patches.keep_empty:
        return found
    return {role: without_empty(patches) for role, patches in found.items()}


def given_split(config: StudyConfig, parts: dict[str, PatchSet]) -> tuple[PatchSet, Split]:
    """All patches with the roles that they came in; a validation part is made where there is none.

    It is made of whole groups of training patches that look alike
    (`detection.patches.audit.linked_groups`), because such files rarely say what adjoins what.

    Raises:
        DataError: no training or no test part.
    """
    lacking = [role for role in ("train", "test") if role not in parts]
    if lacking:
        raise DataError(
            "data", found=f"parts {', '.join(parts)}",
            expected=f"{' and '.join(lacking)}, or split.by: group",
        )  # fmt: skip
    there = [role for role in ORDER if role in parts]
    patches = join_sets(parts[role] for role in there)
    role = np.concatenate([np.full(len(parts[r]), ROLES[r], dtype=np.int8) for r in there])
    split = Split(
        name="given", unit="part of the data set", role=role,
        parameters={"parts": {r: len(parts[r]) for r in there}},
    )  # fmt: skip
    if "validation" in parts:
        return patches, split
    inner = _by_likeness(config, parts["train"], test_share=0.0)
    role[role == ROLES["train"]] = inner.role
    return patches, split.with_roles(
        role, parameters={**split.parameters, "validation": inner.parameters}
    )


def group_split(config: StudyConfig, parts: dict[str, PatchSet]) -> tuple[PatchSet, Split]:
    """All patches, dealt out anew in whole groups of patches that look alike."""
    patches = join_sets(parts.values())
    return patches, _by_likeness(config, patches, test_share=config.split.test_share)


def _by_likeness(config: StudyConfig, patches: PatchSet, *, test_share: float) -> Split:
    rest, validation = 1.0 - test_share, config.split.validation_share
    return split_by_group(
        patches, linked_groups(patches), seed=config.seed,
        shares=(rest * (1.0 - validation), rest * validation, test_share),
    )  # fmt: skip
