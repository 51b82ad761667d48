"""The recipes are those of the papers, number by number."""

import pytest

from detection.augmentation.presets import AUGMENTATIONS
from detection.config.training import TrainingConfig
from detection.training.configured import augmentation_of, hook_of, recipe_of
from detection.training.recipes import RECIPES, recipe, stage_of
from hazard.training.objective import term_names


@pytest.mark.parametrize(
    ("name", "rate", "batch", "epochs", "keep", "patience", "plateau"),
    [
        ("rasuwa_text", 1e-3, 32, 250, "best", None, None),
        ("rasuwa_code", 1e-3, 8, 50, "last", 100, (20, 0.1, 1e-2)),
        ("adsms", 1e-4, 16, 70, "best", 40, (15, 0.33, 1e-4)),
        ("bitemporal", 1e-4, 16, 100, "best", 10, (3, 0.1, 1e-4)),
        ("hr_gldd_text", 5e-4, 16, 50, "best", None, None),
        ("hr_gldd_code", 5e-4, 16, 5, "best", 30, None),
    ],
)
def test_published_recipes(name, rate, batch, epochs, keep, patience, plateau):
    found = recipe(name)
    assert found.optimiser.rule == "adam"
    assert found.optimiser.schedule == "constant"
    assert found.optimiser.clip_norm is None
    assert found.optimiser.learning_rate == rate
    assert (found.batch_size, found.epochs) == (batch, epochs)
    assert (found.keep, found.patience) == (keep, patience)
    if plateau is None:
        assert found.plateau_patience is None
    else:
        assert (
            found.plateau_patience,
            found.plateau_factor,
            found.plateau_floor,
        ) == plateau


def test_the_losses_weigh_the_two_errors_as_printed():
    def weights(name, index=-1):
        options = recipe(name).terms[index].options
        return options["false_negative_weight"], options["false_positive_weight"]

    assert weights("rasuwa_text") == (0.3, 0.7)
    assert weights("rasuwa_code") == (0.15, 0.85)
    assert weights("adsms") == weights("adsms", 0) == (0.7, 0.3)
    factors = [term.factor for term in recipe("bitemporal").terms]
    assert factors == pytest.approx([1.0, 4.0] + [0.2, 0.8] * 4)


def test_every_recipe_names_terms_and_menus_that_exist():
    for found in RECIPES.values():
        assert found.augmentation in AUGMENTATIONS
        assert found.monitor in ("loss", *term_names(found.terms))
        stage = stage_of(found, draws=100)
        assert stage.restore_best == (found.keep == "best")
        assert stage.epochs == found.epochs


def test_the_cosine_ends_with_the_last_step():
    found = recipe("default")
    stage = stage_of(found, draws=found.batch_size * 10 - 3)
    steps = 10 * found.epochs
    warmup = min(found.optimiser.warmup_steps, steps // 10)
    assert stage.optimiser.warmup_steps == warmup
    assert stage.optimiser.warmup_steps + stage.optimiser.decay_steps == steps


def test_a_configuration_changes_what_it_names():
    section = TrainingConfig(
        recipe="hr_gldd_code", epochs=2, weight_decay=0.1, loss=({"term": "cross_entropy"},)
    )
    found = recipe_of(section)
    assert (found.epochs, found.batch_size) == (2, 16)
    assert (found.optimiser.rule, found.optimiser.weight_decay) == ("adamw", 0.1)
    assert [term.term for term in found.terms] == ["cross_entropy"]
    assert hook_of(section) is None
    turned = TrainingConfig(augmentation={"preset": "none", "changes": {"vertical_flip": 0.5}})
    assert augmentation_of(turned).shares == {"vertical_flip": 0.5}
    assert hook_of(turned) is not None
