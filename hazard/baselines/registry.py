"""All baselines that a configuration can name."""

from __future__ import annotations

from collections.abc import Mapping

from hazard.baselines.boosting import PACKAGE, fit_lightgbm, lightgbm_missing
from hazard.baselines.constant import fit_climatology, fit_zero
from hazard.baselines.contract import Baseline
from hazard.baselines.persistence import fit_persistence_last, fit_persistence_mean
from hazard.baselines.regression import fit_logistic

BASELINES: Mapping[str, Baseline] = {
    entry.name: entry
    for entry in (
        Baseline(
            name="zero", title="no landslide anywhere", needs_past=False, fitted_by=fit_zero
        ),
        Baseline(
            name="climatology", title="mean of the training epochs, the same in every cell",
            needs_past=False, fitted_by=fit_climatology,
        ),
        Baseline(
            name="persistence_mean",
            title="the cell's past frequency and mean, Laplace-smoothed (k + 1) / (n + 2)",
            needs_past=True, fitted_by=fit_persistence_mean,
        ),
        Baseline(
            name="persistence_last",
            title="the cell's last observed epoch, Laplace-smoothed (k + 1) / 3",
            needs_past=True, fitted_by=fit_persistence_last,
        ),
        Baseline(
            name="logistic",
            title="logistic regression of presence, log-linear regression of density, small ridge",
            needs_past=False, fitted_by=fit_logistic,
        ),
        Baseline(
            name="lightgbm",
            title="gradient-boosted trees of presence and of log density (LightGBM)",
            needs_past=False, fitted_by=fit_lightgbm, package=PACKAGE, missing=lightgbm_missing,
        ),
    )
}  # fmt: skip


def baseline(name: str) -> Baseline:
    """A baseline by its name in configurations.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> baseline("climatology").needs_past
        False
    """
    if name not in BASELINES:
        raise ValueError(f"baseline {name!r}; use one of {', '.join(BASELINES)}")
    return BASELINES[name]
