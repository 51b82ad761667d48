"""From a configuration to the plan, the settings and the patches of a study of transfer."""

from __future__ import annotations

from dataclasses import dataclass

from flax import nnx

from detection.chain.freezing import check_frozen
from detection.chain.plan import ChainPlan, Variant, make_plan
from detection.chain.regions import RegionPatches, region_patches
from detection.chain.trainings import ChainSettings
from detection.config.chain import ChainConfig
from detection.config.schema import DetectionConfig
from detection.config.training import NetworkConfig
from detection.models.registry import build_model
from detection.patches.preparation import Preparation
from detection.training.configured import (
    augmentation_of,
    choice_of,
    hook_of,
    imbalance_of,
    inputs_of,
    parallel_of,
    recipe_of,
)
from detection.training.fit_network import preparation_of
from detection.training.prepared import network_settings
from detection.training.study import StudyPatches
from hazard.errors import ConfigError
from hazard.training.functional import variables_of


@dataclass(frozen=True, eq=False, kw_only=True)
class ChainStudy:
    """A study, ready to be trained.

    Attributes:
        plan: the trainings.
        settings: how they run.
        data: patches by region, in the order of the chain.
        standardisation: of the first region; None where every training fits its own.
        block_px: side of the blocks of the bootstrap [px].
        unit: what a block is, in words.
        parameters: trainable numbers of the network.
    """

    plan: ChainPlan
    settings: ChainSettings
    data: dict[str, RegionPatches]
    standardisation: Preparation | None
    block_px: int
    unit: str
    parameters: int


def chain_section(config: DetectionConfig) -> ChainConfig:
    """The section ``chain``.

    Raises:
        ConfigError: there is none, or the split leaves no unseen ground in every region.
    """
    problems = []
    if config.chain is None:
        problems.append("chain: missing; expected the regions of the chain (order)")
    if config.split.by != "block" or config.split.unseen_regions:
        problems.append(
            f"split: found by {config.split.by!r} and unseen_regions "
            f"{list(config.split.unseen_regions)}; expected block and none: every region of a "
            "chain is trained on, and scored on other ground"
        )
    if config.chain is None or problems:
        raise ConfigError(config.name, problems)
    return config.chain


def network_of(config: DetectionConfig) -> NetworkConfig:
    """The network of the chain.

    Raises:
        ConfigError: no network of that label.
    """
    wanted = chain_section(config).network
    if wanted is None:
        return config.networks[0]
    for network in config.networks:
        if network.title == wanted:
            return network
    names = ", ".join(network.title for network in config.networks)
    raise ConfigError(config.name, [f"chain.network: found {wanted!r}; expected one of {names}"])


def plan_of(config: DetectionConfig) -> ChainPlan:
    """The trainings that a configuration asks for; nothing is read or built."""
    section = chain_section(config)
    first = recipe_of(config.training_of(network_of(config))).optimiser.learning_rate
    return make_plan(
        section.order,
        [
            Variant(name=v.name, frozen=v.frozen, learning_rate=v.learning_rate or first)
            for v in section.variants
        ],
        first_learning_rate=first, conventional=section.conventional, combined=section.combined,
        leave_one_out=section.leave_one_out, few_share=section.few_share,
        few_repeats=section.few_repeats,
    )  # fmt: skip


def settings_of(config: DetectionConfig) -> ChainSettings:
    """How the trainings run.

    Raises:
        ConfigError: settings that cannot be used.
    """
    section, network = chain_section(config), network_of(config)
    training = config.training_of(network)
    try:
        recipe = recipe_of(training)
        augmentation_of(training)
        parallel = parallel_of(training)
        choice = choice_of(network, training)
    except ValueError as error:
        raise ConfigError(config.name, [f"network {network.title!r}: {error}"]) from None
    return ChainSettings(
        choice=choice, recipe=recipe,
        fine_tuning_epochs=section.fine_tuning_epochs or recipe.epochs,
        joint_epochs=section.joint_epochs or recipe.epochs,
        few_scratch_epochs=section.few_scratch_epochs or recipe.epochs,
        inputs=inputs_of(config.preparation_of(network)),
        own_standardisation=section.standardisation == "own", imbalance=imbalance_of(training),
        augment=hook_of(training), measure=training.threshold, members=training.members,
        watch=training.watch, seed=config.seed, parallel=parallel,
    )  # fmt: skip


def chain_study(config: DetectionConfig, patches: StudyPatches) -> ChainStudy:
    """The study on its patches.

    Raises:
        ConfigError: a variant that freezes what is not there, or everything.
        DataError: regions or epochs that are not there, or without landslide.
    """
    section, plan, settings = chain_section(config), plan_of(config), settings_of(config)
    size, pixel_m = patches.patches.image.shape[1], patches.pixel_m
    # A block cannot be smaller than a patch: counts are kept per patch.
    block_px = size
    if pixel_m is not None:
        block_px = max(size, round(config.evaluation.block_m / pixel_m))
    data = region_patches(
        patches.patches, patches.split, section.order, event_epochs=section.event_epochs,
        block_px=block_px, grids=patches.grids or None,
    )  # fmt: skip
    rule = preparation_of(data[section.order[0]].parts["train"], settings.inputs)
    return ChainStudy(
        plan=plan, settings=settings, data=data,
        standardisation=None if settings.own_standardisation else rule, block_px=block_px,
        unit=f"{block_px} px block" if pixel_m is None else f"{block_px * pixel_m:g} m block",
        parameters=_check_variants(config, settings, rule),
    )  # fmt: skip


def _check_variants(config: DetectionConfig, settings: ChainSettings, rule: Preparation) -> int:
    """Refuse what cannot be frozen, before hours of training; returns the trainable numbers."""
    choice = settings.choice
    try:
        values = network_settings(choice.name, choice.settings, rule)
        module = nnx.eval_shape(lambda: build_model(choice.name, values, nnx.Rngs(0)))
    except ValueError as error:
        raise ConfigError(config.name, [f"network {choice.title!r}: {error}"]) from None
    params = variables_of(module).params
    problems = []
    for variant in chain_section(config).variants:
        try:
            check_frozen(tuple(params), variant.frozen)
        except ValueError as error:
            problems.append(f"chain.variants, {variant.name}: {error}")
    if problems:
        raise ConfigError(config.name, problems)
    return sum(int(value.size) for value in params.values())
