"""The MyST page of a run: ``sizes.md`` with its figures, whole by itself or included elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stats.command.pages import escape, figure, heading, note, table
from stats.command.sizes_choice import choice_part, choice_rows, joint_part
from stats.command.sizes_compare import Comparison
from stats.command.sizes_fit import InventoryResult, LawResult
from stats.command.sizes_settings import LAW_TITLES, SizesSettings
from stats.command.sizes_table import SUMMARY_HEADER, interval_text, number, summary_rows
from stats.sizes.law import law_named
from stats.sizes.matching import KINDS

if TYPE_CHECKING:
    from stats.sizes.hierarchical_posterior import HierarchicalPosterior


def page_parts(
    results: Sequence[InventoryResult],
    comparisons: Sequence[Comparison],
    settings: SizesSettings,
    figures: Mapping[str, str],
    joint: HierarchicalPosterior | None = None,
) -> list[str]:
    """The parts of ``sizes.md``.

    Args:
        results: one per inventory.
        comparisons: one per pair.
        settings: of the run.
        figures: paths of the figures relative to the page, by "overview", the label of an
            inventory, or "comparison LABEL".
        joint: hierarchical fit of all inventories, or None.
    """
    parts = [heading("Size statistics")]
    if any(r.areas.synthetic for r in results):
        parts.append(note("SYNTHETIC: nothing on this page was observed.", kind="warning"))
    parts.append(
        "Each inventory is fitted above its own minimum mapping area by maximum likelihood, with "
        f"{100 * settings.level:g} % profile intervals. In brackets: not identified, with the "
        "reason beside it. alpha is the exponent of the survival function; the density falls with "
        "alpha + 1.\n"
    )
    parts.append(table(SUMMARY_HEADER, summary_rows(results)))
    if "overview" in figures:
        parts.append(figure(figures["overview"], "Exponent and rollover of every inventory."))
    for result in results:
        parts += inventory_parts(result, figures)
    if joint is not None:
        parts += joint_part(joint)
    if comparisons:
        parts.append(heading("Predicted and reference inventories", 2))
        parts.append(_epochs(comparisons))
        for found in comparisons:
            parts += comparison_parts(found, figures)
    return parts


def inventory_parts(result: InventoryResult, figures: Mapping[str, str]) -> list[str]:
    """Recording, fits, cuts and figure of one inventory."""
    record, label = result.record, result.areas.label
    rule = {"given": "as given", "smallest area": "the smallest area of the file"}.get(
        record.minimum_from, "the area above a gap among the smallest"
    )
    lines = [
        f"{record.n} areas were read from {escape(str(result.areas.source))}; "
        f"{record.n_fit} are fitted, above a minimum mapping area of "
        f"{number(record.minimum_mapping_area_m2, 5)} m2 ({rule}).",
        *(f"{escape(text[0].upper() + text[1:])}." for text in record.notes),
        *(f"{escape(text[0].upper() + text[1:])}." for text in result.areas.notes),
    ]
    parts = [heading(label, 2), " ".join(lines) + "\n"]
    if label in figures:
        parts.append(
            figure(
                figures[label],
                f"{label}: density in bins of about equal numbers and survival of every area, with "
                "the fitted laws; Q-Q and P-P of the first; its estimates against the cut.",
            )
        )
    fitted = [law for law in result.laws if law.fit is not None]
    if fitted:
        parts.append(_laws(fitted))
        parts += choice_part(choice_rows(result))
    for law in result.laws:
        parts += _law_notes(law)
    if len(result.cuts) > 1:
        parts.append(_cuts(result))
    parts.append(_totals(result))
    return parts


def _laws(laws: Sequence[LawResult]) -> str:
    rows = []
    for law in laws:
        assert law.fit is not None
        fit = law.fit
        units = {p.name: p.unit for p in law_named(fit.law).parameters}
        for name, estimate in fit.estimates.items():
            unit = units.get(name, "m2" if name.endswith("_m2") else "1")
            rows.append(
                [
                    law.name, name, unit, interval_text(estimate),
                    estimate.identified, estimate.reason,
                ]
            )  # fmt: skip
    first = table(["law", "quantity", "unit", "estimate", "identified", "reason"], rows)
    lines = []
    for law in laws:
        assert law.fit is not None
        tests = {} if law.goodness is None else law.goodness.tests
        p = [f"{tests[k].p_value:.3f}" if k in tests else "-" for k in ("ks", "cvm", "ad")]
        lines.append(
            [
                law.name, LAW_TITLES[law.name], law.fit.n, f"{law.fit.log_likelihood:.3f}",
                f"{law.fit.aic:.1f}", f"{law.fit.bic:.1f}", *p, law.fit.converged,
            ]
        )  # fmt: skip
    second = table(
        ["law", "title", "n", "log-likelihood", "AIC", "BIC", "p (KS)", "p (CvM)", "p (AD)",
         "converged"],
        lines,
    )  # fmt: skip
    return f"{first}\n{second}"


def _law_notes(law: LawResult) -> list[str]:
    parts = []
    if law.fit is None:
        parts.append(note(f"{law.name} was not fitted: {law.failure}", kind="warning"))
    else:
        notes = [*law.fit.notes, *([law.failure] if law.failure else [])]
        if notes:
            parts.append(f"{law.name}: {escape('; '.join(notes))}.\n")
    if law.posterior is not None:
        parts.append(_posterior(law))
    return parts


def _posterior(law: LawResult) -> str:
    assert law.posterior is not None
    found = law.posterior
    rows = [
        [
            name, number(e.median), f"{number(e.low)} to {number(e.high)}", e.unit,
            f"{100 * e.exists:.0f} %",
            "-" if e.diagnostics is None else f"{e.diagnostics.rhat:.3f}",
            "-" if e.diagnostics is None else f"{e.diagnostics.ess_bulk:.0f}",
        ]
        for name, e in found.estimates.items()
    ]  # fmt: skip
    priors = "; ".join(str(prior) for prior in found.priors)
    said = [f"Bayesian fit of {law.name}. Priors: {priors}. Divergences: {found.divergences}."]
    said += [f"{text}." for text in found.notes]
    header = ["quantity", "median", "interval", "unit", "exists in", "R-hat", "ESS"]
    return f"{escape(' '.join(said))}\n\n{table(header, rows)}"


def _cuts(result: InventoryResult) -> str:
    rows = []
    for cut in result.cuts:
        head = [number(cut.cut_m2, 5), cut.n]
        if cut.fit is None:
            rows.append([*head, "-", "-", "-", cut.reason])
            continue
        found = cut.fit.estimates
        rows.append(
            [*head, *(interval_text(found.get(k)) for k in ("alpha", "beta", "rollover_m2")),
             cut.fit.limit or ""]
        )  # fmt: skip
    header = ["cut [m2]", "n", "alpha", "beta", "rollover [m2]", "limit"]
    name = result.laws[0].name
    return f"{name} against the cut:\n\n{table(header, rows)}"


def _totals(result: InventoryResult) -> str:
    lines = []
    if result.total is not None:
        total = result.total
        between = total.expected_m2
        lines.append(
            f"Total area above the minimum: {number(total.total_m2 / 1e6)} km2 (largest landslide "
            f"{100 * total.largest_share:.0f} %); 95 % interval of the expected total "
            f"{number(between.low / 1e6)} to {number(between.high / 1e6)} km2."
        )
        lines += [f"{escape(text)}." for text in total.notes]
    if result.magnitude is not None:
        m = result.magnitude
        lines.append(
            f"If these are the landslides of one event, its magnitude mLS is {m.value.value:.2f} "
            f"({m.value.low:.2f} to {m.value.high:.2f}), from {m.estimate.n_tail} areas above "
            f"{number(m.estimate.cutoff_m2, 4)} m2 and a slope of the density of "
            f"{m.estimate.pdf_slope:.2f}."
        )
    elif result.magnitude_failure:
        lines.append(f"No magnitude mLS: {escape(result.magnitude_failure)}.")
    return " ".join(lines) + "\n"


def _epochs(comparisons: Sequence[Comparison]) -> str:
    rows: list[list[Any]] = []
    for found in comparisons:
        for side, areas, s in (
            ("predicted", found.predicted, found.sizes[0]),
            ("reference", found.reference, found.sizes[1]),
        ):
            rows.append(
                [
                    areas.label, side, s.n, number(s.total_m2 / 1e6), number(s.minimum_m2),
                    number(s.maximum_m2), number(s.mean_m2), number(s.median_m2),
                ]
            )  # fmt: skip
    header = [
        "inventory", "side", "n", "total [km2]", "minimum [m2]", "maximum [m2]", "mean [m2]",
        "median [m2]",
    ]  # fmt: skip
    return table(header, rows)


def comparison_parts(found: Comparison, figures: Mapping[str, str]) -> list[str]:
    """Differences, matching and residuals of one pair."""
    label = found.predicted.label
    parts = [heading(f"{label} against {found.reference.label}", 3)]
    key = f"comparison {label}"
    if key in figures:
        parts.append(figure(figures[key], f"{label} against {found.reference.label}."))
    if found.differences:
        compared = [
            [
                d.quantity, number(d.predicted), number(d.reference), number(d.value),
                f"{number(d.low)} to {number(d.high)}" if d.identified else "-", d.reason,
            ]
            for d in found.differences
        ]  # fmt: skip
        header = ["quantity", "predicted", "reference", "difference", "95 % interval", "reason"]
        unit = found.differences[0].unit
        parts.append(
            f"Both fitted above the common cut of {number(found.cut_m2, 5)} m2; resampled: "
            f"{unit}.\n"
        )
        parts.append(table(header, compared))
    elif found.failure:
        parts.append(note(f"The laws were not compared: {found.failure}", kind="warning"))
    if found.matched is None:
        parts.append("Tables of areas hold no outlines: nothing was matched.\n")
        return parts
    groups = found.matched.matching
    parts.append(
        f"Outlines match that share {100 * groups.least_overlap:g} % of the smaller one. "
        + ", ".join(f"{kind}: {groups.count(kind)}" for kind in KINDS)
        + " groups.\n"
    )
    rows: list[list[object]] = [
        [
            name, r.n, *(number(q) for q in r.quartiles_m2), number(r.mean_m2),
            *(number(q) for q in r.quartiles_ratio),
        ]
        for name, r in found.residuals.items()
    ]  # fmt: skip
    header = [
        "groups", "n", "residual Q1 [m2]", "median [m2]", "Q3 [m2]", "mean [m2]", "ratio Q1",
        "median", "Q3",
    ]  # fmt: skip
    if rows:
        parts.append(table(header, rows))
    return parts
