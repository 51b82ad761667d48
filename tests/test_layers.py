"""Imports point one way: packages, rooms of hazard, the pure floor of stats, the bare GPU image."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("detection", "hazard", "stats")

MAY_IMPORT = {
    "stats": set(),
    "hazard": {"stats"},
    "detection": {
        "stats",
        "hazard.geo",
        "hazard.config",
        "hazard.training",
        "hazard.errors",
        "hazard.world",
    },
}

# A room may import the rooms of the rows above it, and its own.
HAZARD_ORDER = (
    {"config", "variables", "errors"},
    {"geo"},
    {"world"},
    {"cube"},
    {"archive", "forecast"},
    {"models", "baselines"},
    {"training", "sampling"},
    {"estimate"},
    {"predict"},
    {"evaluate"},
    {"report"},
    {"fit"},
    {"__main__"},
)
# The declaration of variables and the errors are open to every room of their own row.
DETECTION_ORDER = (
    {"models", "losses", "config", "runs"},
    {"scenes"},
    {"embedded", "patches"},
    {"augmentation", "pixelwise"},
    {"training"},
    {"evaluate", "mapping"},
    {"polygons"},
    {"inventory"},
    {"comparison", "observation"},
    {"chain"},
    {"report"},
    {"fit", "map"},
    {"__main__"},
)
RANK = {
    package: {room: rank for rank, rooms in enumerate(order) for room in rooms}
    for package, order in (("hazard", HAZARD_ORDER), ("detection", DETECTION_ORDER))
}

PURE_FLOOR_MAY_USE = {
    "numpy",
    "scipy",
    "jax",
    "jaxlib",
    "jaxtyping",
    "statsmodels",
    "numpyro",
    "numba",
}
BARE_IMAGE_HAS = {"jax", "jaxlib", "flax", "optax", "orbax", "numpy", "scipy", "jaxtyping"}

# Rooms that must run on a bare GPU image. Command files and the one door are exempt by nature.
BARE_ROOMS = ("hazard.models", "hazard.training", "detection.models", "detection.losses", "stats")

FILES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def module_name(file: Path) -> str:
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(source: str) -> set[str]:
    """Modules named by import statements, wherever in the file they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            base = node.module or ""
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def dynamic_imports(source: str) -> list[str]:
    """Uses of importlib or __import__, which would slip past the reading of imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            if text == "__import__" or text.endswith("import_module"):
                found.append(ast.unparse(node))
    return found


def inside(name: str, room: str) -> bool:
    return f"{name}.".startswith(f"{room}.")


def package_violations(module: str, source: str) -> list[str]:
    package = module.split(".")[0]
    allowed = MAY_IMPORT[package] | {package}
    return [
        f"{module} imports {name}"
        for name in imported_names(source)
        if name.split(".")[0] in PACKAGES and not any(inside(name, room) for room in allowed)
    ]


def room_violations(module: str, source: str) -> list[str]:
    parts = module.split(".")
    if parts[0] not in RANK or len(parts) < 2:
        return []
    ranks = RANK[parts[0]]
    rank = ranks["__main__" if parts[-1] == "__main__" else parts[1]]
    found = []
    for name in imported_names(source):
        other = name.split(".")
        if other[0] == parts[0] and len(other) > 1 and other[1] in ranks:
            same = other[1] == parts[1]
            if not same and (ranks[other[1]] > rank):
                found.append(f"{module} imports {name}, a later room")
    return found


def floor_violations(module: str, source: str) -> list[str]:
    if not inside(module, "stats") or inside(module, "stats.command") or "__main__" in module:
        return []
    found = []
    for name in imported_names(source):
        top = name.split(".")[0]
        if inside(name, "stats.command"):
            found.append(f"{module} imports the door {name}")
        elif top not in PURE_FLOOR_MAY_USE | {"stats"} | sys.stdlib_module_names:
            found.append(f"{module} imports {name}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_one_way(file):
    module, source = module_name(file), file.read_text()
    assert package_violations(module, source) == []
    assert room_violations(module, source) == []
    assert floor_violations(module, source) == []
    assert dynamic_imports(source) == []


def test_world_truth_is_read_by_the_world_alone():
    """What the generator knows is no input: only hazard.world and tests may open it."""
    for file in FILES:
        module = module_name(file)
        if not inside(module, "hazard.world"):
            names = imported_names(file.read_text())
            assert not [n for n in names if inside(n, "hazard.world.truth")], module


@pytest.mark.parametrize(
    ("module", "source", "check"),
    [
        ("stats.a", "import hazard.geo", package_violations),
        ("hazard.geo.a", "from detection import fit", package_violations),
        ("detection.a", "from hazard.cube import build", package_violations),
        ("detection.a", "import hazard.models.default", package_violations),
        ("hazard.geo.a", "def f():\n    from hazard.cube import build", room_violations),
        ("hazard.config.a", "import hazard.world.build", room_violations),
        ("hazard.training.a", "from hazard.estimate import x", room_violations),
        ("detection.patches.a", "from detection.training import x", room_violations),
        ("stats.sizes.a", "import geopandas", floor_violations),
        ("stats.sizes.a", "from stats.command.plots import x", floor_violations),
        ("stats.sizes.a", "import importlib\nimportlib.import_module('hazard')", dynamic_imports),
    ],
)
def test_the_checks_find_what_they_are_for(module, source, check):
    found = check(source) if check is dynamic_imports else check(module, source)
    assert found


BLOCKED = """
import sys

