r"""Gradient-boosted trees (LightGBM): presence as a class, ln density of the positives as a number.

Several members with their own seeds are averaged. The spread of ln density is that of cells the
trees never saw, by leaving out blocks of training cells in turn: in-sample residuals of trees are
too small. G. Ke et al. (2017), Advances in Neural Information Processing Systems 30, 3146-3154.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hazard.baselines.contract import (
    BoolArray,
    Float32Array,
    FloatArray,
    PositiveRecord,
    TrainingCells,
    positive_record,
    require_features,
)
from hazard.baselines.offered import offered_names, rows_with_record
from hazard.cube.cell_features import CellFeatures
from hazard.errors import DataError
from hazard.forecast import Forecast
from stats.resampling.folds import VALIDATION, assign_groups

PACKAGE = "lightgbm"


@dataclass(frozen=True, kw_only=True)
class TreeSettings:
    """One boosted model.

    Attributes:
        rounds: number of trees; the most of them where fitting stops early.
        learning_rate: shrinkage of each tree.
        leaves: leaves of a tree.
        cases_per_leaf: training cases in a leaf, at least.
        feature_share: share of the features offered to a tree.
        case_share: share of the cases drawn for a tree.
        l2: penalty on leaf values.
        bins: histogram bins of a feature.
        random_cuts: True tries one random cut per feature instead of the best of all (extremely
            randomised trees), which blurs what a tree can learn about single cells.
    """

    rounds: int
    learning_rate: float
    leaves: int
    cases_per_leaf: int
    feature_share: float
    case_share: float
    l2: float
    bins: int = 63
    random_cuts: bool = True


@dataclass(frozen=True, kw_only=True)
class BoostingSettings:
    """Settings of the baseline.

    The defaults were chosen on the Gorkha study by forward chaining with the third and the fourth
    epoch as tests, nothing later (docs/baselines.md has the figures).

    Attributes:
        presence: trees of presence.
        density: trees of ln density.
        members: models with their own seeds, averaged.
        changing_features: whether features that change with the epoch are offered besides the
            past records (season, lengths, rain). With a handful of epochs trees tell the training
            epochs apart by them, which says nothing about a new one. None offers them where the
            test epochs are among the training epochs (`hazard.baselines.offered`).
        first_epochs: whether cells without any record train where others have one; None where
            test cells have none either.
        patience: rounds without improvement on the validation part after which fitting stops;
            None fits all rounds. Blocks of known epochs say little about when to stop for a new
            one.
        spread_folds: parts of the training cells left out in turn for the spread of ln density.
        spread_block_cells: side of the blocks that are left out together.
        threads: threads; results on one machine do not depend on them.
    """

    presence: TreeSettings = TreeSettings(
        rounds=450, learning_rate=0.05, leaves=7, cases_per_leaf=100, feature_share=0.3,
        case_share=0.7, l2=50.0,
    )  # fmt: skip
    density: TreeSettings = TreeSettings(
        rounds=400, learning_rate=0.05, leaves=7, cases_per_leaf=50, feature_share=0.3,
        case_share=0.7, l2=50.0,
    )  # fmt: skip
    members: int = 3
    changing_features: bool | None = None
    first_epochs: bool | None = None
    patience: int | None = None
    spread_folds: int = 3
    spread_block_cells: int = 20
    threads: int = 1


@dataclass(frozen=True, eq=False)
class Boosting:
    """Fitted trees.

    Attributes:
        presence: boosters of presence, one per member.
        density: boosters of ln percent.
        used: features that the trees see.
        features: names that the features must have.
        sigma: standard deviation of ln percent around the forecast, on cells left out.
        positive: law of the training cells with landslides, for the bounds of ln percent.
        settings: settings of the fit.
    """

    presence: tuple[Any, ...]
    density: tuple[Any, ...]
    used: tuple[str, ...]
    features: tuple[str, ...]
    sigma: float
    positive: PositiveRecord
    settings: BoostingSettings

    def reads(self, prefix: str) -> bool:
        """Whether the trees were offered a feature whose name starts so."""
        return any(name.startswith(prefix) for name in self.used)

    def predict(self, features: CellFeatures) -> Forecast:
        """Forecast of every cell in every epoch."""
        require_features(features, self.features, "lightgbm")
        inputs = features.select(self.used).values
        flat = inputs.reshape(-1, inputs.shape[-1])
        shape = (features.n_epochs, features.n_cells)
        threads = self.settings.threads
        probability = np.clip(_mean(self.presence, flat, threads), 0.0, 1.0).reshape(shape)
        location = _mean(self.density, flat, threads).reshape(shape)
        location = np.clip(location, self.positive.low, self.positive.high)
        return Forecast.from_lognormal(probability, location, self.sigma)

    def record(self) -> dict[str, Any]:
        """What was fitted: settings, trees in use, and the gain of every feature."""
        gain = np.mean([b.feature_importance("gain") for b in self.presence], axis=0)
        total = float(gain.sum()) or 1.0
        order = np.argsort(-gain)
        return {
            "settings": asdict(self.settings),
            "presence_trees": [int(b.current_iteration()) for b in self.presence],
            "density_trees": [int(b.current_iteration()) for b in self.density],
            "sigma": self.sigma,
            "presence_gain_share": {self.used[i]: float(gain[i]) / total for i in order},
        }


def lightgbm_missing() -> str | None:
    """Why LightGBM cannot run here; None where it can."""
    try:
        import lightgbm  # noqa: F401
    except ImportError as error:
        return f"the package lightgbm is not installed ({error}); install it, or the extra `ml`"
    except OSError as error:
        return f"the package lightgbm does not load ({error})"
    return None


def fit_lightgbm(
    cells: TrainingCells, seed: int, settings: BoostingSettings | None = None
) -> Boosting:
    """Fit presence and density on the training part.

    Args:
        cells: training cells.
        seed: of all members; the same seed gives the same trees on one machine.
        settings: None for the defaults.

    Raises:
        DataError: training cells with landslides lie in fewer than two blocks, so that no spread
            can be told.
    """
    chosen = settings or BoostingSettings()
    positive = positive_record(cells)
    features = cells.features
    kept = offered_names(cells, chosen.changing_features)
    where = [features.names.index(name) for name in kept]
    categorical = [name for name in kept if features.categorical[features.names.index(name)]]
    if not kept:
        raise DataError("features", found="only ones that change with the epoch",
                        expected="terrain, shaking or past records")  # fmt: skip
    rows = rows_with_record(cells, chosen.first_epochs)
    inputs, present = cells.inputs()[rows][:, where], cells.presence()[rows]
    stop = None
    if chosen.patience is not None:
        stop = (cells.inputs(VALIDATION)[:, where], cells.presence(VALIDATION).astype(float))
        if not stop[1].size:
            raise DataError("validation cells", found="none", expected="some, to stop early by")
    seeds = [int(s) for s in np.random.default_rng(seed).integers(0, 2**31 - 1, chosen.members)]
    presence = tuple(
        _train("binary", chosen.presence, inputs, present.astype(float), kept, categorical, s,
               threads=chosen.threads, stop=stop, patience=chosen.patience)
        for s in seeds
    )  # fmt: skip
    logs = np.log(cells.density()[rows][present])

    def density(part: Any, member_seed: int) -> Any:
        return _train(
            "regression", chosen.density, inputs[present][part], logs[part], kept, categorical,
            member_seed, threads=chosen.threads,
        )  # fmt: skip

    fold = _block_folds(cells, rows, chosen, seed)[present]
    missed = np.empty_like(logs)
    for number in np.unique(fold):
        out = fold == number
        left = density(~out, seeds[0])
        missed[out] = logs[out] - left.predict(inputs[present][out], num_threads=chosen.threads)
    return Boosting(
        presence=presence,
        density=tuple(density(np.ones(logs.size, dtype=bool), s) for s in seeds),
        used=tuple(kept), features=features.names, sigma=float(np.sqrt(np.mean(missed**2))),
        positive=positive, settings=chosen,
    )  # fmt: skip


def _block_folds(
    cells: TrainingCells, rows: BoolArray, settings: BoostingSettings, seed: int
) -> Any:
    """(case,) part in which each training case is left out; all epochs of a block together."""
    block = cells.features.blocks(settings.spread_block_cells)[cells.cells()[rows]]
    # Blocks without a landslide would make parts with nothing to leave out.
    live = np.unique(block[cells.presence()[rows]])
    folds = min(settings.spread_folds, live.size)
    if folds < 2:
        raise DataError(
            "training cells", found=f"landslides in {live.size} block of "
            f"{settings.spread_block_cells} cells", expected="landslides in at least two",
        )  # fmt: skip
    part = assign_groups(int(live.size), folds, np.random.default_rng(seed))
    return part[np.clip(np.searchsorted(live, block), 0, live.size - 1)]


def _train(
    objective: str,
    tree: TreeSettings,
    inputs: Float32Array,
    target: FloatArray,
    names: list[str],
    categorical: list[str],
    seed: int,
    *,
    threads: int,
    stop: tuple[Float32Array, FloatArray] | None = None,
    patience: int | None = None,
) -> Any:
    import lightgbm

    parameters: dict[str, Any] = {
        "objective": objective, "learning_rate": tree.learning_rate, "num_leaves": tree.leaves,
        "min_data_in_leaf": min(tree.cases_per_leaf, max(1, target.size // 4)),
        "feature_fraction": tree.feature_share, "bagging_fraction": tree.case_share,
        "bagging_freq": 1, "lambda_l2": tree.l2, "max_bin": tree.bins, "num_threads": threads,
        "extra_trees": tree.random_cuts, "seed": seed, "deterministic": True,
        "force_col_wise": True, "verbosity": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(
        inputs, target, feature_name=names, categorical_feature=categorical, params=parameters
    )
    if stop is None or patience is None:
        return lightgbm.train(parameters, data, num_boost_round=tree.rounds)
    held = lightgbm.Dataset(*stop, reference=data)
    return lightgbm.train(
        parameters, data, num_boost_round=tree.rounds, valid_sets=[held],
        callbacks=[lightgbm.early_stopping(patience, verbose=False)],
    )  # fmt: skip


def _mean(boosters: tuple[Any, ...], inputs: Float32Array, threads: int) -> FloatArray:
    total = np.zeros(inputs.shape[0])
    for booster in boosters:
        total += np.asarray(booster.predict(inputs, num_threads=threads), dtype=np.float64)
    return total / len(boosters)
