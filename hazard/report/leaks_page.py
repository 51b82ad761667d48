"""The leak audit: what training and test share in every design, as stored with the cube."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from hazard.report.fold_counts import fold_parts
from hazard.report.leak_comparison import leak_comparison
from hazard.report.page import Page, absent, sentence
from hazard.report.source import Source
from stats.command.pages import heading, note, table

ROLE = "role_"


def leaks_page(source: Source) -> Page:
    """What the audit found, design by design."""
    designs = [str(name) for name in source.cube.folds.data_vars if str(name).startswith(ROLE)]
    title = "Leak audit"
    if not designs:
        return Page(
            name="leaks", title=title, summary="Not in this run.",
            parts=[absent("The audit", "the cube holds no designs of held-out data")],
        )  # fmt: skip
    rows: list[list[Any]] = []
    described = []
    n_leaks = 0
    for name in sorted(designs):
        attributes = source.cube.folds[name].attrs
        design = name.removeprefix(ROLE)
        findings = json.loads(attributes["audit"])
        n_leaks += sum(f["severity"] == "leak" for f in findings)
        separates = ", ".join(json.loads(attributes["separates"])) or "nothing"
        described.append(
            [design.replace("_", " "), attributes["unit"], source.cube.folds[name].shape[0],
             separates, attributes["buffer_m"] / 1000]
        )  # fmt: skip
        rows += _finding_rows(design, findings)
    parts = [
        note(
            "No leak: in no stored design do training and test share what it promises to separate."
            if n_leaks == 0
            else f"{n_leaks} leaks: scores of the designs concerned must not be trusted.",
            kind="tip" if n_leaks == 0 else "danger",
        ),
        *_published(source),
        *leak_comparison(source),
        heading("Designs", 2),
        table(
            ["design", "unit held out", "folds", "separates", "buffer [km]"],
            described,
        ),
        heading("Findings", 2),
        sentence(
            "*leak*: breaks what any honest test needs, or what the design promised. *warning*: "
            "inputs of training and test overlap although the design promises nothing about "
            "place. *expected*: shared by the design's own definition, or withheld from the "
            "inputs. Counts are summed over the folds: test cell-epochs; where the past of inputs "
            "is concerned, cell-epochs that see less than was observed; patches in an epoch."
        ),
        table(["design", "shared", "severity", "folds", "cell-epochs", "example"], rows)
        if rows
        else sentence("Nothing is shared in any design."),
        *fold_parts(source),
        heading("Standardisation", 2),
        *_standardisation(source),
    ]
    found = "no leak" if n_leaks == 0 else f"{n_leaks} leaks"
    if any(record.leaks for record in source.schemes.values()):
        found += "; the leaking published split beside honest ones"
    return Page(
        name="leaks", title=title, parts=parts,
        summary=f"{len(designs)} designs audited: {found}.",
    )  # fmt: skip


def _finding_rows(design: str, findings: list[dict[str, Any]]) -> list[list[Any]]:
    counts: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for finding in findings:
        counts[finding["severity"], finding["kind"]].append(finding)
    order = {"leak": 0, "warning": 1, "expected": 2}
    return [
        [design.replace("_", " "), kind, severity, len(found), sum(f["count"] for f in found),
         found[0]["example"]]
        for (severity, kind), found in sorted(counts.items(), key=lambda item: order[item[0][0]])
    ]  # fmt: skip


def _published(source: Source) -> list[str]:
    leaking = [scheme for scheme in source.schemes.values() if scheme.leaks]
    return [
        note(
            f"{scheme.title} shares cells between training and test on purpose: it repeats a "
            "published split, and its scores stand only beside honest ones. "
            + " ".join(scheme.notes),
            kind="warning",
        )
        for scheme in leaking
    ]


def _standardisation(source: Source) -> list[str]:
    fits = source.provenance.get("fit", {}).get("fits", [])
    known = [f for f in fits if f.get("train_cells") and f.get("kind") != "baseline"]
    if not known:
        return [absent("Hashes of the roles of cells", "no fit of a network records one")]
    rows = [
        [source.scheme_title(str(f["scheme"])), str(f["fold_name"]),
         source.model_label(str(f["name"])), int(f["train"]), str(f["train_cells"])[:16]]
        for f in known
    ]  # fmt: skip
    return [
        sentence(
            "Each network scales its inputs by statistics of its own training cells alone. The "
            "SHA-256 of the roles of all cells in its fold (here its first 16 characters) stands "
            "in the model's own record too: it proves which cells those were."
        ),
        table(["scheme", "fold", "model", "training cell-epochs", "SHA-256 of the roles"], rows),
    ]
