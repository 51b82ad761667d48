"""Fit one inventory: its recording, every law asked for, p-values, cuts, totals and magnitude.

A law that cannot be fitted is a result with a reason, not a crash: an inventory of twelve polygons
is what some valleys have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stats.case_arrays import FloatArray
from stats.command.sizes_input import Areas
from stats.command.sizes_settings import LAW_NAMES, SizesSettings
from stats.sizes.curves import Curves, fitted_curves
from stats.sizes.cut_table import CutRow, cut_table
from stats.sizes.envelopes import FitEnvelopes, fit_envelopes
from stats.sizes.fit import SizeFit, fit_sizes
from stats.sizes.goodness import GoodnessOfFit, goodness_of_fit
from stats.sizes.magnitude import MagnitudeBootstrap, bootstrap_magnitude
from stats.sizes.recording import Recording
from stats.sizes.records import AreaRecord, read_record
from stats.sizes.totals import TotalArea, total_area

if TYPE_CHECKING:
    from stats.sizes.posterior import Posterior

Progress = Callable[[int], None]
MAGNITUDE_DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class LawResult:
    """One law on one inventory.

    Attributes:
        name: as asked for on the command line.
        fit: the fit, or None.
        goodness: p-values, or None.
        envelopes: Q-Q and P-P curves with simultaneous envelopes, of the first law only.
        curves: density and survival with their band, or None.
        posterior: Bayesian fit, or None where it was not asked for.
        areas_m2: (n,) the areas that were fitted.
        failure: why there is no fit, or no p-value; empty where there is.
    """

    name: str
    fit: SizeFit | None
    goodness: GoodnessOfFit | None
    envelopes: FitEnvelopes | None
    curves: Curves | None
    posterior: Posterior | None
    areas_m2: FloatArray
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class InventoryResult:
    """All that was found in one inventory.

    Attributes:
        areas: as read.
        record: how they were recorded.
        laws: one result per law, in the order asked for.
        cuts: the first law against the cut.
        total: total area of all landslides at or above the minimum, or None with fewer than two.
        magnitude: mLS with its interval, or None.
        magnitude_failure: why there is no magnitude.
    """

    areas: Areas
    record: AreaRecord
    laws: tuple[LawResult, ...]
    cuts: tuple[CutRow, ...]
    total: TotalArea | None
    magnitude: MagnitudeBootstrap | None
    magnitude_failure: str

    @property
    def fitted_m2(self) -> FloatArray:
        """Areas that enter the likelihood."""
        return self.areas.areas_m2[self.record.in_fit(self.areas.areas_m2)]


def steps_of(settings: SizesSettings) -> int:
    """Pieces of work that `fit_inventory` tells its progress of."""
    return len(settings.laws) + 2


def fit_inventory(
    areas: Areas, settings: SizesSettings, *, progress: Progress | None = None
) -> InventoryResult:
    """Fit all laws to one inventory above its minimum mapping area.

    Args:
        areas: of the inventory.
        settings: of the run.
        progress: called with 1 for each of `steps_of` pieces of work.

    Raises:
        DataError: no area reaches the cutoff.
    """
    tell = progress if progress is not None else _ignore
    given = settings.cutoff_m2 if settings.cutoff_m2 is not None else areas.stated_minimum_m2
    record = _record(areas, given, settings.pixel_m2)
    # Every inventory has its own stream, so that adding one changes no other.
    rng = np.random.default_rng([settings.seed, int(areas.sha256[:8], 16), areas.areas_m2.size])
    fitted = areas.areas_m2[record.in_fit(areas.areas_m2)]
    laws = []
    for name in settings.laws:
        laws.append(_fit_law(name, fitted, record, settings, rng))
        tell(1)
    cuts = _against_cut(settings, fitted, record, laws[0])
    tell(1)
    above = areas.areas_m2[areas.areas_m2 >= record.lower_m2]
    first = laws[0].fit
    alpha = None if first is None else _tail_alpha(first)
    total = total_area(above, rng=rng, tail_alpha=alpha) if above.size >= 2 else None
    magnitude, failure = _magnitude(above, settings, rng)
    tell(1)
    return InventoryResult(
        areas=areas, record=record, laws=tuple(laws), cuts=tuple(cuts), total=total,
        magnitude=magnitude, magnitude_failure=failure,
    )  # fmt: skip


def _ignore(pieces: int = 1) -> None:
    del pieces


def _record(areas: Areas, given: float | None, pixel: float | None) -> AreaRecord:
    from stats.command.errors import DataError

    try:
        return read_record(areas.areas_m2, minimum_mapping_area_m2=given, pixel_m2=pixel)
    except ValueError as error:
        raise DataError(
            areas.source,
            found=str(error).partition("found ")[2].partition(";")[0] or str(error),
            expected="landslides at or above the cutoff",
        ) from error


def recording_of(record: AreaRecord, law: str, areas: FloatArray) -> tuple[Recording, FloatArray]:
    """Recording and areas of a fit; the Double Pareto ends at the largest area, spent on that."""
    if law != "dp":
        return Recording(lower_m2=record.lower_m2, pixel_m2=record.pixel_m2), areas
    upper = float(areas.max(initial=record.lower_m2))
    kept = areas[np.arange(areas.size) != np.argmax(areas)] if areas.size else areas
    if record.pixel_m2 is not None:
        # The bin of the largest area belongs to the law: nothing is spent on its edge.
        return Recording(lower_m2=record.lower_m2, upper_m2=upper, pixel_m2=record.pixel_m2), areas
    return Recording(lower_m2=record.lower_m2, upper_m2=upper), kept


def _fit_law(
    name: str,
    fitted: FloatArray,
    record: AreaRecord,
    settings: SizesSettings,
    rng: np.random.Generator,
) -> LawResult:
    law = LAW_NAMES[name]
    try:
        recording, used = recording_of(record, law, fitted)
        fit = without_runaways(fit_sizes(used, law, recording, level=settings.level))
    except ValueError as error:
        return LawResult(
            name=name, fit=None, goodness=None, envelopes=None, curves=None, posterior=None,
            areas_m2=fitted, failure=_plain(str(error)),
        )  # fmt: skip
    goodness, envelopes, weak = None, None, ""
    try:
        if settings.draws:
            goodness = goodness_of_fit(fit, used, rng=rng, draws=settings.draws)
        if settings.draws and name == settings.laws[0]:
            envelopes = fit_envelopes(
                fit, used, rng=rng, draws=settings.draws, level=settings.level
            )
    except ValueError as error:
        weak = _plain(str(error))
    curves = fitted_curves(fit, used, rng=rng, draws=settings.draws, level=settings.level)
    posterior = None
    if settings.bayes:
        from stats.sizes.bayes import fit_bayes

        posterior = fit_bayes(
            used, law, recording, seed=int(rng.integers(2**31)), level=settings.level
        )
    return LawResult(
        name=name, fit=fit, goodness=goodness, envelopes=envelopes, curves=curves,
        posterior=posterior, areas_m2=used, failure=weak,
    )  # fmt: skip


def without_runaways(fit: SizeFit) -> SizeFit:
    """The fit without values of quantities that ran to the end of the search, as its limit says.

    Where the likelihood rises for ever along a quantity, the number at which the search stopped is
    no estimate; its interval, open on that side, is kept.

    Example:
        >>> areas = np.linspace(300.0, 900.0, 40)
        >>> fit = without_runaways(fit_sizes(areas, recording=Recording(lower_m2=300.0)))
        >>> fit.limit, fit.estimates["alpha"].value
        ('ridge: alpha -> infinity (the density ends at t)', None)
    """
    if fit.limit is None or not fit.limit.startswith("ridge: "):
        return fit
    said = fit.limit.removeprefix("ridge: ").partition("->")[0].partition(" run to")[0]
    lost = {name.strip() for name in said.split(",")}
    if "alpha" in lost:
        lost.add("pdf_slope")
    kept = {
        name: replace(e, value=None) if name in lost else e for name, e in fit.estimates.items()
    }
    return replace(fit, estimates=kept)


def _plain(text: str) -> str:
    """The message without the name of the argument it is about."""
    return text.removeprefix("areas_m2: ")


def _against_cut(
    settings: SizesSettings, fitted: FloatArray, record: AreaRecord, first: LawResult
) -> list[CutRow]:
    """Fits of the first law above ever higher cuts; the first is the fit itself."""
    if not settings.cuts or first.fit is None:
        return []
    recording = first.fit.recording
    rows = [CutRow(record.lower_m2, first.fit.n, first.fit, "")]
    higher = [k * record.minimum_mapping_area_m2 for k in settings.cuts if k > 1.0]
    if higher:
        found = cut_table(
            first.areas_m2, first.fit.law, recording, cuts_m2=higher, level=settings.level
        )
        rows += [
            row if row.fit is None else replace(row, fit=without_runaways(row.fit)) for row in found
        ]
    return rows


def _tail_alpha(fit: SizeFit) -> float | None:
    slope = fit.estimates.get("pdf_slope")
    return None if slope is None or slope.value is None else -slope.value - 1.0


def _magnitude(
    above: FloatArray, settings: SizesSettings, rng: np.random.Generator
) -> tuple[MagnitudeBootstrap | None, str]:
    try:
        return (
            bootstrap_magnitude(above, rng=rng, draws=MAGNITUDE_DRAWS, level=settings.level),
            "",
        )
    except ValueError as error:
        return None, _plain(str(error))
