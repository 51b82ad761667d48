"""Sun, shadows, noise and weather do what they say."""

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine
from scipy import ndimage

from detection.embedded import study
from detection.embedded.ground import Ground
from detection.embedded.light import horizon_m, sun_position
from detection.embedded.noise import Array, rough_field, soft_step, streaks, stream
from detection.embedded.regions import REGIONS
from detection.embedded.scars import Scars
from detection.embedded.sensor import Sky, cloud_mask, shifted, snow_mask
from detection.embedded.settings import EmbeddedSettings
from detection.embedded.study import render_scenes
from stats.scores.contingency import ContingencyTable, choose_threshold


@pytest.mark.parametrize(
    ("latitude", "date", "hour", "elevation", "azimuth"),
    [
        (0.0, dt.date(2015, 3, 21), 12.0, 90.0, None),
        (23.45, dt.date(2015, 6, 21), 12.0, 90.0, None),
        (28.0, dt.date(2015, 12, 21), 12.0, 90.0 - 28.0 - 23.45, 180.0),
        (-42.0, dt.date(2016, 6, 21), 12.0, 90.0 - 42.0 - 23.45, 0.0),
    ],
)
def test_the_sun_stands_where_the_almanac_puts_it(
    latitude: float, date: dt.date, hour: float, elevation: float, azimuth: float | None
) -> None:
    up, turn = sun_position(latitude, date, hour)
    assert up == pytest.approx(elevation, abs=0.6)
    if azimuth is not None:
        assert (turn - azimuth + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=0.6)


def test_the_morning_sun_is_in_the_east() -> None:
    assert 20.0 < sun_position(28.0, dt.date(2015, 4, 1), 9.0)[1] < 160.0
    assert 200.0 < sun_position(28.0, dt.date(2015, 4, 1), 15.0)[1] < 340.0


def test_a_wall_casts_a_shadow_of_its_height_over_the_tangent() -> None:
    z = np.zeros((40, 80), dtype=np.float32)
    z[:, 60:63] = 100.0
    world = SimpleNamespace(elevation_m=z, transform=Affine(31.25, 0, 0, 0, -31.25, 0))
    shade = horizon_m(world, 30.0, 90.0)  # type: ignore[arg-type]  # the sun in the east
    shaded = shade[20] > z[20]
    length = 100.0 / np.tan(np.radians(30.0)) / 31.25
    assert not shaded[63:].any()
    assert abs(int(shaded[:60].sum()) - length) <= 1.0
    assert shaded[59]
    assert not shaded[:50].any()


def test_fields_are_standard_and_smoother_with_a_steeper_slope() -> None:
    rough, smooth = (
        rough_field((96, 96), 24.0, np.random.default_rng(1), slope=s) for s in (2.0, 5.0)
    )
    assert rough.std() == pytest.approx(1.0, abs=1e-3)
    assert np.abs(np.diff(smooth)).mean() < 0.5 * np.abs(np.diff(rough)).mean()


def test_streaks_run_along_the_direction() -> None:
    noise = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    down = np.ones((64, 64), np.float32), np.zeros((64, 64), np.float32)
    field = streaks(noise, down, half_length_px=8)
    assert np.abs(np.diff(field, axis=0)).mean() < 0.5 * np.abs(np.diff(field, axis=1)).mean()


def test_streams_differ_by_region_part_and_number() -> None:
    streams = [
        stream(0, "nepal_like", "cover"),
        stream(0, "papua_like", "cover"),
        stream(0, "nepal_like", "scars"),
        stream(1, "nepal_like", "cover"),
        stream(0, "nepal_like", "cover", 1),
    ]
    assert len({one.random() for one in streams}) == len(streams)


def test_steps_are_bounded_and_monotone() -> None:
    value = soft_step(np.linspace(-2.0, 2.0, 41), -1.0, 1.0)
    assert value[0] == 0.0
    assert value[-1] == 1.0
    assert (np.diff(value) >= 0.0).all()


def scar(failed: int, half_years: float) -> Scars:
    zero = np.zeros((2, 2), np.float32)
    return Scars(
        label=np.ones((2, 2), np.int32), way=zero, depth_px=zero, world_index=np.array([0]),
        epoch=np.array([0]), failed=np.array([failed]), half_years=np.array([half_years]),
        patchy=zero,
    )  # fmt: skip


