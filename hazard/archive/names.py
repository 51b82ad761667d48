"""Names and versions of everything that lies in a run folder; standard library only.

docs/run_folder.md is the contract; a change of meaning here is a new version there.
"""

from __future__ import annotations

PREDICTIONS_NAME = "predictions.zarr"
PREDICTIONS_LAYOUT = "hazard-predictions"
PREDICTIONS_VERSION = 1

MAPS_FOLDER = "maps"
MAPS_NETCDF = "maps.nc"
MAPS_ZARR = "maps.zarr"
MODELS_FOLDER = "models"
SCOREBOARD_PARQUET = "scoreboard.parquet"
SCOREBOARD_CSV = "scoreboard.csv"
RESIDUALS_FOLDER = "residuals"
DENSITIES_FOLDER = "densities"
REPORT_FOLDER = "report"
REPORT_INDEX = "report/html/index.html"
WORK_FOLDER = "work"
"""Finished fits and checkpoints of a run that may be resumed; may be deleted."""

FINAL_SCHEME = "final"
"""The scheme of the model that is fitted on everything; in-sample."""

POOL_JOINER = "_and_"
"""Between the names of the models of a pool."""

FIELDS: dict[str, tuple[str, str]] = {
    "probability": ("1", "probability of landslides in the cell and epoch (susceptibility)"),
    "score": ("1", "output of the model before weights were undone or it was recalibrated"),
    "mu": ("1", "location of ln(area density / percent), where there is any"),
    "sigma": ("1", "spread of ln(area density / percent), where there is any"),
    "mean_percent": ("percent", "E[area density | area density > 0]"),
    "median_percent": ("percent", "median of the area density, where there is any"),
    "probability_spread": ("1", "standard deviation of the probability over the members"),
    "mean_percent_spread": ("percent", "standard deviation of mean_percent over the members"),
    "expected_spread": ("percent", "standard deviation of the expected density over the members"),
    "disagreement": ("1", "share of pairs of members on different sides of the base rate"),
}
"""Fields of `predictions.zarr` on (scheme, model, epoch, y, x): unit and meaning."""

OBSERVATION_FIELDS: dict[str, tuple[str, str]] = {
    "observation_probability": ("1", "probability that a landslide in the cell is recorded"),
    "false_alarms": ("1", "expected false alarms in the cell"),
}
"""Fields on (epoch, y, x) that are there where the detection error of the inventory is known."""

MEMBER_FIELDS: dict[str, tuple[str, str]] = {
    "member_probability": ("1", "probability of landslides, member by member"),
    "member_mean_percent": ("percent", "E[area density | area density > 0], member by member"),
}
"""Fields on (scheme, model, member, epoch, y, x)."""

FEWEST_POSITIVES = 30
"""Below so many cells with landslides the scores of an epoch carry a note, and nothing is
concluded from them: a handful of cells decides, and their blocks are too few to resample."""

CRITERIA = ("f1", "mcc")
"""What a threshold of probability was chosen for; IoU = F1/(2 - F1) has the threshold of F1."""
