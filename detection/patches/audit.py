"""What training and test share: ground, copies, neighbours; looked for whatever a split promises.

Findings are leaks, or expected where the scheme promises less (a split by epoch trains and tests on
one place), or warnings. Validation stops the training and chooses the threshold, so it is compared
with both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from detection.patches.adjoining import adjoining_patches
from detection.patches.duplicates import (
    FINE_CORRELATION,
    content_hashes,
    linked_groups,
    near_duplicates,
    signatures,
    turned_hashes,
)
from detection.patches.ground import by_region, ground_boxes
from detection.patches.patch_set import PatchSet
from detection.patches.split_record import NAMES, ROLES, Split
from hazard.errors import DataError
from hazard.geo.grid import Grid
from stats.resampling.folds import PLACE, TEST, TRAIN, VALIDATION

__all__ = ["Finding", "audit", "leaks", "linked_groups", "refuse_leaks"]

Severity = Literal["leak", "warning", "expected"]
PAIRS = tuple(combinations((TRAIN, VALIDATION, TEST), 2))


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that two roles share.

    Attributes:
        kind: what.
        roles: which two.
        count: how much of it.
        unit: of the count.
        severity: leak, warning or expected.
        example: one place where it is so.
    """

    kind: str
    roles: tuple[str, str]
    count: int
    unit: str
    severity: Severity
    example: str

    def __str__(self) -> str:
        one, other = self.roles
        return (
            f"{self.severity}: {self.kind} between {one} and {other}: {self.count:,} {self.unit} "
            f"({self.example})"
        )


def audit(
    patches: PatchSet,
    split: Split,
    *,
    grids: Mapping[str, Grid] | None = None,
    least_correlation: float = FINE_CORRELATION,
) -> tuple[Finding, ...]:
    """Everything that the roles of a split share.

    Looked for are ground that patches of two roles cover, at the same and at other epochs; patches
    closer than the split's buffer (adjoining ones, where it has none); exact copies, also turned
    and mirrored; near copies, also in another light (`detection.patches.duplicates`); and, among
    patches that are alone in their region because nobody placed them, those whose edges continue
    each other (`detection.patches.adjoining`), as a warning: it is their look that says so.

    Args:
        patches: the set, unused patches included or not.
        split: roles of its patches.
        grids: grid of every scene; where None, scenes of a region share one grid.
        least_correlation: of the details of near copies.

    Returns:
        Findings, leaks first; empty where nothing is shared.
    """
    if len(patches) != len(split.role):
        raise ValueError(f"{len(patches)} patches, {len(split.role)} roles")
    boxes = ground_boxes(patches, grids)
    turned = turned_hashes(patches)
    found = [
        *_shared_ground(patches, split, boxes),
        *_neighbours(patches, split, boxes),
        *_exact(patches, split, boxes, turned),
        *_near(patches, split, boxes, turned, least_correlation),
        *_unplaced(patches, split),
    ]
    order = {"leak": 0, "warning": 1, "expected": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.severity]))