def test_a_scar_is_half_grown_over_after_its_half_time() -> None:
    day = dt.date(2015, 4, 25)
    one = scar(day.toordinal(), 4.0)
    later = dt.date.fromordinal(day.toordinal() + round(4.0 * 365.25))
    assert one.regrown(later)[0] == pytest.approx(0.5, abs=1e-3)
    assert one.visible(day)[0]
    assert not one.visible(day - dt.timedelta(days=1))[0]
    assert not one.visible(later + dt.timedelta(days=30))[0]


def test_the_cloud_mask_is_right_without_error_and_wrong_with_it() -> None:
    opacity = np.clip(rough_field((200, 200), 60.0, np.random.default_rng(3), slope=3.5), 0, 1)
    sky = Sky(opacity, np.zeros_like(opacity))
    masks = [
        cloud_mask(sky, EmbeddedSettings(cloud_mask_error=e), np.random.default_rng(0))
        for e in (0.0, 0.8)
    ]
    thick = opacity > 0.25
    assert masks[0][thick].all()
    assert not masks[1][thick].all()


def test_the_snow_mask_follows_the_snow_and_errs_along_its_edge() -> None:
    snow = np.clip(rough_field((200, 200), 60.0, np.random.default_rng(3), slope=3.5), 0, 1)
    masks = [
        snow_mask(snow, EmbeddedSettings(cloud_mask_error=e), np.random.default_rng(0))
        for e in (0.0, 0.8)
    ]
    assert masks[0][snow > 0.5].all()
    # No further than one pixel from where snow covers half.
    assert not masks[0][~ndimage.binary_dilation(snow > 0.5)].any()
    assert not masks[1][snow > 0.5].all()


def test_snow_is_masked_where_that_is_asked_for_and_nothing_else_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def western_half(ground: Ground, *_: object) -> Array:
        snow = np.zeros(ground.shape, dtype=np.float32)
        snow[:, : snow.shape[1] // 2] = 1.0
        return snow

    monkeypatch.setattr(study, "snow_cover", western_half)
    plain, masked = (
        study.render_scenes(
            EmbeddedSettings(
                regions=("nepal_like",), size_px=64, epochs=1, cloud_share=0.0, snow_mask=chosen
            )
        )[0]
        for chosen in (False, True)
    )
    for name in ("image", "pre", "truth"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(masked, name))
    assert plain.valid.all()
    assert not masked.valid[:, :32].any()
    assert masked.valid[:, 34:].all()
    assert masked.pre_valid is not None
    assert not masked.pre_valid[:, :30].any()


def test_a_shift_moves_the_image_and_what_was_seen() -> None:
    image = np.zeros((8, 8, 1), np.float32)
    image[3, 3] = 0.5
    valid = np.ones((8, 8), bool)
    valid[3, 3] = False
    moved, seen = shifted(image, valid, (2.0, 1.0))
    assert moved[5, 4, 0] == pytest.approx(0.5)
    assert not seen[5, 4]
    half, seen = shifted(image, valid, (0.5, 0.0))
    assert half[3, 3, 0] == pytest.approx(0.25)
    assert not seen[3:5, 3].any()


@pytest.mark.nightly
@pytest.mark.parametrize("region", sorted(REGIONS))
def test_the_best_threshold_of_ndvi_finds_few_scars(region: str) -> None:
    """What the hardness of the scenes rests on; benchmarks/scenes.py measures it with models."""
    scenes = render_scenes(EmbeddedSettings(regions=(region,), size_px=384, epochs=2, seed=11))
    bare, truth = [], []
    for scene in scenes:
        red, nir = scene.image[..., 2], scene.image[..., 3]
        bare.append(((red - nir) / (red + nir))[scene.counted])
        assert scene.truth is not None
        truth.append(scene.truth[scene.counted])
    score, outcome = np.concatenate(bare), np.concatenate(truth)
    cut = choose_threshold(score, outcome, maximise="f1")
    assert ContingencyTable.of(score, outcome, threshold=cut).f1() < 0.70
