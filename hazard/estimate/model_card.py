"""A model card: what was fitted, on what, how, and where it may be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hazard.config.fit import ReportConfig


def card_text(record: Mapping[str, Any], *, in_sample: bool, report: ReportConfig) -> str:
    """The card as Markdown.

    Args:
        record: what `model.json` holds.
        in_sample: True where the model's forecasts are of cells that it saw.
        report: what the study says of its inventory.
    """
    stamp = "SYNTHETIC: " if record["synthetic"] else ""
    lines = [f"# {stamp}{record['name']}, {record['scheme']}, {record['fold_name']}", ""]
    if record["synthetic"]:
        lines += ["Nothing that this model was fitted on was observed: the study is a generated "
                  "world.", ""]  # fmt: skip
    lines += _table(
        [
            ("study", f"{record['study']}: {record['title']}"),
            ("model", record["model"].get("title", record["model"]["name"])),
            ("members", record["members"]),
            ("seed", record["seed"]),
            ("trainable numbers per member", record.get("parameters", "see model.json")),
            ("training cell-epochs", record["train"]),
            ("cell-epochs for early stopping", record["validation"]),
            ("cell-epochs tested", record["test"]),
            ("share of training cell-epochs with landslides", f"{record['base_rate']:.4f}"),
            ("SHA-256 of the roles", record["train_cells"]),
            ("probability", record.get("probability", "see the title of the model")),
            ("time [s]", f"{record['seconds']:.1f}"),
        ]
    )
    lines += ["", "## What it forecasts", "",
              "For every cell and epoch the probability of landslide area (susceptibility), and a "
              "lognormal law of the area density [percent of the cell] where there is any. Their "
              "product is the expected density [percent of the cell per epoch]; it is no "
              "probability. Triggers of the epoch are inputs: a hindcast with the observed "
              "trigger.", ""]  # fmt: skip
    if record.get("true_presence", False):
        lines += ["The probability is that of a true landslide, recorded or not: the detection "
                  "error of the inventory was in the likelihood. The law of the area density is "
                  "that of recorded area.", ""]  # fmt: skip
    lines += ["## Predictors", ""]
    lines += _predictors(record)
    if record["absent"]:
        reasons = "; ".join(f"{name} ({why})" for name, why in record["absent"].items())
        lines += ["", f"Absent from the study: {reasons}."]
    lines += ["", "## Training", ""]
    lines += _training(record)
    lines += ["", "## Limits of use", ""]
    limits = [
        "Valid inside the study mask, for the mapping unit and the epochs of the study.",
        "The target is max(0, net change) of mapped area between inventories: mapping noise and "
        "seasonal visibility raise it, re-vegetation in a cell lowers it.",
        f"Landslide types: {report.landslide_types}. Source and runout: "
        f"{report.source_and_runout}. Completeness: {report.completeness}.",
        "No design or safety decision for a single slope rests on cells of this size.",
    ]
    if in_sample:
        limits.insert(0, "Its forecasts here are of cells that it saw: they are no measure of "
                         "skill.")  # fmt: skip
    return "\n".join([*lines, *(f"- {limit}" for limit in limits), ""])


def _table(rows: list[tuple[str, Any]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)]


def _predictors(record: Mapping[str, Any]) -> list[str]:
    scaled = record.get("standardisation")
    if scaled is None:
        names = record.get("features", [])
        units = record.get("units", [""] * len(names))
        return [", ".join(f"{n} [{u}]" for n, u in zip(names, units, strict=True)) or "none"]
    rows = ["| predictor | unit | transform | mean | sd |", "|---|---|---|---|---|"]
    rows += [
        f"| {s['name']} | {s['unit']} | {s['transform']} | {s['mean']:.4g} | {s['sd']:.4g} |"
        for s in scaled["scalings"]
    ]
    rows += [
        f"| {c['name']} | class | one column per class | | |" for c in scaled.get("classes", [])
    ]
    constant = scaled.get("constant", [])
    if constant:
        rows += ["", "Constant over the training cells, so unused: " + ", ".join(constant) + "."]
    return ["Mean and sd are of the training cells, after the transform.", "", *rows]


def _training(record: Mapping[str, Any]) -> list[str]:
    stages = record.get("curriculum")
    if not stages:
        return ["One fit on the training cells; settings and results are in model.json."]
    lines = []
    for number, stage in enumerate(stages):
        losses = " + ".join(f"{t['factor']:g} {t['term']}" for t in stage["terms"])
        best = record["best_epochs"][number]
        lines.append(
            f"- Stage {stage['name']}: {losses}; {stage['optimiser']['rule']}, learning rate "
            f"{stage['optimiser']['learning_rate']:g}, at most {stage['epochs']} epochs of "
            f"batches of {stage['batch_size']} patches; weights of epoch "
            f"{', '.join(str(b + 1) if b >= 0 else 'last' for b in best)}."
        )
    return lines
