"""ShakeMap station lists (stationlist.xml): instrumental peak accelerations, and nothing else.

Such a list mixes instruments with reported intensities whose PGA was itself derived from the
intensity (component DERIVED). Only instruments can check a conversion from intensity to PGA.
Accelerations in these lists are in percent of g (ShakeMap manual, doi:10.5066/F7D21VPQ).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hazard.errors import DataError
from hazard.geo.grid import FloatArray
from hazard.geo.xml_stream import stream_xml
from hazard.variables import PERCENT_G_TO_M_S2

EXPECTED = "a ShakeMap station list (shakemap-data XML)"
DERIVED = "DERIVED"
UNFLAGGED = ("", "0")
MOST_PGA_M_S2 = 100.0


@dataclass(frozen=True, kw_only=True)
class Station:
    """One record of a station list.

    Attributes:
        code: station code.
        name: place.
        network: network code.
        lon_deg: degrees east.
        lat_deg: degrees north.
        instrumental: True where a component was recorded, False where derived from intensity.
        pga_m_s2: larger horizontal component [m/s2]; NaN where there is none.
        flagged: True where the list flags that value (outlier, incomplete, ...).
        mmi: intensity as listed; NaN where there is none.
    """

    code: str
    name: str
    network: str
    lon_deg: float
    lat_deg: float
    instrumental: bool
    pga_m_s2: float
    flagged: bool
    mmi: float


@dataclass(frozen=True, kw_only=True)
class StationCheck:
    """Observed against derived PGA at instruments.

    Attributes:
        n: stations compared.
        bias_ln: mean of ln(observed / derived); negative: the derived PGA is too high.
        sd_ln: standard deviation of it (n - 1), NaN for n < 2.
        standard_error_ln: sd / sqrt(n), NaN for n < 2.
        includes_flagged: whether flagged records took part.
        n_flagged: flagged instruments inside the layer (compared or not, see above).
        n_outside: instruments outside the layer.
        n_shared_position: compared stations that share coordinates with another one, a sign of a
            wrong position in the list.
        codes: stations compared.
        ln_ratio: ln(observed / derived) of each.
    """

    n: int
    bias_ln: float
    sd_ln: float
    standard_error_ln: float
    includes_flagged: bool
    n_flagged: int
    n_outside: int
    n_shared_position: int
    codes: tuple[str, ...]
    ln_ratio: tuple[float, ...]

    def sentence(self) -> str:
        """The check in words, for the provenance of a layer."""
        who = "instruments" + (", flagged records included" if self.includes_flagged else "")
        if self.n == 0:
            return f"no {who} inside the layer to check the derived PGA"
        return (
            f"ln(observed/derived PGA) at {self.n} {who}: mean {self.bias_ln:.3f}, "
            f"standard error {self.standard_error_ln:.3f}, sd {self.sd_ln:.3f} "
            f"({self.n_flagged} flagged, {self.n_outside} outside, "
            f"{self.n_shared_position} sharing a position)"
        )


class _Collector:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.stations: list[Station] = []
        self.root = ""
        self._station: dict[str, str] | None = None
        self._component: str | None = None
        self._instrumental = False
        self._peaks: list[tuple[float, bool]] = []

    def number(self, text: str, what: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise DataError(
                self.path, found=f"{what} {text!r}", expected="a number (or nan)"
            ) from None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.root:
            self.root = tag
            if tag not in ("shakemap-data", "stationlist"):
                raise DataError(self.path, found=f"root element <{tag}>", expected=EXPECTED)
        elif tag == "station":
            self._station, self._instrumental, self._peaks = attributes, False, []
        elif tag == "comp":
            self._component = attributes.get("name", "").strip().upper()
            self._instrumental |= self._component != DERIVED
        elif tag in ("pga", "acc") and self._is_horizontal():
            value = self.number(attributes.get("value", "nan"), f"{tag} value")
            if math.isfinite(value):
                flagged = attributes.get("flag", "").strip() not in UNFLAGGED
                self._peaks.append((value * PERCENT_G_TO_M_S2, flagged))

    def _is_horizontal(self) -> bool:
        # Vertical channels end in Z by the SEED convention.
        name = self._component
        return name is not None and name != DERIVED and not name.endswith("Z")

    def text(self, _piece: str) -> None:
        return

    def end(self, tag: str) -> None:
        if tag == "comp":
            self._component = None
        elif tag == "station" and self._station is not None:
            self.stations.append(self._finish(self._station))
            self._station = None

    def _finish(self, attributes: dict[str, str]) -> Station:
        code = attributes.get("code", "")
        lon = self.number(attributes.get("lon", ""), f"longitude of station {code!r}")
        lat = self.number(attributes.get("lat", ""), f"latitude of station {code!r}")
        pga = max((peak for peak, _ in self._peaks), default=math.nan)
        if not (abs(lon) <= 360 and abs(lat) <= 90) or pga <= 0 or pga > MOST_PGA_M_S2:
            raise DataError(
                self.path,
                found=f"station {code!r} at {lon}, {lat} with PGA {pga:g} m/s2",
                expected="a place on Earth and a possible acceleration in %g",
            )
        return Station(
            code=code,
            name=attributes.get("name", ""),
            network=attributes.get("netid", ""),
            lon_deg=lon,
            lat_deg=lat,
            instrumental=self._instrumental,
            pga_m_s2=pga,
            flagged=any(flagged for _, flagged in self._peaks),
            mmi=self.number(attributes.get("intensity", "nan") or "nan", f"intensity of {code!r}"),
        )


def read_stations(path: Path | str) -> tuple[Station, ...]:
    """Every record of a ShakeMap station list, instrumental or not.

    Args:
        path: stationlist.xml, plain or gzip; its internal document type is accepted as long as
            it declares no entity.

    Raises:
        DataError: not a station list, truncated, or values that cannot be.
    """
    file = Path(path)
    collector = _Collector(file)
    stream_xml(
        file, start=collector.start, end=collector.end, text=collector.text,
        expected=EXPECTED, allow_doctype=True,
    )  # fmt: skip
    if not collector.stations:
        raise DataError(file, found="no station", expected=EXPECTED)
    return tuple(collector.stations)


def check_stations(
    stations: tuple[Station, ...], derived_m_s2: FloatArray, *, include_flagged: bool = False
) -> StationCheck:
    """Compare instruments with a derived PGA at their places.

    Args:
        stations: records; those without an instrumental PGA take no part.
        derived_m_s2: (station,) derived PGA [m/s2], NaN outside the layer.
        include_flagged: compare flagged records too.
    """
    derived = np.asarray(derived_m_s2, dtype=np.float64)
    usable = np.array([s.instrumental and math.isfinite(s.pga_m_s2) for s in stations])
    inside = usable & np.isfinite(derived)
    flagged = np.array([s.flagged for s in stations])
    compared = inside if include_flagged else inside & ~flagged
    observed = np.array([s.pga_m_s2 for s in stations])
    ratio = np.log(observed[compared] / derived[compared])
    places = [(stations[i].lon_deg, stations[i].lat_deg) for i in np.flatnonzero(compared)]
    n = int(compared.sum())
    sd = float(ratio.std(ddof=1)) if n > 1 else math.nan
    return StationCheck(
        n=n,
        bias_ln=float(ratio.mean()) if n else math.nan,
        sd_ln=sd,
        standard_error_ln=sd / math.sqrt(n) if n > 1 else math.nan,
        includes_flagged=include_flagged,
        n_flagged=int((inside & flagged).sum()),
        n_outside=int((usable & ~inside).sum()),
        n_shared_position=sum(places.count(place) > 1 for place in places),
        codes=tuple(stations[i].code for i in np.flatnonzero(compared)),
        ln_ratio=tuple(float(value) for value in ratio),
    )
