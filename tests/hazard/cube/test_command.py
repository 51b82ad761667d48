"""The command: one clear message and the right exit code for everything that can go wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import hazard.cube.build as build_module
from hazard.__main__ import app as hazard_app
from hazard.cube.__main__ import app
from hazard.cube.layout import open_cube
from hazard.geo.cog import write_cog
from hazard.geo.grid import Grid
from stats.command.run_folder import read_run_folder
from tests.hazard.cube import small_study as small

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("jax", "rasterio", "geopandas", "xarray", "matplotlib", "numba", "zarr", "scipy", "pandas")


def invoke(*arguments, command=app):
    return CliRunner().invoke(command, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    small.write_study(folder)
    return folder


@pytest.fixture
def own(tmp_path):
    """A study of one's own to break."""
    small.write_study(tmp_path / "study")
    return tmp_path / "study"


@pytest.fixture(scope="module")
def done(study):
    result = invoke(study / "study.yaml", "--out", study / "run", "--export", study / "b.npz")
    assert result.exit_code == 0, result.output
    return result


def fails(result, code, *parts):
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    last = result.stderr.strip().splitlines()
    message = "\n".join(last)
    for part in parts:
        assert part in message, message
    return message


# What it writes ------------------------------------------------------------------------------


def test_a_run_writes_its_table_its_maps_and_its_records(study, done):
    assert "elevation_m" in done.stdout
    assert "positive" in done.stdout
    run = read_run_folder(study / "run")
    assert run.name == "small"
    assert not run.synthetic
    assert all(page.read_bytes()[:4] == b"\x89PNG" for page in run.figures)
    inputs = {record["role"]: record for record in run.provenance["inputs"]}
    assert len(inputs["terrain.elevation"]["sha256"]) == 64
    assert run.provenance["versions"]["numpy"] == np.__version__
    assert run.provenance["seed"] == 3
    assert run.summary["layers"]
    lines = (study / "run/log.jsonl").read_text().splitlines()
    assert all("message" in json.loads(line) for line in lines)


def test_export_writes_batches_that_numpy_reads(study, done):
    with np.load(study / "b.npz", allow_pickle=False) as arrays:
        assert "metadata" in arrays.files


def test_a_second_run_finds_everything_up_to_date(study, done):
    result = invoke(study / "study.yaml", "--out", study / "run")
    assert result.exit_code == 0
    assert "up to date" in result.stderr


