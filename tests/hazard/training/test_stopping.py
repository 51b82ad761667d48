"""Early stopping and plateaus per member."""

from hypothesis import given
from hypothesis import strategies as st

from hazard.training.curriculum import Stage
from hazard.training.objective import LossTerm
from hazard.training.stopping import Stopping


def stage(**options):
    return Stage(name="a", terms=(LossTerm(term="mae"),), epochs=100, **options)


def follow(values, chosen):
    record, better = Stopping.start(1), []
    for epoch, value in enumerate(values):
        record, improved = record.update((value,), epoch, chosen)
        better.append(improved[0])
    return record, better


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 5))
def test_it_stops_after_so_many_epochs_without_improvement(values, patience):
    record, better = follow(values, stage(patience=patience))
    best, since, stopped_at = float("inf"), 0, None
    for epoch, value in enumerate(values):
        since = 0 if value < best else since + 1
        best = min(best, value)
        if since == patience:
            stopped_at = epoch
            break
    assert record.stopped[0] == (stopped_at is not None)
    assert record.best[0] == min(values[: (stopped_at or len(values)) + 1])
    assert values[record.best_epoch[0]] == record.best[0]
    assert not any(better[(len(values) if stopped_at is None else stopped_at) :])


def test_members_stop_alone():
    record = Stopping.start(2)
    for epoch, values in enumerate([(1.0, 1.0), (2.0, 0.9), (0.1, 0.8)]):
        record, better = record.update(values, epoch, stage(patience=1))
    assert record.stopped == (True, False)
    assert better == (False, True)
    assert record.best == (1.0, 0.8)
    assert not record.all_stopped


def test_small_gains_do_not_count():
    record, better = follow([1.0, 0.995, 0.98], stage(least_gain=0.01))
    assert better == [True, False, True]
    assert record.stopped == (False,)


def test_the_rate_falls_on_a_plateau_down_to_a_floor():
    chosen = stage(plateau_patience=2, plateau_factor=0.1, plateau_floor=0.05)
    scales = [follow([1.0] * n, chosen)[0].rate_scale[0] for n in (1, 2, 3, 4, 5, 9)]
    assert scales == [1.0, 1.0, 0.1, 0.1, 0.05, 0.05]
