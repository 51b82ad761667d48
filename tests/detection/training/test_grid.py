from dataclasses import replace

import pytest

from detection.training.fit_network import NetworkChoice, fit_network
from detection.training.grid import Trial, TrialResult, apply_trial, best_trial, make_trials, search
from detection.training.recipes import recipe
from hazard.errors import DataError
from hazard.training.records import NonFiniteLossError
from tests.detection.training.made import SMALL, made_patches


def result(f1, parameters=10, **trial):
    return TrialResult(
        trial=Trial(**trial), f1=f1, threshold=0.5, precision=f1, recall=f1, loss=1.0,
        parameters=parameters, seconds=1.0, problem="" if f1 is not None else "loss of nan",
    )  # fmt: skip


def test_all_combinations_once():
    trials = make_trials(learning_rate=[1e-3, 1e-4], batch_size=[4, 8], filters=[2, 4])
    assert len(set(trials)) == len(trials) == 8
    assert make_trials() == (Trial(),)


def test_a_combination_changes_what_it_names():
    choice, base = NetworkChoice(name="unet"), recipe("hr_gldd_text")
    chosen, changed = apply_trial(Trial(filters=4, learning_rate=0.1), choice, base)
    assert chosen.settings == {"filters": 4}
    assert changed.optimiser.learning_rate == 0.1
    assert changed.batch_size == base.batch_size


def test_the_best_is_chosen_and_broken_trials_are_not():
    rows = (result(None, filters=1), result(0.5, 20, filters=2), result(0.5, 10, filters=3))
    assert best_trial(rows).trial.filters == 3
    with pytest.raises(DataError, match="loss of nan"):
        best_trial(rows[:1])
    assert rows[1].iou == pytest.approx(1 / 3)
    assert rows[1].row()["filters"] == 2


@pytest.fixture
def fitted_with(monkeypatch):
    """Untrained networks are enough: what is tested is what a search does with them."""

    def fit(choice, training, validation, *, recipe, **options):
        if recipe.optimiser.learning_rate > 1:
            raise NonFiniteLossError(
                stage="a", epoch=0, step=0, member=0, value=float("nan"), samples=[]
            )
        assert {o.scene for o in validation.origin} == {"b"}
        return fit_network(
            choice, training, validation, recipe=replace(recipe, epochs=0), **options
        )

    monkeypatch.setattr("detection.training.grid.fit_network", fit)


@pytest.mark.usefixtures("fitted_with")
def test_a_search_is_scored_on_validation_patches_and_kept(tmp_path):
    training, validation = made_patches(4, seed=1), made_patches(4, seed=2, scene="b")
    asked = {
        "choice": NetworkChoice(settings=SMALL), "training": training,
        "validation": validation, "folder": tmp_path,
    }  # fmt: skip
    base = replace(recipe("hr_gldd_code"), epochs=1, batch_size=4)
    trials = make_trials(learning_rate=[1e-3, 9.0])
    told = []
    rows = search(trials, recipe=base, tell=lambda n, r: told.append(n), **asked)
    assert told == [0, 1]
    assert rows[0].f1 is not None
    assert rows[0].threshold is not None
    assert rows[0].parameters > 0
    # A rate that runs away is a row with its reason.
    assert rows[1].f1 is None
    assert "nan" in rows[1].problem
    assert best_trial(rows) == rows[0]
    again = search(trials, recipe=base, resume=True, **asked)
    assert again == rows
    other = search(trials[:1], recipe=replace(base, epochs=2), resume=True, **asked)
    assert other[0].seconds != rows[0].seconds
    (file,) = tmp_path.glob("trial-001-*")
    file.write_text("{")
    with pytest.raises(DataError, match="no readable result"):
        search(trials, recipe=base, resume=True, **asked)
