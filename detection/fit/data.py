"""The patches of a run: read or rendered, split, hashed, and looked over for leaks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detection.config.data import StudyConfig
from detection.fit.folder import AUDIT, MANIFEST
from detection.fit.inputs import data_files, data_root
from detection.patches.audit import audit, leaks, refuse_leaks
from detection.patches.manifest import write_manifest
from detection.patches.patch_set import PatchSet
from detection.runs.record import write_json
from detection.training.study import StudyPatches, count_scenes, study_patches
from stats.command.frame import Session

# Single patches dealt out, and the parts that others made: what they share is told, not refused.
PROMISE_NOTHING = ("random_patches", "given")


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyData:
    """Patches of a run, and what the records say of them.

    Attributes:
        study: patches and roles.
        digest: SHA-256 of the manifest: of every patch, its role, and the files behind them.
        counts: patches, pixels that count and landslide pixels of every part, plain JSON.
        audit: what the audit for leaks found, one line each.
    """

    study: StudyPatches
    digest: str
    counts: dict[str, Any]
    audit: tuple[str, ...]

    @property
    def synthetic(self) -> bool:
        """True where any patch was rendered."""
        return self.study.patches.synthetic


def study_data(config: StudyConfig, run: Path, session: Session) -> StudyData:
    """Patches of a study; manifest.json and audit.json in the run folder.

    Raises:
        DataError: data that cannot be used, or parts that share what they should not; a split by
            random patches, which promises nothing, is warned of instead.
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
    findings = audit(study.patches, study.split, grids=study.grids or None)
    write_json(run / AUDIT, [asdict(finding) for finding in findings])
    if config.split.by not in PROMISE_NOTHING:
        refuse_leaks(findings)
    for finding in leaks(findings):
        session.log.warning(str(finding))
    digest = write_manifest(
        run / MANIFEST, study.patches, study.split, findings=findings,
        files=data_files(config.data), base=data_root(config.data),
        cut=config.patches.model_dump(mode="json"),
    )  # fmt: skip
    return StudyData(study=study, digest=digest, counts=counts, audit=tuple(map(str, findings)))


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