def leaks(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that are leaks."""
    return tuple(finding for finding in findings if finding.severity == "leak")


def refuse_leaks(findings: Iterable[Finding], source: object = "split") -> None:
    """Raise where there is a leak.

    Raises:
        DataError: naming all of them.
    """
    if bad := leaks(findings):
        raise DataError(source, found="; ".join(map(str, bad)), expected="roles that share nothing")


def _names(pair: tuple[int, int]) -> tuple[str, str]:
    return NAMES[pair[0]], NAMES[pair[1]]


def _place(patches: PatchSet, number: int) -> str:
    origin = patches.origin[number]
    return f"{origin.scene} row {origin.row}, column {origin.column}"


def _painted(
    boxes: Float[ndarray, "patch 4"], rows: ndarray, cols: ndarray
) -> Bool[ndarray, "y x"]:
    """Cells between the edges that any of the boxes covers."""
    change = np.zeros((len(rows), len(cols)), dtype=np.int32)
    r0, r1 = np.searchsorted(rows, boxes[:, 0]), np.searchsorted(rows, boxes[:, 2])
    c0, c1 = np.searchsorted(cols, boxes[:, 1]), np.searchsorted(cols, boxes[:, 3])
    for row, col, step in ((r0, c0, 1), (r1, c1, 1), (r0, c1, -1), (r1, c0, -1)):
        np.add.at(change, (row, col), step)
    return change.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0


def _shared_ground(
    patches: PatchSet, split: Split, boxes: Float[ndarray, "patch 4"]
) -> list[Finding]:
    """Ground under patches of two roles: at the same epoch (the same pixels), and at any."""
    epoch = np.array([origin.epoch for origin in patches.origin])
    same = dict.fromkeys(PAIRS, 0.0)
    other = dict.fromkeys(PAIRS, 0.0)
    example: dict[tuple[tuple[int, int], bool], str] = {}
    for region, places in by_region(patches).items():
        used = places[split.role[places] > 0]
        if not len(used):
            continue
        rows = np.unique(boxes[used][:, [0, 2]])
        cols = np.unique(boxes[used][:, [1, 3]])
        area = np.diff(rows)[:, None] * np.diff(cols)[None]
        for pair in PAIRS:
            shared = np.zeros(area.shape, dtype=bool)
            covers = []
            for code in pair:
                of_role = used[split.role[used] == code]
                by_epoch = {
                    name: _painted(boxes[of_role[epoch[of_role] == name]], rows, cols)
                    for name in np.unique(epoch[of_role])
                }
                covers.append(by_epoch)
            for name in set(covers[0]) & set(covers[1]):
                both = covers[0][name] & covers[1][name]
                same[pair] += float(area[both].sum())
                shared |= both
                if both.any():
                    example.setdefault((pair, True), _cell(region, both, rows, cols))
            whole = [np.any(list(c.values()), axis=0) if c else shared * False for c in covers]
            revisited = whole[0] & whole[1] & ~shared
            other[pair] += float(area[revisited].sum())
            if revisited.any():
                example.setdefault((pair, False), _cell(region, revisited, rows, cols))
    elsewhen: Severity = "leak" if PLACE in split.separates else "expected"
    found = []
    for pair in PAIRS:
        cases: tuple[tuple[float, str, Severity, bool], ...] = (
            (same[pair], "ground of the same epoch", "leak", True),
            (other[pair], "ground at other epochs", elsewhen, False),
        )
        for area_px, kind, severity, key in cases:
            if area_px > 0:
                found.append(
                    Finding(
                        kind=kind, roles=_names(pair), count=max(1, round(area_px)),
                        unit="pixels of ground", severity=severity,
                        example=example[pair, key],
                    )
                )  # fmt: skip
    return found


def _cell(region: str, mask: ndarray, rows: ndarray, cols: ndarray) -> str:
    row, col = np.argwhere(mask)[0]
    return f"region {region}, row {rows[row]:g}, column {cols[col]:g}"


def _neighbours(patches: PatchSet, split: Split, boxes: Float[ndarray, "patch 4"]) -> list[Finding]:
    """Patches that overlap nothing of another role but lie closer to it than the buffer."""
    import shapely

    promised = PLACE in split.separates
    reach = max(split.buffer_px - 1e-3, 1e-3)
    count = {pair: set[int]() for pair in PAIRS}
    for places in by_region(patches).values():
        used = places[split.role[places] > 0]
        wide = shapely.box(
            boxes[used, 1] - reach, boxes[used, 0] - reach,
            boxes[used, 3] + reach, boxes[used, 2] + reach,
        )  # fmt: skip
        plain = shapely.box(boxes[used, 1], boxes[used, 0], boxes[used, 3], boxes[used, 2])
        one, other = shapely.STRtree(plain).query(wide, predicate="intersects")
        first, second = used[one], used[other]
        for pair in PAIRS:
            near = (split.role[first] == pair[0]) & (split.role[second] == pair[1])
            low = np.maximum(boxes[first, :2], boxes[second, :2])
            high = np.minimum(boxes[first, 2:], boxes[second, 2:])
            apart = (low - high).max(axis=1) > -1e-6
            count[pair] |= set(second[near & apart].tolist())
    kind = f"patches closer than {split.buffer_px:g} px" if split.buffer_px else "adjoining patches"
    return [
        Finding(
            kind=kind, roles=_names(pair), count=len(hit), unit=f"patches of {NAMES[pair[1]]}",
            severity="leak" if promised else "warning", example=_place(patches, min(hit)),
        )
        for pair, hit in count.items() if hit
    ]  # fmt: skip


def _revisit(patches: PatchSet, boxes: Float[ndarray, "patch 4"], one: int, other: int) -> bool:
    """Whether two patches show one place at two epochs."""
    a, b = patches.origin[one], patches.origin[other]
    gap = np.maximum(boxes[one, :2], boxes[other, :2]) - np.minimum(
        boxes[one, 2:], boxes[other, 2:]
    )
    return a.region == b.region and a.epoch != b.epoch and bool((gap < 0).all())


def _copies(
    patches: PatchSet,
    split: Split,
    boxes: Float[ndarray, "patch 4"],
    kind: str,
    pairs: Iterable[tuple[int, int]],
) -> list[Finding]:
    """Pairs of patches of different roles, by roles; a place revisited counts apart."""
    hits: dict[tuple[tuple[int, int], bool], list[tuple[int, int]]] = {}
    for one, other in pairs:
        first, second = sorted((one, other), key=lambda number: int(split.role[number]))
        codes = int(split.role[first]), int(split.role[second])
        again = _revisit(patches, boxes, first, second)
        hits.setdefault((codes, again), []).append((first, second))
    found = []
    for (codes, again), members in sorted(hits.items()):
        severity: Severity = "expected" if again and PLACE not in split.separates else "leak"
        first, second = members[0]
        found.append(
            Finding(
                kind=kind + (" of one place at two epochs" if again else ""), roles=_names(codes),
                count=len({second for _, second in members}), unit=f"patches of {NAMES[codes[1]]}",
                severity=severity,
                example=f"{_place(patches, first)} and {_place(patches, second)}",
            )
        )  # fmt: skip
    return found


def _by_hash(hashes: list[str], role: Int[ndarray, " patch"]) -> list[tuple[int, int]]:
    """For every patch, the first one of every other role with its hash."""
    first: dict[str, dict[int, int]] = {}
    pairs = []
    for number, text in enumerate(hashes):
        code = int(role[number])
        if code == ROLES["unused"]:
            continue
        seen = first.setdefault(text, {})
        pairs += [(other, number) for of, other in seen.items() if of != code]
        seen.setdefault(code, number)
    return pairs


def _exact(
    patches: PatchSet, split: Split, boxes: Float[ndarray, "patch 4"], turned: list[str]
) -> list[Finding]:
    plain = _by_hash(content_hashes(patches), split.role)
    others = sorted(set(_by_hash(turned, split.role)) - set(plain))
    return [
        *_copies(patches, split, boxes, "identical patches", plain),
        *_copies(patches, split, boxes, "turned or mirrored copies", others),
    ]


def _near(
    patches: PatchSet,
    split: Split,
    boxes: Float[ndarray, "patch 4"],
    turned: list[str],
    least: float,
) -> list[Finding]:
    marks = signatures(patches)
    pairs = near_duplicates(patches, role=split.role, least=least, marks=marks)
    others = [(p.first, p.second) for p in pairs if turned[p.first] != turned[p.second]]
    found = _copies(patches, split, boxes, "near copies", others)
    flat = marks.flat & (split.role == TEST)
    if flat.any():
        found.append(
            Finding(
                kind="patches without structure, not compared", roles=("train", "test"),
                count=int(flat.sum()), unit="patches of test", severity="expected",
                example=_place(patches, int(flat.argmax())),
            )
        )  # fmt: skip
    return found


def _unplaced(patches: PatchSet, split: Split) -> list[Finding]:
    """Neighbours among patches that are alone in their region, by the look of their edges."""
    alone = [places[0] for places in by_region(patches).values() if len(places) == 1]
    used = np.array([number for number in alone if split.role[number] > 0], dtype=np.int64)
    hits: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for pair in adjoining_patches(patches, among=used):
        one, other = sorted((pair.first, pair.second), key=lambda i: int(split.role[i]))
        codes = int(split.role[one]), int(split.role[other])
        if codes[0] != codes[1]:
            hits.setdefault(codes, []).append((one, other))
    return [
        Finding(
            kind="patches whose edges continue each other", roles=_names(codes),
            count=len({other for _, other in members}), unit=f"patches of {NAMES[codes[1]]}",
            severity="warning",
            example=f"{_place(patches, members[0][0])} and {_place(patches, members[0][1])}",
        )
        for codes, members in sorted(hits.items())
    ]  # fmt: skip
