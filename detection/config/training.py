"""What is trained, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from detection.config.data import Count, Positive
from hazard.config.validation import Section

Rate = Annotated[float, Field(gt=0.0, lt=10.0)]
Recipe = Literal[
    "default",
    "rasuwa_text",
    "rasuwa_code",
    "adsms",
    "bitemporal",
    "hr_gldd_text",
    "hr_gldd_code",
]


class LossConfig(Section):
    """One summand of a loss."""

    term: Literal["cross_entropy", "tversky", "focal_tversky", "dice"]
    """which loss"""
    factor: float = 1.0
    """what it is multiplied by"""
    options: dict[str, Any] = Field(default_factory=dict)
    """its settings: output, false_negative_weight, false_positive_weight, exponent, smooth, ..."""


class ImbalanceConfig(Section):
    """Tools against landslides being rare."""

    positive_weight: Positive | Literal["balanced"] | None = None
    """weight of landslide pixels in the cross-entropy; balanced: the others per landslide pixel"""
    positive_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """share of patches with landslide among the draws of an epoch; absent: each patch once"""
    restore_prior: bool = True
    """take the shift of the log odds back where the loss is cross-entropy alone"""


class AugmentationConfig(Section):
    """Random changes of training patches, after the split, on the device."""

    preset: str | None = None
    """name of a menu (none, default, adsms, bitemporal, ...); absent: that of the recipe"""
    changes: dict[str, Any] = Field(default_factory=dict)
    """settings of the menu to replace"""


class TrainingConfig(Section):
    """How networks are trained: a recipe, and what is changed in it."""

    recipe: Recipe = "default"
    """whose optimiser, schedule, batch, epochs, loss and rule for the kept weights"""
    epochs: Count | None = None
    """passes over the patches; absent: the recipe's, as for all that follow"""
    batch_size: Count | None = None
    """patches per step"""
    learning_rate: Rate | None = None
    """largest learning rate"""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """decoupled decay; makes the rule adamw"""
    loss: tuple[LossConfig, ...] | None = None
    """summands of the loss"""
    keep: Literal["best", "last"] | None = None
    """weights to end with: of the best validation value, or the last"""
    patience: Count | None = None
    """epochs without a better validation value before training stops"""
    augmentation: AugmentationConfig = AugmentationConfig()
    """random changes of the patches"""
    imbalance: ImbalanceConfig = ImbalanceConfig()
    """tools against landslides being rare"""
    members: Count = 1
    """networks of different seeds whose probabilities are averaged"""
    compute: Literal["float32", "bfloat16"] = "float32"
    """type of the computation; bfloat16 (weights and sums stay float32) pays on a GPU alone"""
    devices: Count | None = None
    """devices that share each batch; absent: one"""
    threshold: Literal["f1", "mcc"] = "f1"
    """what the threshold makes large on the validation part"""
    watch: bool = False
    """compute validation losses also where they decide nothing"""
    save_every_s: Positive = 60.0
    """seconds between checkpoints"""


class NetworkConfig(Section):
    """A network of the comparison."""

    name: str = "default"
    """name of the network: python -m detection.models lists them"""
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None = None
    """in tables and folders; absent: the name"""
    settings: dict[str, Any] = Field(default_factory=dict)
    """its settings (filters, variant, widths, ...); bands follow from the preparation"""
    training: dict[str, Any] = Field(default_factory=dict)
    """keys of training that differ for this network"""
    preparation: dict[str, Any] = Field(default_factory=dict)
    """keys of preparation that differ for this network"""

    @property
    def title(self) -> str:
        """Label, or name."""
        return self.label or self.name


class GridConfig(Section):
    """A search over settings of training; every combination is judged on validation patches."""

    network: str | None = None
    """label of the network; absent: the first"""
    learning_rate: tuple[Rate, ...] = ()
    """values to try"""
    batch_size: tuple[Count, ...] = ()
    """values to try"""
    filters: tuple[Count, ...] = ()
    """values to try, for networks that have this setting"""
    epochs: Count | None = None
    """epochs of each trial; absent: those of the training"""
    use_best: bool = True
    """train the network with the best combination afterwards"""

    @model_validator(mode="after")
    def _something_to_try(self) -> GridConfig:
        if not (self.learning_rate or self.batch_size or self.filters):
            raise ValueError(
                "found a grid without values; expected some of learning_rate, batch_size, filters"
            )
        return self
