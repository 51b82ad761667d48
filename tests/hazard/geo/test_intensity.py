"""Intensity bands and classes to rasters; conversion reversible; instruments as the judge."""

import math

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from hazard.errors import DataError
from hazard.geo import gmice
from hazard.geo.class_polygons import classes_on_grid, read_value_polygons
from hazard.geo.grid import Grid
from hazard.geo.intensity import check_bands, read_intensity_bands, shaking_from_bands
from hazard.geo.raster import read_info
from hazard.geo.strong_motion import Station, check_stations, read_stations

GRID = Grid.from_bounds("EPSG:4326", (0.0, 0.0, 4.0, 2.0), cell_m=0.5)


def bands_file(tmp_path, values=(6.0, 6.5), units="intensity", name="bands.gpkg", crs="EPSG:4326"):
    outer = shapely.box(0, 0, 4, 2)
    inner = shapely.box(1, 0.5, 2, 1.5)
    frame = gpd.GeoDataFrame(
        {"value": list(values), "units": [units] * 2},
        geometry=[outer.difference(inner), inner], crs=crs,
    )  # fmt: skip
    frame.to_file(tmp_path / name, engine="pyogrio")
    return tmp_path / name


@given(mmi=st.floats(1.0, 10.0))
def test_the_conversion_is_reversible(mmi):
    pga = gmice.pga_from_mmi(np.array([mmi]))
    assert gmice.mmi_from_pga(pga)[0] == pytest.approx(mmi, abs=1e-9)


def test_the_conversion_has_the_published_values_and_no_steps():
    # MMI = 1.78 + 1.55 log10(PGA) below, -1.60 + 3.70 log10(PGA) above; PGA in cm/s2.
    pga_cm_s2 = np.array([10.0, 100.0, 500.0])
    expected = [1.78 + 1.55, -1.60 + 3.70 * 2, -1.60 + 3.70 * math.log10(500)]
    np.testing.assert_allclose(gmice.mmi_from_pga(pga_cm_s2 / 100), expected, rtol=1e-12)
    np.testing.assert_allclose(gmice.MMI_BREAKS[1], 4.22, atol=0.005)
    np.testing.assert_allclose(gmice.LOG10_BREAKS[1], 1.57, atol=0.005)
    fine = np.linspace(1.0, 10.0, 100_001)
    step = np.diff(np.log(gmice.pga_from_mmi(fine)))
    assert step.min() > 0
    assert step.max() < 1e-4 * math.log(10) / 1.55 * 1.1
    assert np.isnan(gmice.pga_from_mmi(np.array([np.nan])))[0]


def test_sigma_adds_conversion_and_quantisation_in_squares():
    rng = np.random.default_rng(0)
    mmi = 6.75 + rng.uniform(-0.25, 0.25, 200_000)
    ln_pga = np.log(gmice.pga_from_mmi(mmi)) + rng.normal(0, 0.35 * math.log(10), mmi.size)
    stated = gmice.pga_ln_sigma(np.array([6.75]), band_width_mmi=0.5)[0]
    assert ln_pga.std() == pytest.approx(stated, rel=0.01)
    assert gmice.pga_ln_sigma(np.array([6.75]))[0] == pytest.approx(0.35 * math.log(10))


@pytest.mark.parametrize(
    ("value_is", "shift"), [("lower", 0.25), ("midpoint", 0.0), ("upper", -0.25)]
)
def test_bands_become_midpoints(tmp_path, value_is, shift):
    bands = read_intensity_bands(bands_file(tmp_path), value_is=value_is)
    mmi = bands.mmi_on_grid(GRID)
    expected = np.full((4, 8), 6.0)
    expected[1:3, 2:4] = 6.5
    np.testing.assert_allclose(mmi, expected + shift)