class Block:
    allowed = set({allowed!r})
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in {blocked!r}:
            raise ModuleNotFoundError("blocked: " + name)

sys.meta_path.insert(0, Block())
for name in {modules!r}:
    __import__(name)
"""

# rich and PyYAML come with flax itself, so they are there; ours may not ask for them (next test).
NOT_ON_THE_IMAGE = {
    "rasterio", "zarr", "geopandas", "shapely", "pyogrio", "pyproj", "pydantic", "exactextract",
    "xarray", "pandas", "matplotlib", "typer", "beartype", "h5py", "h5netcdf",
    "affine", "sphinx", "statsmodels", "numpyro", "numba",
}  # fmt: skip


def bare_modules() -> list[str]:
    """Modules of the bare rooms, less the door and what asks for statsmodels or numpyro itself."""
    modules = []
    for file in FILES:
        name = module_name(file)
        if not any(inside(name, room) for room in BARE_ROOMS):
            continue
        if inside(name, "stats.command") or name.endswith("__main__"):
            continue
        tops = {n.split(".")[0] for n in imported_names(file.read_text())}
        if not tops & {"statsmodels", "numpyro", "numba"}:
            modules.append(name)
    return modules


def run_blocked(modules: list[str]) -> subprocess.CompletedProcess[str]:
    script = BLOCKED.format(allowed=BARE_IMAGE_HAS, blocked=NOT_ON_THE_IMAGE, modules=modules)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_bare_rooms_import_on_a_bare_gpu_image():
    modules = bare_modules()
    assert "stats.precision" in modules
    result = run_blocked(modules)
    assert result.returncode == 0, result.stderr


def test_bare_rooms_ask_for_nothing_else():
    for name in bare_modules():
        file = ROOT / Path(*name.split("."))
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        tops = {imported.split(".")[0] for imported in imported_names(file.read_text())}
        assert tops <= BARE_IMAGE_HAS | set(PACKAGES) | sys.stdlib_module_names, name


def test_the_block_bites():
    result = run_blocked(["hazard.geo.grid"])
    assert result.returncode != 0
    assert "blocked: " in result.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_file_names_say_what_is_inside(file):
    assert file.stem not in {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert len(file.read_text().splitlines()) <= 400, "longer than a reader can hold"
