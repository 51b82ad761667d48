"""A planted study on cells: presence and density follow one steepness and a lasting propensity."""

import numpy as np
from scipy.special import expit

from hazard.cube.cell_features import CellTargets, cell_features, with_past
from hazard.cube.predictors import Predictor
from stats.resampling.folds import TEST, TRAIN

SHAPE = (45, 50)
EPOCHS = 4
SLOPE, OFFSET, LASTING = 1.2, -1.2, 1.0
LOG_SLOPE, LOG_OFFSET, LOG_SD = 0.6, -1.0, 1.1


def study(seed=0, *, lasting=LASTING):
    """Features without past, targets, true probability (epoch, cell), steepness (cell,)."""
    rng = np.random.default_rng(seed)
    mask = rng.random(SHAPE) < 0.95
    steepness, propensity = rng.normal(size=(2, *SHAPE))
    odds = OFFSET + SLOPE * steepness + lasting * propensity
    p = expit(np.broadcast_to(odds, (EPOCHS, *SHAPE)))
    present = rng.random(p.shape) < p
    logs = LOG_OFFSET + LOG_SLOPE * steepness + LOG_SD * rng.normal(size=p.shape)
    density = np.where(present, np.minimum(np.exp(logs), 100.0), 0.0)
    predictors = [
        Predictor(name="steepness", unit="1", values=steepness),
        Predictor(name="noise", unit="1", values=rng.normal(size=SHAPE)),
        Predictor(name="steepness_again", unit="1", values=steepness.copy()),
        Predictor(name="days", unit="day", values=np.arange(EPOCHS) * 180.0, support="epoch"),
        Predictor(name="season", unit="1", values=np.array([1, 2, 1, 2]), support="epoch",
                  is_class=True),
    ]  # fmt: skip
    features = cell_features(predictors, mask, EPOCHS)
    targets = CellTargets(
        area_density=density[:, mask], observed=np.ones((EPOCHS, int(mask.sum())), dtype=bool)
    )
    return features, targets, p[:, mask], steepness[mask]


def forward_role(features, test_epoch=EPOCHS - 1):
    role = np.zeros((features.n_epochs, features.n_cells), dtype=np.int8)
    role[:test_epoch] = TRAIN
    role[test_epoch] = TEST
    return role


def forward_study(seed=0, **settings):
    """Features with past, targets, roles of the last epoch held out, true probability."""
    features, targets, p, _ = study(seed, **settings)
    role = forward_role(features)
    return with_past(features, targets, role, windows=(3,)), targets, role, p
