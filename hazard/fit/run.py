"""The work behind ``python -m hazard.fit``: cube, fits, maps, scores, report, records."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hazard.archive.names import (
    DENSITIES_FOLDER,
    MAPS_FOLDER,
    MAPS_NETCDF,
    MAPS_ZARR,
    MODELS_FOLDER,
    PREDICTIONS_NAME,
    REPORT_INDEX,
    RESIDUALS_FOLDER,
    SCOREBOARD_CSV,
    SCOREBOARD_PARQUET,
)
from hazard.archive.records import to_json
from hazard.config.schema import HazardConfig
from hazard.cube.layout import open_cube
from hazard.cube.run import run_cube
from hazard.errors import DataError
from hazard.estimate.run import Estimates, estimate_run
from hazard.evaluate.run import evaluate_run
from hazard.fit.diagnostics import make_densities, make_residuals
from hazard.fit.docs_folder import require_docs
from hazard.geo.beside import write_beside
from hazard.geo.provenance import package_versions
from hazard.predict.write import write_maps
from hazard.report.run import STEPS, write_report
from hazard.report.run import publish as publish_report
from hazard.training.machine import describe_machine
from stats.command.frame import Session
from stats.command.run_lock import run_lock
from stats.command.timing import timed, times_in_words

# Besides those that the cube depends on.
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "lightgbm", "statsmodels",
            "sphinx", "myst-parser", "pandas", "pyarrow")  # fmt: skip


def fit_run(
    config: HazardConfig,
    run: Path,
    session: Session,
    *,
    resume: bool = False,
    publish: bool = False,
    overrides: Sequence[str] = (),
    xla_flags: str = "",
) -> None:
    """Build the cube of a study, fit, forecast, map, score and report, in a run folder.

    Args:
        config: checked configuration.
        run: run folder.
        session: log and progress.
        resume: keep finished fits whose settings and data did not change.
        publish: also put the report's pages under docs/reports/NAME.
        overrides: ``--set`` texts, for the record.
        xla_flags: flags that were set before JAX was imported, for the record.

    Raises:
        DataError: an input that cannot be used.
        UserError: another process works in the run folder.
        UsageError: to be published, and there is no docs/ here.
    """
    docs = require_docs() if publish else None
    seconds: dict[str, float] = {}
    part = partial(timed, seconds)
    started = dt.datetime.now(dt.UTC)

    with part("cube"):
        # Takes and gives back the lock of the folder itself.
        result = run_cube(config, run, session, overrides=overrides)
    with run_lock(run):
        cube = open_cube(result.path)
        with part("fits and predictions"):
            found = estimate_run(run, cube, config, session, resume=resume)
        with part("maps"), session.reporter.task("maps of the forecasts", 3) as advance:
            write_maps(
                run, held_out_scheme=config.fit.maps.held_out_scheme,
                colour_limit_percent=config.fit.maps.colour_limits_percent, progress=advance,
            )  # fmt: skip
        with part("evaluation"):
            evaluate_run(run, config, session.reporter)
        with part("residuals and densities"):
            make_residuals(config, run, session)
            make_densities(config, cube, run, session)
        _write_records(config, run, found, seconds, started, overrides, xla_flags)
        with part("report"), session.reporter.task("report", STEPS) as advance:
            page = write_report(run, config, advance)
        if docs is not None:
            session.log.info(f"published: {publish_report(run, docs, name=config.name)}")
        _write_records(config, run, found, seconds, started, overrides, xla_flags)
        session.log.info(f"report: {page}")
        session.log.info(times_in_words(seconds))


def _write_records(
    config: HazardConfig,
    run: Path,
    found: Estimates,
    seconds: dict[str, float],
    started: dt.datetime,
    overrides: Sequence[str],
    xla_flags: str,
) -> None:
    """The key ``fit`` of provenance.json, and the paths in run.json; run.json last."""
    provenance = _json(run / "provenance.json")
    provenance |= {
        "command": "python -m hazard.fit",
        "overrides": list(overrides),
        "versions": {**provenance.get("versions", {}), **package_versions(PACKAGES)},
        "fit": {
            "started": started.isoformat(timespec="seconds"),
            "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "seconds": {**seconds, **{f"fits: {k}": v for k, v in found.seconds.items()}},
            "schemes": [to_json(s) for s in found.header.schemes],
            "models": [to_json(m) for m in found.header.models],
            "not_run": [to_json(n) for n in found.header.not_run],
            "fits": found.fits,
            **describe_machine(xla_flags),
        },
    }
    _write_json(run / "provenance.json", provenance)
    record = _json(run / "run.json")
    paths = {
        "predictions": PREDICTIONS_NAME, "maps": MAPS_FOLDER, "maps_netcdf": MAPS_NETCDF,
        "maps_zarr": MAPS_ZARR, "models": MODELS_FOLDER, "scoreboard": SCOREBOARD_PARQUET,
        "scoreboard_csv": SCOREBOARD_CSV, "residuals": RESIDUALS_FOLDER,
        "densities": DENSITIES_FOLDER, "report": REPORT_INDEX,
    }  # fmt: skip
    record["files"] |= {key: name for key, name in paths.items() if (run / name).exists()}
    record["written"] = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    _write_json(run / "run.json", record)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(path, found=f"no readable record ({error})", expected="JSON") from None


def _write_json(path: Path, value: Any) -> None:
    with write_beside(path) as part:
        part.write_text(json.dumps(value, indent=1, default=str) + "\n", encoding="utf-8")
