"""Between laws and between inventories: which law the areas favour, and what epochs share.

Laws are compared only where they were fitted to the same areas recorded in the same way; the Double
Pareto, which spends the largest area on its upper end, stands outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stats.command.pages import escape, heading, note, table
from stats.command.sizes_fit import InventoryResult, LawResult
from stats.command.sizes_settings import LAW_NAMES, SizesSettings
from stats.command.sizes_table import finite, number

if TYPE_CHECKING:
    from stats.sizes.contrasts import Contrast
    from stats.sizes.hierarchical_posterior import HierarchicalPosterior


def comparable(result: InventoryResult) -> list[LawResult]:
    """Laws of one inventory that were fitted to the same areas as the first fitted one."""
    fitted = [law for law in result.laws if law.fit is not None]
    return [
        law
        for law in fitted
        if law.fit is not None
        and fitted[0].fit is not None
        and law.fit.n == fitted[0].fit.n
        and law.fit.recording == fitted[0].fit.recording
    ]


def choice_rows(result: InventoryResult) -> list[dict[str, Any]]:
    """AICc weights of comparable laws, best first, each with Vuong's test against the best.

    Returns:
        Rows with law, aicc, delta_aicc, weight, and for all but the best z, p_value, verdict;
        empty with fewer than two comparable laws.
    """
    from stats.sizes.choice import information_criteria
    from stats.sizes.vuong import vuong

    laws = comparable(result)
    if len(laws) < 2:
        return []
    names = {LAW_NAMES[law.name]: law for law in laws}
    try:
        scores = information_criteria([law.fit for law in laws if law.fit is not None])
    except ValueError as error:
        return [{"law": laws[0].name, "verdict": str(error)}]
    best = names[scores[0].law]
    rows: list[dict[str, Any]] = []
    for score in scores:
        law = names[score.law]
        row: dict[str, Any] = {
            "law": law.name, "aicc": score.aicc, "delta_aicc": score.delta_aicc,
            "weight": score.weight, "z": None, "p_value": None, "verdict": "",
        }  # fmt: skip
        if law is not best and best.fit is not None and law.fit is not None:
            try:
                contest = vuong(best.fit, law.fit, law.areas_m2)
                row |= {
                    "z": finite(contest.z), "p_value": finite(contest.p_value),
                    "verdict": contest.reason,
                }  # fmt: skip
            except ValueError as error:
                row["verdict"] = str(error)
        rows.append(row)
    return rows


def choice_part(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows as a table of the page."""
    if not rows or "aicc" not in rows[0]:
        return []
    cells = [
        [
            row["law"], f"{row['aicc']:.1f}", f"{row['delta_aicc']:.1f}", f"{row['weight']:.3f}",
            number(row["z"]), number(row["p_value"]), row["verdict"],
        ]
        for row in rows
    ]  # fmt: skip
    header = ["law", "AICc", "above the best", "weight", "Vuong z", "p", "verdict"]
    return [f"Choice of law (Vuong's test against the best):\n\n{table(header, cells)}"]


def joint_posterior(
    results: Sequence[InventoryResult], settings: SizesSettings
) -> HierarchicalPosterior | None:
    """Hierarchical fit of the first law to all inventories; None with fewer than two.

    Each inventory keeps its own recording; the logarithms of the parameters are pooled as far as
    the inventories agree.
    """
    from stats.sizes.hierarchical import fit_hierarchical
    from stats.sizes.size_groups import SizeGroup

    groups = [
        SizeGroup(
            name=result.areas.label,
            areas_m2=result.laws[0].areas_m2,
            recording=result.laws[0].fit.recording,
        )
        for result in results
        if result.laws[0].fit is not None
    ]
    if len(groups) < 2:
        return None
    law = LAW_NAMES[settings.laws[0]]
    return fit_hierarchical(groups, law, seed=settings.seed, level=settings.level)


def joint_record(found: HierarchicalPosterior) -> dict[str, Any]:
    """The hierarchical fit for ``hierarchical.json``."""
    return {
        "law": found.law,
        "converged": found.converged,
        "divergences": found.divergences,
        "priors": [str(prior) for prior in found.priors],
        "estimates": [
            {
                "inventory": group, "quantity": name, "median": finite(e.median),
                "low": finite(e.low), "high": finite(e.high), "level": e.level,
                "exists": e.exists,
            }
            for (group, name), e in found.estimates.items()
        ],
        "changes_of_alpha": [asdict(contrast) for contrast in _changes(found)],
        "typical": {
            name: {"median": finite(e.median), "low": finite(e.low), "high": finite(e.high)}
            for name, e in found.typical_estimates.items()
        },
        "notes": list(found.notes),
    }  # fmt: skip


def joint_part(found: HierarchicalPosterior) -> list[str]:
    """The hierarchical fit as a section of the page."""
    rows = [
        [group, *(_cell(found.estimates.get((group, q))) for q in ("alpha", "rollover_m2"))]
        for group in found.names
    ]
    typical = [_cell(found.typical_estimates.get(q)) for q in ("alpha", "rollover_m2")]
    rows.append(["typical inventory", *typical])
    parts = [
        heading("All inventories together", 2),
        "Hierarchical fit: every inventory has its own law, drawn towards the others as far as "
        f"they agree. Posterior medians and intervals; {found.divergences} divergences.\n",
        table(["inventory", "alpha", "rollover [m2]"], rows),
    ]
    if not found.converged:
        parts.append(note("The chains have not converged: do not use these.", kind="warning"))
    parts += [f"{escape(text)}.\n" for text in found.notes]
    rows = [
        [
            f"{c.first} less {c.second}", number(c.difference),
            f"{number(c.low)} to {number(c.high)}", f"{c.probability_above:.2f}", c.verdict,
        ]
        for c in _changes(found)
    ]  # fmt: skip
    header = ["change of alpha", "difference", "interval", "P(above 0)", "verdict"]
    parts.append(table(header, rows))
    return parts


def _changes(found: HierarchicalPosterior) -> list[Contrast]:
    """Contrast of the exponent of each inventory with the one before it, in the order given."""
    from stats.sizes.contrasts import group_contrast

    pairs = zip(found.names[1:], found.names[:-1], strict=True)
    return [group_contrast(found, later, earlier) for later, earlier in pairs]


def _cell(estimate: Any) -> str:
    if estimate is None or finite(estimate.median) is None:
        return "-"
    share = "" if estimate.exists == 1.0 else f", in {100 * estimate.exists:.0f} % of the draws"
    between = f"{number(estimate.low)} to {number(estimate.high)}"
    return f"{number(estimate.median)} ({between}{share})"
