"""The study's configuration: every problem at once, in the user's words; configs that we ship."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hazard.config.schema import HazardConfig, load_config, schema_text
from hazard.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
# Each file names its schema in its first line.
SHIPPED = sorted(
    path for path in CONFIGS.glob("*.yaml")
    if path.read_text(encoding="utf-8").partition("\n")[0].endswith("hazard.schema.json")
)  # fmt: skip


def problems(config: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIGS / config, overrides=overrides)
    return caught.value.problems


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_configs_are_valid(path):
    assert load_config(path).name == path.stem


def test_records_are_frozen():
    config = load_config(CONFIGS / "gorkha.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3


def test_the_committed_schema_is_the_schema():
    """After a change of the records: python -m hazard schema --out configs/hazard.schema.json."""
    assert (CONFIGS / "hazard.schema.json").read_text() == schema_text()
    assert json.loads(schema_text())["additionalProperties"] is False


def test_every_key_says_what_it_means():
    def undocumented(schema):
        for name, definition in schema.get("$defs", {}).items():
            for key, field in definition.get("properties", {}).items():
                if "description" not in field:
                    yield f"{name}.{key}"

    assert list(undocumented(HazardConfig.model_json_schema())) == []


def test_all_problems_are_told_at_once():
    found = problems(
        "gorkha.yaml",
        "rain.methd=auto",
        "terrain.stream_threshold_km2=-1",
        "target.kind=density",
        "study.epochs.0.season=monsoon",
        "nonsense=1",
        "layers.5.name=x",
    )
    assert len(found) == 6


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seeed=3", "did you mean 'seed'"),
        ("rain.methd=auto", "did you mean 'method'"),
        ("rain.method=thin-plate", "did you mean 'thin_plate'"),
        ("target.kind=density", "did you mean 'density_raster'"),
        ("target.bands=[1, 2, 3, 4]", "found 4 target.bands for 6 epochs; expected one per epoch"),
        ("target.bands=[1, 2, 3, 4, 5, 5]", "found band 5 twice"),
        ("target.bands=[0, 1, 2, 3, 4, 5]", "expected greater than or equal to 1"),
        ("study.epochs.1.nam=x", "did you mean 'name'"),
        ("if_missing.world.pixel_per_cell=3", "did you mean 'pixels_per_cell'"),
        ("study.pixels_per_cell=0", "found 0; expected greater than or equal to 1"),
        ("study.pixels_per_cell=many", "found 'many'; expected a valid integer"),
        ("terrain.elevation=null", "found None; expected a file path"),
        ("study.epochs.0.start=2016-01-01", "is before `start` 2016-01-01"),
        ("study.epochs.0.end=2015-07-01", "expected epochs in order without overlap"),
        ("study.epochs.1.name=coseismic 2015", "expected distinct names"),
        ("layers.0.values=classes", "expected 'nearest'"),
        ("target=null", "missing target"),
        ("fit.evaluation.susceptibility_edges=[0.1, 0.2, 0.2, 0.4]", "four rising limits above 0"),
        ("fit.evaluation.susceptibility_edges=[0.1, 0.2, 0.3, 1.4]", "and below 1"),
        ("fit.evaluation.hazard_edges_percent=[0.1, 0.2, 0.3]", "at least 4 items"),
        ("fit.ceiling.model=oracle", "expected 'zero'"),
        ("fit.baseline_past_windows=[3, 6]", "expected odd sides, rising"),
        ("fit.network.past_windows=[5, 3]", "expected odd sides, rising"),
        ("cube.patches={cells: 4, shift_cells: 4}", "expected a smaller shift"),
        ("name=a/b", "expected to match pattern"),
    ],
)
def test_a_problem_says_what_was_found_and_expected(override, expected):
    if "values=classes" in override:
        found = problems("gorkha.yaml", override, "layers.0.resampling=bilinear")
    else:
        found = problems("gorkha.yaml", override)
    assert expected in found[0]
    assert override.split("=")[0].split(".")[0] in found[0] or found[0].startswith("--set")


def test_a_problem_names_its_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: a\ntitle: b\nif_missing:\n  world:\n    pixels_per_cel: 4\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.problems[0].startswith("line 5, if_missing.world.pixels_per_cel: unknown")


def test_a_missing_key_says_what_it_is_for(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("title: b\nif_missing: {world: {}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.problems == [
        "name: missing; expected a value (short name; results go to runs/NAME)"
    ]


def test_neither_files_nor_world_is_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: a\ntitle: b\n")
    with pytest.raises(ConfigError, match="or if_missing"):
        load_config(path)
