"""What landslide guidelines ask of a zoning, answered from the run: what is known, what is not.

Guidelines: Fell et al. (2008) for JTC-1, Corominas et al. (2014), Reichenbach et al. (2018).
"""

from __future__ import annotations

from hazard.report.classes import class_parts
from hazard.report.page import Page, absent, sentence
from hazard.report.source import Source
from stats.command.pages import escape, heading, table

GUIDELINES = """\
- R. Fell, J. Corominas, C. Bonnard, L. Cascini, E. Leroi, W. Z. Savage, for JTC-1 (2008),
  Guidelines for landslide susceptibility, hazard and risk zoning for land use planning,
  *Engineering Geology* 102, 85-98, doi:10.1016/j.enggeo.2008.03.022.
- J. Corominas and 18 others (2014), Recommendations for the quantitative analysis of landslide
  risk, *Bulletin of Engineering Geology and the Environment* 73, 209-263,
  doi:10.1007/s10064-013-0538-8.
- P. Reichenbach, M. Rossi, B. D. Malamud, M. Mihir, F. Guzzetti (2018), A review of
  statistically-based landslide susceptibility models, *Earth-Science Reviews* 180, 60-91,
  doi:10.1016/j.earscirev.2018.03.001.
"""
NOT_STATED = "not stated in the configuration"


def standards_page(source: Source) -> Page:
    """The questions of the guidelines, one by one."""
    parts = [
        sentence(
            "Guidelines ask that a zoning says what it maps, from what, how well, and for what it "
            "must not be used. Each question stands here with what this run knows. Nothing is "
            "filled in by assumption."
        ),
        heading("What is mapped, and from what", 2),
        table(["question", "answer", "known?"], _answers(source)),
        heading("Five hazard classes", 2),
        sentence(
            "Classes very low to very high, as JTC-1 names hazard descriptors. Their limits are "
            "those of the evaluation and are the same for all epochs; they are not the annual "
            "frequencies per slope that JTC-1 tabulates, which a cell-wise area density cannot "
            "give. A useful zoning puts most landslides into little area: compare the last columns."
        ),
        *class_parts(source),
        heading("Limits of use", 2),
        _limits(source),
        heading("Model card", 2),
        *_model_card(source),
        heading("Guidelines", 2),
        GUIDELINES,
    ]
    return Page(
        name="standards",
        title="What guidelines ask",
        parts=parts,
        summary="Mapping unit, inventory, landslide types, hazard classes, limits of use.",
    )


def _answers(source: Source) -> list[list[str]]:
    cube, config = source.cube, source.config
    cell_m = cube.grid.cell_area_m2**0.5
    target = config.target if config is not None else None
    minimum = getattr(target, "minimum_area_m2", None)
    kind = getattr(target, "kind", None)
    if cube.synthetic:
        kind, made = "embedded world", "made by the embedded world with a known mapper"
    else:
        made = {
            "density_raster": "a ready raster of area density; its polygons are not at hand",
            "cumulative": "one inventory of everything visible per epoch, differenced",
            "dated": "one inventory of dated polygons",
        }.get(str(kind), NOT_STATED)
    report = config.fit.report if config is not None else None
    rows = [
        ["mapping unit", f"square cells of {cell_m:g} m; no slope units", "yes"],
        ["scale", f"regional: a cell holds {cell_m * cell_m / 1e6:g} km2 and says nothing about "
                  "single slopes", "yes"],
        ["inventory", made, "yes" if kind else "no"],
        ["smallest landslide mapped", f"{minimum:g} m2" if minimum else NOT_STATED,
         "yes" if minimum else "no"],
        ["completeness of the inventory", report.completeness if report else NOT_STATED, ""],
        ["types of landslides", report.landslide_types if report else NOT_STATED, ""],
        ["source against runout", report.source_and_runout if report else NOT_STATED, ""],
        ["trigger", f"{source.trigger_text} No forecast in real time",
         "yes" if source.triggers else "no"],
        ["time frame", "; ".join(f"{e.name}: {e.length_days} days" for e in cube.epochs), "yes"],
        ["dates of the images", *_dates(source)],
        ["validation", ", ".join(source.scheme_title(s) for s in source.held_out_schemes)
         or "none in this run", "yes" if source.held_out_schemes else "no"],
        ["uncertainty", "spread over ensemble members (maps) and spatial-block intervals of the "
                        "scores", "yes"],
        ["elements at risk, vulnerability", "not part of this study: it is hazard, not risk", "no"],
    ]  # fmt: skip
    for row in rows:
        if not row[2]:
            row[2] = "no" if row[1].startswith(("not ", NOT_STATED)) else "as configured"
    return rows


def _dates(source: Source) -> tuple[str, str]:
    """What is known of the days of the images, and whether it is."""
    epochs = source.cube.epochs
    dated = f"; landslides are dated by the {source.dated}" if source.dated else ""
    if all(epoch.image_start and epoch.image_end for epoch in epochs):
        days = "; ".join(f"{e.name}: {e.image_start} to {e.image_end}" for e in epochs)
        return f"{days}{dated}", "yes"
    if epochs[0].dates == "observed":
        return f"not in the configuration, epochs as it says{dated}", "no"
    return "nominal half-years: the dates of the images are not at hand", "nominal"


def _limits(source: Source) -> str:
    longest = max(e.length_days for e in source.cube.epochs)
    shortest = min(e.length_days for e in source.cube.epochs)
    lines = [
        "Not for single slopes, buildings or roads: a cell is the smallest statement.",
        "Not for warning: "
        + (
            f"{' and '.join(source.triggers)} of the epoch are known to the model."
            if source.triggers
            else "the model knows no trigger, and its epochs have passed."
        ),
        f"Epochs last {shortest} to {longest} days: densities of different epochs are amounts "
        "per epoch, not per year.",
        "An increase of mapped area is not always a new failure (mapping noise, seasonal "
        "visibility, re-activated scars): see the page of association between epochs.",
        "No claim about future epochs rests on fewer than five test epochs; intervals of scores "
        "hold within the epoch that was tested.",
        "Absent predictors (see the data page): " + (", ".join(source.cube.absent) or "none") + ".",
    ]
    if source.synthetic:
        lines.insert(0, "The data are synthetic: no statement about any real place follows.")
    return "\n".join(f"- {escape(line)}" for line in lines) + "\n"


def _model_card(source: Source) -> list[str]:
    model = source.subject
    if model is None:
        return [absent("The model card", "there are no predictions")]
    record = source.models[model]
    members = ", ".join(f"{source.scheme_title(s)}: {n}" for s, n in record.members.items())
    rows = [
        ["model", record.title],
        ["kind", record.kind],
        ["intended use", "regional comparison of cells and epochs after an earthquake"],
        ["reads what earlier epochs showed", "yes" if record.past_records else "no"],
        ["rain", record.rain],
        ["probability", record.probability],
        ["members", members or "not recorded"],
        ["notes", " ".join(record.notes) or "-"],
    ]
    parts = [table(["what", "value"], rows)]
    cards = sorted((source.folder / "models").glob(f"final/**/{model}/card.md"))
    if cards:
        place = escape(cards[0].relative_to(source.folder).as_posix())
        parts.append(
            sentence(
                f"The card of the final model, with bands, standardisation and limits: {place} in "
                "the run folder."
            )
        )
    else:
        parts.append(absent("The card of the final model", "models/final holds none"))
    return parts
