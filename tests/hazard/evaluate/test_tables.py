"""The tables of the report hold what they say, cell by cell."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from hazard.evaluate.cases import read_model
from hazard.evaluate.run import CONFUSION_CODES, evaluate_predictions
from hazard.evaluate.tables import LARGEST_CURVE
from tests.hazard.evaluate.conftest import SETTINGS

WHERE = {"scheme": "random", "model": "default", "epoch": "post 2015"}


def table(evaluated, name, **where):
    frame = pd.read_parquet(evaluated.folder / "evaluation" / f"{name}.parquet")
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


@pytest.fixture(scope="module")
def cases(evaluated):
    return read_model(evaluated.predictions, "random", "default").cases(1)


@pytest.fixture(scope="module")
def maps(evaluated):
    with np.load(evaluated.folder / "evaluation" / "maps_random.npz") as file:
        found = dict(file)
    at = found["models"].tolist().index("default"), found["epochs"].tolist().index("post 2015")
    return found["confusion"][at], found["residual_percent"][at]


def test_confusion_maps_and_counts_agree_and_cover_the_tested_cells(evaluated, cases, maps):
    codes, _ = maps
    row = table(evaluated, "confusion", **WHERE).iloc[0]
    for name, code in CONFUSION_CODES.items():
        if code:
            assert row[name.replace(" ", "_")] == (codes == code).sum()
    assert (codes > 0).sum() == cases.n
    assert (codes[:3, :5] == 0).all()
    positive = np.isin(codes, [CONFUSION_CODES["true positive"], CONFUSION_CODES["false negative"]])
    assert np.array_equal(np.flatnonzero(positive), cases.cell[cases.density > 0])
    f1 = evaluated.row("f1", threshold_percent=0.0, **WHERE)["value"]
    tp, fp, fn = row["true_positive"], row["false_positive"], row["false_negative"]
    assert f1 == pytest.approx(2 * tp / (2 * tp + fp + fn))


def test_residuals_are_observed_minus_expected(cases, maps):
    _, residual = maps
    expected = cases.density - cases.probability * cases.mean_percent
    np.testing.assert_allclose(residual.reshape(-1)[cases.cell], expected, rtol=1e-5, atol=1e-6)
    assert np.isnan(residual).sum() == residual.size - cases.n


def test_curves_are_thin_and_keep_their_area(evaluated, cases):
    roc = table(evaluated, "curves", curve="roc", **WHERE)
    assert 10 < len(roc) <= LARGEST_CURVE + 2
    assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(
        roc_auc_score(cases.density > 0, cases.probability), abs=2e-3
    )
    assert roc["cut"].is_monotonic_decreasing
    capture = table(evaluated, "curves", curve="capture", **WHERE)
    assert capture["x"].iloc[-1] == pytest.approx(1)
    assert capture["y"].iloc[-1] == pytest.approx(1)
    order = np.argsort(-cases.expected_percent)
    top = cases.density[order][: cases.n // 5].sum() / cases.density.sum()
    assert np.interp(0.2, capture["x"], capture["y"]) == pytest.approx(top, abs=0.02)
    corp = table(evaluated, "curves", curve="corp", **WHERE)
    assert corp["y"].is_monotonic_increasing


def test_reliability_bins_hold_all_cells_and_intervals_hold_the_observed_rate(evaluated, cases):
    bins = table(evaluated, "curves", curve="reliability", **WHERE)
    assert bins["n"].sum() == cases.n
    assert len(bins) == 10
    assert (bins["n"] * bins["y"]).sum() == pytest.approx((cases.density > 0).sum())
    assert (bins["low"] <= bins["y"]).all()
    assert (bins["y"] <= bins["high"]).all()


def test_classes_part_the_area_and_the_landslides(evaluated, cases):
    classes = table(evaluated, "classes", **WHERE)
    for quantity, values, edges in (
        ("susceptibility", cases.probability, SETTINGS.susceptibility_edges),
        ("hazard", cases.expected_percent, SETTINGS.hazard_edges_percent),
    ):
        five = classes[classes["quantity"] == quantity]
        assert five["class_number"].tolist() == [1, 2, 3, 4, 5]
        shares = ["area_share", "landslide_area_share", "landslide_cell_share"]
        assert five[shares].sum().tolist() == pytest.approx([1, 1, 1])
        assert five["cells"].sum() == cases.n == five["area_km2"].sum()
        top = values >= edges[-1]
        assert five["cells"].iloc[-1] == top.sum()
        captured = cases.density[top].sum() / cases.density.sum()
        assert five["landslide_area_share"].iloc[-1] == pytest.approx(captured)


def test_association_is_the_phi_of_observed_presence(evaluated):
    phi = table(evaluated, "association", threshold_percent=0.09, epoch="coseismic",
                other="pre 2016").iloc[0]  # fmt: skip
    inside = evaluated.predictions.mask
    first, third = (evaluated.predictions.area_density[e][inside] >= 0.09 for e in (0, 2))
    assert phi["phi"] == pytest.approx(matthews_corrcoef(first, third))
    assert phi["n"] == inside.sum()


def test_totals_repeat_the_scoreboard(evaluated):
    row = table(evaluated, "totals", **WHERE).iloc[0]
    board = evaluated.row("total_predicted_km2", threshold_percent=None, **WHERE)
    assert (row["predicted_km2"], row["predicted_low_km2"]) == (board["value"], board["low"])


def test_two_dimensional_counts_hold_every_cell_once(evaluated, cases):
    with np.load(evaluated.folder / "evaluation" / "density_susceptibility.npz") as file:
        at = tuple(
            file[axis].tolist().index(name)
            for axis, name in (
                ("schemes", "random"),
                ("models", "default"),
                ("epochs", "post 2015"),
            )
        )
        assert file["expected_counts"][at].sum() == cases.n
        assert file["observed_counts"][at].sum() == (cases.density > 0).sum()
        edges = file["susceptibility_edges"]
        column = np.histogram(cases.probability, edges)[0]
        assert np.array_equal(file["expected_counts"][at].sum(axis=0), column)


def test_smooth_residuals_show_in_morans_i_and_certain_forecasts_have_none(evaluated):
    moran = table(evaluated, "moran", scheme="random", epoch="post 2015")
    moran = moran.set_index(["model", "residual"])
    assert moran.loc[("climatology", "presence"), "z"] > 10
    calibrated = moran.loc[("default", "presence"), "moran"]
    assert calibrated < 0.5 * moran.loc[("climatology", "presence"), "moran"]
    zero = moran.loc[("zero", "presence_standardised")]
    assert np.isnan(zero["moran"])
    assert "0 or 1" in zero["note"]


def test_csv_and_parquet_are_the_same_table_and_a_second_run_repeats_it(evaluated, tmp_path):
    text = pd.read_csv(
        evaluated.folder / "scoreboard.csv", keep_default_na=False, na_values=["nan"]
    )
    assert text.columns.tolist() == evaluated.board.columns.tolist()
    np.testing.assert_allclose(text["value"], evaluated.board["value"], rtol=1e-8)
    assert text["note"].tolist() == evaluated.board["note"].tolist()
    evaluate_predictions(evaluated.predictions, tmp_path, SETTINGS)
    again = pd.read_parquet(tmp_path / "scoreboard.parquet")
    pd.testing.assert_frame_equal(again, evaluated.board)


def test_the_record_says_what_was_resampled(evaluated):
    record = json.loads((evaluated.folder / "evaluation" / "evaluation.json").read_text())
    assert record["unit"] == "4 km blocks within this epoch"
    assert record["blocks"] == 6 * 8
    assert record["synthetic"] is True
    assert record["rows"] == len(evaluated.board)
    assert evaluated.board["label"].str.contains("SYNTHETIC").sum() > 1000
