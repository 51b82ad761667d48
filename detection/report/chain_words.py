"""The front page of a chain: what it shows, in plain words, with the numbers."""

from __future__ import annotations

from detection.report.chain_scores import DESIGN_NAMES, MEAN, short
from detection.report.chain_source import SCOPES, ChainSource, Row
from detection.report.page import bullets, interval_text, paragraph
from stats.command.pages import heading


def front_parts(source: ChainSource) -> list[str]:
    """What was done, what came out, and what it does not say."""
    return [
        paragraph(
            f"One network ({source.record['network']}) was trained on the event epoch of "
            f"{short(source.order[0])}, then fine-tuned on "
            f"{', '.join(short(r) for r in source.order[1:])}, and scored after every stage on "
            f"every region, on {SCOPES[source.scope]} and on ground that no training saw."
        ),
        heading("In short", 2),
        bullets(short_sentences(source)),
        heading("What this does not say", 2),
        bullets(_limits(source)),
    ]


def short_sentences(source: ChainSource) -> list[str]:
    """The main results, a sentence each; what was not asked for is left out."""
    found = [_few(source), _arrival(source), _forward(source), _backward(source)]
    return [text for text in [*found, _variants(source), _designs(source)] if text]


def _row(source: ChainSource, quantity: str, variant: str | None = None) -> Row | None:
    """The mean over regions; of a single region, its own row."""
    chosen = variant or source.variants[0]
    rows = [row for row in source.transfers(quantity) if row["variant"] == chosen]
    means = [row for row in rows if row["region"] == MEAN]
    return next(iter([*means, *rows]), None)


def _of(row: Row) -> str:
    return "over these regions" if row["region"] == MEAN else f"in {short(row['region'])}"


def _few(source: ChainSource) -> str:
    row = _row(source, "few")
    if row is None:
        return ""
    share = next(float(t["planned"]["share"]) for t in source.trainings
                 if t["planned"]["kind"] == "few_scratch")  # fmt: skip
    verdict = {
        "better": "The chain beats training from scratch",
        "worse": "The chain is worse than training from scratch",
        "not told apart": "The chain is not told apart from training from scratch",
    }[row["verdict"]]
    regions = [r for r in source.transfers("few") if r["region"] != MEAN]
    each = "; ".join(f"{short(r['region'])}: {r['verdict']}" for r in regions)
    ending = f" Region by region: {each}." if len(regions) > 1 else ""
    return (
        f"{verdict} on {share:.0%} of a new region's patches: F1 {interval_text(row, 'first')} "
        f"against {interval_text(row, 'second')} from scratch on the same patches, difference "
        f"{interval_text(row, 'difference', signed=True)} {_of(row)}.{ending}"
    )


def _arrival(source: ChainSource) -> str:
    row = _row(source, "zero_shot")
    if row is None:
        return ""
    return (
        f"On arrival in a region that it has not seen, the network reaches F1 "
        f"{interval_text(row, 'first')} {_of(row)}; calling everything a landslide reaches "
        f"{interval_text(row, 'second')}."
    )


def _forward(source: ChainSource) -> str:
    row = _row(source, "forward")
    if row is None:
        return ""
    words = {
        "better": "is better than", "worse": "is worse than",
        "not told apart": "is not told apart from",
    }[row["verdict"]]  # fmt: skip
    return (
        f"With all training patches of a region, the chain {words} training on that region alone: "
        f"F1 {interval_text(row, 'first')} against {interval_text(row, 'second')}, difference "
        f"{interval_text(row, 'difference', signed=True)} {_of(row)}."
    )


def _backward(source: ChainSource) -> str:
    row = _row(source, "backward")
    if row is None:
        return ""
    words = {
        "better": "later stages help earlier regions",
        "worse": "the network forgets",
        "not told apart": "neither gain nor forgetting is told from 0",
    }[row["verdict"]]
    return (
        f"After the last stage, {words}: earlier regions change by "
        f"{interval_text(row, 'difference', signed=True)} in F1 since they were learned, "
        f"{_of(row)}."
    )


def _variants(source: ChainSource) -> str:
    if len(source.variants) < 2:
        return ""
    rows = []
    for variant in source.variants:
        learned, kept = (_row(source, quantity, variant) for quantity in ("forward", "backward"))
        parts = []
        if learned is not None:
            parts.append(f"F1 {interval_text(learned, 'first')} on the region just learned")
        if kept is not None:
            parts.append(f"{interval_text(kept, 'difference', signed=True)} on earlier ones")
        if parts:
            rows.append(f"{variant}: {', '.join(parts)}")
    return f"Ways to fine-tune, {'; '.join(rows)}." if rows else ""


def _designs(source: ChainSource) -> str:
    rows = [row for row in source.design_rows(source.scope) if row["region"] == MEAN]
    if len(rows) < 2:
        return ""
    each = ", ".join(f"{DESIGN_NAMES[r['design']]} {interval_text(r, 'score')}" for r in rows)
    return f"Mean F1 of the ways to train for a region: {each}."


def _limits(source: ChainSource) -> list[str]:
    found = [
        "Every training was made once, from one seed: what another seed would give is in no "
        "interval. Differences smaller than a few hundredths of F1 should be run again.",
        "Intervals speak of other ground in these regions, and not of other regions.",
        "Test patches may adjoin training patches unless split.buffer_m is set; they never share a "
        "pixel.",
    ]
    if source.synthetic:
        found.append(
            "The scenes are rendered. Whether real regions differ as these do is not known."
        )
    return found
