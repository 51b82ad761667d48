"""What a network is made of, by named part, and how far it sees; nothing is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flax import nnx

from detection.models.base import Network
from detection.models.registry import MODELS, build_model
from detection.models.span import ReceptiveField
from hazard.training.functional import variables_of


@dataclass(frozen=True)
class PartSize:
    """Numbers in a part of a network.

    Attributes:
        parameters: trainable numbers.
        statistics: running means and variances of batch norms.
    """

    parameters: int
    statistics: int

    @property
    def total(self) -> int:
        """Both."""
        return self.parameters + self.statistics


def abstract_model(name: str, settings: Mapping[str, Any]) -> Network:
    """The network with shapes in place of arrays."""
    return nnx.eval_shape(lambda: build_model(name, settings, nnx.Rngs(0)))


def part_names(module: nnx.Module) -> dict[str, tuple[str, ...]]:
    """Names of the arrays, parameters and running statistics, of every part.

    Example:
        >>> part_names(abstract_model("default", {}))["head"]
        ('head/conv/bias', 'head/conv/kernel', 'head/logit/bias', 'head/logit/kernel',
         'head/norm/bias', 'head/norm/scale')
    """
    variables = variables_of(module)
    parts: dict[str, list[str]] = {}
    for name in sorted([*variables.params, *variables.stats]):
        parts.setdefault(name.split("/")[0], []).append(name)
    return {part: tuple(names) for part, names in parts.items()}


def part_sizes(module: nnx.Module) -> dict[str, PartSize]:
    """Numbers in every part.

    Example:
        >>> sizes = part_sizes(abstract_model("unet", {"bands": 5, "variant": "nepal"}))
        >>> sizes["bridge"], sum(size.total for size in sizes.values())
        (PartSize(parameters=886272, statistics=1024), 1947281)
    """
    variables = variables_of(module)

    def size(part: str, arrays: Mapping[str, Any]) -> int:
        return sum(int(v.size) for name, v in arrays.items() if name.split("/")[0] == part)

    return {
        part: PartSize(size(part, variables.params), size(part, variables.stats))
        for part in part_names(module)
    }


def receptive_field(name: str, settings: Mapping[str, Any]) -> ReceptiveField:
    """Pixels that a logit depends on.

    Example:
        >>> receptive_field("unet", {"variant": "hr_gldd"})
        ReceptiveField(before_px=108, after_px=123, stride_px=16)
    """
    return abstract_model(name, settings).receptive_field()


def table(settings: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """A markdown table of all networks.

    Args:
        settings: settings by name of network; its defaults where a name is absent.
    """
    lines = [
        "| network | inputs | parameters | statistics | patch sides | receptive field |",
        "|---|---|---:|---:|---|---|",
    ]
    for name in MODELS:
        chosen = dict((settings or {}).get(name, {}))
        module = abstract_model(name, chosen)
        sizes = part_sizes(module).values()
        inputs = ", ".join(f"{key} {bands}" for key, bands in module.config.inputs.items())
        shown = ", ".join(f"{key}={value}" for key, value in chosen.items())
        lines.append(
            f"| `{name}`{f' ({shown})' if shown else ''} | {inputs} "
            f"| {sum(size.parameters for size in sizes):,} "
            f"| {sum(size.statistics for size in sizes):,} "
            f"| multiples of {module.config.size_multiple} "
            f"| {module.receptive_field_px()} px |"
        )
    return "\n".join(lines)
