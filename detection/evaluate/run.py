"""Score one map of probability against truth: the one entry to this room."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from detection.evaluate.ground import Ground, lay_out
from detection.evaluate.objects import Objects, find_objects, size_classes
from detection.evaluate.outlines import outline_counts, outline_scores
from detection.evaluate.pixels import (
    Pixels,
    average_precision,
    count_scores,
    gather_pixels,
    unit_counts,
)
from detection.evaluate.record import ALL, POSITIVES, Evaluation, Protocol, Site
from detection.evaluate.settings import (
    BOUNDARY_PX,
    SIZE_EDGES_M2,
    SIZE_EDGES_PX,
    EvaluationSettings,
    SiteName,
)
from detection.evaluate.units import Units, make_units
from detection.patches.patch_set import PatchOrigin, PatchSet
from hazard.errors import DataError

SITE_OF: Mapping[SiteName, Callable[[PatchOrigin | Ground], str]] = {
    "region": lambda origin: origin.region,
    "epoch": lambda origin: origin.epoch,
    "region_epoch": lambda origin: f"{origin.region} {origin.epoch}",
    "scene": lambda origin: origin.scene,
}


def evaluate_patches(
    probability: Float[ndarray, "patch y x"],
    patch_set: PatchSet,
    threshold: float,
    *,
    model: str = "model",
    data: str = "patches",
    threshold_origin: str = "given",
    settings: EvaluationSettings | None = None,
) -> Evaluation:
    """Scores with intervals, of all patches and of those with landslides.

    Every pixel of ground that was seen and mapped counts once: patches that overlap are put
    together first (`detection.evaluate.ground`). Patches without landslides are scored like all
    others; the second row of scores leaves them out, as the papers do.

    Args:
        probability: of landslide, for every patch; anything where a pixel does not count.
        patch_set: truth, what counts, and where patches lie.
        threshold: mapped where the probability is at least this; chosen without these patches.
        model: name for tables.
        data: name of the patches, such as the split.
        threshold_origin: where the threshold comes from, for tables.
        settings: `EvaluationSettings()` where None.

    Raises:
        DataError: no patches, nothing that counts, or probabilities that are none.
        ValueError: a threshold outside 0 to 1, or settings that do not go with these patches.

    Example:
        >>> origin = (PatchOrigin(scene="a", region="a", epoch="1", row=0, column=0),)
        >>> truth = np.zeros((1, 8, 8), bool); truth[0, 2:5, 2:5] = True
        >>> patches = PatchSet(bands=("red",), unit="1", pixel_m=5.0, truth=truth, origin=origin,
        ...     image=np.zeros((1, 8, 8, 1), np.float32), valid=truth | True, known=truth | True)
        >>> evaluation = evaluate_patches(np.where(truth, 0.9, 0.1), patches, 0.5)
        >>> evaluation.score("f1").value, evaluation.score("f1").note
        (1.0, 'no interval: one patch')
    """
    chosen = settings or EvaluationSettings()
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"threshold {threshold}; use one from 0 to 1")
    if len(patch_set) == 0 or not patch_set.counted.any():
        raise DataError("patches", found="no pixel that was seen and mapped", expected="some")
    tolerance = _tolerance_px(chosen, patch_set.pixel_m)
    scored = _Scored(probability, patch_set, threshold, chosen, tolerance)
    positive = np.flatnonzero((patch_set.truth & patch_set.counted).any(axis=(1, 2)))
    protocols = [scored.protocol(ALL)]
    if 0 < positive.size < len(patch_set):
        kept = patch_set.select(positive)
        few = _Scored(np.asarray(probability)[positive], kept, threshold, chosen, tolerance)
        protocols.append(few.protocol(POSITIVES))
    elif positive.size:
        protocols.append(scored.protocol(POSITIVES))
    return Evaluation(
        model=model, data=data, threshold=float(threshold), threshold_origin=threshold_origin,
        synthetic=patch_set.synthetic, pixel_m=patch_set.pixel_m,
        patch_px=int(patch_set.truth.shape[1]), unit=scored.units.name,
        boundary_tolerance_px=tolerance, settings=chosen, protocols=tuple(protocols),
        sites=scored.sites(), unit_keys=scored.units.keys, unit_counts=scored.counts,
        landslides=scored.landslides, mapped=scored.mapped,
    )  # fmt: skip


class _Scored:
    """One choice of patches, laid out once."""

    def __init__(
        self,
        probability: ndarray,
        patches: PatchSet,
        threshold: float,
        settings: EvaluationSettings,
        tolerance_px: float,
    ) -> None:
        self.patches, self.settings, self.tolerance_px = patches, settings, tolerance_px
        self.threshold = threshold
        self.grounds = lay_out(probability, patches)
        self.units: Units = make_units(
            self.grounds, settings, pixel_m=patches.pixel_m,
            patch_px=max(patches.truth.shape[1:]),
        )  # fmt: skip
        self.pixels: Pixels = gather_pixels(self.grounds, self.units)
        self.counts = unit_counts(self.pixels, threshold, len(self.units.keys))
        self.landslides: Objects = find_objects(self.grounds, self.units, threshold, mapped=False)
        self.mapped: Objects = find_objects(self.grounds, self.units, threshold, mapped=True)

    def protocol(self, name: str) -> Protocol:
        units, pixel_m = self.units, self.patches.pixel_m
        ranked, curve, ceiling = average_precision(self.pixels, units)
        outlines = outline_counts(self.grounds, units, self.threshold, self.tolerance_px)
        edges = self.settings.size_edges or (SIZE_EDGES_PX if pixel_m is None else SIZE_EDGES_M2)
        tp, fp, fn, tn = (int(n) for n in self.counts.sum(axis=0))
        return Protocol(
            name=name, patches=len(self.patches), pixels=tp + fp + fn + tn,
            landslide_pixels=tp + fn, counts=(tp, fp, fn, tn), units=len(units.keys),
            scores={
                **count_scores(self.counts, units), "average_precision": ranked,
                **outline_scores(outlines, units),
            },
            ceiling=ceiling, curve=curve,
            sizes=size_classes(
                self.landslides, self.mapped, units, edges=edges, pixel_m=pixel_m,
                overlap=self.settings.object_overlap,
            ),
        )  # fmt: skip

    def sites(self) -> tuple[Site, ...]:
        """Scores site by site, each from draws of its own units."""
        name_of = SITE_OF[self.settings.sites]
        names = list(dict.fromkeys(name_of(ground) for ground in self.grounds))
        return tuple(self._site(name, name_of) for name in names)

    def _site(self, name: str, name_of: Callable[[PatchOrigin | Ground], str]) -> Site:
        grounds = tuple(g for g in self.grounds if name_of(g) == name and g.counted.any())
        patches = sum(name_of(origin) == name for origin in self.patches.origin)
        if not grounds:
            return Site(name=name, patches=patches, pixels=0, landslide_pixels=0, units=0,
                        scores={})  # fmt: skip
        units = make_units(
            grounds, self.settings, pixel_m=self.patches.pixel_m,
            patch_px=max(self.patches.truth.shape[1:]),
        )  # fmt: skip
        pixels = gather_pixels(grounds, units)
        counts = unit_counts(pixels, self.threshold, len(units.keys))
        return Site(
            name=name, patches=patches, pixels=int(counts.sum()),
            landslide_pixels=int(counts[:, [0, 2]].sum()), units=len(units.keys),
            scores={
                **count_scores(counts, units),
                "average_precision": average_precision(pixels, units)[0],
            },
        )  # fmt: skip


def _tolerance_px(settings: EvaluationSettings, pixel_m: float | None) -> float:
    if settings.boundary_tolerance_m is None or pixel_m is None:
        # Metres mean nothing where nobody knows the size of a pixel; the record says pixels.
        return BOUNDARY_PX
    return settings.boundary_tolerance_m / pixel_m
