"""The command end to end on two tiny regions: files, resume, what is trained again."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from typer.testing import CliRunner

from detection.chain.__main__ import app
from detection.chain.counts import read_counts
from detection.chain.folder import run_folder_of
from detection.chain.run import chain_run
from detection.chain.study import chain_section, chain_study
from detection.chain.trainings import score_planned
from detection.config.schema import DetectionConfig, load_config
from detection.report.chain_report import write_chain_report
from detection.scenes.scene import Scene
from detection.training.model_file import load_model
from detection.training.study import study_patches
from hazard.errors import ConfigError, DataError, UsageError
from hazard.geo.grid import Grid
from stats.command.frame import Session
from stats.command.log import Log
from stats.command.progress import SilentReporter

CONFIG = """
name: tiny
title: Two tiny regions
seed: 1
embedded: {regions: [nepal_like, wenchuan_like], epochs: 2}
patches: {size_px: 16, stride_px: 16}
split: {by: block, block_m: 80, buffer_m: 0, test_share: 0.3, validation_share: 0.25}
preparation: {topography: [], use_pre: false}
networks:
  - name: default
    settings: {widths: [2], blocks: [1], kernel_sizes: [3], decoder_width: 4, detail_width: 2,
               expansion: 1}
training: {epochs: 1, batch_size: 4, augmentation: {preset: none}}
chain: {order: [nepal_like, wenchuan_like], combined: false, leave_one_out: false}
evaluation: {block_m: 80, draws: 20}
"""


def scenes() -> list[Scene]:
    """Two places on two dates: bright round scars on dark ground, another brightness per place."""
    side, found = 96, []
    rng = np.random.default_rng(4)
    rows, cols = np.mgrid[:side, :side]
    for number, region in enumerate(("nepal_like", "wenchuan_like")):
        grid = Grid(
            crs="EPSG:32645", transform=Affine(5, 0, 0, 0, -5, 1e5 * number), shape=(side, side)
        )
        centres = rng.uniform(0, side, (30, 2))
        for year in (2015, 2016):
            truth = np.zeros(grid.shape, dtype=bool)
            for row, column in centres[: 30 - 5 * (year - 2015)]:
                truth |= (rows - row) ** 2 + (cols - column) ** 2 < 20
            image = rng.normal(0.1 + 0.05 * number, 0.03, (side, side, 4)) + 0.2 * truth[..., None]
            seen = np.ones(grid.shape, dtype=bool)
            found.append(
                Scene(
                    name=f"{region}_{year}", region=region, epoch=str(year), date=None,
                    bands=("blue", "green", "red", "nir"), unit="1", sensor="made", grid=grid,
                    image=image, valid=seen, truth=truth, known=seen, synthetic=True,
                )
            )  # fmt: skip
    return found


@pytest.fixture(scope="module", autouse=True)
def _made_scenes():
    """What the command reads: rendering is tested elsewhere, and takes longer than all of this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "detection.chain.run.study_patches",
            lambda config, progress: study_patches(config, scenes()),
        )
        yield


def configuration(folder: Path, *overrides: str) -> DetectionConfig:
    path = folder / "tiny.yaml"
    path.write_text(CONFIG)
    return load_config(path, overrides=overrides)


def quiet() -> Session:
    return Session(log=Log(quiet=True), reporter=SilentReporter())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    study = chain_run(configuration(folder), folder / "run", quiet())
    return folder, folder / "run", study


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return study_patches(configuration(tmp_path_factory.mktemp("patches")), scenes())


def times(run: Path) -> dict[str, float]:
    return {p.name: p.stat().st_mtime for p in (run / "models").iterdir()}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_file_of_the_record_is_there_and_every_training_has_a_model(made):
    _, run, study = made
    record = json.loads((run / "run.json").read_text())
    assert record["layout"] == "detection-chain"
    assert record["synthetic"] is True
    assert all((run / name).exists() for name in record["files"])
    names = [t.name for t in study.plan.trainings]
    assert sorted(p.name for p in (run / "models").iterdir()) == sorted(names)
    assert [
        t["name"] for t in json.loads((run / "trainings.json").read_text())["trainings"]
    ] == names


def test_test_ground_was_never_trained_on_in_any_epoch(made):
    _, run, _ = made
    ground = {"train": set(), "test": set()}
    for row in table(run / "split.csv"):
        if row["role"] in ground:
            ground[row["role"]].add((row["region"], row["row"], row["column"]))
    assert ground["train"]
    assert not ground["train"] & ground["test"]


