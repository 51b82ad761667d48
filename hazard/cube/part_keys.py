"""Keys of the parts of a cube: equal keys mean equal arrays, so a part need not be built again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hazard.config.schema import HazardConfig
from hazard.cube.grids import StudyGrids
from hazard.cube.layout import LAYOUT_VERSION


def digest(value: Any) -> str:
    """SHA-256 of plain values, whatever the order of their keys.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def code_version() -> str:
    """Version of this package: another one may compute a layer differently."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("landslide-hazard")
    except PackageNotFoundError:
        return "not installed"


def part_keys(config: HazardConfig, grids: StudyGrids, hashes: dict[str, str]) -> dict[str, str]:
    """The key of every part: a hash of the settings and input files it depends on.

    Args:
        config: complete configuration.
        grids: lattices.
        hashes: SHA-256 per input file.
    """
    values = config.model_dump(mode="json")

    def inputs(section: Any) -> dict[str, str]:
        """Hashes of the files that a section names, wherever in it they stand."""
        text = json.dumps(section)
        return {path: digest for path, digest in hashes.items() if json.dumps(path) in text}

    def key(*parts: Any) -> str:
        sections = [part for part in parts if not isinstance(part, str)]
        return digest(
            [LAYOUT_VERSION, code_version(), grids.as_json(), list(parts), inputs(sections)]
        )

    study = values["study"]
    # Elevation decides the mask of an inventory without a raster of mapped cells.
    target = key(study, values["target"], values["terrain"] if _mask_from_dem(config) else None)
    terrain = key(target, values["terrain"])
    return {
        "target": target,
        "terrain": terrain,
        "flow": key(terrain, "flow"),
        "layers": key(terrain, values["layers"]),
        "triggers": key(target, values["shaking"], values["rain"], values["terrain"]),
        "folds": key(
            target,
            values["cube"]["folds"],
            values["cube"]["patches"],
            values["seed"],
            # The audit looks as far as the past records of any forecaster do.
            [values["fit"]["network"]["past_windows"], values["fit"]["baseline_past_windows"]],
        ),
    }


def _mask_from_dem(config: HazardConfig) -> bool:
    target = config.target
    return target is not None and target.kind != "density_raster" and target.mask is None
