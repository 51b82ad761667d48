"""The card of a stored model: what it reads, how it was trained, what it may be used for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detection.report.page import bullets
from detection.training.model_file import model_record
from stats.command.pages import heading, table

UNITS = {"1": "1 (reflectance)", "dn": "dn (uncalibrated counts)"}


def model_card_parts(folder: Path, *, synthetic: bool) -> list[str]:
    """A model's card from its record.

    Args:
        folder: of the stored model.
        synthetic: it was trained on rendered scenes.

    Raises:
        DataError: no model there.
    """
    record = model_record(folder)
    rule, provenance = record["preparation"], record["provenance"]
    threshold, field = record["threshold"], record["receptive_field"]
    pixel = "unknown" if record["pixel_m"] is None else f"{record['pixel_m']:g} m"
    rows = [
        ["network", record["network"]],
        ["settings", ", ".join(f"{k} {_plain(v)}" for k, v in record["settings"].items())],
        ["members", record["members"]],
        ["weights, SHA-256", record["weights_sha256"]],
        ["recipe", provenance.get("recipe", "not recorded")],
        ["seed", provenance.get("seed", "not recorded")],
        ["training patches (draws per pass)", _patches(provenance)],
    ]
    reads = [
        ["bands, in this order", ", ".join(rule["bands"])],
        ["unit", UNITS.get(rule["unit"], rule["unit"])],
        ["pixel", f"{pixel}, to 5 %"],
        ["indices, worked out inside", ", ".join(rule["indices"]) or "none"],
        ["terrain, worked out from elevation", ", ".join(rule["topography"]) or "none"],
        ["earlier image", "yes" if rule["use_pre"] else "no"],
        ["pixels that an output depends on",
         f"{field['before_px'] + 1 + field['after_px']} px wide"],
        ["threshold", _threshold(threshold)],
    ]  # fmt: skip
    channels = [*rule["bands"], *rule["indices"]]
    scale = [
        [name, float(mean), float(sd)]
        for name, mean, sd in zip(channels, rule["mean"], rule["scale"], strict=True)
    ]
    limits = [
        "Made to map landslides that are bare on the image, not to date them or to tell their "
        "type.",
        "Takes raw values in the bands, unit and pixel above; a file of another kind is refused, "
        "not resampled or rescaled.",
        "Scores hold for ground like that of the test part; other regions, sensors, seasons and "
        "mappers need scores of their own. Landslides of a few pixels are easily missed.",
        "Fresh scars, river gravel, bare rock, fields and clouds that the mask missed look alike "
        "to bands alone: expect false alarms there.",
        "The output is a score between 0 and 1; unless the loss was cross-entropy alone it is no "
        "calibrated probability.",
    ]
    if synthetic:
        limits.insert(0, "Trained on rendered scenes: not fit for any use on real images.")
    return [
        heading("What it is", 2), table(["what", "value"], rows),
        heading("What it reads", 2), table(["what", "value"], reads),
        heading("Standardisation, stored with the weights", 2),
        table(["channel", "mean", "scale"], scale),
        heading("Use and limits", 2),
        bullets(limits),
    ]  # fmt: skip


def _plain(value: Any) -> str:
    return "/".join(str(v) for v in value) if isinstance(value, list) else str(value)


def _patches(provenance: Any) -> str:
    found = provenance.get("patches")
    if not found:
        return "not recorded"
    return f"{found['train']}, validated on {found['validation']}"


def _threshold(threshold: Any) -> str:
    if threshold["rule"] == "fixed":
        return f"{threshold['threshold']:.3f}, fixed"
    return (
        f"{threshold['threshold']:.3f}, of the largest {threshold['rule'].upper()} on "
        f"{threshold['pixels']:,} validation pixels, {threshold['positive']:,} of landslide"
    )
