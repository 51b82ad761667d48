r"""The published size statistics: one record per printed number (see `stats.sizes.published`).

Exponents are printed in two conventions that differ by one: of the density ("pdf", 2.3 to 2.5 is
usual) and of the cumulative distribution ("cumulative", the alpha of this package). Each record
names its own; `alpha` and `pdf_slope` translate. Exponents are stored as positive numbers.

`verified` says whether the value was read in the source named, or is implied by such a value;
where it is False the value is quoted at second hand, or the source was not at hand, and should be
checked before it is cited. A range (`low`, `high`) is as printed; what it covers is in `note`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

Convention = Literal["cumulative", "pdf"]


@dataclass(frozen=True, kw_only=True)
class PublishedValue:
    """One printed number.

    Attributes:
        inventory: landslide event, region or data set.
        parameter: "exponent", "rollover", "count", "total area", "minimum area", ...
        value: as printed, in `unit`; None where only a range is printed.
        low: lower end of the printed range.
        high: upper end of the printed range.
        unit: "1" for exponents and counts.
        convention: of an exponent, None for every other parameter.
        source: author and year, or program.
        doi: where it is known for sure.
        verified: read in the source, or implied by what was read there.
        note: what the number refers to.
    """

    inventory: str
    parameter: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str
    convention: Convention | None = None
    source: str
    doi: str | None = None
    verified: bool
    note: str = ""

    @property
    def alpha(self) -> float | None:
        """Exponent in the cumulative convention; None for what is no exponent.

        Example:
            >>> [round(r.alpha, 2) for r in PUBLISHED if r.alpha and r.inventory == "Taiwan"]
            [1.11]
        """
        if self.convention is None or self.value is None:
            return None
        return self.value - 1.0 if self.convention == "pdf" else self.value

    @property
    def pdf_slope(self) -> float | None:
        """Slope of the density on log-log axes, -(alpha + 1); None for what is no exponent."""
        alpha = self.alpha
        return None if alpha is None else -(alpha + 1.0)


_MALAMUD = ("Malamud et al. (2004)", "10.1002/esp.1064")
_HURST = ("Hurst et al. (2013)", "10.5194/esurf-1-67-2013")
_TANYAS = ("Tanyas et al. (2018), program mLS", "10.1002/esp.4359")
_STARK = ("Stark & Hovius (2001)", "10.1029/2000GL008527")
_ROBACK = ("Roback et al. (2018)", "10.1016/j.geomorph.2017.01.030")
_TIAN = ("Tian et al. (2020)", "10.3389/feart.2020.572449")
_XU = ("Xu et al. (2016), Two comparable earthquakes", None)
_GNYAWALI = ("Gnyawali & Adhikari (2017)", None)
_VALAGUSSA = ("Valagussa et al., Scientific Reports", None)
_RETINA = ("RETINA project, deliverable D24", None)
_MAPPED = ("study of the multi-temporal Nepal and China inventories", None)
_CHI_CHI = ("source not traced", None)
_KINCEY = ("Kincey et al. (2021), density grid of Dahal et al. (2024)", "10.5194/nhess-24-823-2024")

_THREE = "Northridge 1994, Umbria 1997, Guatemala 1998"


def _record(
    inventory: str,
    parameter: str,
    value: float | None,
    source: tuple[str, str | None],
    *,
    unit: str = "1",
    convention: Convention | None = None,
    low: float | None = None,
    high: float | None = None,
    verified: bool = True,
    note: str = "",
) -> PublishedValue:
    return PublishedValue(
        inventory=inventory,
        parameter=parameter,
        value=value,
        low=low,
        high=high,
        unit=unit,
        convention=convention,
        source=source[0],
        doi=source[1],
        verified=verified,
        note=note,
    )


def _pairs() -> list[PublishedValue]:
    """Exponents and minimum areas printed for machine-mapped and reference inventories."""
    unread = functools.partial(_record, source=_MAPPED, verified=False)
    records = []
    exponents = {
        "Gorkha 2015": (1.94, 2.15),
        "Wenchuan 2008": (2.17, 2.13),
        "Papua New Guinea 2018": (1.90, 2.04),
        "Kaikoura 2016": (2.43, 2.45),
    }
    for inventory, pair in exponents.items():
        for value, kind in zip(pair, ("mapped by machine", "reference"), strict=True):
            text = f"{kind}; printed as the exponent, of the size of one of the density"
            records.append(unread(inventory, "exponent", value, convention="pdf", note=text))
    minima = {
        "Papua New Guinea 2018": (500.0, 100.0),
        "Kaikoura 2016": (100.0, None),
        "Gorkha 2015": (500.0, 80.0),
        "Wenchuan 2008": (20.0, 80.0),
    }
    for inventory, (machine, reference) in minima.items():
        high = 100.0 if reference is None else None
        records += [
            unread(inventory, "minimum area", machine, unit="m2", note="mapped by machine"),
            unread(inventory, "minimum area", reference, unit="m2", high=high, note="reference"),
        ]
    return records


_GRID_AREAS_KM2 = (91.9, 45.7, 14.2, 11.1, 29.2, 11.4)

PUBLISHED: tuple[PublishedValue, ...] = (
    _record(
        _THREE, "exponent", 2.40, _MALAMUD, convention="pdf", note="tail of one inverse gamma law"
    ),
    _record(_THREE, "rho", 1.40, _MALAMUD, convention="cumulative", verified=False),
    _record(_THREE, "a", 1.28e-3, _MALAMUD, unit="km2", verified=False),
    _record(_THREE, "s", -1.32e-4, _MALAMUD, unit="km2", verified=False),
    _record(
        _THREE,
        "rollover",
        401.0,
        _MALAMUD,
        unit="m2",
        verified=False,
        note="implied by rho, a and s: a/(rho + 1) + s",
    ),
    _record(
        _THREE,
        "mean area",
        3.07e-3,
        _MALAMUD,
        unit="km2",
        verified=False,
        note="implied by rho, a and s: a/(rho - 1) + s",
    ),
    _record("Northridge 1994", "count", 11_111.0, _TANYAS, note="reference event of mLS"),
    _record("Northridge 1994", "mLS reference mid-point", 4.8766e4, _TANYAS, unit="m2"),
    _record("Northridge 1994", "mLS reference density", 8.3647e-4, _TANYAS, unit="1/m2"),
    _record("Umbria 1997", "count", 4_233.0, _MALAMUD, verified=False),
    _record("Guatemala 1998", "count", 9_594.0, _MALAMUD, verified=False),
    _record(
        "Inventories generally",
        "exponent",
        None,
        _TANYAS,
        convention="pdf",
        low=1.4,
        high=3.4,
        note="range over inventories; centre 2.3 to 2.5",
    ),
    _record(
        "mLS sample inventory",
        "exponent",
        2.463,
        _TANYAS,
        convention="pdf",
        low=2.283,
        high=2.643,
        note="plus and minus the stated error 0.18",
    ),
    _record(
        "mLS sample inventory",
        "cutoff",
        9_234.0,
        _TANYAS,
        unit="m2",
        low=6_801.0,
        high=11_667.0,
        note="plus and minus the stated error 2,433",
    ),
    _record(
        "mLS sample inventory",
        "mLS",
        3.63,
        _TANYAS,
        low=3.55,
        high=3.71,
        note="plus and minus the stated error 0.08",
    ),
    *_pairs(),
    _record(
        "Western Southern Alps, Whataroa",
        "exponent",
        1.45,
        _RETINA,
        convention="cumulative",
        note="3,986 landslides, 1:25,000; about a quarter of them in the power-law part",
    ),
    _record("Western Southern Alps, Whataroa", "count", 3_986.0, _RETINA, note="1:25,000"),
    _record(
        "Western Southern Alps",
        "exponent",
        1.45,
        _RETINA,
        convention="cumulative",
        note="5,086 landslides, 1:50,000",
    ),
    _record("Western Southern Alps", "count", 5_086.0, _RETINA, note="1:50,000"),
    _record(
        "United Kingdom",
        "exponent",
        1.71,
        _HURST,
        convention="pdf",
        low=1.69,
        high=1.73,
        note="secular inventory, printed with +-0.02; inverse gamma and double Pareto alike",
    ),
    _record(
        "United Kingdom",
        "rollover",
        None,
        _HURST,
        unit="km2",
        low=1.0e-3,
        high=7.0e-3,
        note="printed range",
    ),
    _record(
        "Gorkha 2015", "count", None, _ROBACK, low=25_000.0, verified=False, note="more than 25,000"
    ),
    _record("Gorkha 2015", "count", 22_914.0, _TIAN, note="of at least 500 m2"),
    _record("Gorkha 2015", "count", 2_059.0, _TIAN, note="above 10,000 m2"),
    _record(
        "Gorkha 2015",
        "mean exponent 500 to 10,000 m2",
        0.80,
        _TIAN,
        convention="cumulative",
        note="implied: ln(22,914/2,059)/ln 20; the range spans the curved part of the law",
    ),
    _record("Gorkha 2015", "count", 2_064.0, _XU, note="of at least 10,000 m2"),
    _record("Gorkha 2015", "total area", 44.78, _XU, unit="km2", note="of at least 10,000 m2"),
    _record("Gorkha 2015", "count", 19_332.0, _GNYAWALI, verified=False),
    _record("Gorkha 2015", "total area", 61.5, _GNYAWALI, unit="km2", verified=False),
    _record("Gorkha 2015", "count", None, _VALAGUSSA, low=21_000.0, note="more than 21,000"),
    _record("Wenchuan 2008", "count", 25_580.0, _XU, note="of at least 10,000 m2"),
    _record(
        "Wenchuan 2008",
        "total area",
        670.65,
        _XU,
        unit="km2",
        note="of at least 10,000 m2, in about 44,000 km2",
    ),
    _record("Chi-Chi 1999", "count", 9_272.0, _CHI_CHI, verified=False, note="above 625 m2"),
    _record("Chi-Chi 1999", "exponent", 2.3, _CHI_CHI, convention="pdf", verified=False),
    _record("Taiwan", "exponent", 1.11, _STARK, convention="cumulative", verified=False),
    _record("New Zealand", "exponent", 1.46, _STARK, convention="cumulative", verified=False),
    *(
        _record(
            f"Gorkha grid, epoch {epoch}",
            "total area",
            area,
            _KINCEY,
            unit="km2",
            note="increase of area density summed over 1 km cells",
        )
        for epoch, area in enumerate(_GRID_AREAS_KM2, start=1)
    ),
)
