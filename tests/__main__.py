"""Every check of the project, in the order in which they fail fastest: ``python -m tests``.

Arguments go to pytest, as in ``python -m tests -m "not slow"``.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Each keeps one core busy for a minute or two: beside the tests they cost half of that.
BESIDE = ("types", "docs")


def steps(pytest_arguments: list[str]) -> list[tuple[str, list[str]]]:
    """(name, command) of each check."""
    python = [sys.executable, "-m"]
    return [
        ("format", [*python, "ruff", "format", "--check", "."]),
        ("lint", [*python, "ruff", "check", "."]),
        ("types", [*python, "mypy"]),
        (
            "docs",
            [*python, "sphinx", "-b", "html", "-W", "--keep-going", "-q", "docs", "docs/_build"],
        ),
        # Two workers; a file stays on one, since its modules share studies that take long to make.
        (
            "tests",
            [
                *python,
                "pytest",
                "-q",
                "-n2",
                "--dist=loadfile",
                "--durations=40",
                *pytest_arguments,
            ],
        ),
    ]


def shared_programs(folder: str) -> dict[str, str]:
    """Settings by which workers and subprocesses take compiled programs from each other.

    A quarter of the processor time of the tests that compile most; the folder begins empty. Small
    programs count too: building a network is 66 of them, 14 s to compile and 1 s to read.
    """
    return {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def main() -> int:
    """Run every step, also after a failure; return 1 if any failed."""
    with tempfile.TemporaryDirectory() as programs, tempfile.TemporaryDirectory() as said:
        return run_steps({**os.environ, **shared_programs(programs)}, Path(said))


def run_steps(environment: dict[str, str], folder: Path) -> int:
    """Every step in this environment; some run beside the tests, and speak through the folder."""
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    failed, beside = [], []
    for name, command in steps(sys.argv[1:]):
        start = time.monotonic()
        print(f"== {name}: {' '.join(command[2:])}", flush=True)
        if name in BESIDE:
            said = folder / f"{name}.txt"
            with said.open("w") as stream:
                process = subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT
                )
            beside.append((name, process, said))
            print(f"== {name}: runs beside what follows\n", flush=True)
            continue
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        print(
            f"== {name}: {'failed' if code else 'passed'}, {time.monotonic() - start:.0f} s\n",
            flush=True,
        )
        if code:
            failed.append(name)
    for name, process, said in beside:
        code = process.wait()
        print(f"{said.read_text()}== {name}: {'failed' if code else 'passed'}\n", flush=True)
        if code:
            failed.append(name)
    print(f"== failed: {', '.join(failed)}" if failed else "== all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
