"""What is fitted, held out, forecast and scored: the sections that `python -m hazard.fit` reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from hazard.config.diagnostics import DensitiesConfig, ResidualsConfig
from hazard.config.study import Fraction, Positive
from hazard.config.validation import Section
from hazard.variables import PAST_WINDOWS

Count = Annotated[int, Field(ge=1)]
FourLimits = Annotated[tuple[float, ...], Field(min_length=4, max_length=4)]
Scheme = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

# `same_epoch_blocks` and `published_split` are made by the fit, not stored with the cube.
SAME_EPOCH, PUBLISHED_SPLIT = "same_epoch_blocks", "published_split"

Baseline = Literal[
    "zero",
    "climatology",
    "persistence_mean",
    "persistence_last",
    "logistic",
    "lightgbm",
    "logistic_without_past",
    "lightgbm_without_past",
]
Network = Literal["default", "default_without_past"]
Reference = Literal["reference", "described"]


class SchemeConfig(Section):
    """One way to hold data out, and what is fitted under it."""

    design: Scheme
    """name of a design of cube.folds (a second one of the same kind is called NAME_2), or
    published_split (the split of the paper, which shares cells; reference networks only)"""
    folds: Count | None = None
    """folds to run; absent: all of the design"""
    take: Literal["first", "last", "spread"] = "first"
    """which folds, where not all are run: the first, the last, or evenly spread"""
    members: Count = 1
    """networks per fold, each with its own seed"""
    models: tuple[str, ...] | None = None
    """names of the models to run under this scheme; absent: all"""


def _odd_and_rising(windows: tuple[int, ...]) -> tuple[int, ...]:
    if any(w % 2 == 0 for w in windows) or list(windows) != sorted(set(windows)):
        raise ValueError(f"found {list(windows)}; expected odd sides, rising")
    return windows


Windows = Annotated[tuple[Annotated[int, Field(ge=3)], ...], AfterValidator(_odd_and_rising)]


class NetworkConfig(Section):
    """The default network. An input without bands in the cube is left out by itself."""

    past_windows: Windows = PAST_WINDOWS
    """sides of the neighbourhoods of what earlier epochs showed [cells, odd]; baselines read
    those of fit.baseline_past_windows"""
    past_per_year: bool = False
    """past densities per year instead of per epoch (baselines: per epoch always)"""
    leave_out: tuple[str, ...] = (
        "days_since_event",
        "length_days",
        "monsoons",
        "past_epochs",
        "season",
    )
    """predictors that the network does not read: those that are one number per epoch tell a
    handful of training epochs apart and say nothing about the next one"""
    patch_cells: Annotated[int, Field(ge=2, le=64)] = 16
    """cells along one side of a training patch; the second lattice is shifted by half of it"""
    pixel_halo_cells: Annotated[int, Field(ge=0, le=16)] | None = 1
    """cells around a patch whose terrain is encoded; absent: as far as the trunk sees"""
    terrain_width: Count = 12
    """features of the terrain code"""
    width: Count = 24
    """features of the trunk"""
    depth: Annotated[int, Field(ge=0, le=16)] = 3
    """blocks of the trunk, and the cells it sees in each direction"""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """share of features dropped in training"""
    record_width: Count = 64
    """features of the layers that read what earlier epochs showed"""
    record_layers: Annotated[int, Field(ge=1, le=8)] = 2
    """those layers"""
    record_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """share of their features dropped in training"""
    record_code: Annotated[int, Field(ge=0)] = 8
    """numbers that terrain and shaking are reduced to beside a record; 0: the record alone"""
    compute: Literal["float32", "bfloat16"] = "float32"
    """type of the computation; bfloat16 pays on a GPU alone"""


class LossConfig(Section):
    """One summand of a loss."""

    term: str
    """name of the loss (hazard.training.objective, hazard.models.losses)"""
    factor: float = 1.0
    """what it is multiplied by"""
    options: dict[str, Any] = Field(default_factory=dict)
    """its settings"""


class OptimiserSection(Section):
    """How parameters are moved."""

    rule: Literal["adam", "adamw", "sgd"] = "adam"
    """update rule"""
    learning_rate: Positive = 1e-3
    """largest learning rate"""
    schedule: Literal["constant", "exponential", "cosine"] = "constant"
    """how it falls with the steps"""
    decay_steps: Count = 1000
    """exponential: steps per factor decay_rate; cosine: steps until the end"""
    decay_rate: Positive = 0.96
    """factor of the exponential decay"""
    final_share: Fraction = 0.01
    """cosine: rate at the end, as a share of the largest"""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """steps of linear rise before the schedule"""
    clip_norm: Positive | None = 1.0
    """largest global norm of the gradient; null does not clip"""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """decoupled decay (adamw alone)"""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """of sgd"""


class StageConfig(Section):
    """One stage of a curriculum, as hazard.training.curriculum.Stage has it."""

    name: str
    """short name for logs and tables"""
    terms: Annotated[tuple[LossConfig, ...], Field(min_length=1)]
    """summands of the loss"""
    epochs: Annotated[int, Field(ge=0)]
    """largest number of passes over the samples"""
    optimiser: OptimiserSection = OptimiserSection()
    """how parameters are moved; its state starts anew in every stage"""
    batch_size: Count = 8
    """patches per step"""
    subset: Literal["all", "positive"] = "all"
    """positive: cells with landslides alone"""
    target_transform: Literal["identity", "log", "log1p"] = "identity"
    """what is done to the density before the loss sees it"""
    frozen: tuple[str, ...] = ()
    """parts of the network that stay as they are"""
    patience: Count | None = None
    """stop after so many epochs without a better validation loss; absent: never"""
    restore_best: bool = True
    """end with the weights of the best validation loss"""


class TrainingConfig(Section):
    """How the default network is trained."""

    curriculum: Literal["default", "published"] | tuple[StageConfig, ...] = "default"
    """a named curriculum, or stages"""
    epochs: Count = 20
    """default curriculum: number of passes over the patches"""
    most_steps: Count = 1000
    """default curriculum: fewer passes where a pass has so many steps that they would be more"""
    batch_size: Count = 4
    """patches per step"""
    learning_rate: Positive = 1e-2
    """default curriculum: largest learning rate (AdamW, cosine)"""
    weight_decay: Annotated[float, Field(ge=0)] = 1.0
    """default curriculum: decoupled weight decay, times the learning rate per step"""
    patience: Count | None = None
    """epochs without a better validation loss before a stage stops with its best weights; absent:
    all epochs, and the last weights"""
    recalibrate: Literal["where_needed", "always"] = "where_needed"
    """where_needed: scores of improper losses alone are recalibrated on validation cells"""
    save_every_s: Positive = 60.0
    """seconds between checkpoints"""


class ReferenceConfig(Section):
    """The published networks; they need 32 pixels per cell (described: a power of two from 8)."""

    networks: tuple[Reference, ...] = ()
    """which of them"""
    presence_loss: Literal["focal_tversky", "weighted_cross_entropy"] = "focal_tversky"
    """loss of susceptibility; Tversky outputs are scores and are recalibrated, the class weight
    of cross-entropy is undone"""
    batch_size: Count = 32
    """patches per step"""
    susceptibility_epochs: Annotated[int, Field(ge=0)] = 500
    """largest number of epochs of susceptibility"""
    density_epochs: Annotated[int, Field(ge=0)] = 200
    """largest number of epochs of each of the three stages of density"""
    joint_epochs: Annotated[int, Field(ge=0)] = 5
    """epochs of both together"""
    patience: Count = 10
    """epochs without improvement before a stage stops"""
    compute: Literal["float32", "bfloat16"] = "float32"
    """type of the computation"""


class FinalConfig(Section):
    """The model that is fitted on everything."""

    members: Count = 3
    """networks"""
    validation_share: Fraction = 0.1
    """share of the blocks kept for early stopping"""
    block_km: Positive = 20.0
    """side of those blocks [km]; smaller where the study is"""
    buffer_km: Annotated[float, Field(ge=0)] = 0.0
    """training cells closer than this to a validation cell are left out [km]"""


class CeilingConfig(Section):
    """How much the same epoch elsewhere would tell: the ceiling beside the forward scores."""

    folds: Annotated[int, Field(ge=2)] = 3
    """folds of blocks within each epoch that forward chaining tests"""
    block_km: Positive = 20.0
    """side of a block [km]; smaller where the study is"""
    model: Baseline = "lightgbm"
    """baseline whose fit on the same epoch is the ceiling; it must be among the baselines"""


class EvaluationConfig(Section):
    """What is scored."""

    thresholds_percent: Annotated[tuple[Annotated[float, Field(ge=0, lt=100)], ...],
                                  Field(min_length=1)] = (0.0, 0.01, 0.09, 0.5)  # fmt: skip
    """presence is density above each of these [percent of the cell]; the first must be 0"""
    quantile_levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.9, 0.95)
    """levels of the quantile scores"""
    block_km: Positive = 20.0
    """side of the blocks of the bootstrap [km]"""
    draws: Annotated[int, Field(ge=20)] = 1000
    """bootstrap draws"""
    corp_draws: Annotated[int, Field(ge=20)] = 200
    """draws for miscalibration, discrimination and uncertainty, each of which takes a fit"""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """level of the intervals"""
    mapping_units_km: tuple[Positive, ...] = (1.0, 2.0, 4.0)
    """sides of the mapping units for the sensitivity [km]"""
    susceptibility_edges: FourLimits = (0.02, 0.05, 0.15, 0.35)
    """limits between the five classes of susceptibility [-]"""
    hazard_edges_percent: FourLimits = (0.01, 0.05, 0.2, 0.75)
    """limits between the five classes of expected density [percent of the cell]"""

    @model_validator(mode="after")
    def _first_is_presence(self) -> EvaluationConfig:
        levels = self.thresholds_percent
        if levels[0] != 0 or list(levels) != sorted(set(levels)):
            raise ValueError(f"found thresholds_percent {list(levels)}; expected 0 and then rising")
        return self

    @model_validator(mode="after")
    def _limits_rise(self) -> EvaluationConfig:
        for name, largest in (("susceptibility_edges", 1.0), ("hazard_edges_percent", 100.0)):
            edges = getattr(self, name)
            if list(edges) != sorted(set(edges)) or not 0 < edges[0] <= edges[-1] < largest:
                raise ValueError(
                    f"found {name} {list(edges)}; expected four rising limits above 0 and below "
                    f"{largest:g}"
                )
        return self


class MapsConfig(Section):
    """Which maps are written."""

    held_out_scheme: str = "spatial_blocks"
    """scheme of the held-out maps; absent from the run: the first scheme that was run"""
    colour_limits_percent: Positive | None = None
    """upper end of the colour scales of density and hazard [percent]; absent: from the data"""


class ReportConfig(Section):
    """What the report says beside its figures."""

    landslide_types: str = "not stated by the inventory"
    """types of landslides mapped (JTC-1)"""
    source_and_runout: str = "not separated: mapped areas hold source and runout"
    """whether polygons separate source from runout"""
    completeness: str = "not assessed"
    """completeness of the inventory"""
    figure_dpi: Annotated[int, Field(ge=50, le=600)] = 110
    """resolution of the figures [dots per inch]"""
    maximum_maps: Count = 64
    """largest number of map panels in the report"""


class FitConfig(Section):
    """From the cube to hazard maps: python -m hazard.fit."""

    schemes: tuple[SchemeConfig, ...] = (
        SchemeConfig(design="random"),
        SchemeConfig(design="spatial_blocks"),
        SchemeConfig(design="forward_chaining", folds=2, take="last", members=3),
        SchemeConfig(design="leave_one_epoch_out", folds=2, take="last"),
        SchemeConfig(design="space_time_blocks", folds=2, take="last"),
    )
    """schemes of held-out data; a scheme that cannot run is a row with the reason"""
    networks: tuple[Network, ...] = ("default",)
    """our own networks, with and without past records"""
    network: NetworkConfig = NetworkConfig()
    """settings of the default network"""
    training: TrainingConfig = TrainingConfig()
    """how it is trained"""
    baselines: tuple[Baseline, ...] = (
        "zero",
        "climatology",
        "persistence_mean",
        "persistence_last",
        "logistic",
        "lightgbm",
        "lightgbm_without_past",
    )
    """forecasters to compare with"""
    baseline_past_windows: Windows = PAST_WINDOWS
    """sides of the neighbourhoods of what earlier epochs showed, for the baselines [cells, odd];
    those wider than the study are left out"""
    pools: tuple[tuple[str, ...], ...] = ()
    """models whose mean forecast, with equal weights, is scored as one more model"""
    references: ReferenceConfig = ReferenceConfig()
    """the published networks"""
    final: FinalConfig | None = FinalConfig()
    """the model on everything; null leaves it out"""
    ceiling: CeilingConfig | None = CeilingConfig()
    """same-epoch ceiling; null leaves it out"""
    climatological_rain: bool = True
    """whether forecasts with climatological instead of observed rain are made beside"""
    evaluation: EvaluationConfig = EvaluationConfig()
    """scores and intervals"""
    maps: MapsConfig = MapsConfig()
    """maps"""
    residuals: ResidualsConfig | None = ResidualsConfig()
    """residual section of the report; null leaves it out"""
    densities: DensitiesConfig | None = DensitiesConfig()
    """densities of the inventories, where there are outlines; null leaves them out"""
    report: ReportConfig = ReportConfig()
    """report"""

    @model_validator(mode="after")
    def _pools_are_of_models(self) -> FitConfig:
        known = (*self.networks, *self.references.networks, *self.baselines)
        for pool in self.pools:
            if len(set(pool)) < 2 or len(set(pool)) < len(pool) or not set(pool) <= set(known):
                raise ValueError(
                    f"found pool {list(pool)}; expected two or more different models of this run: "
                    f"{', '.join(known)}"
                )
        return self

    @model_validator(mode="after")
    def _schemes_differ(self) -> FitConfig:
        names = [scheme.design for scheme in self.schemes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"found scheme {twice[0]!r} twice; expected each design once")
        return self
