"""The record of an evaluation: one model on one set of patches, JSON both ways."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from detection.evaluate.objects import Objects, SizeClass
from detection.evaluate.pixels import Ceiling, Curve
from detection.evaluate.settings import EvaluationSettings
from detection.evaluate.units import Score
from hazard.errors import DataError

LAYOUT, LAYOUT_VERSION = "detection-evaluation", 1
ALL, POSITIVES = "all", "positives"
PROTOCOLS: Mapping[str, str] = {
    ALL: "all patches",
    POSITIVES: "patches with landslides only, as in the papers",
}
SCORES: Mapping[str, str] = {
    "f1": "F1",
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "mcc": "MCC",
    "average_precision": "average precision",
    "boundary_f1": "boundary F1",
    "boundary_precision": "boundary precision",
    "boundary_recall": "boundary recall",
}
"""Keys and names of all scores, in the order of tables."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Protocol:
    """Scores of one choice of patches.

    Attributes:
        name: ``all``, or ``positives``: without patches that hold no landslide. The second row is
            how the papers score; it never sees a false alarm on stable ground far from landslides.
        patches: number of patches.
        pixels: pixels of ground that count, each once.
        landslide_pixels: those of landslide.
        counts: true positives, false positives, false negatives, true negatives.
        units: number of units that were drawn.
        scores: by the keys of `SCORES`.
        ceiling: best F1 of any threshold on these very pixels; None where there is none.
        curve: precision-recall curve, or None.
        sizes: objects by size, the last row over all sizes.
    """

    name: str
    patches: int
    pixels: int
    landslide_pixels: int
    counts: tuple[int, int, int, int]
    units: int
    scores: Mapping[str, Score]
    ceiling: Ceiling | None
    curve: Curve | None
    sizes: tuple[SizeClass, ...]

    @property
    def base_rate(self) -> float:
        """Share of landslide: the average precision of chance [-]."""
        return self.landslide_pixels / self.pixels if self.pixels else math.nan


