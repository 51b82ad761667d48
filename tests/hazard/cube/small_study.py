"""A small study of ordinary files with planted holes, made by a seeded script."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from hazard.geo.cf import cf_dataset
from hazard.geo.cog import write_cog
from hazard.geo.grid import Grid
from hazard.geo.shakemap import ShakeEvent, ShakeMap
from hazard.geo.shakemap_write import write_shakemap
from hazard.geo.store import write_netcdf

CRS = "EPSG:32645"
ROWS, COLS, FACTOR, PIXEL_M = 12, 16, 4, 250.0
GRID = Grid.from_bounds(CRS, (300_000, 3_100_000, 316_000, 3_112_000), cell_m=1000)
EPOCHS = [
    {"name": "first", "start": dt.date(2015, 4, 25), "end": dt.date(2015, 9, 30)},
    {"name": "second", "start": dt.date(2015, 10, 1), "end": dt.date(2016, 3, 31)},
    {"name": "third", "start": dt.date(2016, 4, 1), "end": dt.date(2016, 9, 30)},
]


def elevation(grid: Grid) -> Any:
    """A tilted, dissected surface [m]."""
    x, y = np.meshgrid(grid.x - 300_000, grid.y - 3_100_000)
    ridges = 200 * np.sin(x / 900) * np.cos(y / 1300)
    return (1500 + 0.03 * x + 0.05 * y + ridges).astype(np.float32)


def write_dem(path: Path, *, hole: bool = True, margin: int = 8) -> None:
    """The elevation model on 250 m pixels, with a margin; the hole covers cells 2:4, 3:5."""
    pixels = GRID.refine(FACTOR)
    from hazard.geo.grid import Block

    wide = pixels.crop(
        Block(
            row0=-margin,
            row1=pixels.shape[0] + margin,
            col0=-margin,
            col1=pixels.shape[1] + margin,
        )
    )
    z = elevation(wide)
    if hole:
        z[margin + 8 : margin + 16, margin + 12 : margin + 20] = np.nan
    write_cog(path, z, wide, names=["elevation"], units=["m"])


def density(*, maximum: float = 60.0) -> Any:
    """(epoch, y, x) percent: NaN in one corner, a quarter of the cells positive."""
    rng = np.random.default_rng(5)
    values = np.where(rng.random((3, ROWS, COLS)) < 0.25, rng.lognormal(0, 1, (3, ROWS, COLS)), 0)
    values = np.clip(values, 0, 60).astype(np.float32)
    values[0, 5, 5] = maximum
    values[:, :2, :2] = np.nan
    return values


def write_density(path: Path, values: Any, *, grid: Grid = GRID) -> None:
    names = [f"band {i}" for i in range(values.shape[0])]
    write_cog(path, values, grid, names=names, units=["percent"] * len(names))


def write_events(folder: Path, number: int = 2) -> list[str]:
    """ShakeMaps that cover the study; PGA falls with the distance."""
    lon, lat = np.linspace(84.5, 85.5, 41), np.linspace(28.5, 27.7, 33)
    names = []
    for index in range(number):
        lon0 = 84.7 + 0.3 * index
        distance = np.hypot(lon[None] - lon0, lat[:, None] - 28.05)
        event = ShakeEvent(
            event_id=f"e{index}", magnitude=7.0, depth_km=15.0, lat_deg=28.05, lon_deg=lon0,
            time=dt.datetime(2015, 4, 25, tzinfo=dt.UTC), description="planted", version="1",
            network="test", status="SYNTHETIC",
        )  # fmt: skip
        layers = {"pga": 4.0 * np.exp(-2 * distance), "mmi": 8.5 - 3 * distance}
        path = folder / f"event{index}.xml.gz"
        write_shakemap(
            path,
            ShakeMap(
                event=event, lon=lon, lat=lat, layers=layers,
                units={"pga": "m s-2", "mmi": "1"}, source_fields={},
            ),
        )  # fmt: skip
        names.append(str(path))
    return names


def write_rain(path: Path) -> None:
    rng = np.random.default_rng(9)
    days = pd.date_range("2015-01-01", "2016-12-31", freq="D")
    places = [(84.9, 28.0), (85.1, 28.1), (85.0, 28.2), (84.95, 28.08), (85.2, 27.95)]
    table = [
        pd.DataFrame(
            {
                "time": days,
                "longitude": x,
                "latitude": y,
                "precip": rng.gamma(0.3, 20.0, len(days)),
            }
        )
        for x, y in places
    ]
    pd.concat(table).to_csv(path, index=False)


def write_censored(path: Path) -> int:
    """A slope above 10 degrees with nodata below; the number of censored mapped cells."""
    rng = np.random.default_rng(11)
    values = rng.uniform(2, 40, (ROWS, COLS)).astype(np.float32)
    values[values <= 10] = np.nan
    write_cog(path, values, GRID, names=["slope"], units=["degree"])
    mapped = np.isfinite(density()[0])
    return int(np.count_nonzero(np.isnan(values) & mapped))


def observation() -> dict[str, Any]:
    """The detection error of the study: unseen in one epoch of two rows, unknown off the mask."""
    probability = np.full((3, ROWS, COLS), 0.5, np.float32)
    probability[1, 4:6] = 0.0
    false = np.full(probability.shape, 0.01, np.float32)
    for values in (probability, false):
        values[:, :2, :2] = np.nan
    return {"observation_probability": probability, "false_alarms": false}


def write_observation(
    path: Path, layers: dict[str, Any], *, grid: Grid = GRID, unit: str = "1", **epoch: Any
) -> None:
    """Write the detection error; `epoch` holds values and names of its axis."""
    number = np.asarray(epoch.get("values", np.arange(3)), np.int32)
    names = {"names": epoch.get("names", "first, second, third")}
    dims = ("epoch", "y", "x")
    dataset = cf_dataset(
        {name: (dims, values, {"units": unit}) for name, values in layers.items()}, grid,
        coords={"epoch": (("epoch",), number, names if names["names"] else {})},
    )  # fmt: skip
    write_netcdf(path, dataset)


def study_values(folder: Path) -> dict[str, Any]:
    """The configuration of the study in `folder`, whose files need not exist yet."""
    return {
        "name": "small",
        "title": "Small planted study",
        "seed": 3,
        "study": {
            "event": {"name": "planted", "date": dt.date(2015, 4, 25)},
            "pixels_per_cell": FACTOR,
            "epochs": EPOCHS,
        },
        "target": {"kind": "density_raster", "file": str(folder / "density.tif")},
        "terrain": {"elevation": str(folder / "dem.tif"), "stream_threshold_km2": 2.0},
        "shaking": {
            "kind": "shakemap",
            "events": [str(folder / f"event{i}.xml.gz") for i in range(2)],
        },
        "rain": {"kind": "points", "file": str(folder / "rain.csv")},
        "layers": [
            {
                "name": "slope_above_10_deg",
                "file": str(folder / "censored.tif"),
                "unit": "degree",
                "long_name": "slope where above 10 degrees",
                "resampling": "nearest",
                "censored_below": 10.0,
            }
        ],
        "cube": {
            "folds": [
                {"design": "random", "folds": 2},
                {"design": "forward_chaining", "validation_share": 0, "buffer_km": 0},
            ]
        },
    }


def write_study(folder: Path, *, events: int = 2, **sections: Any) -> Path:
    """Write all files and the configuration; `sections` replace those of `study_values`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_dem(folder / "dem.tif")
    write_density(folder / "density.tif", density())
    names = write_events(folder, events)
    write_rain(folder / "rain.csv")
    write_censored(folder / "censored.tif")
    values = study_values(folder)
    values["shaking"]["events"] = names
    return write_config(folder, {**values, **sections})


def write_config(folder: Path, values: dict[str, Any]) -> Path:
    path = folder / "study.yaml"
    kept = {key: value for key, value in values.items() if value is not None}
    path.write_text(yaml.safe_dump(kept, sort_keys=False))
    return path