def test_derived_shaking_says_what_it_is_and_what_is_absent(tmp_path):
    grid = Grid.from_bounds("EPSG:4326", (-1.0, 0.0, 4.0, 2.0), cell_m=0.5)
    shaking = shaking_from_bands(read_intensity_bands(bands_file(tmp_path)), grid)
    assert "Worden et al. (2012)" in shaking.derived_from["pga"]
    assert set(shaking.layers) == {"mmi", "pga", "pga_ln_sigma"}
    assert "pga_sd" in shaking.absent
    assert (~shaking.valid["pga"]).sum() == 8
    assert np.isnan(shaking.layers["pga"][~shaking.valid["pga"]]).all()
    assert shaking.layers["pga"][1, 4] == pytest.approx(
        10 ** ((6.75 + 1.60) / 3.70) / 100, rel=1e-12
    )
    assert any("+-0.25" in note for note in shaking.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": (6.0, 6.3)}, "0.5 MMI apart"),
        ({"values": (6.0, 65.0)}, "1 to 12"),
        ({"units": "pctg"}, "unit 'pctg'"),
    ],
)
def test_bands_that_are_no_intensity_are_refused(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        read_intensity_bands(bands_file(tmp_path, **options))


def test_bands_need_their_column_and_an_overlap(tmp_path):
    path = bands_file(tmp_path)
    with pytest.raises(DataError, match="did you mean 'value'"):
        read_intensity_bands(path, field="Value")
    far = Grid.from_bounds("EPSG:4326", (50.0, 0.0, 54.0, 2.0), cell_m=0.5)
    with pytest.raises(DataError, match="overlap"):
        shaking_from_bands(read_intensity_bands(path), far)
    (tmp_path / "cut.gpkg").write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError):
        read_intensity_bands(tmp_path / "cut.gpkg")
    (tmp_path / "empty.gpkg").write_bytes(b"")
    with pytest.raises(DataError):
        read_intensity_bands(tmp_path / "empty.gpkg")


def test_invalid_class_polygons_are_repaired_and_counted(tmp_path):
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    frame = gpd.GeoDataFrame(
        {"gridcode": [2, 1]}, geometry=[bow, shapely.box(2, 0, 4, 2)], crs="EPSG:4326"
    )
    frame.to_file(tmp_path / "classes.gpkg", engine="pyogrio")
    polygons = read_value_polygons(tmp_path / "classes.gpkg", field="gridcode")
    assert polygons.n_repaired == 1
    assert polygons.values.tolist() == [1, 2]
    np.testing.assert_allclose(polygons.area_share, [4 / 6, 2 / 6])
    raster = classes_on_grid(polygons, GRID)
    assert raster.values.dtype == np.int16
    assert set(np.unique(raster.values)) == {0, 1, 2}
    assert np.array_equal(raster.values == 0, ~raster.valid)


def test_numbers_that_are_no_classes_are_refused(tmp_path):
    polygons = read_value_polygons(bands_file(tmp_path), field="value")
    with pytest.raises(DataError, match="whole numbers"):
        classes_on_grid(polygons, GRID)
    with pytest.raises(DataError, match="not numeric"):
        read_value_polygons(bands_file(tmp_path), field="units")


STATIONS = """<?xml version="1.0"?><!DOCTYPE s [<!ELEMENT s (station+)>]>
<shakemap-data><stationlist>
<station code="A" netid="XX" lat="1" lon="0.5" intensity="6"><comp name="HN1">
<pga value="10" flag="0"/></comp><comp name="HNZ"><pga value="90" flag="0"/></comp>
<comp name="HN2"><pga value="12" flag="0"/></comp></station>
<station code="B" netid="XX" lat="1" lon="1.5"><comp name="HNE"><pga value="20" flag="T"/></comp>
</station>
<station code="C" netid="DYFI" lat="1" lon="1.5" intensity="7"><comp name="DERIVED">
<pga value="77" flag="0"/></comp></station>
<station code="D" netid="XX" lat="1" lon="9"><comp name="HNE"><pga value="nan" flag="0"/></comp>
</station></stationlist></shakemap-data>"""


