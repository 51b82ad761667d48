"""The MyST page of the residual section: ``residuals.md``, whole by itself or in a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stats.command.pages import escape, figure, heading, note, table

if TYPE_CHECKING:
    from stats.command.residuals_run import ResidualsRun

_CAPTIONS = {
    "worm": (
        "Quantiles of the randomised quantile residuals less those of a normal law. A right "
        "forecast stays inside the envelope; slope means a spread that is wrong, a bend a tail "
        "or a skew that is."
    ),
    "presence": (
        "Score residuals of presence, observed less probability over its standard deviation: "
        "above 0 where more came than was forecast."
    ),
}


def plain_words(run: ResidualsRun) -> list[str]:
    """What the section says, without symbols."""
    section, lines = run.section, []
    alpha = 1.0 - run.settings.level
    for score, rows in section.differences.items():
        for d in rows:
            if d.difference.excludes(0.0):
                verdict = "better than" if d.difference.value < 0 else "worse than"
            else:
                verdict = "not told apart from"
            lines.append(
                f"By {score} the forecast is {verdict} {d.second}: difference "
                f"{d.difference.value:.3g} ({d.difference.low:.3g} to {d.difference.high:.3g})."
            )
    dependent = [str(s.epoch) for s in section.structures if s.q_value <= alpha]
    if dependent:
        reach = max(s.range_m for s in section.structures) / 1000.0
        lines.append(
            f"Neighbouring cells are wrong together in {', '.join(dependent)}, over up to "
            f"{reach:.1f} km: something with a place is missing from the forecast."
        )
    elif section.structures:
        lines.append("Neighbouring cells are not seen to be wrong together.")
    off = [str(e) for e, r in section.reliability.items() if r.curve_p_value <= alpha]
    lines.append(
        f"Probabilities are off their frequencies in {', '.join(off)}." if off
        else "Probabilities are not seen to be off their frequencies."
    )  # fmt: skip
    lines.append(
        "The law as a whole does not fit: its residuals leave the envelope."
        if section.worm.p_value <= alpha else "The law as a whole is not seen to be wrong."
    )  # fmt: skip
    asked = [t for t in section.tests if t.q_value <= alpha]
    named = sorted({t.against for t in asked if t.against != "overall"})
    if named:
        lines.append(f"What is left depends on: {', '.join(named)}.")
    wrong = [t for t in section.totals if not t.low <= t.observed <= t.high]
    for t in wrong:
        side = "more" if t.observed > t.high else "less"
        what = "area density summed over cells" if t.what == "total" else "cells with landslides"
        lines.append(
            f"{t.epoch}: {side} came than the forecast's own interval allows ({what}: "
            f"{t.observed:,.5g} against {t.low:,.5g} to {t.high:,.5g})."
        )
    return lines


def page_parts(run: ResidualsRun, figures: Mapping[str, str]) -> list[str]:
    """The parts of ``residuals.md``.

    Args:
        run: what was found.
        figures: paths of the figures relative to the page, by name.
    """
    settings, section = run.settings, run.section
    parts = [heading(f"Residuals: {settings.model}, {str(settings.scheme).replace('_', ' ')}")]
    if run.synthetic:
        parts.append(note("SYNTHETIC: nothing on this page was observed.", kind="warning"))
    parts.append(
        f"{escape(run.title)}. {run.cases.n:,} cells and epochs, all forecast by models that did "
        "not see them. Envelopes and intervals of single epochs take cells as independent given "
        "the forecast; differences of scores do not.\n"
    )
    parts.append(heading("In plain words", 2))
    parts.append("\n".join(f"- {escape(line)}" for line in plain_words(run)) + "\n")
    parts.append(heading("Scores", 2))
    order = {epoch: place for place, epoch in enumerate(run.cases.epochs)}
    sums = section.scores.over("fold") if "fold" in section.scores.names else section.scores
    scores = [
        [str(r["epoch"]), str(r["term"]), float(r["value"]), int(r["n"])]
        for r in sorted(sums.rows(), key=lambda r: order[r["epoch"]])
    ]  # fmt: skip
    parts.append(table(["epoch", "score", "mean", "n"], scores))
    for name, reason in section.undefined.items():
        parts.append(f"{escape(name)}: not defined ({escape(reason)}).\n")
    parts += _differences(run)
    parts.append(heading("Calibration", 2))
    parts.append(
        table(
            ["epoch", "miscalibration (Brier)", "p", "p of the curve"],
            [
                [str(e), float(r.miscalibration), float(r.miscalibration_p_value),
                 float(r.curve_p_value)]
                for e, r in section.reliability.items()
            ],
        )
    )  # fmt: skip
    parts.append(figure(figures["worm"], _CAPTIONS["worm"]))
    parts += _structure(run)
    for name, path in figures.items():
        if name.startswith("presence"):
            parts.append(figure(path, _CAPTIONS["presence"]))
    parts.append(heading("On what the residuals depend", 2))
    rows = sorted(section.tests, key=lambda t: t.q_value)
    parts.append(
        table(
            ["residual", "against", "effect", "p", "q"],
            [
                [t.residual, t.against, "" if t.effect is None else f"{t.effect:.3f}",
                 float(t.p_value), float(t.q_value)]
                for t in rows
            ],
        )
    )  # fmt: skip
    parts.append(heading("Totals", 2))
    parts.append(
        table(
            ["epoch", "of", "observed", "expected", "interval", "p"],
            [
                [str(t.epoch), t.what, f"{t.observed:,.5g}", f"{t.expected:,.5g}",
                 f"{t.low:,.5g} to {t.high:,.5g}", float(t.p_value)]
                for t in section.totals
            ],
        )
    )  # fmt: skip
    parts += _coverage(run)
    for text in section.notes:
        parts.append(note(text))
    return parts


def _differences(run: ResidualsRun) -> list[str]:
    section = run.section
    if not section.differences:
        return []
    rows = [
        [
            score, d.second,
            f"{d.difference.value:.4g} ({d.difference.low:.4g} to {d.difference.high:.4g})",
            float(d.p_value), _hering(run, score, d.second), d.difference.unit,
        ]
        for score, found in section.differences.items() for d in found
    ]  # fmt: skip
    return [
        heading("Differences to references", 2),
        "Below 0 the forecast is better.\n",
        table(["score", "reference", "difference", "p", "p (Hering-Genton)", "blocks"], rows),
    ]


def _hering(run: ResidualsRun, score: str, name: str) -> str:
    found = run.section.ability.get((score, name))
    value = math.nan if found is None else found.p_value()
    return f"{value:.3g}" if math.isfinite(value) else "not determined"


def _structure(run: ResidualsRun) -> list[str]:
    section = run.section
    parts = [heading("Spatial structure", 2)]
    parts.append(
        table(
            ["epoch", "Moran's I", "z", "q", "range [km]"],
            [
                [str(s.epoch), float(s.structure.moran.value), float(s.structure.moran.z),
                 float(s.q_value), float(s.range_m / 1000.0)]
                for s in section.structures
            ],
        )
    )  # fmt: skip
    if section.block is not None:
        more = f" {section.block.note}." if section.block.note else ""
        parts.append(
            f"Blocks of {section.block.side_m / 1000.0:g} km would keep test and training apart; "
            f"{section.block.n_blocks} of them fit the study.{escape(more)}\n"
        )
    return parts


def _coverage(run: ResidualsRun) -> list[str]:
    by: dict[tuple[str, float], list[tuple[int, float, float, float]]] = {}
    for row in run.section.coverage:
        key = (str(row.labels["epoch"]), row.level)
        by.setdefault(key, []).append((row.n, row.covered, row.implied, row.width))
    rows = []
    for (epoch, level), found in by.items():
        n = sum(r[0] for r in found)
        means = [sum(r[0] * r[i] for r in found) / n for i in (1, 2, 3)]
        rows.append([epoch, f"{100 * level:g} %", n, *(float(m) for m in means)])
    return [
        heading("Coverage of intervals", 2),
        "Closed intervals cover more than their level where 0 has much probability: what the "
        "forecast itself gives them stands beside. By decile of the expected density: "
        "coverage.csv.\n",
        table(["epoch", "interval", "n", "covered", "implied", "mean width"], rows),
    ]
