"""The compiled log posterior: nodes, bins and hand-derived scores."""

from typing import Any

import jax
import numpy as np
import pytest

from stats.sizes import double_pareto
from stats.sizes.detection import DetectionCurve
from stats.sizes.law import law_named
from stats.sizes.posterior_density import (
    error_of_nodes,
    log_likelihood_at,
    log_posterior,
    prepared_areas,
)
from stats.sizes.priors import to_coordinates, to_theta
from stats.sizes.recording import Recording, log_likelihood_of, recorded_areas

RNG = np.random.default_rng(2)
AREAS = double_pareto.sample(2000, 1.4, 2.3, 800.0, rng=RNG, lower=110.0, upper=9e5)
PIXELS = 20.0 * np.rint(AREAS / 20.0)
CASES: list[tuple[str, Recording, Any]] = [
    ("dps", Recording(), AREAS),
    ("dps", Recording(lower_m2=100.0), AREAS),
    ("dps_extended", Recording(lower_m2=100.0), AREAS),
    ("dps_extended", Recording(lower_m2=100.0, upper_m2=1e6), AREAS),
    ("dp", Recording(lower_m2=100.0, upper_m2=1e6), AREAS),
    ("dps_extended", Recording(lower_m2=100.0, pixel_m2=20.0), PIXELS),
    ("dps", Recording(upper_m2=1e6, pixel_m2=20.0), PIXELS),
    ("lognormal", Recording(lower_m2=100.0), AREAS),
    ("ig", Recording(), AREAS),
]


def names(case: tuple[str, Recording, Any]) -> str:
    law, recording, _ = case
    return f"{law}-{recording.lower_m2:g}-{recording.upper_m2:g}-{recording.pixel_m2}"


@pytest.mark.parametrize("case", CASES, ids=names)
def test_nodes_and_closed_form_agree_with_the_plain_likelihood_of_all_areas(
    case: tuple[str, Recording, Any],
) -> None:
    law, recording, areas = case
    with jax.enable_x64(True):
        data = prepared_areas(areas, recording)
        full = recorded_areas(areas, recording)
        start = law_named(law).starts(areas, *recording.edges())[0]
        z = np.asarray(to_coordinates(law)(start))

        def plain(at: Any) -> Any:
            return log_likelihood_of(law_named(law), to_theta(law)(at), full)

        def fast(at: Any) -> Any:
            return log_likelihood_at(law, at, data)

        assert data.log_x.size < 0.4 * areas.size
        for at in (z, z + 0.3, z - 0.2):
            value, score = jax.value_and_grad(plain)(at)
            got, slope = jax.value_and_grad(fast)(at)
            assert float(got) == pytest.approx(float(value), abs=1e-6)
            np.testing.assert_allclose(slope, score, rtol=1e-7, atol=1e-6)


def test_the_error_of_nodes_finds_nodes_that_are_too_few() -> None:
    recording = Recording(lower_m2=100.0)
    data = prepared_areas(AREAS, recording)
    z = np.log([[1.4, 3.7, 2000.0], [1.2, 3.0, 1500.0]])
    assert error_of_nodes("dps_extended", z, AREAS, recording, data) < 1e-8
    coarse = data._replace(log_x=np.round(data.log_x, 1))
    assert error_of_nodes("dps_extended", z, AREAS, recording, coarse) > 1e-2


def test_areas_of_similar_number_share_a_shape_and_filling_changes_nothing() -> None:
    recording = Recording(lower_m2=100.0)
    short, long = (prepared_areas(AREAS[:n], recording) for n in (140, 200))
    assert short.log_x.shape == long.log_x.shape == (256,)
    assert short.weights.sum() == 140.0
    with pytest.raises(ValueError, match="expected at least 200"):
        prepared_areas(AREAS[:200], recording, size=100)


def test_a_narrow_detection_curve_keeps_every_area() -> None:
    recording = Recording(detection=DetectionCurve(half_area_m2=300.0, width=0.05))
    assert prepared_areas(AREAS, recording).log_x.size >= AREAS.size


def test_one_law_has_one_density_object() -> None:
    # Compilations are kept by this object: a new one for each fit would compile each time.
    assert log_posterior("dps") is log_posterior("dps")
    assert log_posterior("dps") is not log_posterior("dps_extended")
