"""What a residual section says, in plain words, for readers who do not read p-values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stats.spatial.residual_tests import OVERALL, ResidualTest

if TYPE_CHECKING:
    from stats.command.residuals_run import ResidualsRun

SCORES = {"crps": "CRPS (probability and size of what came)", "log": "log score"}
# An effect below this is a correlation of no consequence, however certain.
NOTABLE = 0.02


def plain_words(run: ResidualsRun) -> list[str]:
    """One sentence or two per question of the section."""
    return [
        *_scores(run), *_neighbours(run), *_comes_back(run), *_calibration(run),
        *_dependence(run), *_totals(run), *_coverage(run),
    ]  # fmt: skip


def listed(names: Iterable[str]) -> str:
    """Names with commas, and an "and" before the last.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"])
        ('a, b and c', 'a')
    """
    every = list(names)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"


def shown_name(predictor: str) -> str:
    """Name of a predictor for readers: the layer's own, without underscores."""
    return predictor.replace("_", " ")


def answers(run: ResidualsRun) -> tuple[tuple[ResidualTest, ...], bool]:
    """The questions put to residuals, and whether blocks stood in for cases."""
    blocks = run.section.block_tests
    return (blocks, True) if blocks else (run.section.tests, False)


def _scores(run: ResidualsRun) -> list[str]:
    lines = []
    for score, rows in run.section.differences.items():
        verdicts: dict[str, list[str]] = {"better than": [], "worse than": [],
                                          "not told apart from": []}  # fmt: skip
        for d in rows:
            told = d.difference.excludes(0.0)
            side = ("better than" if d.difference.value < 0 else "worse than") if told else (
                "not told apart from"
            )  # fmt: skip
            verdicts[side].append(
                f"{shown_name(d.second)} ({d.difference.value:+.3g}, {d.difference.low:+.3g} to "
                f"{d.difference.high:+.3g})"
            )
        said = [f"{side} {listed(names)}" for side, names in verdicts.items() if names]
        lines.append(f"By {SCORES.get(score, score)} the forecast is {'; '.join(said)}.")
    return lines


def _neighbours(run: ResidualsRun) -> list[str]:
    structures, alpha = run.section.structures, 1.0 - run.settings.level
    dependent = [s for s in structures if s.q_value <= alpha]
    if dependent:
        reach = max(s.range_m for s in dependent) / 1000.0
        how = "at least" if any(s.beyond for s in dependent) else "up to"
        largest = max(s.structure.moran.value for s in dependent)
        return [
            f"Neighbouring cells are wrong together in {listed(str(s.epoch) for s in dependent)}, "
            f"over {how} {reach:.2g} km (correlation of neighbours up to {largest:.2f}): something "
            "that varies from place to place, in the ground, the trigger or the mapping, is "
            "missing from the forecast."
        ]
    return ["Neighbouring cells are not seen to be wrong together."] if structures else []


def _comes_back(run: ResidualsRun) -> list[str]:
    alpha = 1.0 - run.settings.level
    lines = []
    for p in run.section.persistence:
        if p.p_value > alpha:
            continue
        how = "in the same places" if p.correlation > 0 else "the other way round"
        lines.append(
            f"Errors of {p.first} come back in {p.second} {how} (correlation {p.correlation:.2f})."
        )
    if run.section.persistence and not lines:
        lines.append("Errors of one epoch are not seen to come back in the next.")
    return lines


def _calibration(run: ResidualsRun) -> list[str]:
    section, alpha = run.section, 1.0 - run.settings.level
    off = [str(e) for e, r in section.reliability.items() if r.curve_p_value <= alpha]
    lines = [
        f"Probabilities are off their frequencies in {listed(off)}." if off
        else "Probabilities are not seen to be off their frequencies."
    ]  # fmt: skip
    worm = section.worm
    if worm.p_value > alpha:
        return [*lines, "The law as a whole is not seen to be wrong."]
    above = worm.residual > worm.high_all
    below = worm.residual < worm.low_all
    upper = worm.normal > 1.0
    how = []
    if (above & upper).any():
        how.append("large values came more often than it says")
    if (below & upper).any():
        how.append("large values came less often than it says")
    detail = f": {' and, elsewhere in the tail, '.join(how)}" if how else ""
    return [*lines, f"The law as a whole does not fit{detail}."]


