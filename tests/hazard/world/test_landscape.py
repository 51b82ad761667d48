"""The landscape model: flow reaches the edge, area is conserved, slopes obey the law."""

import numpy as np
import pytest

from hazard.world.landscape import evolve, route


def rough(shape: tuple[int, int] = (60, 70)) -> np.ndarray:
    return (np.random.default_rng(1).random(shape) * 50.0).astype(np.float32)


def rocks(uplift: float, erodibility: float, limit: float) -> np.ndarray:
    return np.broadcast_to(
        np.array([uplift, erodibility, limit], dtype=np.float32)[:, None, None], (3, 80, 80)
    ).copy()


def test_every_pixel_drains_downhill_to_an_edge_and_area_is_conserved() -> None:
    z = rough()
    flow = route(z, spacing_m=100.0)
    flat = z.ravel()
    inner = flow.receiver != np.arange(z.size)
    assert (flat[flow.receiver[inner]] < flat[inner]).all()
    outlets = flow.area_m2.ravel()[~inner]
    assert outlets.sum() == pytest.approx(z.size * 100.0**2, rel=1e-5)
    edge = np.ones(z.shape, bool)
    edge[1:-1, 1:-1] = False
    assert (edge.ravel() == ~inner).all()


def test_closed_edges_let_nothing_out() -> None:
    z = rough()
    flow = route(z, spacing_m=100.0, open_edges=(False, True, False, False))
    outlets = np.flatnonzero(flow.receiver == np.arange(z.size))
    assert (outlets // z.shape[1] == z.shape[0] - 1).all()


def test_inflow_is_carried_through() -> None:
    z, inflow = rough(), np.zeros((60, 70), np.float32)
    inflow[30, 30] = 5.0e7
    flow = route(z, spacing_m=100.0, inflow_m2=inflow)
    outlets = flow.receiver == np.arange(z.size)
    total = flow.area_m2.ravel()[outlets].sum()
    assert total == pytest.approx(z.size * 1e4 + 5.0e7, rel=1e-5)


def test_steady_rivers_obey_the_stream_power_law() -> None:
    z = rough((80, 80))
    uplift, erodibility = 1.0e-3, 2.0e-5
    options = {"spacing_m": 200.0, "rocks": rocks(uplift, erodibility, 50.0)}
    # Diagonal weights are fixed by equal step numbers: the last steps settle a fixed network.
    evolve(z, steps=400, years=2.0e4, **options)
    flow = evolve(z, steps=1, years=1.0e9, breach=False, **options)
    inner = flow.receiver != np.arange(z.size)
    i, j = np.flatnonzero(inner), flow.receiver[inner]
    step = np.abs(i - j)
    distance = np.where((step == 1) | (step == 80), 200.0, 200.0 * np.sqrt(2.0))
    slope = (z.ravel()[i] - z.ravel()[j]) / distance
    expected = uplift / (erodibility * np.sqrt(flow.area_m2.ravel()[i]))
    np.testing.assert_allclose(slope, expected, rtol=0.02)


def test_hillslopes_do_not_exceed_their_threshold_along_the_flow() -> None:
    z = rough((50, 50))
    flow = evolve(z, spacing_m=100.0, steps=60, years=5.0e4, rocks=rocks(5e-3, 1e-6, 0.7))
    i = np.flatnonzero(flow.receiver != np.arange(z.size))
    j = flow.receiver[i]
    step = np.abs(i - j)
    distance = np.where((step == 1) | (step == 50), 100.0, 100.0 * np.sqrt(2.0))
    slope = (z.ravel()[i] - z.ravel()[j]) / distance
    assert slope.max() <= 0.7 + 1e-3
    assert np.median(slope) > 0.6


def test_breaching_cuts_a_sill_that_filling_would_drown() -> None:
    rows = np.broadcast_to(np.linspace(100.0, 10.0, 40, dtype=np.float32)[:, None], (40, 20)).copy()
    rows[20] += 60.0
    options = {"spacing_m": 100.0, "steps": 1, "years": 1.0, "rocks": rocks(0.0, 1e-12, 50.0)}
    edges = (False, True, False, False)
    breached, filled = rows.copy(), rows.copy()
    evolve(breached, open_edges=edges, **options)
    evolve(filled, open_edges=edges, breach=False, **options)
    assert breached[19].mean() < rows[19].mean() + 0.01
    assert filled[19].mean() > rows[19].mean() + 20.0
