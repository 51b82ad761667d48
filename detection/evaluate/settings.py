"""What is scored, and what the intervals speak of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

UnitName = Literal["auto", "block", "patch", "scene", "region"]
SiteName = Literal["region", "epoch", "region_epoch", "scene"]

SIZE_EDGES_M2 = (0.0, 500.0, 2_000.0, 10_000.0, 50_000.0)
SIZE_EDGES_PX = (0.0, 20.0, 100.0, 500.0, 2_500.0)
BOUNDARY_PX = 2.0


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """Settings of an evaluation.

    Attributes:
        unit: what the bootstrap draws: blocks of ground, patches, scenes or regions; ``auto`` is
            blocks where patches say where they lie on a scene, and patches where they do not.
        block_m: side of a block [m]; the side of a patch where None. Blocks of all epochs of a
            region are drawn together.
        draws: number of bootstrap draws.
        level: nominal coverage of the intervals.
        seed: of the draws; models that share it are compared on the same draws.
        boundary_tolerance_m: distance within which outlines agree [m]; two pixels where None.
        object_overlap: share of a landslide that must be mapped for it to count as found.
        size_edges: lower ends of the size classes, rising from 0 [m2; pixels where the size of a
            pixel is not known]; `SIZE_EDGES_M2` or `SIZE_EDGES_PX` where None.
        sites: what the rows of the table of sites are.

    Raises:
        ValueError: a setting that makes no sense.
    """

    unit: UnitName = "auto"
    block_m: float | None = None
    draws: int = 1000
    level: float = 0.95
    seed: int = 0
    boundary_tolerance_m: float | None = None
    object_overlap: float = 0.5
    size_edges: tuple[float, ...] | None = None
    sites: SiteName = "region"

    def __post_init__(self) -> None:
        if self.draws < 1 or not 0.0 < self.level < 1.0:
            raise ValueError(f"{self.draws} draws at level {self.level}; use at least 1, in (0, 1)")
        for name in ("block_m", "boundary_tolerance_m"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise ValueError(f"{name} {value}; use a length above 0")
        if not 0.0 < self.object_overlap <= 1.0:
            raise ValueError(f"object_overlap {self.object_overlap}; use a share in (0, 1]")
        edges = self.size_edges
        if edges is not None and (
            not edges or edges[0] != 0.0 or any(b <= a for a, b in pairwise(edges))
        ):
            raise ValueError(f"size_edges {edges}; use rising numbers from 0 on")