def _dependence(run: ResidualsRun) -> list[str]:
    tests, blocks = answers(run)
    alpha = 1.0 - run.settings.level
    found = [t for t in tests if t.q_value <= alpha and t.against != OVERALL]
    how = "also when whole blocks of neighbours count as one" if blocks else (
        "cells taken as independent"
    )  # fmt: skip
    if not found:
        return [
            f"What is left is not seen to depend on the forecast or on any of "
            f"{len(run.cases.predictors)} predictors ({how})."
        ]
    named: dict[str, str] = {}
    for t in sorted(found, key=lambda t: (t.residual != "presence", t.q_value)):
        named.setdefault(t.against, f"{shown_name(t.against)}{_direction(t)}")
    return [f"What is left depends on {listed(named.values())} ({how})."]


def _direction(test: ResidualTest) -> str:
    if test.effect is None or abs(test.effect) < NOTABLE:
        return ""
    high = test.effect > 0
    said = {
        "presence": f"{'more' if high else 'fewer'} landslide cells than forecast where it is high",
        "location": f"{'more' if high else 'less'} area than forecast where it is high",
        "positive_location": f"{'larger' if high else 'smaller'} densities than forecast where it "
        "is high",
        "scale": f"{'more' if high else 'less'} scatter than forecast where it is high",
        "positive_scale": f"{'more' if high else 'less'} scatter of densities than forecast where "
        "it is high",
    }
    return f" ({said[test.residual]})" if test.residual in said else ""


def _totals(run: ResidualsRun) -> list[str]:
    lines = []
    for t in run.section.totals:
        if t.low <= t.observed <= t.high:
            continue
        side = "more" if t.observed > t.high else "less" if t.what == "total" else "fewer"
        area = run.cases.cell_m**2 / 1e6 / 100.0
        if t.what == "total":
            what, scale, unit = "landslide area", area, " km2"
        else:
            what, scale, unit = "cells with landslides", 1.0, ""
        lines.append(
            f"{t.epoch}: {side} {what} came than the forecast's own interval allows "
            f"({t.observed * scale:,.4g}{unit} against {t.low * scale:,.4g} to "
            f"{t.high * scale:,.4g}{unit})."
        )
    return lines


def _coverage(run: ResidualsRun, level: float = 0.8) -> list[str]:
    rows = [r for r in run.section.coverage if r.level == level]
    n = sum(r.n for r in rows)
    if not n:
        return []
    covered = sum(r.n * r.covered for r in rows) / n
    implied = sum(r.n * r.implied for r in rows) / n
    return [
        f"Intervals of {100 * level:g} % hold {100 * covered:.1f} % of what came; by the "
        f"forecast's own law they should hold {100 * implied:.1f} % (more than {100 * level:g} % "
        "because most begin at zero, where most cells lie)."
    ]


def alarms(run: ResidualsRun) -> Sequence[tuple[str, bool]]:
    """Every check with whether it raises an alarm, for a table."""
    section, alpha = run.section, 1.0 - run.settings.level
    tests, _ = answers(run)

    def any_test(*against: str, other: bool = False) -> bool:
        return any(
            t.q_value <= alpha and ((t.against in against) != other)
            and not t.against.startswith("forecast,")
            for t in tests
        )  # fmt: skip

    return (
        ("Are probabilities frequencies? (reliability)",
         any(r.curve_p_value <= alpha for r in section.reliability.values())),
        ("Does the whole law fit? (PIT, worm plot)",
         section.worm.p_value <= alpha),
        ("Are neighbours wrong together? (Moran's I, variogram)",
         any(s.q_value <= alpha for s in section.structures)),
        ("Do errors depend on the forecast itself?", any_test("forecast")),
        ("Do errors depend on a predictor?",
         any_test("forecast", "epoch", OVERALL, other=True)),
        ("Do errors differ from epoch to epoch, or all point one way?",
         any_test("epoch", OVERALL)),
        ("Do totals and counts lie outside their intervals?",
         any(not t.low <= t.observed <= t.high for t in section.totals)),
    )  # fmt: skip
