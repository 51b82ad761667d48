"""The files of configs/ are read, and what is wrong in one is told in its own words."""

from pathlib import Path

import pytest

from detection.config.schema import DetectionConfig, load_config, schema_text
from detection.fit.dry_run import fit_lines
from detection.training.configured import choice_of, hook_of, recipe_of
from hazard.config.parsing import parse_yaml
from hazard.config.validation import validate
from hazard.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
NAMES = ("rasuwa_unet", "generalized", "hr_gldd")


def read(text):
    return validate(DetectionConfig, parse_yaml("name: a\ntitle: b\n" + text, environment={}))


@pytest.mark.parametrize("name", [n + end for n in NAMES for end in ("", "_smoke")])
def test_every_configuration_is_valid_down_to_the_network(name, monkeypatch):
    monkeypatch.delenv(f"{name.upper()}_DATA", raising=False)
    config = load_config(CONFIGS / f"{name}.yaml")
    assert config.is_synthetic
    for network in config.networks:
        training = config.training_of(network)
        assert choice_of(network, training).name == network.name
        recipe_of(training)
        hook_of(training)
    lines = fit_lines(config, Path("runs/x"))
    assert any("embedded scenes" in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_one_variable_points_a_study_at_real_data(name, monkeypatch, tmp_path):
    variable = {"rasuwa_unet": "RASUWA_DATA"}.get(name, f"{name.upper()}_DATA")
    monkeypatch.setenv(variable, str(tmp_path))
    config = load_config(CONFIGS / f"{name}.yaml")
    assert config.data == tmp_path
    assert not config.is_synthetic


def test_the_schema_for_editors_is_up_to_date():
    assert (CONFIGS / "detection.schema.json").read_text() == schema_text()


def test_what_is_said_of_one_network_goes_before_what_is_said_of_all():
    config = read(
        "training: {epochs: 7, batch_size: 4}\n"
        "networks:\n- {name: unet, training: {epochs: 3}}\n- {name: default}\n"
    )
    first, second = (config.training_of(network) for network in config.networks)
    assert (first.epochs, first.batch_size) == (3, 4)
    assert second.epochs == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("networks:\n- {name: unet}\n- {name: unet}\n", "'unet' twice"),
        ("networks:\n- {name: unet, training: {epoch: 3}}\n", "training.epoch"),
        ("split: {by: region}\n", "missing split.test"),
        ("split: {test: [a]}\n", "expected them with region or epoch"),
        ("patches: {size_px: 40}\n", "multiple of 16"),
        ("patches: {size_px: 32, stride_px: 48}\n", "no pixel is left out"),
        ("grid: {epochs: 3}\n", "a grid without values"),
        ("grid: {network: x, filters: [2]}\n", "grid.network 'x'"),
        ("training: {recipe: adms}\n", "did you mean 'adsms'"),
        ("traning: {}\n", "did you mean 'training'"),
    ],
)
def test_problems_are_told_in_the_words_of_the_file(text, words):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert words in str(caught.value)