@dataclass(frozen=True, kw_only=True)
class Site:
    """Scores of one site: a region, an epoch, or a scene.

    Attributes:
        name: of the site.
        patches: number of patches.
        pixels: pixels that count.
        landslide_pixels: those of landslide.
        units: number of units that were drawn.
        scores: of the counts and average precision.
    """

    name: str
    patches: int
    pixels: int
    landslide_pixels: int
    units: int
    scores: Mapping[str, Score]


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Everything that was scored of one model on one set of patches.

    Attributes:
        model: its name.
        data: name of the patches (of a study, a split).
        threshold: mapped where the probability is at least this.
        threshold_origin: where it comes from, in words.
        synthetic: True where any patch was rendered.
        pixel_m: side of a pixel [m], or None.
        patch_px: side of a patch [px].
        unit: what was drawn, in words.
        boundary_tolerance_px: distance within which outlines agree [px].
        settings: of the evaluation.
        protocols: all patches, and those with landslides.
        sites: rows of the table of sites, all patches.
        unit_keys: names of the units, all patches.
        unit_counts: (unit, 4) their counts, for paired differences between models.
        landslides: true objects, all patches; None in a record that was read from a file.
        mapped: mapped objects, likewise.
    """

    model: str
    data: str
    threshold: float
    threshold_origin: str
    synthetic: bool
    pixel_m: float | None
    patch_px: int
    unit: str
    boundary_tolerance_px: float
    settings: EvaluationSettings
    protocols: tuple[Protocol, ...]
    sites: tuple[Site, ...]
    unit_keys: tuple[str, ...]
    unit_counts: Float[ndarray, "unit 4"]
    landslides: Objects | None = field(default=None, repr=False)
    mapped: Objects | None = field(default=None, repr=False)

    @property
    def distinct(self) -> tuple[Protocol, ...]:
        """The choices of patches that differ: one, where every patch holds a landslide."""
        first, *others = self.protocols
        return (first, *(p for p in others if p.patches < first.patches))

    def protocol(self, name: str = ALL) -> Protocol:
        """The scores of a choice of patches.

        Raises:
            KeyError: it was not scored.
        """
        for protocol in self.protocols:
            if protocol.name == name:
                return protocol
        raise KeyError(name)

    def score(self, name: str = "f1", protocol: str = ALL) -> Score:
        """One score."""
        return self.protocol(protocol).scores[name]

    def to_json(self) -> dict[str, Any]:
        """Plain values without NaN (null instead); objects are not in it."""
        return {
            "layout": LAYOUT, "layout_version": LAYOUT_VERSION,
            "model": self.model, "data": self.data, "threshold": self.threshold,
            "threshold_origin": self.threshold_origin, "synthetic": self.synthetic,
            "pixel_m": self.pixel_m, "patch_px": self.patch_px, "unit": self.unit,
            "boundary_tolerance_px": self.boundary_tolerance_px,
            "settings": asdict(self.settings),
            "protocols": [_plain(protocol) for protocol in self.protocols],
            "sites": [_plain(site) for site in self.sites],
            "units": {"keys": list(self.unit_keys), "counts": self.unit_counts.tolist()},
        }  # fmt: skip

    @classmethod
    def from_json(cls, record: Mapping[str, Any], *, source: str = "evaluation") -> Evaluation:
        """The record behind `to_json`.

        Raises:
            DataError: another layout or version, or a key that is missing or strange.
        """
        found = record.get("layout"), record.get("layout_version")
        if found != (LAYOUT, LAYOUT_VERSION):
            raise DataError(
                source, found=f"layout {found[0]!r}, version {found[1]!r}",
                expected=f"{LAYOUT!r}, version {LAYOUT_VERSION}",
            )  # fmt: skip
        try:
            settings = dict(record["settings"])
            edges = settings["size_edges"]
            settings["size_edges"] = None if edges is None else tuple(edges)
            return cls(
                settings=EvaluationSettings(**settings),
                protocols=tuple(_protocol(p) for p in record["protocols"]),
                sites=tuple(
                    Site(**{**site, "scores": _scores(site["scores"])}) for site in record["sites"]
                ),
                unit_keys=tuple(record["units"]["keys"]),
                unit_counts=np.asarray(record["units"]["counts"], np.float64).reshape(-1, 4),
                **{
                    key: record[key]
                    for key in (
                        "model", "data", "threshold", "threshold_origin", "synthetic", "pixel_m",
                        "patch_px", "unit", "boundary_tolerance_px",
                    )
                },
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                source, found=f"a record that cannot be used ({error!r})",
                expected=f"layout {LAYOUT!r}, version {LAYOUT_VERSION}",
            ) from error  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def _scores(values: Mapping[str, Any]) -> dict[str, Score]:
    return {name: _score(value) for name, value in values.items()}


def _score(value: Mapping[str, Any]) -> Score:
    numbers = {k: math.nan if value[k] is None else value[k] for k in ("value", "low", "high")}
    return Score(**numbers, note=value["note"])


def _protocol(value: Mapping[str, Any]) -> Protocol:
    curve, ceiling = value["curve"], value["ceiling"]
    if curve is not None:
        # The first threshold is infinite, which JSON does not have: nothing is mapped there.
        curve = {k: [np.inf if x is None else x for x in v] for k, v in curve.items()}
    sizes = [
        SizeClass(**{**s, "recall": _score(s["recall"]), "precision": _score(s["precision"])})
        for s in value["sizes"]
    ]
    return Protocol(
        **{k: value[k] for k in ("name", "patches", "pixels", "landslide_pixels", "units")},
        counts=tuple(value["counts"]), scores=_scores(value["scores"]),
        ceiling=None if ceiling is None else Ceiling(**ceiling),
        curve=None if curve is None else Curve(**{k: np.asarray(v) for k, v in curve.items()}),
        sizes=tuple(sizes),
    )  # fmt: skip