def test_stored_models_give_the_stored_counts(made):
    _, run, study = made
    planned = study.plan.stages("full")[-1]
    again = score_planned(planned, load_model(run / "models" / planned.name), study.data,
                          batch_size=4)  # fmt: skip
    kept = read_counts(run / "counts" / f"{planned.name}.csv")
    assert len(again) == len(kept) == 4
    for one, other in zip(again, kept, strict=True):
        assert np.array_equal(one.counts, other.counts)
        assert np.array_equal(one.unseen, other.unseen)
    # Other epochs are mapped whole, of the event epoch only what nobody trained on.
    whole = [scene for scene in kept if not scene.unseen.all()]
    assert {s.epoch for s in whole} == {r.epochs[1] for r in study.data.values()}


def test_both_sides_of_the_comparison_on_few_data_see_the_same_patches(made):
    _, run, study = made
    transfer, scratch = (
        load_model(run / "models" / study.plan.of(kind, 1)[0].name)
        for kind in ("few_transfer", "few_scratch")
    )
    assert transfer.provenance["patches"] == scratch.provenance["patches"]
    assert transfer.preparation == scratch.preparation
    whole = study.data["wenchuan_like"].parts["train"]
    records = json.loads((run / "trainings.json").read_text())["trainings"]
    few = {t["name"]: t["patches"]["train"] for t in records if t["planned"]["share"] < 1}
    assert set(few.values()) == {int(np.ceil(0.1 * len(whole)))}


def test_resume_trains_nothing_twice_and_a_changed_variant_alone_anew(made):
    folder, run, _ = made
    before = times(run)
    chain_run(configuration(folder), run, quiet(), resume=True)
    assert times(run) == before
    changed = configuration(folder, "chain.variants=[{name: full, learning_rate: 1.0e-4}]")
    chain_run(changed, run, quiet(), resume=True)
    after = times(run)
    moved = {name for name in after if after[name] != before[name]}
    # The first stage and what starts from fresh weights stand; few_transfer fine-tunes.
    assert moved == {"chain-full-2-wenchuan_like", "few_transfer-2-wenchuan_like"}


def test_the_report_is_built_from_the_folder_alone(made, tmp_path):
    _, run, _ = made
    page = write_chain_report(run)
    text = page.read_text(encoding="utf-8")
    assert "SYNTHETIC" in text
    assert "10%" in text
    pages = {p.stem for p in page.parent.glob("*.html")}
    assert {"matrix", "transfer", "designs", "maps", "trainings", "data", "model", "papers",
            "provenance"} <= pages  # fmt: skip
    with pytest.raises(DataError, match=r"run\.json"):
        write_chain_report(tmp_path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("chain.variants=[{name: a, frozen: [encoder, decoder, head]}]", "nothing to train"),
        ("chain.variants=[{name: a, frozen: [pool4]}]", "no part 'pool4'"),
        ("split={by: region, test: [nepal_like]}", "split: found by 'region'"),
        ("chain.network=unet", "expected one of default"),
        ("chain.order=[nepal_like, nepal_like]", "twice"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_is(tmp_path, patches, override, message):
    def ask():
        config = configuration(tmp_path, override)
        chain_section(config)
        chain_study(config, patches)

    with pytest.raises(ConfigError, match=message):
        ask()


def test_a_region_or_epoch_that_is_not_there_is_a_data_error(tmp_path, patches):
    folder = tmp_path
    with pytest.raises(DataError, match="papua_like"):
        chain_study(configuration(folder, "chain.order=[nepal_like, papua_like]"), patches)
    with pytest.raises(DataError, match="2031"):
        chain_study(configuration(folder, 'chain.event_epochs={nepal_like: "2031"}'), patches)


def test_a_folder_of_something_else_is_left_alone(made, tmp_path):
    _, run, _ = made
    assert run_folder_of("x", run) == run
    assert run_folder_of("x", tmp_path / "free") == tmp_path / "free"
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(UsageError, match=r"photo\.jpg"):
        run_folder_of("x", tmp_path)
    (tmp_path / "run.json").write_text('{"layout": "hazard-run"}')
    with pytest.raises(UsageError, match="another kind"):
        run_folder_of("x", tmp_path)
    with pytest.raises(UsageError, match="the file"):
        run_folder_of("x", tmp_path / "photo.jpg")


@pytest.mark.slow
def test_standardisation_is_that_of_the_first_region_or_of_each(made, tmp_path):
    folder, run, study = made
    stages = [stage.name for stage in study.plan.stages("full")]
    first, second = (load_model(run / "models" / name).preparation for name in stages)
    assert first == second
    own = configuration(
        tmp_path, "chain.standardisation=own", "chain.conventional=false", "chain.few_share=null"
    )
    chain_run(own, tmp_path / "own", quiet())
    one, other = (load_model(tmp_path / "own" / "models" / name).preparation for name in stages)
    assert one == first
    assert other != one
    assert folder


def test_the_dry_run_lists_the_trainings_and_writes_nothing(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    result = CliRunner().invoke(app, [str(path), "--dry-run", "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert "10% of wenchuan_like" in result.output
    assert list(tmp_path.iterdir()) == [path]
