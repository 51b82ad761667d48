"""What a run found as records: ``fits.json``, ``fits.csv``, ``cuts.csv`` and the printed table.

Layout version 1. JSON knows no infinity: an open end of an interval is null, and an estimate that
does not exist is null with a reason beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from stats.command.sizes_fit import InventoryResult, LawResult
from stats.command.sizes_settings import LAW_TITLES
from stats.sizes.cut_table import CutRow
from stats.sizes.law import law_named
from stats.sizes.quantities import Estimate

LAYOUT = "landslide-sizes"
LAYOUT_VERSION = 1
QUANTITIES = ("rollover_m2", "pdf_slope")
# The parameters of all laws, in the order of the columns of fits.csv.
PARAMETERS = ("alpha", "beta", "t", "rho", "a", "s", "mu", "sigma", "xi", "kappa")


def finite(value: float | None) -> float | None:
    """The number, or None where it is infinite, not a number or absent.

    Example:
        >>> finite(1.5), finite(float("inf")), finite(None)
        (1.5, None, None)
    """
    return None if value is None or not math.isfinite(value) else float(value)


def estimate_record(estimate: Estimate, unit: str) -> dict[str, Any]:
    """One quantity with its interval; null for what is open or absent.

    Example:
        >>> found = Estimate(
        ...     value=1.4, low=1.2, high=math.inf, level=0.95, method="profile", identified=False,
        ...     reason="the 95 % profile of alpha is open above",
        ... )
        >>> record = estimate_record(found, "1")
        >>> record["estimate"], record["high"], record["identified"]
        (1.4, None, False)
    """
    return {
        "estimate": finite(estimate.value),
        "low": finite(estimate.low),
        "high": finite(estimate.high),
        "unit": unit,
        "level": estimate.level,
        "method": estimate.method,
        "identified": estimate.identified,
        "reason": estimate.reason,
    }


def fit_records(results: Sequence[InventoryResult]) -> list[dict[str, Any]]:
    """One record per inventory and law, for ``fits.json``."""
    return [fit_record(result, law) for result in results for law in result.laws]


def fit_record(result: InventoryResult, law: LawResult) -> dict[str, Any]:
    """One law on one inventory."""
    record, source = result.record, result.areas.source
    out: dict[str, Any] = {
        "layout_version": LAYOUT_VERSION,
        "file": str(source),
        "label": result.areas.label,
        "synthetic": result.areas.synthetic,
        "n_read": record.n,
        "n": law.fit.n if law.fit is not None else int(law.areas_m2.size),
        "n_below_cutoff": record.n_below,
        "cutoff_m2": record.minimum_mapping_area_m2,
        "cutoff_from": record.minimum_from,
        "lower_m2": record.lower_m2,
        "pixel_m2": record.pixel_m2,
        "n_slivers": len(record.slivers_m2),
        "n_equal": record.n_equal,
        "law": law.name,
        "law_title": LAW_TITLES[law.name],
        "fitted": law.fit is not None,
        "failure": law.failure,
    }
    if law.fit is None:
        return out | {
            "parameters": {}, "rollover_m2": None, "pdf_slope": None, "loglik": None, "aic": None,
            "bic": None, "goodness": None, "posterior": None, "notes": list(record.notes),
        }  # fmt: skip
    fit = law.fit
    units = {p.name: p.unit for p in law_named(fit.law).parameters}
    for name in fit.estimates:
        units.setdefault(name, "m2" if name.endswith("_m2") else "1")
    records = {name: estimate_record(e, units[name]) for name, e in fit.estimates.items()}
    return out | {
        "parameters": {name: records[name] for name in fit.theta},
        **{name: records.get(name) for name in QUANTITIES},
        "upper_m2": finite(fit.recording.upper_m2),
        "limit": fit.limit,
        "loglik": fit.log_likelihood,
        "aic": fit.aic,
        "bic": fit.bic,
        "converged": fit.converged,
        "gradient_norm": fit.gradient_norm,
        "hessian_definite": fit.hessian_definite,
        "goodness": goodness_record(law),
        "posterior": posterior_record(law),
        "notes": [*record.notes, *fit.notes],
    }


def goodness_record(law: LawResult) -> dict[str, Any] | None:
    """Distances and p-values of a fit."""
    if law.goodness is None:
        return None
    return {
        "draws": law.goodness.draws,
        "unconverged": law.goodness.unconverged,
        "method": "parametric bootstrap with refit",
        **{
            name: {
                "statistic": test.statistic,
                "p_value": test.p_value,
                "p_value_se": test.p_value_se,
            }
            for name, test in law.goodness.tests.items()
        },
        "notes": list(law.goodness.notes),
    }


def posterior_record(law: LawResult) -> dict[str, Any] | None:
    """Summary of a Bayesian fit."""
    if law.posterior is None:
        return None
    found = law.posterior
    return {
        "converged": found.converged,
        "divergences": found.divergences,
        "priors": [str(prior) for prior in found.priors],
        "estimates": {
            name: {
                "median": finite(e.median), "low": finite(e.low), "high": finite(e.high),
                "unit": e.unit, "level": e.level, "exists": e.exists,
                "rhat": None if e.diagnostics is None else finite(e.diagnostics.rhat),
                "ess_bulk": None if e.diagnostics is None else finite(e.diagnostics.ess_bulk),
            }
            for name, e in found.estimates.items()
        },
        "notes": list(found.notes),
    }  # fmt: skip


def flat_row(record: dict[str, Any]) -> dict[str, Any]:
    """One line of ``fits.csv``: the record with one column per number.

    A quantity X takes the columns X, X_low, X_high, X_identified and X_reason.
    """
    row = {
        key: value
        for key, value in record.items()
        if key not in ("parameters", *QUANTITIES, "goodness", "posterior", "notes")
    }
    for name in (*PARAMETERS, *QUANTITIES):
        found = record["parameters"].get(name) if name in PARAMETERS else record.get(name)
        found = found or {}
        row[name] = found.get("estimate")
        row[f"{name}_low"] = found.get("low")
        row[f"{name}_high"] = found.get("high")
        row[f"{name}_identified"] = found.get("identified")
        row[f"{name}_reason"] = found.get("reason")
    goodness = record.get("goodness") or {}
    for test in ("ks", "cvm", "ad"):
        row[f"{test}_p_value"] = goodness.get(test, {}).get("p_value")
    row["notes"] = "; ".join(record.get("notes", []))
    return row


def cut_rows(result: InventoryResult) -> list[dict[str, Any]]:
    """The first law against the cut, one line per cut."""
    return [
        {
            "file": str(result.areas.source),
            "label": result.areas.label,
            "law": result.laws[0].name,
            "cut_m2": cut.cut_m2,
            "n": cut.n,
            **_cut_values(cut),
            "failure": cut.reason,
        }
        for cut in result.cuts
    ]


def _cut_values(cut: CutRow) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in ("alpha", "beta", "t", "rollover_m2"):
        estimate = None if cut.fit is None else cut.fit.estimates.get(name)
        for end in ("value", "low", "high"):
            key = name if end == "value" else f"{name}_{end}"
            out[key] = None if estimate is None else finite(getattr(estimate, end))
    out["limit"] = None if cut.fit is None else cut.fit.limit
    return out


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, without exponents up to a million.

    Example:
        >>> number(0.87654), number(12345.6), number(None), number(3.2e16)
        ('0.877', '12,346', '-', '3.2e+16')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if 1000.0 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def interval_text(estimate: Estimate | None) -> str:
    """An estimate with its interval, or why there is none.

    Example:
        >>> found = Estimate(
        ...     value=1.4, low=1.2, high=math.inf, level=0.95, method="profile", identified=False,
        ...     reason="open",
        ... )
        >>> interval_text(found)
        '(1.4) 1.2 to inf'
    """
    if estimate is None:
        return "-"
    low = number(estimate.low) if math.isfinite(estimate.low) else "-inf"
    high = number(estimate.high) if math.isfinite(estimate.high) else "inf"
    if estimate.value is None:
        ends = math.isfinite(estimate.low) or math.isfinite(estimate.high)
        runaway = ends and estimate.method != "none"
        return f"(-) {low} to {high}" if runaway else "none"
    if estimate.identified:
        return f"{number(estimate.value)} ({low} to {high})"
    return f"({number(estimate.value)}) {low} to {high}"


SUMMARY_HEADER = (
    "inventory", "n", "cut [m2]", "law", "alpha", "rollover [m2]", "p (AD)", "not identified",
)  # fmt: skip


def summary_rows(results: Sequence[InventoryResult]) -> list[list[str]]:
    """The table for the terminal and the head of the page; values in brackets: not identified."""
    rows = []
    for result in results:
        for law in result.laws:
            head = [
                result.areas.label,
                str(law.fit.n if law.fit is not None else law.areas_m2.size),
                number(result.record.minimum_mapping_area_m2, 4),
                law.name,
            ]
            if law.fit is None:
                rows.append([*head, "-", "-", "-", f"not fitted: {law.failure}"])
                continue
            p = "-" if law.goodness is None else f"{law.goodness.tests['ad'].p_value:.2f}"
            rows.append(
                [
                    *head,
                    interval_text(law.fit.estimates.get("alpha")),
                    interval_text(law.fit.estimates.get("rollover_m2")),
                    p,
                    unidentified(law),
                ]
            )
    return rows


def unidentified(law: LawResult) -> str:
    """Which quantities are not identified, and the limit that is why; reasons are on the page."""
    assert law.fit is not None
    lacking = [
        name
        for name, e in law.fit.estimates.items()
        # What a law has not is no failure to identify it.
        if not e.identified and not (e.value is None and name in QUANTITIES)
    ]
    shown = [n for n in lacking if n != "pdf_slope" or "alpha" not in lacking]
    why = f": {law.fit.limit}" if law.fit.limit is not None else ""
    return f"{', '.join(shown)}{why}" if shown else (law.fit.limit or "")