def test_quiet_says_nothing_and_log_json_says_it_in_json(study, done):
    result = invoke(study / "study.yaml", "--out", study / "run", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    result = invoke(study / "study.yaml", "--out", study / "run", "--log-json")
    assert all(json.loads(line) for line in result.stderr.splitlines())


def test_dry_run_says_what_it_would_do_and_writes_nothing(own):
    before = sorted(own.rglob("*"))
    result = invoke(own / "study.yaml", "--out", own / "run", "--dry-run")
    assert result.exit_code == 0
    for part in (
        "dem.tif",
        "12 x 16 cells",
        "48 x 64 pixels",
        "memory",
        "disk",
        "forward_chaining",
    ):
        assert part in result.stdout
    assert sorted(own.rglob("*")) == before


def test_dry_run_of_a_world_builds_no_world(tmp_path):
    config = ROOT / "configs/gorkha_smoke.yaml"
    result = invoke(config, "--out", tmp_path / "run", "--dry-run")
    assert result.exit_code == 0
    assert "SYNTHETIC" in result.stdout
    assert not (tmp_path / "run").exists()


# What goes wrong -----------------------------------------------------------------------------


def test_a_missing_config_is_a_usage_error(tmp_path):
    fails(invoke(tmp_path / "absent.yaml"), 2, "absent.yaml", "no such file")


def test_an_unknown_key_is_named_with_the_one_that_was_meant(study):
    result = invoke(study / "study.yaml", "--set", "terrain.resampling_=cubic")
    fails(result, 2, "terrain.resampling_", "did you mean 'resampling'")


def test_a_missing_file_is_named(own):
    (own / "dem.tif").unlink()
    fails(invoke(own / "study.yaml", "--out", own / "run"), 3, "terrain.elevation", "dem.tif")
    assert not (own / "run").exists()


def test_partly_missing_files_are_no_reason_to_build_a_world(own):
    for name in ("dem.tif", "rain.csv"):
        (own / name).unlink()
    world = "if_missing={world: {extent_cells: [8, 8], pixels_per_cell: 4}}"
    result = invoke(own / "study.yaml", "--out", own / "run", "--set", world)
    fails(result, 3, "rain.file", "terrain.elevation", "4 of its 6")


def test_a_geographic_target_is_refused(own):
    grid = Grid.from_bounds("EPSG:4326", (85.0, 28.0, 85.16, 28.12), cell_m=0.01)
    small.write_density(own / "density.tif", small.density(), grid=grid)
    result = invoke(own / "study.yaml", "--out", own / "run")
    fails(result, 3, "density.tif", "WGS 84", "metres")


def test_elevation_elsewhere_on_earth_is_refused(own):
    grid = Grid.from_bounds("EPSG:32633", (300_000, 5_100_000, 316_000, 5_112_000), cell_m=250)
    write_cog(own / "dem.tif", small.elevation(grid), grid, names=["z"], units=["m"])
    fails(invoke(own / "study.yaml", "--out", own / "run"), 3, "dem.tif", "overlap")


def test_a_truncated_elevation_model_is_refused(own):
    data = (own / "dem.tif").read_bytes()
    (own / "dem.tif").write_bytes(data[: len(data) // 2])
    fails(invoke(own / "study.yaml", "--out", own / "run"), 3, "dem.tif", "unreadable")


@pytest.mark.parametrize("content", [b"", b"this is no raster"])
def test_an_empty_or_wrong_elevation_model_is_refused(own, content):
    (own / "dem.tif").write_bytes(content)
    fails(invoke(own / "study.yaml", "--out", own / "run"), 3, "dem.tif")


def test_a_wrong_number_of_bands_is_refused(own):
    small.write_density(own / "density.tif", small.density()[:2])
    fails(invoke(own / "study.yaml", "--out", own / "run"), 3, "density.tif", "2 bands", "3")


def test_a_density_above_100_percent_is_refused(own):
    small.write_density(own / "density.tif", small.density(maximum=100.5))
    fails(invoke(own / "study.yaml", "--out", own / "run"), 3, "density.tif", "100.5", "percent")


def test_an_impossible_elevation_names_layer_value_and_range(own):
    grid = small.GRID.refine(small.FACTOR)
    z = small.elevation(grid)
    z[20, 20] = 12_000.0
    write_cog(own / "dem.tif", z, grid, names=["z"], units=["m"])
    result = invoke(own / "study.yaml", "--out", own / "run")
    fails(result, 3, "elevation_m of 12000 m", "-500 to 9000")


def test_holes_beyond_the_limit_are_refused(own):
    result = invoke(own / "study.yaml", "--out", own / "run", "--set", "terrain.fill_holes_m=300")
    fails(result, 3, "dem.tif", "fill_holes_m")


def test_values_below_the_threshold_of_a_censored_layer_are_refused(own):
    setting = "layers.0.censored_below=20"
    fails(
        invoke(own / "study.yaml", "--out", own / "run", "--set", setting), 3, "censored.tif", "20"
    )


def test_a_failure_leaves_no_cube_and_no_records_under_final_names(own):
    (own / "rain.csv").write_text("time,longitude,latitude,precip\n2015-01-01,85,28,wet\n")
    fails(invoke(own / "study.yaml", "--out", own / "run"), 3, "rain.csv")
    left = {path.name for path in (own / "run").iterdir()}
    assert not left & {"cube.zarr", "run.json", "summary.json", "provenance.json", "figures"}


def test_a_run_whose_maps_fail_is_not_a_finished_run(own, monkeypatch):
    """The record of the run before must not stand beside the cube of this one."""
    import hazard.cube.figures as figures

    run = own / "run"
    assert invoke(own / "study.yaml", "--out", run).exit_code == 0

    def broken(*_, **__):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(figures, "draw_cube", broken)
        again = invoke(own / "study.yaml", "--out", run, "--set", "seed=9")
        fails(again, 1, "no space left")
    assert (run / "cube.zarr").is_dir()
    assert not (run / "run.json").exists()
    assert invoke(own / "study.yaml", "--out", run, "--set", "seed=9").exit_code == 0
    assert read_run_folder(run).seed == 9


def test_debug_shows_the_traceback(own):
    (own / "dem.tif").unlink()
    result = invoke(own / "study.yaml", "--out", own / "run", "--debug")
    assert result.exit_code == 3
    assert "Traceback" in result.stderr


def test_an_unforeseen_error_is_one_line_and_exit_code_1(study, tmp_path, monkeypatch):
    def broken(self, writer):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(build_module._Build, "_write_target", broken)
    result = invoke(study / "study.yaml", "--out", tmp_path / "run")
    message = fails(result, 1, "RuntimeError: first line", "--debug")
    assert "second line" not in message


def test_an_interrupt_ends_with_130_and_the_next_run_finishes(study, done, tmp_path, monkeypatch):
    run = tmp_path / "run"

    def interrupted(self, writer):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build_module._Build, "_write_flow", interrupted)
        fails(invoke(study / "study.yaml", "--out", run), 130, "interrupted")
    assert not (run / "cube.zarr").exists()
    assert not (run / "run.json").exists()
    assert invoke(study / "study.yaml", "--out", run).exit_code == 0
    built = read_run_folder(run).provenance["parts_built"]
    assert built == ["flow", "layers", "triggers", "folds"]
    whole, again = open_cube(study / "run"), open_cube(run)
    np.testing.assert_array_equal(whole.pixels["twi"].values, again.pixels["twi"].values)


# Whole processes -----------------------------------------------------------------------------


def process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True, cwd=ROOT,
        check=False, **options,
    )  # fmt: skip


@pytest.mark.parametrize("module", ["hazard.cube", "hazard"])
def test_help_imports_nothing_heavy_and_gives_the_exit_codes(module):
    """What makes a start slow is what it imports; seconds depend on the machine."""
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", module, "--help"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    imported = {line.rsplit("|", 1)[-1].strip() for line in listed.stderr.splitlines()}
    assert "typer" in imported
    assert not {name for name in HEAVY if name in imported}
    assert "Exit codes: 0 done" in listed.stdout


def test_a_process_ends_with_the_code_and_without_a_traceback(own):
    (own / "event0.xml.gz").write_bytes(b"\x1f\x8bbroken")
    result = process("hazard.cube", own / "study.yaml", "--out", own / "run")
    assert result.returncode == 3
    assert "event0.xml.gz" in result.stderr
    assert "Traceback" not in result.stderr


def test_control_c_leaves_nothing_half_written_under_a_final_name(own):
    """A real signal to a real process, in the middle of its work."""
    run = own / "run"
    # Shells start jobs in the background deaf to it, and their children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "hazard.cube", str(own / "study.yaml"), "--out", str(run)],
            cwd=ROOT, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        # The child has work left for seconds once it says that it began.
        assert child.stderr is not None
        child.stderr.readline()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    assert not (run / "cube.zarr").exists()
    assert not (run / "run.json").exists()


def test_two_processes_do_not_write_one_run_and_a_dead_one_holds_no_lock(own):
    run = own / "run"
    code = (
        "import sys, time; from pathlib import Path; from stats.command.run_lock import run_lock\n"
        f"with run_lock(Path({str(run)!r})):\n print('held', flush=True); time.sleep(120)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        fails(invoke(own / "study.yaml", "--out", run), 1, "in use by process", str(holder.pid))
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    time.sleep(0.1)
    assert invoke(own / "study.yaml", "--out", run).exit_code == 0


# python -m hazard ----------------------------------------------------------------------------


def test_validate_checks_keys_and_files(study, tmp_path):
    result = invoke("validate", study / "study.yaml", command=hazard_app)
    assert result.exit_code == 0
    assert "all 6 input files exist" in result.stderr
    values = small.study_values(tmp_path)
    config = small.write_config(tmp_path, values)
    assert invoke("validate", config, command=hazard_app).exit_code == 3
    config.write_text(yaml.safe_dump({**values, "sed": 1}))
    assert invoke("validate", config, command=hazard_app).exit_code == 2


def test_schema_goes_to_stdout_or_to_a_file(tmp_path):
    printed = invoke("schema", command=hazard_app)
    assert json.loads(printed.stdout)["title"] == "HazardConfig"
    assert invoke("schema", "--out", tmp_path / "s.json", command=hazard_app).exit_code == 0
    assert (tmp_path / "s.json").read_text() == printed.stdout


def test_info_describes_a_run_and_refuses_what_is_none(study, done, tmp_path):
    result = invoke("info", study / "run", command=hazard_app)
    assert result.exit_code == 0
    assert "3 epochs" in result.stdout
    assert "terrain.elevation" in result.stdout
    fails(invoke("info", tmp_path, command=hazard_app), 3, "run.json")


def test_the_smoke_configuration_runs_and_says_synthetic(tmp_path):
    result = invoke(ROOT / "configs/gorkha_smoke.yaml", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "SYNTHETIC" in result.stdout
    assert "SYNTHETIC" in result.stderr
    run = read_run_folder(tmp_path / "run")
    assert run.synthetic
    assert run.summary["epochs"][0]["epoch"] == "coseismic 2015"
