"""ShakeMap grids: units converted once, round trip, interpolation without extrapolation."""

import datetime as dt
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.shakemap import ShakeEvent, ShakeMap, read_shakemap, shakemap_on_grid
from hazard.geo.shakemap_write import write_shakemap

EVENT = ShakeEvent(
    event_id="us1", magnitude=7.8, depth_km=15.0, lat_deg=28.15, lon_deg=84.71,
    time=dt.datetime(2015, 4, 25, 6, 11, 25, tzinfo=dt.UTC), description='Nepal & "Gorkha" <1>',
    version="3", network="us", status="RELEASED",
)  # fmt: skip


def made(nlat: int = 9, nlon: int = 13, *, lon0: float = 84.0, seed: int = 0) -> ShakeMap:
    """A map whose PGA is linear in longitude and latitude."""
    lon, lat = lon0 + np.arange(nlon) * 0.1, 29.0 - np.arange(nlat) * 0.1
    east, north = np.meshgrid(lon, lat)
    rng = np.random.default_rng(seed)
    return ShakeMap(
        event=EVENT, lon=lon, lat=lat,
        layers={
            "pga": 1.0 + 0.5 * (east - lon0) + 0.25 * (north - 28),
            "pgv_cm_s": rng.uniform(1, 90, east.shape),
            "mmi": rng.uniform(3, 9, east.shape),
            "psa03": rng.uniform(0.1, 12, east.shape),
            "pga_ln_sigma": rng.uniform(0.1, 0.9, east.shape),
            "svel_m_s": rng.uniform(180, 760, east.shape),
        },
        units={"pga": "m s-2"}, uncertainty={"pga": 0.44},
    )  # fmt: skip


def text_of(
    rows: str = "0 1 10 0.4\n1 1 20 0.4\n0 0 30 0.5\n1 0 40 0.5\n",
    *,
    fields: str = (
        '<grid_field index="1" name="LON" units="dd" />'
        '<grid_field index="2" name="LAT" units="dd" />'
        '<grid_field index="3" name="PGA" units="pctg" />'
        '<grid_field index="4" name="STDPGA" units="ln(pctg)" />'
    ),
    spec: str = 'lon_min="0" lat_min="0" lon_max="1" lat_max="1" nlon="2" nlat="2"',
    event: str = (
        '<event event_id="e" magnitude="6" depth="9" lat="0" lon="0" '
        'event_timestamp="2000-01-02T03:04:05UTC" />'
    ),
    prolog: str = "",
    root: str = "shakemap_grid",
) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<{root}>{event}'
        f"<grid_specification {spec} />{fields}<grid_data>\n{rows}</grid_data></{root}>"
    )


