"""The README's two commands: what they name exists, and the first one works from nothing."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def command(name: str) -> str:
    found = re.search(rf"<!-- command: {name} -->\n```bash\n(.*?)\n```", README, re.DOTALL)
    assert found, f"README.md has no command {name!r}"
    return found.group(1)


def test_commands_are_single_lines():
    assert "\n" not in command("main")
    assert "\n" not in command("tests")


def test_the_test_command_installs_declared_extras():
    extras = re.search(r"\.\[([a-z,]+)\]", command("tests"))
    assert extras
    assert set(extras.group(1).split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_the_main_command_names_a_config_that_exists():
    assert (ROOT / command("main").split()[-1]).is_file()


def test_ci_runs_the_readme_command():
    extracted = subprocess.run(
        ["sed", "-n", "/<!-- command: tests -->/,/^```$/p", "README.md"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    ).stdout.splitlines()
    assert extracted[2:-1] == [command("tests")]
    assert "command: tests" in (ROOT / ".ci" / "run").read_text()


def test_start_page_repeats_the_readme():
    assert command("main") in (ROOT / "docs" / "start.md").read_text()


def committed_clone(folder: Path) -> Path:
    inside = subprocess.run(
        ["git", "rev-parse", "--is-inside-work-tree"], cwd=ROOT, capture_output=True, check=False
    )
    if inside.returncode != 0:
        pytest.skip("not a git checkout: there is nothing to clone")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_the_three_packages_and_nothing_else(tmp_path):
    clone = committed_clone(tmp_path / "clone")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(clone)],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"detection", "hazard", "stats"}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_main_command_works_in_an_empty_clone_with_an_empty_environment(tmp_path):
    """Word for word, but for the smoke twin of its configuration, which takes a minute."""
    clone = committed_clone(tmp_path / "clone")
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in {"VIRTUAL_ENV", "PYTHONPATH", "GORKHA_DATA", "HAZARD_TEST_DATA"}
    }
    # Most of what is installed is never imported: what is, Python compiles by itself.
    environment["PIP_NO_COMPILE"] = "1"
    smoke = command("main").replace("configs/gorkha.yaml", "configs/gorkha_smoke.yaml")
    assert smoke != command("main")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", smoke],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "SYNTHETIC" in done.stdout + done.stderr
    run = clone / "runs" / "gorkha_smoke"
    assert (run / "cube.zarr" / "zarr.json").is_file()
    assert "SYNTHETIC" in (run / "report" / "html" / "index.html").read_text()
    assert "lightgbm" in (run / "scoreboard.csv").read_text()
    untracked = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert untracked.stdout == "", "the run left files that git does not ignore"
