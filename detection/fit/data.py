"""The patches of a run: read or rendered, split, hashed, and looked over for leaks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detection.config.data import StudyConfig
from detection.patches.patch_set import PatchSet
from detection.training.study import StudyPatches, count_scenes, study_patches
from stats.command.frame import Session


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyData:
    """Patches of a run, and what the records say of them.

    Attributes:
        study: patches and roles.
        digest: SHA-256 of all patches and roles.
        counts: patches, pixels that count and landslide pixels of every part, plain JSON.
        audit: what the audit for leaks found, one line each.
    """

    study: StudyPatches
    digest: str
    counts: dict[str, Any]
    audit: tuple[str, ...] | None

    @property
    def synthetic(self) -> bool:
        """True where any patch was rendered."""
        return self.study.patches.synthetic


def study_data(config: StudyConfig, run: Path, session: Session) -> StudyData:
    """Patches of a study; manifest.json and audit.json in the run folder.

    Raises:
        DataError: data that cannot be used.
    """
    number = count_scenes(config)
    with session.reporter.task("scenes", number) as advance:
        study = study_patches(config, progress=advance)
    counts = {name: _counts(part) for name, part in _parts(study).items()}
    for name, found in counts.items():
        session.log.info(
            f"{name}: {found['patches']} patches, {found['positive_patches']} with landslide, "
            f"{100 * found['landslide_share']:.2f} % of {found['pixels']:,} pixels"
        )
    return StudyData(study=study, digest=_digest(study), counts=counts, audit=None)


def _parts(study: StudyPatches) -> dict[str, PatchSet]:
    return {"training": study.training, "validation": study.validation, "test": study.test}


def _counts(patches: PatchSet) -> dict[str, Any]:
    counted = patches.counted
    landslide = patches.truth & counted
    pixels = int(counted.sum())
    return {
        "patches": len(patches),
        "positive_patches": int(landslide.any(axis=(1, 2)).sum()),
        "pixels": pixels,
        "landslide_pixels": int(landslide.sum()),
        "landslide_share": float(landslide.sum() / max(pixels, 1)),
    }


def _digest(study: StudyPatches) -> str:
    """Of values, masks, origins and roles: what a model depends on."""
    digest = hashlib.sha256()
    patches = study.patches
    digest.update(repr((patches.bands, patches.unit, patches.pixel_m, patches.origin)).encode())
    digest.update(np.ascontiguousarray(study.split.role).tobytes())
    for array in (
        patches.image, patches.valid, patches.truth, patches.known, patches.pre,
        patches.pre_valid, patches.elevation_m,
    ):  # fmt: skip
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
