"""A trained detection model: everything that turns raw values into a map of probabilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from numpy import ndarray

from detection.models.registry import build_model
from detection.models.span import ReceptiveField
from detection.patches.patch_set import PatchSet
from detection.patches.preparation import Preparation, batch_arrays
from detection.training.prepared import PreparedNetwork
from detection.training.threshold import ThresholdChoice
from hazard.training.ensemble import count_members, member_mode, over_members
from hazard.training.functional import Functional, Variables, functional


@dataclass(frozen=True, eq=False, kw_only=True)
class DetectionModel:
    """A network with its preparation, threshold and record.

    Attributes:
        network_name: name in `detection.models`.
        settings: its settings, numbers of bands included.
        preparation: bands, unit, indices, topography and standardisation.
        variables: parameters and running statistics, stacked over members; the names begin with
            ``network/``.
        threshold: where the map is cut, and how that was chosen.
        pixel_m: side of a pixel of the training patches [m]; None where nobody knows.
        logit_shift: taken from every logit: what oversampling and class weights added to it.
        provenance: plain JSON: recipe, seed, prior, digest of the split, history in short.
    """

    network_name: str
    settings: Mapping[str, Any]
    preparation: Preparation
    variables: Variables
    threshold: ThresholdChoice
    pixel_m: float | None
    logit_shift: float = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def module(self) -> PreparedNetwork:
        """The graph; its own arrays are shapes alone."""
        made: PreparedNetwork = nnx.eval_shape(
            lambda: PreparedNetwork(
                build_model(self.network_name, self.settings, nnx.Rngs(0)), self.preparation
            )
        )
        return made

    @cached_property
    def functional(self) -> Functional:
        """The network as a pure function of its variables and a raw batch."""
        return functional(self.module)

    @property
    def members(self) -> int:
        """Networks whose probabilities are averaged."""
        return count_members(self.variables)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the raw arrays that the model reads."""
        names = ["image", "valid"]
        names += ["pre", "pre_valid"] if self.preparation.use_pre else []
        return (*names, "elevation_m") if self.preparation.topography else tuple(names)

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """How far a pixel of the map sees; one pixel more where topography takes differences."""
        found = self.module.network.receptive_field()
        if not self.preparation.topography:
            return found
        return ReceptiveField(
            before_px=found.before_px + 1,
            after_px=found.after_px + 1,
            stride_px=found.stride_px,
        )

    def forward(self, variables: Variables, batch: Mapping[str, Array]) -> Array:
        """(patch, y, x) probability, mean over members; pure, for use inside jit.

        Args:
            variables: `self.variables`; an argument, so that tracing compiles no weights in.
            batch: raw arrays, those named in `inputs` at least.
        """
        return _forward(self.functional, self.members, self.logit_shift, variables, batch)

    @cached_property
    def _compiled(self) -> Callable[..., Array]:
        # Shared by models that differ in weights and threshold alone: the stages of a chain, the
        # trials of a grid, a model before and after its threshold was chosen.
        settings = json.dumps(dict(self.settings), sort_keys=True)
        key = (self.network_name, settings, self.preparation, self.members, self.logit_shift)
        if key not in _PROGRAMS:
            if len(_PROGRAMS) >= MOST_PROGRAMS:
                _PROGRAMS.clear()
            _PROGRAMS[key] = jax.jit(
                partial(_forward, self.functional, self.members, self.logit_shift)
            )
        return _PROGRAMS[key]

    def probability(self, batch: Mapping[str, ndarray | Array]) -> Float[ndarray, "patch y x"]:
        """Probability of landslide of a raw batch, float32; one program per shape.

        Args:
            batch: the arrays named in `inputs`, in the unit of the preparation; others are left.

        Raises:
            ValueError: an array that the model reads is not there.
        """
        lacking = [name for name in self.inputs if name not in batch]
        if lacking:
            raise ValueError(f"no {lacking[0]!r} in the batch; it has {', '.join(sorted(batch))}")
        chosen = {name: jnp.asarray(batch[name]) for name in self.inputs}
        return np.asarray(self._compiled(self.variables, chosen))

    def with_threshold(self, choice: ThresholdChoice) -> DetectionModel:
        """The same model, cut elsewhere."""
        return replace(self, threshold=choice)


def _forward(
    apply: Functional,
    members: int,
    logit_shift: float,
    variables: Variables,
    batch: Mapping[str, Array],
) -> Array:
    def one(own: Variables, raw: Mapping[str, Array]) -> Array:
        outputs, _ = apply(own, raw, train=False)
        return jax.nn.sigmoid(outputs["logit"] - logit_shift)

    lifted = over_members(one, members, mode=member_mode(), shared=(1,))
    return jnp.mean(lifted(variables, batch), axis=0)


MOST_PROGRAMS = 32
_PROGRAMS: dict[Hashable, Callable[..., Array]] = {}


def predict_patches(
    model: DetectionModel,
    patches: PatchSet,
    *,
    batch_size: int = 16,
    progress: Callable[[int], None] | None = None,
) -> Float[ndarray, "patch y x"]:
    """Probability of landslide of every pixel, batch by batch in one compiled shape.

    Args:
        model: see there.
        patches: in bands, unit and pixel of the model.
        batch_size: patches per program; the last batch is filled up.
        progress: called with the number of patches done.

    Raises:
        DataError: patches of other bands, unit or pixel.
        ValueError: patches without an array that the model reads.
    """
    model.preparation.require(patches.bands, patches.unit, patches.pixel_m)
    number = len(patches)
    found = np.empty(patches.truth.shape, np.float32)
    for start in range(0, number, batch_size):
        rows = np.arange(start, min(start + batch_size, number))
        filled = np.resize(rows, batch_size)
        found[rows] = model.probability(batch_arrays(patches.select(filled)))[: rows.size]
        if progress is not None:
            progress(rows.size)
    return found
