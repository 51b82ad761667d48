"""A study of transfer between regions: which trainings, from which weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hazard.config.validation import Section

Rate = Annotated[float, Field(gt=0.0, lt=10.0)]


class VariantConfig(Section):
    """One way to fine-tune from region to region."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.]*$")]
    """in folders and tables"""
    frozen: tuple[str, ...] = ()
    """parts of the network (encoder, ...) that stay as they are, running statistics included; at
    least one part must be left to train"""
    learning_rate: Rate | None = None
    """of the fine-tuning; absent: that of trainings from fresh weights"""


class ChainConfig(Section):
    """python -m detection.chain: region after region, each from the weights of the one before."""

    order: Annotated[tuple[str, ...], Field(min_length=2)]
    """regions in the order of the chain"""
    event_epochs: dict[str, str] = Field(default_factory=dict)
    """epoch of each region that is trained on; absent: its first. The others are tested on"""
    network: str | None = None
    """label of the network; absent: the first of networks"""
    variants: Annotated[tuple[VariantConfig, ...], Field(min_length=1)] = (
        VariantConfig(name="full"),
    )
    """ways to fine-tune; the first is the subject of the study"""
    fine_tuning_epochs: Annotated[int, Field(ge=1)] | None = None
    """passes over the patches from the second region on; absent: those of the training"""
    joint_epochs: Annotated[int, Field(ge=1)] | None = None
    """passes over the patches of several regions together; absent: those of the training"""
    standardisation: Literal["first", "own"] = "first"
    """whose mean and scale the bands are standardised by. first: those of the training pixels of
    the first region, in every training of the study: a region of another brightness stays so to
    the network, and frozen parts see values like those they were trained on, where the ground is
    alike. own: every training fits them on its own training pixels: each region is centred, and
    frozen parts see values that are scaled otherwise than those they were trained on"""
    conventional: bool = True
    """also train on every region alone"""
    combined: bool = True
    """also train on all regions at once"""
    leave_one_out: bool = True
    """also train on all regions but one, for each"""
    few_share: Annotated[float, Field(gt=0, lt=1)] | None = 0.1
    """share of a region's patches for the comparison on few data; null leaves it out"""
    few_scratch_epochs: Annotated[int, Field(ge=1)] | None = None
    """passes over these few patches from fresh weights; absent: those of the training"""
    few_repeats: Annotated[int, Field(ge=1)] = 1
    """draws of that share"""

    @model_validator(mode="after")
    def _each_once(self) -> ChainConfig:
        names = [variant.name for variant in self.variants]
        for what, found in (("region", list(self.order)), ("variant", names)):
            if twice := sorted({name for name in found if found.count(name) > 1}):
                raise ValueError(f"found {what} {twice[0]!r} twice; expected each once")
        if unknown := sorted(set(self.event_epochs) - set(self.order)):
            raise ValueError(
                f"found event_epochs of {unknown[0]!r}; expected regions of {', '.join(self.order)}"
            )
        return self
