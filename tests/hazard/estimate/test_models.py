"""The models of a run: each with its own schemes and members, variants beside their models."""

import pytest

from hazard.config.fit import ReferenceConfig, SchemeConfig
from hazard.estimate.models import model_records
from hazard.estimate.plan import make_plan
from tests.hazard.estimate.small_fit import small_config
from tests.hazard.small_cube import write_small_cube


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return write_small_cube(tmp_path_factory.mktemp("models"))


def records(cube, *, rain=True, **settings):
    fit = small_config(**settings).fit
    return {m.name: m for m in model_records(fit, make_plan(cube, fit, seed=1), rain=rain)}


def test_each_model_has_the_members_of_the_schemes_that_run_it(cube):
    schemes = (
        SchemeConfig(design="forward_chaining", members=3),
        SchemeConfig(design="random", models=("zero", "reference")),
    )
    found = records(
        cube, schemes=schemes, references=ReferenceConfig(networks=("reference",)),
        baselines=("zero", "lightgbm", "lightgbm_without_past"),
    )  # fmt: skip
    assert found["default"].members == {"forward_chaining": 3, "final": 2}
    assert found["zero"].members == {"forward_chaining": 1, "random": 1}
    assert found["lightgbm"].members == {"forward_chaining": 1}
    assert found["reference"].members == {"forward_chaining": 3, "random": 1}
    assert found["lightgbm"].past_records
    assert not found["lightgbm_without_past"].past_records
    assert "recalibrated" in found["reference"].probability


def test_variants_stand_beside_their_models_where_there_is_rain(cube):
    assert records(cube)["default_climatological_rain"].variant_of == "default"
    assert "zero_climatological_rain" not in records(cube)
    assert "default_climatological_rain" not in records(cube, rain=False)
    assert "default_climatological_rain" not in records(cube, climatological_rain=False)


def test_a_run_without_networks_has_its_baselines(cube):
    assert list(records(cube, networks=(), baselines=("zero",))) == ["zero"]
