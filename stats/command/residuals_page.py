"""The MyST page of the residual section: ``residuals.md``, whole by itself or in a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stats.command.pages import escape, figure, heading, note, table
from stats.command.residuals_words import alarms, answers, plain_words, shown_name

MOST_ROWS = 25
FIRST_HEADING = "In plain words"

if TYPE_CHECKING:
    from stats.command.residuals_run import ResidualsRun

_CAPTIONS = {
    "differences": (
        "Mean score of the forecast less that of each reference, with intervals that allow for "
        "dependence between neighbours. Left of 0 the forecast is better."
    ),
    "difference_crps": (
        "Where the forecast beats the best reference by CRPS (below 0) and where it loses to it "
        "(above 0), cell by cell. Which reference is best was seen with hindsight."
    ),
    "difference_log": (
        "The same by the log score. Losses of single cells are those of events that the forecast "
        "called unlikely; what is to be looked at is where they gather."
    ),
    "reliability": (
        "How often landslides came where a probability was forecast. The band is where 95 of 100 "
        "whole curves of a calibrated forecast would lie."
    ),
    "pit": (
        "Where in its own law the forecast found what came. Bars of a right forecast have height "
        "1 within the envelope: a slope means bias, a hump too wide a law, horns too narrow a one. "
        "The randomisation at zero is integrated out."
    ),
    "worm": (
        "Quantiles of the randomised quantile residuals less those of a normal law. A right "
        "forecast stays inside the envelope; slope means a spread that is wrong, a bend a tail "
        "or a skew that is."
    ),
    "structure": (
        "Moran's I (left) and semivariance (right) of the standardised score residuals of presence "
        "by distance, with what the same values show when they are dealt to the cells at random. "
        "The upright line is the distance beyond which cells no longer resemble each other."
    ),
    "presence": (
        "Score residuals of presence, observed less probability over its standard deviation: "
        "above 0 where more came than was forecast. Single dark cells are events; patches are "
        "errors that neighbours share."
    ),
    "coverage": (
        "Share of cells whose value lies in the closed 80 % interval, by class of the expected "
        "density, beside what the forecast's own law gives that interval."
    ),
}


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
    parts.append(heading(FIRST_HEADING, 2))
    parts.append("\n".join(f"- {escape(line)}" for line in plain_words(run)) + "\n")
    parts.append(
        table(
            ["question", "answer"],
            [[name, "alarm" if raised else "nothing seen"] for name, raised in alarms(run)],
        )
    )
    parts.append(heading("Scores", 2))
    parts.append(_scores(run))
    for name, reason in section.undefined.items():
        parts.append(f"{escape(name)}: not defined ({escape(reason)}).\n")
    parts += _differences(run)
    parts += _shown(figures, "differences", "difference_crps", "difference_log")
    parts.append(heading("Calibration", 2))
    parts.append(
        table(
            ["epoch", "miscalibration (Brier)", "p", "p of the curve", "p of the PIT",
             "p of the worm"],
            [
                [str(e), float(r.miscalibration), _p(r.miscalibration_p_value), _p(r.curve_p_value),
                 _p(section.pits[e].p_value), _p(section.worms[e].p_value)]
                for e, r in section.reliability.items()
            ],
        )
    )  # fmt: skip
    parts += _shown(figures, "reliability", "pit", "worm")
    parts += _structure(run)
    parts += _shown(figures, "structure", "presence")
    parts += _questions(run)
    parts.append(heading("Totals", 2))
    parts.append(
        table(
            ["epoch", "of", "observed", "expected", "interval", "p"],
            [
                [str(t.epoch), t.what, f"{t.observed:,.5g}", f"{t.expected:,.5g}",
                 f"{t.low:,.5g} to {t.high:,.5g}", _p(t.p_value)]
                for t in section.totals
            ],
        )
    )  # fmt: skip
    parts += _coverage(run)
    parts += _shown(figures, "coverage")
    for text in section.notes:
        parts.append(note(f"{text[:1].upper()}{text[1:]}."))
    return parts


def _scores(run: ResidualsRun) -> str:
    """Means of every score, one column per epoch in the order of time."""
    sums = run.section.scores
    rows = (sums.over("fold") if "fold" in sums.names else sums).rows()
    value = {(r["epoch"], r["term"]): float(r["value"]) for r in rows}
    count = {r["epoch"]: int(r["n"]) for r in rows}
    epochs = run.cases.epochs
    return table(
        ["score", *(f"{e} (n = {count[e]:,})" for e in epochs)],
        [
            [name.replace("_", " "), *(value[e, name] for e in epochs)]
            for name in dict.fromkeys(str(r["term"]) for r in rows)
        ],
    )


def _p(value: float) -> str:
    """A p-value as readers need it.

    Example:
        >>> _p(0.04321), _p(1e-12), _p(float("nan"))
        ('0.043', '< 0.001', 'not determined')
    """
    if not math.isfinite(value):
        return "not determined"
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def _shown(figures: Mapping[str, str], *names: str) -> list[str]:
    """Figures with their captions, further pages of one under the same."""
    return [
        figure(path, _CAPTIONS[wanted])
        for wanted in names
        for name, path in figures.items()
        if name == wanted or (name.startswith(f"{wanted} ") and name.split(" ")[-1].isdigit())
    ]


def _questions(run: ResidualsRun) -> list[str]:
    tests, blocks = answers(run)
    alone = {(t.residual, t.against): t.p_value for t in run.section.tests}
    said = (
        f"Whole blocks of {run.section.test_block_m / 1000:g} km "
        "stand for cases, because neighbours depend on each other; the last column takes cells as "
        "independent." if blocks else "Cells are taken as independent given the forecast."
    )  # fmt: skip
    rows = [
        [
            t.residual.replace("_", " "), shown_name(t.against),
            "" if t.effect is None else f"{t.effect:.3f}", _p(t.p_value), _p(t.q_value),
            _p(alone[t.residual, t.against]),
        ]
        for t in sorted(tests, key=lambda t: t.q_value)
    ]  # fmt: skip
    named = ", ".join(shown_name(name) for name in sorted(run.cases.predictors))
    return [
        heading("On what the residuals depend", 2),
        (f"Predictors asked about: {escape(named)}. " if named else "No predictors were given. ")
        + f"{said} Scale means scatter: a predictor there is one on which the spread depends. q is "
        "adjusted for all questions together; the effect is a correlation with the ranks of the "
        f"predictor. The {min(len(rows), MOST_ROWS)} strongest of {len(rows)} answers; all are in "
        "tests.csv.\n",
        table(["residual", "against", "effect", "p", "q", "p, cells"], rows[:MOST_ROWS]),
    ]


def _differences(run: ResidualsRun) -> list[str]:
    section = run.section
    if not section.differences:
        return []
    rows = [
        [
            score, d.second,
            f"{d.difference.value:.4g} ({d.difference.low:.4g} to {d.difference.high:.4g})",
            _p(d.p_value), _hering(run, score, d.second), d.difference.unit,
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
    return _p(value)


def _structure(run: ResidualsRun) -> list[str]:
    section = run.section
    parts = [heading("Spatial structure", 2)]
    parts.append(
        table(
            ["epoch", "Moran's I", "z", "q", "range [km]"],
            [
                [str(s.epoch), float(s.structure.moran.value), float(s.structure.moran.z),
                 _p(s.q_value), f"{s.range_m / 1000.0:.2g}{' or more' if s.beyond else ''}"]
                for s in section.structures
            ],
        )
    )  # fmt: skip
    if section.persistence:
        parts.append(
            table(
                ["epoch", "and the next", "correlation of residuals", "p", "cells", "blocks"],
                [
                    [str(p.first), str(p.second), f"{p.correlation:.3f}", _p(p.p_value),
                     f"{p.n:,}", p.n_blocks]
                    for p in section.persistence
                ],
            )
        )  # fmt: skip
        parts.append("Above 0 the forecast is wrong in the same places again.\n")
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
    order = [str(epoch) for epoch in run.cases.epochs]
    for (epoch, level), found in sorted(by.items(), key=lambda i: (order.index(i[0][0]), i[0][1])):
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
