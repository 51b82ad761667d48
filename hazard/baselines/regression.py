r"""Logistic regression of presence and log-linear regression of density, by statsmodels.

Features are transformed, standardised on the training part and cut off near its extremes, so that
no straight line is prolonged beyond what was seen. What changes with the epoch takes part only
where the test epochs are among the training epochs (`hazard.baselines.offered`): a line through a
handful of epochs, prolonged to the next one, is a guess that has no bounds. Records of squares of
many sizes say nearly the same; a ridge keeps their coefficients from growing against each other.

.. math:: \ln \frac{p}{1 - p} = a + b^\top x, \qquad
          \ln D \mid D > 0 \sim N(c + d^\top x,\ \sigma^2).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from hazard.baselines.contract import (
    BoolArray,
    FloatArray,
    PositiveRecord,
    TrainingCells,
    positive_record,
    require_features,
)
from hazard.baselines.offered import offered_names, rows_with_record
from hazard.cube.cell_features import CellFeatures
from hazard.cube.predictors import transform_values
from hazard.errors import DataError
from hazard.forecast import Forecast

# Penalty per case on squared standardised coefficients where the plain fit has no solution.
RIDGE = 1e-3
# A coefficient of a standardised feature above this is on its way to infinity.
_SEPARATED = 15.0
# Ordinary least squares below so many cases per column fits noise.
_CASES_PER_COLUMN = 5
# Share of a column's variance that those before it must leave unexplained.
_DEPENDENT = 1e-7
# Largest gradient, per case, of a fit that counts as converged.
_GRADIENT = 1e-4


@dataclass(frozen=True, kw_only=True)
class RegressionSettings:
    """Settings of the baseline.

    The defaults were chosen on the embedded world, and on the Gorkha study by forward chaining with
    the third and the fourth epoch as tests, nothing later (docs/baselines.md has the figures).

    Attributes:
        changing_features: whether features that change with the epoch, besides the past records,
            and the length of the record take part; None where the test epochs are among the
            training epochs.
        first_epochs: whether cells without any record train; None where test cells have none.
        tail: share of the training values of a feature cut off at either end.
        presence_ridge: penalty per case on squared standardised coefficients of the log odds; 0
            is maximum likelihood.
        density_ridge: the same of ln percent, on residuals squared and halved; 0 is least squares.
    """

    changing_features: bool | None = None
    first_epochs: bool | None = None
    tail: float = 0.005
    presence_ridge: float = 3e-3
    density_ridge: float = 0.1


@dataclass(frozen=True)
class Column:
    """One column of the design matrix.

    Attributes:
        name: feature, or ``feature=code`` for a class.
        feature: name of the feature.
        code: class number; None where the feature is a number.
        mean: mean of the transformed training values.
        sd: their standard deviation.
        low: standardised value below which values are cut off.
        high: the same above.
    """

    name: str
    feature: str
    code: int | None
    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Regression:
    """Two linear models on the same columns.

    Attributes:
        columns: the columns, after the constant.
        features: names that the features must have.
        presence: (1 + column,) coefficients of the log odds.
        log_density: (1 + column,) coefficients of ln percent.
        sigma: residual standard deviation of ln percent.
        positive: law of the training cells with landslides, for the bounds of ln percent.
        presence_fit: ``maximum likelihood`` or ``ridge``, and why.
        density_fit: ``least squares`` or ``ridge``.
        settings: settings of the fit.
    """

    columns: tuple[Column, ...]
    features: tuple[str, ...]
    presence: FloatArray
    log_density: FloatArray
    sigma: float
    positive: PositiveRecord
    presence_fit: str
    density_fit: str
    settings: RegressionSettings

    def reads(self, prefix: str) -> bool:
        """Whether the forecast depends on a feature whose name starts so."""
        return any(column.feature.startswith(prefix) for column in self.columns)

    def predict(self, features: CellFeatures) -> Forecast:
        """Forecast of every cell in every epoch."""
        require_features(features, self.features, "logistic")
        probability = np.empty((features.n_epochs, features.n_cells))
        location = np.empty_like(probability)
        for epoch in range(features.n_epochs):
            exog = _design(features, features.values[epoch], self.columns)
            probability[epoch] = expit(exog @ self.presence)
            location[epoch] = exog @ self.log_density
        # The mean is exponential in the location: it stays within what training has shown.
        location = np.clip(location, self.positive.low, self.positive.high)
        return Forecast.from_lognormal(probability, location, self.sigma)

    def record(self) -> dict[str, Any]:
        """What was fitted."""
        names = ["constant", *(column.name for column in self.columns)]
        return {
            "settings": asdict(self.settings),
            "presence_fit": self.presence_fit,
            "density_fit": self.density_fit,
            "sigma": self.sigma,
            "log_odds": dict(zip(names, self.presence.tolist(), strict=True)),
            "log_percent": dict(zip(names, self.log_density.tolist(), strict=True)),
        }


def fit_logistic(
    cells: TrainingCells, seed: int, settings: RegressionSettings | None = None
) -> Regression:
    """Fit both models on the training part.

    Args:
        cells: training cells.
        seed: not used; nothing here is random.
        settings: None for the defaults.

    Raises:
        DataError: no feature varies over the training part, or a fit that does not converge.
    """
    chosen = settings or RegressionSettings()
    positive = positive_record(cells)
    features = cells.features
    rows = rows_with_record(cells, chosen.first_epochs)
    inputs = cells.inputs()[rows]
    offered = offered_names(cells, chosen.changing_features, past_epochs=False)
    columns = _columns(features, inputs, offered, chosen.tail)
    if not columns:
        raise DataError("training cells", found="no feature that varies", expected="at least one")
    exog = _design(features, inputs, columns)
    kept = _independent(exog)
    columns = tuple(c for c, keep in zip(columns, kept[1:], strict=True) if keep)
    exog = exog[:, kept]
    present = cells.presence()[rows]
    presence, presence_fit = _fit_presence(exog, present, chosen.presence_ridge)
    logs = np.log(cells.density()[rows][present])
    log_density, sigma, density_fit = _fit_log_density(exog[present], logs, chosen.density_ridge)
    return Regression(
        columns=columns, features=features.names, presence=presence, log_density=log_density,
        sigma=sigma, positive=positive, presence_fit=presence_fit, density_fit=density_fit,
        settings=chosen,
    )  # fmt: skip


def _columns(
    features: CellFeatures, inputs: Any, offered: Sequence[str], tail: float
) -> tuple[Column, ...]:
    columns: list[Column] = []
    for name in offered:
        number = features.names.index(name)
        values = inputs[:, number]
        if features.categorical[number]:
            # The first class is the reference; one that training never saw counts as it.
            for code in np.unique(values)[1:].astype(int):
                hit = (values == code).astype(np.float64)
                columns.append(_column(f"{name}={code}", name, int(code), hit, 0.0))
        else:
            x = transform_values(values, features.transforms[number], name)
            if np.ptp(x) > 1e-9 * max(1.0, float(np.abs(x).max())):
                columns.append(_column(name, name, None, x, tail))
    return tuple(columns)


def _column(name: str, feature: str, code: int | None, x: FloatArray, tail: float) -> Column:
    mean, sd = float(x.mean()), float(x.std())
    low, high = np.quantile(x, [tail, 1.0 - tail])
    if low == high:
        # Nearly always the same, as a rare flag is: what differs is all there is to know.
        low, high = x.min(), x.max()
    low, high = float(low - mean) / sd, float(high - mean) / sd
    return Column(name, feature, code, mean, sd, low, high)


def _design(features: CellFeatures, inputs: Any, columns: tuple[Column, ...]) -> FloatArray:
    """(case, 1 + column) constant and standardised columns."""
    exog = np.ones((inputs.shape[0], 1 + len(columns)))
    for position, column in enumerate(columns, start=1):
        number = features.names.index(column.feature)
        values = inputs[:, number]
        if column.code is None:
            x = transform_values(values, features.transforms[number], column.feature)
        else:
            x = (values == column.code).astype(np.float64)
        exog[:, position] = np.clip((x - column.mean) / column.sd, column.low, column.high)
    return exog


def _independent(exog: FloatArray) -> BoolArray:
    """(column,) True for the constant and for columns that those before them do not explain."""
    centred = exog[:, 1:] - exog[:, 1:].mean(axis=0)
    spread = centred.std(axis=0)
    live = spread > 1e-9
    scaled = centred / np.where(live, spread, 1.0)
    gram = scaled.T @ scaled / exog.shape[0]
    kept: list[int] = []
    for column in np.flatnonzero(live):
        if kept:
            weight = np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, column])
            if 1.0 - float(weight @ gram[kept, column]) < _DEPENDENT:
                continue
        kept.append(int(column))
    found = np.zeros(exog.shape[1], dtype=bool)
    found[[0, *(column + 1 for column in kept)]] = True
    return found


def _fit_presence(exog: FloatArray, present: BoolArray, ridge: float) -> tuple[FloatArray, str]:
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    outcome = present.astype(np.float64)
    model = sm.GLM(outcome, exog, family=sm.families.Binomial())
    because = ""
    if ridge == 0.0:
        found, reason = _maximum_likelihood(model)
        if found is not None:
            gradient = exog.T @ (outcome - expit(exog @ found)) / outcome.size
            _require_flat(gradient, "logistic")
            return found, "maximum likelihood"
        ridge, because = RIDGE, f", because of: {reason}"
    alpha = np.full(exog.shape[1], ridge)
    alpha[0] = 0.0
    with warnings.catch_warnings():
        # A line search may end early at a perfect fit: the gradient below decides, not its flag.
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = model.fit_regularized(alpha=alpha, L1_wt=0.0)
    parameters = np.asarray(result.params, dtype=np.float64)
    gradient = exog.T @ (outcome - expit(exog @ parameters)) / outcome.size - alpha * parameters
    _require_flat(gradient, "logistic (ridge)")
    return parameters, f"ridge {ridge:g} per case{because}"


def _maximum_likelihood(model: Any) -> tuple[FloatArray | None, str]:
    """Coefficients, or None and why there are none."""
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    try:
        with warnings.catch_warnings():
            # Every warning of the fit (separation, no convergence, overflow) means a ridge.
            warnings.simplefilter("error")
            result = model.fit(maxiter=50)
    except (Warning, PerfectSeparationError, np.linalg.LinAlgError, FloatingPointError) as error:
        return None, f"{type(error).__name__}"
    parameters = np.asarray(result.params, dtype=np.float64)
    if not result.converged:
        return None, "not converged"
    if np.abs(parameters[1:]).max() > _SEPARATED:
        return None, "a coefficient without bound"
    return parameters, ""


def _require_flat(gradient: FloatArray, who: str) -> None:
    steepest = float(np.abs(gradient).max())
    if not steepest <= _GRADIENT:
        raise DataError(
            f"baseline {who!r}", found=f"a fit that ends at a gradient of {steepest:.2g} per case",
            expected=f"at most {_GRADIENT:g}",
        )  # fmt: skip


def _fit_log_density(
    exog: FloatArray, logs: FloatArray, ridge: float
) -> tuple[FloatArray, float, str]:
    import statsmodels.api as sm

    # What varies over all cells may stand still among those with landslides.
    live = _independent(exog)
    used = exog[:, live]
    model = sm.OLS(logs, used)
    few = logs.size < _CASES_PER_COLUMN * used.shape[1]
    if ridge == 0.0 and not few:
        found = np.asarray(model.fit().params, dtype=np.float64)
        how, spent = "least squares", float(used.shape[1])
    else:
        alpha = np.full(used.shape[1], max(ridge, few / _CASES_PER_COLUMN))
        alpha[0] = 0.0
        found = np.asarray(model.fit_regularized(alpha=alpha, L1_wt=0.0).params, dtype=np.float64)
        gram = used.T @ used / logs.size
        # Effective number of parameters of a ridge: the trace of its hat matrix.
        spent = float(np.trace(np.linalg.solve(gram + np.diag(alpha), gram)))
        how = f"ridge {alpha[-1]:g} per case" + few * f", because of: {logs.size} cases"
    residual = logs - used @ found
    free = max(1.0, logs.size - spent)
    sigma = float(np.sqrt(np.sum(residual**2) / free))
    if not sigma > 0.0:
        raise DataError(
            "training cells", found="densities that a line fits exactly", expected="a spread"
        )
    parameters = np.zeros(exog.shape[1])
    parameters[live] = found
    return parameters, sigma, how