def write(tmp_path, text: str, name: str = "grid.xml"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.data
def test_northridge_is_read_whole_with_units_converted(data_dir):
    shakemap = read_shakemap(data_dir / "shakemap_northridge" / "northridge_grid.xml.gz")
    assert shakemap.shape == (348, 421)
    assert shakemap.event.magnitude == 6.6
    assert shakemap.event.depth_km == 19.0
    assert shakemap.event.time == dt.datetime(1994, 1, 17, 12, 30, 55, tzinfo=dt.UTC)
    assert shakemap.event.description == "Northridge, California"
    assert shakemap.event.version == "2"
    assert set(shakemap.layers) == {
        "pga", "pgv_cm_s", "mmi", "psa03", "psa10", "psa30", "pga_ln_sigma", "urat", "svel_m_s",
    }  # fmt: skip
    # First row of the file: 1.97 %g, 2.85 cm/s, MMI 4.17, STDPGA 0.43, 425 m/s.
    corner = {name: values[0, 0] for name, values in shakemap.layers.items()}
    assert corner["pga"] == pytest.approx(1.97 * 0.0980665, rel=1e-12)
    assert corner["psa03"] == pytest.approx(5.01 * 0.0980665, rel=1e-12)
    assert (corner["pgv_cm_s"], corner["mmi"], corner["svel_m_s"]) == (2.85, 4.17, 425.0)
    assert corner["pga_ln_sigma"] == 0.43
    assert shakemap.units["pga"] == "m s-2"
    assert shakemap.units["pga_ln_sigma"] == "1"
    # Last row of the file: the south-east corner.
    assert shakemap.layers["pga"][-1, -1] == pytest.approx(1.2 * 0.0980665)
    assert (shakemap.lon[0], shakemap.lon[-1]) == (-120.296, -116.796)
    assert (shakemap.lat[0], shakemap.lat[-1]) == (35.65825, 32.76375)
    assert shakemap.uncertainty["pga"] == 0.442632


@pytest.mark.parametrize("name", ["grid.xml", "grid.xml.gz"])
def test_what_is_written_is_read_back(tmp_path, name):
    shakemap = made()
    write_shakemap(tmp_path / name, shakemap, digits=12)
    again = read_shakemap(tmp_path / name)
    assert again.event == shakemap.event
    assert again.uncertainty == shakemap.uncertainty
    np.testing.assert_allclose(again.lon, shakemap.lon, rtol=1e-12)
    np.testing.assert_allclose(again.lat, shakemap.lat, rtol=1e-12)
    assert set(again.layers) == set(shakemap.layers)
    for layer, values in shakemap.layers.items():
        np.testing.assert_allclose(again.layers[layer], values, rtol=1e-11)
    assert again.source_fields["pga"] == ("PGA", "pctg")


def test_the_same_map_gives_the_same_bytes_and_leaves_nothing_beside(tmp_path):
    write_shakemap(tmp_path / "a.xml.gz", made())
    first = (tmp_path / "a.xml.gz").read_bytes()
    write_shakemap(tmp_path / "a.xml.gz", made())
    assert (tmp_path / "a.xml.gz").read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["a.xml.gz"]


def test_a_layer_without_a_field_is_not_written(tmp_path):
    shakemap = made()
    odd = ShakeMap(
        event=EVENT, lon=shakemap.lon, lat=shakemap.lat, layers={"depth": shakemap.layers["pga"]},
        units={},
    )  # fmt: skip
    with pytest.raises(DataError, match="depth"):
        write_shakemap(tmp_path / "a.xml", odd)
    assert not list(tmp_path.iterdir())


def test_a_linear_field_is_interpolated_back_on_a_projected_grid():
    shakemap = made()
    grid = Grid.from_bounds("EPSG:32645", (260e3, 3.14e6, 300e3, 3.17e6), cell_m=1000)
    raster = shakemap_on_grid(shakemap, grid)
    x, y = np.meshgrid(grid.x, grid.y)
    lon, lat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    assert raster.valid.all()
    np.testing.assert_allclose(raster.values, 1 + 0.5 * (lon - 84) + 0.25 * (lat - 28), rtol=1e-6)


def test_cells_beyond_the_map_are_invalid_not_extrapolated():
    grid = Grid.from_bounds("EPSG:4326", (83.0, 27.0, 86.0, 30.0), cell_m=0.1)
    raster = shakemap_on_grid(made(), grid)
    x, y = np.meshgrid(grid.x, grid.y)
    inside = (x >= 84.0) & (x <= 85.2) & (y >= 28.2) & (y <= 29.0)
    assert np.array_equal(raster.valid, inside)
    assert np.isnan(raster.values[~inside]).all()


def test_nearest_takes_the_node_and_nan_spreads_only_to_its_neighbours():
    shakemap = made()
    values = shakemap.layers["pga"].copy()
    values[4, 6] = np.nan
    holed = ShakeMap(
        event=EVENT, lon=shakemap.lon, lat=shakemap.lat, layers={"pga": values}, units={}
    )
    grid = Grid.from_bounds("EPSG:4326", (84.05, 28.25, 85.15, 28.95), cell_m=0.1)
    assert (~shakemap_on_grid(holed, grid).valid).sum() == 4
    nodes = Grid.from_bounds("EPSG:4326", (84.07, 28.27, 85.17, 28.97), cell_m=0.1)
    nearest = shakemap_on_grid(holed, nodes, resampling="nearest")
    np.testing.assert_allclose(nearest.values, values[1:-1, 1:-1], rtol=1e-6)


def test_a_map_across_the_date_line_is_one_piece(tmp_path):
    rows = "179 1 10 0.4\n-179 1 20 0.4\n179 0 30 0.5\n-179 0 40 0.5\n"
    spec = 'lon_min="179" lat_min="0" lon_max="-179" lat_max="1" nlon="2" nlat="2"'
    shakemap = read_shakemap(write(tmp_path, text_of(rows, spec=spec)))
    assert shakemap.lon.tolist() == [179.0, 181.0]
    grid = Grid.from_bounds("EPSG:4326", (-180.0, 0.0, -179.0, 1.0), cell_m=1.0)
    at = shakemap_on_grid(shakemap, grid).values[0, 0]
    assert at == pytest.approx((10 + 3 * 20 + 30 + 3 * 40) / 8 * 0.0980665, rel=1e-6)


def test_rows_from_south_to_north_are_turned(tmp_path):
    rows = "0 0 30 0.5\n1 0 40 0.5\n0 1 10 0.4\n1 1 20 0.4\n"
    turned = read_shakemap(write(tmp_path, text_of(rows)))
    usual = read_shakemap(write(tmp_path, text_of(), "b.xml"))
    assert np.array_equal(turned.layers["pga"], usual.layers["pga"])


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;">]>'
UNIT = (
    '<grid_field index="1" name="LON" units="dd" /><grid_field index="2" name="LAT" units="dd" />'
    '<grid_field index="3" name="PGA" units="{}" /><grid_field index="4" name="{}" units="{}" />'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "broken or truncated XML"),
        ("not xml at all", "broken or truncated XML"),
        (text_of()[:-40], "broken or truncated XML"),
        (text_of(root="html"), "root element <html>"),
        (text_of(prolog=BOMB), "document type"),
        (text_of(prolog='<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "document type"),
        (text_of(event=""), "no <event>"),
        (text_of("0 1 10 0.4\n1 1 20 0.4\n0 0 30 0.5\n"), "12 numbers"),
        (text_of("0 1 10 0.4\n1 1 20 0.4\n0 0 30 0.5\n1 0 40 0.5\n1 0 40 0.5\n"), "more numbers"),
        (text_of("0 1 ten 0.4\n1 1 20 0.4\n0 0 30 0.5\n1 0 40 0.5\n"), "not numeric"),
        (text_of("0 1 10 0.4\n1 1 -20 0.4\n0 0 30 0.5\n1 0 40 0.5\n"), "1 values outside"),
        (text_of("0 1 10 0.4\n1 1 inf 0.4\n0 0 30 0.5\n1 0 40 0.5\n"), "outside"),
        (text_of("0 1 10 0.4\n0 0 20 0.4\n1 1 30 0.5\n1 0 40 0.5\n"), "differ from grid_spec"),
        (text_of(spec='lon_min="0" lat_min="0" lon_max="1" lat_max="1" nlon="2"'), "no attribute"),
        (
            text_of(spec='lon_min="0" lat_min="0" lon_max="1" lat_max="1" nlon="1" nlat="4"'),
            "1 x 4",
        ),
        (
            text_of(spec='lon_min="0" lat_min="0" lon_max="1" lat_max="1" nlon="9999999" nlat="9"'),
            "16 numbers",
        ),
        (text_of(fields=UNIT.format("furlong", "STDPGA", "ln(pctg)")), "unit 'furlong'"),
        (text_of(fields=UNIT.format("pctg", "STDPGA", "pctg")), "unit 'pctg' of field STDPGA"),
        (text_of(fields=UNIT.format("pctg", "SVEL", "km/s")), "unit 'km/s'"),
        (text_of(fields=UNIT.format("pctg", "PGA", "pctg")), "PGA twice"),
        (text_of(event='<event magnitude="x" depth="9" lat="0" lon="0" />'), "magnitude='x'"),
        (
            text_of(
                event='<event magnitude="6" depth="9" lat="0" lon="0" event_timestamp="soon" />'
            ),
            "soon",
        ),
    ],
)
def test_every_broken_grid_ends_in_one_clear_error(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_shakemap(path)
    assert str(path) in str(caught.value)


def test_missing_and_damaged_gzip_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_shakemap(tmp_path / "none.xml.gz")
    write_shakemap(tmp_path / "a.xml.gz", made())
    packed = (tmp_path / "a.xml.gz").read_bytes()
    (tmp_path / "cut.xml.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"truncated (gzip|XML)"):
        read_shakemap(tmp_path / "cut.xml.gz")


def test_a_gzip_bomb_is_stopped_at_the_limit(tmp_path):
    path = tmp_path / "bomb.xml.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(b"<shakemap_grid>" + b" " * 5_000_000)
    with pytest.raises(DataError, match="more than 1000000 bytes"):
        read_shakemap(path, max_bytes=1_000_000)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.xml"
    write_shakemap(path, made(4, 5))
    packed = path.with_suffix(".xml.gz")
    write_shakemap(packed, made(4, 5))
    return path.read_bytes(), packed.read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data(), packed=st.booleans())
def test_fuzzed_grids_are_read_or_refused_never_crash(whole, tmp_path_factory, data, packed):
    content = bytearray(whole[packed])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            del content[at : at + data.draw(st.integers(1, 400))]
        if not content:
            content = bytearray(b"x")
    path = tmp_path_factory.mktemp("fuzz") / "a.xml"
    path.write_bytes(bytes(content))
    try:
        shakemap = read_shakemap(path)
    except DataError:
        return
    assert all(values.shape == shakemap.shape for values in shakemap.layers.values())


def test_an_unknown_layer_or_method_is_refused():
    grid = Grid.from_bounds("EPSG:4326", (84, 28, 85, 29), cell_m=0.5)
    with pytest.raises(DataError, match="no layer 'pgd'"):
        shakemap_on_grid(made(), grid, "pgd")
    with pytest.raises(ValueError, match="cubic"):
        shakemap_on_grid(made(), grid, resampling="cubic")