def test_stations_keep_the_larger_horizontal_component_of_instruments(tmp_path):
    path = tmp_path / "stations.xml"
    path.write_text(STATIONS)
    a, b, c, d = read_stations(path)
    assert (a.instrumental, a.flagged) == (True, False)
    assert a.pga_m_s2 == pytest.approx(12 * 0.0980665)
    assert (b.instrumental, b.flagged) == (True, True)
    assert (c.instrumental, c.mmi) == (False, 7.0)
    assert math.isnan(c.pga_m_s2)
    assert d.instrumental
    assert math.isnan(d.pga_m_s2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        STATIONS[:300],
        STATIONS.replace('value="12"', 'value="twelve"'),
        STATIONS.replace('lat="1"', 'lat="north"'),
        STATIONS.replace('value="12"', 'value="-12"').replace('value="10"', 'value="-10"'),
        STATIONS.replace("<!ELEMENT s (station+)>", '<!ENTITY a "b">'),
        STATIONS.replace("[<!ELEMENT s (station+)>]", 'SYSTEM "http://a/b.dtd"'),
        "<a><b/></a>",
        "<shakemap-data></shakemap-data>",
    ],
)
def test_broken_station_lists_are_refused(tmp_path, text):
    path = tmp_path / "stations.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"stations\.xml"):
        read_stations(path)


def station(code, pga, *, lon=0.0, flagged=False, instrumental=True) -> Station:
    return Station(
        code=code, name="", network="", lon_deg=lon, lat_deg=0.0, instrumental=instrumental,
        pga_m_s2=pga, flagged=flagged, mmi=math.nan,
    )  # fmt: skip


def test_the_check_recovers_a_planted_bias():
    rng = np.random.default_rng(3)
    derived = rng.uniform(0.2, 3.0, 400)
    observed = derived * np.exp(rng.normal(-0.4, 0.3, 400))
    stations = tuple(station(str(i), pga, lon=float(i)) for i, pga in enumerate(observed))
    check = check_stations(stations, derived)
    assert check.n == 400
    assert abs(check.bias_ln + 0.4) < 4 * check.standard_error_ln
    assert check.standard_error_ln == pytest.approx(check.sd_ln / 20)
    assert check.sd_ln == pytest.approx(0.3, rel=0.15)


def test_the_check_leaves_out_what_cannot_judge():
    stations = (
        station("a", 1.0), station("b", 2.0), station("flagged", 9.0, lon=1, flagged=True),
        station("reported", 9.0, lon=2, instrumental=False), station("outside", 9.0, lon=3),
    )  # fmt: skip
    derived = np.array([1.0, 1.0, 1.0, 1.0, np.nan])
    check = check_stations(stations, derived)
    assert check.codes == ("a", "b")
    assert check.bias_ln == pytest.approx(math.log(2) / 2)
    assert (check.n_flagged, check.n_outside, check.n_shared_position) == (1, 1, 2)
    assert check_stations(stations, derived, include_flagged=True).n == 3
    nothing = check_stations(stations[4:], derived[4:])
    assert nothing.n == 0
    assert "no instruments" in nothing.sentence()


@pytest.mark.data
def test_gorkha_bands_are_checked_on_the_instruments(data_dir):
    folder = data_dir / "gorkha"
    stations = read_stations(folder / "strong_motion_stations.xml")
    assert len(stations) == 118
    assert sum(s.instrumental for s in stations) == 27
    bands = read_intensity_bands(folder / "mmi_contours.gpkg")
    check = check_bands(bands, stations)
    assert (check.n, check.n_flagged, check.n_outside) == (9, 1, 17)
    assert abs(check.bias_ln) < 0.806
    grid = read_info(folder / "landslide_area_density_1km.tif").grid
    shaking = shaking_from_bands(bands, grid, stations=folder / "strong_motion_stations.xml")
    assert shaking.valid["pga"].all()
    assert shaking.layers["mmi"].max() == 8.75
    assert len(shaking.checks) == 2


@pytest.mark.data
def test_gorkha_pga_classes_are_ordinal_quarters_of_the_area(data_dir):
    folder = data_dir / "gorkha"
    polygons = read_value_polygons(folder / "ReclassifiedPGA.shp", field="gridcode")
    assert polygons.n_repaired == 4
    np.testing.assert_allclose(polygons.area_share, 0.25, atol=0.01)
    grid = read_info(folder / "landslide_area_density_1km.tif").grid
    classes = classes_on_grid(polygons, grid)
    mmi = read_intensity_bands(folder / "mmi_contours.gpkg").mmi_on_grid(grid)
    medians = [np.median(mmi[classes.values == number]) for number in (1, 2, 3, 4)]
    assert medians == sorted(medians)
    assert medians[0] < medians[3]
